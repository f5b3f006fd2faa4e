"""Writes the page of an exercise: the template, with the drawing, the questions and the program filled in."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tensorgrad.viz.exercise.blank import Blank, filled, label, marked
from tensorgrad.viz.format import theme
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import encode

PROGRAM = ("functions", "tokens", "reader", "answers", "sheet")
"""The parts of the program behind the shared ones, in the order in which they build on each other."""

TALL = 1.1
"""The ratio of height to width from which on the questions stand beside the drawing, on paper, else below it."""


def write(svg: str, blanks: Sequence[Blank], key: bool) -> str:
    """The sheet as a page.

    Args:
        svg: the drawing, as `mark` gives it.
        blanks: the questions.
        key: whether it is the key, with the answers.
    """
    width, height = _size(svg)
    title = "The chain rule: key" if key else "The chain rule: exercise"
    parts = {
        "title": title,
        "kind": "key" if key else "sheet",
        "facts": _facts(len(blanks), key),
        "layout": "tall" if height > TALL * width else "wide",
        "drawing": assembly.inline(svg),
    }
    sheet = {"key": key, "blanks": [plain(k + 1, blank) for k, blank in enumerate(blanks)]}
    return assembly.document(
        title=title,
        style=assembly.themed(_part("sheet.css")),
        body=assembly.fill(_part("sheet.html"), parts),
        data={"sheet": encode(sheet)},
        program=assembly.program(_part(f"{name}.js") for name in PROGRAM),
    )


def mark(svg: str, blanks: Sequence[Blank], key: bool) -> str:
    """The drawing with each blank in an element of its own, of the class `blank`, in blue.

    Args:
        svg: the drawing, in which the blanks are written by `marked`, or by `filled` for the key.
        blanks: the questions.
        key: whether it is that of the key.
    """
    written = [html.escape((filled if key else marked)(k, blank.answer), quote=False) for k, blank in enumerate(blanks)]

    def with_marks(match: re.Match[str]) -> str:
        tag, text = match.groups()
        color = theme.LIGHT_BLUE if re.search(r'fill="(white|#ffffff|#ffb27a)"', tag, re.IGNORECASE) else theme.BLUE
        for k, blank in enumerate(written):
            look = f'class="blank" data-blank="{k + 1}" fill="{color}" font-weight="bold"'
            text = text.replace(blank, f"<tspan {look}>{blank}</tspan>")
        return tag + text

    return re.sub(r"(<text\b[^>]*>)([^<]*)", with_marks, svg)


def _facts(count: int, key: bool) -> str:
    if not count:
        return "Nothing is left blank."
    which = f"{label(0)} to {label(count - 1)}" if count > 1 else label(0)
    if key:
        return f"The answers to {which}; any equivalent formula is right."
    return f"Fill in {which}: formulas with the names of the drawing, numbers with three digits."


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="([^"]*)"', svg)
    _, _, width, height = map(float, found[1].split()) if found else (0.0, 0.0, 1.0, 1.0)
    return width, height


def plain(number: int, blank: Blank) -> dict[str, Any]:
    """A question as the page takes it."""
    about: dict[str, Any] = {"number": number, "kind": blank.kind, "prompt": blank.prompt, "answer": blank.answer}
    about |= {"about": blank.about, "given": blank.given, "hints": blank.hints}
    if blank.points is not None:
        return about | {"points": asdict(blank.points)}
    if blank.shape is not None:
        return about | {"shape": blank.shape}
    return about | {"also": blank.also, "value": blank.value, "tolerance": blank.tolerance}


def _part(name: str) -> str:
    return assembly.read(__package__, "page", name)
