"""The options that PyTorch's functions for new tensors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device, check_dtype, default_float, is_float
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import flag

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

WITHOUT_EFFECT = frozenset({"layout", "memory_format", "pin_memory"})


def check_options(call: str, device: object, requires_grad: bool, ignored: dict[str, object]) -> None:
    """Check the options of a function for new tensors: the device, the flag, and that other keywords are PyTorch's.

    Raises:
        ArgumentError: a device other than the CPU, a flag that isn't True or False, or `out`.
        DTypeError: an unknown keyword.
    """
    if device is not None:
        check_device(call, device)
    flag(call, "requires_grad", requires_grad)
    for name in ignored:
        if name == "out":
            raise ArgumentError(restate(call, "the result can't be written into `out`", fix="t.copy_(result)"))
        if name not in WITHOUT_EFFECT:
            raise DTypeError(restate(call, f"unexpected keyword argument {name!r}"))


def chosen_dtype(call: str, dtype: DTypeLike, default: np.dtype | None = None) -> np.dtype:
    """The dtype that was passed, or the default, float32. Raises DTypeError for one that tensors can't have."""
    if dtype is None:
        return default_float() if default is None else default
    chosen = as_dtype(call, dtype)
    check_dtype(call, chosen)
    return chosen


def float_dtype(call: str, dtype: np.dtype) -> np.dtype:
    """The dtype, which must be a float's."""
    if not is_float(dtype):
        fix = "pass dtype=, a float dtype; tg.randint draws integers"
        raise DTypeError(restate(call, f"dtype must be a float dtype, got {dtype}", fix=fix))
    return dtype


def leaf(call: str, array: np.ndarray, requires_grad: bool) -> Tensor:
    """A new tensor around an array."""
    if requires_grad and not is_float(array.dtype):
        problem = f"a tensor that requires a gradient must be a float, got {array.dtype}"
        raise DTypeError(restate(call, problem, fix="pass dtype=, a float dtype"))
    return wrap(array, bool(requires_grad))
