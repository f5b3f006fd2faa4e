"""Values that a function can read from one place, as they were at a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any

from tensorgrad.compiler.guards.exact import same_plain


class Snapshot:
    """Values that are read from one place: how to read them, and what was found at the recording.

    Args:
        path: what messages call the place, with {} for the name of an element where there are names.
        read: returns the present values; it raises where one isn't there any longer.
        names: the names of the values, in their order.

    Attributes:
        expected: the values that were found.
    """

    __slots__ = ("expected", "names", "path", "read")

    def __init__(self, path: str, read: Callable[[], Sequence[Any]], names: Sequence[Any] = ()) -> None:
        self.path, self.read, self.names = path, read, names
        self.expected = read()

    def changed(self) -> str | None:
        """The name of a value that has changed; None if none has."""
        try:
            found = self.read()
        except Exception:  # a value isn't there any longer, or a user's own code raised
            return self.path.format("…")
        if len(found) != len(self.expected):
            return self.path.format("…")
        if all(map(is_, found, self.expected)):
            return None
        for k, (now, then) in enumerate(zip(found, self.expected, strict=True)):
            if not same_plain(now, then):
                return self.path.format(self.names[k] if k < len(self.names) else k)
        self.expected = found  # equal values in other objects: found at once the next time
        return None


def all_of(mapping: Mapping[Any, Any]) -> Callable[[], Sequence[Any]]:
    """What reads all keys of a mapping, and then all values."""
    return lambda: [*mapping, *mapping.values()]
