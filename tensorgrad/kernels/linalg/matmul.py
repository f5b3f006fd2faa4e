"""Matrix products in tiles of vectors, on the same threads as all other kernels.

A BLAS has threads of its own, which spin for a while after each product, waiting for the next: with them a step of
LeNet-5 took 1.5 times as long. So this module computes the products that a BLAS would split among its threads, and
others for which tiles are as fast: between other kernels a BLAS must first load its code and buffers into the caches.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.arrays.quiet import quiet
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import check_float, floats, zeros
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.reduce import sums
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, WIDTH, lanes
from tensorgrad.kernels.simd.tiles import DOTS, broadcast_tile, dot_tile, part_begin, turn_rows
from tensorgrad.windows import Sizes

# ONE_THREAD: multiply-adds up to which OpenBLAS uses one thread for two matrices.
# ONE_THREAD_VECTOR: the same for a matrix and a vector.
# SHORT: columns below which products of at most so many multiply-adds are left to the BLAS, since most lanes of a
# vector would be empty.
ONE_THREAD, ONE_THREAD_VECTOR, SHORT = 1 << 18, 9216, 8

# Elements of a factor above which a BLAS, which packs its factors, is faster: products of 1024 × 1024 matrices took
# 0.83 of OpenBLAS's time here, those of 1536 × 1536 matrices 1.12.
LARGE = 3 << 19

# From max(PACKED_ROWS, K / LONG) rows on it pays to transpose a second factor in column order, a panel at a time. Short
# dot products spend half of their time on the sums over their lanes; the longer they are, the less these matter.
PACKED_ROWS, LONG = 24, 48


def product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """z[m, n] = Σ_k a[m, k] · b[k, n] + bias[n], float32 or float64.

    a `(M, K)`, b `(K, N)`, bias `(N,)` or None -> `(M, N)`. Transposed views of contiguous matrices aren't copied.
    Raises `ShapeError`, `DTypeError`.

    >>> product(np.ones((2, 3)), np.ones((3, 2)), np.array([0.5, 1.0]))
    array([[3.5, 4. ],
           [3.5, 4. ]])
    """
    how = plan(a.shape, b.shape, None if bias is None else bias.shape)
    if how is None:
        problem = "the shapes must be a (M, K), b (K, N), bias (N,) or None"
        raise ShapeError(restate("product", problem, a=a, b=b, bias=bias))
    (m, k, n), blas, tiles, work = how
    # Long sums in parts, which are added up in float64.
    if k > sums.TERMS:
        z = sums.product_in_parts(product, a, b)
        return z if bias is None else _plus(z, bias)
    # Small products with few columns, and large ones, by the BLAS; all of them where no kernels are compiled.
    if blas or not COMPILED:
        return _blas_product(a, b, bias) if COMPILED else by_fallback(fallback.product, a, b, bias)
    dtype = a.dtype
    if b.dtype is not dtype or dtype not in KERNEL_FLOATS or (bias is not None and bias.dtype is not dtype):
        arrays = {"a": a, "b": b} if bias is None else {"a": a, "b": b, "bias": bias}
        dtype = check_float("product", **arrays)
    # fnc: Fortran- and not C-contiguous, so a transposed view.
    a_transposed, b_transposed = a.flags.fnc, b.flags.fnc
    if a_transposed and b_transposed:
        a, a_transposed = np.ascontiguousarray(a), False  # no kernel takes both transposed
    z, chunks = memory.empty((m, n), dtype), chunks_for(tiles, work)
    # b transposed: dot products of rows of a and rows of bᵀ, or b transposed back by panels.
    if b_transposed:
        a, b, bias = floats("product", "a b bias", a, b.T, zeros(n, dtype) if bias is None else bias)
        return _by_columns(a, b, bias, z, chunks)
    # Otherwise rows of b, times numbers of a: the kernel takes a in either order.
    a, step = (a.T, 1) if a_transposed else (a, k)
    a, b = floats("product", "a b", a, b)
    places = table(k, m if a_transposed else 1, n)
    run(broadcast_kernel, (a, b, places, zeros(ROWS, dtype), z, step), chunks)
    return z if bias is None else _plus(z, bias)


def _by_columns(a: np.ndarray, b: np.ndarray, bias: np.ndarray, z: np.ndarray, chunks: int) -> np.ndarray:
    """`product` for a (M, K) and b (N, K), whose rows are the columns of the second factor; contiguous arrays."""
    (m, k), n = a.shape, len(b)
    if m < max(PACKED_ROWS, k // LONG):
        run(_dot_kernel, (a, b, _offsets(n, k), bias, z), chunks)
        return z
    width = lanes(a.dtype)
    panels = memory.empty((chunks, -(-k // width) * width * COLUMNS * width), a.dtype)
    arguments = (a, b, table(k, 1, COLUMNS * width), zeros(ROWS, a.dtype), bias, z, panels)
    run(_packed_kernel, arguments, chunks)
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    a = np.ones((65, 65), dtype)
    yield "product", lambda: product(a, a)
    yield "product, second factor transposed", lambda: product(a, a.T)
    yield "product of few rows, second factor transposed", lambda: product(a[:8], a.T)


class Plan(NamedTuple):
    """How a product of given shapes is computed."""

    sizes: Sizes  # (M, K, N)
    blas: bool  # whether a BLAS computes it
    tiles: int  # the number of tiles otherwise
    work: int  # in multiply-adds


@lru_cache(maxsize=1024)
def plan(a_shape: Sizes, b_shape: Sizes, bias_shape: Sizes | None = None) -> Plan | None:
    """How a product of these shapes is computed; None for shapes that don't match."""
    if len(a_shape) != 2 or len(b_shape) != 2 or a_shape[1] != b_shape[0] or bias_shape not in (None, b_shape[1:]):
        return None
    sizes = m, k, n = *a_shape, b_shape[1]
    work, vector = m * n * k, 1 in sizes
    little = work <= (ONE_THREAD_VECTOR if vector else ONE_THREAD)
    blas = (little and n < SHORT) or min(m * k, k * n) > LARGE
    # With a vector, memory is the limit: each element of the matrix is used once.
    return Plan(sizes, blas, -(-m // ROWS) * -(-n // COLUMNS), 2 * work if vector else work)


@quiet
def _blas_product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    # K = 1: (M, 1) · (1, N) is an outer product, by broadcasting.
    z = np.multiply(a, b) if a.shape[1] == 1 else np.matmul(a, b)
    return z if bias is None else np.add(z, bias, out=z)


@quiet
def _plus(z: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.add(z, bias, out=z)


@planned
def _offsets(rows: int, length: int) -> np.ndarray:
    return np.arange(rows) * length


@planned
def table(count: int, a_step: int, b_step: int) -> np.ndarray:
    """The offset table of `broadcast_kernel`, (K, 2): those of a[0, k] and b[k, 0]."""
    index = np.arange(count)
    return np.stack([index * a_step, index * b_step], axis=1)


@kernel
def broadcast_kernel(a, b, table, zeros, z, a_step, index, chunks):
    """z (M, N) = Σ_k a[m · a_step + table[k, 0]] · b[table[k, 1] + n]; `zeros` has one zero per row of a tile."""
    (rows, columns), width = z.shape, WIDTH // z.itemsize
    vectors, blocks = -(-columns // width), -(-rows // ROWS)
    units = -(-vectors // COLUMNS) * blocks
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        # All rows of a before the next columns of b, so that the columns stay in the cache.
        tile, block = unit // blocks, unit % blocks
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        broadcast_tile(
            m_end - m, v_end - v, a, m * a_step, a_step, table, 0, len(table), b, v * width, zeros, 0,
            z, m * columns + v * width, columns, min(width, columns - (v_end - 1) * width),
        )  # fmt: skip


@kernel
def _dot_kernel(a, b, offsets, bias, z, index, chunks):
    """z (M, N) = a (M, K) · bᵀ + bias (N,) for b (N, K), as dot products of rows; `offsets` (N,) are those of b's."""
    (rows, columns), length, dots = z.shape, a.shape[1], np.empty(DOTS, z.dtype)
    blocks = -(-rows // ROWS)
    units = -(-columns // COLUMNS) * blocks
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        part, block = unit // blocks, unit % blocks
        n, n_end = part_begin(columns, COLUMNS, part), part_begin(columns, COLUMNS, part + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        dot_tile(m_end - m, n_end - n, a, m * length, length, 0, b, 0, offsets, n, 0, 1, 0, 1, length, dots, 0)
        for i in range(m, m_end):
            for j in range(n, n_end):
                z[i, j] = dots[(i - m) * (n_end - n) + j - n] + bias[j]


@kernel
def _packed_kernel(a, b, table, zeros, bias, z, panels, index, chunks):
    """As `_dot_kernel`, but the columns of each tile of b (N, K) are first transposed into a panel."""
    (rows, columns), width, length, panel = z.shape, WIDTH // z.itemsize, a.shape[1], panels[index]
    vectors, blocks = -(-columns // width), -(-rows // ROWS)
    units, packed = -(-vectors // COLUMNS) * blocks, -1
    for unit in range(units * index // chunks, units * (index + 1) // chunks):
        tile, block = unit // blocks, unit % blocks
        v, v_end = part_begin(vectors, COLUMNS, tile), part_begin(vectors, COLUMNS, tile + 1)
        m, m_end = part_begin(rows, ROWS, block), part_begin(rows, ROWS, block + 1)
        n, n_end = v * width, min(v_end * width, columns)
        if packed != tile:
            turn_rows(panel, 0, COLUMNS * width, b, n * length, length, n_end - n, length)
            packed = tile
        broadcast_tile(
            m_end - m, v_end - v, a, m * length, length, table, 0, length, panel, 0, zeros, 0,
            z, m * columns + n, columns, n_end - (v_end - 1) * width,
        )  # fmt: skip
        for i in range(m, m_end):
            for j in range(n, n_end):
                z[i, j] += bias[j]
