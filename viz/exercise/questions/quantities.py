"""The quantities of a drawn graph: which numbers can be asked for, and whether they follow from those that are left.

A number that stands in several places, such as a gradient with one path and the contribution along it, is one quantity.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tensorgrad.viz.exercise.blank import Place
from tensorgrad.viz.exercise.questions.evaluation import NotComputable
from tensorgrad.viz.exercise.questions.relations import Relation, equal, numbers, relations, visible
from tensorgrad.viz.exercise.scene import Scene

AGREES = 1e-3
"""The largest relative difference between a number of the graph and what a relation gives: constants are rounded."""

SAME = 1e-5
"""The largest relative difference of two places with the same number: float32 rounds."""


class Quantities:
    """The numbers of a drawn graph.

    Attributes:
        values: by place.
        relations: those that the numbers of the graph satisfy.
    """

    def __init__(self, scene: Scene) -> None:
        self.values = dict(numbers(scene))
        self._same: dict[Place, Place] = {}
        with np.errstate(all="ignore"):
            self.relations = [relation for relation in relations(scene) if self._is_satisfied(relation)]
        for first, second in equal(scene):
            self._join(first, second)
        self._join_equal_products()
        self.members: dict[Place, list[Place]] = defaultdict(list)
        for place in self.values:
            self.members[self.quantity(place)].append(place)
        self.ways: dict[Place, list[Relation]] = defaultdict(list)
        for relation in self.relations:
            quantity = self.quantity(relation.of)
            if quantity not in map(self.quantity, relation.operands):
                self.ways[quantity].append(relation)
        # A number that no relation gives is given; so is one that stands where a given number stands.
        made = {relation.of for relation in self.relations}
        given: set[Place] = {("value", t.id) for t in scene.tensors.values() if t.kind in ("parameter", "constant")}
        given |= {("gradient", t.id) for t in scene.tensors.values() if t.kind == "output"}
        given |= set(visible(scene))
        self.given = {self.quantity(place) for place in self.values if place in given or place not in made}

    def quantity(self, place: Place) -> Place:
        """The place that stands for all at which the same number stands."""
        while place in self._same:
            place = self._same[place]
        return place

    def blankable(self) -> list[Place]:
        """The quantities that can be asked for."""
        return [quantity for quantity in self.members if quantity not in self.given and self.ways[quantity]]

    def solvable(self, blanks: Sequence[Place]) -> bool:
        """Whether every blank follows from what is left, step by step."""
        unknown = {self.quantity(place) for place in blanks}
        while solved := {quantity for quantity in unknown if self.way(quantity, unknown) is not None}:
            unknown -= solved
        return not unknown

    def way(self, quantity: Place, unknown: set[Place]) -> Relation | None:
        """A relation that gives the quantity from known ones."""
        ways = self.ways[quantity]
        return next((way for way in ways if unknown.isdisjoint(map(self.quantity, way.operands))), None)

    def _is_satisfied(self, relation: Relation) -> bool:
        places = (relation.of, *relation.operands)
        if not all(place in self.values and math.isfinite(self.values[place]) for place in places):
            return False
        try:
            found = relation.compute(*(self.values[place] for place in relation.operands))
        except NotComputable:
            return False
        scale = max(abs(self.values[relation.of]), *(abs(self.values[place]) for place in relation.operands), 1e-30)
        return abs(found - self.values[relation.of]) <= AGREES * scale

    def _join_equal_products(self) -> None:
        """Products of the same two numbers are one, as along both edges of b · b."""
        found: dict[tuple[Place, ...], Place] = {}
        for relation in self.relations:
            if relation.of[0] == "flow":
                factors = tuple(map(self.quantity, relation.operands))
                self._join(relation.of, found.setdefault(factors, relation.of))

    def _join(self, first: Place, second: Place) -> None:
        """Make two places one quantity, unless their numbers differ: a hook may have changed a gradient on its way."""
        if first not in self.values or second not in self.values:
            return
        if math.isclose(self.values[first], self.values[second], rel_tol=SAME):
            first, second = self.quantity(first), self.quantity(second)
            if first != second:
                self._same[first] = second
