"""Max pooling in two dimensions, forward and backward.

It remembers the position of each maximum. Its backward is a pair of linear maps, adjoint to each other:
`scatter` adds each gradient to the pixel that won, `gather` reads the pixels that won.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import DTypeError, RangeError, ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    by_fallback,
    chunks_for,
    helper,
    inlined,
    is_recording,
    kernel,
    run,
    status_set,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.pool import adjacent
from tensorgrad.kernels.pool.blocks import band_of, unpool_2x2
from tensorgrad.kernels.pool.planes import count_planes, inside, plane_of
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Sizes, Window, check_pooled

# Multiply-adds that take as long as a pixel that passes by, by a rough measurement.
WORK = 5
# The same for a tap of any window.
TAP_WORK = 40

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
    chunks = chunks_for(plan.planes, plan.work)
    if plan.bands is not None and is_recording():
        adjacent.record_maxima(x, y, indices, window, plan.bands, chunks)
    else:
        run(plan.kernel, (x, y, indices, *plan.arguments), chunks)
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


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, indices, halving = np.ones((2, 1, 2, 2), dtype), np.zeros((2, 1, 1, 1), np.int32), Window.halving((2, 2))
    g, single = np.ones((2, 1, 1, 1), dtype), halving._replace(stride=(1, 1))
    yield "max_forward", lambda: max_forward(x, halving)
    yield "max_forward, any window", lambda: max_forward(x, single)
    yield "scatter", lambda: scatter(g, indices, halving)
    yield "gather", lambda: gather(x, indices, halving)


# --------------------------------------------------------------------------------------------------------------- plans
#
# Plans: everything that depends on the shapes alone, checks included; looked up once per call.


class MaxPlan(NamedTuple):
    """How max pooling is computed."""

    output: Sizes  # the shape (N, C, OH, OW)
    kernel: Callable
    arguments: tuple  # of the kernel, after its arrays
    planes: int
    work: int  # in multiply-adds
    bands: adjacent.BandPlan | None = None  # of adjacent windows of 2×2 or 1×2


@planned
def max_plan(shape: Sizes, window: Window) -> MaxPlan:
    """How to pool x of this shape (N, C, H, W)."""
    check_pooled("max_pool2d", window, x=shape)
    if prod(window.size) > np.iinfo(np.int32).max:
        problem = "a plane of x must have at most 2³¹ − 1 pixels: indices are int32"
        raise ShapeError(restate("max_pool2d", problem, x=shape))
    output, planes = (*shape[:2], *window.output), shape[0] * shape[1]
    if window.halves or adjacent.halves_rows(window):
        bands = adjacent.by_planes(shape, window)
        return MaxPlan(
            output, adjacent.max_kernel, adjacent.arguments(window, bands), planes, WORK * prod(shape), bands
        )
    return MaxPlan(output, _max_kernel, _max_table(window), planes, TAP_WORK * prod(output) * prod(window.kernel))


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


@helper
def _sort_by_phase(plane, scratch, layout):
    """Copy a plane (H, W) to its places in the scratch (phases, rows, columns); the border isn't written."""
    for a in range(layout.stride_h):
        top, bottom = inside(a - layout.top, layout.stride_h, plane.shape[0], layout.rows)
        for b in range(layout.stride_w):
            left, right = inside(b - layout.left, layout.stride_w, plane.shape[1], layout.columns)
            phase = (a * layout.stride_w + b) * layout.rows
            first = np.uint64(left * layout.stride_w + b - layout.left)
            for r in range(top, bottom):
                source, place = (
                    plane[r * layout.stride_h + a - layout.top],
                    np.uint64((phase + r) * layout.columns + left),
                )
                if layout.stride_w == 1:
                    _copy_every(1, source, first, scratch, place, right - left)
                elif layout.stride_w == 2:
                    _copy_every(2, source, first, scratch, place, right - left)
                else:
                    _copy_every(layout.stride_w, source, first, scratch, place, right - left)


@inlined
def _copy_every(step, source, first, target, place, count):
    """Every `step`-th element; steps of 1 and 2 are constants, for which there are vectors."""
    for k in range(np.uint64(max(0, count))):
        target[place + k] = source[first + np.uint64(step) * k]


@kernel
def _max_kernel(x, y, indices, offsets, shifts, corners, firsts, layout, index, chunks):
    scratch = np.full(layout.stride_h * layout.stride_w * layout.rows * layout.columns, -np.inf, x.dtype)
    best, where = np.empty(corners.size, x.dtype), np.empty(corners.size, np.int32)
    # The row has no columns behind the last window.
    places = corners.size - layout.columns + y.shape[3]
    for plane in range(count_planes(x) * index // chunks, count_planes(x) * (index + 1) // chunks):
        _sort_by_phase(plane_of(x, plane), scratch, layout)
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
        target, positions = plane_of(y, plane), plane_of(indices, plane)
        for p in range(y.shape[2]):
            row = np.uint64(p * layout.columns)
            for q in range(np.uint64(y.shape[3])):
                target[p, q] = best[row + q]
                positions[p, q] = where[row + q]


@helper
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
        plane_of(x, plane)[height - 1] = 0
    return flag[0] == 0


@kernel
def _scatter_kernel(g, indices, x, strays, index, chunks):
    flag, strays[index] = np.empty(1, np.int64), 0
    for plane in range(count_planes(g) * index // chunks, count_planes(g) * (index + 1) // chunks):
        if _scatter_2x2(g, indices, x, plane, flag):
            continue
        target, values = plane_of(x, plane).ravel(), plane_of(g, plane).ravel()
        where = plane_of(indices, plane).ravel()
        target[:] = 0
        for q in range(values.size):
            if 0 <= where[q] < target.size:
                target[where[q]] += values[q]
            else:
                strays[index] += 1


@kernel
def _gather_kernel(x, indices, y, strays, index, chunks):
    strays[index] = 0
    for plane in range(count_planes(x) * index // chunks, count_planes(x) * (index + 1) // chunks):
        source, target = plane_of(x, plane).ravel(), plane_of(y, plane).ravel()
        where = plane_of(indices, plane).ravel()
        for q in range(target.size):
            if 0 <= where[q] < source.size:
                target[q] = source[where[q]]
            else:
                strays[index] += 1
