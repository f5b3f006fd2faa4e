"""Which pixel each tap of each window meets: the one index that convolutions and poolings of every kind follow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.windows import Window, tiling

Axes = tuple["Axis", "Axis"]
"""Rows and columns."""

Meeting = tuple[tuple[int, int], tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A tap, the rows and columns of the windows in which it meets a pixel, and the rows and columns of these pixels."""


@dataclass(frozen=True)
class Axis:
    """How windows lie along one axis: tap i of window p lies on the pixel `starts[p] + i · dilation`.

    Pixels below 0, or from `size` on, are padding.

    Attributes:
        size: how many pixels there are.
        starts: the pixel under the first tap of each window.
        taps: how many taps a window has.
        dilation: from the pixel of one tap to that of the next.
        lengths: how many taps each window has, where they differ; else none.

    >>> axis = Axis(size=5, starts=(-1, 1, 3), taps=3)
    >>> axis.met(0), axis.met(1)
    ((array([1, 2]), array([1, 3])), (array([0, 1, 2]), array([0, 2, 4])))
    """

    size: int
    starts: tuple[int, ...]
    taps: int
    dilation: int = 1
    lengths: tuple[int, ...] = ()

    def met(self, tap: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows in which a tap lies on a pixel, and these pixels."""
        pixels = np.array(self.starts, int) + tap * self.dilation
        inside = (pixels >= 0) & (pixels < self.size)
        if self.lengths:
            inside &= tap < np.array(self.lengths)
        return np.flatnonzero(inside), pixels[inside]


def of_window(window: Window) -> Axes:
    """The rows and columns of a window; a signal is an image of one row."""
    image = window.image
    axes = zip(image.size, image.starts(), image.kernel, image.dilation, strict=True)
    rows, columns = (Axis(size, tuple(starts), taps, dilation) for size, starts, taps, dilation in axes)
    return rows, columns


def of_tiling(size: Sequence[int], count: Sequence[int]) -> Axes:
    """The rows and columns of adaptive pooling, whose windows tile the image; their sizes may differ."""
    rows, columns = (_tiled(n, m) for n, m in zip(_image(size), _image(count), strict=True))
    return rows, columns


def _tiled(size: int, count: int) -> Axis:
    ranges = tiling(size, count)
    lengths = tuple(map(len, ranges))
    several = lengths if len(set(lengths)) > 1 else ()
    return Axis(size, tuple(tile.start for tile in ranges), max(lengths), 1, several)


def _image(size: Sequence[int]) -> tuple[int, ...]:
    return (1,) * (2 - len(size)) + tuple(size)


def meetings(axes: Axes) -> Iterator[Meeting]:
    """Per tap (i, j) the windows in which it lies on a pixel, and these pixels."""
    rows, columns = axes
    for i, j in itertools.product(range(rows.taps), range(columns.taps)):
        (p, r), (q, c) = rows.met(i), columns.met(j)
        yield (i, j), (p, q), (r, c)
