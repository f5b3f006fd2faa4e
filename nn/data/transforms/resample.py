"""Resize and warp planes of pixels: Pillow's filters, for every dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.data.transforms.pictures import pillow


class InterpolationMode(Enum):
    """How pixels between pixels get their values; PyTorch's names."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


NEAREST = (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT)
NUMBERS = ("NEAREST", "LANCZOS", "BILINEAR", "BICUBIC", "BOX", "HAMMING")
"""The modes by Pillow's numbers."""


def as_mode(call: str, interpolation: Any) -> InterpolationMode:
    """The mode, from a mode, its value, or Pillow's number."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and 0 <= interpolation < len(NUMBERS):
        return InterpolationMode[NUMBERS[interpolation]]
    found = next((mode for mode in InterpolationMode if mode.value == interpolation), None)
    if found is None:
        problem = f"interpolation must be an InterpolationMode, got {interpolation!r}"
        raise ArgumentError(restate(call, problem, interpolation=interpolation))
    return found


def pillow_filter(call: str, mode: InterpolationMode) -> Any:
    """Pillow's filter for a mode."""
    return getattr(pillow(call).Resampling, "NEAREST" if mode in NEAREST else mode.name)


def sinc(x: np.ndarray) -> np.ndarray:
    """sin(πx) / (πx)."""
    return np.sinc(x)


def cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Keys's cubic convolution kernel: IEEE Transactions on Acoustics, Speech, and Signal Processing 29, 1981."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x**2 + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))

    return kernel


FILTERS: dict[InterpolationMode, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    InterpolationMode.BOX: (0.5, lambda x: ((x > -0.5) & (x <= 0.5)).astype(np.float64)),
    InterpolationMode.BILINEAR: (1.0, lambda x: np.maximum(1 - np.abs(x), 0)),
    InterpolationMode.HAMMING: (
        1.0,
        lambda x: np.where(np.abs(x) < 1, sinc(x) * (0.54 + 0.46 * np.cos(math.pi * x)), 0),
    ),
    InterpolationMode.BICUBIC: (2.0, cubic(-0.5)),
    InterpolationMode.LANCZOS: (3.0, lambda x: np.where(np.abs(x) < 3, sinc(x) * sinc(x / 3), 0)),
}
"""Half the width of each filter, and the filter."""


def weights(size: int, new: int, mode: InterpolationMode, antialias: bool = True) -> np.ndarray:
    """The matrix `(new, size)` that resizes one axis.

    Args:
        size: the number of pixels.
        new: the number of pixels wanted.
        mode: the filter.
        antialias: widen the filter when the picture shrinks, as Pillow does; without it, PyTorch's interpolation.
    """
    scale = size / new
    support, kernel = FILTERS[mode]
    if not antialias and mode is InterpolationMode.BICUBIC:
        kernel = cubic(-0.75)
    wide = max(scale, 1.0) if antialias else 1.0
    centers = (np.arange(new) + 0.5) * scale
    if not antialias:
        return _clamped(size, centers - 0.5, support, kernel)
    low = np.maximum((centers - support * wide + 0.5).astype(np.intp), 0)
    high = np.minimum((centers + support * wide + 0.5).astype(np.intp), size)
    at = np.arange(size)
    matrix = kernel((at - centers[:, None] + 0.5) / wide)
    matrix[(at < low[:, None]) | (at >= high[:, None])] = 0
    return matrix / matrix.sum(1, keepdims=True)


