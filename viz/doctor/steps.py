"""Mistakes that several steps show: gradients that pile up, steps that are too long or too short, losses that rise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.viz.format.theme import number, power, short
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.record.rounds import Leaf, Round

LONG = 0.6
"""The relative length of a step, ‖Δw‖/‖w‖, above which every step is too long; about 0.001 is usual."""

SHORT, USUAL = 1e-5, 1e-3
"""The relative length below which a step is short, if one of the usual length would lower the loss by `GAIN`."""

GAIN = 1e-4
"""The relative decrease of the loss by one step of the usual length in the same direction, to first order."""

FEWEST = 10
"""The least number of losses whose trend is judged."""

Where = dict[Variable, str]
"""The id of each leaf in the records of the last step."""


def not_zeroed(rounds: Sequence[Round], where: Where) -> Iterator[Finding]:
    """Gradients that still held those of the step before.

    The optimizer moved a leaf before a pass and after it, and the pass added to what `.grad` held from before. Several
    passes before one step are no mistake, nor are those of another loss that the optimizer doesn't use.
    """
    found = [
        leaf
        for before, now, after in zip(rounds, rounds[1:], rounds[2:], strict=False)
        for leaf, seen in now.leaves.items()
        if seen.before is not None and seen.before.any() and _moved(leaf, before, now) and _moved(leaf, now, after)
    ]
    if found:
        cause = "backward() adds to .grad, which still holds the gradients of the step before"
        remedy = "optimizer.zero_grad() before each backward()"
        yield Finding(where.get(found[0], ""), "zero_grad() is missing", cause, remedy)


def lengths(rounds: Sequence[Round], where: Where, rates: Sequence[float] = ()) -> Iterator[Finding]:
    """Steps that are too long or too short."""
    ratios: dict[Variable, list[float]] = {}
    for now, after in _moves(rounds):
        for leaf, one, other in _shared(now, after):
            if one.values.ndim > 1:
                size = max(_norm(one.values), _norm(other.values)) or 1.0
                ratios.setdefault(leaf, []).append(_norm(other.values - one.values) / size)
    long = {leaf: min(found) for leaf, found in ratios.items() if len(found) > 1 and min(found) > LONG}
    if long:
        leaf = max(long, key=lambda leaf: long[leaf])
        cause = f"each step is {short(long[leaf])} times as long as the weights of {leaf.name or 'a layer'}"
        yield Finding(where.get(leaf, ""), "learning rate too large", cause, "divide it by 10, or clip_norm=1.0")
    rising = len(rates) > 1 and rates[-1] > 1.01 * rates[0]
    if not long and not rising:
        yield from _too_short(rounds)


def _too_short(rounds: Sequence[Round]) -> Iterator[Finding]:
    shares = []
    for now, after in _moves(rounds):
        shared = list(_shared(now, after))
        step = math.sqrt(sum(_norm(other.values - one.values) ** 2 for _, one, other in shared))
        size = math.sqrt(sum(_norm(one.values) ** 2 for _, one, _ in shared))
        drop = -sum(float(np.vdot(one.gradient, other.values - one.values)) for _, one, other in shared)
        if step == 0 or size == 0 or not now.loss:
            return
        gain = drop * USUAL * size / step / abs(now.loss)
        shares.append((step / size, gain))
    if shares and all(length < SHORT and gain > GAIN for length, gain in shares):
        length, gain = shares[-1]
        lower = f"lower the loss by {number(100 * gain, 2)} %"
        cause = f"a step is {power(length)} of the weights; one of {power(USUAL)} would {lower}"
        remedy = f"multiply it by {power(USUAL / length)}, unless it warms up"
        yield Finding("", "learning rate too small", cause, remedy)


def course(losses: Sequence[float]) -> Iterator[Finding]:
    """Losses that rise, or aren't finite."""
    wrong = next((k for k, loss in enumerate(losses, 1) if not math.isfinite(loss)), 0)
    third = len(losses) // 3
    if wrong:
        cause = f"the loss of step {wrong} is {short(losses[wrong - 1])}"
        yield Finding(
            "", "the loss isn't finite", cause, "a lower learning rate, clip_norm=1.0, or look for NaN in the data"
        )
    elif len(losses) >= FEWEST:
        first, last = (float(np.median(part)) for part in (losses[:third], losses[-third:]))
        if last > 1.5 * max(first, losses[0]) > 0:
            cause = f"the loss rose from {short(first)} to {short(last)}"
            yield Finding("", "learning rate too large", cause, "divide it by 10, or clip_norm=1.0")


# ------------------------------------------------------------------------------------------------------- between passes


def _moves(rounds: Sequence[Round]) -> Iterator[tuple[Round, Round]]:
    """Consecutive passes between which weights changed."""
    for now, after in pairwise(rounds):
        if any(_moved(leaf, now, after) for leaf in now.leaves):
            yield now, after


def _shared(now: Round, after: Round) -> Iterator[tuple[Variable, Leaf, Leaf]]:
    for leaf, seen in now.leaves.items():
        if leaf in after.leaves and seen.values.shape == after.leaves[leaf].values.shape:
            yield leaf, seen, after.leaves[leaf]


def _moved(leaf: Variable, now: Round, after: Round) -> bool:
    both = leaf in now.leaves and leaf in after.leaves
    return both and not np.array_equal(now.leaves[leaf].values, after.leaves[leaf].values, equal_nan=True)


def _norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))
