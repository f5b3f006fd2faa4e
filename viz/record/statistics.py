"""What drawings show of an array: statistics; in detail a histogram, a picture, and the values themselves."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.viz.record.records import Details, GradientRecord, Scalar, Statistics

FEW = 64
"""Arrays of at most this many elements are shown in full."""

MANY = 50_000
"""What flows into a parameter is kept in full up to this many elements, so that a page can add it up."""

BINS = 24
TILE, TILES = 28, 8
"""The largest picture: pixels per side of a channel, and channels."""


def scalar(array: np.ndarray | None) -> Scalar | None:
    """The value of an array without axes."""
    return array.item() if array is not None and array.ndim == 0 else None


def statistics(array: np.ndarray) -> Statistics | None:
    """The statistics of an array of numbers; None for a scalar, which is shown by its value."""
    if array.ndim == 0:
        return None
    zeros = 1 - int(np.count_nonzero(array)) / array.size if array.size else 0.0
    finite, nans = _finite(array), 0
    if finite.size < array.size:
        nans = int(np.isnan(array).sum())
    infinities = array.size - finite.size - nans
    if finite.size == 0:
        return Statistics(0.0, 0.0, 0.0, 0.0, zeros, nans, infinities)
    mean, std = moments(finite)
    return Statistics(mean, std, float(finite.min()), float(finite.max()), zeros, nans, infinities)


def moments(array: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of numbers, in float64, also where their sum or squares would overflow."""
    with np.errstate(all="ignore"):
        mean, std = float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))
        largest = 0.0 if math.isfinite(mean) and math.isfinite(std) else float(np.abs(array).max())
        if 0 < largest < math.inf:
            scaled = array / largest
            mean, std = largest * float(scaled.mean()), largest * float(scaled.std())
    return mean, std


def gradient(array: np.ndarray, numbers: bool = False, most: int = 0) -> GradientRecord:
    """The record of a gradient.

    Args:
        array: its values.
        numbers: add its statistics.
        most: add its details, with the values of at most this many elements; 0 for no details.
    """
    mean = moments(np.abs(array))[0] if array.size else 0.0
    return GradientRecord(
        array.shape,
        mean,
        scalar(array),
        statistics(array) if numbers else None,
        details(array, most) if most else None,
    )


def idle(op: str, z: np.ndarray) -> float | None:
    """The fraction of an activation that lets no gradient through; None for other ops.

    For relu it is the fraction of units (features or channels, on axis 1) that are 0 for the whole batch; for sigmoid
    and tanh the fraction of elements whose derivative is below 5 % of its maximum.

    >>> import numpy as np
    >>> idle("relu", np.array([[0.0, 1.0], [0.0, 2.0]])), idle("tanh", np.array([0.99, 0.0, 0.5, -1.0]))
    (0.5, 0.5)
    """
    if z.size == 0:
        return None
    if op == "relu":
        # (N, C, ...) -> (C,)
        off = (z == 0).all(axis=tuple(k for k in range(z.ndim) if k != 1)) if z.ndim > 1 else z == 0
        return float(np.mean(off))
    slopes = {"sigmoid": lambda z: 4 * z * (1 - z), "tanh": lambda z: 1 - z * z}
    return float(np.mean(slopes[op](z) < 0.05)) if op in slopes else None


def details(array: np.ndarray, most: int = FEW) -> Details:
    """Histogram and picture of an array of numbers, and its values if there are at most `most`."""
    finite = _finite(array)
    histogram = _histogram(finite.astype(np.float64)) if finite.size else np.zeros(BINS, int)
    values = array.ravel().tolist() if array.size <= most else []
    return Details(tuple(values), tuple(histogram.tolist()), picture(array))


def _histogram(finite: np.ndarray) -> np.ndarray:
    """Counts in equal bins between the minimum and the maximum, also where their difference is subnormal."""
    # Large values are halved: the difference of the largest floats overflows.
    scaled = finite * (0.5 if np.abs(finite).max() > 1 else 1.0)
    low, span = scaled.min(), np.ptp(scaled)
    relative = (scaled - low) / span if span else np.full(finite.shape, 0.5)
    return np.histogram(relative, BINS, (0, 1))[0]


def picture(array: np.ndarray) -> tuple[tuple[float | None, ...], ...]:
    """An array as rows of pixels: a matrix as it is, a vector as one row, of several images the first.

    Channels, or images of one channel, stand side by side with a column of None between them; values that aren't finite
    are None, too. Of large arrays every n-th row and column is kept.
    """
    if array.ndim == 0 or array.size == 0:
        return ()
    if array.ndim == 4 and array.shape[1] == 1:
        maps = array[:, 0]  # (N, 1, H, W) -> (N, H, W): grey images or filters
    else:
        # (..., C, H, W) -> (C, H, W); (N, D) -> (1, N, D); (D,) -> (1, 1, D)
        maps = array.reshape(-1, *array.shape[-3:])[0] if array.ndim > 3 else array.reshape((1, 1, *array.shape)[-3:])
    step = math.ceil(max(maps.shape[1:]) / TILE) if maps.shape[1] > 1 else math.ceil(maps.shape[2] / FEW)
    maps = maps[:TILES, ::step, ::step].astype(np.float64)
    gap = np.full((maps.shape[1], 1), np.nan)
    tiles = [part for tile in maps for part in (tile, gap)][:-1]
    rows = np.hstack(tiles)
    return tuple(tuple(x if math.isfinite(x) else None for x in row) for row in rows.tolist())


def _finite(array: np.ndarray) -> np.ndarray:
    """The finite elements; the array itself if all are."""
    if array.dtype.kind != "f":
        return array
    finite = np.isfinite(array)
    return array if finite.all() else array[finite]
