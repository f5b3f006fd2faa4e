"""Steps of a computation, as they are found in a live graph or seen by a trace.

Here arrays are still at hand, shared and never changed; the records made from them hold none.
"""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.engine import Node, Scope, Variable
from tensorgrad.op import Op

Key = Hashable
"""What a tensor is known by: the node that made it, the leaf itself, or for a constant the identity of its array."""


@dataclass(slots=True, eq=False)
class Step:
    """One op that ran, or failed: then `output` is None."""

    op: Op
    node: Node | None
    inputs: tuple[Key, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output: Key | None
    shape: tuple[int, ...] = ()
    scopes: tuple[Scope, ...] = ()
    source: tuple[str, int] | None = None
    error: str = ""

    def carries(self, position: int) -> bool:
        """Whether a gradient flows back to this input."""
        node = self.node
        return node is not None and node.edges[position] is not None and self.op.rule(position) is not None


class Known:
    """What is known of one tensor; of several sources, the first to tell counts."""

    name: str | None = None
    array: np.ndarray | None = None
    gradient: np.ndarray | None = None

    def learn(self, name: str | None, array: np.ndarray | None, gradient: Variable | None = None) -> None:
        """Add what one source tells."""
        self.name = self.name or name
        self.array = array if self.array is None else self.array
        if self.gradient is None and gradient is not None:
            self.gradient = gradient._data


@dataclass(slots=True)
class Flow:
    """One step of the chain rule: what arrived at a node, and what it handed on; the shape before a sum over axes."""

    upstream: np.ndarray
    contribution: np.ndarray
    unsummed: tuple[int, ...]


class Flows:
    """An observer that keeps every step of the chain rule it sees, by node and position of the input."""

    def __init__(self) -> None:
        self.seen: dict[tuple[Node, int], Flow] = {}
        self._unsummed: tuple[int, ...] | None = None

    def applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Ops are none of its business."""

    failed = applied

    def summed(self, node: Node, position: int, shape: tuple[int, ...]) -> None:
        """The next contribution is a sum."""
        self._unsummed = shape

    def contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """Keep the arrays: nobody writes into them while somebody observes."""
        array = contribution._data
        shape = array.shape if self._unsummed is None else self._unsummed
        self.seen[node, position] = Flow(upstream._data, array, shape)
        self._unsummed = None


def learn_from(known: MutableMapping[Key, Known], value: Any, name: str | None) -> None:
    """Add what a tensor or an array that the caller holds tells."""
    if isinstance(value, Variable):
        key = value._node or (value if value._requires_grad else id(value._data))
        known[key].learn(name, value._data, value._grad)
    elif isinstance(value, np.ndarray):
        known[id(value)].learn(name, value)
