"""Convolution in groups of few channels, depthwise above all: plane by plane, without im2row.

A tile of a product needs many channels on both sides. With one channel in a group there is one row of weights, so a
tile of that kind has one row of sums. Here (see `simd.planes`) a vector of pixels is loaded once for several rows of
sums and all rows of the filter, from planes that are first copied into a scratch with zeros around them:

    scratch[a, b, r, i · pitch + q] = pixel (r · s + a − top, q · s + b − left) of image i

for each phase (a, b) of the stride, so that neighbouring windows lie side by side whatever the stride. Where rows are
short, the same channel of several images stands in one row, and they share the zeros between them. The gradient for
the input is the same sum over the output's gradient, one for each phase of the stride, interleaved at the end.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv.im2row import clear
from tensorgrad.kernels.jit.dispatch import chunks_for, inlined, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.planes import (
    PLANE_DOTS,
    STRIP,
    SUMS,
    merge_rows,
    pack_rows,
    plane_dots,
    plane_tile,
    split_rows,
    store_rows,
)
from tensorgrad.kernels.simd.tiles import part_begin
from tensorgrad.windows import Shapes, Sizes, Window, convolution_shapes

# Channels in a group, on either side, up to which this is faster than the tiles of `convolution`.
CHANNELS, FILTERS = 2, 4
# Vectors of a row that images share, at most.
VECTORS = 8

Taps = tuple[tuple[int, int], ...]


def serves(window: Window, shapes: Shapes) -> bool:
    """Whether this is the way to compute a convolution and its gradients."""
    return window.groups > 1 and shapes.w[1] <= CHANNELS and shapes.w[0] // window.groups <= FILTERS


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.forward`. The arrays are contiguous."""
    return _correlate(x, w, bias, _forward_plan(x.shape, w.shape, window, x.itemsize))


