"""Sorting, and what is found by it: the largest, the k-th smallest, the median, the most frequent value."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.formulas.symbolic import equal, words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor, flag
from tensorgrad.ops.ordering.taking import take_along, without_axis
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "sort", "topk"]


class Ordered(NamedTuple):
    """Values of a tensor, and their places along the axis."""

    values: Tensor
    indices: Tensor


class ArgSort(Op):
    """z = the places of the elements along an axis, in the order of their values; NaN is the largest value."""

    name = "argsort"
    symbol, formula = "argsort", lambda x: words("argsort", x)
    axis: int
    descending: bool = False

    def forward(self, x):
        if not self.descending:
            return np.argsort(x, self.axis, kind="stable")
        # The ascending order of the reversed elements, reversed: equal elements keep their order.
        backwards = np.argsort(np.flip(x, self.axis), self.axis, kind="stable")
        return x.shape[self.axis] - 1 - np.flip(backwards, self.axis)


class ArgMedian(Op):
    """z = the place of the median along an axis: the lower one of two; of a NaN if there is any."""

    name = "argmedian"
    symbol, formula = "argmedian", lambda x: words("argmedian", x)
    axis: int
    ignore_nan: bool

    def forward(self, x):
        return _argmedian(x, self.axis, self.ignore_nan)


def _argmedian(x: np.ndarray, axis: int, ignore_nan: bool) -> np.ndarray:
    """The place of the median along an axis, which is kept with length 1."""
    order = np.argsort(x, axis, kind="stable")
    nans = np.isnan(x).sum(axis, keepdims=True) if x.dtype.kind == "f" else 0
    n = x.shape[axis]
    middle = np.maximum(n - nans - 1, 0) // 2
    rank = middle if ignore_nan else np.where(nans, n - nans, middle)
    shape = list(x.shape)
    shape[axis] = 1
    return np.take_along_axis(order, np.broadcast_to(rank, shape), axis)


class ArgMode(Op):
    """z = the last place of the most frequent value along an axis: of the smallest one if several are."""

    name = "argmode"
    symbol, formula = "argmode", lambda x: words("argmode", x)
    axis: int

    def forward(self, x):
        # Runs of equal elements in sorted order: the length of each, noted at its last element.
        order = np.argsort(x, self.axis, kind="stable")
        rows = np.moveaxis(np.take_along_axis(x, order, self.axis), self.axis, 0)
        lengths = np.ones(rows.shape, np.int64)
        for k in range(1, len(rows)):
            lengths[k] += np.where(rows[k] == rows[k - 1], lengths[k - 1], 0)
        last = np.moveaxis(lengths, 0, self.axis).argmax(self.axis, keepdims=True)
        return np.take_along_axis(order, last, self.axis)


class MedianOfAll(Op):
    """z = the median of all x, the lower one of two; elements equal to it share the gradient evenly."""

    symbol, formula = "median", lambda x: words("median", x)
    derivatives = (lambda x, z, i: words(equal(x[i], z), "/ (number of ties)"),)
    ignore_nan: bool

    def forward(self, x):
        return x[_argmedian(x, 0, self.ignore_nan)[0]]

    def backward_x(self, grad, x, z):
        hit = ((x == z) | ((x != x) & (z != z))).astype(x.dtype)
        return hit / hit.sum() * grad


@numpy_spellings
def sort(input: TensorLike, dim: int = -1, descending: bool = False, stable: bool = False) -> Ordered:
    """The elements along `dim` in ascending order, and where each was. NaN counts as the largest value.

    Args:
        input: a tensor of any shape.
        dim: the axis to sort along.
        descending: the largest first.
        stable: accepted for PyTorch's sake: equal elements always keep their order.

    Returns:
        A named tuple (values, indices).

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.sort(tg.tensor([3.0, 1.0, 2.0]))
    Ordered(values=tensor([1., 2., 3.]), indices=tensor([1, 2, 0]))
    """
    x = as_tensor(input)
    axis = normalize_axis("sort", x, dim, "dim")
    flag("sort", "stable", stable)
    rows = x if x.ndim else x.reshape(1)
    k = apply(ArgSort, rows, axis=axis, descending=flag("sort", "descending", descending))
    found = Ordered(take_along(rows, k, axis), k)
    return found if x.ndim else Ordered(*[z.reshape(()) for z in found])


@numpy_spellings
def argsort(input: TensorLike, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Where the elements along `dim` stand in ascending order: the indices of `sort`, int64.

    Args:
        input: a tensor of any shape.
        dim: the axis to sort along.
        descending: the largest first.
        stable: accepted for PyTorch's sake: equal elements always keep their order.

    Raises:
        RangeError: an axis that the tensor doesn't have.

    >>> import tensorgrad as tg
    >>> tg.argsort(tg.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])
    """
    x = as_tensor(input)
    axis = normalize_axis("argsort", x, dim, "dim")
    flag("argsort", "stable", stable)
    if not x.ndim:
        return apply(ArgSort, x.reshape(1), axis=0, descending=flag("argsort", "descending", descending)).reshape(())
    return apply(ArgSort, x, axis=axis, descending=flag("argsort", "descending", descending))


