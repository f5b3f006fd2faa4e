"""Normalization of channels: statistics per channel, and one pass over memory each for forward and backward.

All functions take images or vectors `(N, C, ...)`, float32 or float64, and one number per channel, `(C,)`. Sums end in
float64, see `simd.passes`.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, check_float
from tensorgrad.kernels.elementwise.channels import plane_sums, scaled, scaled_gradient
from tensorgrad.kernels.elementwise.statistics import moments_of_units
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    by_fallback,
    chunks_for,
    get_num_threads,
    helper,
    inlined,
    kernel,
    run,
    threads_for,
)
from tensorgrad.kernels.jit.views import between, flattened
from tensorgrad.kernels.simd.passes import affine

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
    """Σ g and Σ g · (x − m[c]) of each channel: g and x `(N, C, ...)` -> `(C,)`, `(C,)`, float64.

    m is the mean, `(C,)`, rounded to the dtype of x.

    >>> gradient_sums(np.array([[1.0], [2.0]]), np.array([[5.0], [7.0]]), np.array([6.0]))
    (array([3.]), array([1.]))
    """
    check_float("batch_norm", g=g, x=x)
    if not COMPILED:
        return by_fallback(fallback.gradient_sums, g, x, mean)
    sums, products = memory.empty(x.shape[1:2], np.float64), memory.empty(x.shape[1:2], np.float64)
    arguments = (_planes(g), _planes(x), as_contiguous(mean), sums, products)
    run(_sums_kernel, arguments, chunks_for(x.shape[1], 4 * WORK * x.size))
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


def scaling(mean: np.ndarray, var: np.ndarray, w: np.ndarray, b: np.ndarray, eps: float) -> tuple[np.ndarray, ...]:
    """Center, scale and shift of x̂ · w + b with x̂ = (x − mean) / √(var + eps), in the dtype of w: all `(C,)`.

    The center is the rounded mean; the shift makes up for the rounding.

    >>> wide = np.array([4.0])
    >>> scaling(wide, wide, wide, wide, 0.0)
    (array([4.]), array([2.]), array([4.]))
    """
    numbers = memory.empty((3, len(w)), check_float("batch_norm", w=w, b=b))
    run(_scaling_kernel, (mean, var, as_contiguous(w), as_contiguous(b), float(eps), numbers), 1)
    return numbers[0], numbers[1], numbers[2]


def weight_gradients(
    sums: np.ndarray, products: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float, dtype: np.dtype
) -> np.ndarray:
    """(Σ g, Σ g · x̂), `(2, C)` of a dtype, from Σ g and Σ g · (x − m) with m, the mean rounded to that dtype.

    >>> wide = np.array([4.0])
    >>> weight_gradients(wide, wide, wide, wide, 0.0, np.dtype(np.float64))
    array([[4.],
           [2.]])
    """
    gradients = memory.empty((2, len(mean)), dtype)
    run(_weights_kernel, (sums, products, mean, var, float(eps), gradients), 1)
    return gradients


def gradient_scaling(
    sums: np.ndarray, mean: np.ndarray, var: np.ndarray, w: np.ndarray, count: int, eps: float
) -> tuple[np.ndarray, ...]:
    """Mean, scale, offset and slope of `grad_input`, `(C,)` in the dtype of w.

    They make it w/√(var + eps) · (g − Σg/count − x̂ · Σ(g · x̂)/count); sums is what `weight_gradients` returns.

    >>> wide = np.array([4.0])
    >>> gradient_scaling(np.array([[4.0], [2.0]]), wide, wide, wide, 2, 0.0)
    (array([4.]), array([2.]), array([2.]), array([0.5]))
    """
    numbers = memory.empty((4, len(w)), check_float("batch_norm", sums=sums, w=w))
    run(_slopes_kernel, (as_contiguous(sums), mean, var, as_contiguous(w), count, float(eps), numbers), 1)
    return numbers[0], numbers[1], numbers[2], numbers[3]


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, one, wide = np.ones((2, 2, 2), dtype), np.ones(2, dtype), np.ones(2)
    yield "moments", lambda: moments(x)
    yield "scale_and_shift", lambda: scale_and_shift(x, one, one, one)
    yield "gradient_sums", lambda: gradient_sums(x, x, one)
    yield "grad_input", lambda: grad_input(x, x, one, one, one, one)
    yield "scaling", lambda: scaling(wide, wide, one, one, 0.0)
    yield "weight_gradients", lambda: weight_gradients(wide, wide, wide, wide, 0.0, np.dtype(dtype))
    yield "gradient_scaling", lambda: gradient_scaling(x[0], wide, wide, one, 2, 0.0)


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


@helper
def _part(count, pixels, part, parts):
    """Part of a channel's elements: the first image, how many, the first pixel, how many. Images or pixels are cut."""
    if count >= parts:
        first = count * part // parts
        return first, count * (part + 1) // parts - first, 0, pixels
    first = pixels * part // parts
    return 0, count, first, pixels * (part + 1) // parts - first