def grad_input(g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_input`, for finite w. The arrays are contiguous."""
    return _correlate(g, w, bias, _grad_input_plan(g.shape, w.shape, window, g.itemsize))


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_weight`. The arrays are contiguous."""
    plan = _grad_weight_plan(x.shape, g.shape, window, x.itemsize)
    dw = memory.empty(plan.shape, x.dtype)
    chunks = chunks_for(plan.units, plan.work)
    scratch = memory.empty((chunks, plan.scratch), x.dtype)
    sums = memory.empty((plan.shape[0], prod(plan.shape[1:])), np.float64)
    run(_grad_weight_kernel, (x, g, dw, sums, scratch, *plan.tables, plan.numbers), chunks)
    return dw


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, bias = np.ones((2, 2, 3, 3), dtype), np.ones((2, 1, 2, 2), dtype), np.ones(2, dtype)
    window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 2)
    g = np.ones((2, 2, 2, 2), dtype)
    yield "forward", lambda: forward(x, w, bias, window)
    yield "grad_weight", lambda: grad_weight(x, g, window)


# --------------------------------------------------------------------------------------------------------------- plans


class Axis(NamedTuple):
    """One phase of the output along one axis: its number of pixels, and of each tap the index in the filter and the
    pixel of the input that it meets first, below 0 in the padding.
    """

    pixels: int
    taps: Taps


class Part(NamedTuple):
    """A phase (a, b) of the output's stride."""

    start: Sizes
    rows: Axis
    columns: Axis


class Planes(NamedTuple):
    """How the planes of a channel lie in the scratch. Lengths count elements."""

    inputs: int  # channels in a group
    outputs: int
    images: int  # in a row
    pitch: int  # from one image to the next
    stride_h: int
    stride_w: int
    out_stride_h: int
    out_stride_w: int
    lead: int  # zeros before a row
    shift: int  # columns of the padding beyond these zeros
    line: int  # length of a row
    apart: int  # from one phase of the columns to the next
    slot: int  # length of a channel
    out: int  # where the output begins, in the scratch
    out_line: int
    out_apart: int
    direct: int  # 1 if the output is written where it belongs
    filter_step: int  # in w, from one output channel of a group to the next
    group_step: int
    end: int  # length of all


LENGTHS = len(Planes._fields)


class Plan(NamedTuple):
    """What the kernels take."""

    shape: Sizes  # of the result
    tables: tuple[np.ndarray, np.ndarray, np.ndarray]  # packs, entries, taps
    numbers: np.ndarray  # Planes
    scratch: int
    units: int  # parts of the work
    work: int


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
def _forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    taps = shapes.w[2] * shapes.w[3]
    parts = [Part((0, 0), _along(window, 0), _along(window, 1))]
    sizes = (window.size, window.stride, window.output, (1, 1))
    channels = (shapes.w[1], shapes.w[0] // window.groups)
    steps = (taps, shapes.w[1] * taps, channels[1] * shapes.w[1] * taps)
    return _plan(shapes.y, parts, *sizes, channels, steps, window.kernel[1], itemsize)


@planned
def _grad_input_plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
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
    # Each image's pixels lie behind those of the image before it, and where that one meets zeros there are some.
    pitch = max(last, need - lead, across)
    images = _images(count, across, pitch, lanes, many)
    written = _whole(-(-(width + left % sw) // sw), lanes)
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
    """How many images stand in a row: those that fill the vectors best; few of them, or many for longer sums."""
    most = max(1, min(count, VECTORS * lanes // pitch))
    fill = [m * width / _whole((m - 1) * pitch + width, lanes) for m in range(1, most + 1)]
    good = [m for m, share in enumerate(fill, 1) if share >= 0.96 * max(fill)]
    return good[-1] if many else good[0]


def _strips(axis: Axis, row: Callable[[int], tuple[int, int]]) -> Iterator[tuple[int, int, int, int, int]]:
    """Rows of the filter that a tile takes: how many, the first one, the step to the next one, the place of the first
    one's pixels, and how many rows of the scratch lie between those of neighbours.
    """
    groups: dict[int, list[tuple[int, int]]] = {}
    for index, first in axis.taps:
        phase, place = row(first)
        groups.setdefault(phase, []).append((index, place))
    for taps in groups.values():
        for part in range(-(-len(taps) // STRIP)):
            begin, end = part_begin(len(taps), STRIP, part), part_begin(len(taps), STRIP, part + 1)
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
                apart = max(step, layout.line) // layout.line
                for residue in range(min(apart, part.rows.pixels)):
                    rows = -(-(part.rows.pixels - residue) // apart)
                    high = -(-rows // -(-rows // SUMS))
                    # As many rows at a time as can be, then the rest.
                    for begin, tall, blocks in ((0, high, rows // high), (rows // high * high, rows % high, 1)):
                        first = residue + begin * apart
                        if tall:
                            entries.append((
                                strip, tall, blocks, c * layout.slot + place + first * layout.line,
                                apart * layout.line, c * steps[0] + index * kernel_w, index_step * kernel_w, table_at,
                                len(part.columns.taps), fresh, to + first * out_line, apart * out_line,
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
    return Plan(shape, tables, np.array(numbers), end, units, work * shape[0] * shape[1])


@planned
def _grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int) -> Plan:
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
            apart = max(step, layout.line) // layout.line
            for residue in range(min(apart, out_h)):
                for across in range(-(-len(taps) // STRIP)):
                    t, t_end = part_begin(len(taps), STRIP, across), part_begin(len(taps), STRIP, across + 1)
                    entries.append((
                        strip, t_end - t, -(-(out_h - residue) // apart), c * layout.slot + place
                        + residue * layout.line, apart * layout.line, t, residue * out_line, apart * out_line,
                        c * kernel_h * kernel_w + index * kernel_w, index_step * kernel_w,
                    ))  # fmt: skip
    # Behind the planes the row that tells which pixels count, and the gradient's rows.
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


# ------------------------------------------------------------------------------------------------------------- kernels


def _correlate(x: np.ndarray, w: np.ndarray, bias: np.ndarray, plan: Plan) -> np.ndarray:
    y = memory.empty(plan.shape, x.dtype)
    chunks = chunks_for(plan.units, plan.work)
    scratch = memory.empty((chunks, plan.scratch), x.dtype)
    run(_correlate_kernel, (x, w.reshape(-1), bias, y, scratch, *plan.tables, plan.numbers), chunks)
    return y


@inlined
def _unpacked(numbers):
    return Planes(*to_fixed_tuple(numbers, LENGTHS))


@kernel
def _pack_planes(x, first, images, channel, scratch, at, packs, layout):
    """Channel after channel of a group of so many images into the scratch."""
    _, channels, height, width = x.shape
    pixels, image = x.reshape(-1), channels * height * width
    for c in range(layout.inputs):
        plane = (first * channels + channel + c) * height * width
        for index in range(len(packs)):
            target, row, rows = at + c * layout.slot + packs[index, 0], packs[index, 1], packs[index, 2]
            source, step = plane + row * width, layout.stride_h * width
            if layout.stride_w == 1:
                pack_rows(
                    scratch, target, layout.line, layout.pitch, pixels, source, step, image, rows, images, width
                )  # fmt: skip
            elif layout.stride_w == 2:
                split_rows(
                    scratch, target, layout.line, layout.pitch, pixels, source, step, image, rows, images, width,
                    layout.apart, layout.shift,
                )  # fmt: skip
            else:
                for r in range(rows):
                    for n in range(images):
                        to, begin = target + r * layout.line + n * layout.pitch, source + r * step + n * image
                        for q in range(width):
                            place = q + layout.shift
                            phase = place % layout.stride_w
                            scratch[to + phase * layout.apart + place // layout.stride_w] = pixels[begin + q]


@kernel
def _store_planes(y, first, images, channel, scratch, layout):
    """The planes of one channel of so many images out of the scratch, their phases interleaved."""
    _, channels, height, width = y.shape
    pixels, image = y.reshape(-1), channels * height * width
    plane = (first * channels + channel) * height * width
    for a in range(min(layout.out_stride_h, height)):
        rows = -(-(height - a) // layout.out_stride_h)
        target, step = plane + a * width, layout.out_stride_h * width
        source = layout.out + a * layout.out_stride_w * layout.out_apart
        if layout.out_stride_w == 1:
            store_rows(
                pixels, target, step, image, scratch, source, layout.out_line, layout.pitch, rows, images, width
            )  # fmt: skip
        elif layout.out_stride_w == 2:
            merge_rows(
                pixels, target, step, image, scratch, source, layout.out_line, layout.pitch, rows, images, width,
                layout.out_apart,
            )  # fmt: skip
        else:
            for r in range(rows):
                for n in range(images):
                    begin = source + r * layout.out_line + n * layout.pitch
                    for q in range(width):
                        place = q % layout.out_stride_w * layout.out_apart + q // layout.out_stride_w
                        pixels[target + r * step + n * image + q] = scratch[begin + place]


@kernel
def _correlate_kernel(x, w, bias, y, scratch, packs, entries, table, numbers, index, chunks):
    layout, lines, taps = _unpacked(numbers), scratch[index], table.reshape(-1)
    groups, pixels, plane = y.shape[1] // layout.outputs, y.reshape(-1), y.shape[2] * y.shape[3]
    clear(lines, 0, layout.end)
    units = -(-len(x) // layout.images) * groups
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        first, group = unit // groups * layout.images, unit % groups
        images = min(layout.images, len(x) - first)
        _pack_planes(x, first, images, group * layout.inputs, lines, 0, packs, layout)
        for o in range(layout.outputs):
            channel = group * layout.outputs + o
            weights = group * layout.group_step + o * layout.filter_step
            if layout.direct:
                target, to = pixels, (first * y.shape[1] + channel) * plane
            else:
                target, to = lines, layout.out
            for e in range(len(entries)):
                (strip, high, blocks, place, step, at, w_step, table_at, count, fresh, begin, down, size) = (
                    to_fixed_tuple(entries[e], 13)
                )
                plane_tile(
                    high, strip, blocks, lines, place, step, w, weights + at, w_step, taps, 2 * table_at, count, bias,
                    channel, fresh, target, to + begin, down, (images - 1) * layout.pitch + size,
                )  # fmt: skip
            if not layout.direct:
                _store_planes(y, first, images, channel, lines, layout)


@kernel
def _grad_weight_kernel(x, g, dw, sums, scratch, packs, entries, table, numbers, index, chunks):
    layout, lines, taps = _unpacked(numbers), scratch[index], table.reshape(-1)
    groups, (_, filters, out_h, out_w), gradients = g.shape[1] // layout.outputs, g.shape, g.reshape(-1)
    upstream, dots, plane = layout.out + layout.out_apart, np.empty(PLANE_DOTS, x.dtype), out_h * out_w
    clear(lines, 0, layout.end)
    for n in range(layout.images):
        for q in range(out_w):
            lines[layout.out + n * layout.pitch + q] = 1
    begin, end = groups * index // chunks, groups * (index + 1) // chunks
    sums[begin * layout.outputs : end * layout.outputs] = 0
    for block in range(-(-len(x) // layout.images)):
        first = block * layout.images
        images = min(layout.images, len(x) - first)
        length = (images - 1) * layout.pitch + out_w
        for group in range(begin, end):
            _pack_planes(x, first, images, group * layout.inputs, lines, 0, packs, layout)
            for k in range(group * layout.outputs, (group + 1) * layout.outputs):
                source, values = (first * filters + k) * plane, gradients
                if not layout.direct:
                    pack_rows(
                        lines, upstream, layout.out_line, layout.pitch, gradients, source, out_w, filters * plane,
                        out_h, images, out_w,
                    )  # fmt: skip
                    source, values = upstream, lines
                total = sums[k]
                for e in range(len(entries)):
                    strip, across, rows, place, step, t, at, down, tap, tap_step = to_fixed_tuple(entries[e], 10)
                    plane_dots(
                        strip, across, rows, lines, place, step, taps, 2 * t, values, source + at, down, lines,
                        layout.out, length, dots, 0,
                    )  # fmt: skip
                    for i in range(strip):
                        for j in range(across):
                            total[tap + i * tap_step + table[t + j, 0]] += dots[i * across + j]
    for k in range(begin * layout.outputs, end * layout.outputs):
        weights, total = dw[k].reshape(-1), sums[k]
        for t in range(weights.size):
            weights[t] = total[t]
