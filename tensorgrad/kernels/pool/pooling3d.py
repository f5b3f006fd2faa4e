"""Pooling of volumes: plane by plane as in two dimensions, then along the depth.

Maxima and sums over a box are those over its planes' rectangles, so each volume is pooled as images of planes and then
as images (D, OH · OW) of columns, by the kernels of `pooling` and `average_pooling`. All functions are as there.
"""

import numpy as np

from tensorgrad.kernels.pool import average_pooling, pooling
from tensorgrad.windows import Window, check_pooled


def max_forward(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each window, and where it stood: x `(N, C, D, H, W)` -> y, indices `(N, C, OD, OH, OW)`.

    Indices are int32 positions `(d · H + h) · W + w` in the input volume.
    """
    check_pooled("max_pool3d", window, x=x.shape)
    count, channels, depth, height, width = x.shape
    rows, columns = window.output[1:]
    planes, places = pooling.max_forward(x.reshape(count, channels * depth, height, width), window.plane)
    y, met = pooling.max_forward(planes.reshape(count, channels, depth, rows * columns), window.column)
    shape = (count, channels, *window.output)
    # (N, C, D · OH · OW) read at (N, C, OD · OH · OW)
    places = places.reshape(count, channels, depth * rows * columns)
    inside = np.take_along_axis(places, met.reshape(count, channels, -1 if met.size else 0), 2)
    return y.reshape(shape), inside.reshape(shape) + (met.reshape(shape) // (rows * columns)) * (height * width)


def scatter(g: np.ndarray, indices: np.ndarray, window: Window) -> np.ndarray:
    """Each gradient is added to the element that won: g, indices `(N, C, OD, OH, OW)` -> `(N, C, D, H, W)`."""
    x = pooling.scatter(_in_rows(g, window.output), _in_rows(indices, window.output), window.flat)
    return x.reshape(*g.shape[:2], *window.size)


def gather(x: np.ndarray, indices: np.ndarray, window: Window) -> np.ndarray:
    """The elements that won: x `(N, C, D, H, W)`, indices `(N, C, OD, OH, OW)` -> `(N, C, OD, OH, OW)`."""
    y = pooling.gather(_in_rows(x, window.size), _in_rows(indices, window.output), window.flat)
    return y.reshape(*x.shape[:2], *window.output)


def avg_forward(
    x: np.ndarray, window: Window, *, count_include_pad: bool = True, divisor: int | None = None
) -> np.ndarray:
    """The sum of each window over its divisor: x `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`."""
    check_pooled("avg_pool3d", window, x=x.shape)
    count, channels, depth, height, width = x.shape
    sums = average_pooling.avg_forward(x.reshape(count, channels * depth, height, width), window.plane, divisor=1)
    sums = sums.reshape(count, channels, depth, window.output[1] * window.output[2])
    sums = average_pooling.avg_forward(sums, window.column, divisor=1).reshape(count, channels, *window.output)
    return sums / average_pooling.divisors(window, count_include_pad, divisor).astype(x.dtype)


def avg_backward(
    g: np.ndarray, window: Window, *, count_include_pad: bool = True, divisor: int | None = None
) -> np.ndarray:
    """Each gradient over its divisor, added to its window: g `(N, C, OD, OH, OW)` -> `(N, C, D, H, W)`."""
    check_pooled("avg_pool3d_backward", window, y=g.shape)
    (count, channels), (depth, height, width), (layers, rows, columns) = g.shape[:2], window.size, window.output
    parts = g / average_pooling.divisors(window, count_include_pad, divisor).astype(g.dtype)
    parts = average_pooling.avg_backward(
        parts.reshape(count, channels, layers, rows * columns), window.column, divisor=1
    )
    x = average_pooling.avg_backward(parts.reshape(count, channels * depth, rows, columns), window.plane, divisor=1)
    return x.reshape(count, channels, depth, height, width)


def _in_rows(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    # (N, C, D, H, W) -> (N, C, 1, D · H · W)
    depth, height, width = size
    return x.reshape(*x.shape[:2], 1, depth * height * width)
