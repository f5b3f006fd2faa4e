"""The backward pass of a program, from the outputs that have a gradient, in the order of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple, cast

import numpy as np

from tensorgrad.autograd.backward_pass import nodes_below
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.fusion import loops
from tensorgrad.compiler.program import function_of, live, renewed
from tensorgrad.compiler.steps import Kind, Step
from tensorgrad.ops.elementwise.arithmetic import Add


class RecordedPass(NamedTuple):
    """The recorded backward pass from outputs that share a part of their graph, all of them with a gradient.

    Attributes:
        upstream: the name of the upstream gradient of each output, by its number.
        steps: of the backward pass.
        gradients: per input and leaf the names of its contributions, one after the other.
    """

    upstream: dict[int, str]
    steps: tuple[Step, ...]
    gradients: tuple[tuple[str, ...], ...]

    @property
    def found(self) -> tuple[str, ...]:
        """The names of all contributions to inputs and leaves."""
        return tuple(dict.fromkeys(name for names in self.gradients for name in names))


class Backward:
    """A backward pass as functions of arrays: one for each set of outputs with a gradient, made at its first use.

    Attributes:
        kept: the names of the arrays of the forward pass that they need.
    """

    def __init__(
        self,
        recorded: RecordedPass,
        steps: Sequence[Step],
        made: Iterable[str],
        constants: dict[str, np.ndarray],
        kinds: Mapping[str, Kind],
    ) -> None:
        steps = live(steps, recorded.found)
        read = dict.fromkeys((*[name for step in steps for name in step.takes], *recorded.found))
        made = set(made)
        self.kept = tuple(name for name in read if name in made)
        self._recorded, self._steps, self._constants, self._kinds = recorded, steps, constants, kinds
        self._known: dict[tuple[int, ...], _Function] = {}

    def function(self, outputs: tuple[int, ...]) -> _Function:
        """The backward pass from these outputs alone."""
        found = self._known.get(outputs)
        if found is None:
            found = self._known[outputs] = self._made(outputs)
        return found

    def _made(self, outputs: tuple[int, ...]) -> _Function:
        absent = {name for k, name in self._recorded.upstream.items() if k not in outputs}
        steps, names = pruned(self._steps, absent)
        gradients = [
            [names.get(name, name) for name in some if name not in absent] for some in self._recorded.gradients
        ]
        found = tuple(dict.fromkeys(name for some in gradients for name in some))
        steps, constants = renewed(steps, self._constants, found)
        steps = loops.fused(live(steps, found), found, self._kinds)
        needed = {name for step in steps for name in step.takes}.union(found)
        kept = [(place, name) for place, name in enumerate(self.kept) if name in needed]
        upstream = [self._recorded.upstream[k] for k in outputs]
        title = "_".join(str(k + 1) for k in outputs)
        run = function_of(f"backward_{title}", upstream, steps, found, constants, kept=[name for _, name in kept])
        places = tuple(tuple(found.index(name) for name in some) for some in gradients)
        return _Function(run, tuple(place for place, _ in kept), places)


class _Function(NamedTuple):
    """A backward pass from a set of outputs.

    Attributes:
        run: takes the upstream gradients, and a list of the kept arrays if it needs any.
        kept: the positions of those that it needs, among `Backward.kept`.
        places: per input and leaf, the positions of its contributions among the results.
    """

    run: Callable[..., tuple]
    kept: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]


def pruned(steps: Sequence[Step], absent: set[str]) -> tuple[list[Step], dict[str, str]]:
    """The steps that remain if some upstream gradients are absent, and which names stand for which others.

    A rule is linear in its upstream gradient, so what is computed from an absent one is absent, and added to `absent`.
    Only the sum of the contributions at a node takes two gradients: where one is absent, the other remains.
    """
    left: list[Step] = []
    names: dict[str, str] = {}
    for step in steps:
        inputs = tuple(names.get(name, name) for name in step.inputs)
        arrays = {key: names.get(name, name) for key, name in step.arrays.items()}
        present = [name for name in inputs if name not in absent]
        if len(present) == len(inputs) and absent.isdisjoint(arrays.values()):
            left.append(step._replace(inputs=inputs, arrays=arrays))
        elif step.function is Add and present:
            names[step.outputs[0]] = present[0]
        else:
            absent.update(step.outputs)
    return left, names


def grouped(outputs: Sequence[Variable], wanted: Iterable[int]) -> list[list[int]] | None:
    """The numbers of `wanted` outputs in groups that share nodes of the graph: a backward pass frees those of all.

    They come in the order in which they add to the leaves that they share, the oldest first: the engine goes through
    the groups as through its nodes, and sums have the same bits then. None where two add to leaves by turns.
    """
    groups: list[tuple[list[int], set[Node]]] = []
    for k in wanted:
        root = outputs[k]._node
        numbers, nodes = [k], nodes_below(() if root is None else (root,))
        for group in [group for group in groups if not nodes.isdisjoint(group[1])]:
            groups.remove(group)
            numbers, nodes = [*group[0], *numbers], nodes | group[1]
        groups.append((numbers, nodes))
    order = _oldest_first([_ages_at_leaves(nodes) for _, nodes in groups])
    return None if order is None else [sorted(groups[k][0]) for k in order]


def leaves_below(root: Node) -> set[Variable]:
    """The tensors that gradients from a node arrive at."""
    edges = [edge for node in nodes_below((root,)) for edge in node.edges]
    return {cast("Variable", edge) for edge in edges if edge is not None and type(edge) is not Node}


def _ages_at_leaves(nodes: Iterable[Node]) -> dict[Variable, list[int]]:
    """Per leaf, the ages of the nodes that a gradient reaches it from."""
    ages: dict[Variable, list[int]] = {}
    for node in nodes:
        for edge in node.edges:
            if edge is not None and type(edge) is not Node:
                ages.setdefault(cast("Variable", edge), []).append(node.age)
    return ages


def _oldest_first(ages: Sequence[dict[Variable, list[int]]]) -> list[int] | None:
    """The numbers of the groups, those of smaller ages at a leaf first; None if there is no such order."""
    after: dict[int, set[int]] = {k: set() for k in range(len(ages))}
    for one, other in permutations(range(len(ages)), 2):
        for leaf in ages[one].keys() & ages[other].keys():
            if max(ages[one][leaf]) < min(ages[other][leaf]):
                after[other].add(one)
            elif max(ages[other][leaf]) >= min(ages[one][leaf]):
                return None
    order: list[int] = []
    while len(order) < len(ages):
        free = [k for k in after if k not in order and after[k] <= {*order}]
        if not free:
            return None
        order.append(free[0])
    return order
