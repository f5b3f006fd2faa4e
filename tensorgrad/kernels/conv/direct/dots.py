"""The gradient for the weights of a convolution.

    ∂L/∂w[k, tap] = Σ over images n and pixels q of g[n, k, q] · line[tap][n, q]

the dot product of planes of g with the lines of pixels that the tap meets (see `taps`). Where several products are
added up, the sums are in float64.
"""

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

# The fewest vectors in a dot product, if there are enough images: with shorter lines one product takes several images,
# since each product ends with a sum over the lanes of a vector, which takes as long as several multiply-adds.
LINE = 128
# The position of the field output_w in a Layout: `_dot_images` overwrites it.
OUTPUT_W = taps.Layout._fields.index("output_w")


class DotPlan(NamedTuple):
    """How lines are laid out so that their dot products are the gradient for the weights."""

    lengths: np.ndarray  # the Layout of an image, as an array of integers
    offsets: np.ndarray  # where each tap's line begins, (taps,)
    images: int  # the most images in a batch
    batches: int  # into which the images are divided evenly: each has dot products of its own
    length: int  # elements of a thread's scratch
    blocks: int  # units of work: batches, or bands of them
    cuts: int  # parts of the filters, where there are fewer blocks than threads
    work: int  # in multiply-adds


def dot_plan(window: Window, shapes: Shapes, itemsize: int, threads: int) -> DotPlan:
    """How lines are laid out for arrays of these shapes."""
    count, (filters, channels), groups = shapes.x[0], shapes.w[:2], window.groups
    work = taps.work(window, channels, count, filters)
    threads = threads_for(work, threads)
    # Threads share out images and, if there are fewer of these than threads, blocks of filters. Only with fewer blocks
    # of filters than threads are images cut into bands: lines get shorter, and there are partial sums to add up.
    few_filters = groups * -(-filters // groups // ROWS) < threads
    lanes = WIDTH // itemsize
    # The vectors of a shared copy mostly cross a cache line: tiles of few filters would wait for them.
    gaps = window.output[1] % lanes == 0 and filters // groups >= ROWS
    layout = taps.banded(window, channels, count, itemsize, threads if few_filters else 1, gaps)
    layout = taps.in_place(window, taps.side_by_side(window, channels, count, itemsize, threads, layout, LINE))
    vectors = -(-layout.band * layout.output_w // lanes)
    images_that_fit = taps.SCRATCH // (layout.image * itemsize) if layout.bands == 1 else 1
    images = layout.images
    if images == 1:
        images = max(1, min(images_that_fit, -(-LINE // vectors), count // threads))
    batches = -(-count // images)
    if layout.bands == 1:  # as many for each thread
        batches = min(count, -(-batches // threads) * threads)
    images = -(-count // max(batches, 1)) if layout.images == 1 else images
    offsets = taps.offsets(window, channels, layout)
    length, blocks = images // layout.images * layout.image + lanes, batches * layout.bands
    if layout.direct:
        length = 0
    if layout.images > 1:  # g is packed behind the images, in as many columns
        length += filters * layout.output_h * layout.columns + lanes
    cuts = 1 if few_filters else -(-threads // max(blocks, 1))
    return DotPlan(np.array(layout), offsets, images, batches, length, blocks, cuts, work)


def dot(x: np.ndarray, g: np.ndarray, lines: DotPlan, dw: np.ndarray) -> None:
    """The gradient for the weights, to dw (K, C/groups, KH, KW), from x (N, C, H, W) and g (N, K, OH, OW).

    The arrays are contiguous.
    """
    chunks = chunks_for(lines.blocks * lines.cuts, lines.work)
    scratch = memory.empty((chunks, lines.length), x.dtype)
    if lines.blocks > 1:
        sums = memory.empty((chunks, len(dw), lines.offsets.size), FLOAT64)
    else:
        # One block: each chunk writes other filters, straight into dw and in its dtype, since a weight has one product.
        # (K, C/groups, KH, KW) -> (1, K, taps)
        sums = dw.reshape(1, len(dw), lines.offsets.size)
        pointwise.clear(sums)
    dots = dot_lines(x.dtype, sums.dtype)
    arguments = (x, g, sums, lines.blocks > 1, lines.offsets, scratch, lines.lengths, lines.batches, lines.cuts, dots)
    run(grad_weight_kernel, arguments, chunks)
    if lines.blocks > 1:
        add_up(sums, dw)


def add_up(sums: np.ndarray, dw: np.ndarray) -> None:
    """dw (K, C/groups, KH, KW) = Σ over chunks of sums (chunks, K, taps), as `grad_weight_kernel` writes them."""
    run(_add_up_kernel, (sums, dw), chunks_for(len(dw), sums.size))


@cache
def dot_lines(dtype: np.dtype, precision: np.dtype) -> int:
    """The address of `_dot_lines_kernel` for arrays of `dtype` and sums of the dtype `precision`."""
    images, sums = np.empty((0,) * 4, dtype), np.empty((0, 0), precision)
    line, whole = np.empty(0, dtype), np.empty(0, np.int64)
    return address_of(_dot_lines_kernel, (sums, images, 0, 0, 0, line, whole, whole))


@kernel
def _dot_lines_kernel(sums, g, first, count, band, lines, offsets, lengths, index, chunks):
    """sums (K, taps) += g (N, K, OH, OW) · lines, for one band of `count` images from `first` on.

    The blocks of filters of all groups are divided into `chunks` parts; this call takes the part `index`.
    """
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
                lines, group * layout.group, offsets, t, layout.image, across, gap, count, pixels, tile, 0,
            )  # fmt: skip
            for m in range(k_end - k):
                for n in range(t_end - t):
                    sums[row + m, t + n] += tile[m * (t_end - t) + n]


@inlined
def _dot_images(x, g, sums, offsets, image, lengths, layout, batches, cuts, dots, index, chunks):
    """As `grad_weight_kernel`, for a layout in which several images lie side by side in a row.

    g is packed likewise, so that a line of g and a line of pixels run over all of these images.
    """
    filters, columns = g.shape[1], layout.columns
    lanes, line = WIDTH // x.itemsize, layout.output_h * columns
    begin = layout.image + lanes
    end = begin + filters * line
    # -> (1, K, OH, columns of all images)
    upstream, wide = image[begin:end].reshape(1, filters, layout.output_h, columns), lengths.copy()
    # To `_dot_lines_kernel` these are the rows of one wide image.
    wide[OUTPUT_W] = columns
    units = batches * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        batch, cut = unit // cuts, unit % cuts
        first = len(x) * batch // batches
        images = len(x) * (batch + 1) // batches - first
        # Fewer images than there are columns for: the others must be 0, not the pixels of earlier images.
        if images < layout.images:
            clear(image, 0, end)
        pack(x, first, images, 0, image, layout)
        pack_copies(
            g, first, images, image, begin, 1, 1, layout.output_h, layout.output_w, columns, 1, 1, 0, 0, 0
        )  # fmt: skip
        call(dots, (sums, upstream, 0, 1, 0, image, offsets, wide), cut, cuts)


@kernel
def grad_weight_kernel(x, g, sums, clear_first, offsets, scratch, lengths, batches, cuts, dots, index, chunks):
    """sums[index] (K, taps), or sums[0] if there is only one, += the dot products over the images of each batch.

    The chunks share out units: the bands of batches, times the `cuts` parts into which the blocks of filters
    of all groups are divided. `dots` is the address of `_dot_lines_kernel`. With `clear_first` each chunk begins with
    zeros, which are then in the cache of its own core.
    """
    layout, image = unpacked(lengths), scratch[index]
    if clear_first:
        sums[index] = 0
    if layout.images > 1:
        _dot_images(x, g, sums[index % len(sums)], offsets, image, lengths, layout, batches, cuts, dots, index, chunks)
        return
    units = batches * layout.bands * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        block, cut = unit // cuts, unit % cuts
        batch, band = block // layout.bands, block % layout.bands
        first = len(x) * batch // batches
        count = len(x) * (batch + 1) // batches - first
        lines = image
        if layout.direct:
            lines = tail(flattened(x), first * layout.image + band * layout.band * layout.output_w)
        else:
            for i in range(count):
                pack(x, first + i, 1, band, tail(image, i * layout.image), layout)
        call(dots, (sums[index % len(sums)], g, first, count, band, lines, offsets, lengths), cut, cuts)


@kernel
def _add_up_kernel(sums, dw, index, chunks):
    """See `add_up`; sums[0] is overwritten."""
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
