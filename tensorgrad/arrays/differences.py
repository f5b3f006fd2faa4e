"""Central differences: derivatives of functions of arrays, from values of the function alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np


class CentralDifference:
    """The derivative of f at x along d: (f(x + εd) − f(x − εd)) / 2ε.

    Its error is of the order ε² + u / ε, where u is the rounding of f. Baydin et al., Automatic Differentiation in
    Machine Learning: a Survey, JMLR 18, 2018, section 2.1.

    Args:
        f: takes an array like x; gives an array or a number.
        x: where to differentiate.
        direction: d, of the shape of x.
        step: ε.

    Attributes:
        value: the derivative, like what f gives.

    >>> import numpy as np
    >>> d = CentralDifference(np.sum, np.zeros(3), np.array([1.0, 0.0, 2.0]), 1e-6)
    >>> round(float(d.value), 9)
    3.0
    """

    def __init__(self, f: Callable[[np.ndarray], Any], x: np.ndarray, direction: np.ndarray, step: float) -> None:
        self._f, self._x, self._direction, self._step = f, x, direction, step
        self._below, self._above = self._at(-1), self._at(1)
        self.value = (self._above - self._below) / (2 * step)

    def _at(self, steps: float) -> Any:
        """f(x + steps · εd); elements that d doesn't move keep their bits, −0 and infinities included."""
        moved = np.where(self._direction == 0, self._x, self._x + steps * self._step * self._direction)
        return self._f(moved)

    @cached_property
    def one_sided(self) -> tuple[Any, Any]:
        """The slopes on either side of x: (f(x) − f(x − εd)) / ε and (f(x + εd) − f(x)) / ε."""
        here = self._at(0)
        return (here - self._below) / self._step, (self._above - here) / self._step

    @property
    def kink(self) -> Any:
        """Half the difference of the slopes on either side: next to nothing where f is smooth."""
        left, right = self.one_sided
        return np.abs(right - left) / 2

    def error(self, rounding: float) -> float:
        """How far the value of a scalar f may be from the derivative.

        Args:
            rounding: the relative rounding of f, such as `np.finfo(dtype).eps`.
        """
        wider = (self._at(2) - self._at(-2)) / (4 * self._step)
        largest = max(abs(self._above), abs(self._below))
        return 2 * abs(wider - self.value) + 8 * rounding * largest / self._step


def numeric_gradient(f: Callable[[np.ndarray], Any], x: np.ndarray, step: float) -> np.ndarray:
    """∂f/∂x of a scalar f, element by element, by central differences.

    >>> import numpy as np
    >>> numeric_gradient(lambda x: (x**2).sum(), np.array([1.0, -3.0]), 1e-6).round(6)
    array([ 2., -6.])
    """
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[index] = 1
        gradient[index] = CentralDifference(f, x, direction, step).value
    return gradient
