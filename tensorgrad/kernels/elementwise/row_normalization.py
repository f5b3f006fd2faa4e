"""Normalization of rows: layer, group, instance and root-mean-square norm, one kernel each for values and gradients.

All functions take x as rows `(R, K, S)`: each row of K · S elements has statistics of its own, and its block k has the
weight w[k] and the bias b[k]. Where w and b have G · K elements, row r takes those of the group r mod G.

    layer norm     x (..., L)         R = the other axes, K = L, S = 1
    group norm     x (N, C, ...)      R = N · G, K = C/G, S = pixels
    instance norm  x (N, C, ...)      R = N · C, K = 1, S = pixels; G = C

Arrays are float32 or float64. Statistics and sums are float64.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import as_contiguous, check_float
from tensorgrad.kernels.elementwise.statistics import moments_of_units
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.passes import (
    CHAIN,
    affine,
    block_of,
    column_sums,
    combination,
    gradient_sums,
    strip,
    weighted_affine,
    weighted_combination,
    weighted_sums,
)

# The time per element in multiply-adds; a rough measurement.
WORK = 2

# The most bytes of rows that are done together: a part of first-level cache.
CACHE = 1 << 13


def normalize(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, eps: float, centered: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x̂ · w + b with x̂ = (x − mean) / √(var + eps) of each row, and the statistics: mean and 1/√(var + eps), `(R,)`.

    Not `centered`: x̂ = x / √(mean of x² + eps), and mean is 0.

    >>> one, zero = np.array([1.0]), np.array([0.0])
    >>> normalize(np.array([[[1.0, 3.0]]]), one, zero, 0.0)
    (array([[[-1.,  1.]]]), array([2.]), array([1.]))
    """
    z = memory.empty(x.shape, check_float("normalize", x=x, w=w, b=b))
    if not COMPILED:
        return by_fallback(fallback.normalize, x, w, b, eps, centered)
    mean, inverse = memory.empty(x.shape[:1], np.float64), memory.empty(x.shape[:1], np.float64)
    arguments = (as_contiguous(x), as_contiguous(w), as_contiguous(b), float(eps), centered, z, mean, inverse)
    run(_normalize_kernel, arguments, chunks_for(len(x), 3 * WORK * x.size))
    return z, mean, inverse


def grad_input(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray, inverse: np.ndarray, centered: bool = True
) -> np.ndarray:
    """inverse · (gw − mean of gw − x̂ · mean of gw · x̂) of each row; without the first mean where not `centered`.

    >>> g, x, one = np.array([[[1.0, 0.0]]]), np.array([[[1.0, 3.0]]]), np.array([1.0])
    >>> grad_input(g, x, one, np.array([2.0]), one)
    array([[[0., 0.]]])
    """
    dx = memory.empty(x.shape, check_float("normalize", g=g, x=x, w=w))
    if not COMPILED:
        return by_fallback(fallback.normalize_grad_input, g, x, w, mean, inverse, centered)
    numbers = (as_contiguous(w), as_contiguous(mean), as_contiguous(inverse))
    arguments = (as_contiguous(g), as_contiguous(x), *numbers, centered, dx)
    run(_gradient_kernel, arguments, chunks_for(len(x), 3 * WORK * x.size))
    return dx


def grad_weights(g: np.ndarray, x: np.ndarray, mean: np.ndarray, inverse: np.ndarray, groups: int) -> np.ndarray:
    """Σ g · x̂ and Σ g over all that shares a weight: `(2, groups · K)`, float64.

    >>> g, x, one = np.array([[[1.0, 0.0]]]), np.array([[[1.0, 3.0]]]), np.array([1.0])
    >>> grad_weights(g, x, np.array([2.0]), one, 1)
    array([[-1.],
           [ 1.]])
    """
    check_float("normalize", g=g, x=x)
    if not COMPILED:
        return by_fallback(fallback.normalize_grad_weights, g, x, mean, inverse, groups)
    sums = memory.empty((2, groups * x.shape[1]), np.float64)
    arguments = (as_contiguous(g), as_contiguous(x), as_contiguous(mean), as_contiguous(inverse), sums)
    run(_weights_kernel, arguments, chunks_for(sums.shape[1], 2 * WORK * x.size))
    return sums


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, one, wide = np.ones((2, 2, 2), dtype), np.ones(2, dtype), np.ones(2)
    yield "normalize", lambda: normalize(x, one, one, 1e-5)
    yield "normalize.grad_input", lambda: grad_input(x, x, one, wide, wide)
    yield "normalize.grad_weights", lambda: grad_weights(x, x, wide, wide, 1)


