"""Terms that several update rules are made of."""

import numpy as np

from tensorgrad import memory

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
