"""The numbers that all libraries start from: the same for each, from one seed."""

from collections.abc import Iterable, Sequence
from math import prod, sqrt

import numpy as np

from benchmarks.layers import WEIGHTED, Layer, Shape, has_bias, walk, weight_shape

CLASSES = 10
SEED = 0


def normal(shape: Iterable[int], seed: int = SEED) -> np.ndarray:
    """float32 of the shape, standard normal."""
    return np.random.default_rng(seed).standard_normal(tuple(shape), dtype=np.float32)


def labels(count: int, classes: int = CLASSES) -> np.ndarray:
    """int64 `(count,)`."""
    return np.random.default_rng(SEED).integers(0, classes, count)


def target(loss: str, output: Shape) -> np.ndarray:
    """What a network's output `(N, K, …)` is compared with: a class per sample or pixel, or numbers of its shape."""
    if loss == "mse":
        return normal(output, seed=SEED + 1)
    return np.random.default_rng(SEED).integers(0, output[1], (output[0], *output[2:]))


def weights(layers: Sequence[Layer], shape: Shape) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """(w, b) of each layer that has any, of networks for an input of `shape`; b is None where there is no bias.

    As PyTorch draws them, uniform within ±1/√(what one output adds up), and for batch norm near its 1 and 0.
    """
    rng, found = np.random.default_rng(SEED), []
    for layer, at in walk(layers, tuple(shape)):
        if layer[0] not in WEIGHTED:
            continue
        of = weight_shape(layer, len(at) - 2)
        if layer[0] == "batchnorm":
            drawn = rng.uniform(0.5, 1.5, of), rng.uniform(-0.1, 0.1, of)
        else:
            bound, outputs = 1 / sqrt(prod(of[1:])), (layer[2],)
            drawn = rng.uniform(-bound, bound, of), rng.uniform(-bound, bound, outputs)
        w, b = (array.astype(np.float32) for array in drawn)
        found.append((w, b if has_bias(layer) else None))
    return found


def chain(shape: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """x, and weights that keep it as it is: a long chain neither dies away nor explodes."""
    return normal(shape), np.eye(tuple(shape)[-1], dtype=np.float32)
