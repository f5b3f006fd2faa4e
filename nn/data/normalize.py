"""Normalize pixel values for a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate


class Normalize:
    """z = (x / scale − mean) / std on the first field of a batch, for a `TransformDataset`; other fields pass through.

    Args:
        mean: one number, or one per channel of images (N, C, H, W).
        std: one number, or one per channel. With mean 0 and std 1 the result is in [0, 1].
        scale: the largest pixel value, 255 for bytes.

    The result is float32.

    Raises:
        ArgumentError: a std or scale that isn't > 0, a mean that isn't finite.
        ShapeError: images with another number of channels.
        DTypeError: images that aren't a numeric array.

    >>> z, label = Normalize(mean=0.5, std=0.25)(np.array([[0, 255]], np.uint8), np.array([7]))
    >>> z.tolist(), label.tolist()
    ([[-2.0, 2.0]], [7])
    """

    def __init__(
        self, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0, scale: float = 255
    ) -> None:
        # z = (x − mean · scale) / (std · scale): one subtraction and one division per pixel, both exact for [0, 1]
        self.offset = np.asarray(mean, np.float32) * np.float32(scale)
        self.divisor = np.asarray(std, np.float32) * np.float32(scale)
        arguments: dict[str, Any] = {"mean": mean, "std": std, "scale": scale}
        if not (scale > 0 and np.all(self.divisor > 0) and np.all(np.isfinite(self.offset))):
            raise ArgumentError(restate("Normalize", "mean must be finite, std > 0 and scale > 0", **arguments))
        if max(self.offset.ndim, self.divisor.ndim) > 1:
            problem = "mean and std must be one number, or one per channel"
            raise ShapeError(restate("Normalize", problem, mean=self.offset, std=self.divisor))

    def __call__(self, images: np.ndarray, *fields: Any) -> tuple[Any, ...]:
        """The normalized images, shapes unchanged, and the other fields unchanged."""
        if not isinstance(images, np.ndarray) or images.dtype.kind not in "biuf":
            raise DTypeError(restate("Normalize", "images must be a numeric array", images=images))
        z = images.astype(np.float32)
        try:
            z -= _per_channel(self.offset)
            z /= _per_channel(self.divisor)
        except ValueError:
            problem, expected = "the channels of images don't match", "images (N, C, H, W), mean and std of length C"
            arguments: dict[str, Any] = {"images": images, "mean": self.offset, "std": self.divisor}
            raise ShapeError(restate("Normalize", problem, expected=expected, **arguments)) from None
        return (z, *fields)


def _per_channel(value: np.ndarray) -> np.ndarray:
    """Shaped to broadcast over images: () stays, (C,) -> (C, 1, 1)."""
    return value[:, None, None] if value.ndim else value
