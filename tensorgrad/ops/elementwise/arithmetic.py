"""Arithmetic: + − × ÷ powers, and what picks or bounds values. Elementwise, with broadcasting."""

from __future__ import annotations

import builtins
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.expression import Choice, Constant
from tensorgrad.formulas.symbolic import equal, fenced, function, words
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, Unary, binary, in_formulas, scaled, unary
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating_pair, number, pair, quiet
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "abs", "absolute", "add", "ceil", "clamp",
    "clamp_max", "clamp_min", "clip", "div", "divide", "floor", "floor_divide", "maximum", "minimum",
    "mul", "multiply", "neg", "negative", "pow", "remainder", "round", "sign", "square", "sub", "subtract",
    "true_divide", "where",
]  # fmt: skip

HALF = Constant(0.5, "½")
MOST_DECIMALS = 300


class Add(Elementwise):
    """Sum, with broadcasting: shapes `(...)` that NumPy's rule joins. Raises ShapeError where they don't.

    `alpha` is a factor for y.

    >>> tg.add(tg.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """

    symbol, numpy = "+", np.add
    formula = lambda x, y: x + y
    derivatives = (lambda: 1, lambda: 1)


class Subtract(Elementwise):
    """Difference, with broadcasting; `alpha` is a factor for y. Also called `sub`.

    >>> tg.subtract(tg.tensor([1.0, 2.0]), 1)
    tensor([0., 1.])
    """

    symbol, numpy = "−", np.subtract
    formula = lambda x, y: x - y
    derivatives = (lambda: 1, lambda: -1)


class Multiply(Elementwise):
    """Product, with broadcasting. Also called `mul`.

    >>> tg.multiply(tg.tensor([1.0, 2.0]), tg.tensor([[3.0], [4.0]]))
    tensor([[3., 6.],
            [4., 8.]])
    """

    symbol, numpy = "×", np.multiply
    formula = lambda x, y: x * y
    derivatives = (lambda y: y, lambda x: x)


class Divide(Elementwise):
    """Quotient, with broadcasting; a float even for integers, ±inf or NaN over zero.

    >>> tg.divide(tg.tensor([1, 2]), 2)
    tensor([0.5, 1. ])
    """

    symbol, numpy = "÷", np.divide
    formula = lambda x, y: x / y
    derivatives = (lambda y: 1 / y, lambda y, z: -z / y)


class Dividing:
    """Ops that divide; integers, which have no infinity to say so, aren't divided by 0."""

    @quiet
    def forward(self, x, y):
        if y.dtype.kind in "biu" and not y.all():
            fix = "divide floats, which give ±inf or NaN: x.astype('float32')"
            raise ArgumentError(restate(self.name, "integers can't be divided by 0", fix=fix, x=x, y=y))
        return self.numpy(x, y)


class FloorDivide(Dividing, Elementwise):
    """Flat almost everywhere, so no gradient flows. Raises ArgumentError where an integer is divided by 0.

    >>> tg.floor_divide(tg.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """

    symbol, numpy = "⌊÷⌋", np.floor_divide
    formula = lambda x, y: fenced("⌊", x / y, "⌋")


class RoundedQuotient(FloorDivide):
    """The quotient, rounded down; its gradient is 0."""

    name = "floor_divide"
    derivatives = (lambda: 0, lambda: 0)

    def backward_x(self, grad):
        return constant(np.zeros_like(grad._data))

    def backward_y(self, grad):
        return constant(np.zeros_like(grad._data))


