"""Searching and counting values: places in sorted rows, distinct values, histograms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import observers
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, number, pair
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["bincount", "bucketize", "histc", "isin", "searchsorted", "unique", "unique_consecutive"]


class SearchSorted(Op):
    """z = where each y would be inserted into the sorted x to keep the order."""

    name = "searchsorted"
    symbol, formula = "insert", lambda x, y: words("place of", y, "in", x)
    side: str
    dtype: type

    def forward(self, x, y, order=None):
        if x.ndim == 1:
            return np.searchsorted(x, y, self.side, order).astype(self.dtype)
        z = np.empty(y.shape, self.dtype)
        for row in np.ndindex(x.shape[:-1]):
            z[row] = np.searchsorted(x[row], y[row], self.side, None if order is None else order[row])
        return z


class IsIn(Op):
    """z = whether each x is among the y."""

    name = "isin"
    symbol, formula = "∈", lambda x, y: words(x, "among", y)
    invert: bool

    def forward(self, x, y):
        return np.isin(x, y, invert=self.invert)


class BinCount(Op):
    """z = how often each integer occurs in x, or the sum of the weights that stand beside it."""

    name = "bincount"
    symbol, formula = "count", lambda x: words("how often each integer occurs in", x)
    minlength: int

    def forward(self, x, w=None):
        return np.bincount(x, None if w is None else w.astype(np.float64), self.minlength)


class Histogram(Op):
    """z = how many x lie in each of the bins of equal width."""

    symbol, formula = "hist", lambda x: words("how many", x, "lie in each bin")
    bins: int
    low: float
    high: float

    def forward(self, x):
        low, high = self.low, self.high
        if low == high and x.size:
            low, high = float(x.min()), float(x.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ArgumentError(restate("histc", f"the range must be finite, got [{low}, {high}]", input=x))
        if low == high:
            low, high = low - 1, high + 1
        inside = x[(x >= low) & (x <= high)].astype(np.float64)
        place = np.minimum((inside - low) * self.bins / (high - low), self.bins - 1).astype(np.int64)
        return np.bincount(place, minlength=self.bins).astype(x.dtype)


def isin(
    elements: TensorLike, test_elements: TensorLike, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among others: bools of the shape of `elements`.

    Args:
        elements: a tensor of any shape, or a number.
        test_elements: the others, of any shape, or a number.
        assume_unique: accepted.
        invert: whether it isn't, instead.

    >>> import tensorgrad as tg
    >>> tg.isin(tg.tensor([[1, 2], [3, 4]]), tg.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    flag("isin", "assume_unique", assume_unique)
    x, y = pair(elements, test_elements)
    return apply(IsIn, x, y, invert=flag("isin", "invert", invert))


def searchsorted(
    sorted_sequence: TensorLike,
    input: TensorLike,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: TensorLike | None = None,
) -> Tensor:
    """Where values would be inserted into sorted rows to keep their order: int64 indices.

    Args:
        sorted_sequence: one sorted row `(K,)`, or rows `(..., K)` with the leading axes of `input`.
        input: the values, of any shape for one row, else `(..., M)`.
        out_int32: return int32.
        right: insert behind equal elements, not before them.
        side: "left" or "right", another way to say it.
        sorter: the indices that sort `sorted_sequence`, where it isn't sorted itself.

    Raises:
        ShapeError: leading axes that differ, or a sorter of another shape.
        ArgumentError: a side that contradicts `right`, or is neither "left" nor "right".

    >>> import tensorgrad as tg
    >>> tg.searchsorted(tg.tensor([1.0, 3.0, 5.0]), tg.tensor([3.0, 6.0]))
    tensor([1, 3])
    """
    x, y = pair(sorted_sequence, input)
    out_int32, right = flag("searchsorted", "out_int32", out_int32), flag("searchsorted", "right", right)
    if not isinstance(side, str | None) or side not in (None, "left", "right") or (side == "left" and right):
        problem = f'side must be "left" or "right", and agree with right={right}, got {side!r}'
        raise ArgumentError(restate("searchsorted", problem, side=side, right=right))
    if not x.ndim or (x.ndim > 1 and x.shape[:-1] != y.shape[:-1]):
        problem = "sorted_sequence must be one row, or have the leading axes of input"
        raise ShapeError(restate("searchsorted", problem, sorted_sequence=x, input=y))
    operands = [x, y]
    if sorter is not None:
        order = as_tensor(sorter)
        if order.shape != x.shape or order.dtype.kind not in "iu":
            problem = "sorter must hold one integer per element of sorted_sequence"
            raise ShapeError(restate("searchsorted", problem, sorted_sequence=x, sorter=order))
        operands.append(order)
    dtype = np.int32 if out_int32 else np.int64
    return apply(SearchSorted, *operands, side="right" if right or side == "right" else "left", dtype=dtype)


def bucketize(input: TensorLike, boundaries: TensorLike, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket that each value lies in, between sorted boundaries.

    Args:
        input: values of any shape.
        boundaries: a sorted row `(K,)`; bucket i is (boundaries[i − 1], boundaries[i]].
        out_int32: return int32.
        right: bucket i is [boundaries[i − 1], boundaries[i]).

    Raises:
        ShapeError: boundaries with more than one axis.

    >>> import tensorgrad as tg
    >>> tg.bucketize(tg.tensor([3.0, 6.0]), tg.tensor([1.0, 3.0, 5.0]), right=True)
    tensor([2, 3])
    """
    edges = as_tensor(boundaries)
    if edges.ndim != 1:
        raise ShapeError(restate("bucketize", "boundaries must have one axis", boundaries=edges))
    out_int32, right = flag("bucketize", "out_int32", out_int32), flag("bucketize", "right", right)
    return searchsorted(edges, input, out_int32=out_int32, right=right)


