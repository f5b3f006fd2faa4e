"""Titles of frames, moved to where no edge runs through them: Graphviz routes edges around nodes, not around titles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

STEP, AIR, CORNER = 4.0, 3.0, 28.0
"""Points: how far titles are moved at a time, what stays free beside them, and in the corner of a frame."""

SEGMENTS = 12
"""Straight segments that stand for one curve of an edge."""

_FRAME = re.compile(r'<g id="[^"]*" class="cluster[^"]*">.*?</g>\s*</g>', re.DOTALL)
_EDGE = re.compile(r'<g id="[^"]*" class="edge[^"]*">.*?</g>', re.DOTALL)
_SHAPE = re.compile(r"<(?:path|polygon|text) [^>]*>[^<]*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

Point = tuple[float, float]


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float


def clear(svg: str) -> str:
    """The SVG of a layout, each title that an edge crossed moved to the right as far as needed and possible."""
    lines = [line for edge in _EDGE.finditer(svg) for line in _lines(edge[0])]
    return _FRAME.sub(lambda found: _cleared(found[0], lines), svg) if lines else svg


def _cleared(frame: str, lines: Sequence[list[Point]]) -> str:
    outline, *label = _SHAPE.findall(frame)
    if not label:
        return frame
    box, space = _around(map(_box, label)), _box(outline)
    crossed = list(_crossed(lines, box._replace(left=space.left, right=space.right)))
    for k in range(max(int((space.right - CORNER - box.right) / STEP), 0) + 1):
        by = k * STEP
        left, right = box.left + by - AIR, box.right + by + AIR
        if all(high < left or low > right for low, high in crossed):
            return _moved(frame, outline, by) if k else frame
    return frame


def _moved(frame: str, outline: str, by: float) -> str:
    """The frame with all its shapes but the outline moved to the right."""
    at = frame.index(outline) + len(outline)

    def moved(shape: re.Match[str]) -> str:
        text = re.sub(r'(?<= x=")[^"]+', lambda found: f"{float(found[0]) + by:g}", shape[0])
        return re.sub(r'(?<= points=")[^"]+', lambda found: _along(found[0], by), text)

    return frame[:at] + _SHAPE.sub(moved, frame[at:])


def _along(points: str, by: float) -> str:
    pairs = (pair.split(",") for pair in points.split())
    return " ".join(f"{float(x) + by:g},{y}" for x, y in pairs)


def _crossed(lines: Iterable[list[Point]], band: _Box) -> Iterator[tuple[float, float]]:
    """From where to where lines run through a band, from left to right."""
    for line in lines:
        for (x0, y0), (x1, y1) in pairwise(line):
            if max(y0, y1) < band.top or min(y0, y1) > band.bottom or max(x0, x1) < band.left:
                continue
            if min(x0, x1) <= band.right:
                yield min(x0, x1), max(x0, x1)


def _lines(edge: str) -> Iterator[list[Point]]:
    """The paths of an edge in straight segments; of both its lanes."""
    for d in re.findall(r'<path\b[^>]*? d="([^"]*)"', edge):
        numbers = [float(text) for text in _NUMBER.findall(d)]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        line = points[:1]
        for k in range(0, len(points) - 3, 3):
            line += [_on_curve(points[k : k + 4], segment / SEGMENTS) for segment in range(1, SEGMENTS + 1)]
        yield line


def _on_curve(points: Sequence[Point], t: float) -> Point:
    """A point of a cubic Bézier curve."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(w * point[axis] for w, point in zip(weights, points, strict=True)) for axis in (0, 1))
    return x, y


def _box(shape: str) -> _Box:
    """The box around a shape; of a text about that."""
    if drawn := re.search(r' (?:d|points)="([^"]*)"', shape):
        numbers = [float(text) for text in _NUMBER.findall(drawn[1])]
        return _Box(min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
    x, y, size = (float(re.search(rf' {name}="([^"]*)"', shape)[1]) for name in ("x", "y", "font-size"))  # type: ignore[index]
    return _Box(x, y - size, x + 0.5 * size * len(shape.partition(">")[2]), y + 0.2 * size)


def _around(boxes: Iterable[_Box]) -> _Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return _Box(min(lefts), min(tops), max(rights), max(bottoms))
