"""Max and average pooling in two dimensions, forward and backward.

Max pooling remembers the position of each maximum. Its backward is a pair of linear maps, adjoint to each other:
`scatter` adds each gradient to the pixel that won, `gather` reads the pixels that won.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial, reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    as_contiguous,
    by_fallback,
    chunks_for,
    floats,
    kernel,
    run,
    status_set,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.pool.blocks import band_of, fill_2x2, max_2x2, sum_2x2, unpool_2x2
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Sizes, Window, check_pooled

# Multiply-adds that take as long as a pixel that passes by, by a rough measurement.
WORK = 5

INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)


def max_forward(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each window, and where it stood: x `(N, C, H, W)` -> y, indices `(N, C, OH, OW)`.

    Indices are int32 positions `h · W + w` in the input plane. Of equal values the first counts, the first NaN beats
    all numbers, padding never wins. Raises `ShapeError`, `DTypeError`.

    >>> max_forward(np.arange(16.0).reshape(1, 1, 4, 4), Window.halving((4, 4)))
    (array([[[[ 5.,  7.],
             [13., 15.]]]]), array([[[[ 5,  7],
             [13, 15]]]], dtype=int32))
    """
    (x,) = floats("max_pool2d", "x", x)
    plan = max_plan(x.shape, window)
    if not COMPILED:
        moves = window.kernel, window.stride, window.padding, window.dilation
        return by_fallback(partial(fallback.max_forward, output_size=window.output), x, *moves)
    y, indices = memory.empty(plan.output, x.dtype), memory.empty(plan.output, INT32)
    if plan.table is None:
        run(_max_2x2_kernel, (x, y, indices), chunks_for(plan.planes, plan.work))
    else:
        run(_max_kernel, (x, y, indices, *plan.table), chunks_for(plan.planes, plan.work))
    return y, indices


def scatter(g: np.ndarray, indices: np.ndarray, window: Window) -> np.ndarray:
    """`x[n, c, indices[n, c, p, q]] += g[n, c, p, q]` on zeros: g, indices `(N, C, OH, OW)` -> x `(N, C, H, W)`.

    Indices are positions in a plane of the window's input; where one repeats, its gradients add up.
    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> scatter(np.array([[[[1.0]]]]), np.array([[[[3]]]], np.int32), Window.halving((2, 2)))
    array([[[[0., 0.],
             [0., 1.]]]])
    """
    op, size = "max_pool2d_scatter", window.size
    (g,) = floats(op, "g", g)
    indices = checked_indices(op, g, indices, window, "y")
    if not COMPILED:
        check_strays(op, _outside(indices, size), indices, size)
        return by_fallback(fallback.scatter, g, indices, size)
    count, channels = g.shape[:2]
    x = memory.empty((count, channels, *size), g.dtype)
    chunks = chunks_for(count * channels, WORK * (x.size + g.size))
    strays = memory.empty((chunks,), INT64)
    run(_scatter_kernel, (g, indices, x, strays), chunks)
    check_strays(op, strays, indices, size)
    return x


def gather(x: np.ndarray, indices: np.ndarray, window: Window) -> np.ndarray:
    """`y[n, c, p, q] = x[n, c, indices[n, c, p, q]]`: x `(N, C, H, W)`, indices `(N, C, OH, OW)` -> `(N, C, OH, OW)`.

    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> gather(np.arange(4.0).reshape(1, 1, 2, 2), np.array([[[[3]]]], np.int32), Window.halving((2, 2)))
    array([[[[3.]]]])
    """
    op = "max_pool2d_gather"
    (x,) = floats(op, "x", x)
    indices = checked_indices(op, x, indices, window, "x")
    if not COMPILED:
        check_strays(op, _outside(indices, window.size), indices, window.size)
        return by_fallback(fallback.gather, x, indices)
    y = memory.empty(indices.shape, x.dtype)
    chunks = chunks_for(x.shape[0] * x.shape[1], WORK * y.size)
    strays = memory.empty((chunks,), INT64)
    run(_gather_kernel, (x, indices, y, strays), chunks)
    check_strays(op, strays, indices, window.size)
    return y


def avg_forward(
    x: np.ndarray, window: Window, *, count_include_pad: bool = True, divisor: int | None = None
) -> np.ndarray:
    """The sum of each window over its divisor (see `divisors`): x `(N, C, H, W)` -> `(N, C, OH, OW)`.

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
    """The adjoint of `avg_forward`: each g over its divisor, added to every pixel of its window.

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
    x, indices, halving = np.ones((2, 1, 2, 2), dtype), np.zeros((2, 1, 1, 1), np.int32), Window.halving((2, 2))
    g, single = np.ones((2, 1, 1, 1), dtype), halving._replace(stride=(1, 1))
    yield "max_forward", lambda: max_forward(x, halving)
    yield "max_forward, any window", lambda: max_forward(x, single)
    yield "scatter", lambda: scatter(g, indices, halving)
    yield "gather", lambda: gather(x, indices, halving)
    yield "avg_forward", lambda: avg_forward(x, halving)
    yield "avg_backward", lambda: avg_backward(g, halving)


