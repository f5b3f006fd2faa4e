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
    What the quotient itself changes by when ε is doubled, it doesn't know better: that much difference is no error.

    Args:
        op: the op as it was applied; it isn't changed.
        inputs: its input arrays.
        position: of the input x.
        upstream: ∂L/∂z.
        contribution: what the op's rule made of it, of the shape of x.

    Returns:
        The error; 0 where both are 0, infinity where one isn't finite; None where x is 0 throughout and a kink can't be
        told from an error.
    """
    x = np.asarray(inputs[position], np.float64)
    if x.size == 0:
        return 0.0
    if x.any():
        return _error(op, inputs, position, upstream, contribution, _direction(x, position))
    # Zeros alone must move; where that disagrees it may be for a kink, and nothing is known.
    anywhere = np.random.default_rng(position).standard_normal(x.shape)
    error = _error(op, inputs, position, upstream, contribution, anywhere)
    return error if error < FINE else None


def _error(
    op: Op,
    inputs: Sequence[np.ndarray],
    position: int,
    upstream: np.ndarray,
    contribution: np.ndarray,
    direction: np.ndarray,
) -> float:
    with np.errstate(all="ignore"):
        products = upstream.astype(np.float64) * _quotient(op, inputs, position, direction, STEP)
        coarser = upstream.astype(np.float64) * _quotient(op, inputs, position, direction, 2 * STEP)
        parts = contribution.astype(np.float64) * direction
        expected, got, doubt = products.sum(), parts.sum(), abs(coarser.sum() - products.sum())
        scale = max(np.sqrt((products**2).sum()), np.sqrt((parts**2).sum()))
    if not np.isfinite(expected) or not np.isfinite(got):
        return float("inf")
    return float(max(abs(expected - got) - doubt, 0.0) / scale) if scale else 0.0


def _direction(x: np.ndarray, seed: int) -> np.ndarray:
    """A random direction in which equal elements move together and zeros stay.

    So no tie of a maximum is broken and no kink at 0 is stepped over, where a one-sided derivative was chosen.
    """
    values, place = np.unique(x, return_inverse=True)
    moves = np.where(values == 0, 0, np.random.default_rng(seed).standard_normal(values.size))
    return moves[place].reshape(x.shape)


def _quotient(op: Op, inputs: Sequence[np.ndarray], position: int, direction: np.ndarray, step: float) -> np.ndarray:
    """(f(x + εd) − f(x − εd)) / 2ε, in float64."""
    moved = []
    for sign in (1, -1):
        arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in inputs]
        arrays[position] = np.asarray(arrays[position] + sign * step * direction)  # NumPy makes scalars of 0-d results
        again = copy.copy(op)
        again.needs = ()
        moved.append(np.asarray(again.forward_again(*arrays), np.float64))
    return (moved[0] - moved[1]) / (2 * step)
