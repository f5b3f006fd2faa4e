"""Numbers at even distances of their logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device, default_float
from tensorgrad.autograd.engine import constant
from tensorgrad.errors import restated
from tensorgrad.ops.operands import number
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


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
    if device is not None:
        check_device("device", device)
    low, high, factor = [number("logspace", n, v) for n, v in (("start", start), ("end", end), ("base", base))]
    kind = default_float() if dtype is None else as_dtype("logspace", dtype)
    with restated("logspace", start=start, end=end, steps=steps, base=base, dtype=dtype):
        count = as_tuple(steps, 1, op="logspace", name="steps", minimum=0)[0]
        if kind.kind in "iu":
            low, high = int(low), int(high)  # as in linspace
        array = np.logspace(low, high, count, base=factor).astype(kind)
    return Tensor(array, True) if requires_grad else constant(array)
