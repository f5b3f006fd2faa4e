"""Max pooling and the rectifier in one pass: forward and backward.

The larger of two numbers stays the larger when what is below zero becomes zero, so the two layers can change places:

    max pool(relu(x)) = relu(max pool(x))

with NaN and the signs of zeros too. Backward, a gradient passes where its maximum is above zero, and goes to where that
stood. Done apart, one of the layers reads and writes every pixel once more.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels.arguments import as_contiguous, check_float
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import COMPILED, address_of, call, chunks_for, helper, kernel, run
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.pool import pooling
from tensorgrad.kernels.pool.blocks import band_of, rectified_max_2x2, rectified_unpool_2x2
from tensorgrad.kernels.pool.pooling import WORK
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Window

# Bytes of planes that are summed up at a time: what a first-level cache still holds.
HOT = 16 * 1024


def max_forward(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """relu(max pool(x)), and where each maximum stood: x `(N, C, H, W)` -> z, indices `(N, C, OH, OW)`.

    The bits of max pooling after the rectifier or before it, NaN carried. Where z > 0 the indices are those of either
    order, elsewhere those of max pooling first. 2×2 pooling is done in one pass; behind other windows the rectifier
    passes over what is left after pooling. Raises `ShapeError`, `DTypeError`.

    >>> max_forward(np.array([[[[-1.0, 3.0], [-2.0, -5.0]]]]), Window.halving((2, 2)))
    (array([[[[3.]]]]), array([[[[1]]]], dtype=int32))
    """
    dtype = check_float("max_pool2d", x=x)
    plan = pooling.max_plan(x.shape, window)
    if not window.halves or not COMPILED:
        y, indices = pooling.max_forward(x, window)
        return pointwise.relu(y), indices
    z, indices = memory.empty(plan.output, dtype), memory.empty(plan.output, np.int32)
    run(max_kernel, (as_contiguous(x), z, indices), chunks_for(plan.planes, plan.work))
    return z, indices


def scatter(g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window) -> np.ndarray:
    """`x[n, c, indices[n, c, p, q]] += g[n, c, p, q] if z[n, c, p, q] > 0` on zeros: the gradient of `max_forward`.

    g, z, indices `(N, C, OH, OW)` -> x `(N, C, H, W)`; z and indices are what `max_forward` returned. The bits of
    `pooling.scatter` and `pointwise.relu_gradient` one after the other.
    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> z, indices = np.array([[[[0.0, 5.0]]]]), np.array([[[[0, 3]]]], np.int32)
    >>> scatter(np.array([[[[1.0, 2.0]]]]), z, indices, Window.halving((2, 4)))
    array([[[[0., 0., 0., 2.],
             [0., 0., 0., 0.]]]])
    """
    return _scatter(g, z, indices, window, np.empty(0))


def scatter_and_sums(
    g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """`scatter`, and the sum of its result over images and pixels: x `(N, C, H, W)` and `(C,)`.

    The bits of `pointwise.channel_sums`, taken while a plane is in the cache. Raises as `scatter`.

    >>> z, indices = np.array([[[[0.0, 5.0]]]]), np.array([[[[0, 3]]]], np.int32)
    >>> scatter_and_sums(np.array([[[[1.0, 2.0]]]]), z, indices, Window.halving((2, 4)))[1]
    array([2.])
    """
    sums = memory.empty(g.shape[:2], np.float64)
    x = _scatter(g, z, indices, window, sums.reshape(-1))
    return x, total(sums, x.dtype)


def total(sums: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The sums of planes over the images, in the order of `pointwise.channel_sums`: (N, C) -> (C,)."""
    totals = memory.empty(sums.shape[1:], dtype)
    run(_total_kernel, (sums, memory.empty(totals.shape, np.float64), totals), 1)
    return totals


@kernel
def _total_kernel(sums, wide, totals, index, chunks):
    wide[:] = 0
    for n in range(len(sums)):
        # One image after the other, so that the order doesn't depend on what LLVM makes of this.
        row = sums[n]
        for c in range(len(totals)):
            wide[c] += row[c]
    for c in range(len(totals)):
        totals[c] = wide[c]


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, g, indices = np.ones((2, 1, 2, 2), dtype), np.ones((2, 1, 1, 1), dtype), np.zeros((2, 1, 1, 1), np.int32)
    halving = Window.halving((2, 2))
    yield "max_forward", lambda: max_forward(x, halving)
    yield "scatter", lambda: scatter(g, g, indices, halving)
    yield "scatter_and_sums", lambda: scatter_and_sums(g, g, indices, halving)


# ------------------------------------------------------------------------------------------------------------- forward


