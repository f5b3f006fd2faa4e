"""Transforms that change colours, blur and erase at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.batch_seeds import stream
from tensorgrad.nn.data.transforms import color
from tensorgrad.nn.data.transforms.base import RandomTransform, Seed, check_probability
from tensorgrad.nn.data.transforms.pictures import get_dimensions, is_image, two
from tensorgrad.nn.data.transforms.random_geometry import Random, check_range
from tensorgrad.tensor import Tensor

Range = tuple[float, float] | None


class ColorJitter(RandomTransform):
    """Random brightness, contrast, saturation and hue, in random order.

    Args:
        brightness: the factor is uniform on [max(0, 1 − brightness), 1 + brightness], or on a given range.
        contrast: the same for the contrast.
        saturation: the same for the saturation.
        hue: the move of the hues is uniform on [−hue, hue], hue ≤ 0.5, or on a given range.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: a negative number, a range that isn't in order, or a hue outside [−0.5, 0.5].
    """

    _settings_shown = ("brightness", "contrast", "saturation", "hue")

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.brightness = _around("brightness", brightness, 1.0, (0.0, math.inf))
        self.contrast = _around("contrast", contrast, 1.0, (0.0, math.inf))
        self.saturation = _around("saturation", saturation, 1.0, (0.0, math.inf))
        self.hue = _around("hue", hue, 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Range, contrast: Range, saturation: Range, hue: Range, generator: Random = None
    ) -> tuple[np.ndarray, float | None, float | None, float | None, float | None]:
        """A random order of the four, and their random factors; None for those without a range."""
        random = stream(generator)
        order = random.permutation(4)
        b, c, s, h = (
            None if pair is None else float(random.uniform(pair[0], pair[1]))
            for pair in (brightness, contrast, saturation, hue)
        )
        return order, b, c, s, h

    def __call__(self, img: Any) -> Any:
        """The picture in other colours."""
        ranges = self.brightness, self.contrast, self.saturation, self.hue
        order, *factors = self.get_params(*ranges, self.generator)
        adjust = color.adjust_brightness, color.adjust_contrast, color.adjust_saturation, color.adjust_hue
        for k in order:
            factor = factors[k]
            if factor is not None:
                img = adjust[k](img, factor)
        return img


def _around(name: str, value: Any, center: float, bound: tuple[float, float]) -> Range:
    """The range around `center`, or None where nothing changes."""
    if isinstance(value, int | float):
        low, high = center - value, center + value
        low = max(low, 0.0) if center else low
        fits = value >= 0
    else:
        low, high = (float(v) for v in value) if len(value) == 2 else (1.0, 0.0)
        fits = True
    if not fits or not bound[0] <= low <= high <= bound[1]:
        limits = "[-0.5, 0.5]" if name == "hue" else "[0, ∞)"
        problem = f"{name} must be a number ≥ 0, or a range within {limits}, got {value!r}"
        raise ArgumentError(restate("ColorJitter", problem, **{name: value}))
    return None if low == high == center else (low, high)


class RandomGrayscale(RandomTransform):
    """With probability p the grey picture, with as many channels as the picture itself.

    Args:
        p: the probability.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: p outside [0, 1].
    """

    _settings_shown = ("p",)

    def __init__(self, p: float = 0.1, generator: Seed = None) -> None:
        super().__init__(generator)
        self.p = check_probability("RandomGrayscale", p)

    def __call__(self, img: Any) -> Any:
        """The grey picture, or the picture itself."""
        if self.random().random() >= self.p:
            return img
        return color.rgb_to_grayscale(img, 1 if get_dimensions(img)[0] == 1 else 3)


class GaussianBlur(RandomTransform):
    """The picture blurred, with a random standard deviation: `functional.gaussian_blur`.

    Args:
        kernel_size: the width and height of the kernel, odd, or one int for both.
        sigma: the smallest and largest deviation, or one number.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: sizes that aren't odd ints ≥ 1, deviations that aren't > 0.
    """

    _settings_shown = ("kernel_size", "sigma")

    def __init__(
        self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0), generator: Seed = None
    ) -> None:
        super().__init__(generator)
        self.kernel_size = two("GaussianBlur", "kernel_size", kernel_size)
        if not all(size % 2 for size in self.kernel_size):
            problem = f"kernel_size must be odd, got {kernel_size!r}"
            raise ArgumentError(restate("GaussianBlur", problem, kernel_size=kernel_size))
        pair = (sigma, sigma) if isinstance(sigma, int | float) else sigma
        self.sigma = check_range("GaussianBlur", "sigma", pair)

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float, generator: Random = None) -> float:
        """A random deviation."""
        return float(stream(generator).uniform(sigma_min, sigma_max))

    def __call__(self, img: Any) -> Any:
        """The blurred picture."""
        sigma = self.get_params(*self.sigma, generator=self.generator)
        return color.gaussian_blur(img, self.kernel_size, [sigma, sigma])


class RandomErasing(RandomTransform):
    """With probability p a random rectangle erased: Zhong et al., Random Erasing Data Augmentation, AAAI 2020.

    Args:
        p: the probability.
        scale: the smallest and largest area, as a part of the picture's.
        ratio: the smallest and largest ratio of height to width.
        value: what stands in the rectangle: a number, one for each channel, or "random" for normal noise.
        inplace: change the picture itself.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: p outside [0, 1], another value, a scale or ratio that isn't a range of numbers > 0.
        DTypeError: in a call, a Pillow image.
    """

    _settings_shown = ("p", "scale", "ratio", "value", "inplace")

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.p = check_probability("RandomErasing", p)
        self.scale = check_range("RandomErasing", "scale", scale)
        self.ratio = check_range("RandomErasing", "ratio", ratio)
        if self.scale[1] > 1 or (isinstance(value, str) and value != "random"):
            problem = 'scale must be within (0, 1], and value numbers or "random"'
            raise ArgumentError(restate("RandomErasing", problem, scale=scale, value=value))
        self.value, self.inplace = value, inplace

    @staticmethod
    def get_params(
        img: Any,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: Sequence[float] | None = None,
        generator: Random = None,
    ) -> tuple[int, int, int, int, Any]:
        """Random `i, j, h, w, v` for `functional.erase`; after ten failures the whole picture with its own values.

        Args:
            img: the picture.
            scale: as in the class.
            ratio: as in the class.
            value: the values, one or one for each channel; None for normal noise.
            generator: the source of random numbers.
        """
        random = stream(generator)
        channels, height, width = get_dimensions(img)
        for _ in range(10):
            area = height * width * random.uniform(scale[0], scale[1])
            shape = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            h, w = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if h < height and w < width:
                if value is None:
                    v = random.standard_normal((channels, h, w))
                else:
                    v = np.asarray(value, np.float64).reshape(-1, 1, 1)
                place = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
                return *place, h, w, v if img.ndim > 2 else v[0]
        return 0, 0, height, width, img if isinstance(img, Tensor) or img.ndim == 2 else img.transpose(2, 0, 1)

    def __call__(self, img: Any) -> Any:
        """The picture with an erased rectangle, or the picture itself."""
        if is_image(img):
            problem, fix = "img must be an array or a Tensor", "put RandomErasing after ToTensor()"
            raise DTypeError(restate("RandomErasing", problem, fix=fix, img=img))
        if self.random().random() >= self.p:
            return img
        value = self.value
        values = None if isinstance(value, str) else [value] if isinstance(value, int | float) else list(value)
        channels = get_dimensions(img)[0]
        if values is not None and len(values) not in (1, channels):
            problem = f"value must be one number, or one for each of the {channels} channels, got {len(values)}"
            raise ArgumentError(restate("RandomErasing", problem, value=value, img=img))
        i, j, h, w, v = self.get_params(img, self.scale, self.ratio, values, self.generator)
        return color.erase(img, i, j, h, w, v, self.inplace)
