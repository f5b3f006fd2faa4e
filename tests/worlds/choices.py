"""Random choices, alike in both worlds of a seed."""

from typing import Any

import numpy as np

CLASSES = 4


def pick(rng: np.random.Generator, choices: Any) -> Any:
    choices = list(choices)
    return choices[int(rng.integers(len(choices)))]


def chance(rng: np.random.Generator, p: float) -> bool:
    return bool(rng.random() < p)


def floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of several sizes, some of them 0."""
    return (rng.standard_normal(shape) * rng.choice([0.0, 0.5, 1.0, 8.0], shape)).astype(np.float32)
