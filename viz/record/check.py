"""Each contribution of the chain rule, compared with central differences of the op alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np

from tensorgrad.arrays.differences import CentralDifference
from tensorgrad.autograd.op import Op

STEP = 1e-6
"""Of the differences, in float64: so small that few elements cross a kink; rounding costs 1e-10."""

LARGE = 1e4
"""Of elements above this one the step is relative: x + 1e-6 is x from 1e10 on, and 1 % off at 1e8."""

TOLERANCE = 1e-2
"""The largest relative error of a contribution that counts as right."""


def relative_error(
    op: Op, inputs: Sequence[np.ndarray], position: int, upstream: np.ndarray, contribution: np.ndarray
) -> float | None:
    """How far a contribution is from central differences along one random direction d.

    Compares ⟨contribution, d⟩ with ⟨upstream, (f(x + εd) − f(x − εd)) / 2ε⟩, relative to ‖upstream ⊙ that quotient‖.
    At a kink, of relu at 0 or of a maximum at a tie, each slope between those on either side is right: half of their
    difference (near 0 at other points) doesn't count as an error. Nor does a derivative smaller than ε.

    Args:
        op: the op as it was applied; it isn't changed.
        inputs: its input arrays.
        position: of the input x.
        upstream: ∂L/∂z.
        contribution: the op's gradient rule applied to `upstream`, of the shape of x.

    Returns:
        The error; 0 where both are 0. None where the differences aren't finite: at a pole, or at the border of the
        domain of the op. Infinity where they are finite, and the contribution isn't.
    """
    direction = np.random.default_rng(position).standard_normal(inputs[position].shape)
    if direction.size == 0:
        return 0.0
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in inputs]
    direction *= np.maximum(1.0, np.abs(arrays[position]) / LARGE)
    with np.errstate(all="ignore"):
        difference = CentralDifference(_function_of(op, arrays, position), arrays[position], direction, STEP)
        upstream = upstream.astype(np.float64)
        products, kinks = upstream * difference.value, np.abs(upstream * difference.kink).sum()
        parts = contribution.astype(np.float64) * direction
        error = abs(products.sum() - parts.sum()) - kinks
        scale = max(*(np.sqrt((a**2).sum()) for a in (products, parts)), STEP * np.sqrt((upstream**2).sum()))
    if not np.isfinite(products).all() or not np.isfinite(kinks):
        return None
    if not np.isfinite(error):
        return float("inf")
    return float(max(error, 0.0) / scale) if scale else 0.0


def _function_of(op: Op, arrays: Sequence[np.ndarray], position: int) -> Callable[[np.ndarray], np.ndarray]:
    """The op's output in float64, as a function of one of its inputs."""

    def f(x: np.ndarray) -> np.ndarray:
        again = copy.copy(op)
        return np.asarray(again.forward_again(*arrays[:position], x, *arrays[position + 1 :]), np.float64)

    return f
