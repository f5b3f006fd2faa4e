"""Max and average pooling in two dimensions, forward and backward.

Max pooling remembers where each maximum stood; its backward is then a pair of linear maps, each the other's adjoint:
`scatter` adds each gradient to the pixel that won, `gather` reads the pixels that won.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.kernels import reference
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    as_contiguous,
    by_reference,
    chunks_for,
    floats,
    kernel,
    marked,
    run,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.pool.pairs import band_of, max_of_pairs, put_in_pairs, spread_to_pairs, sum_of_pairs
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.windows import Pads, Sizes, as_tuple

NO_PADDING = ((0, 0), (0, 0))

# Multiply-adds that take as long as a pixel that passes by, by a rough measurement.
WORK = 5

INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)


def max_forward(
    x: np.ndarray,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    *,
    output_size: Sizes,
) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each window, and where it stood: x `(N, C, H, W)` -> y, indices `(N, C, OH, OW)`.

    Indices are int32 positions `h · W + w` in the input plane. Of equal values the first counts, the first NaN beats
    all numbers, padding never wins. The output size comes from `windows.pool_output_size`.
    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> max_forward(np.arange(16.0).reshape(1, 1, 4, 4), (2, 2), (2, 2), output_size=(2, 2))
    (array([[[[ 5.,  7.],
             [13., 15.]]]]), array([[[[ 5,  7],
             [13, 15]]]], dtype=int32))
    """
    (x,) = floats("max_pool2d", "x", x)
    shape, table = max_plan(x.shape, kernel, stride, padding, dilation, output_size)
    if not COMPILED:
        return by_reference(
            partial(reference.max_forward, output_size=output_size), x, kernel, stride, padding, dilation
        )
    y, indices = memory.empty(shape, x.dtype), memory.empty(shape, INT32)
    planes = shape[0] * shape[1]
    if table is None:
        run(_max_of_pairs_kernel, (x, y, indices), chunks_for(planes, WORK * x.size))
    else:
        work = WORK * y.size * kernel[0] * kernel[1]
        run(_max_kernel, (x, y, indices, *table), chunks_for(planes, work))
    return y, indices


def scatter(g: np.ndarray, indices: np.ndarray, input_size: Sizes) -> np.ndarray:
    """`x[n, c, indices[n, c, p, q]] += g[n, c, p, q]` on zeros: g, indices `(N, C, OH, OW)` -> x `(N, C, H, W)`.

    Indices are positions in a plane of `input_size` = `(H, W)`; where one repeats, its gradients add up.
    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> scatter(np.array([[[[1.0, 2.0]]]]), np.array([[[[3, 3]]]], np.int32), (2, 2))
    array([[[[0., 0.],
             [0., 3.]]]])
    """
    op = "max_pool2d_scatter"
    (g,) = floats(op, "g", g)
    indices = checked_indices(op, g, indices)
    shape = g.shape
    if shape != indices.shape:
        raise ShapeError(restate(op, "g and indices differ in shape", g=g, indices=indices))
    if not COMPILED:
        check_strays(op, _outside(indices, input_size), indices, input_size)
        return by_reference(reference.scatter, g, indices, input_size)
    x = memory.empty((*shape[:2], *input_size), g.dtype)
    chunks = chunks_for(shape[0] * shape[1], WORK * (x.size + g.size))
    strays = memory.empty((chunks,), INT64)
    run(_scatter_kernel, (g, indices, x, strays), chunks)
    check_strays(op, strays, indices, input_size)
    return x


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """`y[n, c, p, q] = x[n, c, indices[n, c, p, q]]`: x `(N, C, H, W)`, indices `(N, C, OH, OW)` -> `(N, C, OH, OW)`.

    Raises `ShapeError`, `DTypeError`, and `RangeError` for an index outside of the plane.

    >>> gather(np.arange(4.0).reshape(1, 1, 2, 2), np.array([[[[3, 0]]]], np.int32))
    array([[[[3., 0.]]]])
    """
    op = "max_pool2d_gather"
    (x,) = floats(op, "x", x)
    indices = checked_indices(op, x, indices)
    if x.shape[:2] != indices.shape[:2]:
        raise ShapeError(restate(op, "x and indices differ in N or C", x=x, indices=indices))
    if not COMPILED:
        check_strays(op, _outside(indices, x.shape[2:]), indices, x.shape[2:])
        return by_reference(reference.gather, x, indices)
    y = memory.empty(indices.shape, x.dtype)
    chunks = chunks_for(x.shape[0] * x.shape[1], WORK * y.size)
    strays = memory.empty((chunks,), INT64)
    run(_gather_kernel, (x, indices, y, strays), chunks)
    check_strays(op, strays, indices, x.shape[2:])
    return y


