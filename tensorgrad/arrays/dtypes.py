"""Conversion of arguments to ndarrays for the engine: native byte order, a real dtype, float32 by default."""

import os
import sys
from math import prod
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, OutOfMemoryError, TensorgradError, restate

DTypeLike = Any
FLOATS = tuple(np.dtype(t) for t in (np.float32, np.float64, np.float16))
KERNEL_FLOATS = frozenset((np.dtype(np.float32), np.dtype(np.float64)))
_default_float = np.dtype(np.float32)
SCALARS = (bool, int, float, np.number, np.bool_)


def is_float(dtype: np.dtype) -> bool:
    """Whether a dtype is a float, as gradients must be.

    >>> is_float(np.dtype("float64")), is_float(np.dtype("int64"))
    (True, False)
    """
    return dtype in FLOATS


def default_float() -> np.dtype:
    """The dtype of Python floats and of what is made without a dtype: float32, until `set_default_dtype` changes it."""
    return _default_float


def set_default_dtype(d: DTypeLike) -> None:
    """Let Python floats, new arrays and the parameters of new layers have the dtype `d`, float32 or float64.

    Raises:
        DTypeError: another dtype.

    >>> import tensorgrad as tg
    >>> tg.set_default_dtype(tg.float64)
    >>> tg.zeros(1).dtype
    dtype('float64')
    >>> tg.set_default_dtype(tg.float32)
    """
    global _default_float
    dtype = as_dtype("set_default_dtype", d)
    if dtype not in KERNEL_FLOATS:
        raise DTypeError(restate("set_default_dtype", f"d must be float32 or float64, got {dtype}"))
    _default_float = dtype


def as_array(value: Any, dtype: DTypeLike = None, copy: bool | None = None) -> np.ndarray:
    """`value` as an ndarray; memory is shared where possible, unless `copy`.

    Arrays keep their dtype. Python floats and lists of them become float32, Python ints int64. Big-endian arrays are
    converted; strides and read-only memory are kept.

    Raises:
        DTypeError: complex numbers, text, objects, structured dtypes.
        ArgumentError: lists of uneven lengths.
        OutOfMemoryError: the copy doesn't fit into memory.

    >>> as_array([1.0, 2.0]).dtype, as_array(np.zeros(2)).dtype, as_array([1, 2]).dtype
    (dtype('float32'), dtype('float64'), dtype('int64'))
    """
    dtype = None if dtype is None else as_dtype("tensor", dtype)
    try:
        array = np.array(value, dtype) if copy else np.asarray(value, dtype)
    except TensorgradError:  # from a tensor inside, which reports why it can't be read
        raise
    except MemoryError as error:
        raise OutOfMemoryError(restate("tensor", str(error), data=value, dtype=dtype)) from None
    except (ValueError, TypeError, OverflowError) as error:
        problem, fix = f"data can't become an array: {error}", "pass numbers in nested lists of even lengths"
        raise ArgumentError(restate("tensor", problem, fix=fix, data=value, dtype=dtype)) from None
    if dtype is None and array.dtype == np.float64 and not _has_dtype(value):
        array = array.astype(_default_float)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    check_dtype("tensor", array.dtype, data=array)
    return array


def as_dtype(call: str, dtype: DTypeLike) -> np.dtype:
    """`dtype` as NumPy's dtype. Raises DTypeError for anything else.

    >>> as_dtype("zeros", "float32")
    dtype('float32')
    """
    try:
        return np.dtype(dtype)
    except TypeError as error:
        problem = f"dtype must be a NumPy dtype or its name, such as 'float32': {error}"
        raise DTypeError(restate(call, problem, dtype=dtype)) from None


def check_dtype(call: str, dtype: np.dtype, **arguments: Any) -> None:
    """Raise DTypeError for a dtype that tensors can't have."""
    if not is_float(dtype) and dtype.kind not in "iub":
        problem, expected = f"dtype {dtype} is not supported", "float32, float64, float16, an integer dtype or bool"
        raise DTypeError(restate(call, problem, expected=expected, fix="convert it to one of these first", **arguments))


def machine_memory() -> int:
    """The bytes of memory of this machine; `sys.maxsize` if the system doesn't tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def check_memory(call: str, shape: tuple[int, ...], dtype: np.dtype, **arguments: Any) -> None:
    """Raise OutOfMemoryError for an array larger than this machine's memory, before any work is done for it.

    NumPy refuses such an array where it makes it: this is for calls that would work for long until then.

    >>> import numpy as np
    >>> check_memory("jacobian", (10**9, 10**9), np.dtype("float32"))
    Traceback (most recent call last):
    tensorgrad.errors.OutOfMemoryError: jacobian: (1000000000, 1000000000) float32 takes 3,725,290,298 GiB of memory
      expected: ...
    """
    needed, there = prod(shape) * dtype.itemsize, machine_memory()
    if needed > there:
        problem = f"{shape} {dtype} takes {needed / 2**30:,.0f} GiB of memory"
        expected = f"at most the {there / 2**30:,.1f} GiB that this machine has"
        raise OutOfMemoryError(restate(call, problem, expected=expected, fix="pass smaller sizes", **arguments))


def is_device(target: Any) -> bool:
    """Whether `target` is one of PyTorch's devices: "cuda:0", a number, or a torch.device.

    >>> is_device("cuda:0"), is_device("float32")
    (True, False)
    """
    if isinstance(target, str):
        return target.partition(":")[0] in DEVICES
    is_number = isinstance(target, int) and not isinstance(target, bool)
    return is_number or (hasattr(target, "type") and hasattr(target, "index") and not hasattr(target, "dtype"))


DEVICES = frozenset({"cpu", "cuda", "gpu", "hpu", "ipu", "meta", "mps", "npu", "tpu", "xla", "xpu"})


def check_device(call: str, device: Any) -> None:
    """Raise ArgumentError for any device but the CPU; None is the CPU."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        problem, fix = (
            f'device must be "cpu", got {str(device)!r}',
            'tensorgrad runs on the CPU: omit it, or pass "cpu"',
        )
        raise ArgumentError(restate(call, problem, fix=fix, device=device))


def _has_dtype(value: Any) -> bool:
    """Whether the caller chose a dtype: an array or NumPy scalar does, a nested list of Python floats doesn't."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return hasattr(value, "dtype")


def repeated(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`np.broadcast_to(array, shape)`: a read-only view."""
    if array.ndim:
        return np.broadcast_to(array, shape)
    # One number, as in the gradient of a loss: 0.4 µs instead of 2.3 µs.
    view = np.ndarray(shape, array.dtype, array, strides=(0,) * len(shape))
    view.flags.writeable = False
    return view


def promote(x: np.dtype, y: np.dtype) -> np.dtype:
    """The dtype of a result: a float with an integer gives that float dtype; otherwise NumPy's rule.

    >>> promote(np.dtype("float32"), np.dtype("int64"))
    dtype('float32')
    """
    if is_float(x) != is_float(y):
        return x if is_float(x) else y
    return np.promote_types(x, y)
