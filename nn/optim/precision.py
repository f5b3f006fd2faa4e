"""What update rules compute in: float32 for weights of float16, and no warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

HALF = np.dtype(np.float16)
HALF_CHAR = HALF.char  # compared in a third of the time of a dtype

EXACT = "exact_weight"
"""The slot of the float32 weights behind those of a float16 parameter."""

quiet = np.errstate(all="ignore")
"""Infinities and NaN are values here, as everywhere in tensorgrad: no warnings."""


def precision(dtype: np.dtype) -> np.dtype:
    """The dtype that rules compute in and keep their arrays in: float32 for float16, which can't hold 1e-8."""
    return np.promote_types(dtype, np.float32)


def slots_for(p: Tensor, slots: tuple[str, ...]) -> tuple[str, ...]:
    """The slots of a parameter: for float16 one more, its weights in float32, where small steps add up."""
    return (*slots, EXACT) if p._data.dtype == HALF else slots
