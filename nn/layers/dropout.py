"""Dropout: of elements, of channels, and for self-normalizing networks."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers.activations import InPlace
from tensorgrad.ops.layers import dropout as kinds
from tensorgrad.ops.operands import TensorLike, number


class Drops(InPlace):
    """The common base: the probability p, checked, and shown PyTorch's way."""

    drop: ClassVar[Any]
    """The function of input, p and training."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        p = number(type(self).__name__, "p", p)
        if not 0 <= p <= 1:
            raise ArgumentError(restate(type(self).__name__, f"p must be in [0, 1], got {p}", p=p))
        self.p, self.inplace = p, inplace

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The input; in training, with elements dropped at random."""
        return self.drop(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The settings, PyTorch's way."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(Drops):
    """Dropout of elements (`tg.dropout`): each is 0 with the probability p, else x / (1 − p); in training alone.

    Srivastava et al., Dropout, JMLR 15, 2014. Random numbers come from the package's generator (`tg.manual_seed`).

    Args:
        p: the probability of dropping an element.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.Dropout(0.5).eval()(tg.ones(3))
    tensor([1., 1., 1.])
    """

    drop = staticmethod(tg.dropout)


class Dropout1d(Drops):
    """Dropout of whole channels of x `(N, C, L)` or `(C, L)`, in training alone.

    Args:
        p: the probability of dropping a channel.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.Dropout1d(0.5).eval()(tg.ones(1, 2, 3)).sum()
    tensor(6.)
    """

    drop = staticmethod(kinds.dropout1d)


class Dropout2d(Drops):
    """Dropout of whole channels of x `(N, C, H, W)` or `(N, C, L)`, in training alone.

    Args:
        p: the probability of dropping a channel.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.Dropout2d(0.5).eval()(tg.ones(1, 2, 3, 3)).sum()
    tensor(18.)
    """

    drop = staticmethod(kinds.dropout2d)


class Dropout3d(Drops):
    """Dropout of whole channels of x `(N, C, D, H, W)` or `(C, D, H, W)`, in training alone.

    Args:
        p: the probability of dropping a channel.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.Dropout3d(0.5).eval()(tg.ones(1, 2, 3, 3, 3)).sum()
    tensor(54.)
    """

    drop = staticmethod(kinds.dropout3d)


class AlphaDropout(Drops):
    """Dropout that sets elements to selu's lower end, and keeps mean and variance; in training alone.

    Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017. See `tg.alpha_dropout`.

    Args:
        p: the probability of dropping.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.AlphaDropout(0.5).eval()(tg.ones(1, 3))
    tensor([[1., 1., 1.]])
    """

    drop = staticmethod(kinds.alpha_dropout)


class FeatureAlphaDropout(Drops):
    """Dropout that sets whole channels of x `(N, C, ...)` to selu's lower end, in training alone.

    Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017. See `tg.feature_alpha_dropout`.

    Args:
        p: the probability of dropping.
        inplace: accepted and shown, but the input isn't overwritten.

    Raises:
        ArgumentError: p outside [0, 1].

    >>> import tensorgrad as tg
    >>> tg.nn.FeatureAlphaDropout(0.5).eval()(tg.ones(1, 3))
    tensor([[1., 1., 1.]])
    """

    drop = staticmethod(kinds.feature_alpha_dropout)
