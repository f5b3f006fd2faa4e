"""Binding: each node gets its handler, each name its source, and everything that is in the way is collected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorgrad.onnx.loading.running import Program, Step
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.graph import Function, Graph, Model, Node, Reference, names_read
from tensorgrad.onnx.reading.limits import STEPS
from tensorgrad.onnx.table import TABLE, handler_of

DEPTH = 64
"""How deep functions and graphs may lie within each other."""


class Binder:
    """Binds the graphs of a model.

    Args:
        model: the record of the file.
        problems: where what can't be taken is added.
    """

    def __init__(self, model: Model, problems: list[str]) -> None:
        self.model, self.problems, self.left = model, problems, STEPS

    def program(self) -> Program:
        """The model's main graph."""
        known = {d.name for d in self.model.graph.inputs} | {*self.model.graph.initializers}
        program = self._graph(self.model.graph, known, self.model.opsets, {}, 0)
        program.constants = {}  # the module holds them
        return program

    def _graph(
        self, graph: Graph, known: set[str], opsets: dict[str, int], given: dict[str, Any], depth: int
    ) -> Program:
        """A graph that may read the names in `known`, in a function whose attributes are `given`."""
        known = {*known, *(d.name for d in graph.inputs), *graph.initializers, *graph.unread}
        outputs = [d.name for d in graph.outputs]
        program = Program(graph.inputs, outputs, dict(graph.initializers))
        last = names_read(graph)
        for position, node in enumerate(graph.nodes):
            unknown = [name for name in node.inputs if name and name not in known]
            self.problems += [f"{node.label}: no node before it makes its input {name!r}" for name in unknown]
            step = self._step(node, known, opsets, given, depth)
            ending = {*filter(None, node.inputs), *filter(None, node.outputs)} - {*outputs}
            step.modules = modules_of(node.name)
            step.free = tuple(sorted(name for name in ending if last.get(name, position) <= position))
            program.steps.append(step)
            known |= {*filter(None, node.outputs)}
        self.problems += [f"no node makes the output {name!r}" for name in outputs if name not in known]
        return program

    def _step(self, node: Node, known: set[str], opsets: dict[str, int], given: dict[str, Any], depth: int) -> Step:
        self.left -= 1
        if self.left < 0:
            raise OnnxError(f"{node.label}: functions within functions make more than {STEPS:,} nodes")
        attributes = {}
        for name, value in node.attributes.items():
            if isinstance(value, Reference):
                value = given.get(value.name)
            if value is not None:
                attributes[name] = value
        node = Node(node.op, node.domain, node.name, node.inputs, node.outputs, attributes)
        function = self.model.functions.get((node.domain, node.op))
        if function is not None:
            return Step(node.label, node.inputs, node.outputs, None, {}, self._function(node, function, depth))
        version = opsets.get(node.domain, 0)
        handler = handler_of(node.domain, node.op, version)
        if handler is None:
            older = f" in version {version}" if TABLE.get((node.domain, node.op)) else ""
            self.problems.append(f"{node.label}: no such op is known{older}")
        else:
            self.problems += handler.problems(node)
        for name, value in attributes.items():
            if isinstance(value, Graph):
                attributes[name] = self._inner(node, value, known, opsets, given, depth)
        return Step(node.label, node.inputs, node.outputs, handler, attributes)

    def _function(self, node: Node, function: Function, depth: int) -> Program:
        if depth >= DEPTH:
            self.problems.append(f"{node.label}: functions lie more than {DEPTH} deep")
            return Program()
        if len(node.inputs) > len(function.graph.inputs):
            self.problems.append(f"{node.label}: it takes {len(function.graph.inputs)} inputs, got {len(node.inputs)}")
        given = {**function.attributes, **node.attributes}
        return self._graph(function.graph, set(), function.opsets or self.model.opsets, given, depth + 1)

    def _inner(
        self, node: Node, graph: Graph, known: set[str], opsets: dict[str, int], given: dict[str, Any], depth: int
    ) -> Program:
        if depth >= DEPTH:
            self.problems.append(f"{node.label}: graphs lie more than {DEPTH} deep")
            return Program()
        return self._graph(graph, known, opsets, given, depth + 1)


def modules_of(name: str) -> tuple[str, ...]:
    """The paths of the modules that the name of a node tells, as exporters write it; the outermost comes first.

    >>> modules_of("/layer1/layer1.0/conv1/Conv"), modules_of("layer1.conv1/Conv"), modules_of("Conv_3")
    (('layer1', 'layer1.0', 'layer1.0.conv1'), ('layer1', 'layer1.conv1'), ())
    """
    path = ""
    for part in name.strip("/").split("/")[:-1]:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    parts = path.split(".")[:DEPTH]
    return tuple(".".join(parts[:k]) for k in range(1, len(parts) + 1)) if path else ()


def steps_of(program: Program) -> Iterator[Step]:
    """All steps, those of inner graphs and functions included."""
    for step in program.steps:
        yield step
        inner = [value for value in step.attributes.values() if isinstance(value, Program)]
        for body in [*inner, *([step.function] if step.function is not None else [])]:
            yield from steps_of(body)
