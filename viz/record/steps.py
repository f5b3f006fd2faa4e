"""Steps of a computation, as they are found in a live graph or seen by a trace.

Here arrays are still at hand, shared and never changed; the records made from them hold none.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import BACKWARD, Node, Scope, Variable
from tensorgrad.autograd.op import Op

Key = Hashable
"""What a tensor is known by: the node that made it, the leaf itself, or for a constant the identity of its array."""


@dataclass(slots=True, eq=False)
class Step:
    """One op that ran, or failed: then `output` is None.

    Attributes:
        op, node: the op, and its record in the graph where a gradient was wanted.
        inputs, input_shapes: the keys of its inputs, and their shapes.
        output, shape: those of its result.
        scopes, calls: the modules' calls that it ran in, outermost first, and the running number of each call.
        source: file and number of the line that called it.
        error: what it raised.
        leaves: the arrays that leaves held when it ran, by key, where they had been changed since they were first seen.
    """

    op: Op
    node: Node | None
    inputs: tuple[Key, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output: Key | None
    shape: tuple[int, ...] = ()
    scopes: tuple[Scope, ...] = ()
    calls: tuple[int, ...] = ()
    source: tuple[str, int] | None = None
    error: str = ""
    leaves: Mapping[Key, np.ndarray] = field(default_factory=dict)

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


@dataclass(slots=True, eq=False)
class Pass:
    """One walk back through a graph.

    Attributes:
        call: what began it, `backward` or `grad`.
        recorded: whether it was recorded itself, to be differentiated again.
        seeds: what it began with, by the key of the tensor that it started from.
        flows: its steps in the order they were taken, by node and position of the input.
        added: of `backward`, what it added to the `.grad` of each leaf.
        before: what was in `.grad` then; None for nothing.
        whole: whether it came to its end.
    """

    call: str = ""
    recorded: bool = False
    seeds: dict[Key, np.ndarray] = field(default_factory=dict)
    flows: dict[tuple[Node, int], Flow] = field(default_factory=dict)
    added: dict[Key, np.ndarray] = field(default_factory=dict)
    before: dict[Key, np.ndarray | None] = field(default_factory=dict)
    whole: bool = False

    def met(self, key: Key) -> bool:
        """Whether it came by a tensor that an op made."""
        return key in self.seeds or any(node is key for node, _ in self.flows)


@dataclass
class Computed:
    """A computation, or the part of it that led to some outputs.

    Attributes:
        steps: in the order they ran.
        known: what is known of their tensors, by key.
        outputs: the keys of the tensors that it is about; none of one that failed.
        passes: the walks back that came by an output.
        paths: what a module is called where another of the same path is about: by identity of the module.
    """

    steps: list[Step]
    known: dict[Key, Known]
    outputs: tuple[Key, ...]
    passes: tuple[Pass, ...] = ()
    paths: Mapping[int, str] = field(default_factory=dict)


class Flows:
    """An observer that keeps every step of the chain rule it sees: a `Pass` for each walk back."""

    def __init__(self) -> None:
        self.passes: list[Pass] = []
        # Of the walks that go on now, one within a hook of the other: each with the error that was passing by then.
        self._walks: list[tuple[Pass, BaseException | None]] = []
        self._unsummed: tuple[int, ...] | None = None

    def applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Ops are none of its business."""

    failed = applied

    def entered(self, scope: Scope) -> None:
        """A walk back is about to begin."""
        if scope == BACKWARD:
            self._walks.append((Pass(), sys.exc_info()[1]))

    def started(
        self, call: str, outputs: tuple[Variable, ...], seeds: tuple[Variable, ...], create_graph: bool
    ) -> None:
        """It begins, for nothing was wrong with what it was given."""
        walk = self._walks[-1][0]
        walk.call, walk.recorded = call, create_graph
        for output, seed in zip(outputs, seeds, strict=True):
            key, before = key_of(output), walk.seeds.get(key_of(output))
            walk.seeds[key] = seed._data if before is None else before + seed._data
        self.passes.append(walk)

    def left(self, scope: Scope) -> None:
        """It is over."""
        if scope == BACKWARD:
            walk, passing = self._walks.pop()
            walk.whole = sys.exc_info()[1] is passing

    def summed(self, node: Node, position: int, shape: tuple[int, ...]) -> None:
        """The next contribution is a sum."""
        self._unsummed = shape

    def contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """Keep the arrays: nobody writes into them while somebody observes."""
        array = contribution._data
        shape = array.shape if self._unsummed is None else self._unsummed
        self._walks[-1][0].flows[node, position] = Flow(upstream._data, array, shape)
        self._unsummed = None

    def arrived(self, gradients: Mapping[Variable, Variable], create_graph: bool) -> None:
        """Everything has arrived, and is about to be added to the leaves' `.grad`, which others may change later."""
        walk = self._walks[-1][0]
        for tensor, gradient in gradients.items():
            key = key_of(tensor)
            walk.added[key] = gradient._data
            walk.before[key] = None if tensor.grad is None else tensor.grad._data.copy()


def key_of(variable: Variable) -> Key:
    """What a tensor is known by in a live graph."""
    return variable._node or (variable if variable._requires_grad else id(variable._data))


def flows_of(passes: Iterable[Pass]) -> dict[tuple[Node, int], Flow]:
    """The steps of the chain rule of several walks back, added up: where one has walked alone, its own arrays."""
    flows: dict[tuple[Node, int], Flow] = {}
    for walk in passes:
        for place, flow in walk.flows.items():
            before = flows.get(place)
            if before is not None:
                with np.errstate(all="ignore"):
                    upstream, contribution = before.upstream + flow.upstream, before.contribution + flow.contribution
                flow = Flow(upstream, contribution, flow.unsummed)
            flows[place] = flow
    return flows


def learn_from(known: MutableMapping[Key, Known], value: Any, name: str | None) -> None:
    """Add what a tensor or an array that the caller holds tells."""
    if isinstance(value, Variable):
        known[key_of(value)].learn(name, value._data, value._grad)
    elif isinstance(value, np.ndarray):
        known[id(value)].learn(name, value)
