"""Arrays as kernels take them: contiguous, and of one float dtype."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.errors import DTypeError, restate
from tensorgrad.kernels import copies
from tensorgrad.kernels.jit.opaque import Opaque, Unreadable, constant, real

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def as_contiguous(array: Any) -> Any:
    """`array` as kernels take it: contiguous, aligned, writable, of native byte order; copied only where it isn't.

    Numba compiles a kernel again for each kind of array, read-only ones included, so all are brought to one kind.
    """
    if array.flags.carray and array.dtype.isnative and type(array) in (np.ndarray, Opaque):
        return array
    return copies.contiguous(array)


def reshaped(x: Opaque, shape: tuple[int, ...]) -> Opaque:
    """`x` in another shape, as `ndarray.reshape` gives it: a view if the layout of `x` allows one, else a copy."""
    try:
        return x.reshape(shape)
    except Unreadable:
        return as_contiguous(x).reshape(shape)


def restrided(x: Any, shape: Sequence[int], strides: Sequence[int]) -> Any:
    """A view of the memory of `x` from its first element on, with these strides in bytes; None if there can't be one.

    The view has the `base` of `x`. Comparing bases tells the engine which arrays share memory, and a view by
    `as_strided` would have a base of its own.

    >>> restrided(np.arange(4), (3, 2), (8, 8))
    array([[0, 1],
           [1, 2],
           [2, 3]])
    """
    if not x.size:
        return x.reshape(shape)
    array = real(x)
    owner = array if array.base is None else array.base
    try:
        # A buffer must be in C order; the transpose of an array in Fortran order is.
        memory = np.frombuffer(owner.T if isinstance(owner, np.ndarray) and owner.flags.fnc else owner, np.uint8)
    except (TypeError, ValueError, BufferError):  # the owner exports no buffer, or its memory has gaps
        return None
    offset = array.ctypes.data - memory.ctypes.data
    view: np.ndarray = np.ndarray(shape, array.dtype, memory, offset, strides)  # type: ignore[arg-type]
    view.flags.writeable = array.flags.writeable
    return Opaque(view) if type(x) is Opaque else view


def floats(op: str, names: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """`arrays`, each made contiguous. Raises `DTypeError` unless all are float32 or all float64.

    The error's text takes `op`, the function's name, and `names`, the arrays' names separated by spaces.

    >>> x, w = floats("conv2d", "x w", np.ones(2), np.ones(3)[::-1])
    >>> w.flags.c_contiguous
    True
    """
    dtype = arrays[0].dtype
    if dtype is _FLOAT32 or dtype is _FLOAT64:
        # The fast path, which most calls of small networks take. It compares dtypes by identity, which is cheaper than
        # `==`. A dtype that equals NumPy's float32 but is another object takes the slow path, with the same result.
        for array in arrays:
            if array.dtype is not dtype or not array.flags.carray or type(array) is not np.ndarray:
                break
        else:
            return arrays
    check_float(op, **dict(zip(names.split(), arrays, strict=True)))
    return tuple([as_contiguous(array) for array in arrays])


@lru_cache(maxsize=1024)
def zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """`count` zeros, in place of a missing bias for example. They are made once, so kernels must only read them."""
    return constant(np.zeros(count, dtype))


def check_float(op: str, **arrays: Any) -> np.dtype:
    """The dtype of all arrays. Raises `DTypeError` unless all are float32 or all float64."""
    dtypes = set()
    for array in arrays.values():
        dtypes.add(array.dtype)
    if len(dtypes) > 1 or not dtypes <= KERNEL_FLOATS:
        # Another byte order is accepted: `as_contiguous` converts it.
        dtypes = {dtype.newbyteorder("=") for dtype in dtypes}
    dtype = dtypes.pop()
    if dtypes or dtype not in KERNEL_FLOATS:
        raise DTypeError(restate(op, "all arrays must have one dtype, float32 or float64", **arrays))
    return dtype