@kernel
def _normalize_kernel(x, w, b, eps, centered, z, mean, inverse, index, chunks):
    (height, blocks, pixels), source, target = x.shape, flattened(x), flattened(z)
    count, groups, number = blocks * pixels, len(w) // max(blocks, 1), x.dtype.type
    several = _rows_at_once(count, x.itemsize)
    pivots, sums, numbers = np.empty(several, x.dtype), np.empty((several, 2)), np.empty((several, 3), x.dtype)
    low, high = height * index // chunks, height * (index + 1) // chunks
    table = np.empty((several * blocks, 3), x.dtype) if pixels > 1 else numbers
    for start in range(low, high, several):
        rows, at = min(several, high - start), start * count
        average, inverses = mean[start : start + rows], inverse[start : start + rows]
        moments_of_units(source, at, count, 0, 1, count, centered, pivots, sums, average, inverses)
        for r in range(rows):
            # The mean is subtracted in two parts: rounded to the dtype of x, and its rounding error after scaling.
            inverses[r], center = 1 / np.sqrt(inverses[r] + eps), number(average[r])
            numbers[r, 0], numbers[r, 1] = center, number(inverses[r])
            numbers[r, 2] = number((center - average[r]) * inverses[r])
        if pixels == 1:
            each = rows if groups == 1 else 1
            for r in range(0, rows, each):
                first, place = (start + r) % groups * blocks, at + r * count
                weighted_affine(source, place, w, first, b, first, target, place, count, each, count, numbers, 3 * r)
            continue
        for r in range(rows):
            first, line = (start + r) % groups * blocks, r * blocks
            for k in range(blocks):
                table[line + k, 0], table[line + k, 1] = numbers[r, 0], numbers[r, 1] * w[first + k]
                table[line + k, 2] = b[first + k] + numbers[r, 2] * w[first + k]
        affine(source, at, target, at, pixels, rows * blocks, pixels, table, 0)


@kernel
def _gradient_kernel(g, x, w, mean, inverse, centered, dx, index, chunks):
    (height, blocks, pixels), upstream, source, target = x.shape, flattened(g), flattened(x), flattened(dx)
    count, groups, number = blocks * pixels, len(w) // max(blocks, 1), x.dtype.type
    several = _rows_at_once(count, 2 * x.itemsize)
    units = several * (1 if pixels == 1 else blocks)
    centers, sums, numbers = np.empty(units, x.dtype), np.empty((units, 2)), np.empty((units, 4), x.dtype)
    block = block_of(count if pixels == 1 else pixels, x.itemsize)
    low, high = height * index // chunks, height * (index + 1) // chunks
    for start in range(low, high, several):
        rows, at = min(several, high - start), start * count
        if pixels == 1:
            each = rows if groups == 1 else 1
            for r in range(rows):
                centers[r] = mean[start + r]
            for r in range(0, rows, each):
                first, place = (start + r) % groups * blocks, at + r * count
                weighted_sums(upstream, place, source, place, w, first, count, each, 0, 1, count, block,
                              centers, r, sums, 2 * r)  # fmt: skip
            for r in range(rows):
                factors = _slopes(sums[r, 0], sums[r, 1], mean[start + r], inverse[start + r], count, centered, number)
                numbers[r, 0], numbers[r, 1] = number(inverse[start + r]), centers[r]
                numbers[r, 2], numbers[r, 3] = factors
            for r in range(0, rows, each):
                first, place = (start + r) % groups * blocks, at + r * count
                weighted_combination(upstream, place, source, place, w, first, target, place, count, each, count,
                                     numbers, 4 * r)  # fmt: skip
            continue
        for r in range(rows):
            for k in range(blocks):
                centers[r * blocks + k] = mean[start + r]
        gradient_sums(upstream, at, source, at, pixels, rows * blocks, 0, 1, pixels, block, centers, 0, sums, 0)
        for r in range(rows):
            total, product, first = 0.0, 0.0, (start + r) % groups * blocks
            for k in range(blocks):
                total += sums[r * blocks + k, 0] * w[first + k]
                product += sums[r * blocks + k, 1] * w[first + k]
            incline, term = _slopes(total, product, mean[start + r], inverse[start + r], count, centered, number)
            scale = number(inverse[start + r])
            for k in range(blocks):
                line = r * blocks + k
                numbers[line, 0], numbers[line, 1] = scale * w[first + k], centers[line]
                numbers[line, 2], numbers[line, 3] = incline, term
        combination(upstream, at, source, at, target, at, pixels, rows * blocks, pixels, numbers, 0)


