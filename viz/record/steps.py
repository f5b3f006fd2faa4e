"""Steps of a computation, found in a live graph or seen by a trace.

Steps refer to the arrays of the computation, which are shared and never changed; records hold none.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

from tensorgrad.autograd.node import Node
from tensorgrad.autograd.observer import BACKWARD, Observer, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable

Key = Hashable
"""Identifies a tensor: the node that made it, the leaf itself, or for a constant the identity of its array."""


@dataclass(slots=True, eq=False)
class Step:
    """One op that ran, or failed: then `output` is None.

    Attributes:
        op: the op.
        node: its node in the graph; None where no gradient was wanted.
        inputs: the keys of its inputs.
        input_shapes: their shapes.
        output: the key of its result.
        shape: that of its result.
        scopes: the modules' calls that it ran in, outermost first.
        calls: the running number of each of these calls.
        source: file and number of the line that called it.
        place: code of the program and the offset of the instruction in it that called it.
        error: what it raised.
        leaves: by key, the arrays of leaves that had changed since they were first seen, as they were when it ran.
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
    place: tuple[CodeType, int] | None = None
    error: str = ""
    leaves: Mapping[Key, np.ndarray] = field(default_factory=dict)

    def carries(self, position: int) -> bool:
        """Whether a gradient flows back to this input."""
        node = self.node
        return node is not None and node.edges[position] is not None and self.op.rule(position) is not None


class Known:
    """What is known of one tensor; where several sources know it, the first one counts.

    Attributes:
        name: its name.
        array: its values.
        gradient: its `.grad`.
        variable: of what no op has made, the variable that held it when an op of a trace used it; `""` for none.
    """

    name: str | None = None
    array: np.ndarray | None = None
    gradient: np.ndarray | None = None
    variable: str = ""

    def learn(self, name: str | None, array: np.ndarray | None, gradient: Variable | None = None) -> None:
        """Add what one source knows."""
        self.name = self.name or name
        self.array = array if self.array is None else self.array
        if self.gradient is None and gradient is not None:
            self.gradient = gradient._data


@dataclass(slots=True)
class Flow:
    """One step of the chain rule at a node, for one of its inputs.

    Attributes:
        upstream: the gradient that arrived at the node.
        contribution: the gradient that it passed on to the input.
        unsummed: the shape of the contribution before it was summed over broadcast axes.
    """

    upstream: np.ndarray
    contribution: np.ndarray
    unsummed: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Pass:
    """One backward pass.

    Attributes:
        call: what began it, `backward` or `grad`.
        recorded: whether it was recorded itself, to be differentiated again.
        seeds: the upstream gradients that it began with, by the key of the tensor.
        flows: its steps in the order they were taken, by node and position of the input.
        added: what `backward` added to the `.grad` of each leaf.
        before: what `.grad` held until then; None for nothing.
        whole: whether it ended without an error.
    """

    call: str = ""
    recorded: bool = False
    seeds: dict[Key, np.ndarray] = field(default_factory=dict)
    flows: dict[tuple[Node, int], Flow] = field(default_factory=dict)
    added: dict[Key, np.ndarray] = field(default_factory=dict)
    before: dict[Key, np.ndarray | None] = field(default_factory=dict)
    whole: bool = False

    def met(self, key: Key) -> bool:
        """Whether it reached a tensor that an op made."""
        return key in self.seeds or any(node is key for node, _ in self.flows)


@dataclass
class Computed:
    """A computation, or the part of it that led to some outputs.

    Attributes:
        steps: in the order they ran.
        known: what is known of their tensors, by key.
        outputs: the keys of the tensors that it is about; none of one that failed.
        passes: the backward passes that reached an output.
        paths: by identity of the module, its path where another module has the same one.
    """

    steps: list[Step]
    known: dict[Key, Known]
    outputs: tuple[Key, ...]
    passes: tuple[Pass, ...] = ()
    paths: Mapping[int, str] = field(default_factory=dict)


class Flows(Observer):
    """An observer that keeps every step of the chain rule: a `Pass` for each backward pass."""

    def __init__(self) -> None:
        self.passes: list[Pass] = []
        # The passes that are running, each inside a hook of the one before; with the error that was being handled.
        self._running: list[tuple[Pass, BaseException | None]] = []
        self._unsummed: tuple[int, ...] | None = None

    def scope_entered(self, scope: Scope) -> None:
        """A backward pass is about to begin."""
        if scope == BACKWARD:
            self._running.append((Pass(), sys.exc_info()[1]))

    def backward_started(
        self, call: str, outputs: tuple[Variable, ...], seeds: tuple[Variable, ...], create_graph: bool
    ) -> None:
        """The pass begins: its arguments were right."""
        backward = self._running[-1][0]
        backward.call, backward.recorded = call, create_graph
        for output, seed in zip(outputs, seeds, strict=True):
            key, before = key_of(output), backward.seeds.get(key_of(output))
            backward.seeds[key] = seed._data if before is None else before + seed._data
        self.passes.append(backward)

    def scope_left(self, scope: Scope) -> None:
        """The pass is over."""
        if scope == BACKWARD:
            backward, passing = self._running.pop()
            backward.whole = sys.exc_info()[1] is passing

    def gradient_summed(self, node: Node, position: int, shape: tuple[int, ...]) -> None:
        """The next contribution is summed from this shape."""
        self._unsummed = shape

    def gradient_contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """Keep the arrays: the engine doesn't write into them while it is observed."""
        array = contribution._data
        shape = array.shape if self._unsummed is None else self._unsummed
        self._running[-1][0].flows[node, position] = Flow(upstream._data, array, shape)
        self._unsummed = None

    def gradients_arrived(self, gradients: Mapping[Variable, Variable], create_graph: bool) -> None:
        """All gradients have arrived, and are about to be added to the leaves' `.grad`."""
        backward = self._running[-1][0]
        for tensor, gradient in gradients.items():
            key = key_of(tensor)
            backward.added[key] = gradient._data
            backward.before[key] = None if tensor._grad is None else tensor._grad._data.copy()  # it is changed in place


def key_of(variable: Variable) -> Key:
    """The key of a tensor in a live graph."""
    return variable._node or (variable if variable._requires_grad else id(variable._data))


def flows_of(passes: Iterable[Pass]) -> dict[tuple[Node, int], Flow]:
    """The steps of the chain rule, summed over several backward passes; a pass alone keeps its own arrays."""
    flows: dict[tuple[Node, int], Flow] = {}
    for backward in passes:
        for place, flow in backward.flows.items():
            before = flows.get(place)
            if before is not None:
                with np.errstate(all="ignore"):
                    upstream, contribution = before.upstream + flow.upstream, before.contribution + flow.contribution
                flow = Flow(upstream, contribution, flow.unsummed)
            flows[place] = flow
    return flows


def learn_from(known: MutableMapping[Key, Known], value: Any, name: str | None) -> None:
    """Add the name and value of a tensor or an array that the caller holds."""
    if isinstance(value, Variable):
        known[key_of(value)].learn(name, value._data, value._grad)
    elif isinstance(value, np.ndarray):
        known[id(value)].learn(name, value)
