"""What plots are given, as arrays that fit; the errors restate the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import values


def numbers(call: str, ndim: int | tuple[int, ...], expected: str, fix: str = "", **argument: Any) -> np.ndarray:
    """The one argument, a tensor or array of numbers, as a float array of that many axes and at least one element.

    Raises:
        DTypeError: no numbers. ShapeError: another number of axes. ArgumentError: nothing in it.
    """
    ((name, value),) = argument.items()
    array = values(value)
    if array.dtype.kind not in "fiub":
        raise DTypeError(restate(call, f"{name} holds no numbers", expected=expected, **argument))
    if array.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        raise ShapeError(restate(call, f"{name} has {array.ndim} axes", expected=expected, fix=fix, **{name: array}))
    if not array.size:
        raise ArgumentError(restate(call, f"{name} is empty: there is nothing to draw", **{name: array}))
    return array if is_float(array.dtype) and array.dtype != np.float16 else array.astype(np.float64)


def finite(call: str, array: np.ndarray, name: str) -> np.ndarray:
    """The array. Raises ArgumentError if it holds NaN or infinities, by which nothing can be ranked."""
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        fix = "find where they come from: the model's weights may have become NaN too"
        raise ArgumentError(
            restate(call, f"{bad} of {array.size} {name} are NaN or infinite", fix=fix, **{name: array})
        )
    return array


def classes(call: str, count: int | None, **argument: Any) -> np.ndarray:
    """The one argument, class indices 0 … `count` − 1, as an integer array `(N,)`; without a count, any from 0.

    Raises:
        DTypeError: no integers. ShapeError: not one axis. ArgumentError: empty. RangeError: an index outside.
    """
    ((name, value),) = argument.items()
    array = values(value)
    if array.ndim != 1:
        raise ShapeError(restate(call, f"{name} has {array.ndim} axes", expected="class indices (N,)", **{name: array}))
    if not array.size:
        raise ArgumentError(restate(call, f"{name} is empty: there is nothing to count", **{name: array}))
    if array.dtype.kind not in "iu":
        expected = "class indices, integers"
        raise DTypeError(restate(call, f"{name} holds {array.dtype}", expected=expected, **{name: array}))
    low, high = int(array.min()), int(array.max())
    if low < 0 or (count is not None and high >= count):
        expected = "0, 1, 2, …" if count is None else f"0 … {count - 1}"
        fix = "map −1 and +1 to 0 and 1: (labels + 1) // 2" if low == -1 else ""
        problem = f"{name} holds class {low if low < 0 else high}"
        raise RangeError(restate(call, problem, expected=expected, fix=fix, **{name: array}))
    return array.astype(np.int64)


def equally_many(call: str, **arguments: np.ndarray) -> None:
    """Raise ShapeError unless the arrays have equally many rows."""
    if len({len(array) for array in arguments.values()}) > 1:
        raise ShapeError(restate(call, "uneven numbers of rows", expected="one row per image in each", **arguments))


def class_names(call: str, names: Sequence[Any] | None, count: int) -> list[str]:
    """The names as text; by default the indices. Raises ArgumentError if there are more or fewer than classes."""
    if names is None:
        return [str(k) for k in range(count)]
    if len(names) != count:
        raise ArgumentError(restate(call, f"{len(names)} names for {count} classes", names=list(names)))
    return [str(name) for name in names]
