"""Transforms that crop, flip and turn at random.

Where PyTorch has a static `get_params`, so has the class here: to do the same with a picture and its mask, draw the
parameters once and call the functions of `functional` with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.data.batch_seeds import stream
from tensorgrad.nn.data.transforms import geometry
from tensorgrad.nn.data.transforms.base import RandomTransform, Seed, check_probability
from tensorgrad.nn.data.transforms.pictures import get_dimensions, two
from tensorgrad.nn.data.transforms.resample import InterpolationMode, as_mode

Random = np.random.Generator | None


class RandomHorizontalFlip(RandomTransform):
    """With probability p the picture mirrored from left to right.

    Args:
        p: the probability.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: p outside [0, 1].
    """

    _settings_shown = ("p",)

    def __init__(self, p: float = 0.5, generator: Seed = None) -> None:
        super().__init__(generator)
        self.p = check_probability(type(self).__name__, p)

    def __call__(self, img: Any) -> Any:
        """The mirrored picture, or the picture itself."""
        return geometry.hflip(img) if self.random().random() < self.p else img


class RandomVerticalFlip(RandomHorizontalFlip):
    """With probability p the picture upside down; arguments as in `RandomHorizontalFlip`."""

    def __call__(self, img: Any) -> Any:
        """The picture upside down, or the picture itself."""
        return geometry.vflip(img) if self.random().random() < self.p else img


class RandomCrop(RandomTransform):
    """A rectangle of `size` at a random place.

    Args:
        size: height and width, or one int for both.
        padding: a border that the picture gets before, as in `functional.pad`.
        pad_if_needed: pad a picture that is smaller than `size`, on both sides.
        fill: the value of a constant border.
        padding_mode: as in `functional.pad`.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1; in a call, a picture that is smaller.
    """

    _settings_shown = ("size", "padding")

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.size, self.padding, self.pad_if_needed = two("RandomCrop", "size", size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int], generator: Random = None) -> tuple[int, int, int, int]:
        """Random `top, left, height, width` for `functional.crop`."""
        _, height, width = get_dimensions(img)
        h, w = output_size
        if h > height or w > width:
            problem = f"size must be at most the picture's {height} × {width}, got {h} × {w}"
            raise ArgumentError(restate("RandomCrop", problem, fix="pass pad_if_needed=True", size=output_size))
        random = stream(generator)
        return int(random.integers(height - h + 1)), int(random.integers(width - w + 1)), h, w

    def __call__(self, img: Any) -> Any:
        """The rectangle."""
        if self.padding is not None:
            img = geometry.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = geometry.pad(img, (self.size[1] - width, 0), self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = geometry.pad(img, (0, self.size[0] - height), self.fill, self.padding_mode)
        return geometry.crop(img, *self.get_params(img, self.size, self.generator))


class RandomResizedCrop(RandomTransform):
    """A rectangle of random area and shape, resized to `size`: Szegedy et al., Going Deeper with Convolutions, 2015.

    Args:
        size: height and width of the result, or one int for both.
        scale: the smallest and largest area, as a part of the picture's.
        ratio: the smallest and largest ratio of width to height.
        interpolation: the filter.
        antialias: as in `functional.resize`.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: a size that isn't one or two ints ≥ 1; a scale or ratio that isn't a range of numbers > 0.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.size = two("RandomResizedCrop", "size", size)
        self.scale = check_range("RandomResizedCrop", "scale", scale)
        self.ratio = check_range("RandomResizedCrop", "ratio", ratio)
        self.interpolation, self.antialias = as_mode("RandomResizedCrop", interpolation), antialias

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], generator: Random = None
    ) -> tuple[int, int, int, int]:
        """Random `top, left, height, width` for `functional.crop`; after ten failures the middle."""
        random = stream(generator)
        _, height, width = get_dimensions(img)
        for _ in range(10):
            area = height * width * random.uniform(scale[0], scale[1])
            shape = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < w <= width and 0 < h <= height:
                return int(random.integers(height - h + 1)), int(random.integers(width - w + 1)), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def __call__(self, img: Any) -> Any:
        """The rectangle, resized."""
        box = self.get_params(img, self.scale, self.ratio, self.generator)
        return geometry.resized_crop(img, *box, self.size, self.interpolation, self.antialias)

    def extra_repr(self) -> str:
        """The settings."""
        ranges = f"scale={self.scale}, ratio={tuple(round(value, 4) for value in self.ratio)}"
        return f"size={self.size}, {ranges}, interpolation={self.interpolation.value}, antialias={self.antialias}"


