"""The backward passes of a trace with the leaves' values at each: what an optimizer did between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.viz.record.observing import StepObserver
from tensorgrad.viz.record.steps import Pass


@dataclass(frozen=True)
class Leaf:
    """A leaf in one backward pass.

    Attributes:
        values: as the forward pass read them.
        before: what `.grad` held before the pass; None for nothing.
        gradient: what the pass added to it.
    """

    values: np.ndarray
    before: np.ndarray | None
    gradient: np.ndarray


@dataclass(frozen=True)
class Round:
    """One call of `backward()`.

    Attributes:
        loss: the sum of the scalars that it started from; None if one isn't a scalar.
        leaves: those that it reached.
    """

    loss: float | None
    leaves: dict[Variable, Leaf]


def rounds_of(observer: StepObserver) -> list[Round]:
    """Every whole call of `backward()` that an observer has seen."""
    passes = [backward for backward in observer.passes if backward.call == "backward" and backward.whole]
    return [_round(observer, backward) for backward in passes]


def _round(observer: StepObserver, backward: Pass) -> Round:
    seeds = [observer.first_values(key) for key in backward.seeds]
    scalars = [float(array) for array in seeds if array is not None and array.ndim == 0]
    loss = sum(scalars) if len(scalars) == len(seeds) else None
    nodes = {node for node, _ in backward.flows}
    leaves: dict[Variable, Leaf] = {}
    for step in observer.steps:
        for key in step.inputs if step.node in nodes else ():
            if isinstance(key, Variable) and key in backward.added:
                values = step.leaves[key] if key in step.leaves else observer.first_values(key)
                if values is not None:
                    leaves[key] = Leaf(values, backward.before.get(key), backward.added[key])
    return Round(loss, leaves)
