"""The phases of the output: those of its pixels that the same taps of a filter meet."""

from typing import NamedTuple

from tensorgrad.windows import Sizes, Window

Taps = tuple[tuple[int, int], ...]


class Axis(NamedTuple):
    """One phase of the output along one axis.

    Attributes:
        pixels: their number.
        taps: per tap (its index in the filter, the input pixel that it meets at output pixel 0, negative in the
            padding).
    """

    pixels: int
    taps: Taps


class Part(NamedTuple):
    """A phase (a, b) of the output's stride."""

    start: Sizes
    rows: Axis
    columns: Axis


def along(window: Window, axis: int) -> Axis:
    """All pixels of the output along an axis: a single phase."""
    shift, step = window.padding[axis][0], window.dilation[axis]
    return Axis(window.output[axis], tuple((i, i * step - shift) for i in range(window.kernel[axis])))


def parts_of_input(window: Window) -> list[Part]:
    """The phases of the gradient for the input; no taps where no window reaches."""
    found = {}
    for start, indices, phase in window.phases():
        axes = [
            Axis(n, tuple((i, t * d - before) for t, i in enumerate(taps)))
            for n, taps, d, (before, _) in zip(phase.output, indices, phase.dilation, phase.padding, strict=True)
        ]
        found[start] = Part(start, *axes)
    parts = []
    for a in range(min(window.stride[0], window.size[0])):
        for b in range(min(window.stride[1], window.size[1])):
            sizes = [-(-(n - s) // step) for n, s, step in zip(window.size, (a, b), window.stride, strict=True)]
            parts.append(found.get((a, b)) or Part((a, b), Axis(sizes[0], ()), Axis(sizes[1], ())))
    return parts
