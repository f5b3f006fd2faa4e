"""How far two arrays of one shape lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ROUNDING = 1000
"""Differences of at most this many units in the last place of the coarser dtype count as rounding."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference between the elements of two arrays.

    Attributes:
        relative: max |a − b| / max(|a|, |b|), the largest difference over the largest element of both: 0 for equal
            arrays, ∞ where only one of them is NaN, infinite or missing.
        index: of the element that differs most; () of a scalar, or where nothing differs.
        first: this element in the first array; None where that is missing.
        second: this element in the second array; None where that is missing.
        rounding: differences up to here may be rounding.
    """

    relative: float
    index: tuple[int, ...] = ()
    first: float | None = None
    second: float | None = None
    rounding: float = 0.0

    @property
    def apart(self) -> bool:
        """Whether the arrays differ by more than rounding."""
        return self.relative > self.rounding


def difference(first: np.ndarray | None, second: np.ndarray | None) -> Difference | None:
    """The difference between two arrays; None where both are missing. NaN equals NaN, and ∞ equals ∞.

    >>> difference(np.array([1.0, 2.0, -4.0]), np.array([1.0, 3.0, -4.0]))
    Difference(relative=0.25, index=(1,), first=2.0, second=3.0, rounding=2.22...e-13)
    """
    if first is None or second is None:
        return None if first is second else Difference(math.inf)
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.size == 0:
        return Difference(0.0)
    largest = max((float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in (a, b)), default=0.0) or 1.0
    with np.errstate(all="ignore"):
        # Divided first: the difference of the largest floats overflows.
        gaps = np.abs(a / largest - b / largest)
    gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.where(np.isnan(gaps), np.inf, gaps))
    relative = float(gaps.max())
    rounding = ROUNDING * max(_epsilon(first), _epsilon(second))
    if relative == 0:
        return Difference(0.0, rounding=rounding)
    index = tuple(int(k) for k in np.unravel_index(int(gaps.argmax()), gaps.shape))
    return Difference(relative, index, float(a[index]), float(b[index]), rounding)


def _epsilon(array: np.ndarray) -> float:
    """The distance from 1 to the next number of its dtype; 0 for integers, which are exact."""
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
