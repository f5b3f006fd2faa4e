"""Weighted sums of pixels at given places, for any interpolation: each result is a sum of T pixels times T weights.

All take k `(N, Q, T)`, int64: for each of Q results the indices of its T pixels among the P pixels of a channel, for
example P = H · W. −1 stands for no pixel, and adds 0. `sample`, `adjoint` and `dots` are linear in each of their two
arrays, and the derivatives of each are the other two. `pixels` computes k.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run

PADDINGS = ("zeros", "border", "reflection")

BLOCK = 256  # places per block: the loop over a block is the inner one, so that LLVM vectorizes it

WORK = 3  # multiply-adds that take as long as reading one pixel by its index, by a rough measurement


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


def pixels(
    places: tuple[np.ndarray, ...], offsets: np.ndarray, size: tuple[int, ...], padding: str, align_corners: bool
) -> np.ndarray:
    """The indices k `(N, Q, T)` of the pixels at each place plus each of T offsets.

    Args:
        places: whole numbers as floats, an array `(N, Q)` for each of the two or three axes, the last one across; NaN
            is outside the image.
        offsets: int64, `(T, axes)`, in pixels.
        size: of the image, (H, W) or (D, H, W).
        padding: what a place outside means: "zeros" (no pixel), "border" or "reflection" (a pixel inside).
        align_corners: whether a reflection is about the centers of the outermost pixels, instead of their edges.

    >>> places, offsets = (np.array([[0.0, 1.0]]), np.array([[2.0, 2.0]])), np.array([[0, 0], [0, 1]])
    >>> pixels(places, offsets, (2, 4), "zeros", False).tolist()
    [[[2, 3], [6, 7]]]
    """
    places = floats("grid_sample", " ".join("zyx"[-len(places) :]), *places)
    if not COMPILED:
        return by_fallback(fallback.pixels, places, offsets, size, padding, align_corners)
    first, k = places[0], memory.empty((*places[0].shape, len(offsets)), np.int64)
    flat = [place.reshape(-1) for place in (*places, first)[:3]]
    # One kernel serves two axes and three. For two it gets a third axis of one pixel, and doesn't read it.
    sizes = np.array((*size, 1)[:3])
    table = np.zeros((len(offsets), 3), np.int64)
    table[:, : len(size)] = offsets
    options = (len(size), sizes, table, PADDINGS.index(padding), align_corners)
    run(_pixels_kernel, (*flat, *options, k.reshape(first.size, len(offsets))), chunks_for(first.size, WORK * k.size))
    return k


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, k = np.ones((2, 1, 2), dtype), np.zeros((2, 2, 1), np.int64)
    w = np.ones(k.shape, dtype)
    yield "sample", lambda: sample(x, w, k)
    yield "adjoint", lambda: adjoint(x, w, k, 2)
    yield "dots", lambda: dots(x, x, k)
    yield "pixels", lambda: pixels((w[..., 0], w[..., 0]), np.zeros((1, 2), np.int64), (2, 2), "zeros", False)


def _places(k: np.ndarray, pixels: int, given: tuple[int, ...], expected: tuple[int, ...]) -> np.ndarray:
    """k as kernels take it: contiguous, and of the `expected` shape. Kernels skip indices out of range."""
    if k.dtype != np.int64 or k.shape != given or k.shape != expected:
        problem = f"the places must be int64 of shape {expected}, as the weights are"
        raise ShapeError(restate("grid_sample", problem, places=k, weights=given, pixels=pixels))
    return as_contiguous(k)


@helper
def _transposed_places(places, pixels, at):
    """places (Q, T) -> at (T, Q), unsigned; no pixel becomes `pixels`, the index behind the last one."""
    for q in range(len(places)):
        for t in range(places.shape[1]):
            place = places[q, t]
            at[t, q] = place if 0 <= place < pixels else pixels


@kernel
def _sample_kernel(x, w, k, z, index, chunks):
    """z (N, C, Q). The chunks share out the channels of all images."""
    (count, channels, pixels), (_, results, taps) = x.shape, k.shape
    # Indices and weights of one image, transposed (T, Q), so that the loop over the results is the inner one. `plane`
    # is a channel with a zero behind its last pixel, which is read where there is no pixel.
    at, by = np.empty((taps, results), np.uint64), np.empty((taps, results), x.dtype)
    plane, places_of = np.zeros(pixels + 1, x.dtype), -1
    for unit in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = unit // channels, unit % channels
        if n != places_of:
            _transposed_places(k[n], pixels, at)
            for q in range(results):
                for t in range(taps):
                    by[t, q] = w[n, q, t]
            places_of = n
        source, target = x[n, c], z[n, c]
        for p in range(pixels):
            plane[p] = source[p]
        for q in range(results):
            target[q] = 0
        for t in range(taps):
            places, weights = at[t], by[t]
            for q in range(results):
                # Where there is no pixel the value is 0. Its weight may be NaN or infinite, so it isn't multiplied.
                value = plane[places[q]]
                target[q] += weights[q] * value if places[q] < pixels else value


@kernel
def _adjoint_kernel(g, w, k, x, index, chunks):
    """x (N, C, P). The chunks share out the channels of all images."""
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
    """w (N, Q, T). The chunks share out the images, since the channels are summed."""
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


@helper
def _inside(place, n, reflects, align_corners):
    """The place in [0, n − 1] that a place outside stands for: the nearest, or with `reflects` its mirror image.

    NaN remains NaN. Mirrors stand at `low` and at `low + span`; `turns` counts the reflections between them.
    """
    if reflects:
        low = 0.0 if align_corners else -0.5
        span = n - 1 - 2 * low
        if span == 0:
            return 0.0
        distance = abs(place - low)
        extra = distance % span
        turns = np.round((distance - extra) / span)
        place = low + extra if turns % 2 == 0 else low + span - extra
    place = 0.0 if place < 0 else place
    return np.float64(n - 1) if place > n - 1 else place


@kernel
def _pixels_kernel(first, second, third, axes, sizes, offsets, padding, align_corners, k, index, chunks):
    """k (N · Q, T) from the places (N · Q,) of each axis; the chunks share out the places.

    The index of a pixel is row-major: numbers = numbers · n + place, axis by axis. For "zeros" the inner loop is
    another one, since places outside needn't be moved.
    """
    numbers, outside, taps = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64), len(offsets)
    low, high = len(k) * index // chunks, len(k) * (index + 1) // chunks
    for start in range(low, high, BLOCK):
        end = min(high, start + BLOCK)
        for t in range(taps):
            for axis in range(axes):
                places = (first if axis == 0 else second if axis == 1 else third)[start:end]
                n, offset = sizes[axis], np.float64(offsets[t, axis])
                if axis == 0:
                    for q in range(end - start):
                        numbers[q] = outside[q] = 0
                if padding > 0:
                    for q in range(end - start):
                        place = _inside(np.float64(places[q]) + offset, n, padding == 2, align_corners)
                        within = (place >= 0) & (place < n)  # NaN is outside
                        numbers[q] = numbers[q] * n + np.int64(place if within else 0.0)
                        outside[q] |= not within
                else:
                    for q in range(end - start):
                        place = np.float64(places[q]) + offset
                        within = (place >= 0) & (place < n)
                        numbers[q] = numbers[q] * n + np.int64(place if within else 0.0)
                        outside[q] |= not within
            for q in range(end - start):
                k[start + q, t] = -1 if outside[q] else numbers[q]
