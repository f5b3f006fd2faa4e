"""Whole parts of an axis written and added by index; the results are new tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorgrad.autograd.engine import apply
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.indexing import SetItem, fitting, normal_index
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, number
from tensorgrad.ops.selection.combine import AddAt
from tensorgrad.ops.selection.positions import checked_indices, of_dtype
from tensorgrad.ops.shapes import broadcast_to, reshape
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["index_add", "index_copy", "index_fill", "index_put"]


@numpy_spellings
def index_add(input: TensorLike, dim: int, index: TensorLike, source: TensorLike, *, alpha: float = 1) -> Tensor:
    """`input` with z[…, index[k], …] += alpha · source[…, k, …] along an axis; repeated indices accumulate.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers `(K,)` in [0, n).
        source: a tensor of the dtype of `input` and its shape, but K long along the axis.
        alpha: a factor.

    Raises:
        RangeError: an index out of range. ShapeError: sizes that don't fit. DTypeError: another dtype.

    >>> import tensorgrad as tg
    >>> tg.index_add(tg.zeros(3), 0, tg.tensor([0, 2, 2]), tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 5.])
    """
    x, places, values = _parts("index_add", input, dim, index, source)
    factor = number("index_add", "alpha", alpha)
    values = values if factor == 1 else (values * factor).astype(x.dtype)
    return apply(AddAt, x, values, index=normal_index("index_add", x, places))


@numpy_spellings
def index_copy(input: TensorLike, dim: int, index: TensorLike, source: TensorLike) -> Tensor:
    """`input` with z[…, index[k], …] = source[…, k, …] along an axis. Of repeated indices the last one stays.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers `(K,)` in [0, n).
        source: a tensor of the dtype of `input` and its shape, but K long along the axis.

    Raises:
        RangeError: an index out of range. ShapeError: sizes that don't fit. DTypeError: another dtype.

    >>> import tensorgrad as tg
    >>> tg.index_copy(tg.zeros(3), 0, tg.tensor([2, 0]), tg.tensor([5.0, 6.0]))
    tensor([6., 0., 5.])
    """
    x, places, values = _parts("index_copy", input, dim, index, source)
    return apply(SetItem, x, values, index=normal_index("index_copy", x, places))


@numpy_spellings
def index_fill(input: TensorLike, dim: int, index: TensorLike, value: TensorLike) -> Tensor:
    """`input` with one value at the given indices of an axis.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers `(K,)` in [0, n).
        value: a number, or a tensor of one, which a gradient flows to.

    Raises:
        RangeError: an index out of range. ShapeError: a value or index with too many axes.

    >>> import tensorgrad as tg
    >>> tg.index_fill(tg.zeros(3), 0, tg.tensor([0, 2]), 5.0)
    tensor([5., 0., 5.])
    """
    x = as_tensor(input)
    axis, k = _along("index_fill", x, dim, index)
    given = as_tensor(value)
    if given.ndim:
        raise ShapeError(restate("index_fill", "value must be one number, without axes", input=x, value=given))
    index, filler, _ = fitting("index_fill", x, (*(slice(None),) * axis, k) if x.ndim else (), value)
    return apply(SetItem, x, filler, index=index)


def index_put(
    input: TensorLike, indices: Sequence[TensorLike | None], values: TensorLike, accumulate: bool = False
) -> Tensor:
    """`input` with z[indices] = values, or z[indices] += values.

    Args:
        input: a tensor of any shape.
        indices: a tuple of tensors of integers or bools, one for each of the first axes, as between brackets.
        values: a tensor of the dtype of `input` that broadcasts to input[indices].
        accumulate: whether values are added, those at repeated indices too; else the last one stays.

    Raises:
        RangeError: an index out of range. ShapeError: values that don't broadcast. DTypeError: another dtype.

    >>> import tensorgrad as tg
    >>> places = tg.tensor([0, 2, 2])
    >>> tg.index_put(tg.zeros(3), (places,), tg.tensor([1.0, 2.0, 3.0]), accumulate=True)
    tensor([1., 0., 5.])
    """
    x, accumulate = as_tensor(input), flag("index_put", "accumulate", accumulate)
    if not isinstance(indices, (tuple, list)):
        problem = "indices must be a tuple of tensors, one for each axis"
        raise DTypeError(restate("index_put", problem, fix="index_put((index,), values)", input=x, indices=indices))
    places = tuple([slice(None) if k is None else k for k in indices])
    index, value, place = fitting("index_put", x, places, of_dtype("index_put", x, "values", values))
    if accumulate:
        return apply(AddAt, x, broadcast_to(value, place.shape), index=index)
    return apply(SetItem, x, value, index=index)


def _along(call: str, x: Tensor, dim: int, index: TensorLike) -> tuple[int, Tensor]:
    """The axis, and the indices along it as a vector."""
    axis = normalize_axis(call, x, dim, "dim")
    k = checked_indices(call, x, axis, index)
    if k.ndim > 1:
        raise ShapeError(restate(call, "index must be a vector", input=x, dim=dim, index=k))
    return axis, reshape(k, -1)


def _parts(
    call: str, input: TensorLike, dim: int, index: TensorLike, source: TensorLike
) -> tuple[Tensor, tuple, Tensor]:
    """x, the places that a vector of indices names along an axis, and the source, a part for each."""
    x = as_tensor(input)
    axis, k = _along(call, x, dim, index)
    values = of_dtype(call, x, "source", source)
    count = k.shape[0]
    expected = (*x.shape[:axis], count, *x.shape[axis + 1 :]) if x.ndim else ()
    if values.shape in ((), (1,)) and expected in ((), (1,)):
        values = reshape(values, expected)
    if values.shape != expected:
        problem = f"source must have the shape {expected}: that of input, and {count} along dim"
        raise ShapeError(restate(call, problem, input=x, dim=dim, index=k, source=values))
    return x, ((*(slice(None),) * axis, k) if x.ndim else ()), values
