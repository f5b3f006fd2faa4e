"""Distributions of classes and of yes or no."""

from __future__ import annotations

import numpy as np

from tensorgrad.distributions.distribution import Distribution, Sizes, one_of, volume
from tensorgrad.nn.functional import binary_cross_entropy_with_logits
from tensorgrad.ops.elementwise.activations import sigmoid
from tensorgrad.ops.elementwise.special import logit
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.sampling.samples import bernoulli, multinomial
from tensorgrad.ops.softmax import log_softmax, softmax
from tensorgrad.tensor import Tensor


class Categorical(Distribution):
    """One of C classes, numbered from 0.

    Args:
        probs: weights ≥ 0 of the classes, `(..., C)`; they are divided by their sum.
        logits: in place of these their logarithms, but for a constant.

    Raises:
        ArgumentError: not exactly one of both.

    >>> import tensorgrad as tg
    >>> policy = tg.distributions.Categorical(tg.tensor([1.0, 3.0]))
    >>> policy.log_prob(tg.tensor(1)), policy.entropy()
    (tensor(-0.2877), tensor(0.5623))
    """

    def __init__(
        self, probs: TensorLike | None = None, logits: TensorLike | None = None, validate_args: bool | None = None
    ) -> None:
        name, value = one_of("Categorical", probs=probs, logits=logits)
        given = as_tensor(value)
        if name == "probs":
            self.probs = given / given.sum(-1, keepdim=True)
            self.logits = _inside(self.probs).log()
        else:
            self.logits = log_softmax(given, -1)
            self.probs = softmax(given, -1)
        super().__init__(given.shape[:-1])

    def sample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws of classes, int64, of shape `(*sample_shape, *batch_shape)`."""
        shape, rows = self._shape(sample_shape), self.probs.detach().reshape(-1, self.probs.shape[-1])
        drawn = multinomial(rows, max(volume(sample_shape), 1), replacement=True)
        return drawn[:, : volume(sample_shape)].permute(1, 0).reshape(shape)

    def log_prob(self, value: TensorLike) -> Tensor:
        """The logarithm of the probability of each class in `value`, which broadcasts to the batch."""
        value = as_tensor(value).long()
        shape = (*value.shape[: max(value.ndim - len(self.batch_shape), 0)], *self.batch_shape)
        value, logits = value.expand(shape), self.logits.expand((*shape, self.logits.shape[-1]))
        return gather(logits, -1, value.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """The entropy, −Σ p log p."""
        return -(self.probs * self.logits).sum(-1)


class Bernoulli(Distribution):
    """1 with the probability `probs`, else 0.

    Args:
        probs: probabilities in [0, 1].
        logits: in place of these log(p / (1 − p)).

    Raises:
        ArgumentError: not exactly one of both.

    >>> import tensorgrad as tg
    >>> tg.distributions.Bernoulli(logits=tg.zeros(2)).log_prob(tg.tensor([0.0, 1.0]))
    tensor([-0.6931, -0.6931])
    """

    def __init__(
        self, probs: TensorLike | None = None, logits: TensorLike | None = None, validate_args: bool | None = None
    ) -> None:
        name, value = one_of("Bernoulli", probs=probs, logits=logits)
        given = as_tensor(value)
        self.probs = given if name == "probs" else sigmoid(given)
        self.logits = given if name == "logits" else logit(_inside(given))
        super().__init__(given.shape)

    @property
    def mean(self) -> Tensor:
        """The mean, p."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The variance, p (1 − p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sizes = ()) -> Tensor:
        """Draws of 0 and 1, in the dtype of the parameters."""
        return bernoulli(self.probs.detach().expand(self._shape(sample_shape)))

    def log_prob(self, value: TensorLike) -> Tensor:
        """The logarithm of the probability of each 0 or 1 in `value`."""
        value = as_tensor(value)
        shape = (*value.shape[: max(value.ndim - len(self.batch_shape), 0)], *self.batch_shape)
        logits, value = self.logits.expand(shape), value.to(self.logits.dtype).expand(shape)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """The entropy, −p log p − (1 − p) log(1 − p)."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


def _inside(chances: Tensor) -> Tensor:
    """Probabilities kept so far from 0 and 1 that their logarithms are finite, as in PyTorch."""
    least = float(np.finfo(chances.dtype).eps)
    return chances.clamp(least, 1 - least)
