"""Colours, blur and erased rectangles: functions on pictures, with the names of PyTorch's `transforms.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.nn.data.transforms.pictures import (
    Picture,
    as_planes,
    check_picture,
    from_planes,
    is_image,
    pillow,
    two,
)
from tensorgrad.nn.data.transforms.resample import as_dtype
from tensorgrad.tensor import Tensor

LUMA = (0.2989, 0.587, 0.114)
"""The weights of red, green and blue in a grey value; ITU-R BT.601."""


def adjust_brightness(img: Picture, brightness_factor: float) -> Any:
    """Every value times `brightness_factor` ≥ 0; 0 is black, 1 the picture itself.

    >>> adjust_brightness(np.array([[100, 200]], np.uint8), 1.5).tolist()
    [[150, 255]]
    """
    _check_factor("adjust_brightness", "brightness_factor", brightness_factor, img)
    if is_image(img):
        return _enhanced("Brightness", img, brightness_factor)
    planes = as_planes(img)
    return from_planes(_blend(planes, np.zeros_like(planes), brightness_factor), img)


def adjust_contrast(img: Picture, contrast_factor: float) -> Any:
    """Away from the mean grey value by `contrast_factor` ≥ 0; 0 is grey, 1 the picture itself."""
    _check_factor("adjust_contrast", "contrast_factor", contrast_factor, img)
    if is_image(img):
        return _enhanced("Contrast", img, contrast_factor)
    planes = _colours("adjust_contrast", img)
    grey = planes if planes.shape[-3] == 1 else _grey(planes)
    mean = grey.astype(np.result_type(grey.dtype, np.float32)).mean((-3, -2, -1), keepdims=True)
    return from_planes(_blend(planes, mean, contrast_factor).reshape(as_planes(img).shape), img)


def adjust_saturation(img: Picture, saturation_factor: float) -> Any:
    """Away from the grey picture by `saturation_factor` ≥ 0; 0 is grey, 1 the picture itself."""
    _check_factor("adjust_saturation", "saturation_factor", saturation_factor, img)
    if is_image(img):
        return _enhanced("Color", img, saturation_factor)
    planes = _colours("adjust_saturation", img)
    if planes.shape[-3] == 1:
        return img
    return from_planes(_blend(planes, _grey(planes), saturation_factor), img)


def adjust_hue(img: Picture, hue_factor: float) -> Any:
    """The hues moved by `hue_factor` in [−0.5, 0.5] of the circle; a grey picture is left as it is."""
    check_picture("adjust_hue", img)
    if not -0.5 <= hue_factor <= 0.5:
        problem = f"hue_factor must be in [-0.5, 0.5], got {hue_factor}"
        raise ArgumentError(restate("adjust_hue", problem, hue_factor=hue_factor))
    if is_image(img):
        return _hued_image(img, hue_factor)
    planes = _colours("adjust_hue", img)
    if planes.shape[-3] == 1:
        return img
    whole = np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1
    h, s, v = _hsv(planes.astype(np.result_type(planes.dtype, np.float32)) / whole)
    return from_planes(as_dtype(_rgb((h + hue_factor) % 1.0, s, v) * whole, planes.dtype), img)


def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Any:
    """gain · xᵞ for values x in [0, 1], clipped to [0, 1]."""
    _check_factor("adjust_gamma", "gamma", gamma, img)
    if is_image(img):
        table = [int((255 + 1 - 1e-3) * gain * (value / 255.0) ** gamma) for value in range(256)]
        mode = img.mode
        return img.convert("RGB").point([min(value, 255) for value in table] * 3).convert(mode)
    planes = as_planes(img)
    whole = np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1
    z = np.clip(gain * (planes.astype(np.result_type(planes.dtype, np.float32)) / whole) ** gamma, 0, 1)
    scaled = np.minimum(z * (whole + 1.0 - 1e-3), whole) if whole != 1 else z
    return from_planes(scaled.astype(planes.dtype), img)


def invert(img: Picture) -> Any:
    """The negative: the largest value minus each."""
    check_picture("invert", img)
    if is_image(img):
        from PIL import ImageOps

        return ImageOps.invert(img)
    planes = as_planes(img)
    whole = np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1
    return from_planes((whole - planes).astype(planes.dtype), img)


def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Any:
    """0.2989 R + 0.587 G + 0.114 B, in one channel or three equal ones.

    Args:
        img: the picture, with one channel or three.
        num_output_channels: 1 or 3.

    Raises:
        ArgumentError: another number of channels.
    """
    check_picture("rgb_to_grayscale", img)
    check_grey("rgb_to_grayscale", num_output_channels)
    if is_image(img):
        grey = img.convert("L")
        return grey if num_output_channels == 1 else pillow("rgb_to_grayscale").merge("RGB", (grey,) * 3)
    planes = _colours("rgb_to_grayscale", img)
    grey = planes if planes.shape[-3] == 1 else _grey(planes)
    return from_planes(np.repeat(grey, num_output_channels, axis=-3), img)


def check_grey(call: str, num_output_channels: int) -> int:
    """The number of channels of a grey picture. Raises ArgumentError unless it is 1 or 3."""
    if num_output_channels not in (1, 3):
        problem = f"num_output_channels must be 1 or 3, got {num_output_channels!r}"
        raise ArgumentError(restate(call, problem, num_output_channels=num_output_channels))
    return num_output_channels


def to_grayscale(img: Picture, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale`."""
    return rgb_to_grayscale(img, num_output_channels)


