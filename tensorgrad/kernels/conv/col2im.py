"""The input gradient of a convolution whose output is much smaller than its input: products first, then their sums.

As a sum over taps (see `convolution`) each pixel of the input multiplies by every tap, also where no window puts it
there: for 5×5 filters without padding on 14×14 pixels half of all products are with zeros. Here only pixels of the
output are multiplied,

    columns[c, i, j, q] = Σ_k w[k, c, i, j] · g[k, q]

and each pixel of the input is the sum of the columns that its taps left for it. Other libraries know it as col2im.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import zeros
from tensorgrad.kernels.conv.taps import SCRATCH
from tensorgrad.kernels.jit.dispatch import chunks_for, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.views import flattened, tail
from tensorgrad.kernels.simd.emitter import ROWS, WIDTH
from tensorgrad.kernels.simd.gemm import products
from tensorgrad.kernels.simd.tiles import fold_row
from tensorgrad.windows import Sizes, Window

# From so many times the output's pixels in the input, and so many filters, this is faster: the sums cost an addition
# for every `filters` multiply-adds.
WASTE, FILTERS = 1.4, 8


def serves(window: Window, w_shape: Sizes, itemsize: int) -> bool:
    """Whether this is the way to compute the gradient for the input of a convolution."""
    pixels = prod(window.output)
    fits = prod(w_shape[1:]) * pixels * itemsize <= SCRATCH
    wasteful = prod(window.size) >= WASTE * pixels
    return window.stride == (1, 1) and window.groups == 1 and w_shape[0] >= FILTERS and fits and wasteful


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, x: np.ndarray) -> None:
    """As `convolution.grad_input`, to x. The arrays are contiguous."""
    plan = _plan(g.shape, w.shape, window, g.itemsize)
    chunks = chunks_for(len(g), plan.work)
    columns = memory.empty((chunks, plan.length), g.dtype)
    run(_columns_kernel, (g, w, x, columns, plan.table, zeros(plan.taps, g.dtype), plan.numbers), chunks)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    g, w = np.ones((2, 1, 1, 1), dtype), np.ones((1, 1, 2, 2), dtype)
    window = Window.fitting("conv2d", (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    yield "grad_input", lambda: grad_input(g, w, window, np.empty((2, 1, 2, 2), dtype))


class Plan(NamedTuple):
    """How the gradient is computed, from the shapes."""

    length: int  # of the columns
    taps: int
    table: np.ndarray  # the offsets of w[k, 0] and g[k, 0], (K, 2)
    numbers: np.ndarray  # kernel, padding before, dilation
    work: int  # in multiply-adds


@planned
def _plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int) -> Plan:
    count, filters = g_shape[:2]
    taps, pixels = prod(w_shape[1:]), prod(window.output)
    index = np.arange(filters)
    table = np.stack([index * taps, index * pixels], axis=1)
    numbers = np.array((*window.kernel, *window.before, *window.dilation))
    length, work = taps * (pixels + WIDTH // itemsize), count * filters * pixels * taps
    return Plan(length, taps, table, numbers, work)


@kernel
def _columns_kernel(g, w, x, columns, table, zeros, numbers, index, chunks):
    kernel_h, kernel_w, top, left, down, right = numbers
    (_, channels, height, width), (rows, row) = x.shape, g.shape[2:]
    taps = channels * kernel_h * kernel_w
    line = columns.shape[1] // taps
    filters, plane, gradients, pixels = g.shape[1], rows * row, flattened(g), flattened(x)
    found, weights = columns[index], flattened(w)
    for n in range(len(g) * index // chunks, len(g) * (index + 1) // chunks):
        # (K, taps), (K, OH · OW) -> (taps, OH · OW)
        upstream = tail(gradients, n * filters * plane)
        one, none, blocks = np.intp(1), np.intp(0), -(-taps // ROWS)
        products(taps, none, blocks, plane, weights, one, table, upstream, zeros, found, line, line - plane)
        for c in range(channels):
            for h in range(height):
                # Tap i reads the output's row h + top − i · down, where there is one.
                first = max(0, -((rows - 1 - h - top) // down))
                last = min(kernel_h - 1, (h + top) // down)
                lines = (c * kernel_h + first) * kernel_w * line + (h + top - first * down) * row
                fold_row(
                    pixels, ((n * channels + c) * height + h) * width, width,
                    found, lines, max(0, last - first + 1), kernel_w * line - down * row,
                    kernel_w, line, right, left, row,
                )  # fmt: skip
