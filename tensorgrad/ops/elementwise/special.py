"""Special functions: the gamma function's family, error functions and their inverses, x · ln y. Elementwise."""

from __future__ import annotations

import math
import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.formulas.expression import Constant
from tensorgrad.formulas.symbolic import function
from tensorgrad.ops.elementwise import special_values as values
from tensorgrad.ops.elementwise.activations import sigmoid
from tensorgrad.ops.elementwise.choice import clip, where
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, Unary, binary, in_formulas, unary
from tensorgrad.ops.elementwise.transcendental import cos, exp, log, log1p
from tensorgrad.ops.operands import TensorLike, floating_pair, for_kernel, number, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["digamma", "erfc", "erfinv", "lgamma", "logit", "mvlgamma", "polygamma", "sinc", "xlogy"]

LN = function("ln")
MOST_TERMS = 10_000
PI = Constant(math.pi, "π", r"\pi")
SQRT_2PI = Constant(math.sqrt(2 * math.pi), "√(2π)", r"\sqrt{2\pi}")


class Erfc(Elementwise):
    """The complementary error function, exact where erf is almost 1.

    >>> tg.erfc(tg.tensor([0.0, 1.0]))
    tensor([1.    , 0.1573])
    """

    symbol, numpy, compiled = "erfc", values.erfc, False
    formula = lambda x: 1 - function("erf")(x)
    derivative = lambda x: Constant(-2 / math.sqrt(math.pi), "−2/√π", r"-\frac{2}{\sqrt{\pi}}") * exp(-(x**2))


class Erfinv(Elementwise):
    """Inverse error function: ±inf at ±1, NaN outside [−1, 1].

    >>> tg.erfinv(tg.tensor([0.0, 0.5]))
    tensor([0.    , 0.4769])
    """

    symbol, numpy, compiled = "erf⁻¹", values.erfinv, False
    formula = lambda x: function("erf⁻¹")(x)
    derivative = lambda z: Constant(math.sqrt(math.pi) / 2, "√π/2", r"\frac{\sqrt{\pi}}{2}") * exp(z**2)


class Ndtr(Elementwise):
    """Area below the normal distribution's density from −∞ to x."""

    symbol, numpy, compiled = "Φ", lambda x: values.erfc(-x * math.sqrt(0.5)) * x.dtype.type(0.5), False
    formula = lambda x: function("Φ")(x)
    derivative = lambda x: Constant(1 / math.sqrt(2 * math.pi), "1/√(2π)", r"\frac{1}{\sqrt{2\pi}}") * exp(-(x**2) / 2)


class Ndtri(Elementwise):
    """Inverse of the normal distribution's area: ±inf at 0 and 1, NaN outside [0, 1]."""

    symbol, numpy, compiled = "Φ⁻¹", values.ndtri, False
    formula = lambda x: function("Φ⁻¹")(x)
    derivative = lambda z: SQRT_2PI * exp(z**2 / 2)


class Lgamma(Elementwise):
    """Logarithm of the gamma function's absolute value: ∞ at 0, −1, −2 …

    >>> tg.lgamma(tg.tensor([1.0, 5.0]))
    tensor([0.    , 3.1781])
    """

    symbol, numpy, compiled = "ln Γ", values.lgamma, False
    formula = lambda x: LN(function("Γ")(x))
    derivative = lambda x: digamma(x)


class Digamma(Elementwise):
    """Derivative of ln Γ: NaN at −1, −2 …, ∓inf at ±0.

    >>> tg.digamma(tg.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """

    symbol, numpy, compiled = "ψ", values.digamma, False
    formula = lambda x: function("ψ")(x)
    derivative = lambda x: function("ψ′")(x)

    def backward_x(self, grad, x):
        return grad * polygamma(1, x)


class Polygamma(Op):
    """z = ψ⁽ⁿ⁾(x), the derivative of order n of the digamma function."""

    symbol, formula = "ψₙ", lambda x, n: function("polygamma")(n, x)
    derivatives = (lambda x, n: function("polygamma")(n + 1, x),)
    n: int

    @quiet
    def forward(self, x):
        return values.polygamma(self.n, x)

    def backward_x(self, grad, x):
        return grad * polygamma(self.n + 1, x)


class Sinc(Elementwise):
    """sin(πx) / (πx), and 1 at 0, where its derivative is 0.

    >>> tg.sinc(tg.tensor([0.0, 0.5]))
    tensor([1.    , 0.6366])
    """

    symbol, numpy, compiled = "sinc", values.sinc, False
    formula = lambda x: function("sin")(PI * x) / (PI * x)
    derivative = lambda x, z: (cos(PI * x) - z) / x

    def backward_x(self, grad, x, z):
        return grad * where(x == 0, 0.0, (cos(x * math.pi) - z) / where(x == 0, 1.0, x))


class Xlogy(Elementwise):
    """x · ln y, and 0 where x = 0.

    >>> tg.xlogy(tg.tensor([0.0, 2.0]), tg.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """

    symbol, compiled = "x ln y", False
    numpy = lambda x, y: np.where((x == 0) & (y == y), 0, x * np.log(y)).astype(x.dtype)
    formula = lambda x, y: x * LN(y)
    derivatives = (lambda y: log(y), lambda x, y: x / y)

    def backward_x(self, grad, x, y):
        flat = (x == 0) & (y <= 0)
        return grad * where(flat, 0.0, log(where(flat, 1.0, y)))