@helper
def _slopes(total, product, mean, inverse, count, centered, number):
    """s and t of the gradient gw · inverse + (x − center) · s + t of a row, from Σ gw and Σ gw · (x − center)."""
    rest = mean - number(mean)
    slope = (product - rest * total) * inverse * inverse / count
    offset = (total / count if centered else 0.0) - slope * rest
    return number(-slope * inverse), number(-offset * inverse)


@helper
def _rows_at_once(count, itemsize):
    """How many rows of `count` elements are done together: so few that they stay in the cache for the second pass."""
    return max(1, min(64, CACHE // max(1, count * itemsize)))


@kernel
def _weights_kernel(g, x, mean, inverse, sums, index, chunks):
    (height, blocks, pixels), upstream, source, size = x.shape, flattened(g), flattened(x), sums.shape[1]
    low, high, groups = size * index // chunks, size * (index + 1) // chunks, size // max(blocks, 1)
    if pixels == 1:
        for group in range(groups):
            start, end = max(low, group * blocks), min(high, (group + 1) * blocks)
            if start < end:
                columns = (group, groups, blocks, start - group * blocks)
                _sums_of_columns(upstream, source, mean, inverse, columns, sums[:, start:end])
        return
    for k in range(low, high):
        sums[0, k] = sums[1, k] = 0.0
    block, centers, both = block_of(pixels, x.itemsize), np.empty(blocks, x.dtype), np.empty((blocks, 2))
    for r in range(height):
        first = r % groups * blocks
        start, end = max(low, first), min(high, first + blocks)
        if start < end:
            place, units = (r * blocks + start - first) * pixels, end - start
            for k in range(units):
                centers[k] = mean[r]
            gradient_sums(upstream, place, source, place, pixels, units, 0, 1, pixels, block, centers, 0, both, 0)
            rest = mean[r] - centers[0]
            for k in range(units):
                sums[0, start + k] += (both[k, 1] - rest * both[k, 0]) * inverse[r]
                sums[1, start + k] += both[k, 0]


@helper
def _sums_of_columns(g, x, mean, inverse, columns, sums):
    """Σ g · x̂ and Σ g of columns, from `start` on, of rows of `width` elements: each `step`th row from `first` on."""
    (first, step, width, start), height, number = columns, len(mean), x.dtype.type
    count, wide = sums.shape[1], strip(x.itemsize)
    padded = -(-count // wide) * wide
    both, numbers = np.zeros((2, padded)), np.empty((CHAIN, 3), x.dtype)
    for row in range(first, height, step * CHAIN):
        rows, at = min(CHAIN, -(-(height - row) // step)), row * width + start
        for k in range(rows):
            average, scale = mean[row + k * step], inverse[row + k * step]
            center = number(average)
            numbers[k, 0], numbers[k, 1], numbers[k, 2] = center, number(scale), number((center - average) * scale)
        column_sums(g, at, x, at, step * width, rows, count, numbers, 0, both, 0, padded)
    for k in range(count):
        sums[0, k], sums[1, k] = both[1, k], both[0, k]
