"""Convolution in two dimensions: forward, the gradient for the input, the gradient for the weights.

The three are a closed trio: each is linear in each of its two arrays, and its derivatives are the other two.

How the kernels see it: an image lies padded in a scratch, its pixels sorted by phase, the position modulo the stride
(stride 1 has one phase). There all taps of a window stand at fixed distances, whatever the stride and the dilation.
With q counting the output pixels along the rows of the scratch,

    y[k, q] = Σ_tap w[k, tap] · image[offset[tap] + q]

so one table of tap offsets serves every kernel size. Input gradients are added along the same table, weight gradients
are dot products along it. Rows of the scratch are longer than rows of y: what falls between them, the gaps, is thrown
away in y and holds zeros in its gradient.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import prange

from tensorgrad import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.geometry import Pads, Sizes, as_tuple, conv_output_size
from tensorgrad.kernels.runtime import check_float, driver, piece, pieces_for, ready, run
from tensorgrad.kernels.simd import MANY, MIDDLE, SOME, VECTOR_BYTES, WIDE, dot_tile, sum_tile

NO_PADDING = ((0, 0), (0, 0))

# Output pixels worked on at a time: four channels of them fit into the first-level cache beside the image.
TILE = 960
# Distance of the channels in a tile. Not a multiple of 4 KiB, which would put them all into one set of the cache.
ROW = TILE + 128
# Lengths are rounded up to whole vectors, of float32 and so of float64 too.
LANES = VECTOR_BYTES // 4
# From so many channels on, an input gradient is quicker as a convolution of g with the turned filters than tap by tap.
TURNED = 16
# Bytes of images and gradients that a weight gradient works on at a time: they should stay in the second-level cache.
BLOCK = 512 * 1024


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
    frame = _frame("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    bias = np.zeros(w.shape[0], x.dtype) if bias is None else bias
    if bias.shape != w.shape[:1]:
        raise ShapeError(restate("conv2d", "bias doesn't match w", expected=f"bias ({w.shape[0]},)", w=w, bias=bias))
    dtype = check_float("conv2d", x=x, w=w, bias=bias)
    y = memory.empty((x.shape[0], w.shape[0], *frame.output), dtype)
    pieces = pieces_for(x.shape[0], y.size * frame.offsets.size)
    scratch = memory.empty((pieces, frame.image), dtype)
    # (K, C/groups, KH, KW) -> (K, taps)
    weights = ready(w).reshape(w.shape[0], -1)
    arrays = (ready(x), weights, ready(bias), y, frame.offsets, scratch)
    run(_forward_piece, _forward_driver, (*arrays, frame.layout, groups), pieces)
    return y


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
    op = "conv2d_grad_input"
    x_shape = (*g.shape[:1], (w.shape[1] if w.ndim == 4 else 0) * groups, *input_size)
    frame = _frame(op, x_shape, w.shape, stride, padding, dilation, groups)
    _check_gradient(op, g, (len(g), w.shape[0], *frame.output), w=w, input_size=input_size)
    dtype = check_float(op, g=g, w=w)
    # Zeros around and between the gradients, times an infinite weight, would be NaN: they are stepped over then.
    dense = bool(np.isfinite(w).all())
    if dense and stride == (1, 1) and w.shape[1] >= TURNED and (around := _padding_around(padding, dilation, w.shape)):
        return forward(g, _turned(w, groups), None, stride, around, dilation, groups)
    x = memory.empty(x_shape, dtype)
    pieces = pieces_for(len(g), g.size * frame.offsets.size)
    scratch = memory.empty((pieces, frame.image + w.shape[0] * frame.layout.gradient + LANES), dtype)
    # (K, C/groups, KH, KW) -> (groups, K/groups, C/groups, KH · KW) -> (groups, KH · KW, C/groups, K/groups)
    weights = w.reshape(groups, w.shape[0] // groups, w.shape[1], -1).transpose(0, 3, 2, 1)
    # -> (groups · KH · KW · C/groups, K/groups)
    weights = ready(weights.reshape(-1, w.shape[0] // groups))
    arrays = (ready(g), weights, x, frame.offsets, frame.filters, scratch)
    run(_grad_input_piece, _grad_input_driver, (*arrays, frame.layout, groups, dense), pieces)
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
    float64, in an order that depends on nothing but their number and the number of threads.
    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> grad_weight(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), kernel_size=(2, 2))
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    op = "conv2d_grad_weight"
    filters, channels = (array.shape[1] if array.ndim == 4 else 0 for array in (g, x))
    w_shape = (filters, channels // max(groups, 1), *kernel_size)
    frame = _frame(op, x.shape, w_shape, stride, padding, dilation, groups)
    _check_gradient(op, g, (len(x), filters, *frame.output), x=x, kernel_size=kernel_size)
    dtype = check_float(op, x=x, g=g)
    pieces = pieces_for(len(x), g.size * frame.offsets.size)
    length = frame.image + filters * frame.layout.gradient
    block = max(1, min(BLOCK // (length * dtype.itemsize), -(-len(x) // pieces)))
    scratch = memory.empty((pieces, block * length), dtype)
    sums = memory.empty((pieces, filters, frame.offsets.size), np.float64)
    arrays = (ready(x), ready(g), sums, frame.offsets, scratch)
    run(_grad_weight_piece, _grad_weight_driver, (*arrays, frame.layout, groups, frame.image), pieces)
    # (pieces, K, taps) -> (K, C/groups, KH, KW)
    return sums.sum(axis=0).astype(dtype).reshape(w_shape)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, bias = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones(1, dtype)
    g = np.ones((2, 1, 2, 2), dtype)
    yield "forward", lambda: forward(x, w, bias)
    yield "grad_input", lambda: grad_input(g, w, (3, 3))
    yield "grad_weight", lambda: grad_weight(x, g, (2, 2))


# --------------------------------------------------------------------------------------------------- shapes and layout


class _Layout(NamedTuple):
    """How an image and a gradient lie in their scratch: image (C, phases, rows, columns), gradient (K, OH, columns)."""

    phases_h: int
    phases_w: int
    rows: int
    columns: int
    stride_h: int
    stride_w: int
    top: int
    left: int
    group: int  # the length of one group's channels of the image
    gradient: int  # the length of one channel of the gradient: OH · columns, in whole vectors
    taps: int  # KH · KW


class _Frame(NamedTuple):
    """What follows from the shapes of a convolution. Offsets are those of the first group; lengths count elements."""

    output: Sizes  # (OH, OW)
    offsets: np.ndarray  # (C/groups · KH · KW,): where each tap of the first window stands
    filters: np.ndarray  # (K/groups,): where each channel of the gradient begins
    image: int  # the length of an image, and of what its last taps read beyond it
    layout: _Layout


@lru_cache(maxsize=1024)
def _frame(
    op: str, x_shape: Sizes, w_shape: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, groups: int
) -> _Frame:
    """Check a convolution by its shapes alone, and lay out its scratch."""
    _check_shapes(op, x_shape, w_shape, stride, dilation, groups)
    (sh, sw), (dh, dw), (kh, kw) = stride, dilation, w_shape[2:]
    oh, ow = conv_output_size(x_shape[2:], w_shape[2:], stride, padding, dilation, op=op)
    # A kernel narrower than the stride doesn't meet all phases.
    phases_h, phases_w = min(sh, dh * (kh - 1) + 1), min(sw, dw * (kw - 1) + 1)
    rows, columns = oh + dh * (kh - 1) // sh, ow + dw * (kw - 1) // sw
    plane = phases_h * phases_w * rows * columns
    gradient = -(-oh * columns // LANES) * LANES
    # (C/groups, 1, 1) + (KH, 1) + (KW,) -> (C/groups, KH, KW) -> (taps,)
    c, h, w = np.arange(w_shape[1])[:, None, None], dh * np.arange(kh)[:, None], dw * np.arange(kw)
    phase = (h % sh) * phases_w + w % sw
    offsets = (c * plane + (phase * rows + h // sh) * columns + w // sw).ravel()
    (top, _), (left, _) = padding
    return _Frame(
        output=(oh, ow),
        offsets=offsets,
        filters=np.arange(w_shape[0] // groups) * gradient,
        image=x_shape[1] * plane + (columns - ow) + LANES,
        layout=_Layout(phases_h, phases_w, rows, columns, sh, sw, top, left, w_shape[1] * plane, gradient, kh * kw),
    )


def _check_shapes(op: str, x_shape: Sizes, w_shape: Sizes, stride: Sizes, dilation: Sizes, groups: int) -> None:
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


def _padding_around(padding: Pads, dilation: Sizes, w_shape: Sizes) -> Pads | None:
    """How to pad g so that its convolution with the turned filters is the input gradient; None where it must be cut."""
    reach = [d * (k - 1) for d, k in zip(dilation, w_shape[2:], strict=True)]
    pads = tuple((r - before, r - after) for r, (before, after) in zip(reach, padding, strict=True))
    return pads if min(min(pair) for pair in pads) >= 0 else None


def _turned(w: np.ndarray, groups: int) -> np.ndarray:
    """Filters turned by half a circle, their channels exchanged: (K, C/groups, KH, KW) -> (C, K/groups, KH, KW)."""
    # -> (groups, K/groups, C/groups, KH, KW) -> (groups, C/groups, K/groups, KH, KW)
    grouped = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    return grouped[..., ::-1, ::-1].reshape(-1, w.shape[0] // groups, *w.shape[2:])


def _check_gradient(op: str, g: np.ndarray, shape: Sizes, **arguments: object) -> None:
    if g.shape != shape:
        raise ShapeError(restate(op, "g isn't shaped like the output", expected=f"g {shape}", g=g, **arguments))


# ------------------------------------------------------------------------------------------- images and their scratch


@piece
def _copy(target, target_step, source, source_step, count):
    # An assignment of slices compiles into general code for overlap and broadcasting, which takes ten times longer.
    if target_step == 1 and source_step == 1:
        for i in range(count):
            target[i] = source[i]
    else:
        for i in range(count):
            target[i * target_step] = source[i * source_step]


@piece
def _add(target, source, count):
    for i in range(count):
        target[i] += source[i]


@piece
def _clear(values):
    for i in range(values.size):
        values[i] = 0


@piece
def _all_finite(values):
    finite = True
    for i in range(values.size):
        finite &= np.isfinite(values[i])
    return finite


@piece
def _span(phase, stride, before, size, count):
    """The positions r below `count` whose pixel r · stride + phase − before lies inside the image, as (first, last)."""
    first = max(0, -((phase - before) // stride))
    last = min(count, -((phase - before - size) // stride))
    return first, max(first, last)


@piece
def _pack(x, image, layout, unpack):
    """Copy x (C, H, W) -> image, whose padding stays as it is: zero from the start. With `unpack` back, image -> x."""
    start = 0
    for c in range(x.shape[0]):
        for phase in range(layout.phases_h * layout.phases_w):
            a, b = phase // layout.phases_w, phase % layout.phases_w
            top, bottom = _span(a, layout.stride_h, layout.top, x.shape[1], layout.rows)
            left, right = _span(b, layout.stride_w, layout.left, x.shape[2], layout.columns)
            for r in range(top, bottom):
                inside = x[c, r * layout.stride_h + a - layout.top, left * layout.stride_w + b - layout.left :]
                packed = image[start + r * layout.columns + left :]
                if unpack:
                    _copy(inside, layout.stride_w, packed, 1, right - left)
                else:
                    _copy(packed, 1, inside, layout.stride_w, right - left)
            start += layout.rows * layout.columns


@piece
def _pack_gradient(g, packed, layout):
    """Copy g (K, OH, OW) -> packed (K, OH, columns), whose gaps stay as they are: zero from the start."""
    for k in range(g.shape[0]):
        for r in range(g.shape[1]):
            _copy(packed[k * layout.gradient + r * layout.columns :], 1, g[k, r], 1, g.shape[2])


@piece
def _segments(dense, g, layout):
    """How to walk along a channel of packed g (K, OH, OW): `(count, step, length)`, each segment again cut into tiles.

    All at once, gaps and all; or, where the zeros in the gaps would meet something infinite, row by row without them.
    """
    if dense:
        return 1, 0, layout.gradient
    return g.shape[1], layout.columns, g.shape[2]


# ------------------------------------------------------------------------------------------------------------- forward


_SUMS_4_WIDE, _SUMS_4_MIDDLE, _SUMS_4 = sum_tile(4, WIDE), sum_tile(4, MIDDLE), sum_tile(4, 1)
_SUMS_2_WIDE, _SUMS_2 = sum_tile(2, WIDE), sum_tile(2, 1)
_SUMS_1_WIDE, _SUMS_1 = sum_tile(1, WIDE), sum_tile(1, 1)


@piece
def _rows(left):
    """How many channels to work on at a time, where so many are left: tiles have 4 rows, 2 or 1."""
    return 4 if left >= 4 else 2 if left >= 2 else 1


@piece
def _sum_taps(sums, rows, length, image, base, offsets, w, k):
    """sums[i, q] = Σ_t w[k + i, t] · image[base + offsets[t] + q] for `rows` channels i; q runs over whole vectors."""
    lanes, q = VECTOR_BYTES // image.itemsize, 0
    if rows == 4:
        while q + WIDE * lanes <= length:
            _SUMS_4_WIDE(sums, q, ROW, image, base + q, offsets, w, k)
            q += WIDE * lanes
        while q + MIDDLE * lanes <= length:
            _SUMS_4_MIDDLE(sums, q, ROW, image, base + q, offsets, w, k)
            q += MIDDLE * lanes
        while q < length:
            _SUMS_4(sums, q, ROW, image, base + q, offsets, w, k)
            q += lanes
    elif rows == 2:
        while q + WIDE * lanes <= length:
            _SUMS_2_WIDE(sums, q, ROW, image, base + q, offsets, w, k)
            q += WIDE * lanes
        while q < length:
            _SUMS_2(sums, q, ROW, image, base + q, offsets, w, k)
            q += lanes
    else:
        while q + WIDE * lanes <= length:
            _SUMS_1_WIDE(sums, q, ROW, image, base + q, offsets, w, k)
            q += WIDE * lanes
        while q < length:
            _SUMS_1(sums, q, ROW, image, base + q, offsets, w, k)
            q += lanes


@piece
def _store_rows(y, sums, top, bottom, left, right, columns, bias):
    """Rows of sums, `columns` apart -> y (OH, OW) in the tile, with the bias."""
    for p in range(top, bottom):
        target, source = y[p, left:right], sums[(p - top) * columns :]
        for q in range(right - left):
            target[q] = source[q] + bias


@piece
def _forward_tile(image, w, bias, y, offsets, sums, layout, groups, top, bottom, left, right):
    filters = y.shape[0] // groups
    # Whole vectors: what is summed beyond the tile isn't stored.
    length = -(-((bottom - top - 1) * layout.columns + right - left) // LANES) * LANES
    for group in range(groups):
        base = group * layout.group + top * layout.columns + left
        k, end = group * filters, (group + 1) * filters
        while k < end:
            rows = _rows(end - k)
            _sum_taps(sums, rows, length, image, base, offsets, w, k)
            for i in range(rows):
                _store_rows(y[k + i], sums[i * ROW :], top, bottom, left, right, layout.columns, bias[k + i])
            k += rows


@piece
def _forward_piece(x, w, bias, y, offsets, scratch, layout, groups, index, pieces):
    image, sums = scratch[index], np.empty(4 * ROW, x.dtype)
    # A tile is as many whole rows as it holds, or a part of a long one.
    height, width = y.shape[2], y.shape[3]
    rows, columns = max(1, TILE // layout.columns), min(width, TILE)
    _clear(image)
    for n in range(len(x) * index // pieces, len(x) * (index + 1) // pieces):
        _pack(x[n], image, layout, False)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            for left in range(0, width, columns):
                right = min(left + columns, width)
                _forward_tile(image, w, bias, y[n], offsets, sums, layout, groups, top, bottom, left, right)


@driver
def _forward_driver(x, w, bias, y, offsets, scratch, layout, groups, pieces):
    for index in prange(pieces):
        _forward_piece(x, w, bias, y, offsets, scratch, layout, groups, np.int64(index), pieces)


# ------------------------------------------------------------------------------------------------------ input gradient


@piece
def _spread_tile(g, w, image, offsets, filters, sums, layout, groups, start, length):
    """A tile of packed g times w (groups · KH · KW · C/groups, K/groups) -> added to the image where each tap read."""
    taps, channels = layout.taps, offsets.size // layout.taps
    # Whole vectors: what is summed beyond the tile isn't added.
    whole = -(-length // LANES) * LANES
    for group in range(groups):
        source = group * filters.size * layout.gradient + start
        target = group * layout.group + start
        for tap in range(taps):
            c = 0
            while c < channels:
                rows = _rows(channels - c)
                _sum_taps(sums, rows, whole, g, source, filters, w, (group * taps + tap) * channels + c)
                for i in range(rows):
                    _add(image[target + offsets[(c + i) * taps + tap] :], sums[i * ROW :], length)
                c += rows


@piece
def _grad_input_piece(g, w, x, offsets, filters, scratch, layout, groups, dense, index, pieces):
    split = scratch.shape[1] - g.shape[1] * layout.gradient
    image, packed, sums = scratch[index, :split], scratch[index, split:], np.empty(4 * ROW, g.dtype)
    _clear(packed)
    for n in range(len(g) * index // pieces, len(g) * (index + 1) // pieces):
        _pack_gradient(g[n], packed, layout)
        _clear(image)
        count, step, length = _segments(dense, g[n], layout)
        for segment in range(count):
            end = segment * step + length
            for start in range(segment * step, end, TILE):
                tile = min(TILE, end - start)
                _spread_tile(packed, w, image, offsets, filters, sums, layout, groups, start, tile)
        _clear(x[n].ravel())
        _pack(x[n], image, layout, True)


@driver
def _grad_input_driver(g, w, x, offsets, filters, scratch, layout, groups, dense, pieces):
    for index in prange(pieces):
        _grad_input_piece(g, w, x, offsets, filters, scratch, layout, groups, dense, np.int64(index), pieces)


# ----------------------------------------------------------------------------------------------------- weight gradient


_DOTS_4_MANY, _DOTS_4_SOME, _DOTS_4 = dot_tile(4, MANY), dot_tile(4, SOME), dot_tile(4, 1)
_DOTS_1_MANY, _DOTS_1 = dot_tile(1, MANY), dot_tile(1, 1)


@piece
def _dot_images(sums, g, g_places, image, x_places, offsets, layout, groups):
    """sums (K, taps) += all packed g (K, OH, columns) times their images at each tap; vectors begin at the places."""
    filters, taps, step = sums.shape[0] // groups, offsets.size, layout.gradient
    for group in range(groups):
        start, k, end = group * layout.group, group * filters, (group + 1) * filters
        while k < end:
            t, rows = 0, 4 if k + 4 <= end else 1
            while t < taps:
                if rows == 4 and t + MANY <= taps:
                    _DOTS_4_MANY(sums, k, t, g, step, g_places, image, start, offsets, x_places)
                    t += MANY
                elif rows == 4 and t + SOME <= taps:
                    _DOTS_4_SOME(sums, k, t, g, step, g_places, image, start, offsets, x_places)
                    t += SOME
                elif rows == 4:
                    _DOTS_4(sums, k, t, g, step, g_places, image, start, offsets, x_places)
                    t += 1
                elif t + MANY <= taps:
                    _DOTS_1_MANY(sums, k, t, g, step, g_places, image, start, offsets, x_places)
                    t += MANY
                else:
                    _DOTS_1(sums, k, t, g, step, g_places, image, start, offsets, x_places)
                    t += 1
            k += rows


@piece
def _dot_rows(sums, g, image, offsets, layout, groups):
    """The same for g (K, OH, OW) of one image with something infinite, which the zeros in the gaps mustn't meet."""
    filters = sums.shape[0] // groups
    for k in range(sums.shape[0]):
        start = k // filters * layout.group
        for t in range(offsets.size):
            total = 0.0
            for r in range(g.shape[1]):
                x = image[start + offsets[t] + r * layout.columns :]
                for q in range(g.shape[2]):
                    total += g[k, r, q] * x[q]
            sums[k, t] += total


