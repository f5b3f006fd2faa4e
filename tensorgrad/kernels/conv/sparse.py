"""Gradients of a convolution before 2×2 max pooling, which leaves three quarters of the upstream gradient zero.

The nonzero elements are the entries of a sparse matrix G, filters × pixels. Both gradients are products of G with
windows of pixels:

    dw[k] = Σ_q G[k, q] · window of x at q             filter by filter
    window of dx at q += Σ_k G[k, q] · w[k]            pixel by pixel

This takes a quarter of the multiply-adds of the sums over all pixels, and fewer where the rectifier's output is 0. A
window's sums stay in the registers while the entries of a filter, or of a pixel, stream past (`simd.sparse_tile`).

Zero times infinity isn't zero: if x or w isn't finite, other kernels compute the gradients. So they do if g has two
nonzero elements in a window, which the first image of a dense gradient shows at once. Status flags say either.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.arrays import memory
from tensorgrad.kernels.conv import sparse_layout, taps
from tensorgrad.kernels.conv.sparse_images import (
    filters_kernel,
    image_kernel,
    multiply_kernel,
    planes_kernel,
    take_kernel,
    windows_kernel,
)
from tensorgrad.kernels.conv.sparse_layout import NUMBERS, lay_out_filters, unpacked
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.elementwise.pointwise import finite
from tensorgrad.kernels.jit.dispatch import (
    address_of,
    call,
    chunks_for,
    get_num_threads,
    is_recording,
    kernel,
    run,
    status_set,
    threads_for,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.views import between
from tensorgrad.kernels.simd.packing import clear
from tensorgrad.windows import Shapes, Sizes, Window

# The fewest vectors per window and block: an entry has a fixed cost, that of two vectors.
WINDOW = 4
# The fewest filters that pay for packing an image and unpacking it.
FILTERS = 8
# The number of planes of the gradient that are checked to decide whether it is sparse.
PROBE = 4
# Status flags that say that g isn't sparse.
_DENSE = np.ones(1, np.int64)


def serves(window: Window, shapes: Shapes, itemsize: int) -> bool:
    """Whether the sparse kernels support the gradients of this convolution."""
    if not (window.plain and shapes.x[0] and shapes.w[0] >= FILTERS and min(window.output) > 1):
        return False
    where = sparse_layout.layout(window, shapes.x[1], itemsize)
    if where is None or where.kernel_h * where.columns < WINDOW:
        return False
    return where.blocks * where.block * itemsize <= taps.SCRATCH // 2


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window, dw: np.ndarray) -> np.ndarray:
    """As `convolution.grad_weight`, to dw; the arrays are contiguous. Returns status flags.

    One is set where g has more than one number in a window of 2×2 that isn't zero, or where x isn't finite.
    """
    none = _none(x.dtype)
    return _of_any(x, none, g, none, dw, window)


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, dx: np.ndarray) -> np.ndarray:
    """As `convolution.grad_input`, to dx. Returns status flags: one is set where g isn't sparse, or w isn't finite."""
    none = _none(g.dtype)
    return _of_any(none, w, g, dx, none, window)


def gradients(
    x: np.ndarray, w: np.ndarray, g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """dx, dw and the sums of planes (N, K): g `(N, K, OH // 2, OW // 2)` passes where z > 0.

    z and indices are what `pooled_convolution.forward` returned. The bits of `grad_input`, `grad_weight` and
    `rectified_pooling.scatter_and_sums`. None where x or w isn't finite, or where an index isn't one of its window's.
    """
    dx, dw = memory.empty(x.shape, x.dtype), memory.empty(w.shape, x.dtype)
    sums = memory.empty(g.shape[:2], np.float64)
    flags = _gradients(x, w, g, z, indices, dx, dw, sums.reshape(-1), window)
    return None if status_set(flags) else (dx, dw, sums)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, g = np.ones((2, 4, 5, 5), dtype), np.zeros((2, 1, 2, 2), dtype)
    window = Window.fitting("conv2d", (5, 5), (4, 4), (1, 1), ((0, 0), (0, 0)), (1, 1))
    yield "gradients", lambda: grad_weight(x, g, window, np.empty((1, 4, 4, 4), dtype))


# ---------------------------------------------------------------------------------------------------------------- plan


class Calls(NamedTuple):
    """How the work is partitioned, and the addresses of the kernels that a thread calls."""

    filter_parts: int  # for dw, where there are fewer images than threads
    block_parts: int  # of each image, for dx
    in_planes: int  # finds entries
    in_windows: int
    sum_planes: int
    multiply: int
    add_filters: int
    take: int
    fill_image: int


CALLS = len(Calls._fields)


class Plan(NamedTuple):
    """How the gradients are computed, from the shapes."""

    numbers: np.ndarray  # the layout, the places in a scratch, the calls
    table: np.ndarray
    filter_parts: int
    floats: int  # length of a scratch
    integers: int
    flag: int  # where the status flag is
    units: int
    work: int


@planned
def _plan(
    x_shape: Sizes, w_shape: Sizes, window: Window, dtype: np.dtype, wanted: tuple[bool, bool, bool], threads: int
) -> Plan:
    """`wanted`: whether the gradient for x is, and that for w; and whether g is what pooling left."""
    (for_x, for_w, pooled), count, filters = wanted, x_shape[0], w_shape[0]
    where = sparse_layout.layout(window, x_shape[1], dtype.itemsize)
    assert where is not None  # `serves` has checked it
    at = sparse_layout.places(where, filters, dtype.itemsize)
    # Waking a second thread gains nothing below some 100 µs of work.
    work = count * sparse_layout.pooled(where) * where.blocks * filters * where.window * 3 // 4
    threads, filter_parts, block_parts = threads_for(work, threads), 0, 0
    if count < threads:
        # Fewer images than threads: split the filters for dw, and the blocks of each image for dx.
        each = threads // 2 if for_x and for_w else threads
        filter_parts = min(filters, each) if for_w else 0
        block_parts = min(where.blocks, -(-each // count)) if for_x else 0
    numbers = sparse_layout.numbers(window, where, filters, dtype.itemsize)
    numbers = np.concatenate([numbers, Calls(filter_parts, block_parts, *_addresses(dtype, pooled))])
    table, units = sparse_layout.table(where, filters), filter_parts + block_parts * count or count
    return Plan(numbers, table, filter_parts, at.end, at.integers_end, at.flag, units, work)


@cache
def _addresses(dtype: np.dtype, pooled: bool) -> tuple[int, ...]:
    """The addresses in `Calls`. Only kernels that are called are compiled; the address of any other is 0."""
    images, positions, line, whole = _none(dtype), _none(np.dtype(np.int32)), np.empty(0, dtype), np.empty(0, np.int64)
    lines, integers, sums = np.empty((0, 0), dtype), np.empty(0, np.int32), np.empty(0)
    scratch = lines, np.empty((0, 0), np.int32)
    in_planes, in_windows, sum_planes = 0, 0, 0
    if pooled:
        sum_planes = address_of(pointwise.sums_kernel, (np.empty((0, 0, 0), dtype), sums))
        upstream = (images, images, positions, line, integers, integers, sums, whole, 0, 0, 0, 0)
        in_windows = address_of(windows_kernel, upstream)
    else:
        in_planes = address_of(planes_kernel, (images, line, integers, whole, 0, 0, 0))
    windows = (line, integers, integers, 0, line, 0, 0, integers, line, 0, 0, whole)
    one_image = (images, line, integers, integers, whole, 0, 0, 0, 0, 0)
    multiply, take = address_of(multiply_kernel, windows), address_of(take_kernel, (images, *scratch, whole))
    add_filters, fill_image = address_of(filters_kernel, one_image), address_of(image_kernel, one_image)
    return in_planes, in_windows, sum_planes, multiply, add_filters, take, fill_image


@cache
def _none(dtype: np.dtype) -> np.ndarray:
    return np.empty((0, 0, 0, 0), dtype)


@cache
def _no_maxima(dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    return _none(dtype), _none(np.dtype(np.int32))


def _of_any(x, w, g, dx, dw, window) -> np.ndarray:
    """`_gradients` for a g that may be dense: where a sample of it is, nothing is launched, and so nothing compiled.

    While launches are recorded the kernel alone looks at g: in a replay it may be another.
    """
    if not is_recording() and not _looks_sparse(g):
        return _DENSE
    return _gradients(x, w, g, *_no_maxima(g.dtype), dx, dw, np.empty(0), window)


def _gradients(x, w, g, z, indices, dx, dw, plane_sums, window) -> np.ndarray:
    """Fill those of dx, dw and plane_sums that aren't empty. Returns status flags: no result is valid if one is set."""
    for_x, for_w, dtype = dx.size > 0, dw.size > 0, g.dtype
    x_shape, w_shape = x.shape if for_w else dx.shape, dw.shape if for_w else w.shape
    plan = _plan(x_shape, w_shape, window, dtype, (for_x, for_w, z.size > 0), get_num_threads())
    chunks = chunks_for(plan.units, plan.work)
    floats, integers = memory.empty((chunks, plan.floats), dtype), memory.empty((chunks, plan.integers), np.int32)
    arguments = (x, w, g, z, indices, dx, dw, plane_sums, floats, integers, plan.numbers, plan.table)
    run(_gradients_kernel, arguments, chunks)
    if for_w and not plan.filter_parts:
        run(take_kernel, (dw, floats, integers, plan.numbers), min(chunks, chunks_for(len(dw), dw.size * chunks)))
    return integers[:, plan.flag]


