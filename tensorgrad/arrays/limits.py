"""The numbers that a dtype can hold, under PyTorch's names: `finfo` and `iinfo`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, default_float, is_float
from tensorgrad.errors import DTypeError, restate


class finfo:
    """The limits of a float dtype, as Python's floats.

    Args:
        dtype: a float dtype; by default the default dtype.

    Attributes:
        min, max: the smallest and the largest finite number.
        eps: the distance from 1 to the next number.
        tiny, smallest_normal: the smallest positive number with full precision.
        resolution: 10 to the power of minus the number of decimal digits.
        bits: the size of a number.
        dtype: the dtype's name.

    Raises:
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> tg.finfo(tg.float32).eps, tg.finfo(tg.float16).max
    (1.1920928955078125e-07, 65504.0)
    """

    def __init__(self, dtype: DTypeLike = None) -> None:
        kind = default_float() if dtype is None else as_dtype("finfo", dtype)
        if not is_float(kind):
            raise DTypeError(restate("finfo", f"dtype must be a float, got {kind}", fix="tg.iinfo(dtype)", dtype=kind))
        found: Any = np.finfo(kind)
        self.bits, self.dtype = kind.itemsize * 8, kind.name
        self.min, self.max, self.eps = float(found.min), float(found.max), float(found.eps)
        self.tiny = self.smallest_normal = float(found.tiny)
        self.resolution = float(found.resolution)

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny", "dtype")
        return f"finfo({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


class iinfo:
    """The limits of an integer dtype.

    Args:
        dtype: an integer dtype.

    Attributes:
        min, max: the smallest and the largest number.
        bits: the size of a number.
        dtype: the dtype's name.

    Raises:
        DTypeError: a dtype that isn't an integer's.

    >>> import tensorgrad as tg
    >>> tg.iinfo(tg.uint8).max
    255
    """

    def __init__(self, dtype: DTypeLike) -> None:
        kind = as_dtype("iinfo", dtype)
        if kind.kind not in "iu":
            raise DTypeError(restate("iinfo", f"dtype must be an integer's, got {kind}", dtype=kind))
        found = np.iinfo(kind)
        self.bits, self.dtype = kind.itemsize * 8, kind.name
        self.min, self.max = int(found.min), int(found.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
