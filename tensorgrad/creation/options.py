"""What the functions for new tensors have in common: sizes, dtypes, whether a gradient is required."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_array, as_dtype, default_float
from tensorgrad.autograd.engine import constant
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

Shape = int | Sequence[int]


def float_unless(call: str, dtype: DTypeLike) -> np.dtype:
    """The dtype that was passed, or the default, float32."""
    return default_float() if dtype is None else as_dtype(call, dtype)


def whole(call: str, name: str, value: int, minimum: int | None = None) -> int:
    """A whole number. Raises DTypeError for anything else, ArgumentError for one below the minimum."""
    return as_tuple(value, 1, op=call, name=name, minimum=minimum)[0]


def constant_or_leaf(array: np.ndarray, requires_grad: bool) -> Tensor:
    """A tensor around values that every call makes anew: a leaf, or a constant of the program."""
    return Tensor(array, True) if requires_grad else constant(as_array(array))
