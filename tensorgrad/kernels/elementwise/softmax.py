"""Softmax and its logarithm along the last axis, and their gradients, row by row: a row stays in cache.

All take floats `(..., C)`, float32 or float64, and return that shape. Stable for any finite logits: the maximum of a
row is subtracted first.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, check_float
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run
from tensorgrad.kernels.simd.exponential import exponential, exponentials

# The time per element in multiply-adds, with an exponential and without; a rough measurement.
EXPONENTIAL_WORK, WORK = 30, 5


def softmax(x: np.ndarray) -> np.ndarray:
    """e^xᵢ / Σⱼ e^xⱼ.

    >>> softmax(np.array([[1e4, 1e4], [0.0, -1e4]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    z = memory.empty(x.shape, check_float("softmax", x=x))
    if not COMPILED:
        return by_fallback(fallback.softmax, x)
    return _by_row(_softmax_kernel, EXPONENTIAL_WORK, z, x)


def softmax_gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
    """zᵢ · (gᵢ − Σⱼ gⱼ zⱼ) for the softmax z.

    >>> softmax_gradient(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    array([ 0.25, -0.25])
    """
    dx = memory.empty(z.shape, check_float("softmax", g=g, z=z))
    if not COMPILED:
        return by_fallback(fallback.softmax_gradient, g, z)
    return _by_row(_softmax_gradient_kernel, WORK, dx, g, z)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """xᵢ − ln Σⱼ e^xⱼ.

    >>> log_softmax(np.array([0.0, -1e4]))
    array([     0., -10000.])
    """
    z = memory.empty(x.shape, check_float("log_softmax", x=x))
    if not COMPILED:
        return by_fallback(fallback.log_softmax, x)
    return _by_row(_log_softmax_kernel, EXPONENTIAL_WORK, z, x)


def log_softmax_gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
    """gᵢ − e^zᵢ · Σⱼ gⱼ for the logarithm z of a softmax.

    >>> log_softmax_gradient(np.array([1.0, 0.0]), np.log([0.5, 0.5]))
    array([ 0.5, -0.5])
    """
    dx = memory.empty(z.shape, check_float("log_softmax", g=g, z=z))
    if not COMPILED:
        return by_fallback(fallback.log_softmax_gradient, g, z)
    return _by_row(_log_softmax_gradient_kernel, EXPONENTIAL_WORK, dx, g, z)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones((2, 3), dtype)
    yield "softmax", lambda: softmax(x)
    yield "softmax_gradient", lambda: softmax_gradient(x, x)
    yield "log_softmax", lambda: log_softmax(x)
    yield "log_softmax_gradient", lambda: log_softmax_gradient(x, x)


def _by_row(kernel: Callable, work: int, out: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    # (..., C) -> (M, C)
    classes = out.shape[-1] if out.ndim else 1
    rows = [as_contiguous(array).reshape(out.size // max(classes, 1), classes) for array in (*arrays, out)]
    run(kernel, tuple(rows), chunks_for(len(rows[0]), work * out.size))
    return out


@kernel
def _softmax_kernel(x, z, index, chunks):
    for n in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        out = z[n]
        _, total = exponentials(x[n], out)
        scale = x.dtype.type(1) / total
        for j in range(out.size):
            out[j] *= scale


@kernel
def _softmax_gradient_kernel(g, z, dx, index, chunks):
    for n in range(len(g) * index // chunks, len(g) * (index + 1) // chunks):
        upstream, probabilities, out, wide = g[n], z[n], dx[n], 0.0
        for j in range(out.size):
            wide += upstream[j] * probabilities[j]
        inner = z.dtype.type(wide)
        for j in range(out.size):
            out[j] = probabilities[j] * (upstream[j] - inner)


@kernel
def _log_softmax_kernel(x, z, index, chunks):
    for n in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        row, out = x[n], z[n]
        largest, total = exponentials(row, out)
        log_total = np.log(total)
        for j in range(out.size):
            # In this order: a large maximum + ln Σ would lose the digits of ln Σ.
            out[j] = (row[j] - largest) - log_total


@kernel
def _log_softmax_gradient_kernel(g, z, dx, index, chunks):
    for n in range(len(g) * index // chunks, len(g) * (index + 1) // chunks):
        upstream, logs, out, wide = g[n], z[n], dx[n], 0.0
        for j in range(out.size):
            wide += upstream[j]
        total = z.dtype.type(wide)
        for j in range(out.size):
            out[j] = upstream[j] - exponential(logs[j]) * total
