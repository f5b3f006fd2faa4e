"""From stored pixels to the numbers that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate


class Normalize:
    """z = (x / scale − mean) / std on the first field of a batch, for a `TransformDataset`; other fields pass through.

    Args:
        mean, std: one number, or one per channel of images (N, C, H, W). With 0 and 1 pixels land in [0, 1].
        scale: the largest pixel value: 255 for bytes.

    The result is float32.

    Raises:
        ArgumentError: a std or scale that isn't above 0, a mean that isn't finite.
        ShapeError: images with another number of channels.
        DTypeError: images that aren't numeric.

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
        arguments = {"mean": mean, "std": std, "scale": scale}
        if not (scale > 0 and np.all(self.divisor > 0) and np.all(np.isfinite(self.offset))):
            expected = "a finite mean, std > 0 and scale > 0"
            raise ArgumentError(restate("Normalize", "can't divide by these", expected=expected, **arguments))
        if max(self.offset.ndim, self.divisor.ndim) > 1:
            problem, expected = "mean and std have too many axes", "one number, or one per channel"
            raise ShapeError(restate("Normalize", problem, expected=expected, mean=self.offset, std=self.divisor))

    def __call__(self, images: np.ndarray, *fields: Any) -> tuple[Any, ...]:
        """The images normalised, shapes unchanged, and the other fields as they came."""
        if not isinstance(images, np.ndarray) or images.dtype.kind not in "biuf":
            raise DTypeError(restate("Normalize", "not images", expected="a numeric array", images=images))
        z = images.astype(np.float32)
        try:
            z -= _per_channel(self.offset)
            z /= _per_channel(self.divisor)
        except ValueError:
            problem, expected = "the images don't have those channels", "images (N, C, H, W), mean and std of length C"
            arguments = {"images": images, "mean": self.offset, "std": self.divisor}
            raise ShapeError(restate("Normalize", problem, expected=expected, **arguments)) from None
        return (z, *fields)


def _per_channel(value: np.ndarray) -> np.ndarray:
    """Shaped to broadcast over images: () stays, (C,) -> (C, 1, 1)."""
    return value[:, None, None] if value.ndim else value
