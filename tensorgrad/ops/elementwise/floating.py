"""Parts, signs and mixtures of floating-point numbers: fmod, frac, copysign, fmin, fmax, lerp … Elementwise."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import DTypeError, restate
from tensorgrad.formulas.expression import Constant
from tensorgrad.formulas.symbolic import fenced, function, words
from tensorgrad.ops.elementwise.arithmetic import Dividing, abs, pow
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, Unary, binary, in_formulas, unary
from tensorgrad.ops.elementwise.rounding import floor, sign
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating, floating_pair, number, pair, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "addcdiv", "addcmul", "copysign", "deg2rad", "float_power", "fmax", "fmin", "fmod", "frac", "heaviside", "lerp",
    "nan_to_num", "rad2deg", "signbit",
]  # fmt: skip

truncated, magnitude = function("trunc"), lambda x: fenced("|", x, "|")


class Fmod(Dividing, Elementwise):
    """Remainder with the sign of x, as C's `fmod`. Raises ArgumentError where an integer is divided by 0.

    >>> tg.fmod(tg.tensor([5.5, -5.5]), 2)
    tensor([ 1.5, -1.5])
    """

    symbol, numpy = "fmod", np.fmod
    formula = lambda x, y: x - truncated(x / y) * y
    derivatives = (lambda: 1, lambda x, y: -truncated(x / y))

    def backward_y(self, grad, x, y):
        quotient = x / y
        return -grad * sign(quotient) * floor(abs(quotient))


class Frac(Elementwise):
    """Fractional part, with the sign of x; integers become float32.

    >>> tg.frac(tg.tensor([1.5, -2.25]))
    tensor([ 0.5 , -0.25])
    """

    symbol, numpy, compiled = "frac", lambda x: x - np.trunc(x), False
    formula = lambda x: x - truncated(x)
    derivative = lambda: 1


class Copysign(Elementwise):
    """The magnitude of x with the sign of y; that of −0.0 is negative. The derivative at x = 0 is taken as 0.

    >>> tg.copysign(tg.tensor([1.0, -2.0]), -1)
    tensor([-1., -2.])
    """

    symbol, numpy = "±", np.copysign
    formula = lambda x, y: magnitude(x) * sign(y)
    derivatives = (lambda x, y: sign(x * y), lambda: 0)

    def backward_x(self, grad, x, z):
        return grad * where(x == 0, 0.0, z / where(x == 0, 1.0, x))

    def backward_y(self, grad):
        return grad * 0.0


class NumberFirst:
    """Maximum and minimum that take a number before a NaN. `takes_x` says whether x is chosen before a number y."""

    def backward_x(self, grad, x, y):
        return where(self.takes_x(x, y) | (y != y), grad, 0.0)

    def backward_y(self, grad, x, y):
        return where(self.takes_x(x, y) | (y != y), 0.0, grad)


class Fmax(NumberFirst, Elementwise):
    """Maximum of both; a NaN counts as absent. In a tie x takes the whole gradient.

    >>> tg.fmax(tg.tensor([1.0, float("nan")]), 0)
    tensor([1., 0.])
    """

    symbol, numpy = "fmax", np.fmax
    formula = lambda x, y: function("max")(x, y)
    derivatives = (lambda x, y: x >= y, lambda x, y: x < y)
    takes_x = staticmethod(operator.ge)


class Fmin(NumberFirst, Elementwise):
    """Minimum of both; a NaN counts as absent. In a tie x takes the whole gradient.

    >>> tg.fmin(tg.tensor([1.0, float("nan")]), 0)
    tensor([0., 0.])
    """

    symbol, numpy = "fmin", np.fmin
    formula = lambda x, y: function("min")(x, y)
    derivatives = (lambda x, y: x <= y, lambda x, y: x > y)
    takes_x = staticmethod(operator.le)


class Heaviside(Elementwise):
    """Step from 0 to 1 at x = 0, where it has the value y. No gradient flows.

    >>> tg.heaviside(tg.tensor([-2.0, 0.0, 3.0]), 0.5)
    tensor([0. , 0.5, 1. ])
    """

    symbol, compiled = "step", False
    numpy = lambda x, y: np.where(x != x, x, np.where(x == 0, y, x > 0)).astype(y.dtype)
    formula = lambda x, y: words(fenced("[", x > 0, "]"), ",", y, "where", x, "= 0")


class Signbit(Elementwise):
    """Whether x has its sign bit set: negative numbers, and −0.0. A bool tensor.

    >>> tg.signbit(tg.tensor([1.0, -2.0, -0.0]))
    tensor([False,  True,  True])
    """

    symbol, compiled = "sign bit", False
    numpy = lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0
    formula = lambda x: fenced("[", words("sign bit of", x), "]")


class Deg2rad(Elementwise):
    """Degrees as radians; integers become float32.

    >>> tg.deg2rad(tg.tensor([180.0, 90.0]))
    tensor([3.1416, 1.5708])
    """

    symbol, numpy = "rad", np.deg2rad
    formula = lambda x: x * Constant(math.pi / 180, "π/180", r"\frac{\pi}{180}")
    derivative = lambda: Constant(math.pi / 180, "π/180", r"\frac{\pi}{180}")


class Rad2deg(Elementwise):
    """Radians as degrees; integers become float32.

    >>> tg.rad2deg(tg.tensor([0.0, 1.0]))
    tensor([ 0.    , 57.2958])
    """

    symbol, numpy = "deg", np.rad2deg
    formula = lambda x: x * Constant(180 / math.pi, "180/π", r"\frac{180}{\pi}")
    derivative = lambda: Constant(180 / math.pi, "180/π", r"\frac{180}{\pi}")


class Lerp(Elementwise):
    """Linear interpolation from x to y; at the weight w = 1 it is y exactly."""

    symbol, compiled = "lerp", False
    numpy = lambda x, y, w: np.where(np.abs(w) < 0.5, x + w * (y - x), y - (y - x) * (1 - w))
    formula = lambda x, y, w: x + w * (y - x)
    derivatives = (lambda w: 1 - w, lambda w: w, lambda x, y: y - x)


class NanToNum(Op):
    """z = x, with finite numbers in place of NaN and the infinities."""

    symbol, formula = "finite", lambda x: words(x, ", NaN and ±∞ replaced")
    derivatives = (lambda grad: words(grad, ", 0 where x is NaN or ±∞"),)
    nan: float
    posinf: float | None
    neginf: float | None

    @quiet
    def forward(self, x):
        return np.nan_to_num(x, nan=self.nan, posinf=self.posinf, neginf=self.neginf)

    def backward_x(self, grad, x):
        return where(abs(x) < math.inf, grad, 0.0)


fmod: Binary = binary(Fmod)
copysign: Binary = binary(Copysign, floating_pair)
fmax: Binary = binary(Fmax)
fmin: Binary = binary(Fmin)
heaviside: Binary = binary(Heaviside)
frac: Unary = unary(Frac)
signbit: Unary = unary(Signbit, as_tensor)
deg2rad: Unary = unary(Deg2rad)
rad2deg: Unary = unary(Rad2deg)


@in_formulas(Lerp)
def lerp(input: TensorLike, end: TensorLike, weight: TensorLike) -> Tensor:
    """Linear interpolation, elementwise with broadcasting; at the weight 1 it is `end` exactly.

    Args:
        input: where the weight is 0.
        end: where the weight is 1.
        weight: a number or a tensor; outside of [0, 1] it extrapolates.

    Raises:
        DTypeError: integers, which have nothing in between.

    >>> tg.lerp(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 6.0]), 0.5)
    tensor([2., 4.])
    """
    x, y = pair(input, end)
    if x.dtype.kind != "f":
        fix = "convert them first: x.astype('float32')"
        raise DTypeError(restate("lerp", "input and end must be floats", fix=fix, input=x, end=y))
    (x, w), (y, _) = pair(x, weight), pair(y, weight)
    return apply(Lerp, x, y, w)


def nan_to_num(
    input: TensorLike, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Finite numbers in place of NaN and ±∞, which get no gradient.

    Args:
        input: a tensor of any shape.
        nan: in place of NaN; None stands for 0.
        posinf: in place of ∞; None stands for the largest number of the dtype.
        neginf: in place of −∞; None stands for the lowest number of the dtype.

    >>> import tensorgrad as tg
    >>> tg.nan_to_num(tg.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
    tensor([1., 0., 9.])
    """
    values: dict[str, Any] = {"nan": 0.0 if nan is None else nan, "posinf": posinf, "neginf": neginf}
    values = {name: v if v is None else number("nan_to_num", name, v) for name, v in values.items()}
    return apply(NanToNum, as_tensor(input), **values)


