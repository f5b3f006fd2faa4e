"""Softmax and its logarithm along one axis, stable for any finite logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import equal, equation, function, partial, summed
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.transcendental import exp
from tensorgrad.ops.operands import TensorLike, floating, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["log_softmax", "softmax"]


class Softmax(Op):
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ."""

    symbol, formula = "softmax", lambda z, x, i, j, e: equation(z[i], e ** x[i] / summed(e ** x[j], j))
    derivatives = (lambda z, x, i, j: equation(partial(z[i], x[j]), z[i] * (equal(i, j) - z[j])),)
    axis: int

    @widened
    def forward(self, x):
        return _along(self.axis, kernels.softmax.softmax, x)

    def backward_x(self, grad, z):
        if not is_grad_enabled():
            return apply(SoftmaxGradient, grad, z, axis=self.axis)
        return z * (grad - (grad * z).sum(self.axis, keepdims=True))


class SoftmaxGradient(Op):
    """zᵢ = yᵢ(gᵢ − Σⱼ gⱼyⱼ), where y is the softmax: for a backward pass that isn't recorded."""

    symbol = "softmaxᵀ"
    formula = lambda z, y, g, i, j: equation(z[i], y[i] * (g[i] - summed(g[j] * y[j], j)))
    axis: int

    @widened
    def forward(self, g, y):
        return _along(self.axis, kernels.softmax.softmax_gradient, g, y)


class LogSoftmax(Op):
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ."""

    symbol = "log softmax"
    formula = lambda z, x, i, j, e: equation(z[i], x[i] - function("ln")(summed(e ** x[j], j)))
    derivatives = (lambda z, x, i, j, e: equation(partial(z[i], x[j]), equal(i, j) - e ** z[j]),)
    axis: int

    @widened
    def forward(self, x):
        return _along(self.axis, kernels.softmax.log_softmax, x)

    def backward_x(self, grad, z):
        if not is_grad_enabled():
            return apply(LogSoftmaxGradient, grad, z, axis=self.axis)
        return grad - exp(z) * grad.sum(self.axis, keepdims=True)


class LogSoftmaxGradient(Op):
    """zᵢ = gᵢ − e^yᵢ · Σⱼ gⱼ, where y is the log softmax: for a backward pass that isn't recorded."""

    symbol = "log softmaxᵀ"
    formula = lambda z, y, g, i, j, e: equation(z[i], g[i] - e ** y[i] * summed(g[j], j))
    axis: int

    @widened
    def forward(self, g, y):
        return _along(self.axis, kernels.softmax.log_softmax_gradient, g, y)


def _along(axis: int, kernel: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Call a kernel, which works along the last axis, for another axis."""
    if axis in (-1, arrays[0].ndim - 1):
        return kernel(*arrays)
    return np.moveaxis(kernel(*[np.moveaxis(x, axis, -1) for x in arrays]), -1, axis)


def _applied(op: type[Op], x: TensorLike, axis: int) -> Tensor:
    x = floating(x)
    axis = normalize_axis(op.name, x, axis)
    # A scalar is a row of one element.
    return apply(op, x, axis=axis) if x.ndim else apply(op, x.reshape(1), axis=axis).reshape(())


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ along `axis`: positive numbers with sum 1. Same shape as x.

    Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990.

    >>> import tensorgrad as tg
    >>> tg.softmax(tg.tensor([1e4, 1e4, -1e4]))
    tensor([0.5, 0.5, 0. ])
    """
    return _applied(Softmax, x, axis)


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ along `axis`: the logarithm of softmax, without underflow. Same shape as x.

    >>> import tensorgrad as tg
    >>> tg.log_softmax(tg.tensor([0.0, -1e4]))
    tensor([     0., -10000.])
    """
    return _applied(LogSoftmax, x, axis)
