"""Bilinear interpolation: the values of images between pixels, the adjoint, and the derivatives by the places.

All take Q places per image, v and u `(N, Q)`: the vertical and the horizontal coordinate, in pixels from the center of
the first pixel. With the fractional parts t of v and s of u, the value between the four pixels around a place is

    (1 − t) · ((1 − s) · upper left + s · upper right) + t · ((1 − s) · lower left + s · lower right)

Pixels outside the image are 0. So a place that lies a pixel or more outside reads 0; one that is NaN does, too.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run

WORK = 12  # multiply-adds that take as long as one interpolated value, by a rough measurement


def sample(x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The values of x `(N, C, H, W)` at the places: `(N, C, Q)`.

    >>> sample(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.array([[0.5, 0.0]]), np.array([[0.5, 1.0]]))
    array([[[2.5, 2. ]]])
    """
    x, v, u = floats("grid_sample", "x v u", x, v, u)
    _check(x.shape, (*x.shape[:2], *v.shape[1:]), v, u)
    if not COMPILED:
        return by_fallback(fallback.bilinear, x, v, u)
    z = memory.empty((*x.shape[:2], v.shape[1]), x.dtype)
    run(_sample_kernel, (x, v, u, z), chunks_for(x.shape[0] * x.shape[1], WORK * z.size + x.size))
    return z


