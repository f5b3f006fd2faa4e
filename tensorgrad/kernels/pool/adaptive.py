"""Where maxima lie in windows without one stride: adaptive ones, which tile an image, and fractional ones."""

from collections.abc import Callable, Iterator, Sequence
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.windows import Sizes, tiling

WORK = 5  # multiply-adds that take as long as a pixel, by a rough measurement


def max_indices(x: np.ndarray, output: Sizes) -> np.ndarray:
    """The place of the first maximum, or first NaN, of each window: x `(N, C, ...)` -> int64 `(N, C, *output)`.

    >>> max_indices(np.array([[[1.0, 5.0, 2.0]]]), (2,))
    array([[[1, 1]]])
    """
    (x,) = floats("adaptive_max_pool", "x", x)
    return _indices(x, _bounds(x.shape[2:], output), output)


def fractional_indices(x: np.ndarray, random: np.ndarray, window: Sizes, output: Sizes) -> np.ndarray:
    """The same for windows of one size whose starts each channel draws: `random` `(N, C, axes)` in [0, 1).

    Window i starts at ⌊(i + u) α⌋ − ⌊u α⌋, α = (n − k) / (m − 1), and the last one at n − k.

    >>> fractional_indices(np.array([[[1.0, 5.0, 2.0, 7.0]]]), np.array([[[0.0]]]), (2,), (2,))
    array([[[1, 3]]])
    """
    (x,) = floats("fractional_max_pool", "x", x)
    tables = [np.array([[(0, 1)]])] * (3 - len(output))  # of an axis of length 1
    for u, n, k, m in zip(random.reshape(-1, len(output)).T, x.shape[2:], window, output, strict=True):
        step = x.dtype.type(n - k) / x.dtype.type(max(m - 1, 1))
        starts = ((np.arange(m, dtype=x.dtype) + u[:, None]) * step).astype(np.int64)
        starts -= (u * step).astype(np.int64)[:, None]
        starts[:, -1] = n - k
        tables.append(np.stack([starts, starts + k], -1))
    return _indices(x, tables, output)


def _indices(x: np.ndarray, tables: Sequence[np.ndarray], output: Sizes) -> np.ndarray:
    planes, sizes = prod(x.shape[:2]), (1,) * (3 - len(output)) + x.shape[2:]
    flat = x.reshape(planes, *sizes)
    if not COMPILED:
        return by_fallback(fallback.window_max_indices, flat, tables).reshape(*x.shape[:2], *output)
    indices = memory.empty((*x.shape[:2], *output), np.int64)
    where = indices.reshape(planes, *[table.shape[1] for table in tables])
    run(_max_kernel, (flat, where, *tables), chunks_for(planes, WORK * x.size))
    return indices


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x = np.ones((2, 1, 3), dtype)
    yield "max_indices", lambda: max_indices(x, (2,))
    random = np.zeros((2, 1, 1), dtype)
    yield "fractional_indices", lambda: fractional_indices(x, random, (2,), (2,))


@planned
def _bounds(size: Sizes, output: Sizes) -> tuple[np.ndarray, ...]:
    """Per axis of three each window's first pixel, and the one behind its last: (1, windows, 2), for all planes."""
    if min(size, default=0) < 1 or len(size) != len(output) > 3:
        raise ShapeError(restate("adaptive_max_pool", "x must have one to three spatial axes", size=size))
    more = 3 - len(size)
    axes = zip((1,) * more + size, (1,) * more + output, strict=True)
    return tuple([np.array([[(w.start, w.stop) for w in tiling(n, m)]]) for n, m in axes])


@kernel
def _max_kernel(x, indices, all_layers, all_rows, all_columns, index, chunks):
    for p in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        volume, target = x[p], indices[p]
        _, height, width = volume.shape
        # One table serves all planes, or each has its own.
        layers, rows = all_layers[p % len(all_layers)], all_rows[p % len(all_rows)]
        columns = all_columns[p % len(all_columns)]
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