def gaussian_blur(img: Picture, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None) -> Any:
    """The picture blurred by a normal distribution; the border is mirrored.

    Args:
        img: the picture.
        kernel_size: the width and height of the kernel in pixels, odd, or one int for both.
        sigma: the standard deviations in x and y, or one for both; 0.3 · ((kernel_size − 1) / 2 − 1) + 0.8 by default.

    Raises:
        ArgumentError: sizes that aren't odd ints ≥ 1, deviations that aren't > 0.
        ShapeError: a kernel that reaches beyond the mirrored picture.
    """
    check_picture("gaussian_blur", img)
    sizes = two("gaussian_blur", "kernel_size", kernel_size)
    if sigma is None:
        sigma = [((k - 1) * 0.5 - 1) * 0.3 + 0.8 for k in sizes]
    deviations = tuple(sigma) if isinstance(sigma, tuple | list) else (sigma, sigma)
    deviations = deviations * 2 if len(deviations) == 1 else deviations
    if not all(k % 2 for k in sizes) or len(deviations) != 2 or not all(value > 0 for value in deviations):
        problem = "kernel_size must be odd, and sigma > 0"
        raise ArgumentError(restate("gaussian_blur", problem, kernel_size=kernel_size, sigma=sigma))
    if is_image(img):
        blurred = _blurred(_pixels_first(img), sizes, deviations)
        pixels = blurred if blurred.ndim == 2 else blurred.transpose(1, 2, 0)
        return pillow("gaussian_blur").fromarray(np.ascontiguousarray(pixels), img.mode)
    return from_planes(_blurred(as_planes(img), sizes, deviations), img)


def _pixels_first(img: Any) -> np.ndarray:
    pixels = np.asarray(img)
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _blurred(planes: np.ndarray, sizes: Sequence[int], sigmas: Sequence[float]) -> np.ndarray:
    z = planes.astype(np.result_type(planes.dtype, np.float32))
    for axis, size, sigma in ((-1, sizes[0], sigmas[0]), (-2, sizes[1], sigmas[1])):
        half, length = size // 2, z.shape[axis]
        if half >= length:
            problem = f"half the kernel must be smaller than the picture, got {half} of {length} pixels"
            raise ShapeError(restate("gaussian_blur", problem, kernel_size=tuple(sizes), img=planes))
        at = np.arange(size) - half
        kernel = np.exp(-0.5 * (at / sigma) ** 2)
        kernel /= kernel.sum()
        around = [(0, 0)] * z.ndim
        around[axis] = (half, half)
        padded = np.moveaxis(np.pad(z, around, "reflect"), axis, -1)
        z = sum(padded[..., k : k + length] * z.dtype.type(kernel[k]) for k in range(size))  # type: ignore[assignment]
        z = np.moveaxis(z, -1, axis)
    return as_dtype(z, planes.dtype)


