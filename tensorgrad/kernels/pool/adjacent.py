"""Max pooling of adjacent windows of two columns: 2×2, and 1×2 as of signals.

In a command list the work is cut as that of the launch that has made x (see `jit.partition`), so no thread waits.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.dispatch import kernel, partition_of, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.partition import Access, Partition
from tensorgrad.kernels.pool.blocks import band_of, max_1x2, max_2x2
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Sizes, Window


class BandPlan(NamedTuple):
    """How the windows of all planes are divided among chunks: into bands of rows of windows, and ranges of planes."""

    partition: Partition  # of x
    lines: int  # rows of windows in a band
    bands: int  # in a plane
    starts: np.ndarray  # the first plane of each range, and the end of the last


def halves_rows(window: Window) -> bool:
    """Whether these are adjacent windows of two neighbours in a row."""
    kernel, stride, padding, _, _, (height, width), output = window
    inside = not any(map(any, padding)) and output == (height, width // 2)
    return kernel == stride == (1, 2) and window.dilation[1] == 1 and inside


def by_planes(shape: Sizes, window: Window) -> BandPlan:
    """By whole planes of x (N, C, H, W), each a range of its own."""
    return _whole_planes(window, Partition(shape[0], tuple(range(shape[1] + 1))))


def _whole_planes(window: Window, partition: Partition) -> BandPlan:
    return BandPlan(partition, window.output[0], 1, np.array(partition.starts))


@planned
def _bands_of(window: Window, partition: Partition) -> BandPlan | None:
    """As a partition of x says; None where its bands cut windows."""
    (height, width), high, length = window.size, window.kernel[0], partition.length
    if not length:
        return _whole_planes(window, partition)
    lines = length // (high * width)
    whole = length == lines * high * width
    return BandPlan(partition, lines, -(-height // (high * lines)), np.array(partition.starts)) if whole else None


def arguments(window: Window, plan: BandPlan) -> tuple:
    """What the kernel takes after its arrays."""
    return window.kernel[0], plan.lines, plan.bands, plan.starts


def record_maxima(
    x: np.ndarray, y: np.ndarray, indices: np.ndarray, window: Window, plan: BandPlan, chunks: int
) -> None:
    """Launch the kernel while launches are recorded: in so many chunks, or in those that made x."""
    made = partition_of(x)
    if made is not None and made[0].fits((*x.shape[:2], prod(window.size))):
        other = _bands_of(window, made[0])
        plan, chunks = (plan, chunks) if other is None else (other, made[1])
    access = Access(plan.partition, (x,) if plan.partition.length else (x, y, indices), (y, indices))
    run(max_kernel, (x, y, indices, *arguments(window, plan)), chunks, access)


@kernel
def max_kernel(x, y, indices, high, lines, bands, starts, index, chunks):
    """The maximum of each window to y, and its position to indices."""
    (height, width), (rows, columns), cuts, step = x.shape[2:], y.shape[2:], len(starts) - 1, 2 * (WIDTH // x.itemsize)
    units, most = len(x) * bands * cuts, band_of(x)
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        n, band, cut = unit // (bands * cuts), unit // cuts % bands, unit % cuts
        for plane in range(n * x.shape[1] + starts[cut], n * x.shape[1] + starts[cut + 1]):
            end = min(rows, (band + 1) * lines)
            if high == 1:
                for p in range(band * lines, end):
                    target = (plane * rows + p) * columns
                    max_1x2(x, (plane * height + p) * width, width, y, target, indices, target, p * width, columns)
                continue
            for p in range(band * lines, end, most):
                source, target = (plane * height + 2 * p) * width, (plane * rows + p) * columns
                for left in range(0, 2 * columns, step):
                    max_2x2(
                        x, source, width, left, y, target, indices, target, 2 * p * width, columns, min(most, end - p)
                    )  # fmt: skip
