"""The gradients of a fully connected layer, z = x · wᵀ + b or max(x · wᵀ + b, 0), in one parallel region.

In a small network the two products, g · w for the input and gᵀ · x for the weight, are little work each, and waking the
threads takes as long. So one parallel region does everything: each thread computes a chunk of the first product, then
one of the second, then one of the bias's gradient. The kernels are those of `matmul` and `reduce`, so the results are
the same to the bit. After a rectifier each thread computes the whole upstream gradient for itself, which takes less
time than waiting for the others to compute their parts.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels.arguments import floats, zeros
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import COMPILED, address_of, call, chunks_for, inlined, kernel, run
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.linalg import matmul
from tensorgrad.kernels.reduce import columns, sums
from tensorgrad.kernels.simd.emitter import ROWS
from tensorgrad.windows import Sizes


def gradients(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, z: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """∂L/∂x = g · w, ∂L/∂w = gᵀ · x and ∂L/∂b = Σₙ g, given g = ∂L/∂z.

    With z, the output of a layer that ends in a rectifier, g counts as 0 where z ≤ 0. g, z `(N, O)`, x `(N, I)`,
    w `(O, I)`, all float32 or all float64 -> dx `(N, I)`, dw `(O, I)`, db `(O,)`, the same to the bit as by
    `pointwise.relu_gradient`, `matmul.product` and `sums.total`. Raises `ShapeError`, `DTypeError`.

    >>> gradients(np.array([[2.0]]), np.array([[3.0, 4.0]]), np.array([[5.0, 6.0]]))
    (array([[10., 12.]]), array([[6., 8.]]), array([2.]))
    """
    by_tiles, tiles, work = _plan(g.shape, x.shape, w.shape, None if z is None else z.shape)
    if not (COMPILED and by_tiles) or not (g.flags.c_contiguous and x.flags.c_contiguous and w.flags.c_contiguous):
        g = g if z is None else pointwise.relu_gradient(g, z)
        return matmul.product(g, w), matmul.product(g.T, x), sums.total(g, (0,))
    if z is None:
        g, x, w = floats("linear_gradients", "g x w", g, x, w)
    else:
        g, x, w, z = floats("linear_gradients", "g x w z", g, x, w, z)
    (count, outputs), inputs, dtype = g.shape, x.shape[1], g.dtype
    dx, dw, db = memory.empty(x.shape, dtype), memory.empty(w.shape, dtype), memory.empty((outputs,), dtype)
    tables = matmul.table(outputs, 1, inputs), matmul.table(count, outputs, inputs)
    chunks = chunks_for(tiles, work)
    # A copy of g for each thread, with 0 where z ≤ 0.
    masked = _empty(dtype) if z is None else memory.empty((chunks, count, outputs), dtype)
    addresses = _product_address(dtype), _sums_address(dtype)
    arguments = (g, g if z is None else z, x, w, dx, dw, db, masked, *tables, zeros(ROWS, dtype), *addresses)
    run(_gradients_kernel, arguments, chunks)
    return dx, dw, db


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    a = np.ones((65, 65), dtype)
    yield "gradients", lambda: gradients(a, a, a, a)


@lru_cache(maxsize=1024)
def _plan(g_shape: Sizes, x_shape: Sizes, w_shape: Sizes, z_shape: Sizes | None) -> tuple[bool, int, int]:
    """Whether one region computes everything; the number of tiles and the work of the larger product."""
    for_x, for_w = matmul.plan(g_shape, w_shape), matmul.plan(g_shape[::-1], x_shape)
    if for_x is None or for_w is None or x_shape != (g_shape[0], w_shape[1]) or z_shape not in (None, g_shape):
        shapes: dict[str, Any] = {"g": g_shape, "x": x_shape, "w": w_shape, "z": z_shape}
        problem = "the shapes must be g (N, O), x (N, I), w (O, I), z (N, O) or None"
        raise ShapeError(restate("linear_gradients", problem, **shapes))
    # NumPy sums a single column in another order than several.
    by_tiles = not for_x.blas and not for_w.blas and g_shape[1] > 1 and max(g_shape) <= sums.TERMS
    # If each product is too small for two threads, waking the second takes longer than it saves.
    return by_tiles, max(for_x.tiles, for_w.tiles), max(for_x.work, for_w.work)


@cache
def _empty(dtype: np.dtype) -> np.ndarray:
    """In place of `masked` without a rectifier, so that one compiled kernel serves both cases."""
    return np.empty((0, 0, 0), dtype)


@cache
def _product_address(dtype: np.dtype) -> int:
    """The address of the kernel for a product; the empty arrays only state the types of its arguments."""
    matrix, line, table = np.empty((0, 0), dtype), np.empty(0, dtype), np.empty((0, 2), np.int64)
    return address_of(matmul.broadcast_kernel, (matrix, matrix, table, line, matrix, 0))


@cache
def _sums_address(dtype: np.dtype) -> int:
    """The address of the kernel for sums."""
    block = np.empty((0, 0, 0), dtype)
    return address_of(columns.sums_kernel, (block, block, 0, 0.0, 0.0))


@kernel
def _gradients_kernel(g, z, x, w, dx, dw, db, masked, x_table, w_table, zeros, product, fold, index, chunks):
    """A chunk of dx (N, I), of dw (O, I) and of db (O,); `product` and `fold` are addresses of kernels."""
    count, outputs = g.shape
    if len(masked):
        _mask(g, z, masked[index])
        g = masked[index]
    call(product, (g, w, x_table, zeros, dx, outputs), index, chunks)
    call(product, (g, x, w_table, zeros, dw, 1), index, chunks)
    call(fold, (g.reshape(1, count, outputs), db.reshape(1, 1, outputs), count, 1.0, 1.0), index, chunks)


@inlined
def _mask(g, z, masked):
    """The rectifier's gradient: 0 where z ≤ 0, else g."""
    upstream, output, target, zero = flattened(g), flattened(z), flattened(masked), g.dtype.type(0)
    for k in range(target.size):
        # Both are read before one is chosen: LLVM doesn't vectorize a conditional read.
        value, above = upstream[k], output[k]
        target[k] = zero if above <= zero else value