def addcmul(input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, *, value: float = 1) -> Tensor:
    """input + value · tensor1 · tensor2, elementwise with broadcasting.

    Args:
        input: what is added to.
        tensor1: one factor.
        tensor2: the other factor.
        value: a number that the product is multiplied by.

    >>> import tensorgrad as tg
    >>> tg.addcmul(tg.tensor([1.0]), tg.tensor([2.0]), tg.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    product = as_tensor(tensor1) * tensor2
    return as_tensor(input) + (product if value == 1 else product * number("addcmul", "value", value))


def addcdiv(input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, *, value: float = 1) -> Tensor:
    """input + value · tensor1 / tensor2, elementwise with broadcasting.

    Args:
        input: what is added to.
        tensor1: the numerator.
        tensor2: the denominator.
        value: a number that the quotient is multiplied by.

    Raises:
        DTypeError: an integer divided by an integer.

    >>> import tensorgrad as tg
    >>> tg.addcdiv(tg.tensor([1.0]), tg.tensor([2.0]), tg.tensor([4.0]))
    tensor([1.5])
    """
    x, y = as_tensor(tensor1), as_tensor(tensor2)
    if x.dtype.kind != "f" and y.dtype.kind != "f":
        fix = "convert one first: tensor1.astype('float32')"
        raise DTypeError(restate("addcdiv", "integers can't be divided here", fix=fix, tensor1=x, tensor2=y))
    quotient = x / y
    return as_tensor(input) + (quotient if value == 1 else quotient * number("addcdiv", "value", value))


def float_power(input: TensorLike, exponent: TensorLike) -> Tensor:
    """inputᵉˣᵖᵒⁿᵉⁿᵗ, computed in float64 and returned as float64 whatever the dtypes are.

    >>> import tensorgrad as tg
    >>> tg.float_power(tg.tensor([2, 3]), -1)
    tensor([0.5   , 0.3333], dtype=float64)
    """
    return pow(astype(floating(input), np.float64), astype(floating(exponent), np.float64))
