"""Writes the page: the template, with the style, the drawing, the records and the program filled in."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import as_json, encode
from tensorgrad.viz.page.parts import split
from tensorgrad.viz.record.records import GraphRecord

JSON = "application/json"

PROGRAM = (
    "records",
    "steps",
    "charts",
    "layout",
    "scene",
    "modules",
    "fold",
    "story",
    "table",
    "stepper",
    "travel",
    "details",
    "compare",
    "search",
    "keyboard",
    "main",
)
"""The parts of the program behind the shared ones, in the order in which they build on each other."""


def write(graph: GraphRecord, svg: str, note: str = "", folded: Iterable[str] = (), compared: Any = None) -> str:
    """A graph as a page that shows the chain rule at work, step by step.

    Args:
        graph: its records, best with `Depth(numbers=True, details=True)`; the page shows what they hold.
        svg: its drawing, whose groups have the ids of the records.
        note: a line to show above the drawing.
        folded: the ids, in the SVG, of the modules that are folded at first.
        compared: the `Runs` of a comparison, to show another run's numbers beside those of the graph.

    >>> import tensorgrad as tg
    >>> from tensorgrad.viz.graph import column
    >>> from tensorgrad.viz.record.collect import collect
    >>> record = collect(tg.tensor([1.0, 2.0], requires_grad=True, name="w").sum())
    >>> page = write(record, column.draw(record))
    >>> page[:15], page.count("<script")
    ('<!DOCTYPE html>', 3)
    """
    parts = {"note": html.escape(note), "folded": " ".join(folded)}
    return assembly.document(
        title="The chain rule, step by step",
        style="\n".join([assembly.shared("view.css"), _part("page.css")]),
        body=assembly.fill(_part("page.html"), parts),
        data={"records": encode(graph), "layout": as_json(split(svg))}
        | ({} if compared is None else {"compared": encode(compared)}),
        program=assembly.program([assembly.shared("view.js"), *(_part(f"{name}.js") for name in PROGRAM)]),
    )


def _part(name: str) -> str:
    return assembly.read(__package__, name)