class Remainder(Dividing, Elementwise):
    """Remainder with the sign of y, as Python's `%`. Raises ArgumentError where an integer is divided by 0.

    >>> tg.remainder(tg.tensor([5.5, -5.5]), 2)
    tensor([1.5, 0.5])
    """

    symbol, numpy = "mod", np.remainder
    formula = lambda x, y: x - fenced("⌊", x / y, "⌋") * y
    derivatives = (lambda: 1, lambda x, y: -fenced("⌊", x / y, "⌋"))

    def backward_y(self, grad, x, y):
        return -grad * (x // y)


class Power(Elementwise):
    """The derivative for x is taken as 0 where y = 0, the one for y as 0 where x = 0 and y ≥ 0."""

    symbol, numpy = "xʸ", np.power
    formula = lambda x, y: x**y
    derivatives = (lambda x, y: y * x ** (y - 1), lambda x, y: x**y * function("ln")(x))

    @quiet
    def forward(self, x, y):
        if y.dtype.kind == "i" and (y < 0).any():
            fix = "raise floats to it: x.astype('float32') ** y"
            raise ArgumentError(restate("pow", "integers can't be raised to negative powers", fix=fix, x=x, y=y))
        return np.power(x, y)

    def backward_x(self, grad, x, y):
        # The function is 1 there, and 0 · 0⁻¹ no number: 1 in place of x keeps that from a second derivative too.
        flat = (y == 0) & ((x == 0) | (x != x))
        return where(flat, 0.0, grad * y * where(flat, 1.0, x) ** (y - 1))

    def backward_y(self, grad, x, y, z):
        # ln 1 = 0 in place of ln 0.
        return grad * z * where((x == 0) & (y >= 0), 1.0, x).log()


class Square(Elementwise):
    """Square of x, faster than `x ** 2.0`.

    >>> tg.square(tg.tensor([-3.0, 2.0]))
    tensor([9., 4.])
    """

    symbol, numpy = "x²", np.square
    formula = lambda x: x**2
    derivative = lambda x: 2 * x


class Negative(Elementwise):
    """Negative. Also called `neg`.

    >>> tg.negative(tg.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """

    symbol, numpy = "−x", np.negative
    formula = lambda x: -x
    derivative = lambda: -1


class Abs(Elementwise):
    """Absolute value; the derivative at 0 is taken as 0.

    >>> tg.abs(tg.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """

    symbol, numpy = "|x|", np.abs
    formula = lambda x: fenced("|", x, "|")
    derivative = lambda x: sign(x)


class Flat:
    """Ops that are constant between their jumps: the derivative is 0 wherever there is one."""

    derivative = staticmethod(lambda: 0)

    def backward_x(self, grad):
        return constant(np.zeros_like(grad._data))


class Sign(Flat, Elementwise):
    """Sign: −1, 0 or 1.

    >>> tg.sign(tg.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """

    symbol, numpy = "sign", np.sign

    def forward(self, x):
        return np.sign(x) if x.dtype != np.bool_ else x.copy()  # NumPy has no sign of bools


class Floor(Flat, Elementwise):
    """Largest integer that isn't above x.

    >>> tg.floor(tg.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """

    symbol, numpy = "⌊x⌋", np.floor
    formula = lambda x: fenced("⌊", x, "⌋")


class Ceil(Flat, Elementwise):
    """Smallest integer that isn't below x.

    >>> tg.ceil(tg.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """

    symbol, numpy = "⌈x⌉", np.ceil
    formula = lambda x: fenced("⌈", x, "⌉")


class Round(Flat, Elementwise):
    """Nearest integer, halves to the even one.

    >>> tg.round(tg.tensor([0.5, 1.5, 1.6]))
    tensor([0., 2., 2.])
    """

    symbol, numpy, compiled = "round", np.round, False
    formula = lambda x: function("round")(x)


class Extreme:
    """Maximum and minimum. `wins` says whether x is chosen before y; a NaN is chosen before a number."""

    def backward_x(self, grad, x, y):
        return grad * self.weight(grad, x, y)

    def backward_y(self, grad, x, y):
        return grad * self.weight(grad, y, x)

    def weight(self, grad, x, y):
        """The weight of the gradient for x beside y: 1, 0, or ½ in a tie."""
        nan, other_nan = x != x, y != y
        wins, loses = self.wins(x, y) | (nan & ~other_nan), self.wins(y, x) | (other_nan & ~nan)
        return as_tensor(host_call(_weight_values, wins._data, loses._data, grad.dtype))


def _weight_values(wins: np.ndarray, loses: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.asarray((1.0 + wins - loses) / 2, dtype)


class Maximum(Extreme, Elementwise):
    """Maximum of both, with broadcasting; where they tie, each gets half the gradient. NaN is carried.

    >>> tg.maximum(tg.tensor([1.0, -2.0]), 0)
    tensor([1., 0.])
    """

    symbol, numpy = "max", np.maximum
    formula = lambda x, y: function("max")(x, y)
    derivatives = (lambda x, y: (x > y) + HALF * equal(x, y), lambda x, y: (y > x) + HALF * equal(x, y))
    wins = staticmethod(operator.gt)


class Minimum(Extreme, Elementwise):
    """Minimum of both, with broadcasting; where they tie, each gets half the gradient. NaN is carried.

    >>> tg.minimum(tg.tensor([1.0, -2.0]), 0)
    tensor([ 0., -2.])
    """

    symbol, numpy = "min", np.minimum
    formula = lambda x, y: function("min")(x, y)
    derivatives = (lambda x, y: (x < y) + HALF * equal(x, y), lambda x, y: (y < x) + HALF * equal(x, y))
    wins = staticmethod(operator.lt)


class Clip(Elementwise):
    """Inside the bounds, ends included, and at NaN the gradient goes to x."""

    symbol, compiled = "clip", False
    numpy = lambda x, low, high: np.minimum(np.maximum(x, low), high)
    formula = lambda x, low, high: minimum(maximum(x, low), high)
    derivatives = (
        lambda x, low, high: fenced("[", words(low, "≤", x, "≤", high), "]"),
        lambda x, low, high: fenced("[", words(x, "<", low, "≤", high), "]"),
        lambda x, low, high: fenced("[", words(x, ">", high, "or", low, ">", high), "]"),
    )

    def backward_x(self, grad, x, low, high):
        return where((x < low) | (x > high), 0.0, grad)

    def backward_low(self, grad, x, low, high):
        return where((x < low) & (low <= high), grad, 0.0)

    def backward_high(self, grad, x, low, high):
        return where((x > high) | (low > high), grad, 0.0)


class Where(Elementwise):
    """x where the condition holds, else y."""

    symbol, numpy, compiled = "where", np.where, False
    formula = lambda c, x, y: Choice(c, x, y)
    derivatives = ("", lambda c: fenced("[", c, "]"), lambda c: fenced("[", words("not", c), "]"))

    def backward_x(self, grad, c):
        return where(c, grad, 0.0)

    def backward_y(self, grad, c):
        return where(c, 0.0, grad)


def numbers(x: TensorLike) -> Tensor:
    """The operand; bools count as int64."""
    x = as_tensor(x)
    return astype(x, np.int64) if x._data.dtype == np.bool_ else x


multiply = mul = binary(Multiply)
floor_divide, remainder = binary(FloorDivide), binary(Remainder)
maximum: Binary = binary(Maximum)
minimum: Binary = binary(Minimum)
sign: Unary = unary(Sign, as_tensor)
square = unary(Square, numbers)
negative = neg = unary(Negative, as_tensor)
abs = absolute = unary(Abs, as_tensor)
floor, ceil = unary(Floor, as_tensor), unary(Ceil, as_tensor)
_quotient, _nearest = binary(Divide, floating_pair), unary(Round, as_tensor)

if TYPE_CHECKING:

    def add(input: TensorLike, other: TensorLike, *, alpha: TensorLike = 1) -> Tensor:
        """The signature of `add`."""
        ...

    def subtract(input: TensorLike, other: TensorLike, *, alpha: TensorLike = 1) -> Tensor:
        """The signature of `subtract`."""
        ...

else:
    add, subtract = scaled(Add, multiply), scaled(Subtract, multiply)

sub = subtract


@in_formulas(Divide)
def divide(input: TensorLike, other: TensorLike, *, rounding_mode: str | None = None) -> Tensor:
    """Quotient, with broadcasting; a float even for integers, ±inf or NaN over zero. Also called `div`, `true_divide`.

    `rounding_mode="floor"` rounds down and `"trunc"` towards 0; both keep integers, and have the gradient 0.

    >>> tg.divide(tg.tensor([1, 2]), 2), tg.divide(tg.tensor([-7, 7]), 2, rounding_mode="trunc")
    (tensor([0.5, 1. ]), tensor([-3,  3]))
    """
    if rounding_mode is None:
        return _quotient(input, other)
    if not isinstance(rounding_mode, str) or rounding_mode not in ("floor", "trunc"):
        problem = f'rounding_mode must be None, "floor" or "trunc", got {rounding_mode!r}'
        raise ArgumentError(restate("divide", problem, rounding_mode=rounding_mode))
    x, y = pair(input, other)
    if rounding_mode == "floor":
        return apply(RoundedQuotient, x, y)
    if x._data.dtype.kind == "f":
        z = _quotient(x, y)
        return where(z < 0, ceil(z), floor(z))
    z = floor_divide(x, y)
    return where((z < 0) & (z * y != x), z + 1, z)


div = true_divide = divide


@in_formulas(Round)
def round(input: TensorLike, *, decimals: int = 0) -> Tensor:
    """Nearest integer, halves to the even one; with `decimals` nearest multiple of 10^−decimals.

    >>> tg.round(tg.tensor([0.5, 1.5, 1.6])), tg.round(tg.tensor([1.26, -1.24]), decimals=1)
    (tensor([0., 2., 2.]), tensor([ 1.3, -1.2]))
    """
    places = number("round", "decimals", decimals)
    if not -MOST_DECIMALS <= places <= MOST_DECIMALS or places != int(places):
        raise ArgumentError(restate("round", f"decimals must be a whole number, got {decimals}", input=input))
    if places == 0:
        return _nearest(input)
    x = as_tensor(input)
    if x._data.dtype.kind != "f":
        return as_tensor(host_call(np.round, x._data, int(places)))
    scale = 10.0 ** builtins.abs(places)
    return _nearest(x * scale) / scale if places > 0 else _nearest(x / scale) * scale


@in_formulas(Power)
def pow(input: TensorLike, exponent: TensorLike) -> Tensor:
    """NaN for a negative x under a fractional y. ArgumentError for negative powers of integers.

    The derivative for x is taken as 0 where y = 0, the one for y as 0 where x = 0 and y ≥ 0.

    >>> tg.pow(tg.tensor([1.0, 2.0, 3.0]), 3)
    tensor([ 1.,  8., 27.])
    """
    x, y = pair(input, exponent)
    return square(x) if isinstance(exponent, (int, float)) and exponent == 2 else apply(Power, x, y)


@in_formulas(Clip)
@numpy_spellings
def clip(input: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Clip x to [min, max], elementwise with broadcasting; None stands for no bound. Also called `clamp`.

    Raises ArgumentError where both bounds are None.

    >>> tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1, 1), tg.clamp(tg.tensor([-2.0, 0.5]), min=0)
    (tensor([-1. ,  0.5,  1. ]), tensor([0. , 0.5]))
    """
    x = as_tensor(input)
    if min is None and max is None:
        raise ArgumentError(restate("clip", "min or max must be given, got None for both", input=x))
    lowest, highest = _limits(x.dtype)
    x, low = pair(x, lowest if min is None else min)
    x, high = pair(x, highest if max is None else max)
    return apply(Clip, x, pair(low, x)[0], high)


clamp = clip


def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    """The bounds that clip nothing."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return (False, True) if dtype.kind == "b" else (-np.inf, np.inf)


def clamp_min(input: TensorLike, min: TensorLike) -> Tensor:
    """`clip` with a lower bound alone: the larger of x and `min`.

    >>> import tensorgrad as tg
    >>> tg.clamp_min(tg.tensor([-2.0, 0.5]), 0)
    tensor([0. , 0.5])
    """
    return clip(input, min)


def clamp_max(input: TensorLike, max: TensorLike) -> Tensor:
    """`clip` with an upper bound alone: the smaller of x and `max`.

    >>> import tensorgrad as tg
    >>> tg.clamp_max(tg.tensor([-2.0, 0.5]), 0)
    tensor([-2.,  0.])
    """
    return clip(input, max=max)


@in_formulas(Where)
def where(condition: TensorLike, input: TensorLike, other: TensorLike) -> Tensor:
    """Choice, elementwise with broadcasting. No gradient reaches the branch that isn't taken.

    Args:
        condition: bools; numbers count as true unless 0.
        input: the values where the condition holds.
        other: the values elsewhere.

    >>> x = tg.tensor([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    condition = as_tensor(condition)
    if condition.dtype != np.bool_:
        condition = condition != 0
    return apply(Where, condition, *pair(input, other))


def where_method(input: TensorLike, condition: TensorLike, other: TensorLike) -> Tensor:
    """`tg.where(condition, input, other)` as a method of the input."""
    return where(condition, input, other)
