"""Figures as text, and aligned tables of them."""

from collections.abc import Sequence

from tensorgrad.system.table import align, rule

NONE = "—"

Rows = Sequence[Sequence[str]]


def table(title: str, head: Sequence[str], rows: Rows, left: int = 1, last: Rows = ()) -> str:
    """Columns under their heads, a rule between; the first `left` columns flush left, the others right.

    Another rule separates the `last` rows.
    """
    heading, *lines = align([head, *rows, *last], "l" * left + "r" * (len(head) - left))
    line = rule([heading, *lines])
    body, end = lines[: len(rows)], lines[len(rows) :]
    return "\n".join([title, line, heading, line, *body, line, *end, *([line] if end else [])])


def duration(seconds: float | None) -> str:
    """Three digits and a unit that suits: 1.23 s, 45.6 ms, 789 µs."""
    if seconds is None:
        return NONE
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            return f"{number(seconds / size)} {unit}"
    raise AssertionError("the last unit takes all")


def number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return NONE
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def times(value: float | None) -> str:
    return NONE if value is None else f"{number(value)}×"


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"
