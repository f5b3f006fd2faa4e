"""Convolution in groups of few channels, depthwise above all: plane by plane, without im2row.

A GEMM tile multiplies each vector of pixels that it loads by the weights of several filters. With one filter per group
it would have a single row of sums. Here (see `simd.planes`) a vector of pixels is loaded once for several rows of sums
and several rows of the filter, from planes that are first copied into a scratch with zeros around them:

    scratch[a, b, r, i · pitch + q] = pixel (r · s + a − top, q · s + b − left) of image i

for each phase (a, b) of the stride, so that neighbouring windows lie side by side whatever the stride. Where rows are
short, the same channel of several images stands in one row, and they share the zeros between them; a single image's
planes are lines then (`short_rows`). The gradient for the input is the same sum over the output's gradient, one for
each phase of the stride, interleaved at the end.
"""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv.groups import short_rows
from tensorgrad.kernels.conv.groups.plans import Plan, forward_plan, grad_input_plan, grad_weight_plan
from tensorgrad.kernels.conv.groups.tables import COLUMN, DOT_TILE, FIRST, PLANES, ROWS, TILE, TO, DotTile, Planes, Tile
from tensorgrad.kernels.jit.dispatch import (
    chunks_as_made,
    chunks_for,
    helper,
    inlined,
    is_recording,
    kernel,
    run,
)
from tensorgrad.kernels.jit.partition import Access
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.packing import clear
from tensorgrad.kernels.simd.planes import (
    PLANE_DOTS,
    merge_rows,
    pack_rows,
    plane_dots,
    plane_tile,
    split_rows,
    store_rows,
)
from tensorgrad.windows import Shapes, Window

# Channels in a group, on either side, up to which this is faster than the tiles of `convolution`.
CHANNELS, FILTERS = 2, 4
# Multiply-adds of a large GEMM tile that take as long as one multiply-add here, where planes are small and are packed
# first; by a rough measurement.
WORK = 8


def serves(window: Window, shapes: Shapes) -> bool:
    """Whether this is the way to compute a convolution and its gradients."""
    return window.groups > 1 and shapes.w[1] <= CHANNELS and shapes.w[0] // window.groups <= FILTERS


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.forward`. The arrays are contiguous."""
    short = short_rows.forward_plan(x.shape, w.shape, window, x.itemsize)
    if short is not None:
        return short_rows.forward(x, w, bias, short)
    return _correlate(x, w, bias, forward_plan(x.shape, w.shape, window, x.itemsize))


def grad_input(g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_input`, for finite w. The arrays are contiguous."""
    return _correlate(g, w, bias, grad_input_plan(g.shape, w.shape, window, g.itemsize))


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_weight`. The arrays are contiguous."""
    plan = grad_weight_plan(x.shape, g.shape, window, x.itemsize)
    dw = memory.empty(plan.shape, x.dtype)
    chunks = chunks_for(plan.units, WORK * plan.work)
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
    same = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 1), (0, 1)), (1, 1), 2)
    yield "forward of short rows", lambda: forward(x[:1], w, bias, same)
    yield "grad_weight", lambda: grad_weight(x, g, window)


# ------------------------------------------------------------------------------------------------------------- kernels


def _correlate(x: np.ndarray, w: np.ndarray, bias: np.ndarray, plan: Plan) -> np.ndarray:
    y = memory.empty(plan.shape, x.dtype)
    same = x.shape[1] == y.shape[1]
    chunks = chunks_as_made(x, plan.partition) if plan.partition and same else None
    chunks = chunks or chunks_for(plan.units, WORK * plan.work)
    scratch = memory.empty((chunks, plan.scratch), x.dtype)
    access = None
    if plan.partition and is_recording():
        access = Access(plan.partition, (x, y) if same else (y,), (y, scratch))
    run(_correlate_kernel, (x, w.reshape(-1), bias, y, scratch, *plan.tables, plan.numbers), chunks, access)
    return y


@inlined
def _unpacked(layout_numbers):
    return Planes(*to_fixed_tuple(layout_numbers, PLANES))


