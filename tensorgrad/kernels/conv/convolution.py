"""Convolution in two dimensions: forward, the gradient for the input, the gradient for the weights.

The three are a closed trio: each is linear in each of its two arrays, and its derivatives are the other two.

How the kernels see it: an image is packed into a scratch, where the pixels that one tap of the kernel meets stand in a
line, in the order of the output's pixels q (im2row; `taps` says how). Then

    y[k, q] = bias[k] + Σ_tap w[k, tap] · image[offset[tap] + q]

so one table serves every kernel size, and y and its gradient are written and read where they lie. The gradient for the
input is that same sum once more, over the gradient, for each phase of the stride; the gradient for the weights takes
the dot products of lines. Both run in tiles of vectors (`simd`). Filters of 3×3 between many channels, the bulk of most
networks, go another way (`winograd`), and so do input gradients of windows without padding (`col2im`), and groups of
few channels (`depthwise`).
"""

from collections.abc import Callable, Iterator
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.conv import col2im, depthwise, sparse, taps, winograd
from tensorgrad.kernels.conv.im2row import clear, pack, pack_images, unpacked
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import (  # fmt: skip
    COMPILED,
    address_of,
    by_fallback,
    call,
    chunks_for,
    floats,
    get_num_threads,
    inlined,
    kernel,
    otherwise,
    run,
    threads_for,
    zeros,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, WIDTH
from tensorgrad.kernels.simd.gemm import products
from tensorgrad.kernels.simd.planes import merge_rows, pack_rows, store_rows
from tensorgrad.kernels.simd.tiles import DOTS, dot_tile, part_begin, turn_rows
from tensorgrad.windows import Pads, Shapes, Sizes, Window, convolution_shapes

FLOAT64 = np.dtype(np.float64)

# Vectors that the dot products of a weight gradient have at least, where there are so many images: each ends with a
# sum over lanes that takes as long as some of them.
LINE = 128
# The place of the output's columns in a layout.
OUTPUT_W = taps.Layout._fields.index("output_w")


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window) -> np.ndarray:
    """A sliding dot product, not flipped, over x with zeros around it.

        y[n, k, p, q] = bias[k] + Σ_{c,i,j} w[k, c, i, j] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, w `(K, C/groups, KH, KW)`, bias `(K,)` or None -> `(N, K, OH, OW)`, all float32 or all float64;
    s is the window's stride, d its dilation, top and left its padding before; c runs over the channels of k's group.
    Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> forward(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]), window)
    array([[[[4.5, 4.5],
             [4.5, 4.5]]]])
    """
    plan = forward_plan(x.shape, w.shape, window, x.itemsize, get_num_threads())
    if bias is None:
        bias = zeros(w.shape[0], x.dtype)
    x, w, bias = floats("conv2d", "x w bias", x, w, bias)
    check_bias(len(w), bias)
    if not COMPILED:
        return by_fallback(fallback.conv_forward, _reached(x, window), w, bias, *_moves(window))
    if plan.by_planes:
        return depthwise.forward(x, w, bias, window)
    y = memory.empty(plan.total.shape, x.dtype)
    if plan.by_tiles:
        otherwise(winograd.forward(x, w, bias, window, y), lambda: _correlate(x, w, bias, plan.total, y))
    else:
        _correlate(x, w, bias, plan.total, y)
    return y


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, bias: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `forward` in x: each g goes back to the pixels of its window. Also called transposed convolution.

    g `(N, K, OH, OW)`, w `(K, C/groups, KH, KW)` -> `(N, C, H, W)`, zero where no window reaches. A `bias` `(C,)` is
    added everywhere. Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> grad_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), window)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    plan = _grad_input_plan(g.shape, w.shape, window, g.itemsize, get_num_threads())
    if bias is None:
        g, w = floats("conv2d_grad_input", "g w", g, w)
        added = zeros(plan.x[1], g.dtype)
    else:
        g, w, added = floats("conv2d_grad_input", "g w bias", g, w, bias)
        check_bias(plan.x[1], added, "conv_transpose2d")
    if not COMPILED:
        return _plus(by_fallback(fallback.conv_grad_input, g, w, window.size, *_moves(window)), bias)
    if not pointwise.is_finite(w):
        # The zeros around g times an infinite weight would be NaN.
        with np.errstate(invalid="ignore", over="ignore"):
            return _plus(fallback.conv_grad_input(g, w, window.size, *_moves(window)), bias)
    if plan.by_planes:
        return depthwise.grad_input(g, w, added, window)
    x = memory.empty(plan.x, g.dtype)
    if window.stride != (1, 1):
        _by_phases(g, w, added, window, plan, x)
        return x
    if plan.sparsely and bias is None:
        otherwise(sparse.grad_input(g, w, window, x), lambda: _at_stride_1(g, w, added, window, plan, x))
    else:
        _at_stride_1(g, w, added, window, plan, x)
    return _plus(x, bias) if plan.by_columns else x


