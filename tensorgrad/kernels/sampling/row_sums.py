"""Values added to the rows of an array by number: the sums behind `index_add`, `scatter_add`, and gradients of reads.

All sums are accumulated in float64, in the order of the values, and rounded once.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import RangeError, ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run, status_set
from tensorgrad.kernels.jit.views import between, flattened

WORK = 3  # multiply-adds that take as long as a value that is added by its place, by a rough measurement


def add(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """z[p, rows[m]] += values[p, m] on zeros of `(P, count, K)`: values `(P, M, K)`, rows `(M,)`, int64.

    >>> add(np.array([[[1.0], [2.0], [4.0]]]), np.array([1, 1, 0]), 3)
    array([[[4.],
            [3.],
            [0.]]])
    """
    return _add(None, values, rows, count)


def add_to(x: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """z = x, then z[p, rows[m]] += values[p, m]: x `(P, R, K)`, values `(P, M, K)`, rows `(M,)`, int64.

    >>> add_to(np.array([[[1.0, 2.0]]]), np.array([[[3.0, 4.0]]]), np.array([0]))
    array([[[4., 6.]]])
    """
    return _add(x, values, rows, x.shape[1])


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x, rows = np.ones((1, 2, 2), dtype), np.zeros(2, np.int64)
    yield "row_sums", lambda: add(x, rows, 2)


def _add(x: np.ndarray | None, values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    op, shape = "add_rows", (*values.shape[:1], count, *values.shape[2:])
    fits = values.ndim == 3 and rows.shape == values.shape[1:2] and rows.dtype == np.int64
    if not fits or (x is not None and x.shape != shape):
        problem = f"values must be (P, M, K) beside rows (M,), int64, and be added to (P, {count}, K)"
        raise ShapeError(restate(op, problem, values=values, rows=rows))
    # Without an x the kernel gets the values in its place and doesn't read them.
    (values, onto), rows = floats(op, "values x", values, values if x is None else x), as_contiguous(rows)
    z = memory.empty(shape, values.dtype)
    wide = z if z.dtype == np.float64 else memory.empty(shape, np.dtype(np.float64))
    strays = memory.empty((chunks_for(shape[0] * count, WORK * values.size + z.size),), np.dtype(np.int64))
    if not COMPILED:
        strays[:] = ((rows < 0) | (rows >= count)).any()
        if not strays.any():
            by_fallback(fallback.add_rows, values, rows, x, wide)
            z[...] = wide
    else:
        flags = x is not None, wide is not z
        run(_add_kernel, (onto, values, rows, *flags, wide, z, strays), len(strays))
    if status_set(strays):
        raise RangeError(restate(op, f"rows must be in [0, {count})", rows=rows))
    return z


@kernel
def _add_kernel(x, values, rows, has_x, narrows, wide, z, strays, index, chunks):
    # Each chunk has rows of its own and goes through all values, so a sum's order is the same for any number of chunks.
    (planes, count, width), total = z.shape, z.shape[0] * z.shape[1]
    low, high = total * index // chunks, total * (index + 1) // chunks
    strays[index] = 0
    for m in range(len(rows)):
        if not 0 <= rows[m] < count:
            strays[index] = 1
    if strays[index]:
        return
    sums, target = between(flattened(wide), low * width, high * width), between(flattened(z), low * width, high * width)
    if has_x:
        start = between(flattened(x), low * width, high * width)
        for q in range(sums.size):
            sums[q] = start[q]
    else:
        for q in range(sums.size):
            sums[q] = 0
    for p in range(planes):
        first, last = max(low - p * count, 0), min(high - p * count, count)
        if first >= last:
            continue
        if width == 1:
            column, source = wide[p].reshape(count), values[p].reshape(len(rows))
            for m in range(len(rows)):
                r = np.uint64(rows[m])
                if np.uint64(first) <= r < np.uint64(last):
                    column[r] += source[m]
        else:
            for m in range(len(rows)):
                if first <= rows[m] < last:
                    row, part = wide[p, np.uint64(rows[m])], values[p, m]
                    for q in range(width):
                        row[q] += part[q]
    if narrows:
        for q in range(sums.size):
            target[q] = sums[q]
