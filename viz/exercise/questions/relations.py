"""The numbers that a drawing shows, how each follows from others, and which of them are the same number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tensorgrad.formulas.expression import Expression, Symbol
from tensorgrad.viz.exercise.blank import Place
from tensorgrad.viz.exercise.questions.evaluation import evaluate
from tensorgrad.viz.exercise.scene import Scene, derivative_of, formula_of
from tensorgrad.viz.record.records import EdgeRecord, OpRecord


@dataclass(frozen=True)
class Relation:
    """How a number follows from others.

    Attributes:
        of: the place of the result.
        operands: the places of the numbers that it follows from.
        compute: gives the result for the values of the operands.
    """

    of: Place
    operands: tuple[Place, ...]
    compute: Callable[..., float]


def numbers(scene: Scene) -> Iterator[tuple[Place, float]]:
    """Every number of a scalar that is drawn."""
    for tensor in scene.tensors.values():
        if tensor.shape == () and tensor.value is not None:
            yield ("value", tensor.id), float(tensor.value)
        if tensor.gradient is not None and tensor.gradient.value is not None:
            yield ("gradient", tensor.id), float(tensor.gradient.value)
    for op in scene.ops.values():
        for edge in scene.edges(op):
            if edge.local is not None:
                yield _place("local", edge), float(edge.local)
            if edge.contribution is not None and edge.contribution.value is not None:
                yield _place("flow", edge), float(edge.contribution.value)


def _place(what: str, edge: EdgeRecord) -> Place:
    return what, edge.op, edge.operand


# ----------------------------------------------------------------------------------------------------------- relations


def relations(scene: Scene) -> Iterator[Relation]:
    """How the numbers of a graph ought to follow from one another."""
    for op in scene.ops.values():
        yield from _forward(scene, op)
        for edge in scene.edges(op):
            yield from _local(scene, op, edge)
            if edge.carries_gradient:
                operands = ("gradient", op.output), _place("local", edge)
                yield Relation(_place("flow", edge), operands, lambda upstream, local: upstream * local)
    for tensor in scene.tensors.values():
        if tensor.kind != "output" and not tensor.altered and (flows := _flows(scene, tensor.id)):
            yield Relation(("gradient", tensor.id), flows, lambda *terms: math.fsum(terms))


def _flows(scene: Scene, tensor: str) -> tuple[Place, ...]:
    """What flows into a tensor, along every edge from it."""
    users = dict.fromkeys(scene.index.users[tensor])
    edges = [edge for op in users for edge in scene.index.edges[op] if edge.tensor == tensor]
    return tuple(_place("flow", edge) for edge in edges if edge.carries_gradient)


def _forward(scene: Scene, op: OpRecord) -> Iterator[Relation]:
    formula = formula_of(op)
    if formula is not None and not _arrays(scene, op):
        places: dict[str, Place] = {edge.operand: ("value", edge.tensor) for edge in scene.edges(op)}
        yield _relation(scene, op, ("value", op.output), formula, places)


def _local(scene: Scene, op: OpRecord, edge: EdgeRecord) -> Iterator[Relation]:
    stated = derivative_of(edge)
    if stated is not None and stated[2] and not _arrays(scene, op):
        places: dict[str, Place] = {e.operand: ("value", e.tensor) for e in scene.edges(op)}
        yield _relation(scene, op, _place("local", edge), stated[1], places | {"z": ("value", op.output)})


def _arrays(scene: Scene, op: OpRecord) -> bool:
    return any(scene.tensors[id].shape for id in (*scene.index.inputs(op.id), op.output))


def _relation(scene: Scene, op: OpRecord, of: Place, right: Expression, places: dict[str, Place]) -> Relation:
    """The number at `of` as what an expression gives for the numbers that stand for its letters."""
    known = scene.numbers(op)
    used = {letter: place for letter, place in places.items() if letter in right.symbols and letter not in known}

    def compute(*values: float) -> float:
        return float(evaluate(right, known | dict(zip(used, values, strict=True))))

    return Relation(of, tuple(used.values()), compute)


# --------------------------------------------------------------------------------------------------- the same, or given


def equal(scene: Scene) -> Iterator[tuple[Place, Place]]:
    """Places at which the same number stands for a reason, so that each would tell the other."""
    for op in scene.ops.values():
        for edge in scene.edges(op):
            stated = derivative_of(edge)
            if stated is None:
                continue
            if edge.local == 1:
                yield _place("flow", edge), ("gradient", op.output)
            upstream = scene.output(op).gradient
            if upstream is not None and upstream.value == 1:
                yield _place("flow", edge), _place("local", edge)
            if isinstance(stated[1], Symbol):
                tensors = {e.operand: e.tensor for e in scene.edges(op)} | {"z": op.output}
                if stated[1].name in tensors:
                    yield _place("local", edge), ("value", tensors[stated[1].name])
    for tensor in scene.tensors.values():
        flows = _flows(scene, tensor.id)
        if len(flows) == 1 and not tensor.altered:
            yield flows[0], ("gradient", tensor.id)


def visible(scene: Scene) -> Iterator[Place]:
    """Local derivatives that their rule shows as a number."""
    for op in scene.ops.values():
        known = scene.numbers(op)
        for edge in scene.edges(op):
            stated = derivative_of(edge)
            if stated is not None and all(name in known for name in stated[1].symbols):
                yield _place("local", edge)
