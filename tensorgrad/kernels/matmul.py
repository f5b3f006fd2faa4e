"""Products of two matrices, in tiles of vectors, on the same threads as all other kernels.

A BLAS has threads of its own, and after each product they spin for a while, waiting for the next: beside kernels of
ours a step of LeNet-5 took half as long again. So products that a BLAS would cut up for its threads are made here.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numba import prange

from tensorgrad import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels.runtime import call, check_float, driver_of, piece, pieces_for, ready, run
from tensorgrad.kernels.simd import COLUMNS, DOTS, ROWS, WIDTH, broadcast_tile, dot_tile, part_begin

# Multiply-adds up to which OpenBLAS stays on one thread, for matrices and where one of them is a vector.
ONE_THREAD, ONE_THREAD_VECTOR = 1 << 18, 9216

# Numbers in either factor above which a BLAS, which packs them, is faster: squares of 1024 took us 0.83 of OpenBLAS's
# time, squares of 1536 took 1.12.
LARGE = 3 << 19


def product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """z[m, n] = Σ_k a[m, k] · b[k, n] + bias[n], float32 or float64.

    a `(M, K)`, b `(K, N)`, bias `(N,)` or None -> `(M, N)`. Transposed views of contiguous matrices are read as they
    lie. Raises `ShapeError`, `DTypeError`.

    >>> product(np.ones((2, 3)), np.ones((3, 2)), np.array([0.5, 1.0]))
    array([[3.5, 4. ],
           [3.5, 4. ]])
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or (bias is not None and bias.shape != b.shape[1:]):
        expected = "a (M, K), b (K, N), bias (N,) or None"
        raise ShapeError(restate("product", "the sizes don't fit", expected=expected, a=a, b=b, bias=bias))
    (m, k), n = a.shape, b.shape[1]
    work, vector = m * n * k, 1 in (m, n, k)
    if work <= (ONE_THREAD_VECTOR if vector else ONE_THREAD) or min(a.size, b.size) > LARGE:
        z = np.multiply(a, b) if k == 1 else np.matmul(a, b)
        return z if bias is None else np.add(z, bias, out=z)
    dtype = check_float("product", a=a, b=b, **({} if bias is None else {"bias": bias}))
    a_turned, b_turned = _turned(a), _turned(b)
    if a_turned and b_turned:
        a, a_turned = np.ascontiguousarray(a), False
    z = memory.empty((m, n), dtype)
    # Where one of them is a vector, memory is the limit: each number of the other is used once.
    pieces = pieces_for(-(-m // ROWS) * -(-n // COLUMNS), 4 * work if vector else work)
    if b_turned:
        bias = _zeros(n, dtype) if bias is None else ready(bias)
        run(_dot_piece, _dot_driver, (ready(a), ready(b.T), _offsets(n, k), bias, z), pieces)
        return z
    a, b, step = (ready(a.T), ready(b), 1) if a_turned else (ready(a), ready(b), k)
    table = _table(k, m if a_turned else 1, n)
    run(_broadcast_piece, _broadcast_driver, (a.reshape(-1), b, table, _zeros(ROWS, dtype), z, step), pieces)
    return z if bias is None else np.add(z, bias, out=z)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    a = np.ones((65, 65), dtype)
    yield "product", lambda: product(a, a)
    yield "product, second factor transposed", lambda: product(a, a.T)


def _turned(matrix: np.ndarray) -> bool:
    """Whether the columns lie one after the other, and the rows don't."""
    return matrix.flags.f_contiguous and not matrix.flags.c_contiguous


@lru_cache(maxsize=256)
def _zeros(count: int, dtype: np.dtype) -> np.ndarray:
    return np.zeros(count, dtype)


@lru_cache(maxsize=1024)
def _offsets(rows: int, length: int) -> np.ndarray:
    return np.arange(rows) * length


@lru_cache(maxsize=1024)
def _table(count: int, a_step: int, b_step: int) -> np.ndarray:
    """Where a[0, k] and b[k, 0] stand, (K, 2)."""
    index = np.arange(count)
    return np.stack([index * a_step, index * b_step], axis=1)


@piece
def _broadcast_piece(a, b, table, zeros, z, a_step, index, pieces):
    (rows, columns), width = z.shape, WIDTH // z.itemsize
    vectors, blocks = -(-columns // width), -(-rows // ROWS)
    units = -(-vectors // COLUMNS) * blocks
    for unit in range(units * index // pieces, units * (index + 1) // pieces):
        # All rows of a before the next columns of b, which stay in the cache meanwhile.
        tile, block = unit // blocks, unit % blocks
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        broadcast_tile(
            m_end - m, v_end - v, a, m * a_step, a_step, table, 0, len(table), b, v * width, zeros, 0,
            z, m * columns + v * width, columns, min(width, columns - (v_end - 1) * width),
        )  # fmt: skip


@driver_of(_broadcast_piece)
def _broadcast_driver(address, a, b, table, zeros, z, a_step, pieces):
    for index in prange(pieces):
        call(address, (a, b, table, zeros, z, a_step), np.int64(index), pieces)


@piece
def _dot_piece(a, b, offsets, bias, z, index, pieces):
    (rows, columns), length, dots = z.shape, a.shape[1], np.empty(DOTS, z.dtype)
    blocks = -(-rows // ROWS)
    units = -(-columns // COLUMNS) * blocks
    for unit in range(units * index // pieces, units * (index + 1) // pieces):
        part, block = unit // blocks, unit % blocks
        n, n_end = part_begin(columns, COLUMNS, part), part_begin(columns, COLUMNS, part + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        dot_tile(m_end - m, n_end - n, a, m * length, length, 0, b, 0, offsets, n, 0, 1, length, dots, 0)
        for i in range(m, m_end):
            for j in range(n, n_end):
                z[i, j] = dots[(i - m) * (n_end - n) + j - n] + bias[j]


@driver_of(_dot_piece)
def _dot_driver(address, a, b, offsets, bias, z, pieces):
    for index in prange(pieces):
        call(address, (a, b, offsets, bias, z), np.int64(index), pieces)
