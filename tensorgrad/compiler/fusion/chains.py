"""Steps, who makes which array, and who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.compiler.recording import Step

Shapes = dict[str, tuple[int, ...]]


class Chains:
    """All steps, and between them the arrays.

    Attributes:
        forward, walks: the steps so far, in which some are exchanged for others.
        makers, readers: per array who makes it, and who reads it, as recorded; None is a reader besides the steps.
        shapes: of all arrays.
    """

    def __init__(
        self, forward: Sequence[Step], walks: dict[int, Sequence[Step]], results: Sequence[str], shapes: Shapes
    ) -> None:
        self.shapes = shapes
        self.forward = list(forward)
        self.walks = {k: list(steps) for k, steps in walks.items()}
        self.makers: dict[str, Step] = {}
        self.readers: dict[str, list[Step | None]] = {name: [None] for name in results}
        for step in (*forward, *(step for steps in walks.values() for step in steps)):
            self.makers.update(dict.fromkeys(step.outputs, step))
            for name in step.takes:
                self.readers.setdefault(name, []).append(step)

    def read_by(self, name: str, *ops: type[Op]) -> list[Step] | None:
        """The steps that read an array, if they are all applications of these ops."""
        readers = self.readers.get(name, [])
        return readers if all(step is not None and step.function in ops for step in readers) else None

    def walk_of(self, step: Step) -> list[Step] | None:
        """The walk back in which a step still is."""
        return next((steps for steps in self.walks.values() if any(other is step for other in steps)), None)


def place(steps: list[Step], step: Step) -> int:
    """Where a step is; not `steps.index`, which would compare settings."""
    return next(k for k, other in enumerate(steps) if other is step)


def replace(steps: list[Step], old: Sequence[Step], new: Step) -> None:
    """Put one step in the place of the first of several, which go."""
    first = min(place(steps, step) for step in old)
    for step in old:
        del steps[place(steps, step)]
    steps.insert(first, new)


def placed(values: Sequence[Any]) -> dict[int, Any]:
    """Settings by their position behind the arrays."""
    return dict(enumerate(values))
