"""Stacks the SVG drawings of sheets: one drawing, each sheet below the last, all centred."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

GAP = 24
"""The space between two sheets, in points."""

_FRAME = re.compile(r'<svg width="[^"]*" height="[^"]*"\s+viewBox="\S+ \S+ (?P<width>\S+) (?P<height>[^"\s]+)"')
_CANVAS = re.compile(
    r'<g id="graph0" class="graph" transform="[^"]*translate\((?P<x>\S+) (?P<y>[^)]+)\)">\s*'
    r"<title>[^<]*</title>\s*(?P<back><polygon [^>]*/>)"
)


class _Sheet(NamedTuple):
    """A drawing: what stands before its canvas, its size, the move from its coordinates to the page, its parts."""

    head: str
    width: float
    height: float
    x: float
    y: float
    parts: str


def stack(svgs: Sequence[str]) -> str:
    """One SVG of several that Graphviz made; a single one as it is. Each is a group of the class `sheet`."""
    if len(svgs) == 1:
        return svgs[0]
    sheets = [_read(svg) for svg in svgs]
    width, height = max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets) + GAP * len(sheets)
    parts, top = [], 0.0
    for sheet in sheets:
        x, y = (width - sheet.width) / 2 + sheet.x, top + sheet.y
        parts.append(f'<g class="sheet" transform="translate({x:.2f} {y:.2f})">\n{sheet.parts}\n</g>')
        top += sheet.height + GAP
    frame = f'<svg width="{width:.0f}pt" height="{height:.0f}pt"\n viewBox="0.00 0.00 {width:.2f} {height:.2f}"'
    back = f'<polygon fill="white" stroke="none" points="0,0 0,{height:.2f} {width:.2f},{height:.2f} {width:.2f},0"/>'
    canvas = ['<g id="graph0" class="graph">', "<title>backprop</title>", back, *parts, "</g>", "</svg>"]
    return _FRAME.sub(frame, sheets[0].head, count=1) + "\n".join(canvas) + "\n"


def _read(svg: str) -> _Sheet:
    frame, canvas = _FRAME.search(svg), _CANVAS.search(svg)
    if frame is None or canvas is None:
        raise ValueError("this isn't a drawing that Graphviz made")
    parts = svg[canvas.end() : svg.rindex("</g>")].strip()
    width, height, x, y = (float(text) for text in (frame["width"], frame["height"], canvas["x"], canvas["y"]))
    return _Sheet(svg[: canvas.start()], width, height, x, y, parts)