class RandomRotation(RandomTransform):
    """The picture rotated by a random angle, counterclockwise.

    Args:
        degrees: the smallest and largest angle, or one number d ≥ 0 for (−d, d).
        interpolation: nearest, bilinear or bicubic.
        expand: make the picture so large that it holds all of the rotated one.
        center: the point (x, y) that stays; the middle by default.
        fill: the value of new pixels, one number or one for each channel.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: degrees that aren't a number ≥ 0 or two numbers in order.
    """

    _settings_shown = ("degrees", "interpolation", "expand", "fill")

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.degrees = angles("RandomRotation", "degrees", degrees)
        self.interpolation = as_mode("RandomRotation", interpolation)
        self.expand, self.center, self.fill = expand, center, fill

    @staticmethod
    def get_params(degrees: Sequence[float], generator: Random = None) -> float:
        """A random angle for `functional.rotate`."""
        return float(stream(generator).uniform(degrees[0], degrees[1]))

    def __call__(self, img: Any) -> Any:
        """The rotated picture."""
        angle = self.get_params(self.degrees, self.generator)
        return geometry.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)


class RandomAffine(RandomTransform):
    """The picture rotated, moved, scaled and sheared at random; the middle stays where it is but for the move.

    Args:
        degrees: the smallest and largest angle, clockwise, or one number d ≥ 0 for (−d, d).
        translate: the largest moves in x and y, as parts of width and height in [0, 1].
        scale: the smallest and largest factor.
        shear: the smallest and largest angle of shear in x, or one number for (−shear, shear); or four for x and y.
        interpolation: nearest, bilinear or bicubic.
        fill: the value of new pixels, one number or one for each channel.
        center: the point (x, y) around which all is done; the middle by default.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: a range that isn't in order, or values outside those above.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
        generator: Seed = None,
    ) -> None:
        super().__init__(generator)
        self.degrees = angles("RandomAffine", "degrees", degrees)
        if translate is not None and (len(translate) != 2 or not all(0 <= part <= 1 for part in translate)):
            problem = f"translate must be two numbers in [0, 1], got {translate!r}"
            raise ArgumentError(restate("RandomAffine", problem, translate=translate))
        self.translate = translate
        self.scale = None if scale is None else check_range("RandomAffine", "scale", scale)
        self.shear = None if shear is None else angles("RandomAffine", "shear", shear, (2, 4))
        self.interpolation = as_mode("RandomAffine", interpolation)
        self.fill, self.center = fill, center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
        generator: Random = None,
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Random `angle, translate, scale, shear` for `functional.affine`; `img_size` is (width, height)."""
        random = stream(generator)
        angle = float(random.uniform(degrees[0], degrees[1]))
        reach = [part * size for part, size in zip(translate or (0, 0), img_size, strict=True)]
        move = round(random.uniform(-reach[0], reach[0])), round(random.uniform(-reach[1], reach[1]))
        scale = 1.0 if scale_ranges is None else float(random.uniform(scale_ranges[0], scale_ranges[1]))
        pairs = [shears[:2], shears[2:]] if shears else []
        shear = [float(random.uniform(pair[0], pair[1])) for pair in pairs if pair]
        return angle, move, scale, ((*shear, 0.0, 0.0)[0], (*shear, 0.0, 0.0)[1])

    def __call__(self, img: Any) -> Any:
        """The transformed picture."""
        _, height, width = get_dimensions(img)
        ranges = self.degrees, self.translate, self.scale, self.shear
        found = self.get_params(*ranges, (width, height), self.generator)
        return geometry.affine(img, *found, interpolation=self.interpolation, fill=self.fill, center=self.center)

    def extra_repr(self) -> str:
        """The settings."""
        named = {"translate": self.translate, "scale": self.scale, "shear": self.shear}
        given = "".join(f", {name}={value}" for name, value in named.items() if value is not None)
        return f"degrees={self.degrees}{given}"


def check_range(call: str, name: str, values: Any) -> tuple[float, float]:
    """Two numbers > 0 in order. Raises ArgumentError for others."""
    pair = tuple(values) if isinstance(values, tuple | list) else ()
    if len(pair) != 2 or not 0 < pair[0] <= pair[1]:
        problem = f"{name} must be two numbers > 0, the smaller one first, got {values!r}"
        raise ArgumentError(restate(call, problem, **{name: values}))
    return pair[0], pair[1]


def angles(call: str, name: str, values: Any, counts: tuple[int, ...] = (2,)) -> tuple[float, ...]:
    """Ranges of angles, from one number d ≥ 0 for (−d, d) or the ranges. Raises ArgumentError for others."""
    if isinstance(values, int | float | np.number):
        values = (-values, values)
    found = tuple(values)
    if len(found) not in counts or any(found[k] > found[k + 1] for k in range(0, len(found), 2)):
        problem = f"{name} must be a number ≥ 0, or the smallest and largest angle, got {values!r}"
        raise ArgumentError(restate(call, problem, **{name: values}))
    return found