def avg_forward(
    x: np.ndarray,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    *,
    output_size: Sizes,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """The sum of each window over its divisor (see `divisors`): x `(N, C, H, W)` -> `(N, C, OH, OW)`.

    Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> avg_forward(np.arange(16.0).reshape(1, 1, 4, 4), (2, 2), (2, 2), output_size=(2, 2))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    (x,) = floats("avg_pool2d", "x", x)
    _check_windows("avg_pool2d", x.shape, kernel, stride, padding, (1, 1), output_size)
    if not COMPILED:
        counted = {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
        same = partial(reference.avg_forward, output_size=output_size, **counted)
        return by_reference(same, x, kernel, stride, padding)
    table = _table(x.dtype, x.shape[2:], kernel, stride, padding, output_size, count_include_pad, divisor_override)
    y = memory.empty((*x.shape[:2], *output_size), x.dtype)
    (top, _), (left, _) = padding
    arguments = (x, table, y, (*kernel, *stride, top, left))
    run(_avg_kernel, arguments, chunks_for(x.shape[0] * x.shape[1], WORK * y.size * kernel[0] * kernel[1]))
    return y


def avg_backward(
    g: np.ndarray,
    input_size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    *,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """The adjoint of `avg_forward`: each g over its divisor, added to every pixel of its window.

    g `(N, C, OH, OW)`, input size `(H, W)` -> `(N, C, H, W)`. Raises `ShapeError`, `ArgumentError`, `DTypeError`.

    >>> avg_backward(np.array([[[[4.0]]]]), (2, 3), (2, 2), (2, 2))
    array([[[[1., 1., 0.],
             [1., 1., 0.]]]])
    """
    op = "avg_pool2d_backward"
    (g,) = floats(op, "g", g)
    output_size = g.shape[2:]
    _check_windows(op, (*g.shape[:2], *input_size), kernel, stride, padding, (1, 1), output_size)
    if not COMPILED:
        counted = {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
        return by_reference(partial(reference.avg_backward, **counted), g, input_size, kernel, stride, padding)
    table = _table(g.dtype, input_size, kernel, stride, padding, output_size, count_include_pad, divisor_override)
    x = memory.empty((*g.shape[:2], *input_size), g.dtype)
    (top, _), (left, _) = padding
    arguments = (g, table, x, (*kernel, *stride, top, left))
    run(_spread_kernel, arguments, chunks_for(g.shape[0] * g.shape[1], WORK * g.size * kernel[0] * kernel[1]))
    return x


@planned
def divisors(
    input_size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads,
    output_size: Sizes,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """What each window of an average pooling is divided by, `(OH, OW)`, float64, by PyTorch's rules.

    The override where there is one; else the window's pixels inside the input, with `count_include_pad` those inside
    the padded input: what hangs over the end of that (ceil mode) never counts.

    >>> divisors((3, 3), (2, 2), (2, 2), ((0, 0), (0, 0)), (2, 2), True, None)
    array([[4., 2.],
           [2., 1.]])
    """
    if divisor_override is not None:
        if divisor_override == 0:
            raise ArgumentError(restate("avg_pool2d", "divisor_override is 0", expected="a number other than 0"))
        return np.full(output_size, divisor_override, np.float64)
    counts = []
    for size, k, s, (before, after), out in zip(input_size, kernel, stride, padding, output_size, strict=True):
        first, last = (-before, size + after) if count_include_pad else (0, size)
        start = np.arange(out) * s - before
        counts.append(np.minimum(start + k, last) - np.maximum(start, first))
    # (OH, 1) · (OW,) -> (OH, OW)
    return np.multiply(counts[0][:, None], counts[1], dtype=np.float64)


@planned
def _table(dtype: np.dtype, *window: Any) -> np.ndarray:
    """The `divisors` of such windows in one dtype."""
    return divisors(*window).astype(dtype)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, indices, window = np.ones((2, 1, 2, 2), dtype), np.zeros((2, 1, 1, 1), np.int32), ((2, 2), (2, 2))
    g = np.ones((2, 1, 1, 1), dtype)
    yield "max_forward", lambda: max_forward(x, *window, output_size=(1, 1))
    yield "max_forward, any window", lambda: max_forward(x, (2, 2), (1, 1), output_size=(1, 1))
    yield "scatter", lambda: scatter(g, indices, (2, 2))
    yield "gather", lambda: gather(x, indices)
    yield "avg_forward", lambda: avg_forward(x, *window, output_size=(1, 1))
    yield "avg_backward", lambda: avg_backward(g, (2, 2), *window)


@planned
def max_plan(
    shape: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, output_size: Sizes
) -> tuple[Sizes, tuple | None]:
    """The output's shape, and the table for the kernel; None for windows of 2×2 side by side, none over the end."""
    _check_windows("max_pool2d", shape, kernel, stride, padding, dilation, output_size)
    size, output = shape[2:], (*shape[:2], *output_size)
    whole = all(2 * out <= n for n, out in zip(size, output_size, strict=True))
    if whole and kernel == stride == (2, 2) and padding == NO_PADDING and dilation == (1, 1):
        return output, None
    return output, _max_table(size, kernel, stride, padding, dilation, output_size)


class _MaxLayout(NamedTuple):
    """How a plane lies in the scratch (phases, rows, columns): sorted by phase, the position modulo the stride."""

    rows: int
    columns: int
    stride_h: int
    stride_w: int
    top: int
    left: int


def _max_table(
    size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, output_size: Sizes
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, _MaxLayout]:
    """What the kernel knows of a shape: offsets and shifts of the taps; corners and first pixels of the windows; the
    layout.

    The tap t of the window at place q of the scratch reads `scratch[offsets[t] + q]`, the pixel `corners[q] +
    shifts[t]`.
    """
    (kh, kw), (sh, sw), (dh, dw), (oh, ow) = kernel, stride, dilation, output_size
    (top, _), (left, _) = padding
    rows, columns = oh + dh * (kh - 1) // sh, ow + dw * (kw - 1) // sw
    # (KH, 1) and (1, KW) -> (taps,)
    i, j = dh * np.arange(kh)[:, None], dw * np.arange(kw)[None]
    offsets = (((i % sh) * sw + j % sw) * rows + i // sh) * columns + j // sw
    shifts = i * size[1] + j
    # (OH, 1) and (1, columns) -> (places,): rows of windows, with gaps between them
    h, w = (np.arange(oh) * sh - top)[:, None], (np.arange(columns) * sw - left)[None]
    corners = h * size[1] + w
    # The first tap inside the image: ⌈−h / dh⌉ taps down, ⌈−w / dw⌉ to the right.
    firsts = corners + np.maximum(0, -(h // dh)) * dh * size[1] + np.maximum(0, -(w // dw)) * dw
    tables = (offsets.astype(np.int64), *(table.astype(np.int32) for table in (shifts, corners, firsts)))
    return *(table.ravel() for table in tables), _MaxLayout(rows, columns, sh, sw, top, left)


@lru_cache(maxsize=256)
def _check_windows(
    op: str, shape: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, output_size: Sizes
) -> None:
    """Every window must start before the end of the input, and, by its padding, meet it: kernels rely on it."""
    arguments = {"x": shape, "kernel_size": kernel, "stride": stride, "padding": padding, "output_size": output_size}
    if len(shape) != 4 or len(output_size) != 2:
        raise ShapeError(restate(op, "the wrong number of dimensions", expected="(N, C, H, W)", **arguments))
    for name, value in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        as_tuple(value, 2, op=op, name=name, minimum=1)
    for size, k, s, (before, after), d, out in zip(
        shape[2:], kernel, stride, padding, dilation, output_size, strict=True
    ):
        starts = range(-before, (out - 1) * s - before + 1, s)
        if size < 1 or out < 1 or min(before, after) < 0 or not all(_meets(start, k, d, size) for start in starts):
            fix = "take the output size from windows.pool_output_size"
            raise ShapeError(restate(op, "a window meets no pixel", expected="each meets one", fix=fix, **arguments))
    if shape[2] * shape[3] > np.iinfo(np.int32).max:
        raise ShapeError(restate(op, "a plane has more pixels than int32 can count", **arguments))


def _meets(start: int, kernel: int, dilation: int, size: int) -> bool:
    # The first tap at or behind the first pixel.
    first = start if start >= 0 else start + -(start // dilation) * dilation
    return first < min(size, start + (kernel - 1) * dilation + 1)


def checked_indices(op: str, values: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The indices as kernels take them, with the number of dimensions looked at."""
    if values.ndim != 4 or indices.ndim != 4:
        raise ShapeError(
            restate(op, "the wrong number of dimensions", expected="(N, C, H, W)", values=values, indices=indices)
        )
    if indices.dtype != INT32:
        raise DTypeError(restate(op, "indices aren't int32", expected="those of max_forward", indices=indices))
    return as_contiguous(indices)


def _outside(indices: np.ndarray, size: Sizes) -> np.ndarray:
    """Which indices are no positions in a plane."""
    return ((indices < 0) | (indices >= size[0] * size[1])).ravel()


def check_strays(op: str, strays: np.ndarray, indices: np.ndarray, size: Sizes) -> None:
    """The kernels count the indices that they had to pass over."""
    if marked(strays):
        raise RangeError(restate(op, "an index is outside the plane", indices=indices, input_size=size))


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
    """Of the taps of `count` windows those that meet a pixel somewhere, as a half-open range."""
    return max(0, before - (count - 1) * stride), min(size_of_window, before + size)


@kernel
def _sort_by_phase(plane, scratch, layout):
    """Copy a plane (H, W) to its places in the scratch (phases, rows, columns); around it stays what was there."""
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
    # Behind the last window its row has no columns any more.
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
def _max_of_pairs_kernel(x, y, indices, index, chunks):
    (height, width), (rows, columns), band = x.shape[2:], y.shape[2:], band_of(x)
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        for p in range(0, rows, band):
            source, target = (plane * height + 2 * p) * width, (plane * rows + p) * columns
            place, lines = 2 * p * width, min(band, rows - p)
            for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                max_of_pairs(x, source, width, left, y, target, indices, target, place, columns, lines)


@kernel
def _scatter_pairs(g, indices, x, plane, alarm):
    """Whether all maxima of a plane were in windows of 2×2 side by side; if so, its gradients are where they belong."""
    (rows, columns), (height, width), band = g.shape[2:], x.shape[2:], band_of(x)
    if rows != height // 2 or columns != width // 2:
        return False
    alarm[0] = 0
    for p in range(0, rows, band):
        source, target = (plane * rows + p) * columns, (plane * height + 2 * p) * width
        place, lines = 2 * p * width, min(band, rows - p)
        for left in range(0, width, 2 * (WIDTH // x.itemsize)):
            put_in_pairs(g, source, indices, source, place, columns, left, x, target, width, lines, alarm, 0)
    if 2 * rows < height:
        _plane(x, plane)[height - 1] = 0
    return alarm[0] == 0


@kernel
def _scatter_kernel(g, indices, x, strays, index, chunks):
    alarm, strays[index] = np.empty(1, np.int64), 0
    for plane in range(_count(g) * index // chunks, _count(g) * (index + 1) // chunks):
        if _scatter_pairs(g, indices, x, plane, alarm):
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
    """Whether all windows are of 2×2 pixels, none over the end."""
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
    pairs, wide = _side_by_side(numbers, x.shape[2:], y.shape[2:]), np.empty(columns)
    for plane in range(_count(x) * index // chunks, _count(x) * (index + 1) // chunks):
        target = _plane(y, plane)
        for p in range(rows):
            if pairs:
                source, place = (plane * x.shape[2] + 2 * p) * width, (plane * rows + p) * columns
                for left in range(0, 2 * columns, 2 * (WIDTH // x.itemsize)):
                    sum_of_pairs(x, source, width, left, y, place, columns)
            else:
                # In float64: a window may be a whole image.
                _sum_row(_plane(x, plane), p, numbers, wide)
                for q in range(columns):
                    target[p, q] = wide[q]
            total, counts = target[p], divisors[p]
            for q in range(columns):
                total[q] = total[q] / counts[q]


@kernel
def _spread_row(share, p, numbers, target):
    """Add row p of the windows' shares to all pixels of its windows."""
    (kh, kw, sh, sw, top, left), (height, width) = numbers, target.shape
    for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
        row = target[h]
        for j in range(*_taps(kw, sw, left, width, share.size)):
            first, last = _inside(j - left, sw, width, share.size)
            for q in range(first, last):
                row[q * sw + j - left] += share[q]


@kernel
def _spread_kernel(g, divisors, x, numbers, index, chunks):
    (rows, columns), width = g.shape[2:], x.shape[3]
    share, pairs = np.empty(columns, g.dtype), _side_by_side(numbers, x.shape[2:], g.shape[2:])
    # In float64: a pixel may lie in very many windows.
    wide = np.empty((0 if pairs else x.shape[2], width))
    for plane in range(_count(g) * index // chunks, _count(g) * (index + 1) // chunks):
        source, target = _plane(g, plane), _plane(x, plane)
        target[2 * rows if pairs else 0 :] = 0
        wide[:] = 0
        for p in range(rows):
            upstream, counts = source[p], divisors[p]
            for q in range(columns):
                share[q] = upstream[q] / counts[q]
            if pairs:
                place = (plane * x.shape[2] + 2 * p) * width
                for left in range(0, width, 2 * (WIDTH // x.itemsize)):
                    spread_to_pairs(share, 0, columns, left, x, place, width)
            else:
                _spread_row(share, p, numbers, wide)
        for h in range(len(wide)):
            for q in range(width):
                target[h, q] = wide[h, q]
