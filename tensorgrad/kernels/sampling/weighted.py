"""Weighted sums of pixels at given places: a trio, linear in each array, whose derivatives are one another.

All take k `(N, Q, T)`, int64: the places of T pixels for each of Q results among the P of a channel; −1 is no pixel.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit.dispatch import COMPILED, as_contiguous, by_fallback, chunks_for, floats, kernel, run

WORK = 3  # multiply-adds that take as long as a pixel that is read by its place, by a rough measurement


def sample(x: np.ndarray, w: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Σ_t w[n, q, t] · x[n, c, k[n, q, t]]: x `(N, C, P)`, w `(N, Q, T)` -> `(N, C, Q)`.

    >>> sample(np.array([[[5.0, 7.0]]]), np.array([[[0.5, 0.5]]]), np.array([[[0, 1]]]))
    array([[[6.]]])
    """
    (x, w), k = floats("grid_sample", "x w", x, w), _places(k, x.shape[2], w.shape, (len(x), *k.shape[1:]))
    if not COMPILED:
        return by_fallback(fallback.sample, x, w, k)
    z = memory.empty((*x.shape[:2], k.shape[1]), x.dtype)
    run(_sample_kernel, (x, w, k, z), chunks_for(x.shape[0] * x.shape[1], WORK * x.shape[1] * k.size))
    return z


def adjoint(g: np.ndarray, w: np.ndarray, k: np.ndarray, pixels: int) -> np.ndarray:
    """The adjoint of `sample` in x: g `(N, C, Q)`, w `(N, Q, T)` -> `(N, C, pixels)`.

    >>> adjoint(np.array([[[6.0]]]), np.array([[[0.5, 0.5]]]), np.array([[[0, 1]]]), 3)
    array([[[3., 3., 0.]]])
    """
    (g, w), k = floats("grid_sample", "g w", g, w), _places(k, pixels, w.shape, (len(g), g.shape[2], k.shape[2]))
    if not COMPILED:
        return by_fallback(fallback.sample_adjoint, g, w, k, pixels)
    x = memory.empty((*g.shape[:2], pixels), g.dtype)
    run(_adjoint_kernel, (g, w, k, x), chunks_for(g.shape[0] * g.shape[1], WORK * g.shape[1] * k.size + x.size))
    return x


def dots(x: np.ndarray, g: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The adjoint of `sample` in w, Σ_c g[n, c, q] · x[n, c, k[n, q, t]]: x `(N, C, P)`, g `(N, C, Q)` -> `(N, Q, T)`.

    >>> dots(np.array([[[5.0, 7.0]]]), np.array([[[2.0]]]), np.array([[[0, 1]]]))
    array([[[10., 14.]]])
    """
    (x, g), k = floats("grid_sample", "x g", x, g), _places(k, x.shape[2], k.shape, (len(x), g.shape[2], k.shape[2]))
    if not COMPILED:
        return by_fallback(fallback.sample_dots, x, g, k)
    w = memory.empty(k.shape, x.dtype)
    run(_dots_kernel, (x, g, k, w), chunks_for(len(x), WORK * x.shape[1] * k.size))
    return w


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, k = np.ones((2, 1, 2), dtype), np.zeros((2, 2, 1), np.int64)
    w = np.ones(k.shape, dtype)
    yield "sample", lambda: sample(x, w, k)
    yield "adjoint", lambda: adjoint(x, w, k, 2)
    yield "dots", lambda: dots(x, x, k)


def _places(k: np.ndarray, pixels: int, given: tuple[int, ...], expected: tuple[int, ...]) -> np.ndarray:
    """The places as kernels take them. Kernels skip those out of range."""
    if k.dtype != np.int64 or k.shape != given or k.shape != expected:
        problem = f"the places must be int64 of shape {expected}, as the weights are"
        raise ShapeError(restate("grid_sample", problem, places=k, weights=given, pixels=pixels))
    return as_contiguous(k)


@kernel
def _transposed_places(places, pixels, at):
    """places (Q, T) -> at (T, Q), unsigned; `pixels`, the place behind the last one, stands for no pixel."""
    for q in range(len(places)):
        for t in range(places.shape[1]):
            place = places[q, t]
            at[t, q] = place if 0 <= place < pixels else pixels


@kernel
def _sample_kernel(x, w, k, z, index, chunks):
    (count, channels, pixels), (_, results, taps) = x.shape, k.shape
    # Transposed, so that the loop over the results is the inner one; a zero behind the last pixel stands for no pixel.
    at, by = np.empty((taps, results), np.uint64), np.empty((taps, results), x.dtype)
    plane, packed = np.zeros(pixels + 1, x.dtype), -1
    for unit in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = unit // channels, unit % channels
        if n != packed:
            _transposed_places(k[n], pixels, at)
            for q in range(results):
                for t in range(taps):
                    by[t, q] = w[n, q, t]
            packed = n
        source, target = x[n, c], z[n, c]
        for p in range(pixels):
            plane[p] = source[p]
        for q in range(results):
            target[q] = 0
        for t in range(taps):
            places, weights = at[t], by[t]
            for q in range(results):
                # A weight beside no pixel may be NaN or infinite.
                value = plane[places[q]]
                target[q] += weights[q] * value if places[q] < pixels else value


@kernel
def _adjoint_kernel(g, w, k, x, index, chunks):
    (count, channels, pixels), (_, results, taps) = x.shape, k.shape
    for unit in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = unit // channels, unit % channels
        plane, source, places, weights = x[n, c], g[n, c], k[n], w[n]
        for p in range(pixels):
            plane[p] = 0
        for q in range(results):
            for t in range(taps):
                place = places[q, t]
                if 0 <= place < pixels:
                    plane[place] += weights[q, t] * source[q]


@kernel
def _dots_kernel(x, g, k, w, index, chunks):
    (count, channels, pixels), (_, results, taps) = x.shape, k.shape
    at, sums = np.empty((taps, results), np.uint64), np.empty((taps, results), x.dtype)
    plane = np.zeros(pixels + 1, x.dtype)
    for n in range(count * index // chunks, count * (index + 1) // chunks):
        _transposed_places(k[n], pixels, at)
        sums[:] = 0
        for c in range(channels):
            source, upstream = x[n, c], g[n, c]
            for p in range(pixels):
                plane[p] = source[p]
            for t in range(taps):
                places, total = at[t], sums[t]
                for q in range(results):
                    value = plane[places[q]]
                    total[q] += upstream[q] * value if places[q] < pixels else value
        for q in range(results):
            for t in range(taps):
                w[n, q, t] = sums[t, q]
