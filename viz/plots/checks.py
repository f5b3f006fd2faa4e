"""Checks of the arguments of plots: each returns an array, or raises an error that names the argument."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.operands import values


def numbers(call: str, ndim: int | tuple[int, ...], expected: str, fix: str = "", **argument: Any) -> np.ndarray:
    """A tensor or array of numbers as a float array with at least one element.

    Args:
        call: the function that an error names.
        ndim: how many axes it must have; a tuple for several possibilities.
        expected: the shape, for the error.
        fix: how to correct the call, for the error.
        argument: the value, by the name of the argument.

    Raises:
        DTypeError: it doesn't hold numbers.
        ShapeError: it has another number of axes.
        ArgumentError: it is empty.
    """
    ((name, value),) = argument.items()
    array = values(value)
    given: dict[str, Any] = {name: array}
    if array.dtype.kind not in "fiub":
        problem = f"{name} must hold numbers, got {array.dtype}"
        raise DTypeError(restate(call, problem, expected=expected, **argument))
    if array.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        problem = f"{name} must have the shape {expected}, got {array.ndim} axes"
        raise ShapeError(restate(call, problem, fix=fix, **given))
    if not array.size:
        raise ArgumentError(restate(call, f"{name} must not be empty", **given))
    return array if is_float(array.dtype) and array.dtype != np.float16 else array.astype(np.float64)


def finite(call: str, array: np.ndarray, name: str) -> np.ndarray:
    """The array. Raises ArgumentError if it holds NaN or infinities, which have no rank."""
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        problem = f"{name} must be finite, got {bad} of {array.size} that are NaN or infinite"
        fix = "find where they come from: the model's weights may have become NaN too"
        given: dict[str, Any] = {name: array}
        raise ArgumentError(restate(call, problem, fix=fix, **given))
    return array


def classes(call: str, count: int | None, **argument: Any) -> np.ndarray:
    """Class indices as an integer array `(N,)`.

    Args:
        call: the function that an error names.
        count: the number of classes; None for any.
        argument: the value, by the name of the argument.

    Raises:
        DTypeError: they aren't integers.
        ShapeError: they don't have one axis.
        ArgumentError: there are none.
        RangeError: one is outside of 0 … `count` − 1.
    """
    ((name, value),) = argument.items()
    array = values(value)
    given: dict[str, Any] = {name: array}
    if array.ndim != 1:
        raise ShapeError(restate(call, f"{name} must be class indices (N,), got {array.ndim} axes", **given))
    if not array.size:
        raise ArgumentError(restate(call, f"{name} must not be empty", **given))
    if array.dtype.kind not in "iu":
        raise DTypeError(restate(call, f"{name} must be class indices, integers, got {array.dtype}", **given))
    low, high = int(array.min()), int(array.max())
    if low < 0 or (count is not None and high >= count):
        expected = "0, 1, 2, …" if count is None else f"0 … {count - 1}"
        fix = "map −1 and +1 to 0 and 1: (labels + 1) // 2" if low == -1 else ""
        problem = f"{name} must be classes {expected}, got {low if low < 0 else high}"
        raise RangeError(restate(call, problem, fix=fix, **given))
    return array.astype(np.int64)


def same_length(call: str, **arguments: np.ndarray) -> None:
    """Raise ShapeError unless the arrays have equally many rows."""
    if len({len(array) for array in arguments.values()}) > 1:
        given: dict[str, Any] = dict(arguments)
        problem = f"{' and '.join(arguments)} must have equally many rows"
        raise ShapeError(restate(call, problem, **given))


def class_names(call: str, names: Sequence[Any] | None, count: int) -> list[str]:
    """The names as text; by default the indices. Raises ArgumentError if there are more or fewer than classes."""
    if names is None:
        return [str(k) for k in range(count)]
    names = listed(call, names)
    if len(names) != count:
        raise ArgumentError(restate(call, f"names must name {count} classes, got {len(names)}", names=names))
    return [str(name) for name in names]


def at_least(call: str, least: int, **argument: Any) -> int:
    """A whole number. Raises DTypeError for anything else, and ArgumentError for one below `least`."""
    ((name, value),) = argument.items()
    if isinstance(value, bool | np.bool_) or not hasattr(type(value), "__index__"):
        problem = f"{name} must be a whole number, got {type(value).__name__}"
        raise DTypeError(restate(call, problem, **argument))
    if operator.index(value) < least:
        raise ArgumentError(restate(call, f"{name} must be at least {least}, got {value}", **argument))
    return operator.index(value)


def listed(call: str, names: Any) -> list[Any]:
    """The names of classes as a list. Raises DTypeError for what isn't several."""
    if not isinstance(names, Iterable):
        raise DTypeError(restate(call, f"names must be a list of names, got {type(names).__name__}", names=names))
    return list(names)
