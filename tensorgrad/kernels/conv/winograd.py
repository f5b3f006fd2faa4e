"""Convolution with 3×3 filters by Winograd's minimal filtering F(2×2, 3×3): 16 products make 4 pixels instead of 36.

A 2×2 tile of the output depends on a 4×4 patch d of the image, and

    tile = Aᵀ [ Σ_c (G w Gᵀ) ⊙ (Bᵀ d B) ] A

    Bᵀ = 1  0 −1  0      G =  1   0   0      Aᵀ = 1  1  1  0
         0  1  1  0           ½   ½   ½           0  1 −1 −1
         0 −1  1  0           ½  −½   ½
         0  1  0 −1           0   0   1

so each of the 16 positions is a matrix product over the channels: filters × channels times channels × tiles. The
gradient for the input is the same with flipped filters, and the gradient for the weights is the adjoint,
Gᵀ [ Σ_tiles (A g Aᵀ) ⊙ (Bᵀ d B) ] G.

No pixel meets an output pixel whose window it lies outside of, so NaN stays where it belongs, and the rounding error is
that of a sum over the window. Only infinities can turn into NaN: where a result isn't finite a status flag is set, and
the caller computes it directly.

Lavin and Gray, Fast algorithms for convolutional neural networks, arXiv:1509.09308.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import zeros
from tensorgrad.kernels.conv.winograd_transforms import read_gradients, read_patches, write_tiles
from tensorgrad.kernels.elementwise.pointwise import finite
from tensorgrad.kernels.jit.dispatch import chunks_for, get_num_threads, helper, inlined, is_recording, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.jit.partition import Access, Partition
from tensorgrad.kernels.simd.emitter import COLUMNS, FAST, ROWS, WIDTH, lanes
from tensorgrad.kernels.simd.tiles import DOTS, broadcast_tile, dot_tile, part_begin
from tensorgrad.windows import Shapes, Sizes, Window

# Channels on either side, and tiles in all, from which the transforms cost less than the products they save: few tiles
# do between many channels. And the fraction of the tiles' pixels that the output has: for 3×3 pixels the products are
# nearly as many as those of the sum.
CHANNELS, TILES, MANY_CHANNELS, FEW_TILES, FRACTION = 16, 256, 64, 64, 0.6

# The transforms read C + K channels, the products are of C · K: what counts is the harmonic mean of C and K. Where
# products are fast, as on Zen 5, F(2×2) takes 1.4 times as long as the direct sum between 16 channels, 1.2 times from
# 48 to 16, as long between 32, and 0.8 times between 64.
BETWEEN = 30 if FAST else 16

# Bytes that a thread's scratch should take, and tiles that it takes at least: fewer fill the vectors badly. Caches are
# smaller without AVX-512. The dot products of a weight gradient end with a sum over lanes that takes as long as some
# vectors do, so they are longer.
SCRATCH, SHORTEST = 5 << 18 if WIDTH == 64 else 3 << 17, 96
DOT_SCRATCH, SHORTEST_DOT = 3 << 20, 256


class Grid(NamedTuple):
    """How the tiles of a batch are taken: row of tiles after row, through all images, so many rows at a time.

    In the scratch the transforms stand in 16 planes for the channels (C, tiles), and in 16 for the filters (K, tiles).
    """

    top: int
    left: int
    rows: int  # of tiles in an image
    columns: int  # of tiles in a row
    total: int  # rows of tiles in the batch
    block: int  # rows of tiles taken at a time
    width: int  # numbers in a vector
    line: int  # length of a line of tiles
    channels: int  # length of a plane of channels
    filters: int  # length of a plane of filters
    scratch: int  # length of all


def serves(window: Window, shapes: Shapes) -> bool:
    """Whether this is the way to compute a convolution, or its gradient for the input: the window of its phase."""
    tiles = shapes.x[0] * -(-window.output[0] // 2) * -(-window.output[1] // 2)
    channels = min(shapes.w[:2])
    if window.kernel != (3, 3) or not window.plain or channels < CHANNELS:
        return False
    if 2 * prod(shapes.w[:2]) < BETWEEN * sum(shapes.w[:2]):
        return False
    if tiles < (FEW_TILES if channels >= MANY_CHANNELS else TILES):
        return False
    return shapes.x[0] * prod(window.output) >= FRACTION * 4 * tiles


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, y: np.ndarray) -> np.ndarray:
    """As `convolution.forward`, to y; the arrays are contiguous. Status flags, set where a result isn't finite."""
    return _correlate(x, _transform_filters(w, flipped=False), bias, window, y)


