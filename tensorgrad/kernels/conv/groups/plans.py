"""Plans of the kernels in `depthwise`: which rows of filter and image meet, tile by tile.

All of it follows from shapes: tables of integers, made once for each combination of shapes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.conv.groups.layout import Layout, layout_of, whole
from tensorgrad.kernels.conv.groups.phases import Axis, Part, along, parts_of_input
from tensorgrad.kernels.conv.groups.tables import DotTile, Tap, Tile
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.partition import Partition
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.planes import STRIP, SUMS
from tensorgrad.windows import Sizes, Window, convolution_shapes


class Plan(NamedTuple):
    """The shape of the result, and the arguments of the kernels that follow from shapes."""

    shape: Sizes  # of the result
    tables: tuple[np.ndarray, np.ndarray, np.ndarray]  # with rows of `Pack`, of `Tile` or `DotTile`, and of `Tap`
    numbers: np.ndarray  # Planes
    scratch: int
    units: int  # of the work: groups of images times groups of channels, or these alone
    work: int
    partition: Partition | None = None


@planned
def forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
    """How `depthwise.forward` computes arrays of these shapes."""
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    taps = shapes.w[2] * shapes.w[3]
    parts = [Part((0, 0), along(window, 0), along(window, 1))]
    sizes = (window.size, window.stride, window.output, (1, 1))
    channels = (shapes.w[1], shapes.w[0] // window.groups)
    steps = (taps, shapes.w[1] * taps, channels[1] * shapes.w[1] * taps)
    return _plan(shapes.y, parts, *sizes, channels, steps, window.kernel[1], itemsize)


@planned
def grad_input_plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
    """How `depthwise.grad_input` computes arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_input", window, w=w_shape, y=g_shape)
    taps = shapes.w[2] * shapes.w[3]
    sizes = (window.output, (1, 1), window.size, window.stride)
    channels = (shapes.w[0] // window.groups, shapes.w[1])
    steps = (shapes.w[1] * taps, taps, channels[0] * shapes.w[1] * taps)
    return _plan(shapes.x, parts_of_input(window), *sizes, channels, steps, window.kernel[1], itemsize)


@planned
def grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int) -> Plan:
    """How `depthwise.grad_weight` computes arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_weight", window, x=x_shape, y=g_shape)
    lanes, (channels, kernel_h, kernel_w) = WIDTH // itemsize, shapes.w[1:]
    part = Part((0, 0), along(window, 0), along(window, 1))
    layout = layout_of([part], window.size, window.stride, x_shape[0], lanes, many=True)
    planes = layout.planes
    direct, (out_h, out_w) = planes.images == 1, window.output
    out_line = out_w if direct else (planes.images - 1) * planes.pitch + whole(out_w, lanes)
    taps = _taps(part, layout)
    tiles = [
        DotTile(
            strip=strip.rows,
            across=t_end - t,
            rows=-(-(out_h - residue) // strip.apart),
            x_at=c * planes.slot + strip.place + residue * planes.line,
            x_step=strip.apart * planes.line,
            tap=t,
            g_at=residue * out_line,
            g_step=strip.apart * out_line,
            w_at=(c * kernel_h + strip.first) * kernel_w,
            w_step=strip.step * kernel_w,
        )
        for c in range(channels)
        for strip in _strips(part.rows, layout)
        for residue in range(min(strip.apart, out_h))
        for t, t_end in cut_taps(len(taps))
    ]
    # Behind the planes a row of ones and zeros that tells which pixels count, and the rows of g.
    out = channels * planes.slot
    inside = whole((planes.images - 1) * planes.pitch + out_w, lanes) + lanes
    end = out + inside + (0 if direct else out_h * out_line) + 2 * lanes
    planes = planes._replace(
        inputs=channels, outputs=shapes.w[0] // window.groups, out=out, out_line=out_line, out_apart=inside,
        direct=int(direct), end=end,
    )  # fmt: skip
    work = shapes.y[0] * shapes.w[0] * channels * kernel_h * kernel_w * out_h * out_w
    tables = (layout.packs, np.array(tiles), np.array(taps))
    return Plan(shapes.w, tables, np.array(planes), end, window.groups, work)


def cut_taps(taps: int) -> Iterator[tuple[int, int]]:
    """`taps` taps in strips of nearly equal length, STRIP at most, as (first, last + 1)."""
    parts = -(-taps // STRIP)
    for part in range(parts):
        yield taps * part // parts, taps * (part + 1) // parts


def _taps(part: Part, layout: Layout) -> list[Tap]:
    return [Tap(index, layout.column(first)) for index, first in part.columns.taps]


class _Strip(NamedTuple):
    """Rows of the filter that one tile takes, all meeting the same phase of the input's rows."""

    rows: int
    first: int  # its index in the filter
    step: int  # of the index, to the next row
    place: int  # in the scratch, of the row that the first one meets
    apart: int  # rows of the input between those that two neighbours meet; so far apart are the output's rows of a tile


