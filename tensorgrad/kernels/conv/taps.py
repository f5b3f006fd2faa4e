"""The im2row layout of a convolution's images, and where each tap finds its pixels there: tables of integers.

An image is packed into a scratch: one copy for each column j of the kernel, shifted by j, cut to the columns that the
output has, its rows sorted by phase, the row modulo the stride. There the pixels that one tap meets stand in a line, in
the order of the output's pixels, whatever the stride, the padding and the dilation. Large images are taken in bands.
Where a band is one row, as of a signal, a shifted line begins further on in the same copy: one copy serves all columns
of the kernel, or one for each phase of the stride. So do lines with gaps between their rows, which dot
products skip where rows are whole vectors. Where a plane is so small that it leaves vectors part empty, rows
of several images stand side by side, as one row: the lines are those of one wide image.

Where each window is one pixel, and each pixel has its window, the lines are the image's own planes: nothing is packed.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.dispatch import threads_for
from tensorgrad.kernels.jit.partition import Partition
from tensorgrad.kernels.simd.emitter import COLUMNS, PANELS, ROWS, WIDTH
from tensorgrad.windows import Shapes, Sizes, Window

# Bytes of a scratch: three quarters of a second-level cache of 1 MiB, the rest is for the weights.
SCRATCH = 768 * 1024
# Images from which on the filters are packed for the rest of a plane.
MANY = 8
# Taps from which on images stand side by side where a plane fills less than this share of its vectors, until they fill
# that share of so many vectors: the output is then copied once more.
SIDE_TAPS, EMPTY, FULL, VECTORS = 128, 0.8, 0.93, 4
# Tiles down a group's filters, and across the output of all images, from which on both factors are copied into panels.
DOWN, ACROSS = 4, 16


class Layout(NamedTuple):
    """How a band of an image lies in its scratch: (C, copies, phases, rows, columns). Lengths count elements."""

    groups: int
    copies: int
    stride_h: int
    stride_w: int
    shift: int  # pixels from one copy to the next
    columns: int  # of a copy
    top: int
    left: int
    output_h: int
    output_w: int
    images: int  # side by side
    bands: int  # the output's rows are cut into so many bands
    band: int  # of so many rows, the last one of fewer
    phases: int
    rows: int  # of each phase: those that the windows of a band meet
    group: int  # length of a group of channels
    image: int  # length of all
    shared: int  # 1 if a copy serves all columns of the kernel that are in one phase of the stride
    direct: int = 0  # 1 if the lines are read where they lie in the image


class Sum(NamedTuple):
    """y[k, q] = bias[k] + Σ_t w[k · step + place(t)] · image[offset(t) + q], all of it that follows from shapes."""

    shape: Sizes  # y (N, K, OH, OW)
    layout: Layout
    lengths: np.ndarray  # the layout once more, as the kernel takes it
    table: np.ndarray  # (taps, 2): place and offset, of the first group
    rest: np.ndarray  # (1 + taps, 2): the same for what is left of a plane by whole vectors, or (0, 2)
    packed: int  # length of the packed filters that it refers to
    panels: int  # length of the panels of all filters; 0 if they are read where they lie
    scratch: int  # length of an image with all that stands behind it, a panel of pixels last
    step: int  # in w, from one k to the next
    group: int  # in w, from one group to the next
    blocks: int  # bands of all images
    cuts: int  # parts of the filters, where there are fewer blocks than threads
    work: int  # multiply-adds


def partition(total: Sum) -> Partition | None:
    """How bands of images, and parts of the filters, share out y; None for images side by side, or groups' filters."""
    (count, filters, *plane), where = total.shape, total.layout
    if where.images > 1 or (where.groups > 1 and total.cuts > 1):
        return None
    blocks = -(-filters // ROWS)
    # As `part_begin`; with several groups filters aren't cut.
    starts = tuple([filters * (blocks * cut // total.cuts) // blocks for cut in range(total.cuts + 1)])
    size, length = (prod(plane), where.band * where.output_w) if where.bands > 1 else (0, 0)
    return Partition(count, starts, size, length)


def layout(window: Window, channels: int, bands: int, images: int = 1, gaps: bool = False) -> Layout:
    """Lay out an image, with so many channels in each group, for that many bands, or fewer.

    With `gaps` between the rows of a line, one copy serves several columns of the kernel.
    """
    (kh, kw), (oh, ow), (sh, sw), (dh, dw) = window.kernel, window.output, window.stride, window.dilation
    (top, left), groups, band = window.before, window.groups, -(-oh // bands)
    # A kernel lower than the stride doesn't meet all phases.
    phases, rows = min(sh, dh * (kh - 1) + 1), band + dh * (kh - 1) // sh
    bands = -(-oh // band)
    shared = images == 1 and (gaps or band == 1)
    if shared:
        reach = dw * (kw - 1)
        copies, shift, columns = min(sw, reach + 1), 1, ow + reach // sw
    else:
        copies, shift, columns = kw, dw, images * ow
    group = channels * copies * phases * rows * columns
    return Layout(
        groups, copies, sh, sw, shift, columns, top, left, oh, ow, images, bands, band, phases, rows, group,
        groups * group, int(shared),
    )  # fmt: skip


def work(window: Window, channels: int, count: int, filters: int) -> int:
    """The multiply-adds of `count` images and `filters` filters, all groups together."""
    return count * filters * prod(window.output) * channels * prod(window.kernel)


def banded(window: Window, channels: int, count: int, itemsize: int, threads: int, gaps: bool = False) -> Layout:
    """The layout whose scratch fits into the cache, and that gives each of `threads` something to do."""
    length = layout(window, channels, 1, gaps=gaps).image * itemsize
    bands = max(-(-length // SCRATCH), -(-threads // max(count, 1)))
    return layout(window, channels, min(window.output[0], bands), gaps=gaps)


def side_by_side(
    window: Window, channels: int, count: int, itemsize: int, threads: int, where: Layout, line: int = 0
) -> Layout:
    """The same for several images at a time, where that pays.

    As few as fill the vectors, or as many as give lines of `line` vectors in half of a scratch, whose rest is for g.
    """
    lanes, pixels, taps = WIDTH // itemsize, prod(window.output), channels * prod(window.kernel)

    def fill(images: int) -> float:
        vectors = -(-images * pixels // lanes)
        return images * pixels / (max(vectors, VECTORS if images > 1 else 2) * lanes)

    most = min(
        count // threads,
        SCRATCH // (1 + (line > 0)) // (where.image * itemsize),
        max(VECTORS * lanes, line * lanes // pixels),
    )
    if where.bands > 1 or taps < SIDE_TAPS or fill(1) >= EMPTY or most < 2:
        return where
    full = [m for m in range(2, most + 1) if fill(m) >= FULL]
    images = (full[-1] if line else full[0]) if full else max(range(1, most + 1), key=fill)
    return layout(window, channels, 1, images)


def in_place(window: Window, where: Layout) -> Layout:
    """The same without a copy, if each window is one pixel and each pixel has its window, in the same order."""
    ones = (1, 1)
    if (window.kernel, window.stride, window.before) != (ones, ones, (0, 0)) or window.output != window.size:
        return where
    if where.images > 1:
        return where
    group = where.group // where.rows * where.output_h
    return where._replace(rows=where.output_h, group=group, image=where.groups * group, direct=1)


def offsets(window: Window, channels: int, layout: Layout) -> np.ndarray:
    """Where the line of each tap of the first group begins in the scratch, `(taps,)`."""
    (kh, kw), dilation = window.kernel, window.dilation
    # (C/groups, 1, 1), (KH, 1), (KW,) -> (C/groups, KH, KW) -> (taps,)
    c, h, j = np.arange(channels)[:, None, None], dilation[0] * np.arange(kh)[:, None], np.arange(kw)
    across = j * dilation[1]
    copy, further = (across % layout.stride_w, across // layout.stride_w) if layout.shared else (j, 0)
    phase = (c * layout.copies + copy) * layout.phases + h % layout.stride_h
    return ((phase * layout.rows + h // layout.stride_h) * layout.columns + further).ravel()


def forward_sum(window: Window, shapes: Shapes, itemsize: int, threads: int) -> Sum:
    """The sum that is a convolution."""
    count, (filters, channels) = shapes.x[0], shapes.w[:2]
    threads = threads_for(work(window, channels, count, filters), threads)
    # Threads share out the filters of a 1×1 convolution, if there are more of them than channels: then fewer numbers
    # go from one core to another, if what follows takes channel by channel.
    whole = in_place(window, layout(window, channels, 1)).direct and window.groups == 1 and filters >= channels
    whole = whole or _shares_filters(window, filters, threads)
    where = banded(window, channels, count, itemsize, 1 if whole else threads)
    where = side_by_side(window, channels, count, itemsize, threads, where)
    lines, lanes = offsets(window, channels, where), WIDTH // itemsize
    rest = _rest(count, filters, where, lines, lanes, threads)
    if not len(rest):
        where = in_place(window, where)
        lines = offsets(window, channels, where)
    taps = lines.size
    table = np.stack([np.arange(taps), lines], axis=1)
    shape = (count, filters, *window.output)
    total = _sum(shape, where, table, taps, filters // window.groups * taps, itemsize)
    if not len(rest):
        return _in_panels(_cut(total, threads), window.groups, itemsize)
    # Behind the image ones, zeros, and the rest of the output; behind the filters what packing them overwrites.
    across = -(-filters // lanes) * lanes
    scratch = total.scratch + lanes * (2 + across)
    total = total._replace(rest=rest, packed=(len(rest) + lanes) * across, scratch=scratch)
    return _in_panels(total, window.groups, itemsize)


def _shares_filters(window: Window, filters: int, threads: int) -> bool:
    """Whether threads that have an image between them share out the filters, and not bands of its rows.

    Each then reads a part of the filters and the whole image: less than the other way where the filters are the larger
    ones, and it multiplies lines that aren't cut, which fill more vectors.
    """
    if window.groups > 1 or filters < threads * ROWS:
        return False
    return filters * prod(window.kernel) > prod(window.size)


def _sum(shape: Sizes, where: Layout, table: np.ndarray, step: int, group: int, itemsize: int) -> Sum:
    blocks, total = -(-shape[0] // where.images) * where.bands, prod(shape) * len(table)
    scratch = (0 if where.direct else where.image) + 2 * WIDTH // itemsize
    if where.images > 1:  # the output of a group stands behind
        scratch += shape[1] // where.groups * where.images * prod(shape[2:])
    return Sum(shape, where, np.array(where), table, table[:0], 0, 0, scratch, step, group, blocks, 1, total)


def _cut(total: Sum, threads: int) -> Sum:
    """The same with the filters of a group shared out, where there are fewer bands of images than threads."""
    down = -(-total.shape[1] // total.layout.groups // ROWS)
    wanted = -(-threads // max(total.blocks, 1)) if total.layout.images == 1 else 1
    return total._replace(cuts=max(1, min(wanted, down)))


def _in_panels(total: Sum, groups: int, itemsize: int) -> Sum:
    """The same from panels, where each is used so often that the copies pay."""
    (count, filters, *plane), taps, lanes = total.shape, len(total.table), WIDTH // itemsize
    down, across = -(-filters // groups // ROWS), count * -(-prod(plane) // (COLUMNS * lanes))
    if not PANELS or down < DOWN or across < ACROSS:
        return total
    line = 64 // itemsize  # a panel begins with a line of the cache
    scratch = -(-total.scratch // line) * line + taps * COLUMNS * lanes
    return total._replace(panels=groups * down * (1 + taps) * ROWS, scratch=scratch)


def _rest(count: int, filters: int, where: Layout, lines: np.ndarray, lanes: int, threads: int) -> np.ndarray:
    """The offsets of the last pixels of a plane for packed filters, if these pixels are few.

    There a vector holds neighbouring filters, not neighbouring pixels. The bias comes before the taps, times ones.
    """
    pixels = where.output_h * where.output_w
    whole, left = pixels // lanes, pixels % lanes
    across = -(-filters // lanes)
    # Only with enough filters and images that packing the filters is little work, and each thread has own images.
    enough = count >= max(MANY, threads) and 0 < 2 * left * across <= filters
    if where.images > 1 or where.bands > 1 or where.groups > 1 or not enough:
        return np.empty((0, 2), np.int64)
    ones = where.image + lanes - whole * lanes
    places, rows = np.concatenate([[ones], lines]), np.concatenate([[lines.size], np.arange(lines.size)])
    return np.stack([places, rows * across * lanes], axis=1)


def grad_input_sums(window: Window, shapes: Shapes, itemsize: int, threads: int) -> tuple[tuple[Sizes, Sum], ...]:
    """For each phase (a, b) of the stride the sum over the output's gradient that makes the pixels [a::s, b::s]."""
    count, channels, filters = shapes.x[0], shapes.x[1], shapes.w[0] // window.groups
    (_, kw), itself = window.kernel, prod(shapes.w[1:])
    sums = []
    for start, (rows, columns), phase in window.phases():
        wanted = threads_for(work(phase, filters, count, channels), threads)
        whole = _shares_filters(phase, channels, wanted)
        where = banded(phase, filters, count, itemsize, 1 if whole else wanted)
        where = in_place(phase, side_by_side(phase, filters, count, itemsize, wanted, where))
        # (K/groups, 1, 1), (taps of a, 1), (taps of b,) -> (taps,)
        places = np.arange(filters)[:, None, None] * itself + np.array(rows)[:, None] * kw + np.array(columns)
        table = np.stack([places.ravel(), offsets(phase, filters, where)], axis=1)
        shape = (count, channels, *phase.output)
        total = _cut(_sum(shape, where, table, prod(window.kernel), filters * itself, itemsize), wanted)
        sums.append((start, _in_panels(total, window.groups, itemsize)))
    return tuple(sums)
