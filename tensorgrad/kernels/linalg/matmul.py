"""Products of two matrices, in tiles of vectors, on the same threads as all other kernels.

A BLAS has threads of its own, and after each product they spin for a while, waiting for the next: beside kernels of
ours a step of LeNet-5 took half as long again. So products that a BLAS would cut up for its threads are made here, and
others that tiles suit as well: between kernels a BLAS must fetch its code and its buffers first.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import reference
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    INLINE,
    as_contiguous,
    by_reference,
    check_float,
    chunks_for,
    kernel,
    run,
    zeros,
)
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.reduce import sums
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, WIDTH, lanes
from tensorgrad.kernels.simd.tiles import DOTS, broadcast_tile, dot_tile, part_begin, turn_rows
from tensorgrad.windows import Sizes

# Multiply-adds up to which OpenBLAS stays on one thread, for matrices and where one of them is a vector. Within, it
# computes products of so few columns that they would leave most of a vector empty.
ONE_THREAD, ONE_THREAD_VECTOR, SHORT = 1 << 18, 9216, 8

# Numbers in either factor above which a BLAS, which packs them, is faster: squares of 1024 took us 0.83 of OpenBLAS's
# time, squares of 1536 took 1.12.
LARGE = 3 << 19

# Rows from which it pays to turn a second factor whose columns lie in line, a panel at a time: dot products of few
# numbers spend half of their time on the sums over their lanes. Those of many don't: a row more for each `LONG`.
TURNED, LONG = 24, 48

# Infinities and NaN are values here: no warnings. Kernels give none, so only what NumPy computes pays for this.
_quiet = np.errstate(all="ignore")


def product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, rectified: bool = False) -> np.ndarray:
    """z[m, n] = Σ_k a[m, k] · b[k, n] + bias[n], and max(z, 0) if `rectified`, float32 or float64.

    a `(M, K)`, b `(K, N)`, bias `(N,)` or None -> `(M, N)`. Transposed views of contiguous matrices are read as they
    lie. Raises `ShapeError`, `DTypeError`.

    >>> product(np.ones((2, 3)), np.ones((3, 2)), np.array([0.5, 1.0]))
    array([[3.5, 4. ],
           [3.5, 4. ]])
    """
    how = plan(a.shape, b.shape, None if bias is None else bias.shape)
    if how is None:
        expected = "a (M, K), b (K, N), bias (N,) or None"
        raise ShapeError(restate("product", "the sizes don't fit", expected=expected, a=a, b=b, bias=bias))
    (m, k, n), blas, tiles, work = how
    if k > sums.TERMS:
        z = sums.product_in_parts(product, a, b)
        z = z if bias is None else _plus(z, bias)
        return pointwise.relu(z) if rectified else z
    if blas or not COMPILED:
        z = _blas_product(a, b, bias) if COMPILED else by_reference(reference.product, a, b, bias)
        return pointwise.relu(z) if rectified else z
    dtype = check_float("product", a=a, b=b) if bias is None else check_float("product", a=a, b=b, bias=bias)
    # Whether the columns lie one after the other, and the rows don't.
    a_turned, b_turned = a.flags.fnc, b.flags.fnc
    if a_turned and b_turned:
        a, a_turned = np.ascontiguousarray(a), False
    z, chunks = memory.empty((m, n), dtype), chunks_for(tiles, work)
    if b_turned:
        bias = zeros(n, dtype) if bias is None else as_contiguous(bias)
        return _by_columns(as_contiguous(a), as_contiguous(b.T), bias, z, rectified, chunks)
    a, step = (as_contiguous(a.T), 1) if a_turned else (as_contiguous(a), k)
    places = table(k, m if a_turned else 1, n)
    run(broadcast_kernel, (a, as_contiguous(b), places, zeros(ROWS, dtype), z, step), chunks)
    z = z if bias is None else _plus(z, bias)
    return pointwise.relu(z) if rectified else z


def _by_columns(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray, z: np.ndarray, rectified: bool, chunks: int
) -> np.ndarray:
    """`product` for a (M, K) and b (N, K), whose rows are the columns of the second factor. The arrays are `ready`."""
    (m, k), n, width = a.shape, len(b), lanes(a.dtype)
    if m < max(TURNED, k // LONG):
        run(_dot_kernel, (a, b, _offsets(n, k), bias, z, rectified), chunks)
        return z
    panels = memory.empty((chunks, -(-k // width) * width * COLUMNS * width), a.dtype)
    arguments = (a, b, table(k, 1, COLUMNS * width), zeros(ROWS, a.dtype), bias, z, panels, rectified)
    run(_turned_kernel, arguments, chunks)
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    a = np.ones((65, 65), dtype)
    yield "product", lambda: product(a, a)
    yield "product, second factor transposed", lambda: product(a, a.T)
    yield "product of few rows, second factor transposed", lambda: product(a[:8], a.T)


class Plan(NamedTuple):
    """What follows from the shapes of a product."""

    sizes: Sizes  # (M, K, N)
    blas: bool  # whether a BLAS computes it
    tiles: int  # into how many it falls otherwise
    work: int  # multiply-adds, or what takes as long


@lru_cache(maxsize=1024)
def plan(a_shape: Sizes, b_shape: Sizes, bias_shape: Sizes | None = None) -> Plan | None:
    """How a product of these shapes is computed; None where there is none."""
    if len(a_shape) != 2 or len(b_shape) != 2 or a_shape[1] != b_shape[0] or bias_shape not in (None, b_shape[1:]):
        return None
    sizes = m, k, n = *a_shape, b_shape[1]
    work, vector = m * n * k, 1 in sizes
    little = work <= (ONE_THREAD_VECTOR if vector else ONE_THREAD)
    blas = (little and n < SHORT) or min(m * k, k * n) > LARGE
    # Where one of them is a vector, memory is the limit: each number of the other is used once.
    return Plan(sizes, blas, -(-m // ROWS) * -(-n // COLUMNS), 2 * work if vector else work)


@_quiet
def _blas_product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    z = np.multiply(a, b) if a.shape[1] == 1 else np.matmul(a, b)
    return z if bias is None else np.add(z, bias, out=z)


@_quiet
def _plus(z: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.add(z, bias, out=z)


@planned
def _offsets(rows: int, length: int) -> np.ndarray:
    return np.arange(rows) * length


@planned
def table(count: int, a_step: int, b_step: int) -> np.ndarray:
    """Where a[0, k] and b[k, 0] stand, (K, 2), for `broadcast_piece`."""
    index = np.arange(count)
    return np.stack([index * a_step, index * b_step], axis=1)


@kernel
def broadcast_kernel(a, b, table, zeros, z, a_step, index, chunks):
    """z (M, N) = Σ_k a[m · a_step + table[k, 0]] · b[table[k, 1] + n]; `zeros` are as many as a tile has rows."""
    (rows, columns), width = z.shape, WIDTH // z.itemsize
    vectors, blocks = -(-columns // width), -(-rows // ROWS)
    units = -(-vectors // COLUMNS) * blocks
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        # All rows of a before the next columns of b, which stay in the cache meanwhile.
        tile, block = unit // blocks, unit % blocks
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        broadcast_tile(
            m_end - m, v_end - v, a, m * a_step, a_step, table, 0, len(table), b, v * width, zeros, 0,
            z, m * columns + v * width, columns, min(width, columns - (v_end - 1) * width),
        )  # fmt: skip


@register_jitable(**INLINE)
def _finished(value, zero, rectified):
    # As `pointwise.relu`: NaN is carried.
    return zero if rectified and value <= zero else value


@kernel
def _dot_kernel(a, b, offsets, bias, z, rectified, index, chunks):
    (rows, columns), length, dots, zero = z.shape, a.shape[1], np.empty(DOTS, z.dtype), z.dtype.type(0)
    blocks = -(-rows // ROWS)
    units = -(-columns // COLUMNS) * blocks
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        part, block = unit // blocks, unit % blocks
        n, n_end = part_begin(columns, COLUMNS, part), part_begin(columns, COLUMNS, part + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        dot_tile(m_end - m, n_end - n, a, m * length, length, 0, b, 0, offsets, n, 0, 1, length, dots, 0)
        for i in range(m, m_end):
            for j in range(n, n_end):
                z[i, j] = _finished(dots[(i - m) * (n_end - n) + j - n] + bias[j], zero, rectified)


@kernel
def _turned_kernel(a, b, table, zeros, bias, z, panels, rectified, index, chunks):
    """As `_dot_piece`, tiles of columns after each other, of each of which b (N, K) is turned into a panel first."""
    (rows, columns), width, length, panel = z.shape, WIDTH // z.itemsize, a.shape[1], panels[index]
    vectors, blocks = -(-columns // width), -(-rows // ROWS)
    units, turned, zero = -(-vectors // COLUMNS) * blocks, -1, z.dtype.type(0)
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        tile, block = unit // blocks, unit % blocks
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        n, n_end = v * width, min(v_end * width, columns)
        if turned != tile:
            turn_rows(panel, 0, COLUMNS * width, b, n * length, length, n_end - n, length)
            turned = tile
        broadcast_tile(
            m_end - m, v_end - v, a, m * length, length, table, 0, length, panel, 0, zeros, 0,
            z, m * columns + n, columns, n_end - (v_end - 1) * width,
        )  # fmt: skip
        for i in range(m, m_end):
            for j in range(n, n_end):
                z[i, j] = _finished(z[i, j] + bias[j], zero, rectified)
