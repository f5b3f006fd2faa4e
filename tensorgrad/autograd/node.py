"""The graph: a node for each op that was recorded, with the values that its gradient rules ask for."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad.autograd import variable
from tensorgrad.autograd.modes import mode
from tensorgrad.autograd.op import ALL_INPUTS, OUTPUT, RESIDUALS, Op
from tensorgrad.autograd.variable import Hook, Variable, wrap
from tensorgrad.autograd.versions import Version, version_of
from tensorgrad.errors import GraphError, ShapeError, restate

next_age = itertools.count().__next__
"""A running number, higher than that of all nodes that exist."""

_new = object.__new__

Edge: TypeAlias = "Node | Variable | None"


class Saved(NamedTuple):
    """A value kept for backward as it was then: its array, the version of its memory, its name, where it came from."""

    array: np.ndarray
    version: Version
    name: str | None
    source: Edge

    @property
    def value(self) -> np.ndarray | None:
        """The array as it was when it was saved; None if it has been changed since and no copy was kept."""
        return self.array if self.version.current else self.version.value(self.array)


class Node:
    """The record of one applied op.

    Attributes:
        op: the op, with its parameters.
        edges: per input, the Node that made it, the leaf itself, or None where no gradient flows.
        constants: the shapes of the inputs without an edge, in their order.
        kept: the positions of the values that the rules ask for, OUTPUT for z.
        values: of each of these its array, the version of its memory and its name, all in one flat tuple; None once
            backward has freed them. An object per value would cost the garbage collector a visit each.
        age: a running number. A node is younger than all it was computed from: sorting by age is a topological order.
        shape: of the output. The output itself isn't kept, so a graph holds no reference cycle.
        dtype: of the output.
    """

    __slots__ = (
        "__weakref__",
        "age",
        "constants",
        "dtype",
        "edges",
        "hooks",
        "kept",
        "name",
        "op",
        "retained",
        "shape",
        "values",
    )
    op: Op
    edges: tuple[Edge, ...]
    constants: tuple[tuple[int, ...], ...]
    kept: tuple[int, ...]
    values: tuple[Any, ...] | None
    age: int
    shape: tuple[int, ...]
    dtype: np.dtype
    name: str | None
    hooks: dict[int, Hook] | None
    retained: weakref.ref[Variable] | None

    @property
    def freed(self) -> bool:
        """Whether an earlier backward has dropped what this one would need."""
        return self.values is None

    @property
    def saved(self) -> dict[int, Saved] | None:
        """The values that the rules ask for, by position; None once backward has freed them. For readers of graphs."""
        return None if self.values is None else {k: self._saved(k) for k in self.kept}

    def _saved(self, k: int) -> Saved:
        assert self.values is not None
        at = 3 * self.kept.index(k)
        array, version, name = self.values[at : at + 3]
        return Saved(array, version, name, None if k == OUTPUT else self.edges[k])  # z comes from this node

    def free(self) -> None:
        """Drop what was kept for backward; the structure stays, for drawings.

        A view that kept sizes alone can be gone through again: of a leaf, it may be the input of many graphs.
        """
        if self.values or not self.op.aliases or not _are_sizes(self.op.residuals):
            self.values = None
            if self.op.residuals is not None:  # a shared op has none
                self.op.residuals = None

    def value(self, k: int, position: int) -> Any:
        """What a rule asked for under source `k`, for the input at `position`.

        A saved value comes as a Variable with its history, so that rules can be differentiated again.
        """
        if k >= 0 or k == OUTPUT:
            values, at, source = self.values, 3 * self.kept.index(k), self if k == OUTPUT else self.edges[k]
            assert values is not None
            array, version = values[at], values[at + 1]
            node = source if type(source) is Node else None
            if version.current and source is not node:
                return source  # a leaf
            if not version.current:
                array = None if source is not node else version.value(array)
            if array is None:
                raise GraphError(_changed_in_place(self.op, k, self._saved(k)))
            # As wrap(array, node is not None, node), without the call.
            value = _new(variable.result_class)
            value._data, value._node, value._requires_grad = array, node, node is not None
            value._version = version if version.current else None
            value._aliases = value._hooks = value._grad = value.name = None
            return value
        if k == RESIDUALS:
            return self.op.residuals
        if k == ALL_INPUTS:
            return tuple([self.value(j, position) for j in range(len(self.edges))])
        return position  # POSITION

    def input_gradients(
        self, grad: Variable, only: Container[Node | Variable] | None = None, last: bool = False
    ) -> Iterable[tuple[int, Variable]]:
        """Per input that wants one: its position, and the vector–Jacobian product of the op for it.

        Where an input was broadcast, that still has the shape of the output: see `unbroadcast`.

        `last` says that nobody will ask again: what was kept may be let go on the way.
        """
        op: Any = self.op
        rules, end = op.rules, len(op.rules) - 1
        if op.together:
            edges = enumerate(self.edges)
            wanted = [k for k, edge in edges if edge is not None and (only is None or edge in only)]
            return op.backward_together(grad, op.residuals, wanted, last)
        found = []
        for position, edge in enumerate(self.edges):
            if edge is None or (only is not None and edge not in only):
                continue
            rule = rules[position if position < end else end]  # as op.rule(position), without the call
            if rule is None:
                continue
            values = []
            for k in rule.wants:
                values.append(op.residuals if k == RESIDUALS else self.value(k, position))
            found.append((position, rule.backward(op, grad, *values)))
        return found

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Per input, its shape. (A leaf keeps its own for life.)"""
        constants = iter(self.constants)
        return tuple([next(constants) if edge is None else shape_of(edge) for edge in self.edges])

    def unbroadcast(self, grad: Any, position: int) -> Variable:
        """Sum over the axes along which the input at `position` was broadcast."""
        op, shape, have = self.op, self.input_shapes[position], grad._data.shape
        for observer in mode.observers:
            observer.gradient_summed(self, position, have)
        lead = len(have) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, have[lead:], strict=True)):
            raise ShapeError(
                restate(
                    op.name,
                    f"backward_{op.input_name(position).split('[')[0]} returned a gradient that doesn't fit its input",
                    expected=f"shape {shape}, or one that {shape} broadcasts to",
                    fix="correct the op's gradient rule",
                    gradient=grad,
                )
            )
        # (lead..., m...) -> (n...)
        axes = tuple(range(lead)) + tuple(
            lead + k for k, (n, m) in enumerate(zip(shape, have[lead:], strict=True)) if n != m
        )
        return grad.sum(axes, True).reshape(shape)


