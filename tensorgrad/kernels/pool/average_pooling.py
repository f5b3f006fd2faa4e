"""Average pooling in two dimensions, forward and backward."""

from collections.abc import Callable, Iterator
from functools import partial, reduce
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.pool.blocks import fill_2x2, sum_2x2
from tensorgrad.kernels.pool.planes import count_planes, inside, plane_of, taps
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Sizes, Window, check_pooled

# Multiply-adds that take as long as adding one pixel to one window's sum, by a rough measurement.
WORK = 5


def avg_forward(
    x: np.ndarray, window: Window, *, count_include_pad: bool = True, divisor: int | None = None
) -> np.ndarray:
    """The sum of each window divided by its divisor (see `divisors`): x `(N, C, H, W)` -> `(N, C, OH, OW)`.

    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> avg_forward(np.arange(16.0).reshape(1, 1, 4, 4), Window.halving((4, 4)))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    (x,) = floats("avg_pool2d", "x", x)
    plan = _avg_plan("avg_pool2d", "x", x.shape, window, x.dtype, count_include_pad, divisor)
    if not COMPILED:
        forward = partial(
            fallback.avg_forward,
            output_size=window.output,
            count_include_pad=count_include_pad,
            divisor_override=divisor,
        )
        return by_fallback(forward, x, window.kernel, window.stride, window.padding)
    y = memory.empty(plan.output, x.dtype)
    run(_avg_kernel, (x, plan.divisors, y, plan.numbers), chunks_for(plan.planes, plan.work))
    return y


def avg_backward(
    g: np.ndarray, window: Window, *, count_include_pad: bool = True, divisor: int | None = None
) -> np.ndarray:
    """The adjoint of `avg_forward`: each g is divided by its divisor and added to every pixel of its window.

    g `(N, C, OH, OW)` -> `(N, C, H, W)`. Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> avg_backward(np.array([[[[4.0]]]]), Window.halving((2, 3)))
    array([[[[1., 1., 0.],
             [1., 1., 0.]]]])
    """
    op = "avg_pool2d_backward"
    (g,) = floats(op, "g", g)
    plan = _avg_plan(op, "y", g.shape, window, g.dtype, count_include_pad, divisor)
    if not COMPILED:
        backward = partial(fallback.avg_backward, count_include_pad=count_include_pad, divisor_override=divisor)
        return by_fallback(backward, g, window.size, window.kernel, window.stride, window.padding)
    x = memory.empty(plan.input, g.dtype)
    run(_avg_backward_kernel, (g, plan.divisors, x, plan.numbers), chunks_for(plan.planes, plan.work))
    return x


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, g, halving = np.ones((2, 1, 2, 2), dtype), np.ones((2, 1, 1, 1), dtype), Window.halving((2, 2))
    yield "avg_forward", lambda: avg_forward(x, halving)
    yield "avg_backward", lambda: avg_backward(g, halving)


class AvgPlan(NamedTuple):
    """How average pooling is computed, forward and backward."""

    input: Sizes  # the shape (N, C, H, W)
    output: Sizes  # the shape (N, C, OH, OW)
    divisors: np.ndarray  # (OH, OW)
    numbers: Sizes  # the window as kernels take it: KH, KW, stride down and across, padding above and to the left
    planes: int  # N · C
    work: int  # in multiply-adds


@planned
def _avg_plan(
    op: str, name: str, shape: Sizes, window: Window, dtype: np.dtype, count_include_pad: bool, divisor: int | None
) -> AvgPlan:
    """The plan for an x of this shape or, if `name` is "y", for a gradient of this shape. Checks the shape."""
    check_pooled(op, window, **{name: shape})
    images = shape[:2]
    table = divisors(window, count_include_pad, divisor).astype(dtype)
    numbers = (*window.kernel, *window.stride, *window.before)
    work = WORK * prod(images) * prod(window.output) * prod(window.kernel)
    return AvgPlan((*images, *window.size), (*images, *window.output), table, numbers, prod(images), work)


def divisors(window: Window, count_include_pad: bool, divisor: int | None) -> np.ndarray:
    """What the sum of each window is divided by, `(OH, OW)`, float64, by PyTorch's rules.

    With a `divisor` it is that number. Else it is the number of the window's pixels that lie inside the input or, with
    `count_include_pad`, inside the padded input. In ceil mode a window may hang over the end of the padded input; its
    pixels there never count.

    >>> divisors(Window.pooled("avg_pool2d", (3, 3), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), True), True, None)
    array([[4., 2.],
           [2., 1.]])
    """
    if divisor is not None:
        if divisor == 0:
            raise ArgumentError(restate("avg_pool2d", "divisor_override must not be 0", divisor_override=divisor))
        return np.full(window.output, divisor, np.float64)
    # (OH,) and (OW,) -> (OH, OW)
    return reduce(np.multiply.outer, [np.array(counts, np.float64) for counts in window.counts(count_include_pad)])


@helper
def _are_2x2(numbers, size, output_size):
    """Whether the windows are 2×2 at stride 2, without padding, and none hangs over the end.

    Those have vector kernels of their own, `sum_2x2` and `fill_2x2`, since they are the most common.
    """
    (kh, kw, sh, sw, top, left), (rows, columns), (height, width) = numbers, output_size, size
    return kh == kw == sh == sw == 2 and top == left == 0 and 2 * rows <= height and 2 * columns <= width


@helper
def _sum_row(source, p, numbers, total):
    """total[q] = the sum of window (p, q) of a plane (H, W), for all q.

    The loop over q is the inner one, which LLVM vectorizes; `taps` and `inside` leave out what lies in the padding.
    """
    (kh, kw, sh, sw, top, left), (height, width) = numbers, source.shape
    total[:] = 0
    for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
        row = source[h]
        for j in range(*taps(kw, sw, left, width, total.size)):
            first, last = inside(j - left, sw, width, total.size)
            for q in range(first, last):
                total[q] += row[q * sw + j - left]


@kernel
def _avg_kernel(x, divisors, y, numbers, index, chunks):
    """y (N, C, OH, OW) from x (N, C, H, W), plane by plane and row by row of windows."""
    (rows, columns), width = y.shape[2:], x.shape[3]
    # The sums of a row of windows, in float64: a window may be a whole image.
    are_2x2, sums = _are_2x2(numbers, x.shape[2:], y.shape[2:]), np.empty(columns)
    for plane in range(count_planes(x) * index // chunks, count_planes(x) * (index + 1) // chunks):
        target = plane_of(y, plane)
        for p in range(rows):
            if are_2x2:
                source, place = (plane * x.shape[2] + 2 * p) * width, (plane * rows + p) * columns
                for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                    sum_2x2(x, source, width, left, y, place, columns)
            else:
                _sum_row(plane_of(x, plane), p, numbers, sums)
                for q in range(columns):
                    target[p, q] = sums[q]
            total, counts = target[p], divisors[p]
            for q in range(columns):
                total[q] = total[q] / counts[q]


@helper
def _add_row(part, p, numbers, target):
    """Add part[q] to all pixels of window (p, q) of a plane (H, W), for all q: the adjoint of `_sum_row`."""
    (kh, kw, sh, sw, top, left), (height, width) = numbers, target.shape
    for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
        row = target[h]
        for j in range(*taps(kw, sw, left, width, part.size)):
            first, last = inside(j - left, sw, width, part.size)
            for q in range(first, last):
                row[q * sw + j - left] += part[q]


@kernel
def _avg_backward_kernel(g, divisors, x, numbers, index, chunks):
    """x (N, C, H, W) from g (N, C, OH, OW); `part` is a row of g divided by its divisors."""
    (rows, columns), width = g.shape[2:], x.shape[3]
    part, are_2x2 = np.empty(columns, g.dtype), _are_2x2(numbers, x.shape[2:], g.shape[2:])
    # The sums of a plane, in float64: a pixel may lie in very many windows. A pixel lies in one 2×2 window at most.
    sums = np.empty((0 if are_2x2 else x.shape[2], width))
    for plane in range(count_planes(g) * index // chunks, count_planes(g) * (index + 1) // chunks):
        source, target = plane_of(g, plane), plane_of(x, plane)
        target[2 * rows if are_2x2 else 0 :] = 0  # the 2×2 windows leave out a last odd row, and write all others
        sums[:] = 0
        for p in range(rows):
            upstream, counts = source[p], divisors[p]
            for q in range(columns):
                part[q] = upstream[q] / counts[q]
            if are_2x2:
                place = (plane * x.shape[2] + 2 * p) * width
                for left in range(0, width, 2 * (WIDTH // x.itemsize)):
                    fill_2x2(part, 0, columns, left, x, place, width)
            else:
                _add_row(part, p, numbers, sums)
        for h in range(len(sums)):
            for q in range(width):
                target[h, q] = sums[h, q]
