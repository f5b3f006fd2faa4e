"""The steps of a program, and which of them makes and reads each array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.compiler.steps import Kind, Step


class Chains:
    """The dataflow graph of a program: its steps, connected by the arrays that they make and read.

    Args:
        forward: the steps of the forward pass, as recorded.
        passes: the steps of each backward pass, by its number.
        results: the names of the arrays that are read outside the steps, such as outputs.
        kinds: shape and dtype of each array, by name.

    Attributes:
        forward, passes: the same; fusion replaces steps in them.
        makers: per array the step that makes it, as recorded.
        readers: per array the steps that read it, as recorded; None stands for a reader outside the steps.
        kinds: as given.
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
    """`values` as the settings of a step whose function takes them after its arrays, keyed by position among them."""
    return dict(enumerate(values))
