"""The drawing proves itself: each contribution of the chain rule against finite differences of the op alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from tensorgrad.autograd.op import Op

STEP = 1e-6
"""Of the differences, in float64: so small that few elements cross a kink, at the cost of rounding to 1e-10."""

FINE = 1e-2
"""A contribution nearer than this to finite differences is ticked."""


def relative_error(
    op: Op, inputs: Sequence[np.ndarray], position: int, upstream: np.ndarray, contribution: np.ndarray
) -> float | None:
    """How far a contribution is from finite differences along one random direction d.

    Compares ⟨contribution, d⟩ with ⟨upstream, (f(x + εd) − f(x − εd)) / 2ε⟩, relative to ‖upstream ⊙ that quotient‖.
    At a kink, of relu at 0 or of a maximum at a tie, any slope between those on either side is right: half of their
    difference, which is next to nothing elsewhere, is no error. Nor is a derivative that is smaller than ε.

    Args:
        op: the op as it was applied; it isn't changed.
        inputs: its input arrays.
        position: of the input x.
        upstream: ∂L/∂z.
        contribution: what the op's rule made of it, of the shape of x.

    Returns:
        The error; 0 where both are 0. None where finite differences can't tell, for they aren't finite: at a pole, or
        at the border of what the op is defined for. Infinity where they are finite, and the contribution isn't.
    """
    direction = np.random.default_rng(position).standard_normal(inputs[position].shape)
    if direction.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        below, here, above = (_moved(op, inputs, position, k * STEP * direction) for k in (-1, 0, 1))
        upstream = upstream.astype(np.float64)
        products = upstream * ((above - below) / (2 * STEP))
        doubt = np.abs(upstream * ((above - here) - (here - below)) / (2 * STEP)).sum()
        parts = contribution.astype(np.float64) * direction
        error = abs(products.sum() - parts.sum()) - doubt
        scale = max(*(np.sqrt((a**2).sum()) for a in (products, parts)), STEP * np.sqrt((upstream**2).sum()))
    if not np.isfinite(products).all() or not np.isfinite(doubt):
        return None
    if not np.isfinite(error):
        return float("inf")
    return float(max(error, 0.0) / scale) if scale else 0.0


def _moved(op: Op, inputs: Sequence[np.ndarray], position: int, by: np.ndarray) -> np.ndarray:
    """The op's output in float64, one of its inputs moved."""
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in inputs]
    arrays[position] = np.asarray(arrays[position] + by)  # NumPy makes scalars of 0-d results
    again = copy.copy(op)
    again.needs = ()
    return np.asarray(again.forward_again(*arrays), np.float64)
