"""Writes the page of an exercise: the template, with the drawing, the questions and the program filled in."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tensorgrad.viz.exercise.blank import Blank, filled, label, marked
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import encode

PROGRAM = ("functions", "tokens", "reader", "answers", "sheet")
"""The parts of the program behind the shared ones, in the order in which they build on each other."""

TALL = 1.1
"""The ratio of height to width from which on the questions stand beside the drawing, on paper, else below it."""


def write(svg: str, blanks: Sequence[Blank], key: bool) -> str:
    """The sheet as a page.

    Args:
        svg: the drawing, in which the blanks are written by `marked`, or by `filled` for the key.
        blanks: the questions.
        key: whether it is the key, with the answers.
    """
    width, height = _size(svg)
    parts = {
        "title": "The chain rule: key" if key else "The chain rule: exercise",
        "kind": "key" if key else "sheet",
        "facts": _facts(len(blanks), key),
        "layout": "tall" if height > TALL * width else "wide",
        "style": assembly.themed(_part("sheet.css")),
        "drawing": mark(svg[svg.index("<svg") :], blanks, key),
        "sheet": encode({"key": key, "blanks": [plain(k + 1, blank) for k, blank in enumerate(blanks)]}),
        "program": assembly.program(_part(f"{name}.js") for name in PROGRAM),
    }
    return assembly.fill(_part("sheet.html"), parts)


def mark(svg: str, blanks: Sequence[Blank], key: bool) -> str:
    """The drawing with each blank in an element of its own, of the class `blank`."""
    for number, blank in enumerate(blanks):
        text = html.escape((filled if key else marked)(number, blank.answer), quote=False)
        svg = svg.replace(text, f'<tspan class="blank" data-blank="{number + 1}">{text}</tspan>')
    return svg


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
    about = {
        "number": number,
        "about": blank.about,
        "kind": blank.kind,
        "prompt": blank.prompt,
        "answer": blank.answer,
        "hints": blank.hints,
    }
    if blank.points is not None:
        return about | {"points": asdict(blank.points)}
    if blank.shape is not None:
        return about | {"shape": blank.shape}
    return about | {"also": blank.also, "value": blank.value, "tolerance": blank.tolerance}


def _part(name: str) -> str:
    return assembly.read(__package__, "page", name)
