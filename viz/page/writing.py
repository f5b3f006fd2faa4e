"""Writes the page: the template, with the style, the drawing, the records and the program filled in."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    "legend",
    "views",
    "scene",
    "modules",
    "fold",
    "story",
    "table",
    "stepper",
    "travel",
    "details",
    "problems",
    "minimap",
    "compare",
    "search",
    "keyboard",
    "main",
)
"""The parts of the program behind the shared ones, in the order in which they build on each other."""


NO_LEGEND = ("style", "defs")
"""Tags of the elements of a drawing that never move and aren't part of its legend."""


class View(NamedTuple):
    """One more layout of the graph.

    Attributes:
        svg: its drawing.
        boxes: by id of each folded module in it, the ids of the ops inside.
    """

    svg: str
    boxes: Mapping[str, Sequence[str]] = {}


def write(
    graph: GraphRecord,
    svg: str,
    note: str = "",
    views: Mapping[str, View] = {},
    begin: str = "",
    legend: Sequence[Mapping[str, Any]] = (),
    lids: Mapping[str, Any] = {},
    problems: Sequence[Mapping[str, Any]] = (),
    compared: Any = None,
) -> str:
    """A graph as a page that shows the chain rule at work, step by step.

    Args:
        graph: its records, best with `Depth(numbers=True, details=True)`; the page shows what they hold.
        svg: its drawing with all modules open, whose groups have the ids of the records.
        note: a line to show above the drawing.
        views: other layouts to switch to, by `folded`, `compact` and `compact folded`.
        begin: the one of them that the page begins with.
        legend: what shapes and colours mean, to stay in view; see `tensorgrad.viz.graph.legend.Entry.plain`.
        lids: what is written on a module that is folded where it stands; see `tensorgrad.viz.graph.layout.told`.
        problems: what the drawing marks, in the order of the computation; see `tensorgrad.viz.graph.layout.told`.
        compared: the `Runs` of a comparison, to show another run's numbers beside those of the graph.

    >>> import tensorgrad as tg
    >>> from tensorgrad.viz.graph import column
    >>> from tensorgrad.viz.record.collect import collect
    >>> record = collect(tg.tensor([1.0, 2.0], requires_grad=True, name="w").sum())
    >>> page = write(record, column.draw(record))
    >>> page[:15], page.count("<script")
    ('<!DOCTYPE html>', 3)
    """
    data = {"records": encode(graph)}
    for name, (drawing, boxes) in {"": View(svg), **views}.items():
        layout = _layout(drawing, keep_legend=not legend) | ({"boxes": boxes} if boxes else {})
        data["-".join(["layout", *name.split()])] = as_json(layout)
    lists = {"entries": legend, "lids": lids, "problems": problems}
    data |= {id: as_json(content) for id, content in lists.items() if content}
    if compared is not None:
        data["compared"] = encode(compared)
    return assembly.document(
        title="The chain rule, step by step",
        style="\n".join([assembly.shared("view.css"), _part("page.css")]),
        body=assembly.fill(_part("page.html"), {"note": html.escape(note), "view": begin}),
        data=data,
        program=assembly.program([assembly.shared("view.js"), *(_part(f"{name}.js") for name in PROGRAM)]),
    )


def _layout(svg: str, keep_legend: bool) -> dict[str, Any]:
    """The parts of a drawing; without its legend, where the page has one of its own."""
    layout = split(svg)
    if not keep_legend:
        tags = [tag for tag, _ in layout["styles"]]
        layout["still"] = [still for still in layout["still"] if tags[still["shape"][0]] in NO_LEGEND]
    return layout


def _part(name: str) -> str:
    return assembly.read(__package__, name)