class Xlog1py(Elementwise):
    """x · ln(1 + y), and 0 where x = 0."""

    symbol, compiled = "x ln(1+y)", False
    numpy = lambda x, y: np.where((x == 0) & (y == y), 0, x * np.log1p(y)).astype(x.dtype)
    formula = lambda x, y: x * LN(1 + y)
    derivatives = (lambda y: log1p(y), lambda x, y: x / (1 + y))

    def backward_x(self, grad, x, y):
        flat = (x == 0) & (y <= -1)
        return grad * where(flat, 0.0, log1p(where(flat, 0.0, y)))


class Entr(Elementwise):
    """−x · ln x, a part of an entropy: 0 at 0, −inf below."""

    symbol, compiled = "−x ln x", False
    numpy = lambda x: np.where(x > 0, -x * np.log(x), np.where(x == 0, 0, np.where(x < 0, -np.inf, x))).astype(x.dtype)
    formula = lambda x: -x * LN(x)
    derivative = lambda x: -1 - log(x)


class Logit(Elementwise):
    """Inverse of the sigmoid: ∓inf at 0 and 1, NaN outside [0, 1]."""

    symbol, numpy, compiled = "logit", lambda x: np.log(x / (1 - x)), False
    formula = lambda x: LN(x / (1 - x))
    derivative = lambda x: 1 / (x * (1 - x))

    def backward_x(self, grad, x):
        # x + 0 makes −0 a 0, whose slope is ∞ and not −∞.
        return grad * where((x < 0) | (x > 1), math.nan, 1 / ((x + 0.0) * (1 - x)))


erfc: Unary = unary(Erfc, partial(for_kernel, "erfc"))
erfinv: Unary = unary(Erfinv, partial(for_kernel, "erfinv"))
ndtr: Unary = unary(Ndtr, partial(for_kernel, "ndtr"))
ndtri: Unary = unary(Ndtri, partial(for_kernel, "ndtri"))
lgamma: Unary = unary(Lgamma, partial(for_kernel, "lgamma"))
digamma: Unary = unary(Digamma, partial(for_kernel, "digamma"))
sinc: Unary = unary(Sinc)
entr: Unary = unary(Entr)
xlogy: Binary = binary(Xlogy, floating_pair)
xlog1py: Binary = binary(Xlog1py, floating_pair)
expit: Unary = sigmoid


@in_formulas(Logit)
def logit(input: TensorLike, eps: float | None = None) -> Tensor:
    """ln(x / (1 − x)), the inverse of the sigmoid: NaN outside [0, 1].

    Args:
        input: probabilities; integers become float32.
        eps: clip the input to [eps, 1 − eps] first; None doesn't.

    >>> tg.logit(tg.tensor([0.5, 1.0]), eps=1e-3)
    tensor([0.    , 6.9068])
    """
    x = for_kernel("logit", input)
    if eps is not None:
        low = number("logit", "eps", eps)
        x = clip(x, low, 1 - low)
    return apply(Logit, x)


def polygamma(n: int, input: TensorLike) -> Tensor:
    """ψ⁽ⁿ⁾(x), the derivative of order n of the digamma function; n = 0 is the digamma function itself.

    Args:
        n: the order, 0 or more.
        input: a tensor of any shape; integers become float32.

    Raises:
        ArgumentError: an order below 0.
        DTypeError: an order that isn't an int, an input of float16.

    >>> import tensorgrad as tg
    >>> tg.polygamma(1, tg.tensor([1.0, 2.0]))
    tensor([1.6449, 0.6449])
    """
    x = for_kernel("polygamma", input)
    order = _order("polygamma", "n", n, 0)
    return apply(Polygamma, x, n=order) if order else digamma(x)


def polygamma_method(input: TensorLike, n: int) -> Tensor:
    """`tg.polygamma(n, input)` as a method: `x.polygamma(n)`.

    >>> import tensorgrad as tg
    >>> tg.tensor([1.0, 2.0]).polygamma(1)
    tensor([1.6449, 0.6449])
    """
    return polygamma(n, input)


def mvlgamma(input: TensorLike, p: int) -> Tensor:
    """ln Γₚ(x) = p(p − 1)/4 · ln π + Σ ln Γ(x − j/2) for j = 0 … p − 1: the multivariate gamma function's logarithm.

    Args:
        input: a tensor of any shape; integers become float32.
        p: the dimension, 1 or more.

    Raises:
        ArgumentError: a dimension below 1.

    >>> import tensorgrad as tg
    >>> tg.mvlgamma(tg.tensor([3.0]), 2)
    tensor([1.5502])
    """
    x, dimension = for_kernel("mvlgamma", input), _order("mvlgamma", "p", p, 1)
    if dimension > MOST_TERMS:
        raise ArgumentError(restate("mvlgamma", f"p must be ≤ {MOST_TERMS}, got {dimension}", input=x, p=p))
    total: Any = lgamma(x) + dimension * (dimension - 1) / 4 * math.log(math.pi)
    for j in range(1, dimension):
        total = total + lgamma(x - j / 2)
    return total


def _order(op: str, name: str, value: Any, least: int) -> int:
    given = {name: value}
    try:
        order = operator.index(value)
    except TypeError:
        raise DTypeError(restate(op, f"{name} must be an int, got {type(value).__name__}", **given)) from None
    if order < least:
        raise ArgumentError(restate(op, f"{name} must be ≥ {least}, got {order}", **given))
    return order
