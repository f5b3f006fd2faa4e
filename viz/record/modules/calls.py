"""The modules of a graph and their calls: plain data, and the paths that name modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

DEEPEST = 16
"""Modules nested deeper than this are drawn in the one at this depth: a parameter's name may have many dots."""


class Call(NamedTuple):
    """One call of a module: a contiguous part of the computation, so that no path leads out of it and back.

    Attributes:
        id: `module-0`, …, by the number of the module; `module-0-1`, … for its later calls.
        path: of the module.
        parent: the key of the call that this one lies in, in `Modules.calls`; `""` for none.
    """

    id: str
    path: str
    parent: str


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a graph, and their calls.

    Attributes:
        kinds: for each path the name of the class, `""` if unknown; in the order of the computation, a module before
            those inside of it.
        calls: by key, in the same order. The key is the path of the module, with a number for its later calls.
        call_of: for each op and tensor, by id, the key of the innermost call that it belongs to; `""` for none.
    """

    kinds: Mapping[str, str]
    calls: Mapping[str, Call]
    call_of: Mapping[str, str]

    def children(self, key: str) -> list[str]:
        """The keys of the calls directly inside; of `""`, the outermost."""
        return [other for other, call in self.calls.items() if call.parent == key]

    def chain(self, key: str) -> list[str]:
        """The key of a call, after those of the calls that it lies in, outermost first."""
        keys = []
        while key:
            keys.append(key)
            key = self.calls[key].parent
        return keys[::-1]

    def path(self, key: str) -> str:
        """The path of the module that was called."""
        return self.calls[key].path if key else ""


def prefixes(path: str) -> list[str]:
    """A module's path, after those of the modules that it lies in, outermost first.

    >>> prefixes("layer1.0.conv1")
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    parts = path.split(".", DEEPEST)[:DEEPEST]
    paths = (".".join(parts[: k + 1]) for k in range(len(parts)))
    return [path for path in paths if path.strip(".")]


def parent_path(path: str) -> str:
    """The path of the module that this one lies in; `""` for none."""
    return ["", "", *prefixes(path)][-2]


def common_path(paths: Iterable[str]) -> str:
    """The path of the innermost module that all of these lie in; `""` for none.

    >>> common_path(["layer1.0.conv1", "layer1.0.bn1"]), common_path(["conv1", "conv2"])
    ('layer1.0', '')
    """
    lines = [["", *prefixes(path)] for path in paths]
    together = [steps[0] for steps in zip(*lines, strict=False) if len(set(steps)) == 1]
    return together[-1] if together else ""
