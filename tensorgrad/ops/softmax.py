"""Softmax and its logarithm along one axis, stable for any finite logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.engine import apply
from tensorgrad.op import Op
from tensorgrad.ops.operands import TensorLike, floating, quiet
from tensorgrad.ops.transcendental import exp

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["log_softmax", "softmax"]


def _shifted(x: np.ndarray, axis: int) -> np.ndarray:
    """`x` less its maximum along the axis: the largest exponent is then 0."""
    return x - np.max(x, axis, keepdims=True, initial=-np.inf)


class Softmax(Op):
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ."""

    symbol, formula = "softmax", "zᵢ = e^xᵢ / Σⱼ e^xⱼ"
    derivatives = ("∂zᵢ/∂xⱼ = zᵢ([i = j] − zⱼ)",)
    axis: int

    @quiet
    def forward(self, x):
        e = np.exp(_shifted(x, self.axis))
        return e / e.sum(self.axis, keepdims=True)

    def backward_x(self, grad, z):
        return z * (grad - (grad * z).sum(self.axis, keepdims=True))


class LogSoftmax(Op):
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ."""

    symbol, formula = "log softmax", "zᵢ = xᵢ − ln Σⱼ e^xⱼ"
    derivatives = ("∂zᵢ/∂xⱼ = [i = j] − e^zⱼ",)
    axis: int

    @quiet
    def forward(self, x):
        s = _shifted(x, self.axis)
        return s - np.log(np.exp(s).sum(self.axis, keepdims=True))

    def backward_x(self, grad, z):
        return grad - exp(z) * grad.sum(self.axis, keepdims=True)


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ along `axis`: positive, and summing to 1. Same shape as x.

    Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990.

    >>> import tensorgrad as tg
    >>> tg.softmax(tg.tensor([1e4, 1e4, -1e4]))
    tensor([0.5, 0.5, 0. ])
    """
    return apply(Softmax, floating(x), axis=axis)


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ along `axis`: the logarithm of softmax, where softmax itself would underflow. Same shape as
    x.

    >>> import tensorgrad as tg
    >>> tg.log_softmax(tg.tensor([0.0, -1e4]))
    tensor([     0., -10000.])
    """
    return apply(LogSoftmax, floating(x), axis=axis)