def grad_input(g: np.ndarray, w: np.ndarray, bias: np.ndarray, phase: Window, x: np.ndarray) -> np.ndarray:
    """As `convolution.grad_input`, to x, for the window of its only phase; returns the flags."""
    return _correlate(g, _transform_filters(w, flipped=True), bias, phase, x)


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window, dw: np.ndarray) -> np.ndarray:
    """As `convolution.grad_weight`, to dw; returns the flags."""
    channels, filters = x.shape[1], g.shape[1]
    shapes = len(x), channels, filters, window
    grid = _grid(*shapes, x.itemsize, get_num_threads(), DOT_SCRATCH, SHORTEST_DOT)
    chunks = chunks_for(-(-grid.total // grid.block), 4 * g.size * channels)
    scratch = memory.empty((chunks, grid.scratch), x.dtype)
    sums = memory.empty((chunks, 16, _odd(-(-filters // ROWS) * -(-channels // COLUMNS) * DOTS, grid.width)), x.dtype)
    _, offsets = _lines(channels, grid.line)
    run(_grad_weight_kernel, (x, g, sums, offsets, scratch, grid), chunks)
    chunks = chunks_for(-(-filters // ROWS), 32 * dw.size)
    flags = memory.empty((chunks,), np.int64)
    run(_gather_kernel, (sums, dw, flags), chunks)
    return flags


@lru_cache(maxsize=1024)
def _grid(
    count: int,
    channels: int,
    filters: int,
    window: Window,
    itemsize: int,
    threads: int,
    most: int,
    shortest: int,
) -> Grid:
    """The grid whose scratch takes `most` bytes, or more for the `shortest` lines, with work for each thread."""
    width = lanes(np.dtype(f"f{itemsize}"))
    (top, left), (rows, columns) = window.before, (-(-size // 2) for size in window.output)
    tiles = max(shortest, most // (16 * (channels + filters) * itemsize))
    total = count * rows
    block = max(1, min(tiles // columns, -(-total // threads)))
    blocks = -(-total // block)
    block = -(-total // (-(-blocks // threads) * threads))  # as many for each thread
    # Odd multiples of a vector, so that neighbours don't compete for one set of the cache.
    line = _odd(block * columns + width, width)
    planes = _odd(channels * line, width), _odd(filters * line, width)
    return Grid(top, left, rows, columns, total, block, width, line, *planes, 16 * sum(planes))


def _odd(length: int, width: int) -> int:
    return (-(-length // width) | 1) * width


@planned
def _lines(channels: int, line: int) -> tuple[np.ndarray, np.ndarray]:
    """Two tables: per channel its index and the start of its line, (C, 2); and the starts alone, (C,)."""
    index = np.arange(channels)
    return np.stack([index, index * line], axis=1), index * line


# ------------------------------------------------------------------------------------------------------------- filters


def _transform_filters(w: np.ndarray, flipped: bool) -> np.ndarray:
    """G w Gᵀ of w (K, C, 3, 3) -> 16 planes (K, C), or of the flipped filters -> 16 planes (C, K)."""
    filters, channels = w.shape[:2]
    u = memory.empty((16, _odd(filters * channels, lanes(w.dtype))), w.dtype)
    # (K, C, 3, 3) -> (K, C, 9), or flipped (C, K, 9), views both
    taps = w.reshape(filters, channels, 9)
    taps = taps.transpose(1, 0, 2)[:, :, ::-1] if flipped else taps
    strides = tuple([step // w.itemsize for step in taps.strides])
    start = 8 if flipped else 0
    arguments = (w.reshape(-1), u, start, *strides, *taps.shape[:2])
    run(_filters_kernel, arguments, chunks_for(len(taps), 32 * w.size))
    return u


@helper
def _transform_column(first, middle, last):
    """G times a column of three."""
    half, outer = type(first)(0.5), first + last
    return first, half * (outer + middle), half * (outer - middle), last


@helper
def _write_line(planes, f, place, first, middle, last):
    a, b, c, d = _transform_column(first, middle, last)
    planes[f, place], planes[f + 1, place], planes[f + 2, place], planes[f + 3, place] = a, b, c, d


@kernel
def _filters_kernel(w, planes, start, row, column, step, rows, columns, index, chunks):
    for m in range(rows * index // chunks, rows * (index + 1) // chunks):
        for n in range(columns):
            t, place = start + m * row + n * column, m * columns + n
            # Columns of four, then lines of four, all in registers.
            a = _transform_column(w[t], w[t + 3 * step], w[t + 6 * step])
            b = _transform_column(w[t + step], w[t + 4 * step], w[t + 7 * step])
            c = _transform_column(w[t + 2 * step], w[t + 5 * step], w[t + 8 * step])
            _write_line(planes, 0, place, a[0], b[0], c[0])
            _write_line(planes, 4, place, a[1], b[1], c[1])
            _write_line(planes, 8, place, a[2], b[2], c[2])
            _write_line(planes, 12, place, a[3], b[3], c[3])


# ------------------------------------------------------------------------------------- forward and the input gradient


def _correlate(x: np.ndarray, u: np.ndarray, bias: np.ndarray, window: Window, y: np.ndarray) -> np.ndarray:
    channels, filters = x.shape[1], y.shape[1]
    shapes = len(x), channels, filters, window
    grid = _grid(*shapes, x.itemsize, get_num_threads(), SCRATCH, SHORTEST)
    chunks = chunks_for(-(-grid.total // grid.block), 4 * y.size * channels)
    scratch = memory.empty((chunks, grid.scratch), x.dtype)
    table, _ = _lines(channels, grid.line)
    flags, access = memory.empty((chunks,), np.int64), None
    if is_recording() and (len(x) == 1 or grid.rows % grid.block == 0):
        access = Access(_partition(y.shape, grid), (y,), (y, scratch, flags))
    # The products begin with zero; the bias joins the pixels.
    run(_correlate_kernel, (x, u, bias, zeros(filters, x.dtype), y, table, scratch, flags, grid), chunks, access)
    return flags


def _partition(shape: Sizes, grid: Grid) -> Partition:
    """How blocks of rows of tiles share out y (N, K, OH, OW), if each belongs to one image."""
    count, filters, height, width = shape
    if grid.block >= grid.rows:
        return Partition(count, (0, filters))
    return Partition(count, (0, filters), height * width, 2 * grid.block * width)


@helper
def _step(grid):
    """How many rows of tiles a vector takes: two if they fit, so that its halves are two rows; and how far apart."""
    return (2, grid.columns) if 2 * grid.columns <= grid.width else (1, grid.width // 2)


@helper
def _tile_row(row, k, last, filters, height, width, grid):
    """Where a row of tiles begins in channel k of (N, K, H, W); how many rows of pixels follow, none from `last`."""
    n, p = row // grid.rows, row % grid.rows
    return ((n * filters + k) * height + 2 * p) * width, height - 2 * p if row < last else 0


@helper
def _halves(row, step, k, last, filters, height, width, grid):
    """The two halves of a vector: where each begins, how many rows of pixels follow, how far the second is ahead."""
    a, rows = _tile_row(row, k, last, filters, height, width, grid)
    if step == 1:
        return a, rows, a, rows, grid.width
    b, rows_b = _tile_row(row + 1, k, last, filters, height, width, grid)
    return a, rows, b, rows_b, 0


@inlined
def _read_block(x, first, last, v, grid):
    """The transforms of the patches of some rows of tiles -> 16 planes (C, tiles)."""
    channels, height, width = x.shape[1], x.shape[2], x.shape[3]
    step, apart = _step(grid)
    for c in range(channels):
        at = c * grid.line
        for row in range(first, last, step):
            n, top = row // grid.rows, 2 * (row % grid.rows) - grid.top
            a = b = (n * channels + c) * height * width
            top_b, ahead = top, grid.width
            if step == 2:
                n, p = (row + 1) // grid.rows, (row + 1) % grid.rows
                b, ahead = (n * channels + c) * height * width, 0
                top_b = 2 * p - grid.top if row + 1 < last else height
            for q in range(0, grid.columns, grid.width):
                left = 2 * q - grid.left
                read_patches(
                    x, a, top, left, x, b, top_b, left + ahead, height, width, v, at + q, grid.channels, apart
                )  # fmt: skip
            at += step * grid.columns


@inlined
def _multiply_block(u, scratch, tiles, zeros, table, grid):
    """16 planes (C, tiles) -> behind them, 16 planes (K, tiles)."""
    filters, channels = len(zeros), len(table)
    vectors = -(-tiles // grid.width)
    for f in range(16):
        v, m = f * grid.channels, 16 * grid.channels + f * grid.filters
        for tile in range(-(-vectors // COLUMNS)):
            q, q_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
            for block in range(-(-filters // ROWS)):
                k, k_end = part_begin(filters, ROWS, block), part_begin(filters, ROWS, block + 1)
                broadcast_tile(
                    k_end - k, q_end - q, u, f * u.shape[1] + k * channels, channels, table, 0, channels,
                    scratch, v + q * grid.width, zeros, k,
                    scratch, m + k * grid.line + q * grid.width, grid.line, grid.width,
                )  # fmt: skip


@inlined
def _write_block(scratch, bias, y, first, last, mark, grid):
    """The tiles of some rows -> y."""
    filters, height, width = y.shape[1], y.shape[2], y.shape[3]
    step, apart = _step(grid)
    for k in range(filters):
        at = 16 * grid.channels + k * grid.line
        for row in range(first, last, step):
            a, rows, b, rows_b, ahead = _halves(row, step, k, last, filters, height, width, grid)
            for q in range(0, grid.columns, grid.width):
                write_tiles(
                    scratch, at + q, grid.filters, apart, bias, k,
                    y, a, rows, 2 * q, y, b, rows_b, 2 * q + ahead, width, mark, 0,
                )  # fmt: skip
            at += step * grid.columns


@kernel
def _correlate_kernel(x, u, bias, zeros, y, table, scratch, flags, grid, index, chunks):
    """flags[index] = 1 where the chunk writes a number that isn't finite, else 0."""
    blocks, mark = -(-grid.total // grid.block), np.zeros(grid.width, x.dtype)
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        first, last = block * grid.block, min(grid.total, (block + 1) * grid.block)
        _read_block(x, first, last, scratch[index], grid)
        _multiply_block(u, scratch[index], (last - first) * grid.columns, zeros, table, grid)
        _write_block(scratch[index], bias, y, first, last, mark, grid)
    flags[index] = 0 if finite(mark) else 1


# ----------------------------------------------------------------------------------------------------- weight gradient


@inlined
def _read_gradient_block(g, first, last, scratch, grid):
    """The transforms of the gradient of some rows of tiles -> 16 planes (K, tiles)."""
    filters, height, width = g.shape[1], g.shape[2], g.shape[3]
    step, apart = _step(grid)
    for k in range(filters):
        at = 16 * grid.channels + k * grid.line
        for row in range(first, last, step):
            a, rows, b, rows_b, ahead = _halves(row, step, k, last, filters, height, width, grid)
            for q in range(0, grid.columns, grid.width):
                read_gradients(
                    g, a, rows, 2 * q, g, b, rows_b, 2 * q + ahead, width, scratch, at + q, grid.filters, apart
                )  # fmt: skip
            at += step * grid.columns


@inlined
def _dot_block(sums, scratch, offsets, filters, tiles, dots, grid):
    """sums (16, blocks of filters · parts of channels · DOTS) += planes (K, tiles) · planes (C, tiles)."""
    channels = len(offsets)
    blocks, parts = -(-filters // ROWS), -(-channels // COLUMNS)
    for f in range(16):
        v, m = f * grid.channels, 16 * grid.channels + f * grid.filters
        for block in range(blocks):
            k, k_end = part_begin(filters, ROWS, block), part_begin(filters, ROWS, block + 1)
            for part in range(parts):
                c, c_end = part_begin(channels, COLUMNS, part), part_begin(channels, COLUMNS, part + 1)
                dot_tile(
                    k_end - k, c_end - c, scratch, m + k * grid.line, grid.line, 0,
                    scratch, v, offsets, c, 0, 1, 0, 1, tiles, dots, 0,
                )  # fmt: skip
                total = sums[f, (block * parts + part) * DOTS :]
                for i in range(DOTS):
                    total[i] += dots[i]


@kernel
def _grad_weight_kernel(x, g, sums, offsets, scratch, grid, index, chunks):
    dots = np.zeros(DOTS, x.dtype)
    sums[index] = 0
    blocks = -(-grid.total // grid.block)
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        first, last = block * grid.block, min(grid.total, (block + 1) * grid.block)
        _read_block(x, first, last, scratch[index], grid)
        _read_gradient_block(g, first, last, scratch[index], grid)
        _dot_block(sums[index], scratch[index], offsets, g.shape[1], (last - first) * grid.columns, dots, grid)


@helper
def _fold(first, second, third, last):
    """Gᵀ times a column of four."""
    half = 0.5 * (second + third)
    return first + half, 0.5 * (second - third), half + last


@helper
def _fold_tiles(totals, count, folded):
    """Gᵀ (the sums (16, DOTS)) G, for `count` pairs of a filter and a channel -> (9, DOTS)."""
    for j in range(count):
        first = _fold(totals[0, j], totals[4, j], totals[8, j], totals[12, j])
        second = _fold(totals[1, j], totals[5, j], totals[9, j], totals[13, j])
        third = _fold(totals[2, j], totals[6, j], totals[10, j], totals[14, j])
        last = _fold(totals[3, j], totals[7, j], totals[11, j], totals[15, j])
        for i in range(3):
            row = _fold(first[i], second[i], third[i], last[i])
            folded[3 * i, j], folded[3 * i + 1, j], folded[3 * i + 2, j] = row


@kernel
def _gather_kernel(sums, dw, flags, index, chunks):
    """Gᵀ (the sum over the chunks) G, computed in float64, from the blocks of `_dot_block` -> dw (K, C, 3, 3).

    flags[index] = 1 where the chunk writes a number that isn't finite, else 0. The innermost loops run over the pairs
    of a filter and a channel in a block, which lie next to each other.
    """
    filters, channels = dw.shape[:2]
    blocks, parts = -(-filters // ROWS), -(-channels // COLUMNS)
    totals, folded = np.empty((16, DOTS)), np.empty((9, DOTS))
    mark, zero = dw.dtype.type(0), dw.dtype.type(0)
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        k, k_end = part_begin(filters, ROWS, block), part_begin(filters, ROWS, block + 1)
        for part in range(parts):
            c, c_end = part_begin(channels, COLUMNS, part), part_begin(channels, COLUMNS, part + 1)
            count, place = (k_end - k) * (c_end - c), (block * parts + part) * DOTS
            totals[:] = 0
            for i in range(len(sums)):
                for f in range(16):
                    total, some = totals[f], sums[i, f, place:]
                    for j in range(count):
                        total[j] += some[j]
            _fold_tiles(totals, count, folded)
            for j in range(count):
                target = dw[k + j // (c_end - c), c + j % (c_end - c)]
                for i in range(9):
                    target[i // 3, i % 3] = folded[i, j]
                    mark += zero * target[i // 3, i % 3]  # 0 times what isn't finite is NaN
    flags[index] = 0 if mark == zero else 1


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, g = (np.ones(shape, dtype) for shape in ((2, 1, 3, 3), (1, 1, 3, 3), (2, 1, 1, 1)))
    window = Window.fitting("conv2d", (3, 3), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1))
    bias, (phase,) = np.ones(1, dtype), window.phases()
    yield "forward", lambda: forward(x, w, bias, window, np.empty_like(g))
    yield "grad_input", lambda: grad_input(g, w, bias, phase.window, np.empty_like(x))
    yield "grad_weight", lambda: grad_weight(x, g, window, np.empty_like(w))
