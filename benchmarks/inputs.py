"""The numbers that all libraries start from: the same for each, from one seed."""

from collections.abc import Iterable
from math import prod, sqrt

import numpy as np

CLASSES = 10
SEED = 0


def normal(shape: Iterable[int], seed: int = SEED) -> np.ndarray:
    """float32 of the shape, standard normal."""
    return np.random.default_rng(seed).standard_normal(tuple(shape), dtype=np.float32)


def labels(count: int, classes: int = CLASSES) -> np.ndarray:
    """int64 `(count,)`."""
    return np.random.default_rng(SEED).integers(0, classes, count)


def weights(layers: Iterable[Iterable]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(w, b) of each layer that has any, as PyTorch draws them: uniform within ±1/√(what one output adds up)."""
    rng, found = np.random.default_rng(SEED), []
    for kind, *sizes in layers:
        if kind == "conv":
            c, k, size, _ = sizes
            shape = (k, c, size, size)
        elif kind == "linear":
            shape = (sizes[1], sizes[0])
        elif kind == "batchnorm":
            found.append((np.ones(sizes[0], np.float32), np.zeros(sizes[0], np.float32)))
            continue
        else:
            continue
        bound = 1 / sqrt(prod(shape[1:]))
        found.append(tuple(rng.uniform(-bound, bound, s).astype(np.float32) for s in (shape, shape[:1])))
    return found


def chain(shape: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """x, and weights that keep it as it is: a long chain neither dies away nor explodes."""
    return normal(shape), np.eye(tuple(shape)[-1], dtype=np.float32)
