"""Reading and writing the pixels of each channel by their places, for max pooling that returns indices."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import RangeError, ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run, status_set
from tensorgrad.windows import Sizes

WORK = 5  # multiply-adds that take as long as an element, by a rough measurement

PICK, ADD, PUT = 0, 1, 2
"""What the kernel does: read, add to zeros, or write over zeros, where of equal places the last one counts."""


def pick(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """z[n, c, p] = x[n, c, indices[n, c, p]], x `(N, C, ...)` and indices `(N, C, ...)`, with flat spatial axes.

    >>> pick(np.array([[[5.0, 6.0, 7.0]]]), np.array([[[2, 0]]]))
    array([[[7., 5.]]])
    """
    return _select(PICK, x, indices, indices.shape[2:])


def add(g: np.ndarray, indices: np.ndarray, size: Sizes) -> np.ndarray:
    """z[n, c, indices[n, c, p]] += g[n, c, p] on zeros of `(N, C, *size)`.

    >>> add(np.array([[[1.0, 2.0]]]), np.array([[[1, 1]]]), (3,))
    array([[[0., 3., 0.]]])
    """
    return _select(ADD, g, indices, size)


def put(x: np.ndarray, indices: np.ndarray, size: Sizes) -> np.ndarray:
    """z[n, c, indices[n, c, p]] = x[n, c, p] on zeros of `(N, C, *size)`.

    >>> put(np.array([[[1.0, 2.0]]]), np.array([[[1, 1]]]), (3,))
    array([[[0., 2., 0.]]])
    """
    return _select(PUT, x, indices, size)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x, indices = np.ones((2, 1, 2), dtype), np.zeros((2, 1, 2), np.int64)
    yield "pick", lambda: pick(x, indices)


def _select(mode: int, x: np.ndarray, indices: np.ndarray, size: Sizes) -> np.ndarray:
    op, places = "max_unpool", x.shape[2:] if mode == PICK else size
    if indices.shape[:2] != x.shape[:2] or (mode != PICK and indices.shape != x.shape):
        raise ShapeError(restate(op, "indices must fit the array", x=x, indices=indices))
    (x,), indices = floats(op, "x", x), as_contiguous(indices.astype(np.int64, copy=False))
    planes = prod(x.shape[:2])
    z = memory.empty((*x.shape[:2], *size), x.dtype)
    pixels, entries = prod(places), prod(indices.shape[2:])
    whole = x if mode == PICK else z
    values = z if mode == PICK else x
    strays = memory.empty((chunks_for(planes, WORK * planes * (pixels + entries)),), np.int64)
    flat = (whole.reshape(planes, pixels), values.reshape(planes, entries), indices.reshape(planes, entries))
    if not COMPILED:
        strays[:] = ((indices < 0) | (indices >= pixels)).any()
        if not strays.any():
            by_fallback(fallback.select, mode, *flat)
    else:
        run(_select_kernel, (*flat, np.intp(mode), strays), len(strays))
    if status_set(strays):
        problem = f"indices must be places in [0, {pixels}), the pixels of a channel of size {places}"
        raise RangeError(restate(op, problem, indices=indices))
    return z


@kernel
def _select_kernel(whole, values, places, mode, strays, index, chunks):
    strays[index] = 0
    for p in range(len(whole) * index // chunks, len(whole) * (index + 1) // chunks):
        pixels, entries, where = whole[p], values[p], places[p]
        if mode != PICK:
            for q in range(pixels.size):
                pixels[q] = 0
        for q in range(where.size):
            k = where[q]
            if not 0 <= k < pixels.size:
                strays[index] += 1
            elif mode == PICK:
                entries[q] = pixels[k]
            elif mode == ADD:
                pixels[k] += entries[q]
            else:
                pixels[k] = entries[q]