@helper
def _pack_planes(x, first, images, channel, scratch, at, packs, layout):
    """Pack the channels of a group, of `images` images from `first` on, into the scratch from `at` on."""
    _, channels, height, width = x.shape
    pixels, image = flattened(x), channels * height * width
    for c in range(layout.inputs):
        plane = (first * channels + channel + c) * height * width
        for index in range(len(packs)):
            target, row, rows = at + c * layout.slot + packs[index, TO], packs[index, FIRST], packs[index, ROWS]
            source, step = plane + row * width, layout.stride_h * width
            if layout.stride_w == 1:
                pack_rows(
                    scratch, target, layout.line, layout.pitch, pixels, source, step, image, rows, images, width
                )  # fmt: skip
            elif layout.stride_w == 2:
                # Behind a padding of one column the first pixel is an odd one.
                even, odd = (layout.apart, 1) if layout.shift else (0, layout.apart)
                split_rows(
                    scratch, target, layout.line, layout.pitch, pixels, source, step, image, rows, images, width,
                    even, odd,
                )  # fmt: skip
            else:
                for r in range(rows):
                    for n in range(images):
                        to, begin = target + r * layout.line + n * layout.pitch, source + r * step + n * image
                        for q in range(width):
                            place = q + layout.shift
                            phase = place % layout.stride_w
                            scratch[to + phase * layout.apart + place // layout.stride_w] = pixels[begin + q]


@inlined
def _store_planes(y, first, images, channel, scratch, layout):
    """Copy the planes of one channel, of `images` images from `first` on, from the scratch to y; interleave phases."""
    _, channels, height, width = y.shape
    pixels, image = flattened(y), channels * height * width
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
def _correlate_kernel(x, w, bias, y, scratch, packs, tiles, table, layout_numbers, index, chunks):
    """y (N, K, OH, OW) = bias + Σ w · x, tile by tile of a `plans.Plan`; the chunks share out images and groups.

    packs, tiles, table: with rows of `Pack`, `Tile` and `Tap`, see `tables`.
    """
    layout, lines, taps = _unpacked(layout_numbers), scratch[index], flattened(table)
    groups, pixels, plane = y.shape[1] // layout.outputs, flattened(y), y.shape[2] * y.shape[3]
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
                target, y_at = pixels, (first * y.shape[1] + channel) * plane
            else:
                target, y_at = lines, layout.out
            for t in range(len(tiles)):
                tile = Tile(*to_fixed_tuple(tiles[t], TILE))
                plane_tile(
                    tile.rows, tile.strip, tile.blocks, lines, tile.x_at, tile.x_step, w, weights + tile.w_at,
                    tile.w_step, taps, 2 * tile.tap, tile.taps, bias, channel, tile.fresh, target, y_at + tile.y_at,
                    tile.y_step, (images - 1) * layout.pitch + tile.pixels,
                )  # fmt: skip
            if not layout.direct:
                _store_planes(y, first, images, channel, lines, layout)


@kernel
def _grad_weight_kernel(x, g, dw, sums, scratch, packs, tiles, table, layout_numbers, index, chunks):
    """dw (K, C/groups, KH, KW) = Σ g · x, tile by tile of a `plans.Plan`; the chunks share out groups.

    sums (K, taps) are in float64; packs, tiles, table: with rows of `Pack`, `DotTile` and `Tap`.
    """
    layout, lines, taps = _unpacked(layout_numbers), scratch[index], flattened(table)
    groups, (_, filters, out_h, out_w), gradients = g.shape[1] // layout.outputs, g.shape, flattened(g)
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
                for t in range(len(tiles)):
                    tile = DotTile(*to_fixed_tuple(tiles[t], DOT_TILE))
                    plane_dots(
                        tile.strip, tile.across, tile.rows, lines, tile.x_at, tile.x_step, taps, 2 * tile.tap, values,
                        source + tile.g_at, tile.g_step, lines, layout.out, length, dots, 0,
                    )  # fmt: skip
                    for i in range(tile.strip):
                        for j in range(tile.across):
                            column = table[tile.tap + j, COLUMN]
                            total[tile.w_at + i * tile.w_step + column] += dots[i * tile.across + j]
    for k in range(begin * layout.outputs, end * layout.outputs):
        weights, total = dw[k].reshape(-1), sums[k]
        for t in range(weights.size):
            weights[t] = total[t]
