"""The names of arrays in a recording."""

from __future__ import annotations

import weakref

import numpy as np


class Names:
    """The names of arrays by their identity, for as long as they live.

    An array that the recorded function lets go of is freed, and its identity may become another array's. So a name goes
    with its array.
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._alive: dict[int, weakref.ref[np.ndarray]] = {}

    def get(self, array: object) -> str | None:
        """The name of an array, if it has one."""
        return self._names.get(id(array))

    def __getitem__(self, array: object) -> str:
        return self._names[id(array)]

    def give(self, array: np.ndarray, name: str) -> str:
        """Name an array, in place of the name that it may have; returns the name."""
        names, alive, key = self._names, self._alive, id(array)

        def died(_: object) -> None:
            names.pop(key, None)
            alive.pop(key, None)

        names[key], alive[key] = name, weakref.ref(array, died)
        return name

    def clear(self) -> None:
        """Forget all names."""
        self._names.clear()
        self._alive.clear()