# --------------------------------------------------------------------------------------------------------------- plans
#
# Plans: everything that depends on the shapes alone, checks included; looked up once per call.


class MaxPlan(NamedTuple):
    """How max pooling is computed."""

    output: Sizes  # the shape (N, C, OH, OW)
    table: tuple | None  # for the kernel of any window; None for 2×2 pooling
    planes: int
    work: int  # in multiply-adds


@planned
def max_plan(shape: Sizes, window: Window) -> MaxPlan:
    """How to pool x of this shape (N, C, H, W)."""
    check_pooled("max_pool2d", window, x=shape)
    if prod(window.size) > np.iinfo(np.int32).max:
        problem = "a plane of x must have at most 2³¹ − 1 pixels: indices are int32"
        raise ShapeError(restate("max_pool2d", problem, x=shape))
    output, planes = (*shape[:2], *window.output), shape[0] * shape[1]
    if window.halves:
        return MaxPlan(output, None, planes, WORK * prod(shape))
    return MaxPlan(output, _max_table(window), planes, WORK * prod(output) * prod(window.kernel))


class AvgPlan(NamedTuple):
    """How average pooling is computed, forward and backward."""

    input: Sizes  # the shape (N, C, H, W)
    output: Sizes  # the shape (N, C, OH, OW)
    divisors: np.ndarray  # (OH, OW)
    numbers: Sizes  # kernel, stride, padding before
    planes: int
    work: int  # in multiply-adds


@planned
def _avg_plan(
    op: str, name: str, shape: Sizes, window: Window, dtype: np.dtype, count_include_pad: bool, divisor: int | None
) -> AvgPlan:
    """The plan for x of this shape or, if `name` is "y", for the gradient of y."""
    check_pooled(op, window, **{name: shape})
    images = shape[:2]
    table = divisors(window, count_include_pad, divisor).astype(dtype)
    numbers = (*window.kernel, *window.stride, *window.before)
    work = WORK * prod(images) * prod(window.output) * prod(window.kernel)
    return AvgPlan((*images, *window.size), (*images, *window.output), table, numbers, prod(images), work)


def divisors(window: Window, count_include_pad: bool, divisor: int | None) -> np.ndarray:
    """What each window of an average pooling is divided by, `(OH, OW)`, float64, by PyTorch's rules.

    The divisor where one is given; else the window's pixels inside the input, with `count_include_pad` those inside
    the padded input: what hangs over the end of that (ceil mode) never counts.

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


class _MaxLayout(NamedTuple):
    """How a plane lies in the scratch (phases, rows, columns): sorted by phase, the position modulo the stride."""

    rows: int
    columns: int
    stride_h: int
    stride_w: int
    top: int
    left: int


def _max_table(window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, _MaxLayout]:
    """The kernel's tables: offsets and shifts of the taps, corners and first pixels of the windows; and the layout.

    The tap t of the window at place q of the scratch reads `scratch[offsets[t] + q]`, the pixel `corners[q] +
    shifts[t]`.
    """
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = window.kernel, window.stride, window.dilation, window.output
    (top, left), width = window.before, window.size[1]
    rows, columns = oh + dh * (kh - 1) // sh, ow + dw * (kw - 1) // sw
    # (KH, 1) and (1, KW) -> (taps,)
    i, j = dh * np.arange(kh)[:, None], dw * np.arange(kw)[None]
    offsets = (((i % sh) * sw + j % sw) * rows + i // sh) * columns + j // sw
    shifts = i * width + j
    # (OH, 1) and (1, columns) -> (places,): rows of windows, with gaps between them
    h, w = np.array(window.starts()[0])[:, None], (np.arange(columns) * sw - left)[None]
    corners = h * width + w
    # The first tap inside the image: ⌈−h / dh⌉ taps down, ⌈−w / dw⌉ to the right.
    firsts = corners + np.maximum(0, -(h // dh)) * dh * width + np.maximum(0, -(w // dw)) * dw
    return (
        offsets.astype(INT64).ravel(),
        shifts.astype(INT32).ravel(),
        corners.astype(INT32).ravel(),
        firsts.astype(INT32).ravel(),
        _MaxLayout(rows, columns, sh, sw, top, left),
    )


def checked_indices(op: str, values: np.ndarray, indices: np.ndarray, window: Window, name: str) -> np.ndarray:
    """The indices as kernels take them; they and `values`, the window's x or y, fit the window and each other."""
    if indices.dtype is not INT32 and indices.dtype != INT32:
        raise DTypeError(restate(op, "indices must be int32", expected="those of max_forward", indices=indices))
    _check_indices(op, values.shape, indices.shape, window, name)
    return as_contiguous(indices)


