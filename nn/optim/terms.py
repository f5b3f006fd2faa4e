"""Terms that several update rules are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays import memory

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

EXACT = "exact_weight"
"""The slot of the float32 weights behind those of a float16 parameter."""

quiet = np.errstate(all="ignore")
"""Infinities and NaN are values here, as everywhere in tensorgrad: no warnings."""


def scaled(x: np.ndarray, factor: float) -> np.ndarray:
    """factor · x, in a buffer from the pool: fresh memory would cost more than the product."""
    return np.multiply(x, factor, out=memory.empty(x.shape, x.dtype))


def with_decay(g: np.ndarray, w: np.ndarray, weight_decay: float) -> np.ndarray:
    """g + λw, the gradient of the loss plus the penalty λ/2 ‖w‖²; `g` itself where λ = 0."""
    if weight_decay == 0:
        return g
    sum_ = scaled(w, weight_decay)
    sum_ += g
    return sum_


def precision(dtype: np.dtype) -> np.dtype:
    """What rules compute in, and keep their arrays in: float32 for float16, which has no 1e-8."""
    return np.promote_types(dtype, np.float32)


def slots_for(p: Tensor, slots: tuple[str, ...]) -> tuple[str, ...]:
    """The slots of a parameter: for float16 one more, its weights in float32, where small steps add up."""
    return (*slots, EXACT) if p._data.dtype == np.float16 else slots