def _at_stride_1(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """The gradient for the input of a convolution of stride 1, with a bias except by columns, to x."""
    if plan.by_columns:
        col2im.grad_input(g, w, window, x)
    elif plan.by_tiles is not None:
        flag = winograd.grad_input(g, w, bias, plan.by_tiles, x)
        otherwise(flag, lambda: _correlate(g, w, bias, plan.totals[0][1], x))
    else:
        _correlate(g, w, bias, plan.totals[0][1], x)


def _by_phases(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """The gradient for the input of a convolution of any stride, with a bias, to x: phase by phase of the stride."""
    if plan.whole:
        parts = memory.empty((*window.stride, *plan.totals[0][1].shape), g.dtype)
        for start, total in plan.totals:
            _correlate(g, w, bias, total, parts[start])
        run(_interleave_kernel, (parts, x), chunks_for(len(x), x.size))
        return
    x[...] = bias[:, None, None]  # also where no window reaches
    for (a, b), total in plan.totals:
        part = memory.empty(total.shape, g.dtype)
        _correlate(g, w, bias, total, part)
        x[:, :, a :: window.stride[0], b :: window.stride[1]] = part


def _plus(x: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """x (N, C, H, W), to which the biases (C,) are added in place."""
    if bias is not None:
        x += bias[:, None, None]
    return x


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """The adjoint of `forward` in w: each weight's g times the pixels that it met.

        dw[k, c, i, j] = Σ_{n,p,q} g[n, k, p, q] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, g `(N, K, OH, OW)` -> `(K, C/groups, KH, KW)`; the images are summed in an order that depends on
    nothing but their number and the number of threads. Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> grad_weight(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), window)
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    plan = grad_weight_plan(x.shape, g.shape, window, x.itemsize, get_num_threads())
    x, g = floats("conv2d_grad_weight", "x g", x, g)
    if not COMPILED:
        return by_fallback(fallback.conv_grad_weight, _reached(x, window), g, window.kernel, *_moves(window))
    if plan.by_planes:
        return depthwise.grad_weight(x, g, window)
    dw = memory.empty(plan.w, x.dtype)
    if plan.sparsely:
        otherwise(sparse.grad_weight(x, g, window, dw), lambda: _from_all_pixels(x, g, window, plan, dw))
    else:
        _from_all_pixels(x, g, window, plan, dw)
    return dw


def _from_all_pixels(x: np.ndarray, g: np.ndarray, window: Window, plan: "GradWeightPlan", dw: np.ndarray) -> None:
    """The gradient for the weights, whatever g is, to dw."""
    if plan.by_tiles:
        otherwise(winograd.grad_weight(x, g, window, dw), lambda: _dot(x, g, plan.lines, dw))
    else:
        _dot(x, g, plan.lines, dw)


def _moves(window: Window) -> tuple[Sizes, Pads, Sizes, int]:
    """The window's arguments of the reference functions."""
    return window.stride, window.padding, window.dilation, window.groups


def _reached(x: np.ndarray, window: Window) -> np.ndarray:
    """The rows and columns of x that a window reaches, for the reference functions, which count the windows that fit.

    Those of a transposed convolution may be fewer: with `output_padding` beyond the stride.
    """
    fitting = Window.fitting("conv2d", window.size, *window[:5])
    less = [(f - n) * s for f, n, s in zip(fitting.output, window.output, window.stride, strict=True)]
    return x[:, :, : x.shape[2] - less[0], : x.shape[3] - less[1]]


def add_up(sums: np.ndarray, dw: np.ndarray) -> None:
    """The sum over the chunks of `grad_weight_kernel`, sums (chunks, K, taps), to dw (K, C/groups, KH, KW)."""
    run(_add_up_kernel, (sums, dw), chunks_for(len(dw), sums.size))


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, bias = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones(1, dtype)
    g = np.ones((2, 1, 2, 2), dtype)
    small, large = (
        Window.fitting("conv2d", size, (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)) for size in ((3, 3), (50, 50))
    )
    yield "forward", lambda: forward(x, w, bias, small)
    images, filters = np.ones((taps.MANY, 1, 3, 3), dtype), np.ones((8, 1, 2, 2), dtype)
    yield "forward of many images", lambda: forward(images, filters, None, small)
    yield "grad_input", lambda: grad_input(g, w, small)
    half = Window.fitting("conv2d", (4, 4), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    yield "grad_input at stride 2", lambda: grad_input(g, w, half)
    wide, filling = np.ones((2, 1, 50, 50), dtype), np.ones((2, 1, 49, 49), dtype)
    yield "grad_weight", lambda: grad_weight(wide, filling, large)
    yield "grad_weight of one image", lambda: grad_weight(x[:1], g[:1], small)


# --------------------------------------------------------------------------------------------------------------- plans
#
# Plans: everything that depends on the shapes alone, checks included; looked up once per call.


class ForwardPlan(NamedTuple):
    """How a convolution is computed."""

    by_planes: bool  # in groups of few channels
    by_tiles: bool  # by Winograd's tiles, unless a result isn't finite
    total: taps.Sum  # the plan of the direct sum, used otherwise


@planned
def forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int) -> ForwardPlan:
    """How to compute the convolution of arrays of these shapes."""
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    return ForwardPlan(
        depthwise.serves(window, shapes),
        winograd.serves(window, shapes),
        taps.forward_sum(window, shapes, itemsize, threads),
    )


class GradInputPlan(NamedTuple):
    """How a gradient for the input is computed: by the first method here that applies."""

    x: Sizes  # the input's shape
    by_planes: bool  # in groups of few channels
    sparsely: bool  # from the nonzero elements of g, if most are zero
    by_tiles: Window | None  # by Winograd's tiles, of this window, unless a result isn't finite
    by_columns: bool
    totals: tuple[tuple[Sizes, taps.Sum], ...]  # by the phases of the stride
    whole: bool  # whether these are all phases, and of one size


@planned
def _grad_input_plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradInputPlan:
    shapes = convolution_shapes("conv2d_grad_input", window, w=w_shape, y=g_shape)
    by_tiles = window.phases()[0].window if window.plain else None
    if by_tiles is not None and not winograd.serves(by_tiles, shapes):
        by_tiles = None
    by_columns = by_tiles is None and col2im.serves(window, w_shape, itemsize)
    totals = taps.grad_input_sums(window, shapes, itemsize, threads)
    by_planes = depthwise.serves(window, shapes)
    divided = not any(n % s for n, s in zip(window.size, window.stride, strict=True))
    whole = divided and len(totals) == prod(window.stride)
    sparsely = sparse.serves(window, shapes, itemsize)
    return GradInputPlan(shapes.x, by_planes, sparsely, by_tiles, by_columns, totals, whole)


class DotPlan(NamedTuple):
    """How lines are laid out so that their dot products are the gradient for the weights."""

    lengths: np.ndarray  # the layout of an image, as the kernel takes it
    offsets: np.ndarray  # of the lines
    images: int  # at a time
    length: int  # of a scratch
    blocks: int  # of so many images, or bands of one
    cuts: int  # parts of the filters, where there are fewer blocks than threads
    work: int  # in multiply-adds


class GradWeightPlan(NamedTuple):
    """How a gradient for weights is computed: by the first method here that applies."""

    w: Sizes  # the weights' shape
    by_planes: bool  # in groups of few channels
    sparsely: bool  # from the nonzero elements of g, if most are zero
    by_tiles: bool  # by Winograd's tiles, unless a result isn't finite
    lines: DotPlan


@planned
def grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradWeightPlan:
    """How to compute the gradient for the weights from arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_weight", window, x=x_shape, y=g_shape)
    by_planes, by_tiles = depthwise.serves(window, shapes), winograd.serves(window, shapes)
    sparsely = sparse.serves(window, shapes, itemsize)
    return GradWeightPlan(shapes.w, by_planes, sparsely, by_tiles, _dot_plan(window, shapes, itemsize, threads))


def check_bias(filters: int, bias: np.ndarray, op: str = "conv2d") -> None:
    """Raise `ShapeError` unless there is one bias per filter."""
    if bias.shape != (filters,):
        raise ShapeError(restate(op, "bias must have one element per filter", expected=f"bias ({filters},)", bias=bias))


# ------------------------------------------------------------------------------------- forward and the input gradient


def _correlate(x: np.ndarray, w: np.ndarray, bias: np.ndarray, total: taps.Sum, y: np.ndarray) -> None:
    """The sum over taps as `total` says, to y (N, K, OH, OW). The arrays are contiguous."""
    chunks, width = chunks_for(total.blocks, total.work), WIDTH // x.itemsize
    scratch = memory.empty((chunks, total.scratch), x.dtype)
    packed = packed_filters(w, bias, total.packed) if total.packed else zeros(0, x.dtype)
    numbers = (total.rest, packed, scratch, total.lengths, total.step, total.group, width)
    run(correlate_kernel, (x, w, bias, y, total.table, *numbers), chunks)


@kernel
def _interleave_kernel(parts, x, index, chunks):
    """x[n, c, u · s + a, v · s + b] = parts[a, b, n, c, u, v], for phases of one size."""
    down, right, _, _, rows, columns = parts.shape
    count, channels, height, width = x.shape
    source, target, apart = parts.reshape(-1), x.reshape(-1), x.size // (down * right)
    for n in range(count * index // chunks, count * (index + 1) // chunks):
        for a in range(down):
            to, at = n * channels * height * width + a * width, a * right * apart + n * channels * rows * columns
            if right == 2:
                merge_rows(
                    target, to, down * width, height * width, source, at, columns, rows * columns, rows, channels,
                    width, apart,
                )  # fmt: skip
                continue
            for line in range(channels * rows):
                begin = to + line // rows * height * width + line % rows * down * width
                for b in range(right):
                    for v in range(columns):
                        target[begin + v * right + b] = source[at + b * apart + line * columns + v]


def packed_filters(w: np.ndarray, bias: np.ndarray, length: int) -> np.ndarray:
    """The filters as `taps.Sum.rest` finds them: (taps, K rounded up to vectors), and bias (K,), in one line."""
    width = WIDTH // w.itemsize
    packed = memory.empty((length,), w.dtype)
    run(_pack_filters_kernel, (w, bias, packed, -(-len(w) // width) * width), 1)
    return packed


@kernel
def _pack_filters_kernel(w, bias, packed, across, index, chunks):
    taps = w.size // len(w)
    # (K, taps) -> (taps, K)
    turn_rows(packed, 0, across, w, 0, taps, len(w), taps)
    for k in range(len(w)):
        packed[taps * across + k] = bias[k]


@inlined
def _correlate_band(image, w, bias, y, n, band, table, layout, step, group_step, pixels, width):
    """So many pixels of a band of y[n]; `width` lanes make a vector."""
    filters, plane = y.shape[1] // layout.groups, layout.output_h * layout.output_w
    for group in range(layout.groups):
        row = group * filters
        first = (n * y.shape[1] + row) * plane + band * layout.band * layout.output_w
        weights, lines = w.ravel()[group * group_step :], image[group * layout.group :]
        products(filters, pixels, weights, step, table, lines, bias[row:], y.ravel()[first:], plane, width)


@inlined
def _correlate_rest(image, y, n, rest, packed, layout, whole, width):
    """The pixels of y[n] from `whole` on, a vector being so many filters; the sums are in the order of the others."""
    filters, plane = y.shape[1], layout.output_h * layout.output_w
    across, target = -(-filters // width) * width, y.ravel()
    zeros, out = image[layout.image + 2 * width :], image[layout.image + 3 * width :]
    products(plane - whole, across, image[whole:], np.intp(1), rest, packed, zeros, out, across, width)
    # (rows, K) -> (K, rows)
    for k in range(filters):
        for q in range(plane - whole):
            target[(n * filters + k) * plane + whole + q] = out[q * across + k]


@kernel
def _correlate_images(x, w, bias, y, table, image, layout, step, group_step, width, index, chunks):
    """The same with images side by side, whose output stands in the scratch first."""
    blocks, filters = -(-len(x) // layout.images), y.shape[1] // layout.groups
    plane, line = layout.output_h * layout.output_w, layout.output_h * layout.columns
    target, out = y.ravel(), layout.image + 2 * width - WIDTH // x.itemsize
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        first = block * layout.images
        images = min(layout.images, len(x) - first)
        pack_images(x, first, images, image, layout)
        for group in range(layout.groups):
            row = group * filters
            weights, lines, results = w.ravel()[group * group_step :], image[group * layout.group :], image[out:]
            products(filters, line, weights, step, table, lines, bias[row:], results, line, width)
            for k in range(filters):
                store_rows(
                    target, (first * y.shape[1] + row + k) * plane, layout.output_w, y.shape[1] * plane, image,
                    out + k * line, layout.columns, layout.output_w, layout.output_h, images, layout.output_w,
                )  # fmt: skip


@kernel
def correlate_kernel(x, w, bias, y, table, rest, packed, scratch, lengths, step, group_step, width, index, chunks):
    """y (N, K, OH, OW) as a `taps.Sum` says; the bands of all images are shared out."""
    layout = unpacked(lengths)
    if layout.images > 1:
        _correlate_images(x, w, bias, y, table, scratch[index], layout, step, group_step, width, index, chunks)
        return
    image, blocks, plane = scratch[index], len(x) * layout.bands, layout.output_h * layout.output_w
    for i in range(width if len(rest) else 0):
        image[layout.image + width + i], image[layout.image + 2 * width + i] = 1, 0
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        n, band = block // layout.bands, block % layout.bands
        pack(x, n, band, image, layout)
        pixels = min(layout.band * layout.output_w, plane - band * layout.band * layout.output_w)
        if len(rest):
            pixels = pixels // width * width
            _correlate_rest(image, y, n, rest, packed, layout, pixels, width)
        _correlate_band(image, w, bias, y, n, band, table, layout, step, group_step, pixels, width)


# ----------------------------------------------------------------------------------------------------- weight gradient


def _dot_plan(window: Window, shapes: Shapes, itemsize: int, threads: int) -> DotPlan:
    count, (filters, channels), groups = shapes.x[0], shapes.w[:2], window.groups
    work = taps.work(window, channels, count, filters)
    threads = threads_for(work, threads)
    # Bands for the threads would make short lines and sums to add up; only where there are few filters.
    few = groups * -(-filters // groups // ROWS) < threads
    layout = taps.banded(window, channels, count, itemsize, threads if few else 1)
    layout = taps.side_by_side(window, channels, count, itemsize, threads, layout, LINE)
    lanes = WIDTH // itemsize
    vectors = -(-layout.band * layout.output_w // lanes)
    fitting = taps.SCRATCH // (layout.image * itemsize) if layout.bands == 1 else 1
    images = layout.images
    if images == 1:
        images = max(1, min(fitting, -(-LINE // vectors), count // threads))
    offsets = taps.offsets(window, channels, layout)
    length, blocks = images // layout.images * layout.image + lanes, -(-count // images) * layout.bands
    if layout.images > 1:  # the gradient stands behind
        length += filters * layout.output_h * layout.columns + lanes
    cuts = 1 if few else -(-threads // max(blocks, 1))
    return DotPlan(np.array(layout), offsets, images, length, blocks, cuts, work)


def _dot(x: np.ndarray, g: np.ndarray, lines: DotPlan, dw: np.ndarray) -> None:
    """The gradient for the weights from the dot products of lines, to dw. The arrays are contiguous."""
    chunks = chunks_for(lines.blocks * lines.cuts, lines.work)
    scratch = memory.empty((chunks, lines.length), x.dtype)
    if lines.blocks > 1:
        sums = memory.empty((chunks, len(dw), lines.offsets.size), FLOAT64)
    else:  # each chunk has filters of its own, and nothing is added up
        sums = dw.reshape(1, len(dw), lines.offsets.size)
    pointwise.clear(sums)
    dots = dot_lines(x.dtype, sums.dtype)
    arguments = (x, g, sums, lines.offsets, scratch, lines.lengths, lines.images, lines.cuts, dots)
    run(grad_weight_kernel, arguments, chunks)
    if lines.blocks > 1:
        add_up(sums, dw)


@cache
def dot_lines(dtype: np.dtype, precision: np.dtype) -> int:
    """The address of what `grad_weight_kernel` takes dot products with, to add them up in such a precision."""
    images, sums = np.empty((0,) * 4, dtype), np.empty((0, 0), precision)
    line, whole = np.empty(0, dtype), np.empty(0, np.int64)
    return address_of(_dot_lines_kernel, (sums, images, 0, 0, 0, line, whole, whole))


@kernel
def _dot_lines_kernel(sums, g, first, images, band, image, offsets, lengths, index, chunks):
    """sums (K, taps) += g (N, K, OH, OW) · lines, for a band of so many images from the first on, and a part of K."""
    layout, tile = unpacked(lengths), np.empty(DOTS, g.dtype)
    filters, plane = g.shape[1] // layout.groups, layout.output_h * layout.output_w
    begin, blocks = band * layout.band * layout.output_w, -(-filters // ROWS)
    pixels = min(begin + layout.band * layout.output_w, plane) - begin
    for unit in range(layout.groups * blocks * index // chunks, layout.groups * blocks * (index + 1) // chunks):
        group, block = unit // blocks, unit % blocks
        k, k_end = part_begin(filters, ROWS, block), part_begin(filters, ROWS, block + 1)
        row = group * filters + k
        for part in range(-(-offsets.size // COLUMNS)):
            t, t_end = part_begin(offsets.size, COLUMNS, part), part_begin(offsets.size, COLUMNS, part + 1)
            dot_tile(
                k_end - k, t_end - t, g, (first * g.shape[1] + row) * plane + begin, plane, g.shape[1] * plane,
                image, group * layout.group, offsets, t, layout.image, images, pixels, tile, 0,
            )  # fmt: skip
            for m in range(k_end - k):
                for n in range(t_end - t):
                    sums[row + m, t + n] += tile[m * (t_end - t) + n]


@kernel
def _dot_images(x, g, sums, offsets, image, lengths, layout, cuts, dots, index, chunks):
    """The same with images side by side, and their gradients too."""
    filters, plane, columns = g.shape[1], layout.output_h * layout.output_w, layout.columns
    lanes, line = WIDTH // x.itemsize, layout.output_h * columns
    begin = layout.image + lanes
    end = begin + filters * line
    upstream, wide = image[begin:end].reshape(1, filters, layout.output_h, columns), lengths.copy()
    wide[OUTPUT_W] = columns
    units = -(-len(x) // layout.images) * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        first, cut = unit // cuts * layout.images, unit % cuts
        images = min(layout.images, len(x) - first)
        if images < layout.images:  # nothing of other images may stand in what counts for nothing
            clear(image, 0, end)
        pack_images(x, first, images, image, layout)
        for k in range(filters):
            pack_rows(
                image, begin + k * line, columns, layout.output_w, g.reshape(-1), (first * filters + k) * plane,
                layout.output_w, filters * plane, layout.output_h, images, layout.output_w,
            )  # fmt: skip
        call(dots, (sums, upstream, 0, 1, 0, image, offsets, wide), cut, cuts)


@kernel
def grad_weight_kernel(x, g, sums, offsets, scratch, lengths, images, cuts, dots, index, chunks):
    """sums[index] (K, taps), or sums[0] where there is one for all, += the products with so many `images` at a time.

    The bands of images are shared out, and `cuts` of the filters.
    """
    layout, image = unpacked(lengths), scratch[index]
    if layout.images > 1:
        _dot_images(x, g, sums[index % len(sums)], offsets, image, lengths, layout, cuts, dots, index, chunks)
        return
    units = -(-len(x) // images) * layout.bands * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        block, cut = unit // cuts, unit % cuts
        first, band = block // layout.bands * images, block % layout.bands
        count = min(images, len(x) - first)
        for i in range(count):
            pack(x, first + i, band, image[i * layout.image :], layout)
        call(dots, (sums[index % len(sums)], g, first, count, band, image, offsets, lengths), cut, cuts)


@kernel
def _add_up_kernel(sums, dw, index, chunks):
    """sums (chunks before, K, taps), chunk after chunk -> dw (K, C/groups, KH, KW)."""
    _, filters, taps = sums.shape
    target = dw.ravel()
    for row in range(filters * index // chunks, filters * (index + 1) // chunks):
        total = sums[0, row]
        for i in range(1, len(sums)):
            others = sums[i, row]
            for t in range(taps):
                total[t] += others[t]
        for t in range(taps):
            target[row * taps + t] = total[t]
