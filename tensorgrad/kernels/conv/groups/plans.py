"""Plans of the kernels in `depthwise`: the layout of planes in the scratch, and which rows of filter and image meet.

All of it follows from shapes: tables of integers, made once for each combination of shapes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.partition import Partition
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.planes import STRIP, SUMS
from tensorgrad.windows import Sizes, Window, convolution_shapes

# The most vectors in a row of the scratch in which images lie side by side: short rows are joined up to that.
VECTORS = 8

Taps = tuple[tuple[int, int], ...]


class Axis(NamedTuple):
    """One phase of the output along one axis.

    Attributes:
        pixels: their number.
        taps: per tap (its index in the filter, the input pixel that it meets at output pixel 0, negative in the
            padding).
    """

    pixels: int
    taps: Taps


class Part(NamedTuple):
    """A phase (a, b) of the output's stride."""

    start: Sizes
    rows: Axis
    columns: Axis


class Planes(NamedTuple):
    """How the planes of a channel lie in the scratch. Lengths count elements.

    A row of the scratch holds one phase of the columns, of the same row of several images:

        |← lead →|← image 0 →|  zeros  |← image 1 →|  zeros  |
                 |←      pitch        →|
        |←                        line                      →|

    A channel takes `slot` elements: for each phase of the rows that a tap meets, and each phase of the columns, the
    rows of that phase one after the other, `apart` elements in all.
    """

    inputs: int  # channels in a group
    outputs: int
    images: int  # in a row
    pitch: int  # from one image to the next
    stride_h: int
    stride_w: int
    out_stride_h: int
    out_stride_w: int
    lead: int  # zeros before the first image of a row
    shift: int  # the phase in which the first column of an image lies, after `lead` zeros
    line: int  # length of a row
    apart: int  # from one phase of the columns to the next
    slot: int  # length of a channel
    out: int  # where the output begins, in the scratch
    out_line: int  # from one row of the output to the next
    out_apart: int  # from one phase of its columns to the next; for `grad_weight` the length of the row of ones
    direct: int  # 1 if the output is written where it belongs
    filter_step: int  # in w, from one output channel of a group to the next
    group_step: int
    end: int  # length of all


LENGTHS = len(Planes._fields)


class Plan(NamedTuple):
    """The shape of the result, and the arguments of the kernels that follow from shapes."""

    shape: Sizes  # of the result
    tables: tuple[np.ndarray, np.ndarray, np.ndarray]  # packs, entries, taps (index, offset)
    numbers: np.ndarray  # Planes
    scratch: int
    units: int  # of the work: groups of images times groups of channels, or these alone
    work: int
    partition: Partition | None = None


def _along(window: Window, axis: int) -> Axis:
    shift, step = window.padding[axis][0], window.dilation[axis]
    return Axis(window.output[axis], tuple((i, i * step - shift) for i in range(window.kernel[axis])))


