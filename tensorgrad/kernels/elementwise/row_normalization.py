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
from tensorgrad.kernels.jit.dispatch import COMPILED, as_contiguous, by_fallback, check_float, chunks_for, kernel, run

# The time per element in multiply-adds; a rough measurement.
WORK = 5


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
    blocks, pixels = x.shape[1], x.shape[2]
    count, groups, kind = blocks * pixels, len(w) // max(blocks, 1), x.dtype.type
    for r in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        row, out, total, squares = x[r].reshape(count), z[r].reshape(count), 0.0, 0.0
        if centered:
            for q in range(count):
                total += row[q]
            total /= count
        # The mean first, then the squares around it: with a large mean, squares around 0 lose digits to cancellation.
        center = kind(total)
        for q in range(count):
            squares += (row[q] - center) * (row[q] - center)
        rest = total - center
        # Minus the term from rounding the center to the array's dtype.
        variance = max(0.0, squares / count - rest * rest) if squares == squares else squares
        mean[r], inverse[r] = total, 1 / np.sqrt(variance + eps)
        scale, shift, first = kind(inverse[r]), kind(rest * inverse[r]), r % groups * blocks
        if pixels == 1:
            weights, biases = w[first : first + blocks], b[first : first + blocks]
            for k in range(blocks):
                out[k] = ((row[k] - center) * scale - shift) * weights[k] + biases[k]
        else:
            for k in range(blocks):
                factor = scale * w[first + k]
                term = b[first + k] - shift * w[first + k]
                source, target = x[r, k], z[r, k]
                for q in range(pixels):
                    target[q] = (source[q] - center) * factor + term


@kernel
def _gradient_kernel(g, x, w, mean, inverse, centered, dx, index, chunks):
    blocks, pixels = x.shape[1], x.shape[2]
    count, groups, kind = blocks * pixels, len(w) // max(blocks, 1), x.dtype.type
    for r in range(len(x) * index // chunks, len(x) * (index + 1) // chunks):
        center, rest, first = kind(mean[r]), mean[r] - kind(mean[r]), r % groups * blocks
        total, product = 0.0, 0.0
        if pixels == 1:
            upstream, source, weights = g[r].reshape(count), x[r].reshape(count), w[first : first + blocks]
            for k in range(blocks):
                weighed = upstream[k] * weights[k]
                total += weighed
                product += weighed * (source[k] - center)
        else:
            for k in range(blocks):
                upstream, source, part, other = g[r, k], x[r, k], 0.0, 0.0
                for q in range(pixels):
                    part += upstream[q]
                    other += upstream[q] * (source[q] - center)
                total += part * w[first + k]
                product += other * w[first + k]
        slope = (product - rest * total) * inverse[r] * inverse[r] / count
        scale, incline = kind(inverse[r]), kind(slope)
        offset = kind((total / count if centered else 0.0) - slope * rest)
        if pixels == 1:
            upstream, source, weights = g[r].reshape(count), x[r].reshape(count), w[first : first + blocks]
            target = dx[r].reshape(count)
            for k in range(blocks):
                target[k] = scale * (upstream[k] * weights[k] - offset - incline * (source[k] - center))
        else:
            for k in range(blocks):
                upstream, source, target, factor = g[r, k], x[r, k], dx[r, k], w[first + k]
                for q in range(pixels):
                    target[q] = scale * (upstream[q] * factor - offset - incline * (source[q] - center))


@kernel
def _weights_kernel(g, x, mean, inverse, sums, index, chunks):
    blocks, pixels, size = x.shape[1], x.shape[2], sums.shape[1]
    low, high, groups = size * index // chunks, size * (index + 1) // chunks, size // max(blocks, 1)
    products, totals = sums[0], sums[1]
    products[low:high] = 0.0
    totals[low:high] = 0.0
    for r in range(len(x)):
        first = r % groups * blocks
        start, end = max(low, first), min(high, first + blocks)
        if pixels == 1:
            # Slices that are indexed from 0: LLVM vectorizes no loop whose index may be negative.
            upstream, source = g[r].reshape(blocks)[start - first : end - first], x[r].reshape(blocks)[start - first :]
            plain, weighed, average, scale = totals[start:end], products[start:end], mean[r], inverse[r]
            for k in range(len(plain)):
                plain[k] += upstream[k]
                weighed[k] += upstream[k] * ((source[k] - average) * scale)
        else:
            center = x.dtype.type(mean[r])
            for k in range(start, end):
                upstream, source, total, product = g[r, k - first], x[r, k - first], 0.0, 0.0
                for q in range(pixels):
                    total += upstream[q]
                    product += upstream[q] * (source[q] - center)
                totals[k] += total
                products[k] += (product - (mean[r] - center) * total) * inverse[r]
