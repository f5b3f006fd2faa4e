"""Where the maxima of adaptive windows lie: windows of several sizes, which tile an image."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, floats, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.windows import Sizes, tiling

WORK = 5  # multiply-adds that take as long as a pixel, by a rough measurement


def max_indices(x: np.ndarray, output: Sizes) -> np.ndarray:
    """The place of the first maximum, or first NaN, of each window: x `(N, C, ...)` -> int64 `(N, C, *output)`.

    >>> max_indices(np.array([[[1.0, 5.0, 2.0]]]), (2,))
    array([[[1, 1]]])
    """
    (x,) = floats("adaptive_max_pool", "x", x)
    tables = _bounds(x.shape[2:], output)
    planes, sizes = prod(x.shape[:2]), (1,) * (3 - len(output)) + x.shape[2:]
    flat = x.reshape(planes, *sizes)
    if not COMPILED:
        return by_fallback(fallback.adaptive_max_indices, flat, tables).reshape(*x.shape[:2], *output)
    indices = memory.empty((*x.shape[:2], *output), np.int64)
    where = indices.reshape(planes, *[len(table) for table in tables])
    run(_max_kernel, (flat, where, *tables), chunks_for(planes, WORK * x.size))
    return indices


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x = np.ones((2, 1, 3), dtype)
    yield "max_indices", lambda: max_indices(x, (2,))


@planned
def _bounds(size: Sizes, output: Sizes) -> tuple[np.ndarray, ...]:
    """Per axis of three the first pixel of each window, and the one behind the last: (windows, 2)."""
    if min(size, default=0) < 1 or len(size) != len(output) > 3:
        raise ShapeError(restate("adaptive_max_pool", "x must have one to three spatial axes", size=size))
    more = 3 - len(size)
    axes = zip((1,) * more + size, (1,) * more + output, strict=True)
    return tuple([np.array([(w.start, w.stop) for w in tiling(n, m)]) for n, m in axes])


@kernel
def _max_kernel(x, indices, layers, rows, columns, index, chunks):
    for p in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        volume, target = x[p], indices[p]
        _, height, width = volume.shape
        for a in range(len(layers)):
            for b in range(len(rows)):
                for c in range(len(columns)):
                    first = (layers[a, 0] * height + rows[b, 0]) * width + columns[c, 0]
                    best, place = volume[layers[a, 0], rows[b, 0], columns[c, 0]], first
                    for d in range(layers[a, 0], layers[a, 1]):
                        for h in range(rows[b, 0], rows[b, 1]):
                            for w in range(columns[c, 0], columns[c, 1]):
                                value = volume[d, h, w]
                                if value > best or (value != value and best == best):
                                    best, place = value, (d * height + h) * width + w
                    target[a, b, c] = place
