"""Ops on the shape of one tensor: reshape, permute, broadcast, squeeze, flip."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import repeated
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, summed, transposed, words
from tensorgrad.ops.axes import normalize_axes, normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.spelling import numpy_spellings, one_or_several

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "broadcast_to", "clone", "expand", "flatten", "flip", "moveaxis", "movedim", "permute", "reshape",
    "squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze",
]  # fmt: skip


NOT_GIVEN: Any = None


class Clone(Op):
    """z = a copy of x."""

    symbol, formula = "clone", lambda x: x
    derivatives = (lambda: 1,)

    def forward(self, x):
        return x.copy() if type(x) is np.ndarray else kernels.copies.contiguous(x)

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
        return x.reshape(self.shape) if type(x) is np.ndarray else kernels.arguments.reshaped(x, self.shape)

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
        return grad.permute(tuple(self.axes.index(a) for a in range(len(self.axes))))


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
    axis: tuple[int, ...]

    def forward(self, x):
        return kernels.copies.contiguous(np.flip(x, self.axis))

    def backward_x(self, grad):
        return grad.flip(self.axis)


class FlippedView(Flip):
    """z = x with its elements reversed along the axes, in the memory of x: NumPy's `flip`."""

    aliases = True

    def forward(self, x):
        return np.flip(x, self.axis)


def clone(input: TensorLike, *, memory_format: object = None) -> Tensor:
    """A copy of the input in memory of its own. The gradient flows through it; `t.detach().clone()` cuts it off.

    Args:
        input: a tensor of any shape.
        memory_format: accepted for PyTorch's scripts, and without effect.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> y = tg.clone(x)
    >>> y[0] = 5.0
    >>> x, y
    (tensor([1., 2.]), tensor([5., 2.]))
    """
    return apply(Clone, as_tensor(input))


def reshape(input: TensorLike, *sizes: int | Sequence[int], shape: int | Sequence[int] | None = None) -> Tensor:
    """The elements of the input in another shape; one size may be −1. Shares memory if possible.

    Raises ShapeError for another number of elements.

    >>> import tensorgrad as tg
    >>> tg.reshape(tg.arange(6), (2, -1)).shape
    (2, 3)
    """
    x, wanted = as_tensor(input), as_shape(sizes if shape is None else one_or_several("reshape", sizes, "shape", shape))
    if min(wanted, default=0) < -1:  # NumPy treats it as −1
        raise ShapeError(restate("reshape", "sizes must be ≥ 0; one may be −1", input=x, shape=wanted))
    return apply(Reshape, x, shape=wanted)


