"""Check the positions that users pass: indices along one axis, and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.layout.indices import as_index
from tensorgrad.ops.operands import TensorLike, as_tensor, values

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


def checked_indices(call: str, x: Tensor, dim: int, index: TensorLike, negative: bool = False) -> Tensor:
    """The indices along an axis of x, as a tensor of integers in [0, n), or in [−n, n) where negative ones are taken.

    Raises:
        DTypeError: an index that doesn't hold integers. RangeError: an index out of range.
    """
    k = as_index(index)
    n = x.shape[dim] if x.ndim else 1
    if k._data.dtype.kind not in "iu":
        if k._data.size:
            raise DTypeError(restate(call, "index must hold integers", fix='index.astype("int64")', input=x, index=k))
        k = k.astype("int64")
    least = -n if negative else 0
    if not guard(_are_within, k._data, least, n):
        found = values(k)
        problem = f"index must be in [{least}, {n}), got {found.min()} to {found.max()}"
        raise RangeError(restate(call, problem, input=x, dim=dim, index=k))
    return k


def _are_within(index: np.ndarray, least: int, n: int) -> bool:
    return not index.size or bool(index.min() >= least and index.max() < n)


def grid(
    call: str, x: Tensor, dim: int, index: TensorLike, source: Tensor | None = None, negative: bool = False
) -> tuple[int, Tensor, tuple]:
    """The axis, the indices, and the positions that they name: of element [i, j, …] in x, [i, index[i, j, …], …].

    Raises:
        ShapeError: an index with another number of axes than x, or longer than x outside `dim`, or than the source.
        DTypeError, RangeError: as `checked_indices` does.
    """
    axis = normalize_axis(call, x, dim, "dim")
    k = checked_indices(call, x, axis, index, negative)
    given: dict[str, Any] = {"input": x, "dim": dim, "index": k} | ({} if source is None else {"src": source})
    if k.ndim != x.ndim or any(m > n for a, (m, n) in enumerate(zip(k.shape, x.shape, strict=True)) if a != axis):
        problem = "index must have as many axes as input, and be no longer than input outside dim"
        raise ShapeError(restate(call, problem, **given))
    if source is not None and source.ndim != k.ndim:
        raise ShapeError(restate(call, "src must have as many axes as index", **given))
    if source is not None and any(m > n for m, n in zip(k.shape, source.shape, strict=True)):
        raise ShapeError(restate(call, "index must be no longer than src along any axis", **given))
    return axis, k, places_of(axis, k)


def places_of(axis: int, index: Any) -> tuple:
    """The positions that an index along one axis names, as between brackets."""
    places: list[Any] = list(np.ogrid[tuple([slice(n) for n in index.shape])])
    places[axis : axis + 1] = [index] if places else []
    return tuple(places)


def of_dtype(call: str, x: Tensor, name: str, value: TensorLike) -> Tensor:
    """A tensor or array of the dtype of x; lists and numbers are converted to it.

    Raises:
        DTypeError: a tensor or array of another dtype.
    """
    given: Any = as_tensor(value)
    if given._data.dtype == x._data.dtype:
        return given
    if isinstance(value, (Variable, np.ndarray)):
        problem, fix = f"{name} must have the dtype of input, {x.dtype}", f'{name}.astype("{x.dtype}")'
        raise DTypeError(restate(call, problem, fix=fix, input=x, source=given))
    return given.astype(x.dtype)


def as_mask(call: str, x: Tensor, mask: TensorLike) -> Tensor:
    """A tensor of bools. Raises DTypeError for anything else."""
    m = as_index(mask)
    if m._data.dtype != np.bool_:
        raise DTypeError(restate(call, "mask must hold bools", fix="compare first: mask != 0", input=x, mask=m))
    return m


def places_where(mask: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """The positions where the mask holds, broadcast to a shape, counted through all axes: (K,)."""
    places = host_call(_places, mask._data, shape)
    guard(_holds_for, mask._data, shape, places.shape[0])  # K is part of the shapes of all that follows
    return places


def _places(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.flatnonzero(np.broadcast_to(mask, shape))


def _holds_for(mask: np.ndarray, shape: tuple[int, ...], count: int) -> bool:
    return np.count_nonzero(np.broadcast_to(mask, shape)) == count
