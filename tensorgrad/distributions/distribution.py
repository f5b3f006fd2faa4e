"""What all distributions share: shapes, draws, densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.tensor import Tensor

Sizes = Sequence[int]


class Distribution:
    """A random variable, or a batch of independent ones; a subclass says which.

    Attributes:
        batch_shape: the shape of the batch: of its parameters, broadcast.
        event_shape: the shape of one draw of one of them.
    """

    has_rsample = False
    """Whether gradients flow through `rsample`."""

    def __init__(self, batch_shape: Sizes = (), event_shape: Sizes = ()) -> None:
        self.batch_shape, self.event_shape = tuple(batch_shape), tuple(event_shape)

    @property
    def mean(self) -> Tensor:
        """The expectation."""
        raise self._missing("mean")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise self._missing("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, √variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws of shape `(*sample_shape, *batch_shape, *event_shape)`, through which no gradient flows."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws as a differentiable function of the parameters (the reparametrization trick)."""
        raise self._missing("rsample")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise self._missing("log_prob")

    def entropy(self) -> Tensor:
        """The expectation of −log_prob."""
        raise self._missing("entropy")

    def _missing(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {name}")

    def _shape(self, sample_shape: Sizes) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={self.batch_shape}, event_shape={self.event_shape})"


class Independent(Distribution):
    """The last axes of a batch as one event: `log_prob` and `entropy` are summed over them.

    Args:
        base_distribution: the batch.
        reinterpreted_batch_ndims: how many of its last axes.

    >>> import tensorgrad as tg
    >>> rows = tg.distributions.Independent(tg.distributions.Normal(tg.zeros(2, 3), 1.0), 1)
    >>> rows.batch_shape, rows.event_shape, rows.log_prob(tg.zeros(2, 3)).shape
    ((2,), (3,), (2,))
    """

    def __init__(self, base_distribution: Distribution, reinterpreted_batch_ndims: int) -> None:
        base, count = base_distribution, reinterpreted_batch_ndims
        if not 0 <= count <= len(base.batch_shape):
            problem = f"reinterpreted_batch_ndims must be in [0, {len(base.batch_shape)}], got {count}"
            raise ArgumentError(restate("Independent", problem, base_distribution=base))
        cut = len(base.batch_shape) - count
        super().__init__(base.batch_shape[:cut], (*base.batch_shape[cut:], *base.event_shape))
        self.base_dist, self.reinterpreted_batch_ndims = base, count
        self.has_rsample = base.has_rsample

    @property
    def mean(self) -> Tensor:
        """That of the batch."""
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        """That of the batch."""
        return self.base_dist.variance

    def sample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws of the batch."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws of the batch."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum over the axes of the event."""
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """The sum over the axes of the event."""
        return self.summed(self.base_dist.entropy())

    def summed(self, x: Tensor) -> Tensor:
        """Numbers of the batch, summed over the axes of the event."""
        count = self.reinterpreted_batch_ndims
        return x.sum(tuple(range(-count, 0))) if count else x


def volume(sizes: Sizes) -> int:
    """How many elements a shape has."""
    return math.prod(sizes)


def one_of(call: str, **given: Any) -> tuple[str, Any]:
    """The name and the value of the one argument that is given."""
    found = [(name, value) for name, value in given.items() if value is not None]
    if len(found) != 1:
        names = " and ".join(given)
        raise ArgumentError(restate(call, f"exactly one of {names} must be given, got {len(found)}"))
    return found[0]
