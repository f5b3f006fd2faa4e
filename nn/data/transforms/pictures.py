"""The three kinds of pictures that transforms take, and how their pixels are reached.

A picture is a Pillow image, an array `(H, W)` or `(H, W, C)`, or a Tensor `(..., C, H, W)`. Most functions work on
planes: arrays `(..., H, W)` of the pixels.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, require, restate
from tensorgrad.tensor import Tensor

Picture = Any
"""A Pillow image, an array or a Tensor. Pillow is optional, so type checkers needn't know it."""


def is_image(img: Any) -> bool:
    """Whether `img` is a Pillow image. Pillow is not imported for it: without Pillow there are none."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(img, module.Image)


def check_picture(call: str, img: Any) -> None:
    """Raise DTypeError or ShapeError unless `img` is a picture."""
    if is_image(img):
        return
    if not isinstance(img, np.ndarray | Tensor):
        expected = "a Pillow image, an array (H, W) or (H, W, C), or a Tensor (..., C, H, W)"
        raise DTypeError(restate(call, f"img must be a picture, got {type(img).__name__}", expected=expected, img=img))
    if isinstance(img, np.ndarray) and img.ndim not in (2, 3):
        raise ShapeError(restate(call, f"an array must have axes (H, W) or (H, W, C), got {img.ndim} axes", img=img))
    if isinstance(img, Tensor) and img.ndim < 2:
        raise ShapeError(restate(call, f"a Tensor must have axes (..., C, H, W), got {img.ndim} axes", img=img))


def get_dimensions(img: Picture) -> list[int]:
    """Channels, height and width of a picture.

    >>> get_dimensions(np.zeros((4, 5, 3)))
    [3, 4, 5]
    """
    check_picture("get_dimensions", img)
    if is_image(img):
        return [len(img.getbands()), img.height, img.width]
    planes = as_planes(img)
    return [1 if planes.ndim == 2 else planes.shape[-3], *planes.shape[-2:]]


def get_image_size(img: Picture) -> list[int]:
    """Width and height of a picture.

    >>> get_image_size(np.zeros((4, 5, 3)))
    [5, 4]
    """
    return get_dimensions(img)[:0:-1]


def as_planes(img: np.ndarray | Tensor) -> np.ndarray:
    """The pixels as `(..., H, W)`, without a copy."""
    if isinstance(img, Tensor):
        return img.detach().numpy()
    # (H, W, C) -> (C, H, W)
    return img if img.ndim == 2 else img.transpose(2, 0, 1)


def from_planes(planes: np.ndarray, img: np.ndarray | Tensor) -> Any:
    """A picture of the kind of `img` with these pixels, in memory of its own."""
    if isinstance(img, Tensor):
        return Tensor(np.ascontiguousarray(planes))
    # (C, H, W) -> (H, W, C)
    return np.ascontiguousarray(planes if planes.ndim == 2 else planes.transpose(1, 2, 0))


def fill_of(call: str, fill: Any, channels: int) -> tuple[float, ...]:
    """The value of new pixels for each channel, from one number or one per channel."""
    values = tuple(fill) if isinstance(fill, tuple | list) else (0 if fill is None else fill,)
    if len(values) not in (1, channels) or not all(isinstance(v, int | float | np.number) for v in values):
        problem = f"fill must be a number, or one for each of the {channels} channels, got {fill!r}"
        raise ArgumentError(restate(call, problem, fill=fill))
    return values * channels if len(values) == 1 else values


def image_fill(call: str, fill: Any, img: Any) -> Any:
    """The value of new pixels as Pillow takes it: a number for one channel, else a tuple."""
    values = fill_of(call, fill, len(img.getbands()))
    if img.mode not in ("F", "I"):
        values = tuple(int(value) for value in values)
    return values[0] if len(values) == 1 else values


def pillow(call: str) -> Any:
    """The module `PIL.Image`. Raises MissingPackageError without Pillow."""
    require(call, "PIL", "pillow")
    from PIL import Image

    return Image


def two(call: str, name: str, value: Any, minimum: int = 1) -> tuple[int, int]:
    """A pair (height, width) of ints, from one int or two. Raises ArgumentError for others."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2 or not all(isinstance(v, int | np.integer) and v >= minimum for v in pair):
        raise ArgumentError(restate(call, f"{name} must be an int ≥ {minimum}, or two, got {value!r}", **{name: value}))
    return int(pair[0]), int(pair[1])