@lru_cache(maxsize=1024)
def _check_indices(op: str, values: Sizes, indices: Sizes, window: Window, name: str) -> None:
    given: dict[str, Any] = {name: values}
    check_pooled(op, window, **given)
    expected = (*values[:2], *window.output)
    if indices != expected:
        problem = f"indices must be of shape {expected}"
        raise ShapeError(restate(op, problem, indices=indices, window=window, **given))


def _outside(indices: np.ndarray, size: Sizes) -> np.ndarray:
    """Which indices lie outside a plane."""
    return ((indices < 0) | (indices >= size[0] * size[1])).ravel()


def check_strays(op: str, strays: np.ndarray, indices: np.ndarray, size: Sizes) -> None:
    """Raise `RangeError` if the kernel skipped an index: `strays` counts those per chunk."""
    if status_set(strays):
        raise RangeError(
            restate(op, "indices must be positions in the input's plane", indices=indices, input_size=size)
        )


# ---------------------------------------------------------------------------------------------------------------- max


@kernel
def _count(images):
    """How many planes (H, W) there are in (N, C, H, W)."""
    return images.shape[0] * images.shape[1]


@kernel
def _plane(images, k):
    """Plane k of (N, C, H, W)."""
    return images[k // images.shape[1], k % images.shape[1]]


@kernel
def _inside(offset, stride, size, count):
    """The positions r of 0 … count with 0 ≤ r · stride + offset < size, as a half-open range."""
    first = max(0, -(offset // stride))
    return first, max(first, min(count, -((offset - size) // stride)))


@kernel
def _taps(size_of_window, stride, before, size, count):
    """The taps of `count` windows that meet a pixel somewhere, as a half-open range."""
    return max(0, before - (count - 1) * stride), min(size_of_window, before + size)


@kernel
def _sort_by_phase(plane, scratch, layout):
    """Copy a plane (H, W) to its places in the scratch (phases, rows, columns); the border isn't written."""
    for a in range(layout.stride_h):
        top, bottom = _inside(a - layout.top, layout.stride_h, plane.shape[0], layout.rows)
        for b in range(layout.stride_w):
            left, right = _inside(b - layout.left, layout.stride_w, plane.shape[1], layout.columns)
            phase = (a * layout.stride_w + b) * layout.rows
            for r in range(top, bottom):
                source, target = plane[r * layout.stride_h + a - layout.top], scratch[(phase + r) * layout.columns :]
                for c in range(left, right):
                    target[c] = source[c * layout.stride_w + b - layout.left]


@kernel
def _max_kernel(x, y, indices, offsets, shifts, corners, firsts, layout, index, chunks):
    scratch = np.full(layout.stride_h * layout.stride_w * layout.rows * layout.columns, -np.inf, x.dtype)
    best, where = np.empty(corners.size, x.dtype), np.empty(corners.size, np.int32)
    # The row has no columns behind the last window.
    places = corners.size - layout.columns + y.shape[3]
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        _sort_by_phase(_plane(x, plane), scratch, layout)
        for q in range(places):
            best[q] = -np.inf
            where[q] = firsts[q]
        for t in range(offsets.size):
            taps, shift = scratch[offsets[t] :], shifts[t]
            for q in range(places):
                value, old = taps[q], best[q]
                # NaN beats numbers, and no NaN beats an earlier one.
                wins = (value > old) | ((value != value) & (old == old))
                best[q] = value if wins else old
                where[q] = corners[q] + shift if wins else where[q]
        target, positions = _plane(y, plane), _plane(indices, plane)
        for p in range(y.shape[2]):
            for q in range(y.shape[3]):
                target[p, q] = best[p * layout.columns + q]
                positions[p, q] = where[p * layout.columns + q]


@kernel
def _max_2x2_kernel(x, y, indices, index, chunks):
    (height, width), (rows, columns), band = x.shape[2:], y.shape[2:], band_of(x)
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        for p in range(0, rows, band):
            source, target = (plane * height + 2 * p) * width, (plane * rows + p) * columns
            place, lines = 2 * p * width, min(band, rows - p)
            for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                max_2x2(x, source, width, left, y, target, indices, target, place, columns, lines)


@kernel
def _scatter_2x2(g, indices, x, plane, flag):
    """Scatter a plane for adjacent 2×2 windows. Returns whether it did: False if the windows or an index differ."""
    (rows, columns), (height, width), band = g.shape[2:], x.shape[2:], band_of(x)
    if rows != height // 2 or columns != width // 2:
        return False
    flag[0] = 0
    for p in range(0, rows, band):
        source, target = (plane * rows + p) * columns, (plane * height + 2 * p) * width
        place, lines = 2 * p * width, min(band, rows - p)
        for left in range(0, width, 2 * (WIDTH // x.itemsize)):
            unpool_2x2(g, source, indices, source, place, columns, left, x, target, width, lines, flag, 0)
    if 2 * rows < height:
        _plane(x, plane)[height - 1] = 0
    return flag[0] == 0


@kernel
def _scatter_kernel(g, indices, x, strays, index, chunks):
    flag, strays[index] = np.empty(1, np.int64), 0
    for plane in range(_count(g) * index // chunks, _count(g) * (index + 1) // chunks):
        if _scatter_2x2(g, indices, x, plane, flag):
            continue
        target, values = _plane(x, plane).ravel(), _plane(g, plane).ravel()
        where = _plane(indices, plane).ravel()
        target[:] = 0
        for q in range(values.size):
            if 0 <= where[q] < target.size:
                target[where[q]] += values[q]
            else:
                strays[index] += 1


@kernel
def _gather_kernel(x, indices, y, strays, index, chunks):
    strays[index] = 0
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        source, target = _plane(x, plane).ravel(), _plane(y, plane).ravel()
        where = _plane(indices, plane).ravel()
        for q in range(target.size):
            if 0 <= where[q] < source.size:
                target[q] = source[where[q]]
            else:
                strays[index] += 1


# ------------------------------------------------------------------------------------------------------------ average


@kernel
def _side_by_side(numbers, size, output_size):
    """Whether the windows are adjacent, of 2×2 pixels, none over the end."""
    (kh, kw, sh, sw, top, left), (rows, columns), (height, width) = numbers, output_size, size
    return kh == kw == sh == sw == 2 and top == left == 0 and 2 * rows <= height and 2 * columns <= width


@kernel
def _sum_row(source, p, numbers, total):
    """The sums of row p of the windows."""
    (kh, kw, sh, sw, top, left), (height, width) = numbers, source.shape
    total[:] = 0
    for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
        row = source[h]
        for j in range(*_taps(kw, sw, left, width, total.size)):
            first, last = _inside(j - left, sw, width, total.size)
            for q in range(first, last):
                total[q] += row[q * sw + j - left]


@kernel
def _avg_kernel(x, divisors, y, numbers, index, chunks):
    (rows, columns), width = y.shape[2:], x.shape[3]
    whole, wide = _side_by_side(numbers, x.shape[2:], y.shape[2:]), np.empty(columns)
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        target = _plane(y, plane)
        for p in range(rows):
            if whole:
                source, place = (plane * x.shape[2] + 2 * p) * width, (plane * rows + p) * columns
                for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                    sum_2x2(x, source, width, left, y, place, columns)
            else:
                # In float64: a window may be a whole image.
                _sum_row(_plane(x, plane), p, numbers, wide)
                for q in range(columns):
                    target[p, q] = wide[q]
            total, counts = target[p], divisors[p]
            for q in range(columns):
                total[q] = total[q] / counts[q]


@kernel
def _add_row(part, p, numbers, target):
    """Add row p of the windows' parts to all pixels of its windows."""
    (kh, kw, sh, sw, top, left), (height, width) = numbers, target.shape
    for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
        row = target[h]
        for j in range(*_taps(kw, sw, left, width, part.size)):
            first, last = _inside(j - left, sw, width, part.size)
            for q in range(first, last):
                row[q * sw + j - left] += part[q]


@kernel
def _avg_backward_kernel(g, divisors, x, numbers, index, chunks):
    (rows, columns), width = g.shape[2:], x.shape[3]
    part, whole = np.empty(columns, g.dtype), _side_by_side(numbers, x.shape[2:], g.shape[2:])
    # In float64: a pixel may lie in very many windows.
    wide = np.empty((0 if whole else x.shape[2], width))
    for plane in range(_count(g) * index // chunks, _count(g) * (index + 1) // chunks):
        source, target = _plane(g, plane), _plane(x, plane)
        target[2 * rows if whole else 0 :] = 0
        wide[:] = 0
        for p in range(rows):
            upstream, counts = source[p], divisors[p]
            for q in range(columns):
                part[q] = upstream[q] / counts[q]
            if whole:
                place = (plane * x.shape[2] + 2 * p) * width
                for left in range(0, width, 2 * (WIDTH // x.itemsize)):
                    fill_2x2(part, 0, columns, left, x, place, width)
            else:
                _add_row(part, p, numbers, wide)
        for h in range(len(wide)):
            for q in range(width):
                target[h, q] = wide[h, q]