def flatten(input: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from `start_dim` to `end_dim`: `(N, C, H, W) -> (N, C·H·W)` for `start_dim=1`.

    Args:
        input: a tensor of any shape.
        start_dim: the first axis to merge.
        end_dim: the last axis to merge.

    Raises:
        RangeError: an axis out of range.
        ArgumentError: `start_dim` is after `end_dim`.

    >>> import tensorgrad as tg
    >>> tg.flatten(tg.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    x = as_tensor(input)
    first = normalize_axis("flatten", x, start_dim, "start_dim")
    last = normalize_axis("flatten", x, end_dim, "end_dim")
    if x.ndim == 0:
        return x.reshape(1)
    if first > last:
        problem = "start_dim must not be after end_dim"
        raise ArgumentError(restate("flatten", problem, input=x, start_dim=start_dim, end_dim=end_dim))
    shape = x._data.shape
    return apply(Reshape, x, shape=(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@numpy_spellings
def permute(input: TensorLike, *order: int | Sequence[int], dims: Sequence[int] | None = None) -> Tensor:
    """The input with its axes in another order; NumPy's `transpose`. Shares memory.

    Args:
        input: a tensor of any shape.
        order: all axes of the input in their new order, as `(2, 0, 1)` or `2, 0, 1`.
        dims: the same by name.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis that is left out or named twice.

    >>> import tensorgrad as tg
    >>> tg.permute(tg.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = as_tensor(input)
    order = one_or_several("permute", order, "dims", dims)
    one = len(order) == 1 and (isinstance(order[0], Sequence) or np.ndim(order[0]) == 1)
    given: Any = order[0] if one else order
    axes = tuple([normalize_axis("permute", x, a, "dims") for a in given])
    if sorted(axes) != list(range(x.ndim)):
        fix = "" if axes else "t.T reverses all axes"
        raise ArgumentError(restate("permute", "dims must name each axis once", fix=fix, input=x, dims=given))
    return apply(Transpose, x, axes=axes)


def reverse_axes(x: TensorLike) -> Tensor:
    """`x` with its axes in reverse order."""
    x = as_tensor(x)
    return apply(Transpose, x, axes=tuple(range(x._data.ndim))[::-1])


def transpose(input: TensorLike, dim0: int = NOT_GIVEN, dim1: int = NOT_GIVEN, *more: Never) -> Tensor:
    """The input with two axes exchanged. Shares memory. Also called `swapaxes` and `swapdims`.

    Args:
        input: a tensor of any shape.
        dim0: the first axis.
        dim1: the second axis.
        more: NumPy's further axes, which are refused.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis that isn't one int, or more than two; `permute` orders all.

    >>> import tensorgrad as tg
    >>> tg.transpose(tg.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(input)
    if more or dim0 is NOT_GIVEN or dim1 is NOT_GIVEN:
        problem, fix = "dim0 and dim1 must be two ints", "x.permute(2, 0, 1) orders all axes, x.T reverses them"
        raise ArgumentError(restate("transpose", problem, fix=fix, input=x, dim0=dim0, dim1=dim1))
    order = list(range(x._data.ndim))
    i, j = normalize_axis("transpose", x, dim0, "dim0"), normalize_axis("transpose", x, dim1, "dim1")
    if i != j:
        order[i], order[j] = order[j], order[i]
    return apply(Transpose, x, axes=tuple(order))


swapdims = transpose


def swapaxes(input: TensorLike, axis0: int, axis1: int) -> Tensor:
    """`transpose` under NumPy's name: two axes exchanged. Shares memory.

    >>> import tensorgrad as tg
    >>> tg.swapaxes(tg.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    return transpose(input, axis0, axis1)


def t(input: TensorLike) -> Tensor:
    """The transpose of a matrix; a vector or a scalar as it is. Shares memory.

    Raises ShapeError for more than two axes: `x.mT` exchanges the last two, `x.transpose(a, b)` any two.

    >>> import tensorgrad as tg
    >>> tg.t(tg.zeros(2, 3)).shape
    (3, 2)
    """
    x = as_tensor(input)
    if x.ndim > 2:
        fix = "x.mT exchanges the last two axes, x.transpose(dim0, dim1) any two"
        raise ShapeError(restate("t", f"input must have at most 2 axes, got {x.ndim}", fix=fix, input=x))
    return reverse_axes(x)


def movedim(input: TensorLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The input with some axes moved; the others keep their order. Shares memory. Also called `moveaxis`.

    Args:
        input: a tensor of any shape.
        source: the axes to move.
        destination: where each of them stands in the result.

    Raises:
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or another number of sources than of destinations.

    >>> import tensorgrad as tg
    >>> tg.movedim(tg.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    x = as_tensor(input)
    froms, tos = [
        [normalize_axis("movedim", x, k, name) for k in (axes if isinstance(axes, Sequence) else [axes])]
        for name, axes in (("source", source), ("destination", destination))
    ]
    if len(froms) != len(tos) or len({*froms}) < len(froms) or len({*tos}) < len(tos):
        problem = "source and destination must have the same length, and no axis twice"
        raise ArgumentError(restate("movedim", problem, input=x, source=source, destination=destination))
    order = [k for k in range(x.ndim) if k not in froms]
    for to, axis in sorted(zip(tos, froms, strict=True)):
        order.insert(to, axis)
    return apply(Transpose, x, axes=tuple(order)) if x.ndim else x


moveaxis = movedim


@numpy_spellings
def broadcast_to(input: TensorLike, size: int | Sequence[int]) -> Tensor:
    """The input broadcast to `size` by NumPy's rule, without copying; the gradient is summed over the broadcast axes.

    A size of −1 keeps the input's, as in `expand`.

    >>> import tensorgrad as tg
    >>> tg.broadcast_to(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    x, sizes = as_tensor(input), as_shape((size,))
    if -1 in sizes:
        lead = len(sizes) - x.ndim
        sizes = tuple([x.shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(sizes)])
    if min(sizes, default=0) < 0:
        problem = "sizes must be ≥ 0, or −1 for an axis that the input has"
        raise ShapeError(restate("broadcast_to", problem, input=x, size=size))
    return apply(BroadcastTo, x, shape=sizes)


def expand(input: TensorLike, *sizes: int | Sequence[int], size: int | Sequence[int] | None = None) -> Tensor:
    """`broadcast_to` with the sizes as one tuple or several ints; −1 keeps a size.

    >>> import tensorgrad as tg
    >>> tg.expand(tg.zeros(3, 1), -1, 4).shape
    (3, 4)
    """
    return broadcast_to(input, as_shape(one_or_several("expand", sizes, "size", size)))


@numpy_spellings
def squeeze(input: TensorLike, dim: int | Sequence[int] | None = None) -> Tensor:
    """The input without its axes of length 1: all of them, or those in `dim`. Longer axes in `dim` stay as they are.

    >>> import tensorgrad as tg
    >>> tg.squeeze(tg.zeros(1, 3, 1)).shape, tg.squeeze(tg.zeros(1, 3, 1), 1).shape
    ((3,), (1, 3, 1))
    """
    x = as_tensor(input)
    given = normalize_axes("squeeze", x, dim)
    return x.reshape(tuple([n for k, n in enumerate(x._data.shape) if n != 1 or k not in given]))


@numpy_spellings
def unsqueeze(input: TensorLike, dim: int | Sequence[int]) -> Tensor:
    """The input with a new axis of length 1 at the index `dim` of the result, or at several; NumPy's `expand_dims`.

    Raises RangeError for an index out of range, ArgumentError for one given twice.

    >>> import tensorgrad as tg
    >>> tg.unsqueeze(tg.zeros(3), -1).shape
    (3, 1)
    """
    x = as_tensor(input)
    given = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    ndim = x._data.ndim + len(given)
    places = {normalize_axis("unsqueeze", x, place, ndim=ndim) for place in given}
    if len(places) < len(given):
        raise ArgumentError(restate("unsqueeze", "dim must not have the same index twice", input=x, dim=dim))
    sizes = iter(x._data.shape)
    return x.reshape(tuple([1 if k in places else next(sizes) for k in range(ndim)]))


@numpy_spellings
def flip(input: TensorLike, *axes: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """A copy of the input with its elements reversed along some axes, given as one tuple or several ints.

    The name of these is `dims`. (`np.flip` of a tensor is a view, as of an array.)

    Raises RangeError for an axis that the input doesn't have, ArgumentError for one named twice.

    >>> import tensorgrad as tg
    >>> tg.flip(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), (0, 1))
    tensor([[4., 3.],
            [2., 1.]])
    """
    x = as_tensor(input)
    axes = one_or_several("flip", axes, "dims", dims)
    if not axes or axes[0] is None:
        raise ArgumentError(restate("flip", "dims must be given", fix="tg.flip(x, tuple(range(x.ndim)))", input=x))
    given: Any = axes[0] if len(axes) == 1 else axes
    return apply(Flip, x, axis=normalize_axes("flip", x, given))


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
