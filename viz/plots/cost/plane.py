"""A plane through the space of all parameters: the directions that span it, and the projection of a path on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.operands import values
from tensorgrad.tensor import Tensor
from tensorgrad.viz.plots.parameters import flat

CALL = "cost_surface"


@dataclass(frozen=True)
class Plane:
    """All points `centre + α·d₁ + β·d₂`.

    Attributes:
        centre: `(P,)`, every parameter in one vector.
        directions: `(2, P)`, d₁ and d₂; neither a multiple of the other.

    Raises:
        ArgumentError: the directions are NaN, zero or parallel.
    """

    centre: np.ndarray
    directions: np.ndarray

    def __post_init__(self) -> None:
        lengths = np.linalg.norm(self.directions, axis=1)
        fits = np.isfinite(lengths).all() and lengths.all()
        if not fits or np.linalg.cond(self.directions / lengths[:, None]) > 1e6:
            fix = "pass two others: directions=(d1, d2)"
            problem = "directions must span a plane"
            raise ArgumentError(restate(CALL, problem, fix=fix, lengths=[float(n) for n in lengths]))

    def point(self, a: float, b: float) -> np.ndarray:
        """The parameters `(P,)` at α = a, β = b."""
        return self.centre + a * self.directions[0] + b * self.directions[1]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """The coordinates `(T, 2)` of points `(T, P)`, projected on the plane; and the fraction outside of it.

        The fraction is Σ‖point − projection‖² / Σ‖point − centre‖².
        """
        away = points - self.centre
        # (P, 2) · (2, T) = (P, T): least squares, because the directions need not be orthogonal.
        coordinates = np.linalg.lstsq(self.directions.T, away.T, rcond=None)[0].T
        total = float((away**2).sum())
        outside = float(((away - coordinates @ self.directions) ** 2).sum())
        return coordinates, outside / total if total else 0.0


def random_directions(weights: Iterable[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Two directions `(2, P)` from a normal distribution, with filter normalisation.

    Each filter of a direction (a row along the first axis of a weight) is scaled to the norm of that filter in the
    network, so that a step of 1 perturbs every filter in proportion. A parameter of one axis or none, such as a bias,
    is scaled as a whole. Li, Xu, Taylor, Studer and Goldstein, Visualizing the Loss Landscape of Neural Nets, NeurIPS
    2018, section 4.
    """
    weights = list(weights)
    return np.array([flat(_like(weight, generator) for weight in weights) for _ in range(2)])


def _like(weight: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random array like the weight, each filter as long as that of the weight."""
    # (K, ...) -> (K, M), or (M,) -> (1, M): a row per filter
    filters = weight.reshape(len(weight), -1) if weight.ndim > 1 else weight.reshape(1, -1)
    d = generator.normal(size=filters.shape)
    lengths = np.linalg.norm(d, axis=1, keepdims=True)
    return d * (np.linalg.norm(filters, axis=1, keepdims=True) / np.where(lengths > 0, lengths, 1.0))


def principal_directions(path: np.ndarray) -> np.ndarray:
    """The unit vectors `(2, P)` of the plane through the end of the path `(T, P)` that is nearest to all its points.

    They are the first two right singular vectors of the differences to the end: principal components, with the end
    instead of the mean, because the plane goes through the end. Their signs are such that the path comes from the left,
    and mostly from above.

    Raises ArgumentError for a path of fewer than 3 points, one that doesn't move, or one of a single parameter.
    """
    away = path - path[-1]
    if len(path) < 3 or path.shape[1] < 2 or not away.any():
        problem = f"{len(path)} points of {path.shape[1]} parameters" + " that don't move" * (not away.any())
        expected = "at least 3 points of at least 2 parameters"
        raise ArgumentError(restate(CALL, f"path has no principal directions: {problem}", expected=expected))
    directions = np.linalg.svd(away, full_matrices=False)[2][:2]
    # (T, P) · (P, 2) = (T, 2)
    along = away @ directions.T
    farthest = along[np.abs(along).argmax(0), [0, 1]]
    return directions * np.where(farthest * (-1, 1) < 0, -1.0, 1.0)[:, None]


def given_directions(directions: Any, parameters: Sequence[Tensor]) -> np.ndarray:
    """Two directions as the caller gave them, `(2, P)`: each a vector `(P,)`, or arrays shaped as the parameters.

    Raises:
        ArgumentError: they aren't two.
        ShapeError: one has another number of values.
    """
    if not isinstance(directions, Sequence | np.ndarray) or isinstance(directions, str) or len(directions) != 2:
        problem = 'directions must be "random", "pca", or two directions (d1, d2)'
        raise ArgumentError(restate(CALL, problem, directions=directions))
    return np.array([_vector(direction, parameters) for direction in directions])


def _vector(direction: Any, parameters: Sequence[Tensor]) -> np.ndarray:
    size = sum(p.numel() for p in parameters)
    parts = list(direction) if isinstance(direction, list | tuple) else [direction]
    if len(parts) > 1 and all(np.ndim(part) == 0 for part in parts):
        parts = [values(parts)]
    vector = flat(values(part) for part in parts)
    if vector.size != size:
        problem = f"a direction must have {size} values, as the parameters have, got {vector.size}"
        raise ShapeError(restate(CALL, problem, fix="pass arrays like the parameters, or one vector"))
    return vector
