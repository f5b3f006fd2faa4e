"""The layout of planes in the scratch of the kernels in `depthwise`: rows of pixels with zeros between them."""

from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.conv.groups.phases import Part
from tensorgrad.kernels.conv.groups.tables import Pack, Planes
from tensorgrad.windows import Sizes

# The most vectors in a row of the scratch in which images lie side by side: short rows are joined up to that.
VECTORS = 8


class Layout(NamedTuple):
    """Where pixels lie.

    Attributes:
        planes: the lengths.
        packs: a table with a `Pack` per row.
        top, left: rows and columns of padding before the first pixel.
        phases: those of the rows that a tap meets.
    """

    planes: Planes
    packs: np.ndarray
    top: int
    left: int
    phases: list[int]

    def row(self, first: int) -> tuple[int, int]:
        """The phase of a row of the input, and its place in the scratch."""
        planes, row = self.planes, self.top + first
        phase = row % planes.stride_h
        return phase, self.phases.index(phase) * planes.stride_w * planes.apart + row // planes.stride_h * planes.line

    def column(self, first: int) -> int:
        """The place of a column of the input, counted from its row's first element."""
        column, stride = self.left + first, self.planes.stride_w
        return column % stride * self.planes.apart + column // stride


def layout_of(parts: list[Part], size: Sizes, stride: Sizes, count: int, lanes: int, many: bool) -> Layout:
    """The layout of `count` images of this size, whose taps are those of all parts.

    Args:
        parts: the phases of the output.
        size, stride: of the input.
        count: how many images there are.
        lanes: elements of a vector.
        many: whether as many images as can be lie in a row; else as few.
    """
    (height, width), (sh, sw) = size, stride
    rows = [first for part in parts for _, first in part.rows.taps]
    columns = [first for part in parts for _, first in part.columns.taps]
    top, left = max(0, -min(rows, default=0)), max(0, -min(columns, default=0))
    lead, last = left // sw, (left + width - 1) // sw + 1
    need = max([(left + f) // sw + part.columns.pixels for part in parts for _, f in part.columns.taps], default=1)
    across = max(part.columns.pixels for part in parts)
    # Images lie one after the other. `pitch` leaves enough zeros between two: for the padding of the second, and for
    # the taps of the first that reach beyond its end.
    pitch = max(last, need - lead, across)
    images = _images(count, across, pitch, lanes, many)
    # Whole vectors of each phase; behind a padding of one column odd pixels begin one further on.
    written = left % sw + whole(-(-width // sw), lanes)
    line = (images - 1) * pitch + max(lead + written, need)
    down = max([(top + f) // sh + part.rows.pixels for part in parts for _, f in part.rows.taps], default=1)
    phases = sorted({(top + f) % sh for f in rows}) or [0]
    apart = down * line
    packs = []
    for index, phase in enumerate(phases):
        first = (phase - top) % sh
        place = (first + top) // sh
        rows_in = max(0, min(-(-(height - first) // sh), down - place))
        packs.append(Pack(index * sw * apart + place * line + lead, first, rows_in))
    slot = len(phases) * sw * apart + 2 * lanes
    # `plans` replaces the numbers that a sum over the planes has besides.
    planes = Planes(
        inputs=0, outputs=0, images=images, pitch=pitch, stride_h=sh, stride_w=sw, out_stride_h=1, out_stride_w=1,
        lead=lead, shift=left % sw, line=line, apart=apart, slot=slot, out=0, out_line=0, out_apart=0, direct=0,
        filter_step=0, group_step=0, end=0,
    )  # fmt: skip
    return Layout(planes, np.array(packs), top, left, phases)


def whole(length: int, lanes: int) -> int:
    """The length in whole vectors."""
    return -(-length // lanes) * lanes


def _images(count: int, width: int, pitch: int, lanes: int, many: bool) -> int:
    """How many images lie in a row, so that vectors are nearly full: the fewest, or with `many` the most."""
    most = max(1, min(count, VECTORS * lanes // pitch))
    fill = [m * width / whole((m - 1) * pitch + width, lanes) for m in range(1, most + 1)]
    # Within 4 % of the best fill: fewer images need less scratch, more make longer dot products.
    good = [m for m, fraction in enumerate(fill, 1) if fraction >= 0.96 * max(fill)]
    return good[-1] if many else good[0]
