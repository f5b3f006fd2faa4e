"""Ops on the shape of one tensor: reshape, transpose, broadcast, squeeze, flip."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import repeated
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, summed, transposed, words
from tensorgrad.ops.axes import normalize_axes, normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "broadcast_to",
    "clone",
    "expand",
    "flatten",
    "flip",
    "reshape",
    "squeeze",
    "swapaxes",
    "transpose",
    "unsqueeze",
]


class Clone(Op):
    """z = a copy of x."""

    symbol, formula = "clone", lambda x: x
    derivatives = (lambda: 1,)

    def forward(self, x):
        return x.copy()

    def backward_x(self, grad):
        return grad


class Reshape(Op):
    """z = x in another shape."""

    symbol, formula = "reshape", lambda x: words(x, ", reshaped")
    derivatives = (lambda grad: words(grad, ", reshaped back"),)
    aliases = True
    shape: tuple[int, ...]

    def forward(self, x):
        self.residuals = x.shape
        return x.reshape(self.shape)

    def backward_x(self, grad, residuals):
        return grad.reshape(residuals)


class Transpose(Op):
    """z = x with its axes in another order."""

    symbol, formula = "transpose", lambda x: transposed(x)
    derivatives = (lambda grad: transposed(fenced("(", grad, ")")),)
    aliases = True
    axes: tuple[int, ...]

    def forward(self, x):
        return x.transpose(self.axes)

    def backward_x(self, grad):
        return grad.transpose(tuple(self.axes.index(a) for a in range(len(self.axes))))


class BroadcastTo(Op):
    """z = x, repeated along new axes and those of length 1."""

    symbol, formula = "broadcast", lambda x: words(x, ", repeated")
    derivatives = (lambda grad: words(summed(grad), "over the repeats"),)
    aliases = True
    shape: tuple[int, ...]

    def forward(self, x):
        return repeated(x, self.shape)

    def backward_x(self, grad):
        return grad  # the engine sums over broadcast axes


class Flip(Op):
    """z = x with its elements reversed along the axes."""

    symbol, formula = "flip", lambda x: words(x, ", reversed")
    derivatives = (lambda grad: words(grad, ", reversed"),)
    aliases = True
    axis: tuple[int, ...]

    def forward(self, x):
        return np.flip(x, self.axis)

    def backward_x(self, grad):
        return grad.flip(self.axis)


def clone(x: TensorLike) -> Tensor:
    """A copy of x in memory of its own. The gradient flows through it; `t.detach().clone()` cuts it off.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> y = tg.clone(x)
    >>> y[0] = 5.0
    >>> x, y
    (tensor([1., 2.]), tensor([5., 2.]))
    """
    return apply(Clone, as_tensor(x))


def reshape(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """The elements of x in another shape; one size may be −1. Shares memory if possible.

    Raises ShapeError for another number of elements.

    >>> import tensorgrad as tg
    >>> tg.reshape(tg.arange(6), (2, -1)).shape
    (2, 3)
    """
    x, sizes = as_tensor(x), as_shape(shape)
    if min(sizes, default=0) < -1:  # NumPy treats it as −1
        raise ShapeError(restate("reshape", "sizes must be ≥ 0; one may be −1", x=x, shape=sizes))
    return apply(Reshape, x, shape=sizes)


def flatten(x: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from `start_dim` to `end_dim`: `(N, C, H, W) -> (N, C·H·W)` for `start_dim=1`.

    Args:
        x: a tensor of any shape.
        start_dim: the first axis to merge.
        end_dim: the last axis to merge.

    Raises:
        RangeError: an axis out of range.
        ArgumentError: `start_dim` is after `end_dim`.

    >>> import tensorgrad as tg
    >>> tg.flatten(tg.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    x = as_tensor(x)
    first = normalize_axis("flatten", x, start_dim, "start_dim")
    last = normalize_axis("flatten", x, end_dim, "end_dim")
    if x.ndim == 0:
        return x.reshape(1)
    if first > last:
        problem = "start_dim must not be after end_dim"
        raise ArgumentError(restate("flatten", problem, x=x, start_dim=start_dim, end_dim=end_dim))
    shape = x._data.shape
    return apply(Reshape, x, shape=(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def transpose(x: TensorLike, *axes: int | Sequence[int]) -> Tensor:
    """x with its axes in the given order, by default reversed; PyTorch's `permute`. Shares memory.

    Args:
        x: a tensor of any shape.
        axes: all axes of x in their new order, as `(2, 0, 1)` or `2, 0, 1`.

    Raises:
        RangeError: an axis that x doesn't have.
        ArgumentError: an axis that is left out or named twice.

    >>> import tensorgrad as tg
    >>> tg.transpose(tg.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = as_tensor(x)
    if not axes:
        return apply(Transpose, x, axes=tuple(range(x._data.ndim))[::-1])
    one = len(axes) == 1 and (axes[0] is None or isinstance(axes[0], Sequence) or np.ndim(axes[0]) == 1)
    given: Any = axes[0] if one else axes
    given = range(x.ndim)[::-1] if given is None or not len(given) else given
    order = tuple(normalize_axis("transpose", x, a, "axes") for a in given)
    if sorted(order) != list(range(x.ndim)):
        raise ArgumentError(restate("transpose", "axes must name each axis once", x=x, axes=axes))
    return apply(Transpose, x, axes=order)


def swapaxes(x: TensorLike, a: int, b: int) -> Tensor:
    """x with the axes a and b exchanged. Shares memory.

    >>> import tensorgrad as tg
    >>> tg.swapaxes(tg.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(x)
    order = list(range(x._data.ndim))
    i, j = normalize_axis("swapaxes", x, a, "a"), normalize_axis("swapaxes", x, b, "b")
    if i != j:
        order[i], order[j] = order[j], order[i]
    return apply(Transpose, x, axes=tuple(order))


def broadcast_to(x: TensorLike, shape: int | Sequence[int]) -> Tensor:
    """x broadcast to `shape` by NumPy's rule, without copying; the gradient is summed over the broadcast axes.

    >>> import tensorgrad as tg
    >>> tg.broadcast_to(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    x, sizes = as_tensor(x), as_shape((shape,))
    if min(sizes, default=0) < 0:
        fix = "tg.expand accepts −1 for a size to keep"
        raise ShapeError(restate("broadcast_to", "sizes must be ≥ 0", fix=fix, x=x, shape=shape))
    return apply(BroadcastTo, x, shape=sizes)


def expand(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """PyTorch's `expand`: `broadcast_to`, where −1 keeps a size.

    >>> import tensorgrad as tg
    >>> tg.expand(tg.zeros(3, 1), -1, 4).shape
    (3, 4)
    """
    x, sizes = as_tensor(x), as_shape(shape)
    lead = len(sizes) - x.ndim
    return broadcast_to(x, [x.shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(sizes)])


def squeeze(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """x without its axes of length 1: all of them, or those in `axis`. Raises ShapeError if one of these is longer.

    >>> import tensorgrad as tg
    >>> tg.squeeze(tg.zeros(1, 3, 1)).shape
    (3,)
    """
    x = as_tensor(x)
    given = normalize_axes("squeeze", x, axis)
    if axis is not None and any(x.shape[a] != 1 for a in given):
        raise ShapeError(restate("squeeze", "the axes to squeeze must have length 1", x=x, axis=axis))
    return x.reshape(tuple(n for k, n in enumerate(x.shape) if not (k in given and n == 1)))


def unsqueeze(x: TensorLike, axis: int | Sequence[int]) -> Tensor:
    """x with a new axis of length 1 at the index `axis` of the result, or at several; NumPy's `expand_dims`.

    Raises RangeError for an index out of range, ArgumentError for one given twice.

    >>> import tensorgrad as tg
    >>> tg.unsqueeze(tg.zeros(3), -1).shape
    (3, 1)
    """
    x = as_tensor(x)
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x._data.ndim + len(given)
    places = {normalize_axis("unsqueeze", x, place, ndim=ndim) for place in given}
    if len(places) < len(given):
        raise ArgumentError(restate("unsqueeze", "axis must not have the same index twice", x=x, axis=axis))
    sizes = iter(x._data.shape)
    return x.reshape(tuple([1 if k in places else next(sizes) for k in range(ndim)]))


def flip(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """x with its elements reversed along `axis`, for None along all axes.

    Raises RangeError for an axis that x doesn't have.

    >>> import tensorgrad as tg
    >>> tg.flip(tg.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """
    x = as_tensor(x)
    return apply(Flip, x, axis=normalize_axes("flip", x, axis))


def as_shape(shape: tuple) -> tuple[int, ...]:
    """The sizes of `f(2, 3)` or `f((2, 3))` as a tuple. Raises DTypeError for sizes that aren't ints."""
    one = len(shape) == 1 and isinstance(shape[0], Iterable) and bool(getattr(shape[0], "ndim", 1))
    sizes = tuple(shape[0] if one else shape)
    try:
        if any(isinstance(n, bool) for n in sizes):
            raise TypeError("a bool isn't a size")
        return tuple([operator.index(n) for n in sizes])
    except TypeError:
        raise DTypeError(restate("shape", "sizes must be ints, or one tuple of ints", shape=shape)) from None
