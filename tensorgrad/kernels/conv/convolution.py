"""Convolution in two dimensions: forward, the gradient for the input, the gradient for the weights.

The three are a closed trio: each is linear in each of its two arrays, and its derivatives are the other two.

How the kernels see it: an image is spread out in a scratch, where the pixels that one tap of the kernel meets stand in
a line, in the order of the output's pixels q (`windows` says how). Then

    y[k, q] = bias[k] + Σ_tap w[k, tap] · image[offset[tap] + q]

so one table serves every kernel size, and y and its gradient are written and read where they lie. The gradient for the
input is that same sum once more, over the gradient, for each phase of the stride; the gradient for the weights takes
the dot products of lines. Both run in tiles of vectors (`simd`). Filters of 3×3 between many channels, the bulk of most
networks, go another way (`winograd`), and so do input gradients of windows without padding (`columns`).
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import reference
from tensorgrad.kernels.conv import col2im, sparse, taps, winograd
from tensorgrad.kernels.conv.im2row import spread, unpacked
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import (  # fmt: skip
    COMPILED,
    address_of,
    by_reference,
    call,
    chunks_for,
    floats,
    get_num_threads,
    inlined,
    kernel,
    run,
    threads_for,
    zeros,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, WIDTH
from tensorgrad.kernels.simd.gemm import products
from tensorgrad.kernels.simd.tiles import DOTS, dot_tile, part_begin, turn_rows
from tensorgrad.windows import Pads, Sizes, as_tuple, conv_output_size

NO_PADDING = ((0, 0), (0, 0))
FLOAT64 = np.dtype(np.float64)

# Vectors that the dot products of a weight gradient have at least, where there are so many images: each ends with a
# sum over lanes that takes as long as some of them.
LINE = 128


def forward(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """A sliding dot product, not flipped, over x with zeros around it.

        y[n, k, p, q] = bias[k] + Σ_{c,i,j} w[k, c, i, j] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, w `(K, C/groups, KH, KW)`, bias `(K,)` or None -> `(N, K, OH, OW)`, all float32 or all float64;
    s is the stride, d the dilation, padding is `((top, bottom), (left, right))`; c runs over the channels of k's group.
    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> forward(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]))
    array([[[[4.5, 4.5],
             [4.5, 4.5]]]])
    """
    motion = (stride, padding, dilation, groups)
    output, by_tiles, total = forward_plan(x.shape, w.shape, motion, x.itemsize, get_num_threads())
    x, w, bias = checked(x, w, bias)
    if not COMPILED:
        return by_reference(reference.conv_forward, x, w, bias, *motion)
    if by_tiles:
        y = winograd.forward(x, w, bias, output, taps.before(padding))
        if y is not None:
            return y
    return _correlate(x, w, bias, total)


def grad_input(
    g: np.ndarray,
    w: np.ndarray,
    input_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """The adjoint of `forward` in x: each g goes back to the pixels of its window. Also called transposed convolution.

    g `(N, K, OH, OW)`, w `(K, C/groups, KH, KW)`, input size `(H, W)` -> `(N, C, H, W)`, zero where no window reaches.
    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> grad_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), input_size=(3, 3))
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    motion = (tuple(input_size), stride, padding, dilation, groups)
    x_shape, sparsely, way, totals = _grad_input_plan(g.shape, w.shape, motion, g.itemsize, get_num_threads())
    g, w = floats("conv2d_grad_input", "g w", g, w)
    if not COMPILED:
        return by_reference(reference.conv_grad_input, g, w, *motion)
    if not pointwise.is_finite(w):
        # The zeros around g times an infinite weight would be NaN.
        with np.errstate(invalid="ignore", over="ignore"):
            return reference.conv_grad_input(g, w, input_size, stride, padding, dilation, groups)
    if sparsely:
        x = sparse.grad_input(g, w, tuple(input_size), taps.before(padding))
        if x is not None:
            return x
    if way == "columns":
        return col2im.grad_input(g, w, input_size, taps.before(padding), dilation)
    bias = zeros(x_shape[1], g.dtype)
    if way == "winograd":
        x = winograd.grad_input(g, w, bias, input_size, taps.before(padding))
        if x is not None:
            return x
    if stride == (1, 1):
        return _correlate(g, w, bias, totals[0][1])
    x = memory.empty(x_shape, g.dtype)
    x.fill(0)  # where no window reaches
    for (a, b), total in totals:
        x[:, :, a :: stride[0], b :: stride[1]] = _correlate(g, w, bias, total)
    return x


