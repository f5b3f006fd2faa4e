"""Small pictures of arrays inside the nodes of an SVG: filters, feature maps, and their gradients.

The layout leaves a cell of the right size for each; afterwards the picture is put over it.
"""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib
from collections.abc import Callable, Iterator

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import markup
from tensorgrad.viz.record.records import Details, GraphRecord, TensorRecord

WIDTH, HEIGHT = 110, 64
"""The largest picture, in points."""

COLUMNS = 4
"""How many channels stand side by side at most."""

PIXEL = 6
"""The largest size of one element, in points."""

PLACEHOLDER = "#fdfdfb"
"""The colour of a cell that a picture will cover: no other part of a drawing has it."""

_BLUE, _WHITE, _VERMILION = (0, 114, 178), (255, 255, 255), (213, 94, 0)

Pixels = tuple[tuple[float | None, ...], ...]
Palette = Callable[[float], tuple[int, int, int]]


def none(tensor: TensorRecord) -> str:
    """No cell: a drawing without pictures."""
    return ""


def cells(tensor: TensorRecord) -> str:
    """The cell of a tensor's label that holds its pictures, and that of its gradient; `""` where there is none."""
    shown = list(_pictures(tensor))
    if not shown:
        return ""
    placeholders, captions = [], []
    for caption, pixels, _ in shown:
        width, height = _size(pixels)
        size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
        # A cell of fixed size would be stretched to its column: it stands in a table of its own.
        cell = f'<TD {size} BGCOLOR="{PLACEHOLDER}"></TD>'
        table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{cell}</TR></TABLE>'
        placeholders.append(f"<TD>{table}</TD>")
        captions.append(f"<TD>{markup.run(caption, theme.GREY, 8)}</TD>")
    rows = f"<TR>{''.join(placeholders)}</TR><TR>{''.join(captions)}</TR>"
    return f'<TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="0">{rows}</TABLE></TD>'


def put_in(svg: str, graph: GraphRecord) -> str:
    """The SVG with each picture in place of its placeholder."""
    remaining: dict[str, Iterator[tuple[str, Pixels, Palette]]] = {t.id: _pictures(t) for t in graph.tensors}
    remaining |= {op.id: remaining[op.output] for op in graph.ops if op.output}  # whose box may hold its result
    group = ""

    def replaced(found: re.Match[str]) -> str:
        nonlocal group
        if found["id"]:
            group = found["id"]
            return found[0]
        _, pixels, palette = next(remaining[group])
        points = [tuple(map(float, point.split(","))) for point in found["points"].split()]
        left, top = min(x for x, _ in points), min(y for _, y in points)
        width, height = max(x for x, _ in points) - left, max(y for _, y in points) - top
        data = base64.b64encode(png(pixels, palette)).decode()
        where = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"'
        how = 'preserveAspectRatio="none" style="image-rendering:pixelated"'
        return f'<image {where} {how} xlink:href="data:image/png;base64,{data}"/>'

    return re.sub(
        rf'<g id="(?P<id>(?:t|op)\d+)"|<polygon fill="{PLACEHOLDER}"[^>]*? points="(?P<points>[^"]*)"/>', replaced, svg
    )


def _pictures(tensor: TensorRecord) -> Iterator[tuple[str, Pixels, Palette]]:
    """Caption, pixels and palette of a tensor's values and its gradient; nothing for fewer than two axes."""
    if len(tensor.shape) < 2 or math.prod(tensor.shape) == 0:
        return
    gradient = tensor.gradient.details if tensor.gradient is not None else None
    for caption, details in (("values", tensor.details), ("gradient", gradient)):
        if details is not None and details.picture:
            signed = caption == "gradient" or tensor.kind == "parameter" or _least(details) < 0
            yield caption, tiled(details.picture), diverging(details.picture) if signed else grey(details.picture)


def tiled(pixels: Pixels) -> Pixels:
    """Channels that stand in one row, a column of None between them, in rows of at most `COLUMNS`.

    >>> tiled(((1.0, None, 2.0, None, 3.0, None, 4.0, None, 5.0),))[-1]
    (5.0, None, None, None, None, None, None)
    """
    gaps = [k for k in range(len(pixels[0])) if all(row[k] is None for row in pixels)]
    if len(gaps) < COLUMNS:
        return pixels
    width = gaps[0] + 1  # with the gap behind it
    rows: list[tuple[float | None, ...]] = []
    for start in range(0, len(pixels[0]), COLUMNS * width):
        strip = [row[start : start + COLUMNS * width - 1] for row in pixels]
        missing = (None,) * (COLUMNS * width - 1 - len(strip[0]))
        rows += [(None,) * (COLUMNS * width - 1)] * bool(rows) + [row + missing for row in strip]
    return tuple(rows)


def _least(details: Details) -> float:
    return min((x for row in details.picture for x in row if x is not None), default=0.0)


def _size(pixels: Pixels) -> tuple[float, float]:
    """Width and height in points: pixels are square."""
    rows, columns = len(pixels), len(pixels[0])
    scale = min(WIDTH / columns, HEIGHT / rows, PIXEL)
    return max(columns * scale, 2), max(rows * scale, 2)


# ------------------------------------------------------------------------------------------------------------- palettes


def diverging(pixels: Pixels) -> Palette:
    """Blue for negative, white for 0, vermilion for positive numbers; the largest absolute value has full colour."""
    largest = max((abs(x) for row in pixels for x in row if x is not None), default=0.0) or 1.0

    def palette(x: float) -> tuple[int, int, int]:
        part = min(abs(x) / largest, 1.0)
        red, green, blue = (w + part * (c - w) for w, c in zip(_WHITE, _VERMILION if x > 0 else _BLUE, strict=True))
        return round(red), round(green), round(blue)

    return palette


def grey(pixels: Pixels) -> Palette:
    """Black for the minimum, white for the maximum."""
    finite = [x for row in pixels for x in row if x is not None]
    low, high = min(finite, default=0.0), max(finite, default=1.0)

    def palette(x: float) -> tuple[int, int, int]:
        shade = round(255 * min(max((x - low) / ((high - low) or 1.0), 0.0), 1.0))
        return shade, shade, shade

    return palette


# ------------------------------------------------------------------------------------------------------------------ PNG


def png(pixels: Pixels, palette: Palette) -> bytes:
    """Rows of numbers as a PNG image; None is transparent.

    PNG (Portable Network Graphics) Specification, 3rd ed., W3C 2025: 8-bit RGBA, no filter.
    """
    rows = (b"\0" + b"".join(_rgba(x, palette) for x in row) for row in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 6, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _rgba(x: float | None, palette: Palette) -> bytes:
    return bytes(4) if x is None else bytes((*palette(x), 255))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
