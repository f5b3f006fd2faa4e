"""The path of a training through the space of all its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.viz.plots.parameters import named


class DescentPath:
    """Records the values of all parameters during a training; `cost_surface` draws the path.

    Args:
        parameters: a module, a mapping of tensors by name, or tensors.

    Raises:
        DTypeError: `parameters` isn't a module, a mapping of tensors by name, or tensors of floats.
        ArgumentError: there are no parameters, or one occurs twice.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0, 2.0], requires_grad=True)
    >>> path = DescentPath([w])
    >>> path.record()
    >>> w.data -= 1
    >>> path.record()
    >>> path.points
    array([[4., 2.],
           [3., 1.]])
    """

    def __init__(self, parameters: Any) -> None:
        self._parameters = list(named("DescentPath", parameters).values())
        self._points: list[np.ndarray] = []

    def record(self) -> None:
        """Record the current values: call it before the first step and after each."""
        self._points.append(np.concatenate([p.data.ravel() for p in self._parameters]))

    @property
    def points(self) -> np.ndarray:
        """All points `(T, P)`, each with every parameter in one vector, float64."""
        size = sum(p.numel() for p in self._parameters)
        return np.array(self._points, np.float64).reshape(-1, size)

    def __len__(self) -> int:
        return len(self._points)
