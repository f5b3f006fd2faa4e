"""Resize, crop, pad, flip, rotate: functions on pictures, with the names of PyTorch's `transforms.functional`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.data.transforms.pictures import (
    Picture,
    as_planes,
    check_picture,
    fill_of,
    from_planes,
    get_dimensions,
    image_fill,
    is_image,
    pillow,
    two,
)
from tensorgrad.nn.data.transforms.resample import (
    NEAREST,
    InterpolationMode,
    as_mode,
    pillow_filter,
    resize_planes,
    warp_planes,
)

PADDING_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def resize(
    img: Picture,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The picture at another size.

    Args:
        img: the picture.
        size: height and width; or one int for the shorter side, and the longer one in proportion.
        interpolation: the filter.
        max_size: the longest that the longer side may be; only for one int.
        antialias: widen the filter when the picture shrinks; Pillow images always do.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1, or a `max_size` that isn't larger than it.

    >>> resize(np.zeros((4, 8, 3), np.uint8), 2).shape
    (2, 4, 3)
    """
    check_picture("resize", img)
    mode = as_mode("resize", interpolation)
    _, height, width = get_dimensions(img)
    h, w = resized_size("resize", (height, width), size, max_size)
    if (h, w) == (height, width):
        return img
    if is_image(img):
        return img.resize((w, h), pillow_filter("resize", mode))
    exact = isinstance(img, np.ndarray)
    return from_planes(resize_planes("resize", as_planes(img), (h, w), mode, antialias is not False, exact), img)


def resized_size(call: str, now: tuple[int, int], size: Any, max_size: int | None) -> tuple[int, int]:
    """The height and width that `resize` gives."""
    if isinstance(size, tuple | list) and len(size) == 2:
        if max_size is not None:
            problem = "max_size needs one int as size"
            raise ArgumentError(restate(call, problem, size=size, max_size=max_size))
        return two(call, "size", size)
    (side, _), (height, width) = two(call, "size", size), now
    if min(now) < 1:
        raise ArgumentError(restate(call, f"the picture must have pixels, got {height} × {width}", size=size))
    short, long = side, int(side * max(now) / min(now))
    if max_size is not None:
        if max_size <= side:
            problem = f"max_size must be larger than size, got {max_size} and {side}"
            raise ArgumentError(restate(call, problem, size=size, max_size=max_size))
        if long > max_size:
            short, long = int(max_size * short / long), max_size
    return (long, short) if width <= height else (short, long)


