"""The base of transforms, and those that hold others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.data.batch_seeds import stream
from tensorgrad.nn.data.seeding import as_generator

Seed = np.random.Generator | int | None


class Transform:
    """The base of transforms: objects that are called with a picture and return another."""

    _settings_shown: tuple[str, ...] = ()
    """The attributes that `extra_repr` shows."""

    def __call__(self, img: Any) -> Any:
        """The transformed picture."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, img)")

    def extra_repr(self) -> str:
        """The settings, which `repr` shows between the brackets."""
        values = {name: getattr(self, name) for name in self._settings_shown}
        return ", ".join([f"{name}={x.value if isinstance(x, Enum) else x}" for name, x in values.items()])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


class RandomTransform(Transform):
    """The base of transforms that draw random numbers.

    Args:
        generator: a `numpy.random.Generator`, an int seed, or None for the package's generator. In a `DataLoader` the
            numbers also depend on the batch, so they are the same with any number of workers.
    """

    def __init__(self, generator: Seed = None) -> None:
        self.generator = None if generator is None else as_generator(type(self).__name__, generator)

    def random(self) -> np.random.Generator:
        """The generator to draw from now."""
        return stream(self.generator)


def check_probability(call: str, p: Any) -> float:
    """The probability. Raises ArgumentError unless it is a number in [0, 1]."""
    if not isinstance(p, int | float | np.number) or not 0 <= p <= 1:
        raise ArgumentError(restate(call, f"p must be in [0, 1], got {p!r}", p=p))
    return float(p)


def _checked(call: str, transforms: Any) -> Sequence[Callable[[Any], Any]]:
    if isinstance(transforms, str) or not hasattr(transforms, "__iter__") or not all(map(callable, transforms)):
        problem = "transforms must be a list of functions of a picture"
        raise DTypeError(restate(call, problem, transforms=transforms))
    return transforms


class Compose(Transform):
    """Several transforms, one after the other.

    Args:
        transforms: the transforms, a list of functions.

    Raises:
        DTypeError: something that isn't a list of functions.

    >>> Compose([lambda x: x + 1, lambda x: x * 2])(3)
    8
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = _checked("Compose", transforms)

    def __call__(self, img: Any) -> Any:
        """The picture after all transforms."""
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = [f"    {transform!r}".replace("\n", "\n    ") for transform in self.transforms]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


class Lambda(Transform):
    """A function as a transform.

    Args:
        lambd: the function.

    Raises:
        DTypeError: something that can't be called.

    >>> Lambda(lambda x: x + 1)(3)
    4
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise DTypeError(restate("Lambda", "lambd must be a function", lambd=lambd))
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        """The function's result."""
        return self.lambd(img)


class RandomApply(RandomTransform):
    """With probability p all of several transforms, else none.

    Args:
        transforms: the transforms, a list of functions.
        p: the probability.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: p outside [0, 1].
        DTypeError: something that isn't a list of functions.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5, generator: Seed = None) -> None:
        super().__init__(generator)
        self.transforms, self.p = _checked("RandomApply", transforms), check_probability("RandomApply", p)

    def __call__(self, img: Any) -> Any:
        """The picture after all transforms, or the picture itself."""
        return Compose(self.transforms)(img) if self.random().random() < self.p else img

    def extra_repr(self) -> str:
        """The settings."""
        return f"p={self.p}, transforms={list(self.transforms)}"


class RandomChoice(RandomTransform):
    """One of several transforms.

    Args:
        transforms: the transforms, a list of functions.
        p: the weight of each; equal by default.
        generator: as in `RandomTransform`.

    Raises:
        ArgumentError: weights that aren't numbers ≥ 0, one for each transform, not all 0.
        DTypeError: something that isn't a list of functions.
    """

    _settings_shown = ("p", "transforms")

    def __init__(
        self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None, generator: Seed = None
    ) -> None:
        super().__init__(generator)
        self.transforms = list(_checked("RandomChoice", transforms))
        self.p = None if p is None else list(p)
        weights = np.asarray(self.p if p is not None else np.ones(len(self.transforms)), np.float64)
        if weights.shape != (len(self.transforms),) or not (weights >= 0).all() or not weights.sum() > 0:
            problem = f"p must be {len(self.transforms)} numbers ≥ 0, one for each transform, not all 0"
            raise ArgumentError(restate("RandomChoice", problem, p=p, transforms=transforms))
        self._weights = weights / weights.sum()

    def __call__(self, img: Any) -> Any:
        """The picture after one of the transforms."""
        return self.transforms[int(self.random().choice(len(self.transforms), p=self._weights))](img)


class RandomOrder(RandomTransform):
    """All of several transforms, in random order.

    Args:
        transforms: the transforms, a list of functions.
        generator: as in `RandomTransform`.

    Raises:
        DTypeError: something that isn't a list of functions.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], generator: Seed = None) -> None:
        super().__init__(generator)
        self.transforms = list(_checked("RandomOrder", transforms))

    def __call__(self, img: Any) -> Any:
        """The picture after all transforms."""
        for k in self.random().permutation(len(self.transforms)):
            img = self.transforms[k](img)
        return img
