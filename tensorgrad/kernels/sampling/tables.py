"""Which elements of one axis each new element is made of, and with what weights: tables of taps.

Padding and interpolation work axis by axis: z[i] = Σ_t weight[t, i] · x[source[t, i]]. What differs between their modes
is the tables. Sizes and scales are rounded as in PyTorch, in the dtype of the images.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Axis(NamedTuple):
    """How an axis of `size` elements becomes one of `length`. Hashable; the tables follow from it."""

    kind: str
    size: int
    length: int
    before: int = 0  # of padding: so many new elements come first
    scale: float | None = None  # of interpolation: the factor that the user asked for
    align_corners: bool = False
    transposed: bool = False

    @property
    def adjoint(self) -> "Axis":
        """The transposed map, from `length` elements to `size`: gradients go back by it."""
        return self._replace(size=self.length, length=self.size, transposed=not self.transposed)


class Taps(NamedTuple):
    """The tables of an axis, `(T, length)` each. A source equal to the axis's size means no element."""

    source: np.ndarray
    weight: np.ndarray


@lru_cache(maxsize=256)
def taps(axis: Axis, dtype: np.dtype) -> Taps:
    """The tables of an axis, as kernels take them.

    >>> taps(Axis("reflect", size=3, length=5, before=2), np.dtype("f4")).source
    array([[2, 1, 0, 1, 2]], dtype=uint64)
    """
    if axis.transposed:
        return _transposed(taps(axis.adjoint, dtype), axis)
    maker = _MAKERS.get(axis.kind, _padding)
    source, weight = maker(axis, dtype)
    source = np.where(weight == 0, axis.size, source)
    return Taps(source.astype(np.uint64), np.ascontiguousarray(weight, dtype))


def _transposed(forward: Taps, axis: Axis) -> Taps:
    """The tables by which each old element collects from the new ones, in the order of these."""
    tap, new = np.nonzero(forward.source < axis.length)
    old, weight = forward.source[tap, new].astype(np.intp), forward.weight[tap, new]
    order = np.lexsort((new, old))
    old, new, weight = old[order], new[order], weight[order]
    counts = np.bincount(old, minlength=axis.length)
    # The place of each entry among those of its old element.
    place = np.arange(old.size) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.full((max(1, counts.max(initial=0)), axis.length), axis.size, np.uint64)
    weights = np.zeros(index.shape, weight.dtype)
    index[place, old], weights[place, old] = new, weight
    return Taps(index, weights)


Tables = tuple[np.ndarray, np.ndarray]

# ------------------------------------------------------------------------------------------------------------- padding


def _padding(axis: Axis, dtype: np.dtype) -> Tables:
    i, n = np.arange(axis.length) - axis.before, axis.size
    if axis.kind == "reflect":
        i = (n - 1) - np.abs((n - 1) - np.abs(i))
    elif axis.kind == "replicate":
        i = np.clip(i, 0, n - 1)
    elif axis.kind == "circular":
        # With negative padding what is cut off isn't part of the circle.
        first, last = max(0, -axis.before), min(n, axis.length - axis.before)
        i = first + (i - first) % max(1, last - first)
    return i[None], np.ones((1, axis.length), dtype)


# ------------------------------------------------------------------------------------------------------- interpolation


def _ratio(axis: Axis, kind: type) -> np.floating:
    """Old elements per new one."""
    given = axis.scale is not None and axis.scale > 0
    return kind(1.0 / axis.scale) if given else kind(axis.size) / kind(axis.length)  # type: ignore[operator]


def _nearest(axis: Axis, dtype: np.dtype) -> Tables:
    i = np.arange(axis.length)
    if axis.kind == "nearest-exact":
        i = np.floor((i.astype(np.float32) + np.float32(0.5)) * _ratio(axis, np.float32)).astype(np.int64)
    else:
        i = np.floor(i.astype(np.float32) * _ratio(axis, np.float32)).astype(np.int64)
    return np.minimum(i, axis.size - 1)[None], np.ones((1, axis.length), dtype)


def _places(axis: Axis, dtype: np.dtype) -> np.ndarray:
    """Where the new elements lie among the old ones."""
    i, half = np.arange(axis.length).astype(dtype), dtype.type(0.5)
    if axis.align_corners:
        steps = dtype.type(axis.size - 1) / dtype.type(max(axis.length - 1, 1))
        return i * (steps if axis.length > 1 else dtype.type(0))
    return (i + half) * _ratio(axis, dtype.type) - half


def _linear(axis: Axis, dtype: np.dtype) -> Tables:
    if axis.length == axis.size:
        return np.arange(axis.length)[None], np.ones((1, axis.length), dtype)
    place = np.maximum(_places(axis, dtype), 0)
    first = np.minimum(place.astype(np.int64), axis.size - 1)
    part = np.clip(place - first.astype(dtype), 0, 1).astype(dtype)
    return np.stack([first, np.minimum(first + 1, axis.size - 1)]), np.stack([1 - part, part])


def _cubic(axis: Axis, dtype: np.dtype) -> Tables:
    place = _places(axis, dtype)
    first = np.floor(place)
    index = np.clip(first.astype(np.int64) + np.arange(-1, 3)[:, None], 0, axis.size - 1)
    return index, cubic(place - first)


def cubic(t: np.ndarray, a: float = -0.75) -> np.ndarray:
    """The weights (4, ...) of the neighbours −1, 0, 1, 2 of a place t in [0, 1): Keys, Cubic convolution, 1981.

    >>> cubic(np.array(0.5)).tolist()
    [-0.09375, 0.59375, 0.59375, -0.09375]
    """
    distance = np.stack([t + 1, t, 1 - t, 2 - t])
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0)).astype(t.dtype)


def _antialiased(axis: Axis, dtype: np.dtype) -> Tables:
    """Weights of a filter that is as wide as the old elements of a new one, normalized."""
    ratio = dtype.type(axis.size - 1) / dtype.type(max(axis.length - 1, 1)) if axis.align_corners else None
    ratio = _ratio(axis, dtype.type) if ratio is None else ratio if axis.length > 1 else dtype.type(0)
    radius = 1 if axis.kind.startswith("linear") else 2
    wide = max(ratio, dtype.type(1))
    support, half = radius * wide, dtype.type(0.5)
    center = ratio * (np.arange(axis.length).astype(dtype) + half)
    first = np.maximum((center - support + half).astype(np.int64), 0)
    last = np.minimum((center + support + half).astype(np.int64), axis.size)
    index = first + np.arange(max(1, (last - first).max(initial=1)))[:, None]
    distance = np.abs((index - center + half) / wide)
    weight = np.maximum(0, 1 - distance) if radius == 1 else _keys(distance)
    weight = np.where(index < last, weight, 0)
    return index, (weight / weight.sum(0)).astype(dtype)


def _keys(distance: np.ndarray, a: float = -0.5) -> np.ndarray:
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


_MAKERS = {
    "nearest": _nearest,
    "nearest-exact": _nearest,
    "linear": _linear,
    "cubic": _cubic,
    "linear, antialiased": _antialiased,
    "cubic, antialiased": _antialiased,
}
