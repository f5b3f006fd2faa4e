"""The im2row layout of a convolution's images, and where each tap finds its pixels there: tables of integers.

An image is packed into a scratch: one copy for each column j of the kernel, shifted by j, cut to the columns that the
output has, its rows sorted by phase, the row modulo the stride. There the pixels that one tap meets stand in a line, in
the order of the output's pixels, whatever the stride, the padding and the dilation. Large images are taken in bands.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.dispatch import threads_for
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Shapes, Sizes, Window

# Bytes of a scratch: three quarters of a second-level cache of 1 MiB, the rest is for the weights.
SCRATCH = 768 * 1024
# Images from which on the filters are packed for the rest of a plane.
MANY = 8


class Layout(NamedTuple):
    """How a band of an image lies in its scratch: (C, KW, phases, rows, OW). Lengths count elements."""

    groups: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_w: int
    top: int
    left: int
    output_h: int
    output_w: int
    bands: int  # the output's rows are cut into so many bands
    band: int  # of so many rows, the last one of fewer
    phases: int
    rows: int  # of each phase: those that the windows of a band meet
    group: int  # length of a group of channels
    image: int  # length of all


class Sum(NamedTuple):
    """y[k, q] = bias[k] + Σ_t w[k · step + place(t)] · image[offset(t) + q], all of it that follows from shapes."""

    shape: Sizes  # y (N, K, OH, OW)
    layout: Layout
    lengths: np.ndarray  # the layout once more, as the kernel takes it
    table: np.ndarray  # (taps, 2): place and offset, of the first group
    rest: np.ndarray  # (1 + taps, 2): the same for what is left of a plane by whole vectors, or (0, 2)
    packed: int  # length of the packed filters that it refers to
    scratch: int  # length of an image with all that stands behind it
    step: int  # in w, from one k to the next
    group: int  # in w, from one group to the next
    blocks: int  # bands of all images
    work: int  # multiply-adds


def layout(window: Window, channels: int, bands: int) -> Layout:
    """Lay out an image, with so many channels in each group, for that many bands, or fewer."""
    (kh, kw), (oh, ow), (sh, sw), (dh, dw) = window.kernel, window.output, window.stride, window.dilation
    (top, left), groups, band = window.before, window.groups, -(-oh // bands)
    # A kernel lower than the stride doesn't meet all phases.
    phases, rows = min(sh, dh * (kh - 1) + 1), band + dh * (kh - 1) // sh
    group = channels * kw * phases * rows * ow
    bands = -(-oh // band)
    return Layout(groups, kw, sh, sw, dw, top, left, oh, ow, bands, band, phases, rows, group, groups * group)


def work(window: Window, channels: int, count: int, filters: int) -> int:
    """The multiply-adds of `count` images and `filters` filters, all groups together."""
    return count * filters * prod(window.output) * channels * prod(window.kernel)


def banded(window: Window, channels: int, count: int, itemsize: int, threads: int) -> Layout:
    """The layout whose scratch fits into the cache, and that gives each of `threads` something to do."""
    length = layout(window, channels, 1).image * itemsize
    bands = max(-(-length // SCRATCH), -(-threads // max(count, 1)))
    return layout(window, channels, min(window.output[0], bands))


def offsets(window: Window, channels: int, layout: Layout) -> np.ndarray:
    """Where the line of each tap of the first group begins in the scratch, `(taps,)`."""
    kh, kw = window.kernel
    # (C/groups, 1, 1), (KH, 1), (KW,) -> (C/groups, KH, KW) -> (taps,)
    c, h, j = np.arange(channels)[:, None, None], window.dilation[0] * np.arange(kh)[:, None], np.arange(kw)
    phase = (c * kw + j) * layout.phases + h % layout.stride_h
    return ((phase * layout.rows + h // layout.stride_h) * layout.output_w).ravel()


def forward_sum(window: Window, shapes: Shapes, itemsize: int, threads: int) -> Sum:
    """The sum that is a convolution."""
    count, (filters, channels) = shapes.x[0], shapes.w[:2]
    threads = threads_for(work(window, channels, count, filters), threads)
    where = banded(window, channels, count, itemsize, threads)
    lines, lanes = offsets(window, channels, where), WIDTH // itemsize
    taps = lines.size
    table = np.stack([np.arange(taps), lines], axis=1)
    shape = (count, filters, *window.output)
    total = _sum(shape, where, table, taps, filters // window.groups * taps, itemsize)
    rest = _rest(count, filters, where, lines, lanes)
    if not len(rest):
        return total
    # Behind the image ones, zeros, and the rest of the output; behind the filters what packing them overwrites.
    across = -(-filters // lanes) * lanes
    scratch = total.scratch + lanes * (2 + across)
    return total._replace(rest=rest, packed=(len(rest) + lanes) * across, scratch=scratch)


def _sum(shape: Sizes, where: Layout, table: np.ndarray, step: int, group: int, itemsize: int) -> Sum:
    blocks, total, scratch = shape[0] * where.bands, prod(shape) * len(table), where.image + WIDTH // itemsize
    return Sum(shape, where, np.array(where), table, table[:0], 0, scratch, step, group, blocks, total)


def _rest(count: int, filters: int, where: Layout, lines: np.ndarray, lanes: int) -> np.ndarray:
    """The offsets of the last pixels of a plane for packed filters, if these pixels are few.

    There a vector holds neighbouring filters, not neighbouring pixels. The bias comes before the taps, times ones.
    """
    pixels = where.output_h * where.output_w
    whole, left = pixels // lanes, pixels % lanes
    across = -(-filters // lanes)
    # Only with enough filters and images that packing the filters is little work.
    if where.bands > 1 or where.groups > 1 or not 0 < 2 * left * across <= filters or count < MANY:
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
        where = banded(phase, filters, count, itemsize, wanted)
        # (K/groups, 1, 1), (taps of a, 1), (taps of b,) -> (taps,)
        places = np.arange(filters)[:, None, None] * itself + np.array(rows)[:, None] * kw + np.array(columns)
        table = np.stack([places.ravel(), offsets(phase, filters, where)], axis=1)
        shape = (count, channels, *phase.output)
        sums.append((start, _sum(shape, where, table, prod(window.kernel), filters * itself, itemsize)))
    return tuple(sums)
