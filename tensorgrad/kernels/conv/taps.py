"""How images lie in the scratch of a convolution, and where each tap finds its pixels there: tables of integers.

An image is spread out: one copy for each column j of the kernel, shifted by j, cut to the columns that the output has,
its rows sorted by phase, the row modulo the stride. There the pixels that one tap meets stand in a line, in the order
of the output's pixels, whatever the stride, the padding and the dilation. Large images are taken band by band.
"""

from collections.abc import Iterator
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.dispatch import threads_for
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Pads, Sizes

# Bytes of a scratch: three quarters of a second-level cache of 1 MiB, the rest is for the weights.
SCRATCH = 768 * 1024
# Images from which on the weights are turned for the rest of a plane.
MANY = 8


class Window(NamedTuple):
    """How a window moves over an image, which has `groups` times the channels of the kernel."""

    kernel: Sizes  # (C/groups, KH, KW)
    groups: int
    output: Sizes  # (OH, OW)
    stride: Sizes
    dilation: Sizes
    before: Sizes  # the first window begins so far above and left of the image; negative: below and right of it


def before(padding: Pads) -> Sizes:
    """How far the first window begins above and left of the image."""
    (top, _), (left, _) = padding
    return top, left


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
    turned: int  # length of the filters that it refers to
    scratch: int  # length of an image with all that stands behind it
    step: int  # in w, from one k to the next
    group: int  # in w, from one group to the next
    blocks: int  # bands of all images
    work: int  # multiply-adds


