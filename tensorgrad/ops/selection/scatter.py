"""Elements written and combined by position along one axis; the results are new tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.ops.elementwise.arithmetic import floor_divide
from tensorgrad.ops.elementwise.choice import Where
from tensorgrad.ops.indexing import SetItem, normal_index
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, pair
from tensorgrad.ops.row_sums import added_to_zeros
from tensorgrad.ops.selection.combine import REDUCTIONS
from tensorgrad.ops.selection.positions import grid, of_dtype, places_of
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["scatter", "scatter_add", "scatter_reduce"]


@numpy_spellings
def scatter(
    input: TensorLike,
    dim: int,
    index: TensorLike,
    src: TensorLike | None = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Tensor:
    """`input` with z[i, index[i, j, …], …] = src[i, j, …] along an axis. Of repeated indices the last value stays.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers in [0, n), with as many axes as `input`, no longer than it outside `dim`, nor than `src`.
        src: a tensor of the dtype of `input`; or a number.
        value: a number, in place of `src`.
        reduce: "add" or "multiply" combines with the elements of `input` instead of replacing them.

    Raises:
        RangeError: an index out of range. ShapeError: sizes that don't fit. DTypeError: another dtype.
        ArgumentError: another `reduce`.

    >>> import tensorgrad as tg
    >>> tg.scatter(tg.zeros(2, 3), 1, tg.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    x = as_tensor(input)
    if (src is None) == (value is None):
        raise ArgumentError(restate("scatter", "src or value must be given, one of them", input=x, dim=dim))
    if reduce is not None and not (isinstance(reduce, str) and reduce in ("add", "multiply")):
        problem, fix = f'reduce must be "add" or "multiply", got {reduce!r}', "scatter_reduce knows more"
        raise ArgumentError(restate("scatter", problem, fix=fix, input=x))
    given: Any = value if src is None else src
    if isinstance(given, (bool, int, float)):
        _, k, places = grid("scatter", x, dim, index)
        number_like = x if x.dtype != np.bool_ else as_tensor(given)
        source = broadcast_to(pair(given, number_like)[0].astype(x.dtype), k.shape)
    else:
        source = of_dtype("scatter", x, "src", given)
        _, k, places = grid("scatter", x, dim, index, source)
        source = _part(source, k)
    op = SetItem if reduce is None else REDUCTIONS["sum" if reduce == "add" else "prod"]
    return apply(op, x, source, index=normal_index("scatter", x, places))


@numpy_spellings
def scatter_add(input: TensorLike, dim: int, index: TensorLike, src: TensorLike) -> Tensor:
    """`input` with z[i, index[i, j, …], …] += src[i, j, …] along an axis; values at repeated indices accumulate.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers in [0, n), with as many axes as `input`, no longer than it outside `dim`, nor than `src`.
        src: a tensor of the dtype of `input`.

    Raises:
        RangeError: an index out of range. ShapeError: sizes that don't fit. DTypeError: another dtype.

    >>> import tensorgrad as tg
    >>> tg.scatter_add(tg.zeros(3), 0, tg.tensor([0, 2, 2]), tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 5.])
    """
    x = as_tensor(input)
    source = of_dtype("scatter_add", x, "src", src)
    _, k, places = grid("scatter_add", x, dim, index, source)
    return apply(REDUCTIONS["sum"], x, _part(source, k), index=normal_index("scatter_add", x, places))


@numpy_spellings
def scatter_reduce(
    input: TensorLike, dim: int, index: TensorLike, src: TensorLike, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input`, its elements at [i, index[i, j, …], …] combined with all src[i, j, …] that an index brings there.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers in [0, n), with as many axes as `input`, no longer than it outside `dim`, nor than `src`.
        src: a tensor of the dtype of `input`.
        reduce: "sum", "prod", "mean", "amax" or "amin". Elements that tie for an extreme share the gradient evenly.
        include_self: whether the elements of `input` take part; else they are replaced where something comes.

    Raises:
        RangeError: an index out of range. ShapeError: sizes that don't fit. DTypeError: another dtype.
        ArgumentError: another `reduce`.

    >>> import tensorgrad as tg
    >>> index, src = tg.tensor([0, 2, 2]), tg.tensor([1.0, 2.0, 4.0])
    >>> tg.scatter_reduce(tg.ones(3), 0, index, src, "mean", include_self=False)
    tensor([1., 1., 3.])
    """
    x = as_tensor(input)
    include_self = flag("scatter_reduce", "include_self", include_self)
    if not isinstance(reduce, str) or reduce not in (*REDUCTIONS, "mean"):
        problem = f'reduce must be "sum", "prod", "mean", "amax" or "amin", got {reduce!r}'
        raise ArgumentError(restate("scatter_reduce", problem, input=x))
    source = of_dtype("scatter_reduce", x, "src", src)
    axis, k, places = grid("scatter_reduce", x, dim, index, source)
    counts = host_call(_counts, x.shape, axis, k._data)
    if not include_self:
        neutral = constant(np.asarray(_neutral(reduce, x.dtype), x.dtype))
        x = apply(Where, wrap(host_call(_are_touched, counts)), neutral, x)
    op = REDUCTIONS["sum" if reduce == "mean" else reduce]
    z = apply(op, x, _part(source, k), index=normal_index("scatter_reduce", x, places))
    if reduce != "mean":
        return z
    divisors = wrap(host_call(_divisors, counts, include_self, z.dtype))
    return z / divisors if is_float(z.dtype) else floor_divide(z, divisors)


def _counts(shape: tuple[int, ...], axis: int, index: np.ndarray) -> np.ndarray:
    """How many values come to each place."""
    return added_to_zeros(shape, places_of(axis, index), np.ones(index.shape, np.int64))


def _are_touched(counts: np.ndarray) -> np.ndarray:
    return counts > 0


def _divisors(counts: np.ndarray, include_self: bool, dtype: np.dtype) -> np.ndarray:
    return (counts + 1 if include_self else np.maximum(counts, 1)).astype(dtype)


def _neutral(reduce: str, dtype: np.dtype) -> float:
    """The value that changes nothing."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    sign = -1 if reduce == "amax" else 1
    if is_float(dtype):
        return sign * math.inf
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    return (limits.min if sign < 0 else limits.max) if limits else sign > 0


def _part(source: Tensor, index: Tensor) -> Tensor:
    """The elements of the source that an index uses, which may be shorter."""
    return source if source.shape == index.shape else source[tuple([slice(n) for n in index.shape])]
