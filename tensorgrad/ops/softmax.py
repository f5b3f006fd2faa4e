"""Softmax and its logarithm along one axis, stable for any finite logits."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, is_float
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.errors import DTypeError, restate
from tensorgrad.formulas.symbolic import equal, equation, function, partial, summed
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.transcendental import exp
from tensorgrad.ops.operands import TensorLike, astype, floating, widened
from tensorgrad.ops.spelling import numpy_spellings

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
        return z * (grad - (grad * z).sum(self.axis, True))


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
        return grad - exp(z) * grad.sum(self.axis, True)


class LogSoftmaxGradient(Op):
    """zᵢ = gᵢ − e^yᵢ · Σⱼ gⱼ, where y is the log softmax: for a backward pass that isn't recorded."""

    symbol = "log softmaxᵀ"
    formula = lambda z, y, g, i, j, e: equation(z[i], g[i] - e ** y[i] * summed(g[j], j))
    axis: int

    @widened
    def forward(self, g, y):
        return _along(self.axis, kernels.softmax.log_softmax_gradient, g, y)


def _along(axis: int, kernel: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Call a kernel, which works along the last axis, for another axis. The result is contiguous."""
    if axis in (-1, arrays[0].ndim - 1):
        return kernel(*arrays)
    z = kernel(*[np.moveaxis(x, axis, -1) for x in arrays])
    return np.ascontiguousarray(np.moveaxis(z, -1, axis))


def _applied(op: type[Op], input: TensorLike, dim: int | None, dtype: DTypeLike) -> Tensor:
    x = floating(input) if dtype is None else astype(input, dtype)
    if dim is None:
        # PyTorch's choice for networks of its early days.
        dim = 0 if x._data.ndim in (0, 1, 3) else 1
        fix = f"pass dim={dim} to keep this result, or dim=-1 for the last axis"
        warnings.warn(restate(op.name, f"dim isn't given; it is taken as {dim}", fix=fix), UserWarning, stacklevel=4)
    axis = normalize_axis(op.name, x, dim)
    # A scalar is a row of one element.
    return apply(op, x, axis=axis) if x.ndim else apply(op, x.reshape(1), axis=axis).reshape(())


@numpy_spellings
def softmax(input: TensorLike, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike = None) -> Tensor:
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ along `dim`: positive numbers with sum 1. Same shape as the input.

    Args:
        input: floats of any shape; integers become float32.
        dim: the axis along which the sum is 1. Without it a warning says which one is taken.
        _stacklevel: accepted for PyTorch's scripts, and without effect.
        dtype: convert the input to this dtype first.

    Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990.

    >>> import tensorgrad as tg
    >>> tg.softmax(tg.tensor([1e4, 1e4, -1e4]), dim=0)
    tensor([0.5, 0.5, 0. ])
    """
    return _applied(Softmax, input, dim, _dtype_of("softmax", _stacklevel, dtype))


@numpy_spellings
def log_softmax(input: TensorLike, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike = None) -> Tensor:
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ along `dim`: the logarithm of softmax, without underflow. Same shape as the input.

    Args:
        input: floats of any shape; integers become float32.
        dim: the axis along which the sum of e^z is 1. Without it a warning says which one is taken.
        _stacklevel: accepted for PyTorch's scripts, and without effect.
        dtype: convert the input to this dtype first.

    >>> import tensorgrad as tg
    >>> tg.log_softmax(tg.tensor([0.0, -1e4]), dim=0)
    tensor([     0., -10000.])
    """
    return _applied(LogSoftmax, input, dim, _dtype_of("log_softmax", _stacklevel, dtype))


def _dtype_of(op: str, third: Any, dtype: DTypeLike) -> DTypeLike:
    """The dtype: `torch.softmax` has it as third argument, `F.softmax` as fourth."""
    if dtype is None and not isinstance(third, int):
        dtype = third
    if dtype is not None and not is_float(as_dtype(op, dtype)):
        raise DTypeError(restate(op, "dtype must be a float dtype", dtype=dtype))
    return dtype
