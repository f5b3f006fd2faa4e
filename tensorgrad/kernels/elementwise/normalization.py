"""Normalization of channels: statistics per channel, and one pass over memory each for forward and backward.

All functions take images or vectors `(N, C, ...)`, float32 or float64, and one number per channel, `(C,)`. Sums end in
float64, see `simd.passes`.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise.statistics import moments_of_units
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    as_contiguous,
    by_fallback,
    check_float,
    chunks_for,
    get_num_threads,
    kernel,
    run,
    threads_for,
)
from tensorgrad.kernels.simd.passes import affine, block_of, combination, gradient_sums as sum_gradients

# The time per element in multiply-adds; a rough measurement.
WORK = 2


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each channel: `(N, C, ...)` -> `(C,)`, `(C,)`, float64.

    >>> moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
    (array([2., 5.]), array([1., 0.]))
    """
    check_float("batch_norm", x=x)
    if not COMPILED:
        return by_fallback(fallback.moments, x)
    mean, var = memory.empty(x.shape[1:2], np.float64), memory.empty(x.shape[1:2], np.float64)
    _in_parts(_moments_kernel, _merge_moments, (_planes(x),), mean, var)
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
    run(_scale_kernel, arguments, chunks_for(_units(arguments[0]), WORK * x.size))
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
    _in_parts(_sums_kernel, _merge_sums, (_planes(g), _planes(x), as_contiguous(mean)), sums, products)
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
    run(_gradient_kernel, arguments, chunks_for(_units(arguments[0]), 2 * WORK * x.size))
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


def _units(x: np.ndarray) -> int:
    """The number of planes, or of images whose planes are single pixels: they are done row by row."""
    return len(x) if x.shape[2] == 1 else len(x) * x.shape[1]


