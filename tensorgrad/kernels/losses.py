"""Softmax cross-entropy, forward and backward in one pass each."""

from collections.abc import Callable, Iterator

import numpy as np
from numba import prange

from tensorgrad import memory
from tensorgrad.kernels.exponential import exponentials
from tensorgrad.kernels.runtime import call, check_float, driver_of, piece, pieces_for, ready, run

# Multiply-adds that take as long as an exponential, by a rough measurement.
WORK = 20


def cross_entropy(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln Σⱼ e^xⱼ − x[y] per row, and the softmax of each row: x `(N, C)`, y `(N,)` -> `(N,)`, `(N, C)`.

    x float32 or float64; y integers from 0 to C − 1, which the caller has checked. Stable for any x: the largest of a
    row is taken off first.

    >>> losses, probabilities = cross_entropy(np.zeros((1, 2)), np.array([1]))
    >>> losses, probabilities
    (array([0.69314718]), array([[0.5, 0.5]]))
    """
    dtype = check_float("cross_entropy", x=x)
    losses, probabilities = memory.empty(x.shape[:1], dtype), memory.empty(x.shape, dtype)
    arguments = (ready(x), ready(y.astype(np.int64, copy=False)), losses, probabilities)
    run(_forward_piece, _forward_driver, arguments, pieces_for(len(x), WORK * x.size))
    return losses, probabilities


def cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(softmax(x) − [j = y]) · g per row: g `(N,)`, probabilities `(N, C)`, y `(N,)` -> `(N, C)`.

    >>> cross_entropy_gradient(np.array([2.0]), np.array([[0.5, 0.5]]), np.array([1]))
    array([[ 1., -1.]])
    """
    dx = memory.empty(probabilities.shape, check_float("cross_entropy", g=g, probabilities=probabilities))
    arguments = (ready(g), ready(probabilities), ready(y.astype(np.int64, copy=False)), dx)
    run(_backward_piece, _backward_driver, arguments, pieces_for(len(g), dx.size))
    return dx


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, y = np.ones((2, 3), dtype), np.zeros(2, np.int64)
    yield "cross_entropy", lambda: cross_entropy(x, y)
    yield "cross_entropy_gradient", lambda: cross_entropy_gradient(x[:, 0], x, y)


@piece
def _forward_piece(x, y, losses, probabilities, index, pieces):
    for n in range(len(x) * index // pieces, len(x) * (index + 1) // pieces):
        row, out = x[n], probabilities[n]
        largest, total = exponentials(row, out)
        losses[n] = np.log(total) - (row[y[n]] - largest)
        share = x.dtype.type(1) / total
        for j in range(row.size):
            out[j] *= share


@driver_of(_forward_piece)
def _forward_driver(address, x, y, losses, probabilities, pieces):
    for index in prange(pieces):
        call(address, (x, y, losses, probabilities), np.int64(index), pieces)


@piece
def _backward_piece(g, probabilities, y, dx, index, pieces):
    for n in range(len(g) * index // pieces, len(g) * (index + 1) // pieces):
        source, target = probabilities[n], dx[n]
        for j in range(source.size):
            target[j] = source[j] * g[n]
        target[y[n]] = (source[y[n]] - 1) * g[n]


@driver_of(_backward_piece)
def _backward_driver(address, g, probabilities, y, dx, pieces):
    for index in prange(pieces):
        call(address, (g, probabilities, y, dx), np.int64(index), pieces)
