"""Questions for numbers: what an op computes, a local derivative, a product of the chain rule, a sum of paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.viz.exercise.blank import Blank, Kind, Place, label
from tensorgrad.viz.exercise.questions.quantities import Quantities
from tensorgrad.viz.exercise.questions.question import (
    BACKWARD,
    FORWARD,
    LOCAL,
    PRODUCT,
    SUM,
    Numbering,
    Order,
    Question,
)
from tensorgrad.viz.exercise.questions.relations import Relation
from tensorgrad.viz.exercise.scene import Scene, left_side, read, right_side, shown
from tensorgrad.viz.format.notation import few, total
from tensorgrad.viz.record.records import EdgeRecord

DIGITS_ASKED = 3
"""The significant digits that an answer needs; the drawing shows one more."""

WORST = 0.02
"""The largest relative tolerance of a fair question: a difference of nearly equal numbers would need more."""

KINDS: dict[str, Kind] = {"value": "value", "local": "local", "flow": "product", "gradient": "sum"}


def number_questions(scene: Scene, quantities: Quantities) -> Iterator[Question]:
    """A question for each number that follows from others, accurately enough from the digits that are shown."""
    writer = _Writer(scene, quantities)
    for quantity in quantities.blankable():
        way = quantities.ways[quantity][0]
        if writer.tolerance(way) > 0:
            places = tuple(quantities.members[quantity])
            yield Question(KINDS[way.of[0]], writer.topic(way), writer.order(way), places, writer.question(way, places))


class _Writer:
    """Writes the questions about the numbers of a graph."""

    def __init__(self, scene: Scene, quantities: Quantities) -> None:
        self._scene, self._values = scene, quantities.values
        self._position = {op: k for k, op in enumerate(scene.ops)}

    def tolerance(self, way: Relation) -> float:
        """Half a unit of the third digit, and what the rounding of the operands costs; 0 where that is too much."""
        value = self._values[way.of]
        digits = math.floor(math.log10(abs(value))) - DIGITS_ASKED + 1 if value else -DIGITS_ASKED
        with np.errstate(all="ignore"):
            rounded = way.compute(*(read(shown(self._values[place])) for place in way.operands))
        found = 10.0**digits / 2 + 2 * abs(rounded - value)
        return found if math.isfinite(found) and found <= (WORST * abs(value) or math.inf) else 0.0

    def topic(self, way: Relation) -> str:
        """The op that a question is about."""
        kind, where = way.of[:2]
        maker = self._scene.index.maker.get(where, where)
        return "paths" if kind == "gradient" else self._scene.ops[maker].name

    def order(self, way: Relation) -> Order:
        """Where the question comes in the order of the solution."""
        kind, where = way.of[:2]
        if kind == "value":
            return FORWARD, self._position[self._scene.index.maker[where]], 0, 0
        if kind == "gradient":
            first = min(self._position[op] for op in self._scene.index.users[where] if op in self._position)
            return BACKWARD, -first, len(self._scene.index.edges), SUM
        edge = self._edge(way.of)
        at = self._scene.index.edges[edge.op].index(edge)
        return BACKWARD, -self._position[edge.op], at, LOCAL if kind == "local" else PRODUCT

    def question(self, way: Relation, places: tuple[Place, ...]) -> Callable[[Numbering], Blank]:
        """What writes the blank."""

        def blank(numbering: Numbering) -> Blank:
            value, prompt = self._values[way.of], self._name(way.of)
            names = dict.fromkeys(self._name(place) for place in places if place[0] != "flow")
            return Blank(
                KINDS[way.of[0]],
                places,
                prompt,
                shown(value),
                self._hints(way, numbering),
                about=self._about(way),
                also=tuple(few([name for name in names if name != prompt], 4)),
                value=value,
                tolerance=self.tolerance(way),
            )

        return blank

    def _about(self, way: Relation) -> str:
        """The formula of the op that a value or a local derivative belongs to."""
        kind, where = way.of[:2]
        op = self._scene.index.maker[where] if kind == "value" else where
        return self._scene.ops[op].applied if kind in ("value", "local") else ""

    def _edge(self, place: Place) -> EdgeRecord:
        _, op, operand = place
        return next(edge for edge in self._scene.index.edges[op] if edge.operand == operand)

    def _name(self, place: Place) -> str:
        """What stands at a place: `h`, `∂L/∂h`, `∂h/∂z`, `∂L/∂h · ∂h/∂z`."""
        kind, where = place[:2]
        if kind == "value":
            return self._scene.tensors[where].symbol
        if kind == "gradient":
            return f"∂{self._scene.loss}/∂{self._scene.tensors[where].symbol}"
        edge = self._edge(place)
        local = left_side(edge.applied)
        if kind == "local":
            return local
        return f"{self._name(('gradient', self._scene.ops[edge.op].output))} · {local}"

    def _hints(self, way: Relation, numbering: Numbering) -> tuple[str, str]:
        kind, where = way.of[:2]
        numbers = [self._number(place, numbering) for place in way.operands]
        given = ", ".join(dict.fromkeys(f"{self._name(p)} = {n}" for p, n in zip(way.operands, numbers, strict=True)))
        if kind == "value":
            op = self._scene.ops[self._scene.index.maker[where]]
            return f"The op {op.symbol} computes {op.applied}.", f"{op.applied}, with {given}."
        if kind == "local":
            edge = self._edge(way.of)
            number = numbering.get(("rule", edge.op, edge.operand))
            rule = edge.applied if number is None else f"{left_side(edge.applied)} = {label(number)}"
            return f"Put numbers into the rule {rule}.", f"{right_side(rule)}, with {given}."
        if kind == "flow":
            edge = self._edge(way.of)
            look = f"what arrives at {self._scene.ops[edge.op].symbol} from below, times its local derivative"
            return f"The chain rule: {look}.", f"{self._name(way.of)} = {numbers[0]} × {_factor(numbers[1])}"
        said = f"{len(numbers)} paths lead from {self._scene.tensors[where].symbol} to {self._scene.loss}"
        return f"{said}: add what flows back along each.", f"{self._name(way.of)} = {total(numbers)}"

    def _number(self, place: Place, numbering: Numbering) -> str:
        return label(numbering[place]) if place in numbering else shown(self._values[place])


def _factor(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
