"""A drawing as data: each node, edge and frame of an SVG with its box, so that a page draws only what is in view."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from typing import Any

GEOMETRY = {"points", "d", "x", "y", "cx", "cy", "rx", "ry", "width", "height", "transform", "href"}
"""The attributes that each shape has for itself; the others are shared by many."""

KINDS = ("node", "edge", "cluster")
"""The classes of the groups that are parts."""

_TITLE = "{http://www.w3.org/1999/xlink}title"
_MOVE = re.compile(r"translate\((\S+) ([^)]+)\)")
_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def split(svg: str) -> dict[str, Any]:
    """The parts of an SVG that Graphviz or `column` made.

    Returns:
        `styles`: tags with the attributes that many shapes share.
        `still`: what never moves, such as the legend: shapes, each with where its sheet stands.
        `parts`: nodes, edges and frames in the order of the SVG: `id`, `class`, `box`; where its sheet stands, `at`;
        its shapes; of an edge its `ends` and the boxes of its `labels`, of others the `tip`.

    A shape is the number of its style, its geometry and, where it has any, its text and the shapes inside of it.

    >>> svg = '<svg><g id="graph0"><g id="t0" class="node"><title>t0</title><text x="1" y="9">w</text></g></g></svg>'
    >>> split(svg)["parts"]
    [{'id': 't0', 'class': 'node', 'box': (1.0, -1.0, 6.5, 11.0), 'shapes': [[0, {'x': '1', 'y': '9'}, 'w']]}]
    """
    return _Splitter().split(ElementTree.fromstring(svg))


class _Splitter:
    """Collects the parts of one SVG."""

    def __init__(self) -> None:
        self.styles: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self.still: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []

    def split(self, root: ElementTree.Element) -> dict[str, Any]:
        for element in root:
            if element.get("id") == "graph0":
                self._read(element, 0.0, 0.0)
            else:
                self.still.append({"at": (0.0, 0.0), "shape": self._shape(element)})
        styles = [[tag, dict(shared)] for tag, shared in self.styles]
        return {"styles": styles, "still": self.still, "parts": self.parts}

    def _read(self, canvas: ElementTree.Element, x: float, y: float) -> None:
        """Read the canvas, or a sheet on it, which stands at (x, y)."""
        if found := _MOVE.search(canvas.get("transform", "")):
            x, y = x + float(found[1]), y + float(found[2])
        elements = [element for element in canvas if _tag(element) != "title"]
        for number, element in enumerate(elements):
            kind = element.get("class", "").partition(" ")[0]
            if kind == "sheet":
                self._read(element, x, y)
            elif kind in KINDS:
                self.parts.append(self._part(element, kind, x, y))
            elif number or _tag(element) != "polygon":  # the first polygon is the paper
                self.still.append({"at": (x, y), "shape": self._shape(element)})

    def _part(self, group: ElementTree.Element, kind: str, x: float, y: float) -> dict[str, Any]:
        title, *elements = group
        shapes = list(_shapes(elements))
        boxes = [_box(shape, x, y) for shape in shapes]
        # The texts of a node lie in its frame; their own boxes are estimates.
        drawn = [box for shape, box in zip(shapes, boxes, strict=True) if kind == "edge" or _tag(shape) != "text"]
        part: dict[str, Any] = {"id": group.get("id"), "class": group.get("class"), "box": _around(drawn or boxes)}
        if x or y:
            part["at"] = (x, y)
        if kind == "edge":
            part["ends"] = (title.text or "").split("->")
            part["labels"] = [
                box for shape, box in zip(shapes, boxes, strict=True) if _tag(shape) in ("polygon", "text")
            ]
        elif tip := next((anchor.get(_TITLE) for anchor in group.iter() if anchor.get(_TITLE)), None):
            part["tip"] = tip
        part["shapes"] = [self._shape(shape) for shape in shapes]
        return part

    def _shape(self, element: ElementTree.Element) -> list[Any]:
        tag = _tag(element)
        attributes = {name.rpartition("}")[2]: value for name, value in element.items()}
        own = {name: value for name, value in attributes.items() if name in GEOMETRY}
        # The font is that of the drawing.
        shared = tuple(item for item in attributes.items() if item[0] not in own and item[0] != "font-family")
        style = self.styles.setdefault((tag, shared), len(self.styles))
        text = element.text or "" if tag in ("text", "style") else ""
        inner = [self._shape(child) for child in element]
        return [style, own, *([text] if text or inner else []), *([inner] if inner else [])]


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _shapes(elements: Iterable[ElementTree.Element]) -> Iterator[ElementTree.Element]:
    """The shapes in groups and anchors."""
    for element in elements:
        if _tag(element) in ("g", "a"):
            yield from _shapes(element)
        else:
            yield element


def _box(shape: ElementTree.Element, x: float, y: float) -> Box:
    """The box around a shape; of a text about that."""
    tag = _tag(shape)
    if drawn := shape.get("points") or shape.get("d"):
        numbers = [float(text) for text in _NUMBER.findall(drawn)]
        return min(numbers[::2]) + x, min(numbers[1::2]) + y, max(numbers[::2]) + x, max(numbers[1::2]) + y
    if tag == "ellipse":
        cx, cy, rx, ry = (float(shape.get(name, 0)) for name in ("cx", "cy", "rx", "ry"))
        return cx - rx + x, cy - ry + y, cx + rx + x, cy + ry + y
    left, top = float(shape.get("x", 0)) + x, float(shape.get("y", 0)) + y
    if tag != "text":
        return left, top, left + float(shape.get("width", 0)), top + float(shape.get("height", 0))
    size = float(shape.get("font-size", 10))
    width = 0.55 * size * len(shape.text or "")
    left -= width * {"middle": 0.5, "end": 1.0}.get(shape.get("text-anchor", "start"), 0.0)
    return left, top - size, left + width, top + 0.2 * size


def _around(boxes: Iterable[Box]) -> Box:
    """The box around boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return round(min(lefts), 2), round(min(tops), 2), round(max(rights), 2), round(max(bottoms), 2)
