"""The gradient that arrived at each tensor in the backward passes, next to the contributions that are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.autograd.node import Node
from tensorgrad.viz.record.steps import Key, Pass, Step

HOOK = "a hook changed it"
ELSEWHERE = "a part of it comes from ops that aren't drawn"


@dataclass(slots=True)
class Arrival:
    """The gradient of a tensor, from all backward passes that are drawn.

    Attributes:
        gradient: as the engine had it: after the hooks of the tensor.
        altered: why it isn't the sum of the contributions that are drawn; "" if it is.
        before: of a leaf, what `.grad` held before the first of the passes; None for nothing.
        after: of a leaf, what `.grad` held after the last of the passes; None for nothing.
    """

    gradient: np.ndarray
    altered: str = ""
    before: np.ndarray | None = None
    after: np.ndarray | None = None


def arrivals(passes: Sequence[Pass], steps: Iterable[Step]) -> dict[Key, Arrival]:
    """The gradients of all tensors of the steps that the passes reached."""
    drawn = {step.node: step.inputs for step in steps if step.node is not None}
    keys = {*drawn, *(key for inputs in drawn.values() for key in inputs)}
    found: dict[Key, Arrival] = {}
    for backward in passes:
        for key, arrival in _of_one(backward, drawn).items():
            if key in keys:
                found[key] = _plus(found[key], arrival) if key in found else arrival
    return found


def _of_one(backward: Pass, drawn: Mapping[Node, tuple[Key, ...]]) -> dict[Key, Arrival]:
    """The gradients that arrived in one backward pass; `drawn` are the nodes of the drawing and their inputs."""
    sums = dict(backward.seeds)
    elsewhere: set[Key] = set()
    with np.errstate(all="ignore"):
        for (node, position), flow in backward.flows.items():
            key = node.edges[position]
            # Added in the order of the engine, so that the sum has the engine's bits.
            sums[key] = sums[key] + flow.contribution if key in sums else flow.contribution
            if node not in drawn:
                elsewhere.add(key)
    arrived: dict[Key, np.ndarray] = {node: flow.upstream for (node, _), flow in backward.flows.items()}
    if backward.whole:
        leaves = {key: sum for key, sum in sums.items() if key not in arrived}
        arrived |= leaves | {key: added for key, added in backward.added.items() if key not in arrived}
    return {
        key: Arrival(
            gradient,
            ELSEWHERE if key in elsewhere else HOOK if _differ(sums.get(key), gradient) else "",
            *_held(backward, key, gradient),
        )
        for key, gradient in arrived.items()
    }


def _held(backward: Pass, key: Key, gradient: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What `.grad` of a leaf held before the pass and after it."""
    if key not in backward.before:
        return None, None
    before = backward.before[key]
    with np.errstate(all="ignore"):
        return before, gradient if before is None else before + gradient


def _plus(one: Arrival, next: Arrival) -> Arrival:
    with np.errstate(all="ignore"):
        gradient = np.asarray(one.gradient + next.gradient)
    before, after = (one.before, next.after) if one.after is not None else (next.before, next.after)
    return Arrival(gradient, one.altered or next.altered, before, after)


def _differ(sum: np.ndarray | None, gradient: np.ndarray) -> bool:
    return sum is None or not np.array_equal(sum, gradient, equal_nan=gradient.dtype.kind == "f")


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether two gradients are equal to rounding; None stands for no gradient."""
    if one is None or other is None or one.shape != other.shape:
        return one is other
    return bool(np.allclose(one, other, rtol=1e-5, atol=0, equal_nan=True))


def only_from(passes: Sequence[Pass], outputs: Iterable[Key]) -> tuple[Pass, ...]:
    """The backward passes that reached one of the outputs."""
    outputs = tuple(outputs)
    return tuple(backward for backward in passes if any(backward.met(key) for key in outputs))
