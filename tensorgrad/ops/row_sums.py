"""Values added to the elements that an index names, as arrays: what the ops that accumulate share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS, is_float

__all__: list[str] = []


def added(x: np.ndarray, index: tuple, v: np.ndarray) -> np.ndarray:
    """z = x, then z[index] += v; values at repeated indices accumulate, of floats in float64.

    >>> added(np.zeros(3), (np.array([0, 2, 2]),), np.array([1.0, 2.0, 3.0]))
    array([1., 0., 5.])
    """
    return _added(x, x.shape, index, v)


def added_to_zeros(shape: tuple[int, ...], index: tuple, v: np.ndarray) -> np.ndarray:
    """The same on zeros of this shape and the dtype of v.

    >>> added_to_zeros((3,), (np.array([0, 2, 2]),), np.array([1.0, 2.0, 3.0]))
    array([1., 0., 5.])
    """
    return _added(None, shape, index, v)


def rows_added(values: np.ndarray, rows: np.ndarray, count: int, x: np.ndarray | None = None) -> np.ndarray:
    """z = x `(P, count, K)`, 0 if None, then z[p, rows[m]] += values[p, m]: values `(P, M, K)`, rows `(M,)`."""
    dtype = values.dtype
    if not is_float(dtype):
        z = np.zeros((len(values), count, values.shape[2]), dtype) if x is None else x.copy()
        if z.size == count:  # NumPy is much faster with one axis
            np.add.at(z.reshape(-1), rows, values.reshape(-1))
        else:
            index: Any = (slice(None), rows)
            np.add.at(z, index, values)
        return z
    if dtype not in KERNEL_FLOATS:  # float16: float64 all the way, so that a sum is rounded once
        values, x = values.astype(np.float64), None if x is None else x.astype(np.float64)
    rows = rows.astype(np.int64, copy=False)
    sums = kernels.row_sums
    return (sums.add(values, rows, count) if x is None else sums.add_to(x, values, rows)).astype(dtype, copy=False)


class _Rows(NamedTuple):
    """What an index names in x, seen as `(planes, length, width)`: the same rows of each plane."""

    planes: int
    length: int
    width: int
    numbers: np.ndarray


def _added(x: np.ndarray | None, shape: tuple[int, ...], index: tuple, v: np.ndarray) -> np.ndarray:
    planes, count, width, rows = _rows(shape, index)
    values = v.reshape(planes, rows.size, width)
    if x is not None:
        values, x = values.astype(x.dtype, copy=False), x.reshape(planes, count, width)
    return rows_added(values, rows, count, x).reshape(shape)


def _rows(shape: tuple[int, ...], index: tuple) -> _Rows:
    """The rows that an index names. Raises IndexError as NumPy does.

    The axes that the index takes whole at its beginning make the planes, those at its end the width of a row.
    """
    taken = sum([_axes_of(part) for part in index if part is not Ellipsis])
    parts: list[Any] = []
    for part in index:
        parts += [slice(None)] * (len(shape) - taken) if part is Ellipsis else [part]
    while parts and _is_whole(parts[-1]):
        parts.pop()
    last = sum(map(_axes_of, parts))
    first = next((k for k, part in enumerate(parts) if not _is_whole(part)), 0)
    if not all(isinstance(part, np.ndarray) for part in parts[first:]):
        first = 0  # arrays with other parts between them come first in the result
    planes, sizes, width = math.prod(shape[:first]), shape[first:last], math.prod(shape[last:])
    return _Rows(planes, math.prod(sizes), width, _numbers(sizes, parts[first:]).reshape(-1))


def _numbers(sizes: tuple[int, ...], parts: list[Any]) -> np.ndarray:
    """The numbers that an index has among all elements of these sizes."""
    if 0 < len(parts) == len(sizes) and all(map(_is_within, parts, sizes)):
        numbers = parts[0].astype(np.intp, copy=False)
        for part, n in zip(parts[1:], sizes[1:], strict=True):
            numbers = numbers * n + part.astype(np.intp, copy=False)
        return numbers
    return np.asarray(np.arange(math.prod(sizes)).reshape(sizes)[tuple(parts)])


def _is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _axes_of(part: Any) -> int:
    """How many axes a part of an index is for."""
    if part is None or isinstance(part, (bool, np.bool_)):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == np.bool_ else 1


def _is_within(part: Any, n: int) -> bool:
    """Whether a part holds integers in [0, n), which need no translation."""
    integers = isinstance(part, np.ndarray) and part.dtype.kind in "iu"
    return integers and part.size > 0 and 0 <= part.min() <= part.max() < n
