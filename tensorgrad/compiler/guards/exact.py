"""Equality by type and bits instead of `==`: 0.0 differs from −0.0, 1 from 1.0 and True; a NaN equals itself.

Tensors and all objects that aren't plain values are compared by identity.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import struct
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

_bits = struct.Struct("<d").pack  # of a float, as bytes

EQUAL = frozenset({int, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range})
"""Types whose values are the same if they are equal."""


def plain_key(value: Any) -> Any:
    """A hashable key of a plain value, equal only for the same type and bits; None for anything that isn't plain.

    Plain values are numbers, text, None, dtypes, NumPy scalars, members of enums, and slices and tuples of these.

    >>> plain_key(0.0) == plain_key(-0.0), plain_key(1) == plain_key(True), plain_key(np.nan) == plain_key(np.nan)
    (False, False, True)
    """
    kind = type(value)
    if kind in EQUAL:
        return kind, value
    if kind is float:
        return kind, _bits(value)
    if kind is complex:
        return kind, _bits(value.real), _bits(value.imag)
    if kind is tuple:
        keys = tuple(map(plain_key, value))
        return None if None in keys else (kind, keys)
    if kind is slice:
        keys = plain_key((value.start, value.stop, value.step))
        return None if keys is None else (kind, keys)
    if isinstance(value, np.generic):
        return None if value.dtype.hasobject else (kind, value.dtype.str, value.tobytes())
    if isinstance(value, np.dtype):
        return kind, value
    return (kind, value.name) if isinstance(value, enum.Enum) and value.name else None


def same_plain(one: Any, other: Any) -> bool:
    """Whether both are one object, or plain values of the same type and bits."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    key = plain_key(one)
    return key is not None and key == plain_key(other)


def same(one: Any, other: Any) -> bool:
    """As `same_plain`, and element by element for arrays, tuples, lists, dicts, dataclasses and bound methods.

    >>> same([1, {"a": 0.5}], [1, {"a": 0.5}]), same((2,), (2.0,)), same(np.float32([0.0]), np.float32([-0.0]))
    (True, False, False)
    """
    if same_plain(one, other):
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return same_array(one, other)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and _all_same(one, other)
    if isinstance(one, dict):
        return len(one) == len(other) and _all_same(one, other) and _all_same(one.values(), other.values())
    if isinstance(one, slice):
        return same((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and one.__self__ is other.__self__
    if isinstance(one, types.BuiltinMethodType):
        return one.__self__ is other.__self__ and one.__name__ == other.__name__
    if isinstance(one, functools.partial):
        return same((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    return dataclasses.is_dataclass(one) and hasattr(one, "__dict__") and same(vars(one), vars(other))


def same_array(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays have one dtype, one shape and the same bits."""
    return (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes()


def same_memory(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are one object, or views of the same memory with one dtype, shape and strides."""
    place, elsewhere = one.__array_interface__, other.__array_interface__
    return one is other or (
        place["data"] == elsewhere["data"]
        and (one.dtype, one.shape, one.strides) == (other.dtype, other.shape, other.strides)
    )


def _all_same(ones: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(map(same, ones, others))
