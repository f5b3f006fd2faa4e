"""Distributions of real numbers."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.autograd.engine import guard
from tensorgrad.creation.random import rand, randn
from tensorgrad.distributions.distribution import Distribution, Sizes
from tensorgrad.errors import RangeError, restate
from tensorgrad.ops.elementwise.transcendental import erf
from tensorgrad.ops.layout.views import broadcast_tensors
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.selection.select import where
from tensorgrad.tensor import Tensor


class Normal(Distribution):
    """The normal distribution, with the density exp(−(x − loc)² / (2 scale²)) / (scale √(2π)).

    Args:
        loc: the mean.
        scale: the standard deviation, > 0; the two broadcast.

    Raises:
        RangeError: a scale that isn't positive.

    >>> import tensorgrad as tg
    >>> normal = tg.distributions.Normal(0.0, tg.tensor([1.0, 2.0]))
    >>> normal.log_prob(tg.tensor([0.0, 2.0]))
    tensor([-0.9189, -2.1121])
    """

    has_rsample = True

    def __init__(self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_tensors(*_floats(loc, scale))
        super().__init__(self.loc.shape)
        if validate_args is not False and not guard(_all_positive, self.scale._data):
            raise RangeError(restate("Normal", "scale must be > 0", loc=loc, scale=scale))

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance, scale²."""
        return self.scale * self.scale

    def rsample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws loc + scale · ε, with ε from the standard normal distribution."""
        return self.loc + self.scale * randn(self._shape(sample_shape), dtype=self.loc.dtype)

    def log_prob(self, value: TensorLike) -> Tensor:
        """The logarithm of the density at `value`."""
        z = (value - self.loc) / self.scale
        return -(z * z) / 2 - self.scale.log() - math.log(2 * math.pi) / 2

    def cdf(self, value: TensorLike) -> Tensor:
        """The probability of a draw below `value`."""
        return (1 + erf((value - self.loc) / (self.scale * math.sqrt(2)))) / 2

    def entropy(self) -> Tensor:
        """The entropy, log(scale √(2πe))."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class Uniform(Distribution):
    """The uniform distribution on [low, high), with the density 1 / (high − low).

    Args:
        low, high: the ends; they broadcast.

    Raises:
        RangeError: a low that isn't below its high.

    >>> import tensorgrad as tg
    >>> tg.distributions.Uniform(0.0, 4.0).log_prob(tg.tensor([1.0, 5.0]))
    tensor([-1.3863,    -inf])
    """

    has_rsample = True

    def __init__(self, low: TensorLike, high: TensorLike, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_tensors(*_floats(low, high))
        super().__init__(self.low.shape)
        if validate_args is not False and not guard(_all_below, self.low._data, self.high._data):
            raise RangeError(restate("Uniform", "low must be < high", low=low, high=high))

    @property
    def mean(self) -> Tensor:
        """The mean, (low + high) / 2."""
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        """The variance, (high − low)² / 12."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws low + (high − low) · u, with u uniform on [0, 1)."""
        return self.low + (self.high - self.low) * rand(self._shape(sample_shape), dtype=self.low.dtype)

    def log_prob(self, value: TensorLike) -> Tensor:
        """The logarithm of the density: −∞ outside of [low, high)."""
        value = as_tensor(value)
        inside = (value >= self.low).logical_and(value < self.high)
        return where(inside, -(self.high - self.low).log(), -math.inf)

    def entropy(self) -> Tensor:
        """The entropy, log(high − low)."""
        return (self.high - self.low).log()


def _floats(*values: TensorLike) -> list[Tensor]:
    """Parameters as tensors of one float dtype; numbers take that of the tensors."""
    known = [as_tensor(x) for x in values if not isinstance(x, (int, float))]
    wide = np.result_type(np.float32, *(x.dtype for x in known))
    return [as_tensor(x, wide) for x in values]


def _all_positive(x: np.ndarray) -> bool:
    return bool((x > 0).all())


def _all_below(low: np.ndarray, high: np.ndarray) -> bool:
    return bool((low < high).all())