def grad_weight(
    x: np.ndarray,
    g: np.ndarray,
    kernel_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """The adjoint of `forward` in w: each weight's g times the pixels that it met.

        dw[k, c, i, j] = Σ_{n,p,q} g[n, k, p, q] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, g `(N, K, OH, OW)`, kernel size `(KH, KW)` -> `(K, C/groups, KH, KW)`; the images are summed in
    an order that depends on nothing but their number and the number of threads.
    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> grad_weight(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), kernel_size=(2, 2))
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    motion = (tuple(kernel_size), stride, padding, dilation, groups)
    plan = grad_weight_plan(x.shape, g.shape, motion, x.itemsize, get_num_threads())
    w_shape, sparsely, by_tiles, (lengths, offsets, images, length, blocks, cuts, work) = plan
    x, g = floats("conv2d_grad_weight", "x g", x, g)
    if not COMPILED:
        return by_reference(reference.conv_grad_weight, x, g, *motion)
    if sparsely:
        dw = sparse.grad_weight(x, g, tuple(kernel_size), taps.before(padding))
        if dw is not None:
            return dw
    if by_tiles:
        dw = winograd.grad_weight(x, g, taps.before(padding))
        if dw is not None:
            return dw
    chunks = chunks_for(blocks * cuts, work)
    scratch = memory.empty((chunks, length), x.dtype)
    if blocks > 1:
        sums = memory.empty((chunks, w_shape[0], offsets.size), FLOAT64)
    else:  # each piece has filters of its own, and nothing is added up
        dw = memory.empty(w_shape, x.dtype)
        sums = dw.reshape(1, w_shape[0], offsets.size)
    pointwise.clear(sums)
    arguments = (x, g, sums, offsets, scratch, lengths, images, cuts, dot_lines(x.dtype, sums.dtype))
    run(grad_weight_kernel, arguments, chunks)
    return added_up(sums, w_shape, x.dtype) if blocks > 1 else dw


def added_up(sums: np.ndarray, shape: Sizes, dtype: np.dtype) -> np.ndarray:
    """What the pieces of `grad_weight_piece` found: sums (pieces, K, taps) -> dw (K, C/groups, KH, KW)."""
    dw = memory.empty(shape, dtype)
    run(_add_up_kernel, (sums, dw), chunks_for(shape[0], sums.size))
    return dw


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, bias = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones(1, dtype)
    g = np.ones((2, 1, 2, 2), dtype)
    yield "forward", lambda: forward(x, w, bias)
    images, filters = np.ones((taps.MANY, 1, 3, 3), dtype), np.ones((8, 1, 2, 2), dtype)
    yield "forward of many images", lambda: forward(images, filters)
    yield "grad_input", lambda: grad_input(g, w, (3, 3))
    large, filling = np.ones((2, 1, 50, 50), dtype), np.ones((2, 1, 49, 49), dtype)
    yield "grad_weight", lambda: grad_weight(large, filling, (2, 2))
    yield "grad_weight of one image", lambda: grad_weight(x[:1], g[:1], (2, 2))


# -------------------------------------------------------------------------------------------------------------- checks


def _output_size(
    op: str, x_shape: Sizes, w_shape: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, groups: int
) -> Sizes:
    """Check a convolution by its shapes alone. `(OH, OW)`."""
    shapes = {"x": x_shape, "w": w_shape, "groups": groups}
    expected = "x (N, C, H, W), w (K, C/groups, KH, KW), C and K multiples of groups, nothing empty but the batch"
    if len(x_shape) != 4 or len(w_shape) != 4:
        raise ShapeError(restate(op, "the wrong number of dimensions", expected=expected, **shapes))
    for name, value, rank in (("groups", groups, 1), ("stride", stride, 2), ("dilation", dilation, 2)):
        as_tuple(value, rank, op=op, name=name, minimum=1)
    if x_shape[1] % groups or w_shape[0] % groups:
        raise ShapeError(restate(op, "groups doesn't divide the channels", expected=expected, **shapes))
    if x_shape[1] != w_shape[1] * groups:
        problem = f"x has {x_shape[1]} channels, w takes {w_shape[1]} · groups = {w_shape[1] * groups}"
        raise ShapeError(restate(op, problem, expected=expected, **shapes))
    if min(x_shape[1:]) < 1 or min(w_shape) < 1:
        raise ShapeError(restate(op, "a dimension is empty", expected=expected, **shapes))
    return conv_output_size(x_shape[2:], w_shape[2:], stride, padding, dilation, op=op)


def checked(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arrays as kernels take them, their shapes but for the bias having been looked at."""
    bias = zeros(w.shape[0], x.dtype) if bias is None else bias
    if bias.shape != w.shape[:1]:
        raise ShapeError(restate("conv2d", "bias doesn't match w", expected=f"bias ({w.shape[0]},)", w=w, bias=bias))
    return floats("conv2d", "x w bias", x, w, bias)


def _check_gradient(op: str, g_shape: Sizes, shape: Sizes, **arguments: object) -> None:
    if g_shape != shape:
        raise ShapeError(restate(op, "g isn't shaped like the output", expected=f"g {shape}", g=g_shape, **arguments))


# --------------------------------------------------------------------------------------------------------------- plans
#
# All that follows from the shapes, the checks included: looked up once per call.


@planned
def forward_plan(
    x_shape: Sizes, w_shape: Sizes, motion: tuple, itemsize: int, threads: int
) -> tuple[Sizes, bool, taps.Sum]:
    """The output's size, whether it is made by Winograd's tiles, and the sum that it is otherwise."""
    stride, padding, dilation, groups = motion
    output = _output_size("conv2d", x_shape, w_shape, *motion)
    window = taps.Window(w_shape[1:], groups, output, stride, dilation, taps.before(padding))
    by_tiles = winograd.serves(x_shape, w_shape, output, stride, dilation, groups)
    return output, by_tiles, taps.forward_sum(x_shape[0], w_shape[0], window, itemsize, threads)


@planned
def _grad_input_plan(
    g_shape: Sizes, w_shape: Sizes, motion: tuple, itemsize: int, threads: int
) -> tuple[Sizes, bool, str, tuple]:
    """The input's shape, whether a sparse g has a way of its own, the way otherwise, and the sums that it is."""
    op, (input_size, stride, padding, dilation, groups) = "conv2d_grad_input", motion
    x_shape = (*g_shape[:1], (w_shape[1] if len(w_shape) == 4 else 0) * groups, *input_size)
    output = _output_size(op, x_shape, w_shape, stride, padding, dilation, groups)
    _check_gradient(op, g_shape, (g_shape[0], w_shape[0], *output), w=w_shape, input_size=input_size)
    way = "sums"
    if winograd.serves(g_shape, w_shape, input_size, stride, dilation, groups):
        way = "winograd"
    elif col2im.serves(g_shape, w_shape, input_size, stride, groups, itemsize):
        way = "columns"
    sparsely = sparse.serves(x_shape, w_shape, output, (stride, padding, dilation, groups), itemsize)
    return x_shape, sparsely, way, taps.grad_input_sums(g_shape, w_shape, *motion, itemsize, threads)


@planned
def grad_weight_plan(
    x_shape: Sizes, g_shape: Sizes, motion: tuple, itemsize: int, threads: int
) -> tuple[Sizes, bool, bool, tuple[np.ndarray, np.ndarray, int, int, int, int, int]]:
    """The weights' shape; whether a sparse g has a way of its own; whether their gradient is otherwise made by
    Winograd's tiles, and how lines are laid out if not.
    """
    op, (kernel_size, stride, padding, dilation, groups) = "conv2d_grad_weight", motion
    filters, channels = (shape[1] if len(shape) == 4 else 0 for shape in (g_shape, x_shape))
    w_shape = (filters, channels // max(groups, 1), *kernel_size)
    output = _output_size(op, x_shape, w_shape, stride, padding, dilation, groups)
    _check_gradient(op, g_shape, (x_shape[0], filters, *output), x=x_shape, kernel_size=kernel_size)
    window = taps.Window(w_shape[1:], groups, output, stride, dilation, taps.before(padding))
    by_tiles = winograd.serves(x_shape, w_shape, output, stride, dilation, groups)
    sparsely = sparse.serves(x_shape, w_shape, output, (stride, padding, dilation, groups), itemsize)
    return w_shape, sparsely, by_tiles, _dot_plan(window, x_shape[0], filters, itemsize, threads)


# ------------------------------------------------------------------------------------- forward and the input gradient


def _correlate(x: np.ndarray, w: np.ndarray, bias: np.ndarray, total: taps.Sum) -> np.ndarray:
    """y (N, K, OH, OW) as `total` says. The arrays are `ready`."""
    y, width = memory.empty(total.shape, x.dtype), WIDTH // x.itemsize
    chunks = chunks_for(total.blocks, total.work)
    scratch = memory.empty((chunks, total.scratch), x.dtype)
    turned = turned_filters(w, bias, total.turned) if total.turned else zeros(0, x.dtype)
    numbers = (total.rest, turned, scratch, total.lengths, total.step, total.group, width)
    run(correlate_kernel, (x, w, bias, y, total.table, *numbers), chunks)
    return y


def turned_filters(w: np.ndarray, bias: np.ndarray, length: int) -> np.ndarray:
    """The filters as `windows.Sum.rest` finds them: (taps, K rounded up to vectors), and bias (K,), in one line."""
    width = WIDTH // w.itemsize
    turned = memory.empty((length,), w.dtype)
    run(_turn_filters_kernel, (w, bias, turned, -(-len(w) // width) * width), 1)
    return turned


@kernel
def _turn_filters_kernel(w, bias, turned, across, index, chunks):
    taps = w.size // len(w)
    # (K, taps) -> (taps, K)
    turn_rows(turned, 0, across, w, 0, taps, len(w), taps)
    for k in range(len(w)):
        turned[taps * across + k] = bias[k]


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
def _correlate_rest(image, y, n, rest, turned, layout, whole, width):
    """The pixels of y[n] from `whole` on, a vector being so many filters; the sums are in the order of the others."""
    filters, plane = y.shape[1], layout.output_h * layout.output_w
    across, target = -(-filters // width) * width, y.ravel()
    zeros, out = image[layout.image + 2 * width :], image[layout.image + 3 * width :]
    products(plane - whole, across, image[whole:], np.intp(1), rest, turned, zeros, out, across, width)
    # (rows, K) -> (K, rows)
    for k in range(filters):
        for q in range(plane - whole):
            target[(n * filters + k) * plane + whole + q] = out[q * across + k]


@kernel
def correlate_kernel(x, w, bias, y, table, rest, turned, scratch, lengths, step, group_step, width, index, chunks):
    """y (N, K, OH, OW) as a sum of `windows` says; the bands of all images are shared out."""
    layout = unpacked(lengths)
    image, blocks, plane = scratch[index], len(x) * layout.bands, layout.output_h * layout.output_w
    for i in range(width if len(rest) else 0):
        image[layout.image + width + i], image[layout.image + 2 * width + i] = 1, 0
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        n, band = block // layout.bands, block % layout.bands
        spread(x, n, band, image, layout)
        pixels = min(layout.band * layout.output_w, plane - band * layout.band * layout.output_w)
        if len(rest):
            pixels = pixels // width * width
            _correlate_rest(image, y, n, rest, turned, layout, pixels, width)
        _correlate_band(image, w, bias, y, n, band, table, layout, step, group_step, pixels, width)


# ----------------------------------------------------------------------------------------------------- weight gradient


def _dot_plan(
    window: taps.Window, count: int, filters: int, itemsize: int, threads: int
) -> tuple[np.ndarray, np.ndarray, int, int, int, int, int]:
    """The layout of an image, as the kernel takes it; the offsets of its lines; images at a time; the length of a
    scratch; blocks of so many images, or bands of one, in all; into how many shares their filters are cut, where there
    are fewer blocks than threads; multiply-adds.
    """
    work = taps.work(window, count, filters)
    threads = threads_for(work, threads)
    # Bands for the threads would make short lines and sums to add up; only where there are few filters.
    few = window.groups * -(-filters // window.groups // ROWS) < threads
    layout = taps.banded(window, count, itemsize, threads if few else 1)
    vectors = -(-layout.band * layout.output_w // (WIDTH // itemsize))
    fitting = taps.SCRATCH // (layout.image * itemsize) if layout.bands == 1 else 1
    images = max(1, min(fitting, -(-LINE // vectors), count // threads))
    offsets = taps.offsets(window, layout)
    length, blocks = images * layout.image + WIDTH // itemsize, -(-count // images) * layout.bands
    cuts = 1 if few else -(-threads // max(blocks, 1))
    return np.array(layout), offsets, images, length, blocks, cuts, work


@cache
def dot_lines(dtype: np.dtype, precision: np.dtype) -> int:
    """What `grad_weight_piece` takes dot products with, to add them up in such a precision."""
    images, sums = np.empty((0,) * 4, dtype), np.empty((0, 0), precision)
    line, whole = np.empty(0, dtype), np.empty(0, np.int64)
    return address_of(_dot_lines_kernel, (sums, images, 0, 0, 0, line, whole, whole))


@kernel
def _dot_lines_kernel(sums, g, first, images, band, image, offsets, lengths, index, chunks):
    """sums (K, taps) += g (N, K, OH, OW) · lines, for a band of so many images from the first on, and a share of K."""
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
def grad_weight_kernel(x, g, sums, offsets, scratch, lengths, images, cuts, dots, index, chunks):
    """sums[index] (K, taps), or sums[0] where there is one for all, += the products with so many `images` at a time.

    The bands of images are shared out, and `cuts` of the filters.
    """
    layout, image = unpacked(lengths), scratch[index]
    units = -(-len(x) // images) * layout.bands * cuts
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        block, cut = unit // cuts, unit % cuts
        first, band = block // layout.bands * images, block % layout.bands
        count = min(images, len(x) - first)
        for i in range(count):
            spread(x, first + i, band, image[i * layout.image :], layout)
        call(dots, (sums[index % len(sums)], g, first, count, band, image, offsets, lengths), cut, cuts)


@kernel
def _add_up_kernel(sums, dw, index, chunks):
    """sums (pieces before, K, taps), piece after piece -> dw (K, C/groups, KH, KW)."""
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
