"""Questions that may be asked: what each is about, and where it comes in the order of the solution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tensorgrad.viz.exercise.blank import Blank, Kind, Place

Numbering: TypeAlias = Mapping[Place, int]
"""The numbers of the blanks, by the places that they leave blank."""

Order: TypeAlias = tuple[int, int, int, int]

FORWARD, BACKWARD = 0, 1
RULE, LOCAL, PRODUCT, SUM = range(4)


@dataclass(frozen=True)
class Question:
    """A question that may be asked.

    Attributes:
        kind: of the blank.
        topic: the op that it is about: a sheet asks about many of them.
        order: its place in the order of the solution: forward from the inputs, then back from the loss.
        places: what is left blank.
        blank: writes the question, when the numbers of all blanks are known.
    """

    kind: Kind
    topic: str
    order: Order
    places: tuple[Place, ...]
    blank: Callable[[Numbering], Blank]
