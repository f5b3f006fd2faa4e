"""Transforms that do the same with every picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.nn.data.transforms import color, conversion, geometry
from tensorgrad.nn.data.transforms.base import Transform
from tensorgrad.nn.data.transforms.pictures import two
from tensorgrad.nn.data.transforms.resample import InterpolationMode, as_mode
from tensorgrad.tensor import Tensor


class ToTensor(Transform):
    """A Tensor `(C, H, W)` of a Pillow image or an array; bytes become float32 in [0, 1]: `functional.to_tensor`.

    >>> ToTensor()(np.full((2, 2, 3), 255, np.uint8)).shape
    (3, 2, 2)
    """

    def __call__(self, img: Any) -> Tensor:
        """The Tensor."""
        return conversion.to_tensor(img)


class PILToTensor(Transform):
    """The values of a Pillow image as a Tensor `(C, H, W)`, unchanged: `functional.pil_to_tensor`."""

    def __call__(self, img: Any) -> Tensor:
        """The Tensor."""
        return conversion.pil_to_tensor(img)


class ToPILImage(Transform):
    """A Pillow image of a Tensor `(C, H, W)` or an array `(H, W, C)`: `functional.to_pil_image`.

    Args:
        mode: Pillow's mode; by default the one that fits the number of channels.
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, img: Any) -> Any:
        """The image."""
        return conversion.to_pil_image(img, self.mode)


class ConvertImageDtype(Transform):
    """The picture in another dtype, its values scaled: `functional.convert_image_dtype`.

    Args:
        dtype: the dtype.

    >>> ConvertImageDtype("float32")(np.array([[0, 255]], np.uint8)).tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)

    def __call__(self, img: Any) -> Any:
        """The converted picture."""
        return conversion.convert_image_dtype(img, self.dtype)


class Normalize(Transform):
    """(x − mean) / std for each channel of a Tensor `(..., C, H, W)` or array `(H, W, C)`: `functional.normalize`.

    Args:
        mean: one number for each channel.
        std: one number for each channel, not 0.
        inplace: accepted; the result is always new.

    >>> Normalize((0.5,), (0.5,))(ToTensor()(np.array([[0, 255]], np.uint8))).tolist()
    [[[-1.0, 1.0]]]
    """

    _settings_shown = ("mean", "std")

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, img: Any) -> Any:
        """The normalized picture."""
        return conversion.normalize(img, self.mean, self.std, self.inplace)


class Resize(Transform):
    """The picture at another size: `functional.resize`.

    Args:
        size: height and width; or one int for the shorter side, and the longer one in proportion.
        interpolation: the filter.
        max_size: the longest that the longer side may be; only for one int.
        antialias: widen the filter when the picture shrinks; Pillow images always do.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1, or another interpolation.

    >>> Resize(4)(np.zeros((8, 10), np.uint8)).shape
    (4, 5)
    """

    _settings_shown = ("size", "interpolation", "max_size", "antialias")

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        two("Resize", "size", size)
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = as_mode("Resize", interpolation)

    def __call__(self, img: Any) -> Any:
        """The resized picture."""
        return geometry.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle of the picture; a smaller picture is padded with 0: `functional.center_crop`.

    Args:
        size: height and width, or one int for both.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1.
    """

    _settings_shown = ("size",)

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = two("CenterCrop", "size", size)

    def __call__(self, img: Any) -> Any:
        """The middle."""
        return geometry.center_crop(img, self.size)


class Pad(Transform):
    """The picture with a border: `functional.pad`.

    Args:
        padding: pixels on each side; or (left and right, top and bottom); or (left, top, right, bottom).
        fill: the value of a constant border, one number or one for each channel.
        padding_mode: "constant"; "edge" repeats the last pixels; "reflect" mirrors without them, "symmetric" with them.
    """

    _settings_shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> None:
        geometry.pad(np.zeros((1, 1)), 0, 0, padding_mode)  # checks the mode
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        """The padded picture."""
        return geometry.pad(img, self.padding, self.fill, self.padding_mode)


class FiveCrop(Transform):
    """The four corners and the middle, as a tuple: `functional.five_crop`.

    Args:
        size: height and width of each, or one int for both.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1.
    """

    _settings_shown = ("size",)

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = two("FiveCrop", "size", size)

    def __call__(self, img: Any) -> tuple[Any, ...]:
        """The five pictures."""
        return geometry.five_crop(img, self.size)


class TenCrop(Transform):
    """`FiveCrop` of the picture and of its mirror image: `functional.ten_crop`.

    Args:
        size: height and width of each, or one int for both.
        vertical_flip: upside down in place of mirrored from left to right.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1.
    """

    _settings_shown = ("size", "vertical_flip")

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        self.size, self.vertical_flip = two("TenCrop", "size", size), vertical_flip

    def __call__(self, img: Any) -> tuple[Any, ...]:
        """The ten pictures."""
        return geometry.ten_crop(img, self.size, self.vertical_flip)


class Grayscale(Transform):
    """The grey picture, in one channel or three equal ones: `functional.rgb_to_grayscale`.

    Args:
        num_output_channels: 1 or 3.
    """

    _settings_shown = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = color.check_grey("Grayscale", num_output_channels)

    def __call__(self, img: Any) -> Any:
        """The grey picture."""
        return color.rgb_to_grayscale(img, self.num_output_channels)