def crop(img: Picture, top: int, left: int, height: int, width: int) -> Any:
    """The rectangle of `height` × `width` pixels from (top, left) on; pixels outside the picture are 0.

    >>> crop(np.arange(12).reshape(3, 4), 1, 1, 2, 2).tolist()
    [[5, 6], [9, 10]]
    """
    check_picture("crop", img)
    if is_image(img):
        return img.crop((left, top, left + width, top + height))
    planes = as_planes(img)
    inside = planes[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    before, beside = min(max(-top, 0), height), min(max(-left, 0), width)
    missing = height - inside.shape[-2] - before, width - inside.shape[-1] - beside
    if before or beside or any(missing):
        around = [(0, 0)] * (planes.ndim - 2) + [(before, missing[0]), (beside, missing[1])]
        inside = np.pad(inside, around)
    return from_planes(inside.copy(), img)


def center_crop(img: Picture, output_size: int | Sequence[int]) -> Any:
    """The middle of the picture; a picture that is smaller is padded with 0.

    Args:
        img: the picture.
        output_size: height and width, or one int for both.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1.

    >>> center_crop(np.arange(16).reshape(4, 4), 2).tolist()
    [[5, 6], [9, 10]]
    """
    h, w = two("center_crop", "output_size", output_size)
    _, height, width = get_dimensions(img)
    if w > width or h > height:
        left, top = max(w - width, 0), max(h - height, 0)
        img = pad(img, [left // 2, top // 2, (left + 1) // 2, (top + 1) // 2])
        _, height, width = get_dimensions(img)
    if (h, w) == (height, width):
        return img
    return crop(img, round((height - h) / 2.0), round((width - w) / 2.0), h, w)


def resized_crop(
    img: Picture,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def pad(img: Picture, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Any:
    """The picture with a border.

    Args:
        img: the picture.
        padding: pixels on each side; or (left and right, top and bottom); or (left, top, right, bottom).
        fill: the value of a constant border, one number or one for each channel.
        padding_mode: "constant"; "edge" repeats the last pixels; "reflect" mirrors without them, "symmetric" with them.

    Raises:
        ArgumentError: a padding that isn't one, two or four ints ≥ 0, or another mode.

    >>> pad(np.ones((1, 1)), (1, 0), fill=7).tolist()
    [[7.0, 1.0, 7.0]]
    """
    check_picture("pad", img)
    left, top, right, bottom = _sides(padding)
    if padding_mode not in PADDING_MODES:
        problem = f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}"
        raise ArgumentError(restate("pad", problem, padding_mode=padding_mode))
    if is_image(img):
        return _padded_image(img, (left, top, right, bottom), fill, padding_mode)
    planes = as_planes(img)
    around = [(0, 0)] * (planes.ndim - 2) + [(top, bottom), (left, right)]
    if padding_mode != "constant":
        return from_planes(np.pad(planes, around, PADDING_MODES[padding_mode]), img)  # type: ignore[call-overload]
    values = fill_of("pad", fill, 1 if planes.ndim == 2 else planes.shape[-3])
    padded = np.pad(planes, around)
    height, width = planes.shape[-2:]
    border = np.ones(padded.shape[-2:], bool)
    border[top : top + height, left : left + width] = False
    if any(values):
        channels = np.array(values).reshape((1, 1) if planes.ndim == 2 else (-1, 1, 1))
        padded = np.where(border, channels.astype(planes.dtype), padded)
    return from_planes(padded, img)


def _sides(padding: Any) -> tuple[int, int, int, int]:
    sides = tuple(padding) if isinstance(padding, tuple | list) else (padding,)
    if len(sides) not in (1, 2, 4) or not all(isinstance(side, int | np.integer) and side >= 0 for side in sides):
        problem = f"padding must be one, two or four ints ≥ 0, got {padding!r}"
        raise ArgumentError(restate("pad", problem, padding=padding))
    left, top, right, bottom = sides if len(sides) == 4 else (*sides, *sides) if len(sides) == 2 else sides * 4
    return left, top, right, bottom


def _padded_image(img: Any, sides: tuple[int, int, int, int], fill: Any, padding_mode: str) -> Any:
    from PIL import ImageOps

    left, top, right, bottom = sides
    if padding_mode == "constant":
        if img.mode == "P":  # expand would take the fill for a colour
            ground = pillow("pad").new("P", (img.width + left + right, img.height + top + bottom), int(fill))
            ground.putpalette(img.getpalette())
            ground.paste(img, (left, top))
            return ground
        return ImageOps.expand(img, border=sides, fill=image_fill("pad", fill, img))
    pixels = np.asarray(img)
    around = [(top, bottom), (left, right), (0, 0)][: pixels.ndim]
    padded = pillow("pad").fromarray(np.pad(pixels, around, PADDING_MODES[padding_mode]))  # type: ignore[call-overload]
    if img.mode == "P":
        padded.putpalette(img.getpalette())
    return padded if padded.mode == img.mode else padded.convert(img.mode)


def hflip(img: Picture) -> Any:
    """The picture mirrored from left to right.

    >>> hflip(np.array([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    """
    check_picture("hflip", img)
    if is_image(img):
        return img.transpose(pillow("hflip").Transpose.FLIP_LEFT_RIGHT)
    return from_planes(as_planes(img)[..., ::-1], img)


def vflip(img: Picture) -> Any:
    """The picture upside down.

    >>> vflip(np.array([[1], [2]])).tolist()
    [[2], [1]]
    """
    check_picture("vflip", img)
    if is_image(img):
        return img.transpose(pillow("vflip").Transpose.FLIP_TOP_BOTTOM)
    return from_planes(as_planes(img)[..., ::-1, :], img)


def five_crop(img: Picture, size: int | Sequence[int]) -> tuple[Any, ...]:
    """The four corners and the middle: (top left, top right, bottom left, bottom right, middle).

    Args:
        img: the picture.
        size: height and width of each, or one int for both.

    Raises:
        ArgumentError: a size larger than the picture.
    """
    h, w = two("five_crop", "size", size)
    _, height, width = get_dimensions(img)
    if h > height or w > width:
        problem = f"size must be at most the picture's {height} × {width}, got {h} × {w}"
        raise ArgumentError(restate("five_crop", problem, size=size))
    corners = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w)]
    return (*(crop(img, top, left, h, w) for top, left in corners), center_crop(img, (h, w)))


def ten_crop(img: Picture, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the picture, and of its mirror image; upside down with `vertical_flip`."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def rotate(
    img: Picture,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """The picture rotated by `angle` degrees counterclockwise.

    Args:
        img: the picture.
        angle: in degrees.
        interpolation: nearest, bilinear or bicubic.
        expand: make the picture so large that it holds all of the rotated one.
        center: the point (x, y) that stays; the middle by default.
        fill: the value of new pixels, one number or one for each channel; 0 by default.

    Raises:
        ArgumentError: another interpolation.

    >>> rotate(np.array([[1, 2], [3, 4]]), 90).tolist()
    [[2, 4], [1, 3]]
    """
    check_picture("rotate", img)
    mode = _warping_mode("rotate", interpolation)
    kind = pillow_filter("rotate", mode)

    def warp(image: Any, value: Any) -> Any:
        return image.rotate(
            angle, kind, bool(expand), center=None if center is None else tuple(center), fillcolor=value
        )

    return _warped("rotate", img, warp, mode, fill)


def affine(
    img: Picture,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """The picture rotated, sheared, scaled and moved.

    Args:
        img: the picture.
        angle: degrees clockwise.
        translate: the move in x and y, in pixels.
        scale: a factor > 0.
        shear: the angles of shear in x and y, in degrees, or one for x.
        interpolation: nearest, bilinear or bicubic.
        fill: the value of new pixels, one number or one for each channel; 0 by default.
        center: the point (x, y) around which all is done; the middle by default.

    Raises:
        ArgumentError: another interpolation, a scale that isn't > 0, or another number of values.

    >>> affine(np.array([[1, 2, 3]]), 0, (1, 0), 1, 0).tolist()
    [[0, 1, 2]]
    """
    check_picture("affine", img)
    mode = _warping_mode("affine", interpolation)
    angles = (shear, 0.0) if isinstance(shear, int | float) else (*shear, 0.0) if len(shear) == 1 else tuple(shear)
    if len(angles) != 2 or len(translate) != 2 or not scale > 0:
        problem = "translate must be two numbers, shear one or two, and scale a number > 0"
        raise ArgumentError(restate("affine", problem, translate=translate, scale=scale, shear=shear))
    _, height, width = get_dimensions(img)
    middle = (width * 0.5, height * 0.5) if center is None else (center[0], center[1])
    matrix = inverse_affine(middle, angle, (translate[0], translate[1]), scale, (angles[0], angles[1]))
    kind = pillow_filter("affine", mode)

    def warp(image: Any, value: Any) -> Any:
        return image.transform((width, height), pillow("affine").Transform.AFFINE, matrix, kind, fillcolor=value)

    return _warped("affine", img, warp, mode, fill)


def inverse_affine(
    center: tuple[float, float],
    angle: float,
    translate: tuple[float, float],
    scale: float,
    shear: tuple[float, float],
) -> list[float]:
    """The matrix (a, b, c, d, e, f) from a pixel (x, y) of the result to (ax + by + c, dx + ey + f) of the picture.

    The inverse of M = T · C · R · Sh · S · C⁻¹ with the move T, the move C of the origin to the center, the rotation
    R, the shear Sh and the scale S.
    """
    rot, sx, sy = (math.radians(value) for value in (angle, *shear))
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    # The determinant of (a, b, c, d) is 1.
    m = [value / scale for value in (d, -b, -c, a)]
    x = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx
    y = m[2] * (-cx - tx) + m[3] * (-cy - ty) + cy
    return [m[0], m[1], x, m[2], m[3], y]


def _warping_mode(call: str, interpolation: Any) -> InterpolationMode:
    mode = as_mode(call, interpolation)
    if mode not in (*NEAREST, InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        problem = f"interpolation must be nearest, bilinear or bicubic, got {mode.value}"
        raise ArgumentError(restate(call, problem, interpolation=interpolation))
    return mode


def _warped(call: str, img: Any, warp: Any, mode: InterpolationMode, fill: Any) -> Any:
    if is_image(img):
        return warp(img, image_fill(call, fill, img))
    planes = as_planes(img)
    values = fill_of(call, fill, 1 if planes.ndim == 2 else planes.shape[-3])
    return from_planes(warp_planes(call, planes, warp, mode in NEAREST, values), img)
