"""The local derivative ∂z/∂x between scalars, as a number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.autograd.op import OUTPUT, Op
from tensorgrad.tensor import Tensor
from tensorgrad.viz.record.steps import Flow


def quotient(flow: Flow) -> float | None:
    """What came back, divided by what arrived, rounded to their precision; None where that says nothing."""
    upstream, contribution = flow.upstream.item(), flow.contribution.item()
    if upstream == 0 or not np.isfinite(upstream) or not np.isfinite(contribution):
        return None
    return flow.contribution.dtype.type(contribution / upstream).item()


def slope(op: Op, position: int, arrays: Sequence[np.ndarray | None], dtype: np.dtype) -> float | None:
    """What the op's gradient rule gives for an upstream gradient of 1.

    Args:
        op: the op as it was applied.
        position: of the input x.
        arrays: its inputs, and last its output.
        dtype: of the gradient.

    Returns:
        None where the rule needs a value that isn't known, or one that only the applied op had.
    """
    rule = op.rule(position) if op.rules else None
    places = [] if rule is None else [len(arrays) - 1 if k == OUTPUT else k for k in rule.wants]
    found = [arrays[k] if 0 <= k < len(arrays) else None for k in places]
    known = [array for array in found if array is not None]
    if rule is None or len(known) < len(places):
        return None
    with no_grad(), np.errstate(all="ignore"):
        gradient = rule.backward(op, Tensor(np.ones((), dtype)), *map(Tensor, known))
    return float(gradient.item())