@piece
def _places(count, distance, length, lanes):
    """Where the vectors begin of `count` stretches that are `distance` apart and `length` long."""
    places = np.empty(count * (length // lanes), np.int64)
    for n in range(count):
        for v in range(length // lanes):
            places[n * (length // lanes) + v] = n * distance + v * lanes
    return places


@piece
def _grad_weight_piece(x, g, sums, offsets, scratch, layout, groups, image_length, index, pieces):
    gradient_length = g.shape[1] * layout.gradient
    # Images are worked on in blocks, for a tile's sums are folded once per block.
    block = scratch.shape[1] // (image_length + gradient_length)
    images, packed = scratch[index, : block * image_length], scratch[index, block * image_length :]
    lanes = VECTOR_BYTES // x.itemsize
    _clear(scratch[index])
    _clear(sums[index].ravel())
    first, last = len(x) * index // pieces, len(x) * (index + 1) // pieces
    while first < last:
        count = min(block, last - first)
        for n in range(count):
            _pack(x[first + n], images[n * image_length : (n + 1) * image_length], layout, False)
            _pack_gradient(g[first + n], packed[n * gradient_length :], layout)
        if _all_finite(images):
            g_places = _places(count, gradient_length, layout.gradient, lanes)
            x_places = _places(count, image_length, layout.gradient, lanes)
            _dot_images(sums[index], packed, g_places, images, x_places, offsets, layout, groups)
        else:
            for n in range(count):
                _dot_rows(sums[index], g[first + n], images[n * image_length :], offsets, layout, groups)
            _clear(images)
        first += count


@driver
def _grad_weight_driver(x, g, sums, offsets, scratch, layout, groups, image_length, pieces):
    for index in prange(pieces):
        _grad_weight_piece(x, g, sums, offsets, scratch, layout, groups, image_length, np.int64(index), pieces)
