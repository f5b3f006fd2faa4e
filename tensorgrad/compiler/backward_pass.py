"""The walk back from outputs of a program: for those among them that have a gradient, in the order of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tensorgrad.autograd.engine import Node, Variable
from tensorgrad.compiler.program import function_of, live
from tensorgrad.compiler.recording import Step
from tensorgrad.ops.elementwise.arithmetic import Add


class Walk(NamedTuple):
    """What was recorded of the walk back from outputs that share a part of their graph, all of them having a gradient.

    Attributes:
        upstream: the name of the gradient of each output, by its number.
        steps: from there on.
        gradients: per input and leaf the names of what it gets, one after the other.
    """

    upstream: dict[int, str]
    steps: tuple[Step, ...]
    gradients: tuple[tuple[str, ...], ...]

    @property
    def found(self) -> tuple[str, ...]:
        """All that inputs and leaves get."""
        return tuple(dict.fromkeys(name for names in self.gradients for name in names))


class Backward:
    """A walk as functions of arrays, one for each choice of outputs that have a gradient, made when it is needed.

    Attributes:
        kept: what they need of the forward pass.
    """

    def __init__(
        self, walk: Walk, steps: Sequence[Step], made: Iterable[str], constants: dict[str, np.ndarray]
    ) -> None:
        steps = live(steps, walk.found)
        read = dict.fromkeys((*[name for step in steps for name in step.takes], *walk.found))
        made = set(made)
        self.kept = tuple(name for name in read if name in made)
        self._walk, self._steps, self._constants = walk, steps, constants
        self._known: dict[tuple[int, ...], _Function] = {}

    def function(self, outputs: tuple[int, ...]) -> _Function:
        """The walk from these outputs alone."""
        found = self._known.get(outputs)
        if found is None:
            found = self._known[outputs] = self._made(outputs)
        return found

    def _made(self, outputs: tuple[int, ...]) -> _Function:
        absent = {name for k, name in self._walk.upstream.items() if k not in outputs}
        steps, names = pruned(self._steps, absent)
        gradients = [[names.get(name, name) for name in some if name not in absent] for some in self._walk.gradients]
        found = tuple(dict.fromkeys(name for some in gradients for name in some))
        steps = live(steps, found)
        needed = {name for step in steps for name in step.takes}.union(found)
        kept = [(place, name) for place, name in enumerate(self.kept) if name in needed]
        upstream = [self._walk.upstream[k] for k in outputs]
        title = "_".join(str(k + 1) for k in outputs)
        run = function_of(f"backward_{title}", upstream, steps, found, self._constants, kept=[name for _, name in kept])
        places = tuple(tuple(found.index(name) for name in some) for some in gradients)
        return _Function(run, tuple(place for place, _ in kept), places)


class _Function(NamedTuple):
    """A walk back.

    Attributes:
        run: takes the upstream gradients, and a list of what was kept, unless there is nothing.
        kept: which of what was kept.
        places: per input and leaf, where among the results there is what it gets.
    """

    run: Callable[..., tuple]
    kept: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]


def pruned(steps: Sequence[Step], absent: set[str]) -> tuple[list[Step], dict[str, str]]:
    """The steps that are left where some upstream gradients aren't there; and the names of what others stand for.

    A rule is linear in its upstream gradient, so what is computed from an absent one is absent: it's added to `absent`.
    The one op that takes two gradients is the sum of what arrives at a node: of that the other one is left.
    """
    left, names = [], {}
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


def grouped(outputs: Sequence[Variable], wanted: Iterable[int]) -> list[list[int]]:
    """The numbers of `wanted` outputs, in groups that share nodes of the graph: to walk back from one frees others."""
    groups: list[tuple[list[int], set[Node]]] = []
    for k in wanted:
        numbers, nodes = [k], _below(outputs[k]._node)
        for group in [group for group in groups if not nodes.isdisjoint(group[1])]:
            groups.remove(group)
            numbers, nodes = [*group[0], *numbers], nodes | group[1]
        groups.append((numbers, nodes))
    return [sorted(numbers) for numbers, _ in groups]


def _below(root: Node) -> set[Node]:
    found, stack = {root}, [root]
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in found:
                found.add(edge)
                stack.append(edge)
    return found
