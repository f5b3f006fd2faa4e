"""Normalize `dim` arguments.

Axes are ints, counted from the end if negative; a bool isn't an axis. As in NumPy and PyTorch, a tensor without axes
accepts the axes 0 and −1.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, RangeError, TensorgradError, restate

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

Axes = int | Sequence[int] | None

BETWEEN_TWO = {"amax": "maximum", "amin": "minimum", "sum": "add", "all": "logical_and", "any": "logical_or"}
"""The function of two tensors, for the fix of a call with a tensor as `dim`."""


def normalize_axes(op: str, x: Tensor, axis: Axes, none_is_all: bool = False) -> tuple[int, ...]:
    """`axis` as a sorted tuple of non-negative axes; None means all. Raises RangeError or ArgumentError.

    With `none_is_all` an empty tuple means all axes too, as in PyTorch's sums.

    >>> import tensorgrad as tg
    >>> normalize_axes("sum", tg.zeros(2, 3, 4), (-1, 0)), normalize_axes("sum", tg.zeros(2, 3), None)
    ((0, 2), (0, 1))
    """
    ndim = x._data.ndim
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if none_is_all and isinstance(axis, (tuple, list)) and not axis:
        return tuple(range(ndim))
    given: Any = [axis] if _is_index(axis) else axis
    if isinstance(axis, (str, bytes, Variable)) and given is axis:
        raise _bad_axis(op, x, axis, "an int, a tuple of ints or None")
    try:
        axes = sorted(_counted(op, x, a, max(ndim, 1)) for a in given)
    except TypeError:
        raise _bad_axis(op, x, axis, "an int, a tuple of ints or None") from None
    if len(set(axes)) < len(axes):
        raise ArgumentError(restate(op, "dim must not name an axis twice", input=x, dim=axis))
    return tuple(axes) if ndim else ()


def normalize_axis(op: str, x: Tensor, axis: int, name: str = "dim", ndim: int | None = None) -> int:
    """One axis as an int in [0, ndim), by default the ndim of x; 0 for a scalar.

    Raises RangeError for an axis out of range, ArgumentError for anything but one int.

    >>> import tensorgrad as tg
    >>> normalize_axis("cumsum", tg.zeros(2, 3), -1)
    1
    """
    ndim = x._data.ndim if ndim is None else ndim
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim
    if not _is_index(axis):
        raise _bad_axis(op, x, axis, "one int", name)
    return _counted(op, x, axis, max(ndim, 1), name)


def _is_index(value: Any) -> bool:
    """Whether `value` is one int."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(type(value), "__index__"):
        return False
    dtype = getattr(value, "dtype", None)
    return dtype is None or (dtype.kind in "iu" and value.ndim == 0)


def _counted(op: str, x: Tensor, axis: Any, ndim: int, name: str = "dim") -> int:
    if not _is_index(axis):
        raise _bad_axis(op, x, axis, "an int, a tuple of ints or None", name)
    k = operator.index(axis)
    if not -ndim <= k < ndim:
        raise RangeError(restate(op, f"{name} must be in [{-ndim}, {ndim}), got {k}", input=x, **{name: axis}))
    return k % ndim


def _bad_axis(op: str, x: Tensor, axis: Any, expected: str, name: str = "dim") -> TensorgradError:
    fix = ""
    if isinstance(axis, Variable) and op in BETWEEN_TWO:
        fix = f"for two tensors use tg.{BETWEEN_TWO[op]}(a, b)"
    problem = f"{name} must be {expected}, got {type(axis).__name__}"
    return ArgumentError(restate(op, problem, fix=fix, input=x, **{name: axis}))
