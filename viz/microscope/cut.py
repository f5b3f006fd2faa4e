"""What of the layers goes onto the page: some images and channels, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.viz.microscope.layers import Layer

BUDGET = 3_000_000
"""The bytes of all arrays of a page. In base64 they take a third more."""

CHANNELS = (64, 32, 16, 8, 4)
"""The most channels that are kept on each side, from the first choice to the last."""

ENOUGH, MOST = 4, 24
"""With fewer images than `ENOUGH`, fewer channels are kept instead; more than `MOST` are kept only on request."""


@dataclass(frozen=True)
class Cut:
    """The part of a layer that is kept.

    Attributes:
        layer: the whole.
        images: the indices of the images.
        channels: how many channels on the side of the pixels: the first ones.
        maps: how many on the side of the windows.
    """

    layer: Layer
    images: tuple[int, ...]
    channels: int
    maps: int

    @classmethod
    def of(cls, layer: Layer, images: Sequence[int], most: int) -> Cut:
        """At most so many channels on each side, all of them in groups of which both sides are kept."""
        shapes = layer.pixels.values.shape, layer.windows.values.shape
        sizes = [shape[1] // layer.groups for shape in shapes]
        groups = min(-(-min(most, shape[1]) // size) for shape, size in zip(shapes, sizes, strict=True))
        channels, maps = (min(most, groups * size) for size in sizes)
        return cls(layer, tuple(n for n in images if n < layer.images), channels, maps)

    @property
    def inputs(self) -> int:
        """How many input channels of each filter are kept."""
        return min(self.channels, self.layer.pixels.values.shape[1] // self.layer.groups)

    def arrays(self) -> dict[str, np.ndarray]:
        """The kept parts of the layer's arrays, by name: of those that are known."""
        layer, images = self.layer, list(self.images)
        found = {
            "pixels": layer.pixels.values[images, : self.channels],
            "windows": layer.windows.values[images, : self.maps],
            "pixel_gradient": _part(layer.pixels.gradient, images, self.channels),
            "window_gradient": _part(layer.windows.gradient, images, self.maps),
            "chosen": _part(layer.chosen, images, self.maps),
            "shares": layer.shares,
        }
        if layer.filters is not None:
            filters, kept = layer.filters, slice(self.maps)
            found["weights"] = _part(filters.weights, kept, self.inputs)
            found["weight_gradient"] = _part(filters.gradient, kept, self.inputs)
            found["whole"] = _part(filters.whole, kept, self.inputs)
            found["bias"] = filters.bias
        return {name: array for name, array in found.items() if array is not None}

    @property
    def bytes(self) -> int:
        """The bytes of these arrays, and of what is left out of their sums."""
        found = sum(array.nbytes for array in self.arrays().values())
        parts = 2 if self.layer.filters is not None and self.leaves_out_channels else 1
        return found * parts

    @property
    def leaves_out_channels(self) -> bool:
        """Whether a sum over channels isn't whole."""
        shapes = self.layer.pixels.values.shape, self.layer.windows.values.shape
        return any(kept < shape[1] for kept, shape in zip((self.channels, self.maps), shapes, strict=True))


def cut(layers: Iterable[Layer], images: Sequence[int] | None, budget: int = BUDGET) -> tuple[list[Cut], list[Layer]]:
    """The parts of layers that fit into the budget, and the layers that don't, not even with few channels and images.

    Args:
        layers: in the order they ran.
        images: the indices of the images to keep; None for as many of the first as fit.
        budget: in bytes. One layer is kept in any case.
    """
    layers = list(layers)
    wanted = range(min(max(layer.images for layer in layers), MOST)) if images is None else images
    for most in CHANNELS:
        count = _fitting(layers, wanted, most, budget) if images is None else len(wanted)
        cuts = [Cut.of(layer, wanted[:count], most) for layer in layers]
        fits = sum(part.bytes for part in cuts) <= budget
        if fits and (count >= min(ENOUGH, len(wanted)) or most == CHANNELS[-1]):
            return cuts, []
    return _first_fitting(cuts, budget)


def _first_fitting(cuts: Sequence[Cut], budget: int) -> tuple[list[Cut], list[Layer]]:
    """The layers that fit beside those before them, and the others."""
    kept, left_out = [cuts[0]], list[Layer]()
    for part in cuts[1:]:
        if sum(one.bytes for one in (*kept, part)) <= budget:
            kept.append(part)
        else:
            left_out.append(part.layer)
    return kept, left_out


def _fitting(layers: Sequence[Layer], images: Sequence[int], most: int, budget: int) -> int:
    """How many of the images fit: at least one."""
    one, two = (sum(Cut.of(layer, images[:n], most).bytes for layer in layers) for n in (1, 2))
    return len(images) if two <= one else max(1, min(len(images), 1 + (budget - one) // (two - one)))


def _part(array: np.ndarray | None, images: list[int] | slice, most: int) -> np.ndarray | None:
    return None if array is None else array[images, :most]