def adjoint(g: np.ndarray, v: np.ndarray, u: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The adjoint of `sample` in x: g `(N, C, Q)` -> `(N, C, *size)`, summed in float64.

    >>> adjoint(np.array([[[4.0]]]), np.array([[0.5]]), np.array([[0.0]]), (2, 2))
    array([[[[2., 0.],
             [2., 0.]]]])
    """
    g, v, u = floats("grid_sample", "g v u", g, v, u)
    _check((*g.shape[:2], *size), g.shape, v, u)
    if not COMPILED:
        return by_fallback(fallback.bilinear_adjoint, g, v, u, size)
    x = memory.empty((*g.shape[:2], *size), g.dtype)
    run(_adjoint_kernel, (g, v, u, x), chunks_for(g.shape[0] * g.shape[1], WORK * g.size + x.size))
    return x


def slopes(g: np.ndarray, x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """∂L/∂v and ∂L/∂u, given g = ∂L/∂sample `(N, C, Q)`: Σ_c g · ∂sample/∂v and Σ_c g · ∂sample/∂u, `(2, N, Q)`.

    The sums over the channels of x `(N, C, H, W)` run in float64.

    >>> x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> slopes(np.array([[[1.0]]]), x, np.array([[0.5]]), np.array([[0.5]]))
    array([[[2.]],
    <BLANKLINE>
           [[1.]]])
    """
    g, x, v, u = floats("grid_sample", "g x v u", g, x, v, u)
    _check(x.shape, g.shape, v, u)
    if not COMPILED:
        return by_fallback(fallback.bilinear_slopes, g, x, v, u)
    z = memory.empty((2, *v.shape), x.dtype)
    run(_slopes_kernel, (g, x, v, u, z), chunks_for(len(x), WORK * g.size + x.size))
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, v = np.ones((2, 1, 2, 2), dtype), np.zeros((2, 3), dtype)
    g = np.ones((2, 1, 3), dtype)
    yield "sample", lambda: sample(x, v, v)
    yield "adjoint", lambda: adjoint(g, v, v, (2, 2))
    yield "slopes", lambda: slopes(g, x, v, v)


def _check(images: tuple[int, ...], values: tuple[int, ...], v: np.ndarray, u: np.ndarray) -> None:
    fits = len(images) == 4 and len(values) == 3 and images[:2] == values[:2]
    if not fits or v.shape != u.shape or v.shape != (images[0], values[2]):
        problem = "images (N, C, H, W), values (N, C, Q) and places (N, Q) must fit together"
        raise ShapeError(restate("grid_sample", problem, images=images, values=values, v=v, u=u))


# Kernels read from a `plane`, a copy of a channel with zeros around it, so that a pixel outside needs no condition. Its
# rows have W + 1 elements: the zero behind a row is also the one before the next row. Its H + 4 rows are one of zeros,
# the image's, one of zeros, and two of zeros for places outside the image and NaN; one more zero ends the last row.


@helper
def _corners(v, u, height, width, first, down, across):
    """For each place: the position of its upper left pixel in a `plane`, and its fractional parts down and across."""
    one = down.dtype.type(1)
    for q in range(len(v)):
        if -one <= v[q] < height and -one <= u[q] < width:
            top, left = np.floor(v[q]), np.floor(u[q])
            first[q] = (np.int64(top) + 1) * (width + 1) + np.int64(left) + 1
            down[q], across[q] = v[q] - top, u[q] - left
        else:
            first[q], down[q], across[q] = (height + 2) * (width + 1), 0, 0


@helper
def _surround(source, plane):
    """Copy a channel (H, W) into the middle of a `plane`."""
    height, width = source.shape
    for i in range(height):
        row, start = source[i], (i + 1) * (width + 1) + 1
        target = plane[start : start + width]
        for j in range(width):
            target[j] = row[j]


@kernel
def _sample_kernel(x, v, u, z, index, chunks):
    """z (N, C, Q) from x (N, C, H, W). The chunks share out the channels of all images."""
    (count, channels, height, width), results = x.shape, v.shape[1]
    first = np.empty(results, np.uint64)
    down, across = np.empty(results, x.dtype), np.empty(results, x.dtype)
    # `corners_of` is the image whose places `first`, `down` and `across` hold: all its channels use them.
    plane, one, corners_of = np.zeros((height + 4) * (width + 1) + 1, x.dtype), x.dtype.type(1), -1
    right, below, last = plane[1:], plane[width + 1 :], plane[width + 2 :]
    for unit in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = unit // channels, unit % channels
        if n != corners_of:
            _corners(v[n], u[n], height, width, first, down, across)
            corners_of = n
        _surround(x[n, c], plane)
        target = z[n, c]
        for q in range(results):
            at, t, s = first[q], down[q], across[q]
            upper = (one - s) * plane[at] + s * right[at]
            lower = (one - s) * below[at] + s * last[at]
            target[q] = (one - t) * upper + t * lower


@kernel
def _adjoint_kernel(g, v, u, x, index, chunks):
    """x (N, C, H, W) from g (N, C, Q). The chunks share out the channels of all images."""
    (count, channels, height, width), results = x.shape, v.shape[1]
    first = np.empty(results, np.uint64)
    down, across = np.empty(results, np.float64), np.empty(results, np.float64)
    plane, corners_of = np.zeros((height + 4) * (width + 1) + 1), -1
    right, below, last = plane[1:], plane[width + 1 :], plane[width + 2 :]
    for unit in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = unit // channels, unit % channels
        if n != corners_of:
            _corners(v[n], u[n], height, width, first, down, across)
            corners_of = n
        plane[:] = 0
        source, target = g[n, c], x[n, c]
        for q in range(results):
            at, t, s, value = first[q], down[q], across[q], np.float64(source[q])
            upper, lower = (1 - t) * value, t * value
            plane[at] += (1 - s) * upper
            right[at] += s * upper
            below[at] += (1 - s) * lower
            last[at] += s * lower
        for i in range(height):
            row, start = target[i], (i + 1) * (width + 1) + 1
            part = plane[start : start + width]
            for j in range(width):
                row[j] = part[j]


@kernel
def _slopes_kernel(g, x, v, u, z, index, chunks):
    """z (2, N, Q). The chunks share out the images, since the channels are summed."""
    (count, channels, height, width), results = x.shape, v.shape[1]
    first = np.empty(results, np.uint64)
    down, across = np.empty(results, x.dtype), np.empty(results, x.dtype)
    plane, one = np.zeros((height + 4) * (width + 1) + 1, x.dtype), x.dtype.type(1)
    right, below, last = plane[1:], plane[width + 1 :], plane[width + 2 :]
    by_v, by_u = np.empty(results, np.float64), np.empty(results, np.float64)
    for n in range(count * index // chunks, count * (index + 1) // chunks):
        _corners(v[n], u[n], height, width, first, down, across)
        by_v[:] = 0.0
        by_u[:] = 0.0
        for c in range(channels):
            _surround(x[n, c], plane)
            source = g[n, c]
            for q in range(results):
                at, t, s, value = first[q], down[q], across[q], source[q]
                a, b, d, e = plane[at], right[at], below[at], last[at]
                by_v[q] += value * ((one - s) * (d - a) + s * (e - b))
                by_u[q] += value * ((one - t) * (b - a) + t * (e - d))
        vertical, horizontal = z[0, n], z[1, n]
        for q in range(results):
            vertical[q] = by_v[q]
            horizontal[q] = by_u[q]
