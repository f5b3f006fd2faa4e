"""A play, frame by frame: windows write the result, one after the other, then scatter the gradient back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tensorgrad.viz.microscope import sums
from tensorgrad.viz.microscope.layers import Layer

Direction = Literal["forward", "backward"]

WRITTEN = {
    ("forward", True): "windows",
    ("forward", False): "pixels",
    ("backward", True): "window_gradient",
    ("backward", False): "pixel_gradient",
}
"""What is written in a direction, by whether windows gather what lies in them, or scatter."""


@dataclass(frozen=True)
class View:
    """One image, and one channel on either side, of a layer.

    Attributes:
        layer: the layer.
        image: the index of the image.
        channel: on the side of the pixels.
        map: on the side of the windows.
    """

    layer: Layer
    image: int
    channel: int
    map: int

    @classmethod
    def strongest(cls, layer: Layer, image: int) -> View:
        """The channel of the windows with the largest gradient, or else values, and the strongest that it sees."""
        gradient = layer.windows.gradient
        strength = _strength(layer.windows.values[image] if gradient is None else gradient[image])
        map, size = int(strength.argmax()), layer.pixels.values.shape[1] // layer.groups
        first = map // (len(strength) // layer.groups) * size
        return cls(layer, image, first + int(_strength(layer.pixels.values[image, first : first + size]).argmax()), map)

    @property
    def filter(self) -> np.ndarray | None:
        """The filter between the two channels, `(I, J)`; None of a pooling."""
        filters = self.layer.filters
        return None if filters is None else filters.weights[self.map, self.channel % filters.weights.shape[1]]

    @property
    def count(self) -> int:
        """How many windows there are."""
        return int(np.prod(self.layer.windows.values.shape[2:]))

    def planes(self, direction: Direction, done: int) -> dict[str, np.ndarray | None]:
        """What is seen after so many windows: `pixels`, `windows`, `pixel_gradient`, `window_gradient`.

        Each is `(h, w)`. Forward the values on the side of the result are written, backward the gradient on the side
        of the input: NaN where no window has been, or the sum of what they have put there. None if it isn't known.
        """
        pixels, windows = self.layer.pixels, self.layer.windows
        pixel, window = (self.image, self.channel), (self.image, self.map)
        shown = {
            "pixels": pixels.values[pixel],
            "windows": windows.values[window],
            "pixel_gradient": None if pixels.gradient is None else pixels.gradient[pixel],
            "window_gradient": None if windows.gradient is None else windows.gradient[window],
        }
        gathers = (direction == "forward") != self.layer.transposed
        written = WRITTEN[direction, gathers]
        plane = shown[written]
        if not gathers:
            shown[written] = self._scattered(done)
        elif plane is not None:
            shown[written] = np.where(np.arange(self.count).reshape(plane.shape) < done, plane, np.nan)
        return shown

    def _scattered(self, done: int) -> np.ndarray | None:
        """Σ of what the first windows of all channels have put into each pixel of the channel."""
        layer, (_, windows) = self.layer, self.layer.multiplied
        if windows is None:
            return None
        maps = windows.shape[1] // layer.groups
        inner = layer.pixels.values.shape[1] // layer.groups
        own = slice(self.channel // inner * maps, (self.channel // inner + 1) * maps)
        over = np.arange(self.count).reshape(windows.shape[2:]) < done
        signal = np.where(over, windows[self.image : self.image + 1, own], 0.0)
        if layer.filters is not None:
            weights = layer.filters.weights[own, self.channel % inner : self.channel % inner + 1]
            bias = layer.filters.bias if layer.transposed else None
            start = 0.0 if bias is None else float(bias[self.channel])
            return start + sums.at_pixels(signal, weights, layer.axes)[0, 0]
        if layer.chosen is not None:
            total = np.zeros(layer.pixels.values.shape[2:])
            np.add.at(total.ravel(), layer.chosen[self.image, self.map].ravel(), signal.ravel())
            return total
        ones = np.ones((1, 1, *(axis.taps for axis in layer.axes)))
        return sums.at_pixels(signal * layer.shares, ones, layer.axes)[0, 0]


def _strength(planes: np.ndarray) -> np.ndarray:
    """(C, h, w) -> (C,)"""
    return np.abs(planes).sum((1, 2))
