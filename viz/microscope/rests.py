"""What isn't on the page: the sums over the images, channels and filters that were left out, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad.viz.microscope import sums
from tensorgrad.viz.microscope.cut import Cut


def rests(cut: Cut) -> dict[str, np.ndarray]:
    """By name, the parts of sums that are left out; a name is missing where nothing is.

    - `window_rest`: for each kept window, the sum over the channels that aren't kept;
    - `pixel_rest`: for each kept pixel, the sum over the filters that aren't kept;
    - `weight_rest`: for each kept weight, the sum over the images that aren't kept.
    """
    if cut.layer.filters is None:  # each channel of a pooling stands by itself
        return {}
    found = {"window_rest": _of_windows(cut), "pixel_rest": _of_pixels(cut), "weight_rest": _of_weights(cut)}
    return {name: rest for name, rest in found.items() if rest is not None}


def _of_windows(cut: Cut) -> np.ndarray | None:
    pixels, _ = cut.layer.multiplied
    if pixels is None or cut.channels == pixels.shape[1]:
        return None
    rest = np.zeros((len(cut.images), cut.maps, *(len(axis.starts) for axis in cut.layer.axes)))
    for maps, channels, weights in _groups(cut):
        hidden = max(cut.channels - channels.start, 0)
        kept = slice(maps.start, min(maps.stop, cut.maps))
        image = pixels[list(cut.images), channels][:, hidden:]
        rest[:, kept] = sums.at_windows(image, weights[: kept.stop - kept.start, hidden:], cut.layer.axes)
    return rest


def _of_pixels(cut: Cut) -> np.ndarray | None:
    _, windows = cut.layer.multiplied
    if windows is None or cut.maps == windows.shape[1]:
        return None
    rest = np.zeros((len(cut.images), cut.channels, *(axis.size for axis in cut.layer.axes)))
    for maps, channels, weights in _groups(cut):
        hidden = max(cut.maps - maps.start, 0)
        kept = slice(channels.start, min(channels.stop, cut.channels))
        image = windows[list(cut.images), maps][:, hidden:]
        rest[:, kept] = sums.at_pixels(image, weights[hidden:, : kept.stop - kept.start], cut.layer.axes)
    return rest


def _of_weights(cut: Cut) -> np.ndarray | None:
    pixels, windows = cut.layer.multiplied
    others = [n for n in range(cut.layer.images) if n not in cut.images]
    if pixels is None or windows is None or not others:
        return None
    rest = np.zeros((cut.maps, cut.inputs, *(axis.taps for axis in cut.layer.axes)))
    for maps, channels, _ in _groups(cut):
        kept = slice(maps.start, min(maps.stop, cut.maps))
        met = slice(channels.start, min(channels.stop, cut.channels))
        found = sums.at_weights(pixels[others, met], windows[others, kept], cut.layer.axes)
        rest[kept, : met.stop - met.start] = found
    return rest


def _groups(cut: Cut) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Per group that is kept, at least in part: its channels on both sides, windows first, and its filters."""
    filters = cut.layer.filters
    assert filters is not None
    weights = filters.weights
    maps, channels = len(weights) // cut.layer.groups, weights.shape[1]
    for g in range(-(-cut.maps // maps)):
        own = slice(g * maps, (g + 1) * maps)
        yield own, slice(g * channels, (g + 1) * channels), weights[own]