@numpy_spellings
def msort(input: TensorLike) -> Tensor:
    """The elements in ascending order along the first axis: `sort(input, 0).values`.

    >>> import tensorgrad as tg
    >>> tg.msort(tg.tensor([[3.0, 1.0], [1.0, 2.0]]))
    tensor([[1., 1.],
            [3., 2.]])
    """
    return sort(input, 0).values


@numpy_spellings
def topk(input: TensorLike, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
    """The k largest elements along `dim`, the largest first, and where they are. NaN counts as the largest value.

    Args:
        input: a tensor of any shape.
        k: how many, at most the length of the axis.
        dim: the axis to search along.
        largest: False for the smallest elements, the smallest first.
        sorted: accepted for PyTorch's sake: the result is always in order.

    Returns:
        A named tuple (values, indices). Of equal elements the first are taken.

    Raises:
        RangeError: a k outside of the axis, or an axis that the tensor doesn't have.
        DTypeError: a k that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.topk(tg.tensor([3.0, 1.0, 2.0]), 2)
    Ordered(values=tensor([3., 2.]), indices=tensor([0, 2]))
    """
    x = as_tensor(input)
    axis = normalize_axis("topk", x, dim, "dim")
    flag("topk", "sorted", sorted)
    rows = x if x.ndim else x.reshape(1)
    count = _rank("topk", rows, k, axis, 0)
    order = apply(ArgSort, rows, axis=axis, descending=flag("topk", "largest", largest))
    places = order[(slice(None),) * axis + (slice(count),)].clone()
    found = Ordered(take_along(rows, places, axis), places)
    return found if x.ndim or not count else Ordered(*[z.reshape(()) for z in found])


@numpy_spellings
def kthvalue(input: TensorLike, k: int, dim: int = -1, keepdim: bool = False) -> Ordered:
    """The k-th smallest element along `dim`, counted from 1, and where it is.

    Args:
        input: a tensor of any shape.
        k: from 1 to the length of the axis.
        dim: the axis to search along.
        keepdim: keep the axis with length 1.

    Returns:
        A named tuple (values, indices).

    Raises:
        RangeError: a k outside of the axis, or an axis that the tensor doesn't have.
        DTypeError: a k that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.kthvalue(tg.tensor([3.0, 1.0, 2.0]), 2)
    Ordered(values=tensor(2.), indices=tensor(2))
    """
    x = as_tensor(input)
    axis = normalize_axis("kthvalue", x, dim, "dim")
    rows = x if x.ndim else x.reshape(1)
    rank = _rank("kthvalue", rows, k, axis, 1)
    order = apply(ArgSort, rows, axis=axis)
    return _picked("kthvalue", x, rows, order[(slice(None),) * axis + (slice(rank - 1, rank),)].clone(), axis, keepdim)


@numpy_spellings
def median(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median, the lower one of two; NaN if there is a NaN.

    Args:
        input: a tensor of any shape.
        dim: the axis to search along; None for the median of all elements.
        keepdim: keep the axis with length 1.

    Returns:
        A named tuple (values, indices); for `dim=None` one tensor, of which equal elements share the gradient.

    Raises:
        RangeError: an axis that the tensor doesn't have.
        ShapeError: a median of no elements along an axis.

    >>> import tensorgrad as tg
    >>> tg.median(tg.tensor([3.0, 1.0, 2.0, 4.0]))
    tensor(2.)
    >>> tg.median(tg.tensor([[3.0, 1.0, 2.0]]), 1)
    Ordered(values=tensor([2.]), indices=tensor([2]))
    """
    return _median("median", input, dim, keepdim, ignore_nan=False)


@numpy_spellings
def nanmedian(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of the elements that aren't NaN, the lower one of two; NaN if there are no others.

    Args:
        input: a tensor of any shape.
        dim: the axis to search along; None for the median of all elements.
        keepdim: keep the axis with length 1.

    Returns:
        A named tuple (values, indices); for `dim=None` one tensor, of which equal elements share the gradient.

    Raises:
        RangeError: an axis that the tensor doesn't have.
        ShapeError: a median of no elements along an axis.

    >>> import tensorgrad as tg
    >>> tg.nanmedian(tg.tensor([3.0, 1.0, float("nan")]))
    tensor(1.)
    """
    return _median("nanmedian", input, dim, keepdim, ignore_nan=True)


@numpy_spellings
def mode(input: TensorLike, dim: int = -1, keepdim: bool = False) -> Ordered:
    """The most frequent element along `dim`, the smallest one if several are, and the last place where it is.

    Args:
        input: a tensor of any shape.
        dim: the axis to search along.
        keepdim: keep the axis with length 1.

    Returns:
        A named tuple (values, indices).

    Raises:
        RangeError: an axis that the tensor doesn't have.
        ShapeError: an axis without elements.

    >>> import tensorgrad as tg
    >>> tg.mode(tg.tensor([3.0, 1.0, 3.0, 2.0]))
    Ordered(values=tensor(3.), indices=tensor(2))
    """
    x = as_tensor(input)
    axis = normalize_axis("mode", x, dim, "dim")
    rows = _filled("mode", x, axis)
    return _picked("mode", x, rows, apply(ArgMode, rows, axis=axis), axis, keepdim)


def _median(op: str, input: TensorLike, dim: int | None, keepdim: bool, ignore_nan: bool) -> Any:
    x, keepdim = as_tensor(input), flag(op, "keepdim", keepdim)
    if dim is None:
        if not x._data.size:
            if x.dtype.kind != "f":
                raise ShapeError(restate(op, "there must be an element: integers have no NaN", input=x))
            return x.sum() * np.nan
        return apply(MedianOfAll, x.reshape(-1), ignore_nan=ignore_nan)
    axis = normalize_axis(op, x, dim, "dim")
    rows = _filled(op, x, axis)
    return _picked(op, x, rows, apply(ArgMedian, rows, axis=axis, ignore_nan=ignore_nan), axis, keepdim)


def _filled(op: str, x: Tensor, axis: int) -> Tensor:
    """x with at least one axis. Raises ShapeError where the axis has no elements."""
    if x.ndim and not x.shape[axis]:
        raise ShapeError(restate(op, f"axis {axis} must have an element", input=x, dim=axis))
    return x if x.ndim else x.reshape(1)


def _picked(op: str, x: Tensor, rows: Tensor, places: Tensor, axis: int, keepdim: bool) -> Ordered:
    """The elements at places of which there is one along the axis."""
    found = Ordered(take_along(rows, places, axis), places)
    return found if flag(op, "keepdim", keepdim) and x.ndim else Ordered(*[without_axis(z, axis) for z in found])


def _rank(op: str, x: Tensor, k: Any, axis: int, least: int) -> int:
    try:
        rank = operator.index(k)
    except TypeError:
        raise DTypeError(restate(op, f"k must be an int, got {type(k).__name__}", input=x, k=k)) from None
    if isinstance(k, (bool, np.bool_)):
        raise ArgumentError(restate(op, "k must be an int, got a bool", input=x, k=k))
    if not least <= rank <= x.shape[axis]:
        problem = f"k must be in [{least}, {x.shape[axis]}], the length of the axis, got {rank}"
        raise RangeError(restate(op, problem, input=x, k=k, dim=axis))
    return rank
