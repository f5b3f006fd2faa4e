"""Arrays as pictures of one size per layer: filters and feature maps as tiles side by side, a gap between them."""

from __future__ import annotations

import math

import numpy as np

FILTERS, INPUTS = 16, 4
"""The most filters of a layer, and the most input channels of each, that are shown."""

MAPS = 8
"""The most feature maps of a layer that are shown."""

SIDE = 28
"""The largest side of a feature map; of a larger one every n-th row and column is shown."""

MATRIX = 48
"""The most rows and columns of a matrix that are shown."""


def filters(weight: np.ndarray, image: tuple[int, ...]) -> tuple[np.ndarray, str] | None:
    """The picture of a weight `(rows, columns)`, NaN between its tiles, and what it shows; None without two axes.

    A filter is a column of tiles, one for each input channel. Units whose inputs are the pixels of an image are shown
    as images; other matrices as they are.

    Args:
        weight: `(O, I, …)`.
        image: the shape of one image, `(C, H, W)`.
    """
    if weight.ndim < 2 or weight.size == 0:
        return None
    outputs, inputs = weight.shape[:2]
    if weight.ndim == 2 and len(image) >= 2 and min(image[-2:]) > 1 and inputs == math.prod(image):
        units = weight[:FILTERS].reshape(-1, *image)  # (O, D) -> (O, C, H, W)
        units = units.reshape(len(units), -1, *image[-2:])[:, 0]
        return tiled(_sampled(units), 8), f"the weights of {_part(len(units), outputs, 'unit')}, as images"
    if weight.ndim == 2:
        down, across = (max(math.ceil(n / MATRIX), 1) for n in weight.shape)
        shown = weight[::down, ::across]
        note = "" if down == across == 1 else f", {shown.shape[0]} × {shown.shape[1]} of them shown"
        return shown, f"{outputs} × {inputs} weights: a row for each unit{note}"
    shown = weight[:FILTERS, :INPUTS]
    if weight.ndim == 3:
        return _grid(shown[:, :, None]), _caption(shown.shape, outputs, inputs, "a row for each filter")
    while shown.ndim > 4:  # (O, I, D, H, W): the middle of the depth
        shown = shown[:, :, shown.shape[2] // 2]
    # (O, I, h, w) -> (I, O, h, w): a column for each filter
    return _grid(shown.swapaxes(0, 1)), _caption(shown.shape, outputs, inputs, "a column for each filter")


def maps(output: np.ndarray) -> tuple[np.ndarray, str] | None:
    """The picture of what a layer gives for one image, and what it shows; None for a single number.

    Args:
        output: `(C, H, W)`, `(C, L)` or `(D,)`.
    """
    if output.size < 2:
        return None
    while output.ndim > 3:  # (C, D, H, W): the middle of the depth
        output = output[:, output.shape[1] // 2]
    if output.ndim == 1:
        width = min(len(output), 32)
        rows = math.ceil(len(output) / width)
        row = np.full(rows * width, np.nan, np.float32)
        row[: len(output)] = output
        return row.reshape(rows, width), f"{len(output)} units"
    if output.ndim == 2:
        step = math.ceil(output.shape[1] / (2 * MATRIX))
        shown = output[:FILTERS, ::step]
        return shown, f"{_part(len(shown), len(output), 'channel')}, a row for each"
    shown = _sampled(output[:MAPS])
    return tiled(shown, 4), _part(len(shown), len(output), "feature map")


def tiled(tiles: np.ndarray, columns: int) -> np.ndarray:
    """`(N, h, w)` as rows of at most that many tiles; what is missing in the last row is NaN.

    >>> tiled(np.ones((3, 1, 1)), 2)
    array([[ 1., nan,  1.],
           [nan, nan, nan],
           [ 1., nan, nan]])
    """
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    full = np.full((rows * columns, *tiles.shape[1:]), np.nan, tiles.dtype)
    full[: len(tiles)] = tiles
    return _grid(full.reshape(rows, columns, *tiles.shape[1:]))


def _grid(tiles: np.ndarray) -> np.ndarray:
    """(R, C, h, w) -> (R · (h + 1) − 1, C · (w + 1) − 1): a gap of NaN between tiles."""
    framed = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    rows, columns, height, width = framed.shape
    return framed.swapaxes(1, 2).reshape(rows * height, columns * width)[:-1, :-1]


def _sampled(images: np.ndarray) -> np.ndarray:
    """(N, H, W) with sides of at most `SIDE`."""
    step = max(math.ceil(max(images.shape[1:]) / SIDE), 1)
    return images[:, ::step, ::step]


def _part(shown: int, count: int, noun: str) -> str:
    plural = noun if count == 1 else f"{noun}s"
    return f"{count} {plural}" if shown == count else f"{shown} of {count} {plural}"


def _caption(shown: tuple[int, ...], outputs: int, inputs: int, how: str) -> str:
    channels = "" if inputs == 1 else f", {_part(shown[1], inputs, 'input channel')}"
    return f"{_part(shown[0], outputs, 'filter')}{channels}; {how}"
