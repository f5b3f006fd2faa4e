"""Dropout."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers.activations import InPlace
from tensorgrad.ops.operands import TensorLike


class Dropout(InPlace):
    """In training, each element is 0 with probability p, and the others are scaled by 1/(1 − p); else x itself.

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

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(restate("Dropout", f"p must be in [0, 1], got {p}", p=p))
        self.p, self.inplace = p, inplace

    def forward(self, x: TensorLike) -> tg.Tensor:
        """Dropout of x in training, else x itself."""
        return tg.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The settings, PyTorch's way."""
        return f"p={self.p}, inplace={self.inplace}"
