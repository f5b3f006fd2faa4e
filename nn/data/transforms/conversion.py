"""Between pictures and Tensors, and normalization: functions with the names of PyTorch's `transforms.functional`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.nn.data.transforms.pictures import Picture, as_planes, check_picture, from_planes, is_image, pillow
from tensorgrad.tensor import Tensor


def to_tensor(pic: Picture) -> Tensor:
    """A Tensor `(C, H, W)`: bytes become float32 in [0, 1], other values stay as they are.

    Args:
        pic: a Pillow image, or an array `(H, W)` or `(H, W, C)`.

    Raises:
        DTypeError: something else.
        ShapeError: an array with other axes.

    >>> to_tensor(np.array([[0, 255]], np.uint8)).tolist()
    [[[0.0, 1.0]]]
    """
    tensor = pil_to_tensor(pic) if is_image(pic) else _first(pic, "to_tensor")
    values = tensor.numpy()
    return Tensor(values.astype(np.float32) / np.float32(255)) if values.dtype == np.uint8 else tensor


def pil_to_tensor(pic: Any) -> Tensor:
    """The values of a Pillow image as a Tensor `(C, H, W)`, unchanged; those of 16 bits as int32.

    Raises:
        DTypeError: something other than a Pillow image.
    """
    if not is_image(pic):
        fix = "ToTensor() takes arrays too"
        problem = f"pic must be a Pillow image, got {type(pic).__name__}"
        raise DTypeError(restate("pil_to_tensor", problem, fix=fix, pic=pic))
    pixels = np.array(pic)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind == "u" and pixels.dtype != np.uint8:
        pixels = pixels.astype(np.int32)
    return _first(pixels, "pil_to_tensor")


def _first(pixels: Any, call: str) -> Tensor:
    """(H, W) -> (1, H, W), (H, W, C) -> (C, H, W), in memory of its own."""
    if not isinstance(pixels, np.ndarray):
        problem = f"pic must be a Pillow image or an array, got {type(pixels).__name__}"
        raise DTypeError(restate(call, problem, pic=pixels))
    check_picture(call, pixels)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Tensor(np.array(planes, order="C"))


def to_pil_image(pic: np.ndarray | Tensor, mode: str | None = None) -> Any:
    """A Pillow image. A Tensor `(C, H, W)` of floats is taken as values in [0, 1], an array as it is.

    Args:
        pic: a Tensor `(C, H, W)` or `(H, W)`, or an array `(H, W)` or `(H, W, C)`, with 1 to 4 channels.
        mode: Pillow's mode; by default the one that fits the number of channels.

    Raises:
        ShapeError: another number of axes or channels.
        DTypeError: a dtype that Pillow doesn't have.
    """
    check_picture("to_pil_image", pic)
    planes = as_planes(pic)
    if planes.ndim not in (2, 3) or (planes.ndim == 3 and not 1 <= planes.shape[0] <= 4):
        raise ShapeError(restate("to_pil_image", "pic must have 1 to 4 channels", pic=pic))
    if isinstance(pic, Tensor) and planes.dtype.kind == "f" and mode != "F":
        planes = np.clip(np.floor(planes * 255 + 1e-3), 0, 255).astype(np.uint8)
    elif planes.dtype == np.float64:
        planes = planes.astype(np.float32)
    elif planes.dtype == np.int64:
        planes = planes.astype(np.int32)
    one = planes.ndim == 2 or planes.shape[0] == 1
    if planes.dtype != np.uint8 and not (one and planes.dtype in (np.int16, np.uint16, np.int32, np.float32, np.bool_)):
        problem = f"pictures of {planes.dtype} with so many channels aren't known to Pillow"
        raise DTypeError(restate("to_pil_image", problem, fix="convert it to uint8", pic=pic))
    if planes.dtype == np.int16:
        planes = planes.astype(np.int32)
    pixels = planes.reshape(planes.shape[-2:]) if one else planes.transpose(1, 2, 0)
    image = pillow("to_pil_image").fromarray(np.ascontiguousarray(pixels))
    return image if mode is None or image.mode == mode else _in_mode(image, mode)


def _in_mode(image: Any, mode: str) -> Any:
    """The same channels under another mode: RGBA's bytes are CMYK's too."""
    Image = pillow("to_pil_image")
    if len(Image.new(mode, (1, 1)).getbands()) != len(image.getbands()):
        problem = f"mode must have {len(image.getbands())} channels, got {mode!r}"
        raise ArgumentError(restate("to_pil_image", problem, mode=mode))
    return Image.frombytes(mode, image.size, image.tobytes()) if image.mode != "F" else image


def convert_image_dtype(image: Any, dtype: DTypeLike = np.float32) -> Any:
    """The picture in another dtype, its values scaled: integers reach from 0 to their largest, floats from 0 to 1.

    Args:
        image: a Tensor or array.
        dtype: the dtype.

    Raises:
        DTypeError: something else, or float32 to int64, which it can't represent.

    >>> convert_image_dtype(np.array([[0, 255]], np.uint8)).tolist()
    [[0.0, 1.0]]
    """
    check_picture("convert_image_dtype", image)
    if is_image(image):
        raise DTypeError(restate("convert_image_dtype", "image must be a Tensor or an array", image=image))
    values, wanted = as_planes(image), np.dtype(dtype)
    return from_planes(_scaled(values, wanted), image) if values.dtype != wanted else image


def _scaled(values: np.ndarray, wanted: np.dtype) -> np.ndarray:
    given = values.dtype
    if given.kind == "f":
        if wanted.kind == "f":
            return values.astype(wanted)
        if given == np.float32 and wanted.itemsize > 2 and wanted != np.uint8:
            problem = f"{wanted} can't be reached from float32, which has 24 bits"
            raise DTypeError(restate("convert_image_dtype", problem, fix="convert to float64 first", image=values))
        return np.floor(values * (float(np.iinfo(wanted).max) + 1 - 1e-3)).astype(wanted)
    largest = 1 if given.kind == "b" else int(np.iinfo(given).max)
    if wanted.kind == "f":
        return values.astype(wanted) / wanted.type(largest)
    target = int(np.iinfo(wanted).max)
    if largest > target:
        return (values // ((largest + 1) // (target + 1))).astype(wanted)
    return values.astype(wanted) * wanted.type((target + 1) // (largest + 1))


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """(x − mean) / std for each channel.

    Args:
        tensor: a Tensor `(..., C, H, W)` or array `(H, W, C)` of floats.
        mean: one number for each channel.
        std: one number for each channel, not 0.
        inplace: accepted; the result is always new.

    Raises:
        DTypeError: values that aren't floats.
        ShapeError: another number of channels.
        ArgumentError: a std of 0.

    >>> normalize(Tensor(np.ones((1, 1, 2), np.float32)), [0.5], [0.5]).tolist()
    [[[1.0, 1.0]]]
    """
    check_picture("normalize", tensor)
    if is_image(tensor) or tensor.dtype.kind != "f":
        problem, fix = "tensor must hold floats", "call ToTensor() first"
        raise DTypeError(restate("normalize", problem, fix=fix, tensor=tensor))
    planes = as_planes(tensor)
    planes = planes[None] if planes.ndim == 2 else planes
    moments = [np.atleast_1d(np.asarray(value, planes.dtype)) for value in (mean, std)]
    channels = planes.shape[-3]
    if any(value.ndim != 1 or len(value) not in (1, channels) for value in moments):
        problem = f"mean and std must have one number for each of the {channels} channels"
        raise ShapeError(restate("normalize", problem, tensor=tensor, mean=mean, std=std))
    if (moments[1] == 0).any():
        raise ArgumentError(restate("normalize", "std must not be 0", std=std))
    # (C,) -> (C, 1, 1)
    shift, divisor = (value[:, None, None] for value in moments)
    return from_planes(((planes - shift) / divisor).reshape(as_planes(tensor).shape), tensor)
