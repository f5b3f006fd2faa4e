"""Batch normalization and normalization of rows in plain NumPy."""

import numpy as np


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel: see `normalization.moments`."""
    axes = (0, *range(2, x.ndim))
    return x.mean(axes, np.float64), x.var(axes, np.float64)


def scale_and_shift(x: np.ndarray, center: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(x − center) · scale + shift, per channel: see `normalization.scale_and_shift`."""
    return (x - _per_channel(center, x)) * _per_channel(scale, x) + _per_channel(shift, x)


def gradient_sums(g: np.ndarray, x: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ g and Σ g · (x − mean), per channel: see `normalization.gradient_sums`."""
    axes = (0, *range(2, x.ndim))
    return g.sum(axes, np.float64), (g * (x - _per_channel(mean.astype(x.dtype), x))).sum(axes, np.float64)


def batch_norm_grad_input(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """scale · (g − offset − slope · (x − mean)), per channel: see `normalization.grad_input`."""
    mean, scale, offset, slope = (_per_channel(values, x) for values in (mean, scale, offset, slope))
    return scale * (g - offset - slope * (x - mean))


def normalize(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, eps: float, centered: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows normalized, scaled and shifted: see `row_normalization.normalize`."""
    mean = x.mean((1, 2), np.float64) if centered else np.zeros(len(x))
    inverse = 1 / np.sqrt(np.square(x - mean[:, None, None]).mean((1, 2)) + eps)
    z = _standardized(x, mean, inverse) * _per_block(w, x) + _per_block(b, x)
    return z.astype(x.dtype), mean, inverse


def normalize_grad_input(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray, inverse: np.ndarray, centered: bool
) -> np.ndarray:
    """The gradient for the rows: see `row_normalization.grad_input`."""
    gw, standard = g * _per_block(w, x), _standardized(x, mean, inverse)
    offset = gw.mean((1, 2), keepdims=True) if centered else 0
    inner = gw - offset - standard * (gw * standard).mean((1, 2), keepdims=True)
    return (inner * inverse[:, None, None]).astype(x.dtype)


def normalize_grad_weights(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, inverse: np.ndarray, groups: int
) -> np.ndarray:
    """Σ g · x̂ and Σ g of each weight: see `row_normalization.grad_weights`."""
    pairs = np.stack([g * _standardized(x, mean, inverse), g.astype(np.float64)])
    # (2, R, K, S) -> (2, R/G, G, K, S) -> (2, G · K)
    return pairs.reshape(2, len(x) // groups, groups, *x.shape[1:]).sum((1, 4)).reshape(2, -1)


def _standardized(x: np.ndarray, mean: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    return (x - mean[:, None, None]) * inverse[:, None, None]


def _per_block(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    # (G · K,) -> (R, K, 1), beside rows (R, K, S)
    blocks = values.reshape(-1, x.shape[1], 1)
    return np.tile(blocks, (len(x) // max(len(blocks), 1), 1, 1))


def _per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    # (C,) -> (C, 1, ...), beside x (N, C, ...)
    return values.reshape(-1, *[1] * (x.ndim - 2))