def layout(window: Window, bands: int) -> Layout:
    """Lay out an image for that many bands, or fewer."""
    (channels, kh, kw), groups, (oh, ow), (sh, sw), (dh, dw), (top, left) = window
    band = -(-oh // bands)
    # A kernel lower than the stride doesn't meet all phases.
    phases, rows = min(sh, dh * (kh - 1) + 1), band + dh * (kh - 1) // sh
    group = channels * kw * phases * rows * ow
    bands = -(-oh // band)
    return Layout(groups, kw, sh, sw, dw, top, left, oh, ow, bands, band, phases, rows, group, groups * group)


def work(window: Window, count: int, filters: int) -> int:
    """The multiply-adds of `count` images and `filters` filters, all groups together."""
    return count * filters * prod(window.output) * prod(window.kernel)


def banded(window: Window, count: int, itemsize: int, threads: int) -> Layout:
    """The layout whose scratch fits into the cache, and that gives each of `threads` something to do."""
    length = layout(window, 1).image * itemsize
    return layout(window, min(window.output[0], max(-(-length // SCRATCH), -(-threads // max(count, 1)))))


def offsets(window: Window, layout: Layout) -> np.ndarray:
    """Where the line of each tap of the first group begins in the scratch, `(taps,)`."""
    channels, kh, kw = window.kernel
    # (C/groups, 1, 1), (KH, 1), (KW,) -> (C/groups, KH, KW) -> (taps,)
    c, h, j = np.arange(channels)[:, None, None], window.dilation[0] * np.arange(kh)[:, None], np.arange(kw)
    phase = (c * kw + j) * layout.phases + h % layout.stride_h
    return ((phase * layout.rows + h // layout.stride_h) * layout.output_w).ravel()


def forward_sum(count: int, filters: int, window: Window, itemsize: int, threads: int) -> Sum:
    """The sum that is a convolution of `count` images with w (K, C/groups, KH, KW)."""
    where = banded(window, count, itemsize, threads_for(work(window, count, filters), threads))
    lines = offsets(window, where)
    taps = lines.size
    table = np.stack([np.arange(taps), lines], axis=1)
    total = _sum((count, filters, *window.output), where, table, taps, filters // window.groups * taps, itemsize)
    rest, lanes = _rest(count, filters, where, lines, WIDTH // itemsize), WIDTH // itemsize
    if not len(rest):
        return total
    # Behind the image ones, zeros, and the rest of the output; behind the filters what turning them overwrites.
    across = -(-filters // lanes) * lanes
    scratch = total.scratch + lanes * (2 + across)
    return total._replace(rest=rest, turned=(len(rest) + lanes) * across, scratch=scratch)


def _sum(shape: Sizes, where: Layout, table: np.ndarray, step: int, group: int, itemsize: int) -> Sum:
    blocks, total, scratch = shape[0] * where.bands, prod(shape) * len(table), where.image + WIDTH // itemsize
    return Sum(shape, where, np.array(where), table, table[:0], 0, scratch, step, group, blocks, total)


def _rest(count: int, filters: int, where: Layout, lines: np.ndarray, lanes: int) -> np.ndarray:
    """Where the filters' turned weights find the last pixels of a plane, if these are few.

    Then neighbouring filters make a vector, not neighbouring pixels. Before the taps comes the bias, which meets ones.
    """
    pixels = where.output_h * where.output_w
    whole, left = pixels // lanes, pixels % lanes
    across = -(-filters // lanes)
    # Of so many filters, and over so many images, that turning the weights is little.
    if where.bands > 1 or where.groups > 1 or not 0 < 2 * left * across <= filters or count < MANY:
        return np.empty((0, 2), np.int64)
    ones = where.image + lanes - whole * lanes
    places, rows = np.concatenate([[ones], lines]), np.concatenate([[lines.size], np.arange(lines.size)])
    return np.stack([places, rows * across * lanes], axis=1)


def grad_input_sums(
    g_shape: Sizes,
    w_shape: Sizes,
    input_size: Sizes,
    stride: Sizes,
    padding: Pads,
    dilation: Sizes,
    groups: int,
    itemsize: int,
    threads: int,
) -> tuple[tuple[Sizes, Sum], ...]:
    """For each phase (a, b) of the stride the sum over g that makes the pixels [a::stride, b::stride] of the input.

    The input's pixel h receives from the output's pixel p through tap i where h + before = p · s + i · d. For the
    h = a + s · u of one phase, only every s/gcd(s, d)-th tap does, and p = u + (a + before − i · d) / s: a convolution
    of g, flipped, with stride 1 and dilation d/gcd(s, d). Phases that no tap reaches are left out.
    """
    (filters, channels, kh, kw), itself = w_shape, w_shape[1] * w_shape[2] * w_shape[3]
    sums = []
    for a, rows, dilation_h, above in _phases(kh, stride[0], dilation[0], padding[0][0]):
        for b, columns, dilation_w, before in _phases(kw, stride[1], dilation[1], padding[1][0]):
            size = tuple(-(-(n - phase) // s) for n, phase, s in zip(input_size, (a, b), stride, strict=True))
            if min(size) < 1:
                continue
            kernel = (filters // groups, len(rows), len(columns))
            window = Window(kernel, groups, size, (1, 1), (dilation_h, dilation_w), (above, before))
            wanted = threads_for(work(window, g_shape[0], channels * groups), threads)
            where = banded(window, g_shape[0], itemsize, wanted)
            # (K/groups, 1, 1), (taps of a, 1), (taps of b,) -> (taps,)
            places = np.arange(kernel[0])[:, None, None] * itself + np.array(rows)[:, None] * kw + np.array(columns)
            table = np.stack([places.ravel(), offsets(window, where)], axis=1)
            shape = (g_shape[0], channels * groups, *size)
            sums.append(((a, b), _sum(shape, where, table, kh * kw, kernel[0] * itself, itemsize)))
    return tuple(sums)


def _phases(kernel: int, stride: int, dilation: int, before: int) -> Iterator[tuple[int, list[int], int, int]]:
    """The phases of one axis that taps reach: phase, taps in the order of their pixels, dilation, padding before."""
    for phase in range(stride):
        taps = [i for i in reversed(range(kernel)) if (phase + before - i * dilation) % stride == 0]
        if taps:
            yield phase, taps, dilation // gcd(dilation, stride), (taps[0] * dilation - phase - before) // stride
