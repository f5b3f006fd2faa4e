"""Steps that Python runs in each replay, between the command lists: host calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class HostCall(NamedTuple):
    """A step that Python runs in each replay.

    Attributes:
        sources: per argument the number of a parameter, the name of what an earlier host call returned, or the array
            or the setting itself.
        outputs: per output its name, and the array in which captured steps read it, None if none does.
    """

    run: Callable[..., Any]
    sources: list[Any]
    outputs: list[tuple[str, np.ndarray | None]]

    def __call__(self, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> bool:
        """Compute, and copy the outputs to their arrays. False if one is laid out otherwise than at the capture."""
        arguments = [SOURCES.get(type(x), itself)(x, arrays, found) for x in self.sources]
        values = self.run(*arguments)
        for (name, target), value in zip(self.outputs, outputs_of(values, len(self.outputs)), strict=True):
            if target is not None:
                if value.strides != target.strides:
                    return False
                np.copyto(target, value)
            found[name] = value if target is None else target  # what isn't kept is free for other arrays
        return True


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
"""Per kind of source what reads it, of the parameters and of what has been found by name."""


def outputs_of(values: Any, count: int) -> Sequence[Any]:
    """What a call of so many outputs returned, as a sequence."""
    return (values,) if count == 1 else values if count else ()
