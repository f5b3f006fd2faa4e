"""Batch normalization: statistics per channel, and one pass over memory each for forward and backward.

All functions take images or vectors `(N, C, ...)`, float32 or float64, and one number per channel, `(C,)`. Sums run in
float64.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit.dispatch import COMPILED, as_contiguous, by_fallback, check_float, chunks_for, kernel, run

# The time per element in multiply-adds; a rough measurement.
WORK = 5


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each channel: `(N, C, ...)` -> `(C,)`, `(C,)`, float64.

    >>> moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
    (array([2., 5.]), array([1., 0.]))
    """
    check_float("batch_norm", x=x)
    if not COMPILED:
        return by_fallback(fallback.moments, x)
    mean, var = memory.empty(x.shape[1:2], np.float64), memory.empty(x.shape[1:2], np.float64)
    run(_moments_kernel, (_planes(x), mean, var), chunks_for(x.shape[1], 2 * WORK * x.size))
    return mean, var


def scale_and_shift(x: np.ndarray, center: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(x − center[c]) · scale[c] + shift[c], all of one dtype: x `(N, C, ...)`, the others `(C,)`.

    The center is subtracted first: with a large mean, x · scale + shift would lose digits to cancellation.

    >>> scale_and_shift(np.array([[1.0, 2.0]]), np.array([1.0, 0.0]), np.array([2.0, 3.0]), np.array([0.5, 0.0]))
    array([[0.5, 6. ]])
    """
    z = memory.empty(x.shape, check_float("batch_norm", x=x, center=center, scale=scale, shift=shift))
    if not COMPILED:
        return by_fallback(fallback.scale_and_shift, x, center, scale, shift)
    arguments = (_planes(x), as_contiguous(center), as_contiguous(scale), as_contiguous(shift), _planes(z))
    run(_scale_kernel, arguments, chunks_for(x.shape[0], WORK * x.size))
    return z


def gradient_sums(g: np.ndarray, x: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ g and Σ g · (x − mean[c]) of each channel: g and x `(N, C, ...)` -> `(C,)`, `(C,)`, float64.

    >>> gradient_sums(np.array([[1.0], [2.0]]), np.array([[5.0], [7.0]]), np.array([6.0]))
    (array([3.]), array([1.]))
    """
    check_float("batch_norm", g=g, x=x, mean=mean)
    if not COMPILED:
        return by_fallback(fallback.gradient_sums, g, x, mean)
    sums, products = memory.empty(x.shape[1:2], np.float64), memory.empty(x.shape[1:2], np.float64)
    arguments = (_planes(g), _planes(x), as_contiguous(mean), sums, products)
    run(_sums_kernel, arguments, chunks_for(x.shape[1], 2 * WORK * x.size))
    return sums, products


def grad_input(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """scale[c] · (g − offset[c] − slope[c] · (x − mean[c])), all of one dtype.

    g and x `(N, C, ...)`, the others `(C,)` -> `(N, C, ...)`.

    >>> one = np.array([1.0])
    >>> grad_input(np.array([[5.0]]), np.array([[3.0]]), one, 2 * one, one, 0.5 * one)
    array([[6.]])
    """
    dtype = check_float("batch_norm", g=g, x=x, mean=mean, scale=scale, offset=offset, slope=slope)
    if not COMPILED:
        return by_fallback(fallback.batch_norm_grad_input, g, x, mean, scale, offset, slope)
    dx = memory.empty(x.shape, dtype)
    numbers = (as_contiguous(mean), as_contiguous(scale), as_contiguous(offset), as_contiguous(slope))
    arguments = (_planes(g), _planes(x), *numbers, _planes(dx))
    run(_gradient_kernel, arguments, chunks_for(x.shape[0], 2 * WORK * x.size))
    return dx


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, one = np.ones((2, 2, 2), dtype), np.ones(2, dtype)
    yield "moments", lambda: moments(x)
    yield "scale_and_shift", lambda: scale_and_shift(x, one, one, one)
    yield "gradient_sums", lambda: gradient_sums(x, x, one)
    yield "grad_input", lambda: grad_input(x, x, one, one, one, one)


def _planes(array: np.ndarray) -> np.ndarray:
    # (N, C, ...) -> (N, C, pixels)
    return as_contiguous(array).reshape(*array.shape[:2], -1 if array.size else 0)


@kernel
def _moments_kernel(x, mean, var, index, chunks):
    for c in range(len(mean) * index // chunks, len(mean) * (index + 1) // chunks):
        count, total, squares = len(x) * x.shape[2], 0.0, 0.0
        for n in range(len(x)):
            plane = x[n, c]
            for q in range(plane.size):
                total += plane[q]
        mean[c] = total / count
        # The mean first, then the squares around it: with a large mean, squares around 0 lose digits to cancellation.
        center = x.dtype.type(mean[c])
        for n in range(len(x)):
            plane = x[n, c]
            for q in range(plane.size):
                squares += (plane[q] - center) * (plane[q] - center)
        # Minus the term from rounding the center to the array's dtype.
        var[c] = max(0.0, squares / count - (mean[c] - center) ** 2) if squares == squares else squares


@kernel
def _scale_kernel(x, center, scale, shift, z, index, chunks):
    for n in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        for c in range(len(scale)):
            source, target, middle, factor, term = x[n, c], z[n, c], center[c], scale[c], shift[c]
            for q in range(source.size):
                target[q] = (source[q] - middle) * factor + term


@kernel
def _sums_kernel(g, x, mean, sums, products, index, chunks):
    for c in range(len(mean) * index // chunks, len(mean) * (index + 1) // chunks):
        total, product, center = 0.0, 0.0, mean[c]
        for n in range(len(x)):
            upstream, plane = g[n, c], x[n, c]
            for q in range(plane.size):
                total += upstream[q]
                product += upstream[q] * (plane[q] - center)
        sums[c], products[c] = total, product


@kernel
def _gradient_kernel(g, x, mean, scale, offset, slope, dx, index, chunks):
    for n in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        for c in range(len(mean)):
            upstream, source, target = g[n, c], x[n, c], dx[n, c]
            center, factor, term, incline = mean[c], scale[c], offset[c], slope[c]
            for q in range(source.size):
                target[q] = factor * (upstream[q] - term - incline * (source[q] - center))
