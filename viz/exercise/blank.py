"""What is left blank: one question each, with its place in the drawing, its answer, and two hints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["rule", "value", "local", "product", "sum", "shape"]
"""A local derivative as a formula; a number that an op computed; a local derivative's number; a product of the chain
rule; the sum where paths meet; the sizes of an array."""

Place: TypeAlias = tuple[str, ...]
"""Where something stands in the drawing: `("value", tensor)`, `("gradient", tensor)`, `("shape", tensor)`, `("local",
op, operand)`, `("flow", op, operand)` or `("rule", op, operand)`, by the ids of the records."""

MOST = 20
"""The most blanks of a sheet: more don't fit on a page."""


@dataclass(frozen=True)
class Points:
    """Random points at which a formula is compared with the derivative.

    Attributes:
        names: what the formula may use, as the drawing writes it.
        values: for each point the value of each name, numbers or matrices.
        slopes: for each point the derivative, by central differences of the op.
    """

    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    slopes: tuple[Any, ...]


@dataclass(frozen=True)
class Blank:
    """One question.

    Attributes:
        kind: what is asked for.
        places: where the answer stands in the drawing; a number may stand in several.
        prompt: the left side of the equation to complete: `∂h/∂z`.
        answer: the right side, as the drawing writes it.
        hints: where to look; then the rule in general form, or the numbers to put in.
        about: the formula of the op, as the drawing writes it.
        given: what the drawing doesn't say and the answer needs: the op's parameters.
        also: what else is the same number.
        value: of a number.
        tolerance: how far a number may be from it, so that who computes with the digits that are shown is right.
        shape: of an array.
        points: of a rule.
    """

    kind: Kind
    places: tuple[Place, ...]
    prompt: str
    answer: str
    hints: tuple[str, str]
    about: str = ""
    given: str = ""
    also: tuple[str, ...] = ()
    value: float | None = None
    tolerance: float = 0.0
    shape: tuple[int, ...] | None = None
    points: Points | None = None


def label(number: int) -> str:
    """How the drawing and the hints write the number of a blank; the first is 1.

    >>> label(0)
    '[1]'
    """
    return f"[{number + 1}]"


def marked(number: int, text: str) -> str:
    """What a blank shows in the drawing: its number, and space for the answer.

    >>> marked(0, "h · (1 − h)")
    '[1]___________'
    """
    return label(number) + "_" * min(max(len(text), 4), 16)


def filled(number: int, text: str) -> str:
    """The same with the answer, for the key.

    >>> filled(0, "h · (1 − h)")
    '[1] h · (1 − h)'
    """
    return f"{label(number)} {text}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