def _strips(axis: Axis, layout: Layout) -> Iterator[_Strip]:
    line = layout.planes.line
    groups: dict[int, list[tuple[int, int]]] = {}
    for index, first in axis.taps:
        phase, place = layout.row(first)
        groups.setdefault(phase, []).append((index, place))
    for taps in groups.values():
        for begin, end in cut_taps(len(taps)):
            (index, place), (second, below) = taps[begin], taps[min(begin + 1, end - 1)]
            yield _Strip(end - begin, index, second - index, place, max(below - place, line) // line)


def _blocks(rows: int, apart: int) -> Iterator[tuple[int, int, int]]:
    """Rows of the output in tiles whose rows are `apart` apart, as (first row, rows at once, number of tiles).

    As many rows at a time as can be, then the rest.
    """
    for residue in range(min(apart, rows)):
        count = -(-(rows - residue) // apart)
        most = -(-count // -(-count // SUMS))
        blocks, rest = divmod(count, most)
        yield residue, most, blocks
        if rest:
            yield residue + blocks * most * apart, rest, 1


def _plan(
    shape: Sizes,
    parts: list[Part],
    size: Sizes,
    stride: Sizes,
    out_size: Sizes,
    out_stride: Sizes,
    channels: Sizes,
    steps: Sizes,
    kernel_w: int,
    itemsize: int,
) -> Plan:
    """A sum over planes. `steps` are those in w to the next input and output channel and the next group."""
    lanes = WIDTH // itemsize
    layout = layout_of(parts, size, stride, shape[0], lanes, many=False)
    planes = layout.planes
    direct = planes.images == 1 and out_stride == (1, 1)
    across, down = max(part.columns.pixels for part in parts), max(part.rows.pixels for part in parts)
    out_line = out_size[1] if direct else (planes.images - 1) * planes.pitch + across
    out_apart = down * out_line
    tiles, work = [], 0
    taps: list[Tap] = []
    for part in parts:
        tap = len(taps)
        taps += _taps(part, layout)
        to = (part.start[0] * out_stride[1] + part.start[1]) * out_apart
        strips = list(_strips(part.rows, layout)) if part.columns.taps else []
        fresh = 1
        for c in range(channels[0]):
            # Without a tap the bias alone is written, once.
            for strip in strips or [_Strip(1, 0, 0, 0, 1)] * fresh:
                for first, rows, blocks in _blocks(part.rows.pixels, strip.apart):
                    tile = Tile(
                        strip=strip.rows,
                        rows=rows,
                        blocks=blocks,
                        x_at=c * planes.slot + strip.place + first * planes.line,
                        x_step=strip.apart * planes.line,
                        w_at=c * steps[0] + strip.first * kernel_w,
                        w_step=strip.step * kernel_w,
                        tap=tap,
                        taps=len(part.columns.taps),
                        fresh=fresh,
                        y_at=to + first * out_line,
                        y_step=strip.apart * out_line,
                        pixels=part.columns.pixels,
                    )
                    tiles.append(tile)
                fresh = 0
            work += part.rows.pixels * part.columns.pixels * len(part.rows.taps) * len(part.columns.taps)
    out = channels[0] * planes.slot
    end = out + (0 if direct else out_stride[0] * out_stride[1] * out_apart) + 2 * lanes
    planes = planes._replace(
        inputs=channels[0], outputs=channels[1], out_stride_h=out_stride[0], out_stride_w=out_stride[1], out=out,
        out_line=out_line, out_apart=out_apart, direct=int(direct), filter_step=steps[1], group_step=steps[2], end=end,
    )  # fmt: skip
    tables = (layout.packs, np.array(tiles), np.array(taps or [Tap(0, 0)]))
    units = -(-shape[0] // planes.images) * (shape[1] // channels[1])
    partition = Partition(shape[0], tuple(range(0, shape[1] + 1, channels[1]))) if planes.images == 1 else None
    return Plan(shape, tables, np.array(planes), end, units, work * shape[0] * shape[1], partition)
