"""Sums along the middle axis of an array, in float64: the loops behind `sums`."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tensorgrad.kernels.jit.dispatch import chunks_for, inlined, kernel, run
from tensorgrad.kernels.jit.views import flattened, tail
from tensorgrad.kernels.reduce.sums import FEW
from tensorgrad.kernels.simd import passes
from tensorgrad.kernels.simd.rows import add_rows, add_squares

# Multiply-adds that take as long as one element, by a rough measurement.
WORK = 3

TILE = 512
"""The number of columns that are summed together: their sums stay in first-level cache."""

SHORT = 64
"""The length below which rows are too short for vectors: several are summed as one."""

SMALL = 12
"""Elements up to which a matrix is small: then the same column of many matrices is summed in one loop over matrices."""


def fold(x: np.ndarray, z: np.ndarray, block: int, factor: float, divisor: float, squares: bool) -> None:
    """z[o, b, i] = factor · Σ x[o, n, i] / divisor over b · block ≤ n < (b + 1) · block; Σ x² with `squares`.

    x `(outer, count, inner)`, z `(outer, blocks, inner)`, float32 or float64, both contiguous.

    >>> x, z = np.array([[[1.0], [2.0], [5.0]]]), np.empty((1, 2, 1))
    >>> fold(x, z, 2, 1.0, 1.0, squares=False)
    >>> z
    array([[[3.],
            [5.]]])
    """
    units = z.shape[0] * z.shape[1] * -(-z.shape[2] // TILE)
    run(squares_kernel if squares else sums_kernel, (x, z, block, factor, divisor), chunks_for(units, WORK * x.size))


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, z, wide = np.ones((1, 2, 1), dtype), np.ones((1, 1, 1), dtype), np.ones((1, 1, 1))
    for squares in (False, True):
        yield f"fold, squares={squares}", partial(fold, x, z, 2, 1.0, 1.0, squares)
        yield f"fold to float64, squares={squares}", partial(fold, x, wide, 2, 1.0, 1.0, squares)
    yield "fold of float64", partial(fold, wide, z, 2, 1.0, 1.0, False)


@inlined
def _number(x):
    return np.float64(x)


@inlined
def _square(x):
    return np.float64(x) * np.float64(x)


def _folding(term: Callable, sums_of_rows: Callable, add_rows: Callable) -> Callable:
    """Make the kernel of `fold` that sums `term(x)`.

    `sums_of_rows` sums along contiguous elements, `add_rows` along columns. Each of four layouts has a loop of its
    own: small matrices, rows alone (inner is 1), columns of short rows, and columns of long rows, TILE at a time.
    """

    @inlined
    def add_short_rows(flat, at, count, inner, sums):
        """sums[k] += Σ_j row j [k] for rows of `inner` elements, so short that a vector holds several.

        `many` adjacent rows are first added as one row of many · inner columns; then its parts are added up.
        """
        many = SHORT // inner
        add_rows(flat, at, many * inner, count // many, many * inner, sums, 0)
        for m in range(1, many):
            for k in range(inner):
                sums[k] += sums[m * inner + k]
        add_rows(flat, at + count // many * many * inner, inner, count % many, inner, sums, 0)

    @inlined
    def fold_rows(flat, out, sizes, factor, divisor, sums, low, high):
        """The sums of contiguous rows (inner is 1): TILE rows at once, unless a row has several blocks."""
        count, block, blocks = sizes
        together = TILE if blocks == 1 else 1
        for line in range(low, high, together):
            o, b = line // blocks, line % blocks
            rows, length = min(together, high - line), min(block, count - b * block)
            sums_of_rows(flat, o * count + b * block, count, rows, length, sums, 0)
            for k in range(rows):
                out[line + k] = sums[k] if factor == 1 and divisor == 1 else factor * sums[k] / divisor

    @inlined
    def fold_small(flat, out, count, inner, factor, divisor, sums, low, high):
        """The sums of the columns of small matrices (count, inner): a column of TILE matrices in one loop."""
        size = count * inner
        for first in range(low, high, TILE):
            matrices = min(TILE, high - first)
            for i in range(inner):
                for k in range(matrices):
                    sums[k] = 0
                for j in range(count):
                    numbers = tail(flat, first * size + j * inner + i)
                    for k in range(matrices):
                        sums[k] += term(numbers[k * size])
                for k in range(matrices):
                    total = sums[k] if factor == 1 and divisor == 1 else factor * sums[k] / divisor
                    out[(first + k) * inner + i] = total

    @kernel
    def chunk(x, z, block, factor, divisor, index, chunks):
        (outer, count, inner), blocks, flat, out = x.shape, z.shape[1], flattened(x), flattened(z)
        tiles, sums = -(-inner // TILE), np.empty(TILE)
        units = outer * blocks * tiles
        low, high = units * index // chunks, units * (index + 1) // chunks
        if blocks == 1 and count * inner <= SMALL:
            fold_small(flat, out, count, inner, factor, divisor, sums, low, high)
            return
        if inner == 1:
            fold_rows(flat, out, (count, block, blocks), factor, divisor, sums, low, high)
            return
        for unit in range(low, high):
            line, start = unit // tiles, unit % tiles * TILE
            o, b = line // blocks, line % blocks
            rows, width = min(block, count - b * block), min(TILE, inner - start)
            at = (o * count + b * block) * inner + start
            for k in range(max(width, SHORT)):
                sums[k] = 0
            if x.size <= FEW:
                # Row by row, in NumPy's order.
                for r in range(rows):
                    add_rows(flat, at + r * inner, inner, 1, width, sums, 0)
            elif inner < SHORT:
                add_short_rows(flat, at, rows, inner, sums)
            else:
                add_rows(flat, at, inner, rows, width, sums, 0)
            target = tail(out, line * inner + start)
            for k in range(width):
                target[k] = sums[k] if factor == 1 and divisor == 1 else factor * sums[k] / divisor

    return chunk


sums_kernel = _folding(_number, passes.sums, add_rows)
squares_kernel = _folding(_square, passes.sums_of_squares, add_squares)