def _are_sizes(residuals: Any) -> bool:
    """Whether a forward has left nothing but whole numbers, and tuples of them."""
    if type(residuals) is tuple:
        return all([type(n) is int or _are_sizes(n) for n in residuals])
    return residuals is None or type(residuals) is int


def shape_of(edge: Node | Variable) -> tuple[int, ...]:
    """The shape of the input behind an edge."""
    return edge.shape if isinstance(edge, Node) else edge._data.shape


def node_of(op: Op, inputs: tuple[Variable, ...], output: Variable, needs: Sequence[bool]) -> Node:
    """The record of `op`, which made `output` of `inputs`; `needs` says which of them require a gradient."""
    # This runs once per recorded op, so it is made of what costs least: a class's own `__init__` costs a call more.
    node, data = Node(), output._data
    node.op = op
    node.age = next_age()
    node.shape = data.shape
    node.dtype = data.dtype
    node.name = node.hooks = node.retained = None
    edges: list[Edge] = []
    for x in inputs:
        edges.append((x._node or x) if x._requires_grad else None)
    node.edges = tuple(edges)
    node.constants = ()
    if False in needs:
        node.constants = tuple([x._data.shape for x in inputs if not x._requires_grad])
    kept = op.always_kept
    if kept is None:
        kept = op.known.get(needed := tuple(needs))
        if kept is None:
            kept = op.kept(needed)
    node.kept = kept
    values: tuple[Any, ...] = ()
    for k in kept:
        if k != OUTPUT:
            x = inputs[k]
        else:
            x = output
            if x._aliases is None:  # nobody else has it yet: as version_of(output), without its lock
                x._version = Version()
        version = x._version
        if version is None or not version.current:
            version = version_of(x)
        values += (x._data, version, x.name)
    node.values = values
    return node


def _changed_in_place(op: Op, k: int, saved: Saved) -> str:
    what = "its output z" if k == OUTPUT else f"its input {op.input_name(k)}"
    tensor = wrap(saved.array)
    tensor.name = saved.name
    return restate(
        op.name,
        f"backward needs {what}, which was changed in place, unrecorded, after {op.name} used it",
        expected="the values as they were",
        fix="change a copy (t.clone()), or make the change after backward()",
        tensor=tensor,
    )
