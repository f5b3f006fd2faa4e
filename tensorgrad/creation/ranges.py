"""Numbers in a row: `tg.arange`, `tg.linspace`, `tg.logspace`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, default_float, is_float
from tensorgrad.creation.options import constant_or_leaf, float_unless, whole
from tensorgrad.errors import ArgumentError, restate, restated
from tensorgrad.ops.operands import number
from tensorgrad.ops.sampling.options import check_options
from tensorgrad.tensor import Tensor


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """start, start + step, … below end; from 0 if only one bound is given.

    Args:
        start: the first value; the end, if `end` is None.
        end: the bound, not included.
        step: the distance, not 0.
        dtype: the dtype, by default int64 if all numbers are ints, else float32.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: `step` is 0, or the values don't fit into memory.

    >>> import tensorgrad as tg
    >>> tg.arange(3), tg.arange(0.5, 2)
    (tensor([0, 1, 2]), tensor([0.5, 1.5]))
    """
    check_options("arange", device, requires_grad, ignored)
    bounds = {"start": 0, "end": start} if end is None else {"start": start, "end": end}
    given = {name: number("arange", name, value) for name, value in (bounds | {"step": step}).items()}
    if dtype is not None and as_dtype("arange", dtype).kind in "iu":
        with restated("arange", **given, dtype=dtype):
            given = {name: int(value) for name, value in given.items()}
    if given["step"] == 0:
        raise ArgumentError(restate("arange", "step must not be 0", **given))
    if dtype is None and any(isinstance(value, float) for value in given.values()):
        dtype = default_float()
    with restated("arange", **given, dtype=dtype):
        array = np.arange(*given.values(), dtype=dtype)
    return constant_or_leaf(array, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """`steps` evenly spaced values from start to end, both included.

    Args:
        start: the first value.
        end: the last value.
        steps: the number of values.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    check_options("linspace", device, requires_grad, ignored)
    start, end = number("linspace", "start", start), number("linspace", "end", end)
    with restated("linspace", start=start, end=end, steps=steps, dtype=dtype):
        count = whole("linspace", "steps", steps, minimum=0)
        kind = float_unless("linspace", dtype)
        array = np.linspace(start, end, count, dtype=kind) if is_float(kind) else _steps(start, end, count, kind)
    return constant_or_leaf(array, requires_grad)


def _steps(start: float, end: float, count: int, dtype: np.dtype) -> np.ndarray:
    """Evenly spaced integers as PyTorch rounds them, towards 0: the ends first, then steps from the nearer end."""
    start, end = int(start), int(end)
    step, k = (end - start) / max(count - 1, 1), np.arange(count)
    return np.where(k < count / 2, start + step * k, end - step * (count - 1 - k)).astype(dtype)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DTypeLike = None,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from baseˢᵗᵃʳᵗ to baseᵉⁿᵈ, both included, each the same multiple of the one before.

    Args:
        start: the exponent of the first number.
        end: the exponent of the last number.
        steps: how many.
        base: the base of the exponents.
        dtype: the dtype, float32 by default.
        device: must be "cpu".
        requires_grad: whether the tensor requires a gradient.

    Raises:
        ArgumentError: a negative number of steps, or another device.

    >>> import tensorgrad as tg
    >>> tg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    check_options("logspace", device, requires_grad, {})
    low, high, factor = [number("logspace", n, v) for n, v in (("start", start), ("end", end), ("base", base))]
    kind = float_unless("logspace", dtype)
    with restated("logspace", start=start, end=end, steps=steps, base=base, dtype=dtype):
        count = whole("logspace", "steps", steps, minimum=0)
        if kind.kind in "iu":
            low, high = int(low), int(high)  # as in linspace
        array = np.logspace(low, high, count, base=factor).astype(kind)
    return constant_or_leaf(array, requires_grad)
