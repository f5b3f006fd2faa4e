"""Convolution in groups of few channels of planes with short rows, at stride 1: vectors run across the rows.

A row of 5 pixels takes as long as one that fills a vector. Where the output's rows are as long as the input's, the
pixel that a tap meets lies equally far from each pixel of the plane: i rows and j columns further. So a plane is one
line, of which all vectors but the last are full. What lies beyond the ends of a row is masked (see `simd.lines`), and
above and below the plane stand zeros. The sums are taken in the order of `depthwise`: the bits are the same.
"""

from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv.groups.plans import cut_taps
from tensorgrad.kernels.jit.dispatch import chunks_as_made, chunks_for, is_recording, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.partition import Access, Partition
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.lines import VECTORS, line_tile
from tensorgrad.kernels.simd.packing import clear
from tensorgrad.kernels.simd.planes import STRIP, pack_rows
from tensorgrad.windows import Sizes, Window, convolution_shapes

# Bytes of the planes that are copied before they are multiplied: half of a first-level cache.
TOGETHER = 16 * 1024
# Multiply-adds of a large tile that take as long as one here, by a rough measurement.
WORK = 3


class Plan(NamedTuple):
    """What the kernel takes."""

    shape: Sizes  # of the result
    table: np.ndarray  # (entries, 4) for `line_tile`
    masks: np.ndarray  # (columns of the filter, pixels up to whole tiles)
    numbers: tuple[int, ...]
    together: int  # groups whose planes are copied at a time
    scratch: int
    units: int
    work: int
    partition: Partition


@planned
def forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan | None:
    """How to compute a convolution of one image with short rows; None if this isn't the way."""
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    lanes, (height, width), (kh, kw), (dh, dw) = WIDTH // itemsize, window.size, window.kernel, window.dilation
    # Of several images the short rows stand side by side.
    if window.stride != (1, 1) or window.output[1] != width or not 0 < width <= lanes // 2 or x_shape[0] != 1:
        return None
    (top, left), inputs, outputs = window.before, shapes.w[1], shapes.w[0] // window.groups
    pixels, whole = window.output[0] * width, -(-window.output[0] * width // lanes) * lanes
    # (KH, 1) + (KW,) -> (KH, KW)
    offsets = (np.arange(kh)[:, None] * dh - top) * width + np.arange(kw) * dw - left
    lead = max(0, -int(offsets.min()))
    slot = lead + max(-(-height * width // lanes) * lanes, int(offsets.max()) + whole)
    columns = np.arange(whole) % width + (np.arange(kw) * dw - left)[:, None]
    masks = ((columns >= 0) & (columns < width)).astype(np.int32)
    table = [
        (end - begin, (c * kh + begin) * kw + j, c * slot + lead + int(offsets[begin, j]), j * whole)
        for c in range(inputs)
        for begin, end in cut_taps(kh)
        for j in range(kw)
    ]
    together = max(1, TOGETHER // (inputs * slot * itemsize))
    rows = STRIP if all(high == STRIP for high, *_ in table) else 0
    numbers = (inputs, outputs, lead, slot, rows, kw, dh * width, inputs * kh * kw, pixels)
    work = pixels * inputs * shapes.w[0] * kh * kw
    partition = Partition(1, tuple(range(0, shapes.w[0] + 1, outputs)))
    scratch = together * inputs * slot + lanes
    return Plan(shapes.y, np.array(table), masks, numbers, together, scratch, window.groups, work, partition)


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray, plan: Plan) -> np.ndarray:
    """As `convolution.forward`. The arrays are contiguous."""
    y = memory.empty(plan.shape, x.dtype)
    same = x.shape[1] == y.shape[1]
    chunks = (chunks_as_made(x, plan.partition) if same else None) or chunks_for(plan.units, WORK * plan.work)
    scratch = memory.empty((chunks, plan.scratch), x.dtype)
    access = None
    if is_recording():
        access = Access(plan.partition, (x, y) if same else (y,), (y, scratch))
    arguments = (x, w.reshape(-1), bias, y, scratch, plan.table, plan.masks, plan.numbers, plan.together)
    run(_correlate_kernel, arguments, chunks, access)
    return y


@kernel
def _correlate_kernel(x, w, bias, y, scratch, table, masks, numbers, together, index, chunks):
    inputs, outputs, lead, slot, rows, w_step, x_step, filter_size, pixels = numbers
    lines, source, target, lanes = scratch[index], flattened(x), flattened(y), WIDTH // x.itemsize
    groups, size = y.shape[1] // outputs, x.shape[2] * x.shape[3]
    clear(lines, 0, len(lines))
    last = groups * (index + 1) // chunks
    for begin in range(groups * index // chunks, last, together):
        end = min(last, begin + together)
        # The planes are read again after some of them have been written: a vector that two stores have written waits.
        for plane in range(begin * inputs, end * inputs):
            place = (plane - begin * inputs) * slot + lead
            pack_rows(lines, place, 0, 0, source, plane * size, 0, 0, 1, 1, size)
        for group in range(begin, end):
            place = (group - begin) * inputs * slot
            for k in range(group * outputs, (group + 1) * outputs):
                for q in range(0, pixels, VECTORS * lanes):
                    left = min(VECTORS * lanes, pixels - q)
                    vectors = (left + lanes - 1) // lanes
                    line_tile(
                        rows, vectors, lines, place + q, x_step, w, k * filter_size, w_step, flattened(table), 0,
                        len(table), flattened(masks), q, bias, k, target, k * pixels + q, left - (vectors - 1) * lanes,
                    )  # fmt: skip
