"""Arithmetic: + − × ÷, remainders, powers, absolute values. Elementwise, with broadcasting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply, constant
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.symbolic import fenced, function
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.elementwise import Elementwise, binary, in_formulas, scaled, unary
from tensorgrad.ops.elementwise.rounding import ceil, floor, sign
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating_pair, pair, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "abs", "absolute", "add", "div", "divide", "floor_divide", "mul", "multiply", "neg", "negative", "pow", "remainder",
    "square", "sub", "subtract", "true_divide",
]  # fmt: skip


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
    def forward(self, *operands):
        x, y = operands
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


class DivideFloor(FloorDivide):
    """The quotient, rounded down; its gradient is 0."""

    symbol = "⌊÷⌋"
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


def numbers(x: TensorLike) -> Tensor:
    """The operand; bools count as int64."""
    x = as_tensor(x)
    return astype(x, np.int64) if x._data.dtype == np.bool_ else x


multiply = mul = binary(Multiply)
floor_divide, remainder = binary(FloorDivide), binary(Remainder)
square = unary(Square, numbers)
negative = neg = unary(Negative, as_tensor)
abs = absolute = unary(Abs, as_tensor)
_quotient = binary(Divide, floating_pair)

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
        return apply(DivideFloor, x, y)
    if x._data.dtype.kind == "f":
        z = _quotient(x, y)
        return where(z < 0, ceil(z), floor(z))
    z = floor_divide(x, y)
    return where((z < 0) & (z * y != x), z + 1, z)


div = true_divide = divide


@in_formulas(Power)
def pow(input: TensorLike, exponent: TensorLike) -> Tensor:
    """NaN for a negative x under a fractional y. ArgumentError for negative powers of integers.

    The derivative for x is taken as 0 where y = 0, the one for y as 0 where x = 0 and y ≥ 0.

    >>> tg.pow(tg.tensor([1.0, 2.0, 3.0]), 3)
    tensor([ 1.,  8., 27.])
    """
    x, y = pair(input, exponent)
    return square(x) if isinstance(exponent, (int, float)) and exponent == 2 else apply(Power, x, y)