@kernel
def _moments_kernel(x, means, variances, index, chunks):
    (count, channels, pixels), flat, (parts, _) = x.shape, flattened(x), means.shape
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


@inlined
def _moments_of_columns(x, mean, var, low, high):
    """Mean and variance of the columns from low to high, around their first elements: see `mean_and_variance`."""
    count, pivot, total, squares = len(x), x[0, low:high], between(mean, low, high), between(var, low, high)
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
    (count, channels, pixels), source, target = x.shape, flattened(x), flattened(z)
    if pixels == 1:
        for n in range(count * index // chunks, count * (index + 1) // chunks):
            begin, end = n * channels, (n + 1) * channels
            row, out = between(source, begin, end), between(target, begin, end)
            for c in range(channels):
                out[c] = scaled(row[c], center[c], scale[c], shift[c])
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
    low, high = len(mean) * index // chunks, len(mean) * (index + 1) // chunks
    if x.shape[2] == 1:
        _sums_of_columns(g[:, :, 0], x[:, :, 0], mean, sums, products, low, high)
        return
    for c in range(low, high):
        total, product, center = 0.0, 0.0, mean[c]
        for n in range(len(x)):
            one, other = plane_sums(g[n, c], x[n, c], center)
            total += one
            product += other
        sums[c], products[c] = total, product


@inlined
def _sums_of_columns(g, x, mean, sums, products, low, high):
    """The same sums, to the bit, in the order of memory."""
    center, total, product = np.empty(high - low, x.dtype), between(sums, low, high), between(products, low, high)
    for k in range(total.size):
        center[k], total[k], product[k] = mean[low + k], 0.0, 0.0
    for n in range(len(x)):
        upstream, row = g[n, low:high], x[n, low:high]
        for k in range(total.size):
            total[k] += upstream[k]
            product[k] += upstream[k] * (row[k] - center[k])


@kernel
def _gradient_kernel(g, x, mean, scale, offset, slope, dx, index, chunks):
    count, channels, pixels = x.shape
    if pixels == 1:
        for n in range(count * index // chunks, count * (index + 1) // chunks):
            above, row, out = g[n, :, 0], x[n, :, 0], dx[n, :, 0]
            for c in range(channels):
                out[c] = scaled_gradient(above[c], row[c], mean[c], scale[c], offset[c], slope[c])
        return
    for plane in range(count * channels * index // chunks, count * channels * (index + 1) // chunks):
        n, c = plane // channels, plane % channels
        upstream, source, target = g[n, c], x[n, c], dx[n, c]
        center, factor, term, incline = mean[c], scale[c], offset[c], slope[c]
        for q in range(pixels):
            target[q] = scaled_gradient(upstream[q], source[q], center, factor, term, incline)


@kernel
def _scaling_kernel(mean, var, w, b, eps, numbers, index, chunks):
    center, scale, shift = numbers[0], numbers[1], numbers[2]
    for c in range(len(mean)):
        factor = w[c] / np.sqrt(var[c] + eps)
        center[c] = mean[c]
        scale[c], shift[c] = factor, b[c] - (mean[c] - center[c]) * factor


@kernel
def _weights_kernel(sums, products, mean, var, eps, gradients, index, chunks):
    for c in range(len(mean)):
        rest = mean[c] - gradients.dtype.type(mean[c])
        gradients[0, c], gradients[1, c] = sums[c], (products[c] - rest * sums[c]) / np.sqrt(var[c] + eps)


@kernel
def _slopes_kernel(sums, mean, var, w, count, eps, numbers, index, chunks):
    center, scale, offset, slope = numbers[0], numbers[1], numbers[2], numbers[3]
    for c in range(len(mean)):
        deviation = np.sqrt(var[c] + eps)
        incline = sums[1, c] / (count * deviation)
        center[c], scale[c] = mean[c], w[c] / deviation
        offset[c], slope[c] = sums[0, c] / count - incline * (mean[c] - center[c]), incline