@kernel
def max_kernel(x, z, indices, index, chunks):
    """Windows of 2×2 side by side: x (N, C, H, W) -> z, indices (N, C, OH, OW)."""
    (height, width), (rows, columns), planes, band = x.shape[2:], z.shape[2:], z.shape[0] * z.shape[1], band_of(x)
    for plane in range(planes * index // chunks, planes * (index + 1) // chunks):
        for p in range(0, rows, band):
            source, target = (plane * height + 2 * p) * width, (plane * rows + p) * columns
            place, lines = 2 * p * width, min(band, rows - p)
            for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                rectified_max_2x2(x, source, width, left, z, target, indices, target, place, columns, lines)


# ------------------------------------------------------------------------------------------------------------ gradient


def _scatter(g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window, sums: np.ndarray) -> np.ndarray:
    """`scatter`, which writes the sum over each plane to `sums` (N · C,) unless that is empty."""
    dtype, indices = check_scatter(g, z, indices, window)
    if not COMPILED:
        x = pooling.scatter(pointwise.relu_gradient(g, z), indices, window)
        if sums.size:
            sums[:] = x.sum(axis=(2, 3), dtype=np.float64).ravel()
        return x
    x = memory.empty((*g.shape[:2], *window.size), dtype)
    chunks = chunks_for(x.shape[0] * x.shape[1], WORK * (x.size + g.size))
    strays = memory.empty((chunks,), np.int64)
    arguments = (as_contiguous(g), as_contiguous(z), indices, x, strays, sums, sum_planes(dtype))
    run(scatter_kernel, arguments, chunks)
    pooling.check_strays(OP, strays, indices, window.size)
    return x


OP = "rectified_max_pool2d_scatter"


def check_scatter(g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window) -> tuple[np.dtype, np.ndarray]:
    """The dtype of g and z, and the indices as kernels take them; all three fit the window."""
    dtype = check_float(OP, g=g, z=z)
    if g.shape != z.shape:
        raise ShapeError(restate(OP, "g and z must have the same shape", g=g, z=z))
    return dtype, pooling.checked_indices(OP, g, indices, window, "y")


@cache
def sum_planes(dtype: np.dtype) -> int:
    """The address of the kernel with which `scatter_kernel` sums planes."""
    return address_of(pointwise.sums_kernel, (np.empty((0, 0, 0), dtype), np.empty(0)))


@helper
def _put_2x2(g, z, indices, x, plane, flag):
    """Scatter a plane for adjacent 2×2 windows. Returns whether it did: False if the windows or an index differ."""
    (rows, columns), (height, width), band = g.shape[2:], x.shape[2:], band_of(x)
    if rows != height // 2 or columns != width // 2:
        return False
    flag[0] = 0
    for p in range(0, rows, band):
        source, target = (plane * rows + p) * columns, (plane * height + 2 * p) * width
        place, lines = 2 * p * width, min(band, rows - p)
        for left in range(0, width, 2 * (WIDTH // x.itemsize)):
            rectified_unpool_2x2(
                g, source, z, source, indices, source, place, columns, left, x, target, width, lines, flag, 0
            )
    if 2 * rows < height:
        x[plane // x.shape[1], plane % x.shape[1], height - 1] = 0
    return flag[0] == 0


@helper
def _put(g, z, where, x):
    """x[where] += g unless z ≤ 0, on zeros, for one plane. How many indices are outside."""
    strays = 0
    x[:] = 0
    for q in range(g.size):
        if where[q] < 0 or where[q] >= x.size:
            strays += 1
        elif not z[q] <= 0:  # at NaN the gradient passes
            x[where[q]] += g[q]
    return strays


@kernel
def scatter_kernel(g, z, indices, x, strays, sums, sum_planes, index, chunks):
    """g, z, indices (N, C, OH, OW) -> x (N, C, H, W); strays (chunks,) are counted; sums (N · C,) or none."""
    planes, windows, pixels = g.shape[0] * g.shape[1], g.shape[2] * g.shape[3], x.shape[2] * x.shape[3]
    upstream, maxima, where = flattened(g), flattened(z), flattened(indices)
    lines, flag = x.reshape(planes, pixels), np.empty(1, np.int64)
    strays[index] = 0
    first, end, some = planes * index // chunks, planes * (index + 1) // chunks, max(1, HOT // (pixels * x.itemsize))
    for plane in range(first, end):
        if not _put_2x2(g, z, indices, x, plane, flag):
            span = slice(plane * windows, (plane + 1) * windows)
            strays[index] += _put(upstream[span], maxima[span], where[span], lines[plane])
        done = plane + 1 - first
        if sums.size and (done % some == 0 or plane + 1 == end):
            # The planes since the last sums, as one image of so many channels.
            begin = first + (done - 1) // some * some
            count = plane + 1 - begin
            hot = lines[begin : begin + count].reshape(1, count, pixels)
            call(sum_planes, (hot, sums[begin : begin + count]), 0, 1)
