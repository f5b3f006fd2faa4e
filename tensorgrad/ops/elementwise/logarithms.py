"""Exponentials and logarithms of other bases, sums in logarithms, and the inverse square root. Elementwise."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.formulas.expression import Constant, Symbol
from tensorgrad.formulas.symbolic import function
from tensorgrad.ops.elementwise.activations import sigmoid
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, Unary, binary, unary
from tensorgrad.ops.elementwise.transcendental import sqrt
from tensorgrad.ops.operands import floating_pair

__all__ = ["exp2", "log10", "logaddexp", "logaddexp2", "rsqrt"]

LN, LOG2, LOG10 = function("ln"), function("log₂"), function("log₁₀")
E, TWO, LN2 = Symbol("e"), Symbol("2"), Constant(math.log(2), "ln 2")


class Exp2(Elementwise):
    """Power of 2.

    >>> tg.exp2(tg.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """

    symbol, numpy = "2ˣ", np.exp2
    formula = lambda x: TWO**x
    derivative = lambda z: z * LN2


class Log10(Elementwise):
    """Decimal logarithm: −inf at 0, NaN below.

    >>> tg.log10(tg.tensor([1.0, 100.0]))
    tensor([0., 2.])
    """

    symbol, numpy = "log₁₀", np.log10
    formula = lambda x: LOG10(x)
    derivative = lambda x: 1 / (x * Constant(math.log(10), "ln 10"))


class Rsqrt(Elementwise):
    """Inverse of the square root: +inf at 0, NaN below.

    >>> tg.rsqrt(tg.tensor([4.0, 0.25]))
    tensor([0.5, 2. ])
    """

    symbol = "1/√x"
    formula = lambda x: 1 / sqrt(x)
    derivative = lambda z: -(z**3) / 2


class Logaddexp(Elementwise):
    """Logarithm of the sum of two exponentials, without overflow.

    >>> tg.logaddexp(tg.tensor([0.0, 1.0]), tg.tensor([0.0, 1.0]))
    tensor([0.6931, 1.6931])
    """

    symbol, numpy = "ln(eˣ+eʸ)", np.logaddexp
    formula = lambda x, y: LN(E**x + E**y)
    derivatives = (lambda x, y: sigmoid(x - y), lambda x, y: sigmoid(y - x))


class Logaddexp2(Elementwise):
    """Binary logarithm of the sum of two powers of 2, without overflow.

    >>> tg.logaddexp2(tg.tensor([0.0, 5.0]), tg.tensor([0.0, 5.0]))
    tensor([1., 6.])
    """

    symbol, numpy = "log₂(2ˣ+2ʸ)", np.logaddexp2
    formula = lambda x, y: LOG2(TWO**x + TWO**y)
    derivatives = (lambda x, y: sigmoid((x - y) * LN2), lambda x, y: sigmoid((y - x) * LN2))


exp2: Unary = unary(Exp2)
log10: Unary = unary(Log10)
rsqrt: Unary = unary(Rsqrt)
logaddexp: Binary = binary(Logaddexp, floating_pair)
logaddexp2: Binary = binary(Logaddexp2, floating_pair)
