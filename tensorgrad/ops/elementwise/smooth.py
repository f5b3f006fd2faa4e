"""Smooth activation functions beside those of `activations.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.expression import Constant
from tensorgrad.ops.elementwise.activations import nonpositive, sigmoid, softplus
from tensorgrad.ops.elementwise.arithmetic import abs
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.elementwise import Elementwise, activation, in_formulas, unary
from tensorgrad.ops.elementwise.transcendental import exp, expm1, tanh
from tensorgrad.ops.operands import TensorLike, flag, floating, number

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["celu", "selu"]

ALPHA = Constant(1.6732632423543772, "α", r"\alpha")
SCALE = Constant(1.0507009873554805, "λ", r"\lambda")


class Selu(Elementwise):
    """Scaled exponential linear unit, with α = 1.6733 and λ = 1.0507, which keep mean 0 and variance 1 through layers.

    Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017.

    >>> tg.selu(tg.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    symbol = "selu"
    formula = lambda x: SCALE * where(x >= 0, x, ALPHA * expm1(nonpositive(x)))
    derivative = lambda x: SCALE * where(x > 0, 1, ALPHA * exp(nonpositive(x)))


class Celu(Elementwise):
    """Continuously differentiable exponential linear unit."""

    symbol = "celu"
    alpha: float = 1.0
    formula = lambda x, alpha: where(x >= 0, x, alpha * expm1(nonpositive(x) / alpha))
    derivative = lambda x, alpha: where(x > 0, 1, exp(nonpositive(x) / alpha))


class Mish(Elementwise):
    """A smooth activation that isn't monotonic.

    Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020.

    >>> tg.nn.functional.mish(tg.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.944 ])
    """

    symbol = "mish"
    formula = lambda x: x * tanh(softplus(x))
    derivative = lambda x: tanh(softplus(x)) + x * sigmoid(x) * (1 - tanh(softplus(x)) ** 2)  # type: ignore[operator]


class Logsigmoid(Elementwise):
    """The logarithm of the logistic function, without underflow.

    >>> tg.nn.functional.logsigmoid(tg.tensor([0.0, -1e4]))
    tensor([-6.9315e-01, -1.0000e+04])
    """

    symbol = "logsigmoid"
    formula = lambda x: -softplus(-x)
    derivative = lambda x: sigmoid(-x)


class Softsign(Elementwise):
    """A sigmoid with long tails.

    Turian, Bergstra and Bengio, Quadratic Features and Deep Architectures for Chunking, NAACL 2009.

    >>> tg.nn.functional.softsign(tg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """

    symbol = "softsign"
    formula = lambda x: x / (1 + abs(x))
    derivative = lambda x: 1 / (1 + abs(x)) ** 2  # type: ignore[operator]


class Tanhshrink(Elementwise):
    """x less its hyperbolic tangent.

    >>> tg.nn.functional.tanhshrink(tg.tensor([-1.0, 2.0]))
    tensor([-0.2384,  1.036 ])
    """

    symbol = "tanhshrink"
    formula = lambda x: x - tanh(x)
    derivative = lambda x: tanh(x) ** 2  # type: ignore[operator]


logsigmoid, softsign, tanhshrink = unary(Logsigmoid), unary(Softsign), unary(Tanhshrink)

selu, mish = activation(Selu), activation(Mish)


@in_formulas(Celu)
def celu(input: TensorLike, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit with the slope 1 at 0 for any α.

    Barron, Continuously Differentiable Exponential Linear Units, arXiv:1704.07483.

    Args:
        input: floats of any shape.
        alpha: α, not 0.
        inplace: accepted; the input isn't overwritten.

    Raises:
        ArgumentError: α = 0.

    >>> tg.celu(tg.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.    ])
    """
    if inplace is not False and inplace is not True:
        flag("celu", "inplace", inplace)
    alpha = number("celu", "alpha", alpha)
    if alpha == 0:
        raise ArgumentError(restate("celu", "alpha must not be 0", input=input, alpha=alpha))
    return apply(Celu, floating(input), alpha=float(alpha))
