"""A convolution, max pooling over 2×2 pixels and the rectifier, without the convolution's output in memory.

    z = relu(max pool(conv(x, w)))

A thread computes one image, or some filters of it where there are fewer images than threads, into planes of its own,
and pools them while they are in its cache; a quarter of the pixels leaves it. Backward, the gradient of some images is
put where the maxima stood, into such planes, and the gradient for the weights takes its dot products from there. The
kernels are those of `convolution` and `rectified_pooling`, called image by image, so the bits are those of the three
layers one after the other.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import as_contiguous, check_float, floats, zeros
from tensorgrad.kernels.conv import convolution, sparse, taps
from tensorgrad.kernels.conv.direct.correlate import correlate_kernel, packed_filters
from tensorgrad.kernels.conv.direct.dots import DotPlan, add_up, dot_lines, grad_weight_kernel
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.dispatch import COMPILED, address_of, call, chunks_for, get_num_threads, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.pool import pooling, rectified_pooling
from tensorgrad.kernels.pool.rectified_pooling import max_kernel, scatter_kernel
from tensorgrad.kernels.simd.emitter import ROWS, lanes
from tensorgrad.windows import Sizes, Window, convolution_shapes


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """relu(max pool(conv(x, w) + bias)), with windows of 2×2 side by side, and where each maximum stood.

    x `(N, C, H, W)`, w `(K, C/groups, KH, KW)`, bias `(K,)` or None -> z, indices `(N, K, OH // 2, OW // 2)`: the
    bits of `convolution.forward` and `rectified_pooling.max_forward`, indices being positions in planes `(OH, OW)`.
    Raises `ShapeError`, also where the output has one row or one column only, `DTypeError`.

    >>> window = Window.fitting("conv2d", (2, 3), (1, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> forward(np.array([[[[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]]]), np.ones((1, 1, 1, 2)), np.array([0.5]), window)
    (array([[[[3.5]]]]), array([[[[0]]]], dtype=int32))
    """
    plan = _forward_plan(x.shape, w.shape, window, x.itemsize, get_num_threads())
    if plan is None or not COMPILED:
        return rectified_pooling.max_forward(convolution.forward(x, w, bias, window), Window.halving(window.output))
    if bias is None:
        bias = zeros(w.shape[0], x.dtype)
    x, w, bias = floats("conv2d", "x w bias", x, w, bias)
    convolution.check_bias(len(w), bias)
    total, cuts = plan
    filters, height, width = total.shape[1:]
    shape = (len(x), filters, height // 2, width // 2)
    z, indices = memory.empty(shape, x.dtype), memory.empty(shape, np.int32)
    chunks = chunks_for(len(x) * cuts, total.work)
    planes = memory.empty((chunks, -(-filters // cuts), height, width), x.dtype)
    image = memory.empty((chunks, total.scratch), x.dtype)
    packed = packed_filters(w, bias, total.packed) if total.packed else zeros(0, x.dtype)
    numbers = (
        total.table,
        total.rest,
        packed,
        zeros(0, x.dtype),
        image,
        total.lengths,
        total.step,
        total.group,
        lanes(x.dtype),
    )
    arguments = (x, w, bias, z, indices, planes, cuts, *numbers, *_forward_addresses(x.dtype))
    run(_forward_kernel, arguments, chunks)
    return z, indices


def grad_weight(
    x: np.ndarray, g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients for w and bias: those of the convolution, of a gradient that is g where z > 0 had its maximum.

    x `(N, C, H, W)`; g, z, indices `(N, K, OH // 2, OW // 2)`, the last two from `forward` -> dw `(K, C/groups, KH,
    KW)`, db `(K,)`: the bits of `rectified_pooling.scatter`, `convolution.grad_weight` and `pointwise.channel_sums`.
    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> window = Window.fitting("conv2d", (2, 3), (1, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> x, w = np.array([[[[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]]]), np.ones((1, 1, 1, 2))
    >>> grad_weight(x, np.array([[[[10.0]]]]), *forward(x, w, None, window), window)
    (array([[[[10., 20.]]]]), array([10.]))
    """
    shape, halving = (*g.shape[:2], *window.output), Window.halving(window.output)
    lines = _grad_weight_plan(x.shape, shape, window, x.itemsize, get_num_threads())
    if lines is None or not COMPILED:
        full, db = rectified_pooling.scatter_and_sums(g, z, indices, halving)
        return convolution.grad_weight(x, full, window), db
    w_shape = (shape[1], x.shape[1] // window.groups, *window.kernel)
    dtype, indices = rectified_pooling.check_scatter(g, z, indices, halving)
    check_float("conv2d_grad_weight", x=x, g=g)
    chunks = chunks_for(lines.batches, prod(shape) * lines.offsets.size)
    planes = memory.empty((chunks, lines.images, *shape[1:]), dtype)
    scratch = memory.empty((chunks, lines.length), dtype)
    sums = memory.empty((chunks, w_shape[0], lines.offsets.size), np.float64)
    plane_sums, strays = memory.empty(shape[:2], np.float64), memory.empty((chunks,), np.int64)
    arguments = (
        as_contiguous(x), as_contiguous(g), as_contiguous(z), indices, strays, plane_sums.reshape(-1), planes, sums,
        lines.offsets, scratch, lines.lengths, lines.batches, *_grad_weight_addresses(dtype),
    )  # fmt: skip
    run(_grad_weight_kernel, arguments, chunks)
    pooling.check_strays(rectified_pooling.OP, strays, indices, window.output)
    dw = memory.empty(w_shape, dtype)
    add_up(sums, dw)
    return dw, rectified_pooling.total(plane_sums, dtype)


def gradients(
    x: np.ndarray, w: np.ndarray, g: np.ndarray, z: np.ndarray, indices: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients for x, w and bias: those for the last two as `grad_weight`, and the convolution's for its input.

    x `(N, C, H, W)`, w `(K, C/groups, KH, KW)`, the others as in `grad_weight` -> dx, dw, db `(K,)`: the bits of
    `rectified_pooling.scatter`, `convolution.grad_input`, `convolution.grad_weight` and `pointwise.channel_sums`.
    Raises as `grad_weight`.

    >>> window = Window.fitting("conv2d", (2, 3), (1, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> x, w = np.array([[[[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]]]), np.array([[[[3.0, 4.0]]]])
    >>> gradients(x, w, np.array([[[[10.0]]]]), *forward(x, w, None, window), window)
    (array([[[[30., 40.,  0.],
             [ 0.,  0.,  0.]]]]), array([[[[10., 20.]]]]), array([10.]))
    """
    sparsely = _is_sparse(x.shape, w.shape, (*g.shape[:2], *window.output), window, x.itemsize)
    halving = Window.halving(window.output)
    if sparsely and COMPILED:
        x, w, g, z = floats("conv2d_gradients", "x w g z", x, w, g, z)
        dtype, indices = rectified_pooling.check_scatter(g, z, indices, halving)
        found = sparse.gradients(x, w, g, z, indices, window)
        if found is not None:
            dx, dw, sums = found
            return dx, dw, rectified_pooling.total(sums, dtype)
    full, db = rectified_pooling.scatter_and_sums(g, z, indices, halving)
    return convolution.grad_input(full, w, window), convolution.grad_weight(x, full, window), db


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    small, large = (
        Window.fitting("conv2d", (n, n), (k, k), (1, 1), ((0, 0), (0, 0)), (1, 1)) for n, k in ((3, 2), (5, 4))
    )
    x, w, bias = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones(1, dtype)
    g, indices = np.ones((2, 1, 1, 1), dtype), np.zeros((2, 1, 1, 1), np.int32)
    yield "forward", lambda: forward(x, w, bias, small)
    yield "grad_weight", lambda: grad_weight(x, g, g, indices, small)
    many, filters = np.ones((2, 4, 5, 5), dtype), np.ones((sparse.FILTERS, 4, 4, 4), dtype)
    z, places = np.ones((2, sparse.FILTERS, 1, 1), dtype), np.zeros((2, sparse.FILTERS, 1, 1), np.int32)
    yield "gradients", lambda: gradients(many, filters, z, z, places, large)


# --------------------------------------------------------------------------------------------------------------- plans


@planned
def _forward_plan(
    x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int
) -> tuple[taps.Sum, int] | None:
    """The convolution that is computed image by image, and into how many parts the filters of an image are cut.

    None where the layers are computed one after the other.
    """
    plan = convolution.forward_plan(x_shape, w_shape, window, itemsize, threads)
    height, width = window.output
    pooling.max_plan((x_shape[0], w_shape[0], height, width), Window.halving(window.output))
    # A last row that no window meets isn't computed; a last column is, for the positions that indices tell.
    met = window._replace(output=(height // 2 * 2, width))
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    total = taps.forward_sum(met, shapes, itemsize, 1)._replace(panels=0)  # an image's filters may be cut
    # Fewer images than threads, taken whole, would leave some with nothing to do.
    cuts = -(-dispatch.threads_for(total.work, threads) // max(x_shape[0], 1))
    if cuts > 1:
        total = total._replace(rest=total.rest[:0], packed=0)  # whose filters are packed all together
    few = cuts > 1 and (window.groups > 1 or w_shape[0] < cuts * ROWS)
    otherwise = plan.by_depthwise or plan.by_winograd or total.layout.images > 1
    return None if otherwise or few else (total, cuts)


@planned
def _grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int, threads: int) -> DotPlan | None:
    """How lines are laid out; None where the layers are computed one after the other."""
    plan = convolution.grad_weight_plan(x_shape, g_shape, window, itemsize, threads)
    lines = plan.direct
    # Bands that several threads share would be summed up in another order; filters that they share, by one.
    whole = (lines.blocks == lines.batches and lines.cuts == 1) or lines.work < dispatch.SMALL
    return None if plan.by_depthwise or plan.by_sparse or plan.by_winograd or not whole else lines


@lru_cache(maxsize=1024)
def _is_sparse(x_shape: Sizes, w_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int) -> bool:
    """Whether the gradients are found from what isn't zero."""
    shapes = convolution_shapes("conv2d_gradients", window, x=x_shape, w=w_shape, y=g_shape)
    return sparse.serves(window, shapes, itemsize)


# ------------------------------------------------------------------------------------------------------------- kernels


@cache
def _forward_addresses(dtype: np.dtype) -> tuple[int, int]:
    """What computes an image, and what pools it."""
    images, positions, scratch = np.empty((0,) * 4, dtype), np.empty((0,) * 4, np.int32), np.empty((0, 0), dtype)
    line, table, lengths = np.empty(0, dtype), np.empty((0, 2), np.int64), np.empty(0, np.int64)
    correlation = (images, images, line, images, table, table, line, line, scratch, lengths, 0, 0, 1, 0)
    return address_of(correlate_kernel, correlation), address_of(max_kernel, (images, images, positions))


@cache
def _grad_weight_addresses(dtype: np.dtype) -> tuple[int, int, int, int]:
    """What puts a gradient where the maxima stood, what sums it up; what adds up dot products, and of what."""
    images, positions, scratch = np.empty((0,) * 4, dtype), np.empty((0,) * 4, np.int32), np.empty((0, 0), dtype)
    counts, sums, products = np.empty(0, np.int64), np.empty(0), np.empty((0, 0, 0))
    sum_planes = rectified_pooling.sum_planes(dtype)
    upstream = (images, images, positions, images, counts, sums, sum_planes)
    dots = dot_lines(dtype, products.dtype)
    weights = (images, images, products, False, counts, scratch, counts, 0, 0, dots)
    return address_of(scatter_kernel, upstream), sum_planes, address_of(grad_weight_kernel, weights), dots


@kernel
def _forward_kernel(x, w, bias, z, indices, planes, cuts, table, rest, packed, panels, scratch, lengths, step, group,
                   width, correlate, pool, index, chunks):  # fmt: skip
    filters, (height, out_width), image = len(w), z.shape[2:], scratch[index : index + 1]
    # (N, K, H, W) -> (N·K, 1, H, W): adjacent planes are one array
    z_planes, positions = z.reshape(-1, 1, height, out_width), indices.reshape(-1, 1, height, out_width)
    for unit in range(len(x) * cuts * index // chunks, len(x) * cuts * (index + 1) // chunks):
        n, cut = unit // cuts, unit % cuts
        k, k_end = filters * cut // cuts, filters * (cut + 1) // cuts
        y, first, end = planes[index][: k_end - k], n * filters + k, n * filters + k_end
        _, rows, columns = y.shape
        arrays = (x[n : n + 1], w[k:k_end], bias[k:k_end], y.reshape(1, k_end - k, rows, columns))
        call(correlate, (*arrays, table, rest, packed, panels, image, lengths, step, group, 1, width), 0, 1)
        call(pool, (y.reshape(k_end - k, 1, rows, columns), z_planes[first:end], positions[first:end]), 0, 1)


@kernel
def _grad_weight_kernel(x, g, z, indices, strays, plane_sums, planes, sums, offsets, scratch, lengths, batches, scatter,
                       sum_planes, weigh, dots, index, chunks):  # fmt: skip
    filters, one, outside = g.shape[1], slice(index, index + 1), 0
    sums[index] = 0
    for batch in range(batches * index // chunks, batches * (index + 1) // chunks):
        first, end = len(x) * batch // batches, len(x) * (batch + 1) // batches
        full, lines = planes[index][: end - first], plane_sums[first * filters : end * filters]
        upstream = (g[first:end], z[first:end], indices[first:end])
        call(scatter, (*upstream, full, strays[one], lines, sum_planes), 0, 1)
        outside += strays[index]
        call(weigh, (x[first:end], full, sums[one], False, offsets, scratch[one], lengths, 1, 1, dots), 0, 1)
    strays[index] = outside
