"""Elementwise functions, softmax and cross-entropy in plain NumPy."""

from collections.abc import Sequence

import numpy as np

from tensorgrad.formulas.loops import ON_ARRAYS, Loop
from tensorgrad.formulas.programs import program


def relu(x: np.ndarray) -> np.ndarray:
    """Negative numbers become 0: see `pointwise.relu`."""
    return np.where(x <= 0, np.zeros_like(x), x)


def relu_gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The gradient passes where the rectifier let its input pass: see `pointwise.relu_gradient`."""
    return np.where(z <= 0, np.zeros_like(g), g)


def channel_sums(x: np.ndarray) -> np.ndarray:
    """All axes but the second are summed over: see `pointwise.channel_sums`."""
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=np.float64).astype(x.dtype)


def loop(loop: Loop, arrays: Sequence[np.ndarray], parameters: Sequence[np.floating]) -> np.ndarray:
    """The loop's formula, run on whole arrays: see `loops.compute`."""
    symbols = (*loop.arrays, *(loop.parameters or ("unused",)))
    return program(loop.meaning, symbols, ON_ARRAYS)(*arrays, *parameters).astype(arrays[0].dtype, copy=False)


def cross_entropy(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax, and its negative logarithm at y: see `losses.cross_entropy`."""
    shifted = x - x.max(axis=1, keepdims=True, initial=-np.inf)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    # (N, 1), (N, C) -> (N,)
    return np.log(total)[:, 0] - shifted[np.arange(len(x)), y], np.exp(shifted) / total


def cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The probabilities, less 1 at y, times the upstream gradient: see `losses.cross_entropy_gradient`."""
    return (probabilities - (np.arange(probabilities.shape[1]) == y[:, None])) * g[:, None]


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Exponentials over their sum: see `softmax.softmax`."""
    e = np.exp(_shifted(x, axis))
    return e / e.sum(axis, keepdims=True)


def softmax_gradient(g: np.ndarray, z: np.ndarray, axis: int = -1) -> np.ndarray:
    """The shares of what g exceeds its weighted mean by: see `softmax.softmax_gradient`."""
    return z * (g - (g * z).sum(axis, keepdims=True))


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Logits minus the logarithm of the sum of their exponentials: see `softmax.log_softmax`."""
    s = _shifted(x, axis)
    return s - np.log(np.exp(s).sum(axis, keepdims=True))


def log_softmax_gradient(g: np.ndarray, z: np.ndarray, axis: int = -1) -> np.ndarray:
    """g less the shares of its sum: see `softmax.log_softmax_gradient`."""
    return g - np.exp(z) * g.sum(axis, keepdims=True)


def _shifted(x: np.ndarray, axis: int) -> np.ndarray:
    """`x` less its maximum along the axis: the largest exponent is then 0."""
    return x - np.max(x, axis, keepdims=True, initial=-np.inf)