def unique(
    input: TensorLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in ascending order; the gradient of each goes to the first that is equal to it.

    Args:
        input: a tensor of any shape.
        sorted: accepted for PyTorch's sake: the result is always in order.
        return_inverse: return also where each element of the input is in the result.
        return_counts: return also how often each occurs.
        dim: compare the slices along this axis; None compares the elements.

    Returns:
        The distinct elements, or a tuple (elements, inverse, counts) of what is asked for. NaNs differ from each other.

    >>> import tensorgrad as tg
    >>> tg.unique(tg.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    flag("unique", "sorted", sorted)
    return _distinct("unique", _by_value, input, return_inverse, return_counts, dim)


def unique_consecutive(
    input: TensorLike, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements without those that equal the one before; the gradient of each goes to the first of its run.

    Args:
        input: a tensor of any shape.
        return_inverse: return also where each element of the input is in the result.
        return_counts: return also the length of each run.
        dim: compare the slices along this axis; None compares the elements.

    Returns:
        The elements, or a tuple (elements, inverse, counts) of what is asked for.

    >>> import tensorgrad as tg
    >>> tg.unique_consecutive(tg.tensor([3, 3, 1, 3]))
    tensor([3, 1, 3])
    """
    return _distinct("unique_consecutive", _by_run, input, return_inverse, return_counts, dim)


def _distinct(op: str, find: Any, input: TensorLike, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    x = as_tensor(input)
    axis = 0 if dim is None else normalize_axis(op, x, dim, "dim")
    return_inverse = flag(op, "return_inverse", return_inverse)
    return_counts = flag(op, "return_counts", return_counts)
    for observer in observers():
        observer.engine_bypassed(f"how many elements {op} finds, by the values", x)
    rows = x.reshape(-1) if dim is None or not x.ndim else x
    first, inverse, counts = find(np.moveaxis(rows.detach().numpy(), axis, 0))
    found = [getitem(rows, (slice(None),) * axis + (first,))]
    if return_inverse:
        found.append(wrap(inverse.reshape(x.shape if dim is None else inverse.shape)))
    if return_counts:
        found.append(wrap(counts))
    return found[0] if len(found) == 1 else tuple(found)


def _by_value(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    axis = None if rows.ndim == 1 else 0
    _, first, inverse, counts = np.unique(rows, True, True, True, axis, equal_nan=False)
    return first, inverse.reshape(-1), counts


def _by_run(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    if not len(rows):
        return (np.zeros(0, np.int64),) * 3
    starts = np.ones(len(rows), bool)
    starts[1:] = (rows[1:] != rows[:-1]).any(tuple(range(1, rows.ndim)))
    first = np.flatnonzero(starts)
    return first, np.cumsum(starts) - 1, np.diff(np.append(first, len(rows)))


def bincount(input: TensorLike, weights: TensorLike | None = None, minlength: int = 0) -> Tensor:
    """How often each of the integers 0, 1, … occurs, int64; with weights the sums of these. No gradient.

    Args:
        input: a vector of integers, 0 or more.
        weights: a vector of numbers, one per element of `input`.
        minlength: the least length of the result.

    Raises:
        DTypeError: an input that isn't integer.
        ShapeError: an input with more than one axis, or weights of another shape.
        ArgumentError: a negative integer, or a negative minlength.

    >>> import tensorgrad as tg
    >>> tg.bincount(tg.tensor([0, 2, 2]), minlength=4)
    tensor([1, 0, 2, 0])
    """
    x = as_tensor(input)
    if x.dtype.kind not in "iu":
        raise DTypeError(restate("bincount", f"input must be integers, got {x.dtype}", input=x))
    if x.ndim != 1:
        raise ShapeError(restate("bincount", "input must have one axis", input=x))
    least = int(number("bincount", "minlength", minlength))
    if least < 0:
        raise ArgumentError(restate("bincount", f"minlength must be ≥ 0, got {least}", input=x))
    for observer in observers():
        observer.engine_bypassed("how many counts bincount returns, by the values", x)
    lowest = int(x.detach().numpy().min(initial=0))
    if lowest < 0:
        raise ArgumentError(restate("bincount", f"integers must be ≥ 0, got {lowest}", input=x))
    if weights is None:
        return apply(BinCount, x, minlength=least)
    w = as_tensor(weights)
    if w.shape != x.shape:
        raise ShapeError(restate("bincount", "weights must have the shape of input", input=x, weights=w))
    total = apply(BinCount, x, w, minlength=least)
    return total.astype(w.dtype) if w.dtype.kind == "f" else total


@numpy_spellings
def histc(input: TensorLike, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of `bins` bins of equal width from min to max; the last bin includes max.

    Args:
        input: a tensor of floats, of any shape.
        bins: how many bins.
        min: where the first bin begins.
        max: where the last bin ends; where it equals min, both are those of the elements.

    Returns:
        A vector `(bins,)` of the dtype of the input. Elements outside of the range, and NaN, are not counted.

    Raises:
        DTypeError: an input that isn't float.
        ArgumentError: no bins, a max below min, or a range that isn't finite.

    >>> import tensorgrad as tg
    >>> tg.histc(tg.tensor([1.0, 2.0, 1.0]), 4, 0, 3)
    tensor([0., 2., 1., 0.])
    """
    x = as_tensor(input)
    if x.dtype.kind != "f":
        fix = "convert it first: x.astype('float32')"
        raise DTypeError(restate("histc", f"input must be a float tensor, got {x.dtype}", fix=fix, input=x))
    count = as_tuple(bins, 1, op="histc", name="bins")[0]
    low, high = float(number("histc", "min", min)), float(number("histc", "max", max))
    if count < 1:
        raise ArgumentError(restate("histc", f"bins must be ≥ 1, got {count}", input=x))
    if not low <= high:
        raise ArgumentError(restate("histc", f"max must be ≥ min, got {low} and {high}", input=x))
    return apply(Histogram, x, bins=count, low=low, high=high)
