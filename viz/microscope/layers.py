"""A convolution or a pooling in one form: pixels, windows over them, and what joins the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tensorgrad.viz.microscope.axes import Axes
from tensorgrad.viz.record.steps import Key


@dataclass(frozen=True)
class Side:
    """One of the two images that windows connect; a signal is an image of one row.

    Attributes:
        values: `(N, C, H, W)`.
        gradient: of that shape: of the result what arrived, of the input what went back along this one layer; None
            where none was recorded.
        name: that the user gave it; "" for none.
        beside: the op that made the input, or that uses the result; "" where there is none.
        shared: whether more of the input's gradient came back along other paths.
    """

    values: np.ndarray
    gradient: np.ndarray | None
    name: str = ""
    beside: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Filters:
    """The filters of a convolution.

    Attributes:
        weights: `(K, C/groups, I, J)`; K counts the channels of the windows, C those of the pixels.
        gradient: what this call passed on to them; None where none was recorded.
        bias: one number for each channel of the result; None for none.
        name: that of the weights; "" for none.
        whole: their gradient, where it isn't that of this call alone; else None.
    """

    weights: np.ndarray
    gradient: np.ndarray | None
    bias: np.ndarray | None
    name: str
    whole: np.ndarray | None


@dataclass(frozen=True)
class Layer:
    """One call of a convolution or a pooling.

    Exactly one of `filters`, `chosen` and `shares` says by what a pixel is multiplied in a window that it lies in.

    Attributes:
        name: of the module, or what the op is; a later call has its number behind it.
        kind: `convolution`, `transposed convolution`, `max pooling` or `average pooling`.
        axes: where the windows lie.
        pixels: the side that windows lie over: the input; of a transposed convolution the result.
        windows: the other side, with one element for each window.
        groups: groups of channels that don't see each other; of a pooling, each channel.
        filters: of a convolution.
        chosen: of max pooling, the place h · W + w of each window's maximum, `(N, C, P, Q)`.
        shares: of average pooling, 1 / the divisor of each window, `(P, Q)`.
        result: the key of its result in the computation.
        origin: the key of what its input was made from by relu and the like; without these, of the input itself.
    """

    name: str
    kind: str
    axes: Axes
    pixels: Side
    windows: Side
    groups: int
    filters: Filters | None = None
    chosen: np.ndarray | None = None
    shares: np.ndarray | None = None
    result: Key | None = None
    origin: Key | None = None

    @property
    def transposed(self) -> bool:
        """Whether the result is on the side of the pixels."""
        return self.kind == "transposed convolution"

    @property
    def multiplied(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Of pixels and of windows, the numbers that all sums are made of.

        Those of pixels go into the sums of windows, those of windows into the sums of pixels, their products into the
        sums of weights. A convolution multiplies its input in the forward pass and its result's gradient in the
        backward pass. In a transposed one pixels and windows have changed places.
        """
        if self.transposed:
            return self.pixels.gradient, self.windows.values
        return self.pixels.values, self.windows.gradient

    @property
    def images(self) -> int:
        """How many images it was given."""
        return len(self.pixels.values)
