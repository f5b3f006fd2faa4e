"""Exponentials, logarithms, roots, and the trigonometric and hyperbolic functions. Elementwise."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from tensorgrad.formulas.expression import Constant, Symbol
from tensorgrad.formulas.symbolic import function, root
from tensorgrad.ops.elementwise.elementwise import Elementwise, Unary, unary
from tensorgrad.ops.operands import for_kernel

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh", "atan", "atanh",
    "cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "log2", "reciprocal", "sin", "sinh", "sqrt", "tan", "tanh",
]  # fmt: skip

E, LN, LOG2 = Symbol("e"), function("ln"), function("log₂")


class Exp(Elementwise):
    """The exponential function.

    >>> tg.exp(tg.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """

    symbol, numpy = "eˣ", np.exp
    formula = lambda x: E**x
    derivative = lambda z: z


class Expm1(Elementwise):
    """The exponential function less 1, exact near 0.

    >>> tg.expm1(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.7183])
    """

    symbol, numpy = "eˣ−1", np.expm1
    formula = lambda x: E**x - 1
    derivative = lambda z: z + 1


class Log(Elementwise):
    """Natural logarithm: −inf at 0, NaN below.

    >>> tg.log(tg.tensor([1.0, 2.0]))
    tensor([0.    , 0.6931])
    """

    symbol, numpy = "ln", np.log
    formula = lambda x: LN(x)
    derivative = lambda x: 1 / x


class Log1p(Elementwise):
    """Natural logarithm of 1 + x, exact near 0.

    >>> tg.log1p(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.6931])
    """

    symbol, numpy = "ln(1+x)", np.log1p
    formula = lambda x: LN(1 + x)
    derivative = lambda x: 1 / (1 + x)


class Log2(Elementwise):
    """Binary logarithm: −inf at 0, NaN below.

    >>> tg.log2(tg.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """

    symbol, numpy = "log₂", np.log2
    formula = lambda x: LOG2(x)
    derivative = lambda x: 1 / (x * Constant(math.log(2), "ln 2"))


class Sqrt(Elementwise):
    """Square root: NaN below 0, with an infinite slope at 0.

    >>> tg.sqrt(tg.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """

    symbol, numpy = "√", np.sqrt
    formula = lambda x: root(x)
    derivative = lambda z: 1 / (2 * z)


class Reciprocal(Elementwise):
    """Reciprocal: ±inf at ±0.

    >>> tg.reciprocal(tg.tensor([2.0, 4.0]))
    tensor([0.5 , 0.25])
    """

    symbol, numpy = "1/x", np.reciprocal
    formula = lambda x: 1 / x
    derivative = lambda z: -(z**2)


class Sin(Elementwise):
    """Sine of x in radians.

    >>> tg.sin(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8415])
    """

    symbol, numpy = "sin", np.sin
    derivative = lambda x: cos(x)


class Cos(Elementwise):
    """Cosine of x in radians.

    >>> tg.cos(tg.tensor([0.0, 1.0]))
    tensor([1.    , 0.5403])
    """

    symbol, numpy = "cos", np.cos
    derivative = lambda x: -sin(x)


class Tan(Elementwise):
    """Tangent of x in radians.

    >>> tg.tan(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.5574])
    """

    symbol, numpy = "tan", np.tan
    derivative = lambda z: 1 + z**2


class Arcsin(Elementwise):
    """Inverse sine, in radians: NaN outside [−1, 1].

    >>> tg.arcsin(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.5708])
    """

    symbol, numpy = "arcsin", np.arcsin
    derivative = lambda x: 1 / sqrt(1 - x**2)


class Arccos(Elementwise):
    """Inverse cosine, in radians: NaN outside [−1, 1].

    >>> tg.arccos(tg.tensor([0.0, 1.0]))
    tensor([1.5708, 0.    ])
    """

    symbol, numpy = "arccos", np.arccos
    derivative = lambda x: -1 / sqrt(1 - x**2)


class Arctan(Elementwise):
    """Inverse tangent, in radians.

    >>> tg.arctan(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7854])
    """

    symbol, numpy = "arctan", np.arctan
    derivative = lambda x: 1 / (1 + x**2)


class Sinh(Elementwise):
    """Hyperbolic sine.

    >>> tg.sinh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.1752])
    """

    symbol, numpy = "sinh", np.sinh
    derivative = lambda x: cosh(x)


class Cosh(Elementwise):
    """Hyperbolic cosine.

    >>> tg.cosh(tg.tensor([0.0, 1.0]))
    tensor([1.    , 1.5431])
    """

    symbol, numpy = "cosh", np.cosh
    derivative = lambda x: sinh(x)


class Tanh(Elementwise):
    """Hyperbolic tangent.

    >>> tg.tanh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7616])
    """

    symbol, numpy = "tanh", np.tanh
    derivative = lambda z: 1 - z**2
    compiled = True


class Arcsinh(Elementwise):
    """Inverse hyperbolic sine.

    >>> tg.arcsinh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8814])
    """

    symbol, numpy = "arcsinh", np.arcsinh
    derivative = lambda x: 1 / sqrt(x**2 + 1)


class Arccosh(Elementwise):
    """Inverse hyperbolic cosine: NaN below 1.

    >>> tg.arccosh(tg.tensor([1.0, 2.0]))
    tensor([0.   , 1.317])
    """

    symbol, numpy = "arccosh", np.arccosh
    derivative = lambda x: 1 / sqrt(x**2 - 1)


class Arctanh(Elementwise):
    """Inverse hyperbolic tangent: NaN outside [−1, 1].

    >>> tg.arctanh(tg.tensor([0.0, 0.5]))
    tensor([0.    , 0.5493])
    """

    symbol, numpy = "arctanh", np.arctanh
    derivative = lambda x: 1 / (1 - x**2)


class Erf(Elementwise):
    """The error function.

    >>> tg.erf(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8427])
    """

    symbol, numpy = "erf", lambda x: np.vectorize(math.erf, otypes=[x.dtype])(x)
    formula = lambda x: function("erf")(x)
    derivative = lambda x: Constant(2 / math.sqrt(math.pi), "2/√π", r"\frac{2}{\sqrt{\pi}}") * exp(-(x**2))


exp: Unary = unary(Exp)
expm1: Unary = unary(Expm1)
log: Unary = unary(Log)
log1p: Unary = unary(Log1p)
log2: Unary = unary(Log2)
sqrt: Unary = unary(Sqrt)
reciprocal: Unary = unary(Reciprocal)
sin: Unary = unary(Sin)
cos: Unary = unary(Cos)
tan: Unary = unary(Tan)
arcsin: Unary = unary(Arcsin)
arccos: Unary = unary(Arccos)
arctan: Unary = unary(Arctan)
sinh: Unary = unary(Sinh)
cosh: Unary = unary(Cosh)
tanh: Unary = unary(Tanh)
arcsinh: Unary = unary(Arcsinh)
arccosh: Unary = unary(Arccosh)
arctanh: Unary = unary(Arctanh)
erf: Unary = unary(Erf, partial(for_kernel, "erf"))
asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh
