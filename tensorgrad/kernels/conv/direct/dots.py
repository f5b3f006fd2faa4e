"""The gradient for the weights: dot products of the gradient's planes with the lines that the taps meet."""

from functools import cache
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.conv.im2row import pack, pack_copies, unpacked
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import address_of, call, chunks_for, inlined, kernel, run, threads_for
from tensorgrad.kernels.jit.views import flattened, tail
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, WIDTH
from tensorgrad.kernels.simd.packing import clear
from tensorgrad.kernels.simd.tiles import DOTS, dot_tile, part_begin
from tensorgrad.windows import Shapes, Window

FLOAT64 = np.dtype(np.float64)

# Vectors that the dot products of a weight gradient have at least, where there are so many images: each ends with a
# sum over lanes that takes as long as some of them.
LINE = 128
# The place of the output's columns in a layout.
OUTPUT_W = taps.Layout._fields.index("output_w")


class DotPlan(NamedTuple):
    """How lines are laid out so that their dot products are the gradient for the weights."""

    lengths: np.ndarray  # the layout of an image, as the kernel takes it
    offsets: np.ndarray  # of the lines
    images: int  # at a time
    length: int  # of a scratch
    blocks: int  # of so many images, or bands of one
    cuts: int  # parts of the filters, where there are fewer blocks than threads
    work: int  # in multiply-adds


