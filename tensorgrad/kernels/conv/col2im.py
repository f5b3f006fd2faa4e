"""The input gradient of a convolution whose output is much smaller than its input: products first, then their sums.

As a sum over taps (see `convolution`) each pixel of the input multiplies by every tap, also where no window puts it
there: for 5×5 filters without padding on 14×14 pixels half of all products are with zeros. Here only pixels of the
output are multiplied,

    columns[c, i, j, q] = Σ_k w[k, c, i, j] · g[k, q]

and each pixel of the input is the sum of the columns that its taps left for it. Other libraries know it as col2im.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv.taps import SCRATCH
from tensorgrad.kernels.jit.dispatch import chunks_for, kernel, run, zeros
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.gemm import products
from tensorgrad.kernels.simd.tiles import fold_row
from tensorgrad.windows import Sizes

# From so many times the output's pixels in the input, and so many filters, this is faster: the sums cost an addition
# for every `filters` multiply-adds.
WASTE, FILTERS = 1.4, 8


def serves(g_shape: Sizes, w_shape: Sizes, input_size: Sizes, stride: Sizes, groups: int, itemsize: int) -> bool:
    """Whether this is the way to compute the gradient for an input of `input_size` (H, W)."""
    pixels = g_shape[2] * g_shape[3]
    fits = w_shape[1] * w_shape[2] * w_shape[3] * pixels * itemsize <= SCRATCH
    wasteful = input_size[0] * input_size[1] >= WASTE * pixels
    return stride == (1, 1) and groups == 1 and w_shape[0] >= FILTERS and fits and wasteful


def grad_input(g: np.ndarray, w: np.ndarray, input_size: Sizes, before: Sizes, dilation: Sizes) -> np.ndarray:
    """As `convolution.grad_input`, `before` being the padding above and to the left. The arrays are `ready`."""
    shape, length, table, numbers, work = _plan(g.shape, w.shape, input_size, before, dilation, g.itemsize)
    x, chunks = memory.empty(shape, g.dtype), chunks_for(shape[0], work)
    columns = memory.empty((chunks, length), g.dtype)
    taps = w.shape[1] * w.shape[2] * w.shape[3]
    arguments = (g, w, x, columns, table, zeros(taps, g.dtype), numbers)
    run(_columns_kernel, arguments, chunks)
    return x


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    g, w = np.ones((2, 1, 1, 1), dtype), np.ones((1, 1, 2, 2), dtype)
    yield "grad_input", lambda: grad_input(g, w, (2, 2), (0, 0), (1, 1))


@planned
def _plan(
    g_shape: Sizes, w_shape: Sizes, input_size: Sizes, before: Sizes, dilation: Sizes, itemsize: int
) -> tuple[Sizes, int, np.ndarray, np.ndarray, int]:
    """The input's shape; the length of the columns; where w[k, 0] and g[k, 0] stand, (K, 2); the numbers that the
    kernel wants to know; multiply-adds.
    """
    (count, filters, height, width), channels = g_shape, w_shape[1]
    taps, pixels = channels * w_shape[2] * w_shape[3], height * width
    index = np.arange(filters)
    table = np.stack([index * taps, index * pixels], axis=1)
    numbers = np.array((*w_shape[2:], *before, *dilation))
    length, work = taps * (pixels + WIDTH // itemsize), count * filters * pixels * taps
    return (count, channels, *input_size), length, table, numbers, work


@kernel
def _columns_kernel(g, w, x, columns, table, zeros, numbers, index, chunks):
    kernel_h, kernel_w, top, left, down, right = numbers
    (_, channels, height, width), (rows, row) = x.shape, g.shape[2:]
    taps = channels * kernel_h * kernel_w
    line = columns.shape[1] // taps
    filters, plane, gradients, pixels = g.shape[1], rows * row, g.reshape(-1), x.reshape(-1)
    found, weights = columns[index], w.reshape(-1)
    for n in range(len(g) * index // chunks, len(g) * (index + 1) // chunks):
        # (K, taps), (K, OH · OW) -> (taps, OH · OW)
        upstream = gradients[n * filters * plane :]
        products(taps, plane, weights, np.intp(1), table, upstream, zeros, found, line, line - plane)
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
