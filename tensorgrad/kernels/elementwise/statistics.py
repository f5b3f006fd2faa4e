"""Means and variances: what all normalizations have in common.

A unit is what has a mean and a variance of its own, a channel of several images or a row: `count` segments of `length`
contiguous elements, `step` apart, in a flat array. Units are `stride` apart.
"""

import numpy as np

from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.simd.passes import block_of, centered_sums

# By how many times the variance the square of the distance from the pivot to the mean may exceed it.
FAR = 16


@helper
def moments_of_units(x, at, stride, step, count, length, centered, pivots, sums, mean, var):
    """Mean and biased variance of each unit, float64, in one pass; not `centered`, 0 and the mean of the squares.

    Sums around 0 would cancel where the mean is large. These are taken around a pivot, the first element: Σ d and Σ d²
    with d = x − pivot, so the variance is the mean of d² less the square of the mean of d. Where that loses digits,
    since the first element is an outlier, the sums are taken once more, around the mean.

    `pivots` and `sums`, `(units,)` in the dtype of x and `(units, 2)` in float64, are overwritten.
    """
    units, per_element, zero = len(mean), 1 / np.float64(count * length), x.dtype.type(0)
    block = block_of(length, x.itemsize)
    for u in range(units):
        first = x[at + u * stride]
        pivots[u] = first if centered and first - first == zero else zero  # not where it is NaN or infinite
    centered_sums(x, at, stride, units, step, count, length, block, pivots, 0, sums, 0)
    again = 0
    for u in range(units):
        distance, squares = sums[u, 0] * per_element, sums[u, 1] * per_element
        variance = squares - distance * distance
        mean[u], var[u] = pivots[u] + distance, max(variance, 0.0) if variance == variance else variance
        again += 1 if distance * distance > FAR * variance else 0
    if not centered:
        for u in range(units):
            mean[u], var[u] = 0.0, sums[u, 1] * per_element
    elif again:
        for u in range(units):
            distance = mean[u] - pivots[u]
            if distance * distance > FAR * var[u] and distance - distance == 0:
                pivots[u] = mean[u]
                centered_sums(x, at + u * stride, 0, 1, step, count, length, block, pivots, u, sums, 2 * u)
                distance = sums[u, 0] * per_element
                mean[u], var[u] = pivots[u] + distance, max(0.0, sums[u, 1] * per_element - distance * distance)
