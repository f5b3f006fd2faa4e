"""Numbers that depend on the size of the batch: found by comparing forward passes of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np


class Size(NamedTuple):
    """The whole number slope · N + offset, where N is the size of the batch."""

    slope: int
    offset: int


class Counting(NamedTuple):
    """The array 0, 1, … N − 1, or one that begins later, along one of its axes: `slope · N + offset` numbers of it."""

    axis: int
    ndim: int
    start: int
    size: Size


class Varying(Exception):
    """A value depends on the size of the batch in another way."""


Number = int | Size


def merged(values: Sequence[Any], batches: Sequence[int]) -> Any:
    """One value for what forward passes of several batch sizes had in the same place.

    Raises:
        Varying: they differ, and not as a whole number that grows with the batch.

    >>> merged([(2, 3), (4, 3), (7, 3)], (2, 4, 7))
    (Size(slope=1, offset=0), 3)
    >>> merged([4, 8, 14], (2, 4, 7))
    Size(slope=2, offset=0)
    """
    first = values[0]
    if any(type(v) is not type(first) for v in values):
        raise Varying
    if isinstance(first, tuple):
        if len({len(v) for v in values}) != 1:
            raise Varying
        parts = [merged(parts, batches) for parts in zip(*values, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, slice):
        return slice(*(merged([getattr(v, part) for v in values], batches) for part in ("start", "stop", "step")))
    if isinstance(first, np.ndarray):
        return _merged_arrays(values, batches)
    if all(v == first or (v != v and first != first) for v in values):
        return first
    if type(first) is not int or len({*batches}) == 1:
        raise Varying
    return _line(values, batches)


def _line(values: Sequence[int], batches: Sequence[int]) -> Size:
    slope = Fraction(values[1] - values[0], batches[1] - batches[0])
    offset = values[0] - slope * batches[0]
    if slope.denominator != 1 or any(v != slope * n + offset for v, n in zip(values, batches, strict=True)):
        raise Varying
    return Size(int(slope), int(offset))


def _merged_arrays(arrays: Sequence[np.ndarray], batches: Sequence[int]) -> Any:
    first = arrays[0]
    if all(_equal(a, first) for a in arrays):
        return first
    shape = merged([a.shape for a in arrays], batches)
    axes = [axis for axis, n in enumerate(shape) if isinstance(n, Size)]
    if len(axes) == 1 and first.dtype.kind in "iu" and first.size:
        (axis,) = axes
        start = int(first.flat[0])
        if all(np.array_equal(a.reshape(-1), np.arange(start, start + a.size)) for a in arrays):
            return Counting(axis, first.ndim, start, shape[axis])
    raise Varying


def as_expanded(arrays: Sequence[np.ndarray], batches: Sequence[int]) -> tuple[np.ndarray, tuple[Number, ...]]:
    """An array that is the same all along the axes whose sizes depend on the batch: a slice of it, and the shape.

    Raises:
        Varying: arrays that differ in another way.
    """
    shape = merged([a.shape for a in arrays], batches)
    along = tuple(axis for axis, n in enumerate(shape) if isinstance(n, Size))
    slices = []
    for array in arrays:
        part = array[tuple(slice(0, 1) if axis in along else slice(None) for axis in range(array.ndim))]
        if not along or not _equal(np.broadcast_to(part, array.shape), array):
            raise Varying
        slices.append(part)
    if not all(_equal(part, slices[0]) for part in slices):
        raise Varying
    return slices[0], shape


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
