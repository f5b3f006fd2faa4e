"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.symbolic import equal
from tensorgrad.ops.elementwise.activations import unless
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["dropout"]


class Dropout(Elementwise):
    """Product with a mask m: 1/(1 − p), or 0 for a dropped element, at ∞ and NaN too."""

    symbol = "dropout"
    formula = lambda x, m: unless(equal(m, 0), x) * m
    derivatives = (lambda m: m, "")

    def backward_x(self, grad, m):
        return apply(Dropout, grad, m)


def dropout(
    input: TensorLike,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Each element is 0 with probability p, and the others are scaled by 1/(1 − p); the input itself when not
    training.

    Srivastava et al., Dropout, JMLR 15, 2014.

    Args:
        input: floats of any shape.
        p: the probability of dropping an element.
        training: False returns the input.
        inplace: accepted for PyTorch's scripts; the result is a new tensor.
        generator: the source of random numbers, by default the package's generator.

    Raises:
        ArgumentError: p outside [0, 1]; another `training` or `inplace` than True and False.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.dropout(tg.ones(4), 0.5, generator=np.random.default_rng(0))
    tensor([2., 2., 2., 0.])
    """
    x = floating(input)
    if (training is not True and training is not False) or (inplace is not True and inplace is not False):
        training, inplace = flag("dropout", "training", training), flag("dropout", "inplace", inplace)
    return dropped("dropout", x, p, training, generator, x.shape)


def dropped(call: str, x: Tensor, p: float, training: bool, generator: Any, shape: tuple[int, ...]) -> Tensor:
    """Dropout of x by a mask of this shape, which broadcasts to x."""
    p, generator = probability(call, x, p), checked_generator(call, generator)
    if not training or p == 0:
        return x
    return apply(Dropout, x, as_tensor(host_call(_mask, generator, shape, x.dtype, p)))


def probability(call: str, x: Tensor, p: float) -> float:
    """`p` as a number in [0, 1]. Raises ArgumentError."""
    p = number(call, "p", p)
    if not 0 <= p <= 1:
        raise ArgumentError(restate(call, f"p must be in [0, 1], got {p}", input=x, p=p))
    return p


def _mask(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, p: float) -> np.ndarray:
    kept = generator.random(shape, dtype=np.float32) >= p
    return np.asarray(kept * dtype.type(1 / (1 - p) if p < 1 else 0.0))
