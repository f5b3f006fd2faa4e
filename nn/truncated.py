"""Random numbers of a normal distribution within bounds, by acceptance and rejection."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Proposal = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""So many numbers, and whether each is accepted."""

OFTEN = 0.25
"""The probability of the interval from which on plain normal numbers are drawn until enough lie within."""


def truncated_normal(generator: np.random.Generator, low: float, high: float, size: int) -> np.ndarray:
    """So many numbers of the standard normal distribution between the bounds, `(size,)`.

    Args:
        generator: the source of random numbers.
        low: the lower bound, or −∞.
        high: the upper bound, or ∞.
        size: how many.

    Robert, Simulation of Truncated Normal Variables, Statistics and Computing 5, 1995.

    >>> x = truncated_normal(np.random.default_rng(0), 8.0, np.inf, 1000)
    >>> bool(x.min() >= 8), round(float(x.mean()), 1)
    (True, 8.1)
    """
    if high < 0:  # the mirrored interval has its bounds above 0
        return -truncated_normal(generator, -high, -low, size)
    propose = _proposal(generator, low, high)
    found, count = [], 0
    while count < size:
        values, accepted = propose(max(64, 2 * (size - count)))
        found.append(values[accepted])
        count += len(found[-1])
    return np.concatenate(found)[:size] if found else np.zeros(0)


def _proposal(generator: np.random.Generator, low: float, high: float) -> Proposal:
    """What to draw, for an interval that doesn't lie below 0."""

    def normal(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = generator.standard_normal(count)
        return x, (x >= low) & (x <= high)

    def uniform(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = generator.uniform(low, high, count)
        return x, generator.random(count) <= np.exp((max(low, 0.0) ** 2 - x * x) / 2)

    rate = (low + math.sqrt(low * low + 4)) / 2 if low > 0 else 1.0

    def exponential(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = low + generator.exponential(1 / rate, count)
        return x, (generator.random(count) <= np.exp(-((x - rate) ** 2) / 2)) & (x <= high)

    if (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2 >= OFTEN:
        return normal
    # A density that hardly falls in the interval is best met by uniform numbers, a tail by exponential ones.
    return uniform if low <= 0 or (high - low) * rate < 2 else exponential
