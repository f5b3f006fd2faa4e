"""The gradients of a fully connected layer, z = x · wᵀ + b, taken together.

Of the two products, g · w for the input and gᵀ · x for the weight, each is little work in a small network; in one
parallel region the threads are woken once, and each takes its share of the one and then of the other. The tiles are
those of `matmul`, so the bits are those of two products.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache

import numpy as np

from tensorgrad import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.geometry import Sizes
from tensorgrad.kernels import matmul
from tensorgrad.kernels.runtime import address_of, call, floats, piece, pieces_for, run, zeros
from tensorgrad.kernels.simd import ROWS


def gradients(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂L/∂x = g · w and ∂L/∂w = gᵀ · x, given g = ∂L/∂z.

    g `(N, O)`, x `(N, I)`, w `(O, I)`, all float32 or all float64 -> dx `(N, I)`, dw `(O, I)`: the bits of
    `matmul.product`. Raises `ShapeError`, `DTypeError`.

    >>> gradients(np.array([[2.0]]), np.array([[3.0, 4.0]]), np.array([[5.0, 6.0]]))
    (array([[10., 12.]]), array([[6., 8.]]))
    """
    by_tiles, tiles, work = _plan(g.shape, x.shape, w.shape)
    if not by_tiles or not (g.flags.c_contiguous and x.flags.c_contiguous and w.flags.c_contiguous):
        return matmul.product(g, w), matmul.product(g.T, x)
    g, x, w = floats("linear_gradients", "g x w", g, x, w)
    (count, outputs), inputs, dtype = g.shape, x.shape[1], g.dtype
    dx, dw = memory.empty(x.shape, dtype), memory.empty(w.shape, dtype)
    tables = matmul.table(outputs, 1, inputs), matmul.table(count, outputs, inputs)
    arguments = (g, x, w, dx, dw, *tables, zeros(ROWS, dtype), _product(dtype))
    run(_gradients_piece, arguments, pieces_for(tiles, work))
    return dx, dw


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    a = np.ones((65, 65), dtype)
    yield "gradients", lambda: gradients(a, a, a)


@lru_cache(maxsize=1024)
def _plan(g_shape: Sizes, x_shape: Sizes, w_shape: Sizes) -> tuple[bool, int, int]:
    """Whether both products are made of tiles, of how many the larger one, and the work of the larger one."""
    for_x, for_w = matmul.plan(g_shape, w_shape), matmul.plan(g_shape[::-1], x_shape)
    if for_x is None or for_w is None or x_shape != (g_shape[0], w_shape[1]):
        expected = "g (N, O), x (N, I), w (O, I)"
        shapes = {"g": g_shape, "x": x_shape, "w": w_shape}
        raise ShapeError(restate("linear_gradients", "the sizes don't fit", expected=expected, **shapes))
    by_tiles = not for_x.blas and not for_w.blas
    # Two products, each too small for two threads, would gain less than it takes to wake the second.
    return by_tiles, max(for_x.tiles, for_w.tiles), max(for_x.work, for_w.work)


@cache
def _product(dtype: np.dtype) -> int:
    """Where the kernel stands that makes a product."""
    matrix, line, table = np.empty((0, 0), dtype), np.empty(0, dtype), np.empty((0, 2), np.int64)
    return address_of(matmul.broadcast_piece, (matrix, matrix, table, line, matrix, 0))


@piece
def _gradients_piece(g, x, w, dx, dw, x_table, w_table, zeros, product, index, pieces):
    call(product, (g, w, x_table, zeros, dx, g.shape[1]), index, pieces)
    call(product, (g, x, w_table, zeros, dw, 1), index, pieces)
