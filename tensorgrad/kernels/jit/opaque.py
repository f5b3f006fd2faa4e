"""Opaque arrays, whose values Python can't read: command lists are captured with them.

A captured launch is made again with the same arguments. So every decision of Python between launches, and every array
and number that it passes, must depend on shapes and dtypes alone. Code that gets `Opaque` arrays can do nothing else:
it takes their sizes and views, and passes them to kernels. Everything else raises, NumPy's functions too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

import numpy as np

# NumPy's functions that return views; `_view` checks that they did.
VIEWS: frozenset[Callable] = frozenset(
    (
        np.broadcast_to, np.diagonal, np.expand_dims, np.flip, np.moveaxis, np.reshape, np.squeeze, np.swapaxes,
        np.transpose,
    )
)  # fmt: skip


class Unreadable(TypeError):
    """Python asked for the numbers of an opaque array."""


def _refuse(*_: object, **__: object) -> Any:
    raise Unreadable("the numbers of an opaque array can't be read or changed")


def _told(name: str) -> property:
    """A property of the array that doesn't depend on its numbers."""
    return property(lambda self: getattr(self._array, name), doc=f"The array's {name}.")


def _viewed(name: str) -> Callable[..., Opaque]:
    """A method that returns a view."""

    def method(self: Opaque, *arguments: Any, **named: Any) -> Opaque:
        return self._view(getattr(self._array, name)(*arguments, **named))

    return method


class Opaque:
    """An array that tells its shape, dtype and layout, and makes views, but hides its values.

    >>> x = Opaque(np.zeros((2, 3)))
    >>> x.shape, x.T[1:].shape, len(x)
    ((2, 3), (2, 2), 2)
    >>> x + 1
    Traceback (most recent call last):
    TypeError: unsupported operand type(s) for +: 'Opaque' and 'int'
    """

    __slots__ = ("_array",)
    __array_ufunc__ = None  # NumPy's operators and ufuncs raise
    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = __contains__ = _refuse
    __eq__ = __ne__ = __setitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]  # as Python does where only __eq__ is defined
    shape, strides, dtype, ndim = map(_told, ("shape", "strides", "dtype", "ndim"))
    size, itemsize, nbytes, flags = map(_told, ("size", "itemsize", "nbytes", "flags"))
    reshape, ravel, transpose = map(_viewed, ("reshape", "ravel", "transpose"))
    swapaxes, squeeze = map(_viewed, ("swapaxes", "squeeze"))
    T = property(lambda self: self.transpose(), doc="The axes in reverse order.")

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict[str, Any]) -> Opaque:
        if function not in VIEWS:
            _refuse()
        return self._view(function(*[real(x) for x in args], **kwargs))

    def __repr__(self) -> str:
        return f"Opaque({self.shape}, {self.dtype})"

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Any) -> Opaque:
        return self._view(self._array[index])

    def astype(self, dtype: Any, copy: bool = True) -> Opaque:
        """The array itself if it has this dtype already: a conversion would read it."""
        if copy or np.dtype(dtype) != self.dtype:
            _refuse()
        return self

    def _view(self, result: Any) -> Opaque:
        """`result` as an opaque array. It must be a view of this array: a copy would have read it."""
        if not isinstance(result, np.ndarray):
            result = _refuse()
        if result.size and not np.may_share_memory(result, self._array):
            _refuse()
        return Opaque(result)


def real(value: Any) -> Any:
    """The array in an opaque one; tuples likewise; everything else as it is."""
    if type(value) is Opaque:
        return value._array
    if isinstance(value, tuple) and any(type(part) is Opaque or isinstance(part, tuple) for part in value):
        parts = [real(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def view_of(memory: Any, shape: Sequence[int], dtype: np.dtype, offset: int, strides: Sequence[int]) -> Any:
    """`np.ndarray(shape, dtype, memory, offset, strides)`, opaque where the contiguous `memory` is.

    >>> view_of(np.arange(6.0), (2, 2), np.dtype(np.float64), 8, (16, 8))
    array([[1., 2.],
           [3., 4.]])
    """
    view: np.ndarray = np.ndarray(shape, dtype, real(memory), offset, strides)  # type: ignore[arg-type]
    return Opaque(view) if type(memory) is Opaque else view


class _Memory:
    """A block of memory that `np.asarray` makes an array of; `base` keeps it alive."""

    def __init__(self, address: int, count: int, unit: np.dtype, base: np.ndarray) -> None:
        self.base = base
        self.__array_interface__ = {"data": (address, False), "shape": (count,), "typestr": unit.str, "version": 3}


def memory_of(array: Any, unit: np.dtype) -> tuple[Any, int]:
    """The memory from the first to the last element of a view, (M,) of `unit`, and where in it element [0, …, 0] lies.

    For kernels that step through a view themselves: they get one kind of array for all layouts. Opaque where `array`
    is. `unit` is as many bytes as an element, and these must divide all strides.

    >>> x = np.arange(6, dtype=np.int64).reshape(2, 3)
    >>> memory_of(x[:, ::-2], np.dtype(np.int64))
    (array([0, 1, 2, 3, 4, 5]), 2)
    """
    plain = real(array)
    count, at = extent(plain.shape, plain.strides, plain.itemsize)
    whole = np.asarray(_Memory(plain.ctypes.data - at * plain.itemsize, count, unit, plain))
    return Opaque(whole) if type(array) is Opaque else whole, at


@lru_cache(maxsize=1024)
def extent(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """How many elements lie from the first to the last of a view in memory, and which of them is [0, …, 0].

    >>> extent((2, 3), (24, -8), 8)
    (6, 2)
    """
    if 0 in shape:
        return 0, 0
    ends = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    before, after = -sum(end for end in ends if end < 0), sum(end for end in ends if end > 0)
    return (before + after) // itemsize + 1, before // itemsize


class _Owner(np.ndarray):
    """The owner of a `constant`'s memory."""


def constant(array: np.ndarray) -> np.ndarray:
    """A copy of `array` that is never written to: a table that depends only on shapes, which kernels read.

    >>> table = constant(np.arange(3))
    >>> is_constant(table[1:]), is_constant(np.arange(3)), type(table) is np.ndarray
    (True, False, True)
    """
    owner = _Owner(array.shape, array.dtype)
    owner[...] = array
    return owner.view(np.ndarray)


def planned(function: Callable) -> Callable:
    """Decorator: compute a plan once per sizes; the arrays in it, also in tuples, become constants."""

    @lru_cache(maxsize=1024)
    @wraps(function)
    def plan(*sizes: Any) -> Any:
        return _as_constants(function(*sizes))

    return plan


def _as_constants(value: Any) -> Any:
    if isinstance(value, tuple):
        parts = [_as_constants(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return constant(value) if isinstance(value, np.ndarray) and not is_constant(value) else value


def is_constant(array: np.ndarray) -> bool:
    """Whether `array` is a constant, a view of one, or empty."""
    base: Any = array
    while type(base) in (np.ndarray, _Memory):
        base = base.base
    return type(base) is _Owner or not array.size