def _in_parts(kernel: Callable, merge: Callable, arguments: tuple, one: np.ndarray, two: np.ndarray) -> None:
    """Run a kernel that computes two numbers per channel, each channel in parts if there are fewer than threads."""
    count, channels, pixels = arguments[0].shape
    work = len(arguments) * WORK * arguments[0].size
    parts = 1 if pixels == 1 else min(max(count, pixels), -(-threads_for(work, get_num_threads()) // max(channels, 1)))
    if parts == 1:
        run(kernel, (*arguments, one.reshape(1, -1), two.reshape(1, -1)), chunks_for(channels, work))
        return
    ones, twos = memory.empty((parts, channels), np.float64), memory.empty((parts, channels), np.float64)
    run(kernel, (*arguments, ones, twos), chunks_for(channels * parts, work))
    run(merge, (count, pixels, ones, twos, one, two), 1)


@kernel
def _part(count, pixels, part, parts):
    """Part of a channel's elements: the first image, how many, the first pixel, how many. Images or pixels are cut."""
    if count >= parts:
        first = count * part // parts
        return first, count * (part + 1) // parts - first, 0, pixels
    first = pixels * part // parts
    return 0, count, first, pixels * (part + 1) // parts - first


@kernel
def _moments_kernel(x, means, variances, index, chunks):
    (count, channels, pixels), flat, (parts, _) = x.shape, x.reshape(-1), means.shape
    low, high = parts * channels * index // chunks, parts * channels * (index + 1) // chunks
    if pixels == 1:
        _moments_of_columns(x.reshape(count, channels), means[0], variances[0], low, high)
        return
    pivots, sums = np.empty(channels, x.dtype), np.empty((channels, 2))
    while low < high:
        part, c = low // channels, low % channels
        end = min(channels, c + high - low)
        first, images, start, length = _part(count, pixels, part, parts)
        at, results = (first * channels + c) * pixels + start, (means[part, c:end], variances[part, c:end])
        moments_of_units(flat, at, pixels, channels * pixels, images, length, True, pivots, sums, *results)
        low += end - c


@kernel
def _moments_of_columns(x, mean, var, low, high):
    """Mean and variance of the columns from low to high, around their first elements: see `mean_and_variance`."""
    count, pivot, total, squares = len(x), x[0, low:high], mean[low:high], var[low:high]
    for k in range(total.size):
        total[k], squares[k] = 0.0, 0.0
    for n in range(count):
        row = x[n, low:high]
        for k in range(total.size):
            d = np.float64(row[k]) - np.float64(pivot[k])
            total[k] += d
            squares[k] += d * d
    for k in range(total.size):
        distance = total[k] / count
        variance = squares[k] / count - distance * distance
        total[k], squares[k] = pivot[k] + distance, max(0.0, variance) if variance == variance else variance


@kernel
def _merge_moments(count, pixels, means, variances, mean, var, index, chunks):
    """The moments of channels from those of their parts: Chan, Golub and LeVeque, Computing the Sample Variance."""
    parts = len(means)
    for c in range(len(mean)):
        total = 0.0
        for part in range(parts):
            _, images, _, length = _part(count, pixels, part, parts)
            total += images * length * means[part, c]
        mean[c], total = total / (count * pixels), 0.0
        for part in range(parts):
            _, images, _, length = _part(count, pixels, part, parts)
            distance = means[part, c] - mean[c]
            total += images * length * (variances[part, c] + distance * distance)
        var[c] = total / (count * pixels)


@kernel
def _scale_kernel(x, center, scale, shift, z, index, chunks):
    (count, channels, pixels), source, target = x.shape, x.reshape(-1), z.reshape(-1)
    if pixels == 1:
        for n in range(count * index // chunks, count * (index + 1) // chunks):
            row, out = source[n * channels : (n + 1) * channels], target[n * channels : (n + 1) * channels]
            for c in range(channels):
                out[c] = (row[c] - center[c]) * scale[c] + shift[c]
        return
    numbers = np.empty((channels, 3), x.dtype)
    for c in range(channels):
        numbers[c, 0], numbers[c, 1], numbers[c, 2] = center[c], scale[c], shift[c]
    low, high = count * channels * index // chunks, count * channels * (index + 1) // chunks
    while low < high:
        c, at = low % channels, low * pixels
        planes = min(channels - c, high - low)
        affine(source, at, target, at, pixels, planes, pixels, numbers, 3 * c)
        low += planes


@kernel
def _sums_kernel(g, x, mean, sums, products, index, chunks):
    (count, channels, pixels), upstream, source, (parts, _) = x.shape, g.reshape(-1), x.reshape(-1), sums.shape
    low, high = parts * channels * index // chunks, parts * channels * (index + 1) // chunks
    if pixels == 1:
        _sums_of_columns(g.reshape(count, channels), x.reshape(count, channels), mean, sums[0], products[0], low, high)
        return
    both = np.empty((channels, 2))
    while low < high:
        part, c = low // channels, low % channels
        units = min(channels - c, high - low)
        first, images, start, length = _part(count, pixels, part, parts)
        at, step, block = (first * channels + c) * pixels + start, channels * pixels, block_of(length, x.itemsize)
        sum_gradients(upstream, at, source, at, pixels, units, step, images, length, block, mean, c, both, 0)
        for k in range(units):
            sums[part, c + k], products[part, c + k] = both[k, 0], both[k, 1]
        low += units


@kernel
def _sums_of_columns(g, x, mean, sums, products, low, high):
    total, product, center = sums[low:high], products[low:high], mean[low:high]
    for k in range(total.size):
        total[k], product[k] = 0.0, 0.0
    for n in range(len(x)):
        upstream, row = g[n, low:high], x[n, low:high]
        for k in range(total.size):
            value = np.float64(upstream[k])
            total[k] += value
            product[k] += value * (np.float64(row[k]) - np.float64(center[k]))


@kernel
def _merge_sums(count, pixels, ones, twos, one, two, index, chunks):
    for c in range(len(one)):
        one[c], two[c] = 0.0, 0.0
        for part in range(len(ones)):
            one[c] += ones[part, c]
            two[c] += twos[part, c]


@kernel
def _gradient_kernel(g, x, mean, scale, offset, slope, dx, index, chunks):
    (count, channels, pixels), upstream, source, target = x.shape, g.reshape(-1), x.reshape(-1), dx.reshape(-1)
    if pixels == 1:
        for n in range(count * index // chunks, count * (index + 1) // chunks):
            start, end = n * channels, (n + 1) * channels
            above, row, out = upstream[start:end], source[start:end], target[start:end]
            for c in range(channels):
                out[c] = scale[c] * (above[c] - offset[c] - slope[c] * (row[c] - mean[c]))
        return
    numbers = np.empty((channels, 4), x.dtype)
    for c in range(channels):
        numbers[c, 0], numbers[c, 1] = scale[c], mean[c]
        numbers[c, 2], numbers[c, 3] = -scale[c] * slope[c], -scale[c] * offset[c]
    low, high = count * channels * index // chunks, count * channels * (index + 1) // chunks
    while low < high:
        c, at = low % channels, low * pixels
        planes = min(channels - c, high - low)
        combination(upstream, at, source, at, target, at, pixels, planes, pixels, numbers, 4 * c)
        low += planes