def _clamped(size: int, at: np.ndarray, support: float, kernel: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Interpolation between the nearest pixels, where those beyond the border are the border's."""
    at = np.maximum(at, 0) if support == 1 else at
    matrix = np.zeros((len(at), size))
    first = np.floor(at).astype(np.intp)
    for step in range(1 - int(support), 1 + int(support)):
        index = np.clip(first + step, 0, size - 1)
        np.add.at(matrix, (np.arange(len(at)), index), kernel(at - (first + step)))
    return matrix


def resize_planes(
    call: str, planes: np.ndarray, size: tuple[int, int], mode: InterpolationMode, antialias: bool, exact: bool
) -> np.ndarray:
    """Planes `(..., H, W)` resized to `size` (h, w), in their dtype.

    Args:
        call: the call, for errors.
        planes: the pixels.
        size: the height and width wanted.
        mode: the filter.
        antialias: as in `weights`.
        exact: whether nearest means the centre of the pixel, as in Pillow; otherwise its corner, as in PyTorch.
    """
    (height, width), (h, w) = planes.shape[-2:], size
    if mode in NEAREST:
        centre = exact or mode is InterpolationMode.NEAREST_EXACT
        rows, columns = (_nearest(m, n, centre, exact) for m, n in ((height, h), (width, w)))
        return planes[..., rows[:, None], columns]
    if not antialias and mode not in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        problem = f"antialias=False needs bilinear or bicubic interpolation, got {mode.value}"
        raise ArgumentError(restate(call, problem, interpolation=mode))
    if planes.dtype == np.uint8 and antialias:
        chosen = pillow_filter(call, mode)
        return _by_pillow(call, planes, lambda image, _: image.resize((w, h), chosen), (0,))
    wide = planes.astype(np.result_type(planes.dtype, np.float32), copy=False)
    vertical = weights(height, h, mode, antialias).astype(wide.dtype)
    horizontal = weights(width, w, mode, antialias).astype(wide.dtype)
    # (h, H) · (..., H, W) · (W, w) -> (..., h, w)
    return as_dtype(vertical @ wide @ horizontal.T, planes.dtype)


def _nearest(size: int, new: int, centre: bool, by_steps: bool) -> np.ndarray:
    """The index of the pixel nearest to each new one: Pillow adds steps up, PyTorch multiplies in float32."""
    if by_steps:
        steps = np.full(new, size / new)
        steps[0] *= 0.5
        at = np.cumsum(steps)
    else:
        at = (np.arange(new, dtype=np.float32) + np.float32(0.5 * centre)) * (np.float32(size) / np.float32(new))
    return np.minimum(at.astype(np.intp), size - 1)


def warp_planes(
    call: str,
    planes: np.ndarray,
    warp: Callable[[Any, Any], Any],
    nearest: bool,
    fill: Sequence[float],
) -> np.ndarray:
    """Planes `(..., H, W)` rotated or transformed by Pillow: exact if nearest, else in float32 unless bytes.

    Args:
        call: the call, for errors.
        planes: the pixels.
        warp: Pillow's method on an image and the value of new pixels.
        nearest: whether the method copies pixels.
        fill: the value of new pixels, one or one for each channel.
    """
    if planes.dtype == np.uint8:
        return _by_pillow(call, planes, warp, [int(value) for value in fill])
    if not nearest:
        return as_dtype(_by_pillow(call, planes.astype(np.float32), warp, fill), planes.dtype)
    # Pillow moves the numbers of pixels, since it hasn't every dtype.
    height, width = planes.shape[-2:]
    numbers = np.arange(height * width, dtype=np.int32).reshape(height, width)
    source = np.asarray(warp(pillow(call).fromarray(numbers), -1))
    moved = planes.reshape(*planes.shape[:-2], -1)[..., np.maximum(source, 0)]
    values = np.array(fill, planes.dtype).reshape(-1, 1, 1) if len(fill) > 1 else planes.dtype.type(fill[0])
    return np.where(source < 0, values, moved)


def _by_pillow(call: str, planes: np.ndarray, function: Callable[[Any, Any], Any], fill: Sequence[float]) -> np.ndarray:
    """Apply a function of a Pillow image and a fill value to each plane."""
    Image = pillow(call)
    flat = planes.reshape(-1, *planes.shape[-2:])
    results = [
        np.asarray(function(Image.fromarray(np.ascontiguousarray(plane)), fill[k % len(fill)]))
        for k, plane in enumerate(flat)
    ]
    return np.stack(results).reshape(*planes.shape[:-2], *results[0].shape)


def as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Converted; integers are rounded, and clipped to the dtype's range."""
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype)