def _parts_of_input(window: Window) -> list[Part]:
    """The phases of the gradient for the input; no taps where no window reaches."""
    found = {}
    for start, indices, phase in window.phases():
        axes = [
            Axis(n, tuple((i, t * d - before) for t, i in enumerate(taps)))
            for n, taps, d, (before, _) in zip(phase.output, indices, phase.dilation, phase.padding, strict=True)
        ]
        found[start] = Part(start, *axes)
    parts = []
    for a in range(min(window.stride[0], window.size[0])):
        for b in range(min(window.stride[1], window.size[1])):
            sizes = [-(-(n - s) // step) for n, s, step in zip(window.size, (a, b), window.stride, strict=True)]
            parts.append(found.get((a, b)) or Part((a, b), Axis(sizes[0], ()), Axis(sizes[1], ())))
    return parts


@planned
def forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
    """How `depthwise.forward` computes arrays of these shapes."""
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    taps = shapes.w[2] * shapes.w[3]
    parts = [Part((0, 0), _along(window, 0), _along(window, 1))]
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
    return _plan(shapes.x, _parts_of_input(window), *sizes, channels, steps, window.kernel[1], itemsize)


def _planes(
    parts: list[Part], size: Sizes, stride: Sizes, count: int, lanes: int, many: bool
) -> tuple[Planes, np.ndarray, Callable[[int], tuple[int, int]], Callable[[int], int]]:
    """The layout of the input; the rows to pack; where a tap's row and column lie."""
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
    written = left % sw + _whole(-(-width // sw), lanes)
    line = (images - 1) * pitch + max(lead + written, need)
    down = max([(top + f) // sh + part.rows.pixels for part in parts for _, f in part.rows.taps], default=1)
    phases = sorted({(top + f) % sh for f in rows}) or [0]
    apart = down * line
    packs = []
    for index, phase in enumerate(phases):
        first = (phase - top) % sh
        place = (first + top) // sh
        rows_in = max(0, min(-(-(height - first) // sh), down - place))
        packs.append((index * sw * apart + place * line + lead, first, rows_in))
    slot = len(phases) * sw * apart + 2 * lanes
    layout = Planes(0, 0, images, pitch, sh, sw, 1, 1, lead, left % sw, line, apart, slot, 0, 0, 0, 0, 0, 0, 0)

    def row(first: int) -> tuple[int, int]:
        """The phase of a tap's row, and its place in the scratch."""
        phase = (top + first) % sh
        return phase, phases.index(phase) * sw * apart + (top + first) // sh * line

    def column(first: int) -> int:
        return (left + first) % sw * apart + (left + first) // sw

    return layout, np.array(packs), row, column


def _whole(length: int, lanes: int) -> int:
    return -(-length // lanes) * lanes


def _images(count: int, width: int, pitch: int, lanes: int, many: bool) -> int:
    """How many images lie in a row, so that vectors are nearly full: the fewest, or with `many` the most."""
    most = max(1, min(count, VECTORS * lanes // pitch))
    fill = [m * width / _whole((m - 1) * pitch + width, lanes) for m in range(1, most + 1)]
    # Within 4 % of the best fill: fewer images need less scratch, more make longer dot products.
    good = [m for m, fraction in enumerate(fill, 1) if fraction >= 0.96 * max(fill)]
    return good[-1] if many else good[0]


def cut_taps(taps: int) -> Iterator[tuple[int, int]]:
    """`taps` taps in strips of nearly equal length, STRIP at most, as (first, last + 1)."""
    parts = -(-taps // STRIP)
    for part in range(parts):
        yield taps * part // parts, taps * (part + 1) // parts


def _strips(axis: Axis, row: Callable[[int], tuple[int, int]]) -> Iterator[tuple[int, int, int, int, int]]:
    """The rows of the filter that one tile takes, all meeting the same phase of the input's rows.

    Each is (number of rows, index of the first one, step of the index to the next one, offset in the scratch of the row
    that the first one meets, step of that offset to the next one).
    """
    groups: dict[int, list[tuple[int, int]]] = {}
    for index, first in axis.taps:
        phase, place = row(first)
        groups.setdefault(phase, []).append((index, place))
    for taps in groups.values():
        for begin, end in cut_taps(len(taps)):
            (index, place), (second, below) = taps[begin], taps[min(begin + 1, end - 1)]
            yield end - begin, index, second - index, place, below - place


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
    layout, packs, row, column = _planes(parts, size, stride, shape[0], lanes, many=False)
    direct = layout.images == 1 and out_stride == (1, 1)
    across, down = max(part.columns.pixels for part in parts), max(part.rows.pixels for part in parts)
    out_line = out_size[1] if direct else (layout.images - 1) * layout.pitch + across
    out_apart = down * out_line
    entries, work = [], 0
    taps: list[tuple[int, int]] = []
    for part in parts:
        table_at = len(taps)
        taps += [(j, column(first)) for j, first in part.columns.taps]
        to = (part.start[0] * out_stride[1] + part.start[1]) * out_apart
        fresh = 1
        for c in range(channels[0]):
            strips = list(_strips(part.rows, row)) if part.columns.taps else []
            if not strips and fresh:
                strips = [(1, 0, 0, 0, 0)]  # no tap: the bias alone
            for strip, index, index_step, place, step in strips:
                # A tile needs filter rows and output rows to be the same number of input rows apart.
                rows_apart = max(step, layout.line) // layout.line
                for residue in range(min(rows_apart, part.rows.pixels)):
                    rows = -(-(part.rows.pixels - residue) // rows_apart)
                    most = -(-rows // -(-rows // SUMS))
                    # As many rows at a time as can be, then the rest.
                    for begin, rows_at_once, blocks in ((0, most, rows // most), (rows // most * most, rows % most, 1)):
                        first = residue + begin * rows_apart
                        # The 13 numbers of an entry, in the order in which `depthwise._correlate_kernel` reads them:
                        # rows of the filter, rows of sums at once, how often; of x the offset and the step to the next
                        # row; of w the same; the first of its taps in the table, and how many; 1 if the sums begin with
                        # the bias; of y the offset and the step to the next row; pixels per row.
                        if rows_at_once:
                            entries.append((
                                strip, rows_at_once, blocks, c * layout.slot + place + first * layout.line,
                                rows_apart * layout.line, c * steps[0] + index * kernel_w, index_step * kernel_w,
                                table_at, len(part.columns.taps), fresh, to + first * out_line, rows_apart * out_line,
                                part.columns.pixels,
                            ))  # fmt: skip
                fresh = 0
            work += part.rows.pixels * part.columns.pixels * len(part.rows.taps) * len(part.columns.taps)
    out = channels[0] * layout.slot
    end = out + (0 if direct else out_stride[0] * out_stride[1] * out_apart) + 2 * lanes
    numbers = layout._replace(
        inputs=channels[0], outputs=channels[1], out_stride_h=out_stride[0], out_stride_w=out_stride[1], out=out,
        out_line=out_line, out_apart=out_apart, direct=int(direct), filter_step=steps[1], group_step=steps[2], end=end,
    )  # fmt: skip
    tables = (packs, np.array(entries), np.array(taps or [(0, 0)]))
    units = -(-shape[0] // layout.images) * (shape[1] // channels[1])
    partition = Partition(shape[0], tuple(range(0, shape[1] + 1, channels[1]))) if layout.images == 1 else None
    return Plan(shape, tables, np.array(numbers), end, units, work * shape[0] * shape[1], partition)


@planned
def grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int) -> Plan:
    """How `depthwise.grad_weight` computes arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_weight", window, x=x_shape, y=g_shape)
    lanes, (channels, kernel_h, kernel_w) = WIDTH // itemsize, shapes.w[1:]
    part = Part((0, 0), _along(window, 0), _along(window, 1))
    layout, packs, row, column = _planes([part], window.size, window.stride, x_shape[0], lanes, True)
    direct, (out_h, out_w) = layout.images == 1, window.output
    out_line = out_w if direct else (layout.images - 1) * layout.pitch + _whole(out_w, lanes)
    taps = [(j, column(first)) for j, first in part.columns.taps]
    entries = []
    for c in range(channels):
        for strip, index, index_step, place, step in _strips(part.rows, row):
            rows_apart = max(step, layout.line) // layout.line
            for residue in range(min(rows_apart, out_h)):
                for t, t_end in cut_taps(len(taps)):
                    # The 10 numbers of an entry, in the order in which `depthwise._grad_weight_kernel` reads them: rows
                    # and columns of the filter, rows of the output; of x the offset and the step to the next row; the
                    # first tap in the table; of g the offset and the step to the next row; the same of w.
                    entries.append((
                        strip, t_end - t, -(-(out_h - residue) // rows_apart), c * layout.slot + place
                        + residue * layout.line, rows_apart * layout.line, t, residue * out_line, rows_apart * out_line,
                        c * kernel_h * kernel_w + index * kernel_w, index_step * kernel_w,
                    ))  # fmt: skip
    # Behind the planes a row of ones and zeros that tells which pixels count, and the rows of g.
    out = channels * layout.slot
    inside = _whole((layout.images - 1) * layout.pitch + out_w, lanes) + lanes
    end = out + inside + (0 if direct else out_h * out_line) + 2 * lanes
    numbers = layout._replace(
        inputs=channels, outputs=shapes.w[0] // window.groups, out=out, out_line=out_line, out_apart=inside,
        direct=int(direct), end=end,
    )  # fmt: skip
    work = shapes.y[0] * shapes.w[0] * channels * kernel_h * kernel_w * out_h * out_w
    tables = (packs, np.array(entries), np.array(taps))
    return Plan(shapes.w, tables, np.array(numbers), end, window.groups, work)
