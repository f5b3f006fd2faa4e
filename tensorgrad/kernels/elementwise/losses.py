"""Softmax cross-entropy: forward and backward in one pass each."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import RangeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run, status_set
from tensorgrad.kernels.simd.exponential import exponentials

# The time of an exponential in multiply-adds; a rough measurement.
WORK = 20

INT64 = np.dtype(np.int64)


def cross_entropy(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln Σⱼ e^xⱼ − x[y] per row, and the softmax of each row: x `(N, C)`, y `(N,)` -> `(N,)`, `(N, C)`.

    x float32 or float64; y integers. Stable for any x: the maximum of a row is subtracted first. Raises `DTypeError`,
    and `RangeError` for a class outside [0, C).

    >>> losses, probabilities = cross_entropy(np.zeros((1, 2)), np.array([1]))
    >>> losses, probabilities
    (array([0.69314718]), array([[0.5, 0.5]]))
    """
    (x,) = floats("cross_entropy", "x", x)
    if not COMPILED:
        _check_classes((y < 0) | (y >= x.shape[1]), y, x)
        return by_fallback(fallback.cross_entropy, x, y)
    losses, probabilities = memory.empty(x.shape[:1], x.dtype), memory.empty(x.shape, x.dtype)
    chunks = chunks_for(len(x), WORK * x.size)
    invalid = memory.empty((chunks,), INT64)
    arguments = (x, as_contiguous(y.astype(INT64, copy=False)), losses, probabilities, invalid)
    run(_forward_kernel, arguments, chunks)
    _check_classes(invalid, y, x)
    return losses, probabilities


def cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(softmax(x) − [j = y]) · g per row: g `(N,)`, probabilities `(N, C)`, y `(N,)` -> `(N, C)`.

    Raises `DTypeError`, and `RangeError` for a class outside [0, C): labels may have changed since the forward pass.

    >>> cross_entropy_gradient(np.array([2.0]), np.array([[0.5, 0.5]]), np.array([1]))
    array([[ 1., -1.]])
    """
    g, probabilities = floats("cross_entropy", "g probabilities", g, probabilities)
    if not COMPILED:
        _check_classes((y < 0) | (y >= probabilities.shape[1]), y, probabilities)
        return by_fallback(fallback.cross_entropy_gradient, g, probabilities, y)
    dx = memory.empty(probabilities.shape, g.dtype)
    chunks = chunks_for(len(g), dx.size)
    invalid = memory.empty((chunks,), INT64)
    arguments = (g, probabilities, as_contiguous(y.astype(INT64, copy=False)), dx, invalid)
    run(_backward_kernel, arguments, chunks)
    _check_classes(invalid, y, probabilities)
    return dx


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, y = np.ones((2, 3), dtype), np.zeros(2, np.int64)
    yield "cross_entropy", lambda: cross_entropy(x, y)
    yield "cross_entropy_gradient", lambda: cross_entropy_gradient(x[:, 0], x, y)


def _check_classes(invalid: np.ndarray, y: np.ndarray, rows: np.ndarray) -> None:
    """Raise RangeError if the kernels counted classes out of range, which they skip."""
    if status_set(invalid):
        problem = f"class indices must be in [0, {rows.shape[1]}), got {y.min()} to {y.max()}"
        raise RangeError(restate("cross_entropy", problem, y=y, rows=rows))


@kernel
def _forward_kernel(x, y, losses, probabilities, invalid, index, chunks):
    invalid[index] = 0
    for n in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        if not 0 <= y[n] < x.shape[1]:
            invalid[index] += 1
            continue
        row, out = x[n], probabilities[n]
        largest, total = exponentials(row, out)
        losses[n] = np.log(total) - (row[y[n]] - largest)
        scale = x.dtype.type(1) / total
        for j in range(row.size):
            out[j] *= scale


@kernel
def _backward_kernel(g, probabilities, y, dx, invalid, index, chunks):
    invalid[index] = 0
    for n in range(len(g) * index // chunks, len(g) * (index + 1) // chunks):
        if not 0 <= y[n] < dx.shape[1]:
            invalid[index] += 1
            continue
        source, target = probabilities[n], dx[n]
        for j in range(source.size):
            target[j] = source[j] * g[n]
        target[y[n]] = (source[y[n]] - 1) * g[n]