def dot_plan(window: Window, shapes: Shapes, itemsize: int, threads: int) -> DotPlan:
    """How lines are laid out for arrays of these shapes."""
    count, (filters, channels), groups = shapes.x[0], shapes.w[:2], window.groups
    work = taps.work(window, channels, count, filters)
    threads = threads_for(work, threads)
    # Bands for the threads would make short lines and sums to add up; only where there are few filters.
    few = groups * -(-filters // groups // ROWS) < threads
    lanes = WIDTH // itemsize
    # Lines of a shared copy mostly lie across two lines of the cache: tiles of few filters would wait for them.
    gaps = window.output[1] % lanes == 0 and filters // groups >= ROWS
    layout = taps.banded(window, channels, count, itemsize, threads if few else 1, gaps)
    layout = taps.in_place(window, taps.side_by_side(window, channels, count, itemsize, threads, layout, LINE))
    vectors = -(-layout.band * layout.output_w // lanes)
    fitting = taps.SCRATCH // (layout.image * itemsize) if layout.bands == 1 else 1
    images = layout.images
    if images == 1:
        images = max(1, min(fitting, -(-LINE // vectors), count // threads))
    offsets = taps.offsets(window, channels, layout)
    length, blocks = images // layout.images * layout.image + lanes, -(-count // images) * layout.bands
    if layout.direct:
        length = 0
    if layout.images > 1:  # the gradient stands behind
        length += filters * layout.output_h * layout.columns + lanes
    cuts = 1 if few else -(-threads // max(blocks, 1))
    return DotPlan(np.array(layout), offsets, images, length, blocks, cuts, work)


def dot(x: np.ndarray, g: np.ndarray, lines: DotPlan, dw: np.ndarray) -> None:
    """The gradient for the weights from the dot products of lines, to dw. The arrays are contiguous."""
    chunks = chunks_for(lines.blocks * lines.cuts, lines.work)
    scratch = memory.empty((chunks, lines.length), x.dtype)
    if lines.blocks > 1:
        sums = memory.empty((chunks, len(dw), lines.offsets.size), FLOAT64)
    else:  # each chunk has filters of its own, and nothing is added up
        sums = dw.reshape(1, len(dw), lines.offsets.size)
    pointwise.clear(sums)
    dots = dot_lines(x.dtype, sums.dtype)
    arguments = (x, g, sums, lines.offsets, scratch, lines.lengths, lines.images, lines.cuts, dots)
    run(grad_weight_kernel, arguments, chunks)
    if lines.blocks > 1:
        add_up(sums, dw)


def add_up(sums: np.ndarray, dw: np.ndarray) -> None:
    """The sum over the chunks of `grad_weight_kernel`, sums (chunks, K, taps), to dw (K, C/groups, KH, KW)."""
    run(_add_up_kernel, (sums, dw), chunks_for(len(dw), sums.size))


@cache
def dot_lines(dtype: np.dtype, precision: np.dtype) -> int:
    """The address of what `grad_weight_kernel` takes dot products with, to add them up in such a precision."""
    images, sums = np.empty((0,) * 4, dtype), np.empty((0, 0), precision)
    line, whole = np.empty(0, dtype), np.empty(0, np.int64)
    return address_of(_dot_lines_kernel, (sums, images, 0, 0, 0, line, whole, whole))


@kernel
def _dot_lines_kernel(sums, g, first, images, band, image, offsets, lengths, index, chunks):
    """sums (K, taps) += g (N, K, OH, OW) · lines, for a band of so many images from the first on, and a part of K."""
    layout, tile = unpacked(lengths), np.empty(DOTS, g.dtype)
    filters, plane = g.shape[1] // layout.groups, layout.output_h * layout.output_w
    begin, blocks = band * layout.band * layout.output_w, -(-filters // ROWS)
    pixels = min(begin + layout.band * layout.output_w, plane) - begin
    across, gap = 1, 0
    if layout.shared and layout.band > 1:
        across, gap = layout.output_w // (WIDTH // g.itemsize), layout.columns - layout.output_w
    for unit in range(layout.groups * blocks * index // chunks, layout.groups * blocks * (index + 1) // chunks):
        group, block = unit // blocks, unit % blocks
        k, k_end = part_begin(filters, ROWS, block), part_begin(filters, ROWS, block + 1)
        row = group * filters + k
        for part in range(-(-offsets.size // COLUMNS)):
            t, t_end = part_begin(offsets.size, COLUMNS, part), part_begin(offsets.size, COLUMNS, part + 1)
            dot_tile(
                k_end - k, t_end - t, g, (first * g.shape[1] + row) * plane + begin, plane, g.shape[1] * plane,
                image, group * layout.group, offsets, t, layout.image, across, gap, images, pixels, tile, 0,
            )  # fmt: skip
            for m in range(k_end - k):
                for n in range(t_end - t):
                    sums[row + m, t + n] += tile[m * (t_end - t) + n]


@inlined
def _dot_images(x, g, sums, offsets, image, lengths, layout, cuts, dots, index, chunks):
    """The same with images side by side, and their gradients too."""
    filters, columns = g.shape[1], layout.columns
    lanes, line = WIDTH // x.itemsize, layout.output_h * columns
    begin = layout.image + lanes
    end = begin + filters * line
    upstream, wide = image[begin:end].reshape(1, filters, layout.output_h, columns), lengths.copy()
    wide[OUTPUT_W] = columns
    units = -(-len(x) // layout.images) * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        first, cut = unit // cuts * layout.images, unit % cuts
        images = min(layout.images, len(x) - first)
        if images < layout.images:  # nothing of other images may stand in what counts for nothing
            clear(image, 0, end)
        pack(x, first, images, 0, image, layout)
        pack_copies(
            g, first, images, image, begin, 1, 1, layout.output_h, layout.output_w, columns, 1, 1, 0, 0, 0
        )  # fmt: skip
        call(dots, (sums, upstream, 0, 1, 0, image, offsets, wide), cut, cuts)


@kernel
def grad_weight_kernel(x, g, sums, offsets, scratch, lengths, images, cuts, dots, index, chunks):
    """sums[index] (K, taps), or sums[0] where there is one for all, += the products with so many `images` at a time.

    The bands of images are shared out, and `cuts` of the filters.
    """
    layout, image = unpacked(lengths), scratch[index]
    if layout.images > 1:
        _dot_images(x, g, sums[index % len(sums)], offsets, image, lengths, layout, cuts, dots, index, chunks)
        return
    units = -(-len(x) // images) * layout.bands * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        block, cut = unit // cuts, unit % cuts
        first, band = block // layout.bands * images, block % layout.bands
        count = min(images, len(x) - first)
        lines = image
        if layout.direct:
            lines = tail(flattened(x), first * layout.image + band * layout.band * layout.output_w)
        else:
            for i in range(count):
                pack(x, first + i, 1, band, tail(image, i * layout.image), layout)
        call(dots, (sums[index % len(sums)], g, first, count, band, lines, offsets, lengths), cut, cuts)


@kernel
def _add_up_kernel(sums, dw, index, chunks):
    """sums (chunks before, K, taps), chunk after chunk -> dw (K, C/groups, KH, KW)."""
    _, filters, taps = sums.shape
    target = flattened(dw)
    for row in range(filters * index // chunks, filters * (index + 1) // chunks):
        total = sums[0, row]
        for i in range(1, len(sums)):
            others = sums[i, row]
            for t in range(taps):
                total[t] += others[t]
        for t in range(taps):
            target[row * taps + t] = total[t]
