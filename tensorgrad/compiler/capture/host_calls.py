"""Steps that Python runs in each replay, between the command lists: host calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class HostCall(NamedTuple):
    """A step that Python runs in each replay.

    Attributes:
        run: the function that computes the step.
        sources: per argument a `Parameter`, the `Name` of what an earlier host call returned, or the array or the
            setting itself.
        outputs: per output its name, and the array in fixed memory from which captured steps read it; None if no
            captured step reads it.
    """

    run: Callable[..., Any]
    sources: list[Any]
    outputs: list[tuple[str, np.ndarray | None]]

    def __call__(self, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> bool:
        """Compute the step, and copy its outputs to where captured steps read them.

        Args:
            arrays: the parameters.
            found: outputs by name; those of this step are added.

        Returns:
            False if an output has other strides than at the capture: captured steps would read it in another order.
        """
        arguments = [SOURCES.get(type(x), itself)(x, arrays, found) for x in self.sources]
        values = self.run(*arguments)
        for (name, target), value in zip(self.outputs, outputs_of(values, len(self.outputs)), strict=True):
            if target is not None:
                if value.strides != target.strides:
                    return False
                np.copyto(target, value)
            found[name] = value if target is None else target  # not both, so that one buffer becomes free
        return True


Made = dict[tuple[str, ...], Sequence[Any] | None]
"""What steps that mustn't be run once more have returned, by the names of their outputs; None if it was a view."""


class Parameter(int):
    """The number of a parameter."""


class Name(str):
    """The name of what a host call returned."""

    __slots__ = ()


def itself(value: Any, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> Any:
    """A source that is neither a parameter nor named."""
    return value


SOURCES: dict[type, Callable[..., Any]] = {
    Parameter: lambda number, arrays, _: arrays[number],
    Name: lambda name, _, found: found[name],
}
"""Per kind of source the function that looks it up, given the parameters and the outputs by name."""


def outputs_of(values: Any, count: int) -> Sequence[Any]:
    """What a call with `count` outputs returned, as a sequence: one output isn't in a tuple, and none is None."""
    return (values,) if count == 1 else values if count else ()


def arrays_of(values: Sequence[Any]) -> list[np.ndarray]:
    """The arrays among some values."""
    return [x for x in values if isinstance(x, np.ndarray)]
