"""The drawing proves itself: each contribution of the chain rule against finite differences of the op alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from tensorgrad.op import Op

STEP = 1e-4
"""Of the central difference, in float64: its error is of the order of STEP²."""

FINE = 1e-2
"""A contribution nearer than this to finite differences is ticked: kinks that a difference steps over cost digits."""


def relative_error(
    op: Op, inputs: Sequence[np.ndarray], position: int, upstream: np.ndarray, contribution: np.ndarray
) -> float | None:
    """How far a contribution is from finite differences along one random direction d.

    Compares ⟨contribution, d⟩ with ⟨upstream, (f(x + εd) − f(x − εd)) / 2ε⟩, relative to ‖upstream ⊙ that quotient‖.

    Args:
        op: the op as it was applied; it isn't changed.
        inputs: its input arrays.
        position: of the input x.
        upstream: ∂L/∂z.
        contribution: what the op's rule made of it, of the shape of x.

    Returns:
        The error; 0 where both are 0, infinity where just one is finite, None for an op that can't be run again.
    """
    x = np.asarray(inputs[position], np.float64)
    direction = _direction(x, position)
    moved = []
    with np.errstate(all="ignore"):
        for sign in (1, -1):
            arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in inputs]
            arrays[position] = x + sign * STEP * direction
            again = copy.copy(op)
            again.needs = ()
            moved.append(np.asarray(again.forward_again(*arrays), np.float64))
        quotient = (moved[0] - moved[1]) / (2 * STEP)
        products = upstream.astype(np.float64) * quotient
        expected, got = products.sum(), (contribution.astype(np.float64) * direction).sum()
        scale = max(np.sqrt((products**2).sum()), np.sqrt(((contribution.astype(np.float64) * direction) ** 2).sum()))
    if not np.isfinite(expected) or not np.isfinite(got):
        return float("inf")
    return float(abs(expected - got) / scale) if scale else 0.0


def _direction(x: np.ndarray, seed: int) -> np.ndarray:
    """A random direction in which equal elements move together and zeros stay.

    So no tie of a maximum is broken and no kink at 0 is stepped over, where a one-sided derivative was chosen.
    """
    values, place = np.unique(x, return_inverse=True)
    moves = np.where(values == 0, 0, np.random.default_rng(seed).standard_normal(values.size))
    return moves[place].reshape(x.shape)