# ------------------------------------------------------------------------------------------------------------- kernels


@kernel
def _looks_sparse(g):
    """Whether no window of 2×2 in a sample of planes has two nonzero numbers."""
    _, filters, height, width = g.shape
    for k in range(min(filters, PROBE)):
        for p in range(0, height - 1, 2):
            for q in range(0, width - 1, 2):
                a, b, c, d = g[0, k, p, q], g[0, k, p, q + 1], g[0, k, p + 1, q], g[0, k, p + 1, q + 1]
                if int(a != 0) + int(b != 0) + int(c != 0) + int(d != 0) > 1:
                    return False
    return True


@kernel
def _gradients_kernel(x, w, g, z, indices, dx, dw, plane_sums, floats, integers, numbers, table, index, chunks):
    """Both gradients for some images; if there are few, dw for some of the filters and dx for some of the blocks."""
    (layout, _, at), do = unpacked(numbers), Calls(*to_fixed_tuple(numbers[NUMBERS:], CALLS))
    (count, filters), scratch, ours = g.shape[:2], floats[index], integers[index]
    ours[at.flag] = 0 if z.size or _looks_sparse(g) else 1
    if ours[at.flag]:
        return
    clear(scratch, at.image, at.gradient)  # the border of an image stays zero
    units = do.filter_parts + do.block_parts * count if do.filter_parts or do.block_parts else count
    first, last = units * index // chunks, units * (index + 1) // chunks
    if dw.size and (do.block_parts == 0 or first < do.filter_parts):
        clear(scratch, at.sums, at.lines)
    if dx.size and (do.filter_parts == 0 or last > do.filter_parts):
        if not finite(w.reshape(filters, -1, 1)):
            ours[at.flag] = 1
            return
        lay_out_filters(w, between(scratch, at.filters, at.plane), layout)
    for unit in range(first, last):
        n, n_end, k, k_end, b, b_end = unit, unit + 1, 0, filters, 0, layout.blocks
        for_w, for_x = dw.size > 0, dx.size > 0
        if unit < do.filter_parts:
            n, n_end, for_x = 0, count, False
            k, k_end = filters * unit // do.filter_parts, filters * (unit + 1) // do.filter_parts
        elif do.block_parts:
            n, b, for_w = (unit - do.filter_parts) // do.block_parts, (unit - do.filter_parts) % do.block_parts, False
            n_end, b, b_end = n + 1, layout.blocks * b // do.block_parts, layout.blocks * (b + 1) // do.block_parts
        for m in range(n, n_end):
            if z.size:
                sums = plane_sums if for_w else plane_sums[:0]
                found = (g, z, indices, scratch, ours, table, sums, numbers, do.sum_planes, m, k, k_end)
                call(do.in_windows, found, 0, 1)
            else:
                call(do.in_planes, (g, scratch, ours, numbers, m, k, k_end), 0, 1)
            if for_w and not ours[at.flag]:
                call(do.add_filters, (x, scratch, ours, table, numbers, do.multiply, m, k, k_end, filters), 0, 1)
            if ours[at.flag]:
                return
            if for_x:
                call(do.fill_image, (dx, scratch, ours, table, numbers, do.multiply, m, b, b_end, filters), 0, 1)
        if unit < do.filter_parts:
            ours_alone = floats[index : index + 1], integers[index : index + 1]
            call(do.take, (dw, *ours_alone, numbers), unit, do.filter_parts)
