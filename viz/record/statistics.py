"""What drawings say about an array: statistics, and for a closer look a histogram, a picture, the values themselves."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.viz.record.records import Details, GradientRecord, Scalar, Statistics

FEW = 64
"""Arrays of so many elements are shown in full."""

MANY = 50_000
"""What flows into a parameter is kept in full up to so many elements, so that a page can add it up."""

BINS = 24
TILE, TILES = 28, 8
"""A picture has at most so many pixels per side of a channel, and so many channels."""


def scalar(array: np.ndarray | None) -> Scalar | None:
    """The value of an array without axes."""
    return array.item() if array is not None and array.ndim == 0 else None


def statistics(array: np.ndarray) -> Statistics | None:
    """Those of an array of numbers that has axes; a scalar's value says it all."""
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
    """Mean and standard deviation of numbers, in float64, also where their sum or their squares would be too large."""
    with np.errstate(all="ignore"):
        mean, std = float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))
        largest = 0.0 if math.isfinite(mean) and math.isfinite(std) else float(np.abs(array).max())
        if 0 < largest < math.inf:
            scaled = array / largest
            mean, std = largest * float(scaled.mean()), largest * float(scaled.std())
    return mean, std


def gradient(array: np.ndarray, numbers: bool = False, closely: bool = False, most: int = FEW) -> GradientRecord:
    """The record of a gradient; `numbers` adds its statistics, `closely` its details, with `most` values."""
    mean = moments(np.abs(array))[0] if array.size else 0.0
    return GradientRecord(
        array.shape,
        mean,
        scalar(array),
        statistics(array) if numbers else None,
        details(array, most) if closely else None,
    )


def idle(op: str, z: np.ndarray) -> float | None:
    """The share of an activation that lets no gradient through; None for ops that aren't known for it.

    Of relu it is the share of units, the features or channels on axis 1, that are 0 for the whole batch; of sigmoid
    and tanh the share of elements whose derivative is below 5 % of its maximum.

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
    """Values if there are at most so many, histogram and picture of an array of numbers."""
    finite = _finite(array)
    histogram = _histogram(finite.astype(np.float64)) if finite.size else np.zeros(BINS, int)
    values = array.ravel().tolist() if array.size <= most else []
    return Details(tuple(values), tuple(histogram.tolist()), picture(array))


def _histogram(finite: np.ndarray) -> np.ndarray:
    """Counts between the least and the greatest, wherever these lie: their difference may be the least there is."""
    # Halves of large ones, for the difference of the largest floats is no float.
    scaled = finite * (0.5 if np.abs(finite).max() > 1 else 1.0)
    low, span = scaled.min(), np.ptp(scaled)
    shares = (scaled - low) / span if span else np.full(finite.shape, 0.5)
    return np.histogram(shares, BINS, (0, 1))[0]


def picture(array: np.ndarray) -> tuple[tuple[float | None, ...], ...]:
    """An array as rows of pixels: matrices as they are, vectors as one row, of images the first.

    Its channels, or images of one channel, stand side by side with a column of None between two; None stands for what
    isn't finite, too. Large ones are thinned out to every n-th row and column.
    """
    if array.ndim == 0 or array.size == 0:
        return ()
    if array.ndim == 4 and array.shape[1] == 1:
        maps = array[:, 0]  # (N, 1, H, W) -> (N, H, W): grey images or filters, as many as fit
    else:
        # (..., C, H, W) -> (C, H, W); (N, D) -> (1, N, D); (D,) -> (1, 1, D)
        maps = array.reshape(-1, *array.shape[-3:])[0] if array.ndim > 3 else array.reshape((1, 1, *array.shape)[-3:])
    step = math.ceil(max(maps.shape[1:]) / TILE) if maps.shape[1] > 1 else math.ceil(maps.shape[2] / FEW)
    maps = maps[:TILES, ::step, ::step].astype(np.float64)
    gap = np.full((maps.shape[1], 1), np.nan)
    tiles = [part for tile in maps for part in (tile, gap)][:-1]
    rows = np.hstack(tiles)
    return tuple(tuple(row) for row in np.where(np.isfinite(rows), rows, None).tolist())


def _finite(array: np.ndarray) -> np.ndarray:
    """The finite elements; the array itself if all are."""
    if array.dtype.kind != "f":
        return array
    finite = np.isfinite(array)
    return array if finite.all() else array[finite]