def erase(img: np.ndarray | Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """The picture with the values v in the rectangle of h × w pixels from row i and column j on.

    Args:
        img: an array or Tensor.
        i: the first row.
        j: the first column.
        h: the number of rows.
        w: the number of columns.
        v: a number, or values that broadcast to `(C, h, w)`.
        inplace: change the picture itself.

    Raises:
        DTypeError: a Pillow image.

    >>> erase(np.ones((2, 3)), 0, 1, 2, 1, 0).tolist()
    [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    """
    if is_image(img):
        raise DTypeError(restate("erase", "img must be an array or a Tensor", fix="erase after ToTensor()", img=img))
    check_picture("erase", img)
    planes = as_planes(img) if inplace else as_planes(img).copy()
    planes[..., i : i + h, j : j + w] = v.detach().numpy() if isinstance(v, Tensor) else v
    return img if inplace else from_planes(planes, img)


def _check_factor(call: str, name: str, factor: Any, img: Any) -> None:
    check_picture(call, img)
    if not isinstance(factor, int | float | np.number) or not factor >= 0:
        raise ArgumentError(restate(call, f"{name} must be a number ≥ 0, got {factor!r}", **{name: factor}))


def _enhanced(kind: str, img: Any, factor: float) -> Any:
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(img).enhance(factor)


def _colours(call: str, img: np.ndarray | Tensor) -> np.ndarray:
    """The planes `(..., C, H, W)` with one channel or three; an array (H, W) has one."""
    planes = as_planes(img)
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.shape[-3] not in (1, 3):
        raise ShapeError(restate(call, f"img must have 1 or 3 channels, got {planes.shape[-3]}", img=img))
    return planes


def _grey(planes: np.ndarray) -> np.ndarray:
    """Grey values `(..., 1, H, W)` in the dtype of `planes`; integers are rounded down."""
    red, green, blue = (planes[..., k : k + 1, :, :].astype(np.result_type(planes.dtype, np.float32)) for k in range(3))
    kind = red.dtype.type
    return (kind(LUMA[0]) * red + kind(LUMA[1]) * green + kind(LUMA[2]) * blue).astype(planes.dtype)


def _blend(planes: np.ndarray, other: np.ndarray, ratio: float) -> np.ndarray:
    """ratio · planes + (1 − ratio) · other, clipped to the range of values; integers are rounded down."""
    kind = np.result_type(planes.dtype, np.float32)
    z = kind.type(ratio) * planes.astype(kind) + kind.type(1.0 - ratio) * other.astype(kind)
    whole = np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1
    return np.clip(z, 0, whole).astype(planes.dtype)


def _hued_image(img: Any, hue_factor: float) -> Any:
    if img.mode in ("L", "1", "I", "F") or img.mode.startswith("I;16"):
        return img
    hue, saturation, value = img.convert("HSV").split()
    shift = np.uint8(int(hue_factor * 255) % 256)
    moved = pillow("adjust_hue").fromarray(np.asarray(hue) + shift)  # bytes wrap around, as hues do
    return pillow("adjust_hue").merge("HSV", (moved, saturation, value)).convert(img.mode)


def _hsv(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue, saturation and value in [0, 1] of `(..., 3, H, W)`: A. R. Smith, Color gamut transform pairs, 1978."""
    r, g, b = (x[..., k, :, :] for k in range(3))
    high, low = x.max(-3), x.min(-3)
    extent = np.where(high == low, 1, high - low)
    saturation = (high - low) / np.where(high == 0, 1, high)
    hue = np.where(high == r, (g - b) / extent, np.where(high == g, 2 + (b - r) / extent, 4 + (r - g) / extent))
    return np.where(high == low, 0, hue / 6 % 1.0), saturation, high


def _rgb(h: np.ndarray, s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Red, green and blue `(..., 3, H, W)` of hue, saturation and value."""
    channels = []
    for n in (5, 3, 1):
        k = (n + h * 6) % 6
        channels.append(v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1))
    return np.stack(channels, -3).astype(v.dtype)
