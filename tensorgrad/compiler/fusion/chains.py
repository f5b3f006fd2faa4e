"""The steps of a program, and which of them makes and reads each array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.compiler.steps import Kind, Step


class Chains:
    """All steps of a program, connected by the arrays that they make and read.

    Attributes:
        forward: the present steps of the forward pass; fused steps have replaced others.
        passes: those of the backward passes, by number.
        makers: per array the step that makes it, as recorded.
        readers: per array the steps that read it, as recorded; None is a reader outside the steps.
        kinds: of all arrays.
    """

    def __init__(
        self,
        forward: Sequence[Step],
        passes: Mapping[int, Sequence[Step]],
        results: Sequence[str],
        kinds: Mapping[str, Kind],
    ) -> None:
        self.kinds = kinds
        self.forward = list(forward)
        self.passes = {k: list(steps) for k, steps in passes.items()}
        self.makers: dict[str, Step] = {}
        self.readers: dict[str, list[Step | None]] = {name: [None] for name in results}
        for step in (*forward, *(step for steps in passes.values() for step in steps)):
            self.makers.update(dict.fromkeys(step.outputs, step))
            for name in step.takes:
                self.readers.setdefault(name, []).append(step)

    def read_by(self, name: str, *ops: type[Op]) -> list[Step] | None:
        """The steps that read an array, if they are all applications of these ops."""
        readers = self.readers.get(name, [])
        found = [step for step in readers if step is not None and step.function in ops]
        return found if len(found) == len(readers) else None

    def pass_of(self, step: Step) -> list[Step]:
        """The backward pass that holds a step; an empty list if none does."""
        return next((steps for steps in self.passes.values() if any(other is step for other in steps)), [])


def place(steps: list[Step], step: Step) -> int:
    """The position of a step, by identity: `steps.index` would compare settings."""
    return next(k for k, other in enumerate(steps) if other is step)


def replace(steps: list[Step], old: Sequence[Step], new: Step) -> None:
    """Replace several steps by one, at the position of the first."""
    first = min(place(steps, step) for step in old)
    for step in old:
        del steps[place(steps, step)]
    steps.insert(first, new)


def placed(values: Sequence[Any]) -> dict[int, Any]:
    """Settings by their position after the arrays."""
    return dict(enumerate(values))
