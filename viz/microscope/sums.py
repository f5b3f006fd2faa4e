"""The three sums of a convolution, in float64: what a window, a pixel and a weight add up from what they met.

For a convolution these are its result, its gradient for the input and its gradient for the filters; for a transposed
one, the gradient for the input, the result and the gradient for the filters.

Shapes: pixels `(N, C, H, W)`, windows `(N, K, P, Q)`, filters `(K, C, I, J)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.viz.microscope.axes import Axes, meetings


def at_windows(pixels: np.ndarray, filters: np.ndarray, axes: Axes) -> np.ndarray:
    """Σ over channels and taps of pixel · weight, for each window: `(N, K, P, Q)`."""
    total = np.zeros((len(pixels), len(filters), *(len(axis.starts) for axis in axes)))
    for (i, j), (rows, columns), places in meetings(axes):
        met = _taken(pixels, places)
        total[:, :, rows[:, None], columns] += np.einsum("nchw,kc->nkhw", met, filters[:, :, i, j], optimize=True)
    return total


def at_pixels(windows: np.ndarray, filters: np.ndarray, axes: Axes) -> np.ndarray:
    """Σ over filters and the windows that hold it of window · weight, for each pixel: `(N, C, H, W)`."""
    total = np.zeros((len(windows), filters.shape[1], *(axis.size for axis in axes)))
    for (i, j), places, (rows, columns) in meetings(axes):
        met = np.einsum("nkpq,kc->ncpq", _taken(windows, places), filters[:, :, i, j], optimize=True)
        # Where windows overlap completely, several meet one pixel in one tap: += would count one of them.
        place: Any = (slice(None), slice(None), rows[:, None], columns)
        np.add.at(total, place, met)
    return total


def at_weights(pixels: np.ndarray, windows: np.ndarray, axes: Axes) -> np.ndarray:
    """Σ over images and windows of pixel · window, for each weight: `(K, C, I, J)`."""
    total = np.zeros((windows.shape[1], pixels.shape[1], *(axis.taps for axis in axes)))
    for (i, j), places, under in meetings(axes):
        met = _taken(pixels, under), _taken(windows, places)
        total[:, :, i, j] = np.einsum("nchw,nkhw->kc", *met, optimize=True)
    return total


def _taken(images: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    """(N, C, H, W) -> (N, C, rows, columns), in float64."""
    rows, columns = places
    return images[:, :, rows[:, None], columns].astype(np.float64)
