"""Arithmetic: + − × ÷ powers, and what picks or bounds values. Elementwise, with broadcasting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, floating_pair, pair, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "abs",
    "add",
    "ceil",
    "clip",
    "divide",
    "floor",
    "floor_divide",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "pow",
    "remainder",
    "round",
    "sign",
    "square",
    "subtract",
    "where",
]


class Add(Op):
    """z = x + y."""

    symbol, formula = "+", "z = x + y"
    derivatives = ("∂z/∂x = 1", "∂z/∂y = 1")

    @quiet
    def forward(self, x, y):
        return np.add(x, y)

    def backward_x(self, grad):
        return grad

    def backward_y(self, grad):
        return grad


class Subtract(Op):
    """z = x − y."""

    symbol, formula = "−", "z = x − y"
    derivatives = ("∂z/∂x = 1", "∂z/∂y = −1")

    @quiet
    def forward(self, x, y):
        return np.subtract(x, y)

    def backward_x(self, grad):
        return grad

    def backward_y(self, grad):
        return -grad


class Multiply(Op):
    """z = x · y."""

    symbol, formula = "×", "z = x · y"
    derivatives = ("∂z/∂x = y", "∂z/∂y = x")

    @quiet
    def forward(self, x, y):
        return np.multiply(x, y)

    def backward_x(self, grad, y):
        return grad * y

    def backward_y(self, grad, x):
        return grad * x


class Divide(Op):
    """z = x / y."""

    symbol, formula = "÷", "z = x / y"
    derivatives = ("∂z/∂x = 1/y", "∂z/∂y = −z/y")

    @quiet
    def forward(self, x, y):
        return np.divide(x, y)

    def backward_x(self, grad, y):
        return grad / y

    def backward_y(self, grad, y, z):
        return -grad * z / y


class FloorDivide(Op):
    """z = ⌊x / y⌋; flat almost everywhere, so no gradient flows."""

    symbol, formula = "⌊÷⌋", "z = ⌊x / y⌋"

    @quiet
    def forward(self, x, y):
        _check_divisor("floor_divide", x, y)
        return np.floor_divide(x, y)


class Remainder(Op):
    """z = x − ⌊x / y⌋ · y, with the sign of y."""

    symbol, formula = "mod", "z = x − ⌊x/y⌋ · y"
    derivatives = ("∂z/∂x = 1", "∂z/∂y = −⌊x/y⌋")

    @quiet
    def forward(self, x, y):
        _check_divisor("remainder", x, y)
        return np.remainder(x, y)

    def backward_x(self, grad):
        return grad

    def backward_y(self, grad, x, y):
        return -grad * (x // y)


def _check_divisor(op: str, x: np.ndarray, y: np.ndarray) -> None:
    """Integers have no infinity to say that they were divided by 0."""
    if y.dtype.kind in "biu" and not y.all():
        fix = "divide floats, which give ±inf or NaN: x.astype('float32')"
        raise ArgumentError(restate(op, "integers are divided by 0", fix=fix, x=x, y=y))


class Power(Op):
    """z = xʸ; the derivative for x is 0 where y = 0, the one for y is 0 where x = 0 and y ≥ 0."""

    symbol, formula = "xʸ", "z = xʸ"
    derivatives = ("∂z/∂x = y · xʸ⁻¹", "∂z/∂y = xʸ · ln x")

    @quiet
    def forward(self, x, y):
        if y.dtype.kind == "i" and (y < 0).any():
            fix = "raise floats to it: x.astype('float32') ** y"
            raise ArgumentError(restate("pow", "integers have no negative powers", fix=fix, x=x, y=y))
        return np.power(x, y)

    def backward_x(self, grad, x, y):
        # The function is 1 there, and 0 · 0⁻¹ no number: 1 in place of x keeps that from a second derivative too.
        flat = (y == 0) & ((x == 0) | (x != x))
        return where(flat, 0.0, grad * y * where(flat, 1.0, x) ** (y - 1))

    def backward_y(self, grad, x, y, z):
        # ln 1 = 0 in place of ln 0.
        return grad * z * where((x == 0) & (y >= 0), 1.0, x).log()


class Square(Op):
    """z = x², for which a power is the slow way."""

    symbol, formula = "x²", "z = x²"
    derivatives = ("∂z/∂x = 2x",)

    @quiet
    def forward(self, x):
        return np.multiply(x, x)

    def backward_x(self, grad, x):
        return grad * (2 * x)


class Negative(Op):
    """z = −x."""

    symbol, formula = "−x", "z = −x"
    derivatives = ("∂z/∂x = −1",)

    def forward(self, x):
        return np.negative(x)

    def backward_x(self, grad):
        return -grad


class Abs(Op):
    """z = |x|; the derivative at 0 is taken as 0."""

    symbol, formula = "|x|", "z = |x|"
    derivatives = ("∂z/∂x = sign(x)",)

    def forward(self, x):
        return np.abs(x)

    def backward_x(self, grad, x):
        return grad * x.sign()


class Flat(Op):
    """An op that is constant between its jumps: the derivative is 0 wherever there is one."""

    derivatives = ("∂z/∂x = 0",)

    def backward_x(self, grad):
        return constant(np.zeros_like(grad._data))


class Sign(Flat):
    """z = −1, 0 or 1."""

    symbol, formula = "sign", "z = sign(x)"

    def forward(self, x):
        return np.sign(x)


class Floor(Flat):
    """z = ⌊x⌋."""

    symbol, formula = "⌊x⌋", "z = ⌊x⌋"

    def forward(self, x):
        return np.floor(x)


class Ceil(Flat):
    """z = ⌈x⌉."""

    symbol, formula = "⌈x⌉", "z = ⌈x⌉"

    def forward(self, x):
        return np.ceil(x)


class Round(Flat):
    """z = the nearest integer, halves to the even one."""

    symbol, formula = "round", "z = round(x)"

    def forward(self, x):
        return np.round(x)


class Maximum(Op):
    """z = max(x, y); where they tie, each gets half the gradient. NaN is carried."""

    symbol, formula = "max", "z = max(x, y)"
    derivatives = ("∂z/∂x = [x > y] + ½[x = y]", "∂z/∂y = [y > x] + ½[x = y]")

    def forward(self, x, y):
        return np.maximum(x, y)

    def backward_x(self, grad, x, y):
        return grad * _share(x > y, y > x, x, y, grad)

    def backward_y(self, grad, x, y):
        return grad * _share(y > x, x > y, y, x, grad)


class Minimum(Op):
    """z = min(x, y); where they tie, each gets half the gradient. NaN is carried."""

    symbol, formula = "min", "z = min(x, y)"
    derivatives = ("∂z/∂x = [x < y] + ½[x = y]", "∂z/∂y = [y < x] + ½[x = y]")

    def forward(self, x, y):
        return np.minimum(x, y)

    def backward_x(self, grad, x, y):
        return grad * _share(x < y, y < x, x, y, grad)

    def backward_y(self, grad, x, y):
        return grad * _share(y < x, x < y, y, x, grad)


def _share(wins: Tensor, loses: Tensor, x: Tensor, y: Tensor, grad: Tensor) -> Tensor:
    """What of the gradient x gets beside y: all, nothing, or half in a tie. A NaN wins over a number."""
    nan, other_nan = x != x, y != y
    alone, beaten = nan & ~other_nan, other_nan & ~nan
    return as_tensor(host_call(_shared, (wins | alone)._data, (loses | beaten)._data, grad.dtype))


def _shared(wins: np.ndarray, loses: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.asarray((1.0 + wins - loses) / 2, dtype)


class Clip(Op):
    """z = min(max(x, low), high); inside the bounds, ends included, and at NaN the gradient goes to x."""

    symbol, formula = "clip", "z = min(max(x, low), high)"
    derivatives = ("∂z/∂x = [low ≤ x ≤ high]", "∂z/∂low = [x < low ≤ high]", "∂z/∂high = [x > high or low > high]")

    def forward(self, x, low, high):
        return np.minimum(np.maximum(x, low), high)

    def backward_x(self, grad, x, low, high):
        return where((x < low) | (x > high), 0.0, grad)

    def backward_low(self, grad, x, low, high):
        return where((x < low) & (low <= high), grad, 0.0)

    def backward_high(self, grad, x, low, high):
        return where((x > high) | (low > high), grad, 0.0)


class Where(Op):
    """z = x where the condition holds, else y."""

    symbol, formula = "where", "z = x if c else y"
    derivatives = ("", "∂z/∂x = [c]", "∂z/∂y = [not c]")

    def forward(self, c, x, y):
        return np.where(c, x, y)

    def backward_x(self, grad, c):
        return where(c, grad, 0.0)

    def backward_y(self, grad, c):
        return where(c, 0.0, grad)


def add(x: TensorLike, y: TensorLike) -> Tensor:
    """z = x + y, elementwise with broadcasting: shapes `(...)` that NumPy's rule joins.

    Raises ShapeError where they don't.

    >>> import tensorgrad as tg
    >>> tg.add(tg.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return apply(Add, *pair(x, y))


def subtract(x: TensorLike, y: TensorLike) -> Tensor:
    """z = x − y, elementwise with broadcasting.

    >>> import tensorgrad as tg
    >>> tg.subtract(tg.tensor([1.0, 2.0]), 1)
    tensor([0., 1.])
    """
    return apply(Subtract, *pair(x, y))


def multiply(x: TensorLike, y: TensorLike) -> Tensor:
    """z = x · y, elementwise with broadcasting.

    >>> import tensorgrad as tg
    >>> tg.multiply(tg.tensor([1.0, 2.0]), tg.tensor([[3.0], [4.0]]))
    tensor([[3., 6.],
            [4., 8.]])
    """
    return apply(Multiply, *pair(x, y))


def divide(x: TensorLike, y: TensorLike) -> Tensor:
    """z = x / y, elementwise with broadcasting; a float even for integers, ±inf or NaN over zero.

    >>> import tensorgrad as tg
    >>> tg.divide(tg.tensor([1, 2]), 2)
    tensor([0.5, 1. ])
    """
    return apply(Divide, *floating_pair(x, y))


def floor_divide(x: TensorLike, y: TensorLike) -> Tensor:
    """z = ⌊x / y⌋, elementwise; no gradient. Raises ArgumentError where an integer is divided by 0.

    >>> import tensorgrad as tg
    >>> tg.floor_divide(tg.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    return apply(FloorDivide, *pair(x, y))


def remainder(x: TensorLike, y: TensorLike) -> Tensor:
    """z = x − ⌊x / y⌋ · y, elementwise: the result has the sign of y, as Python's `%`.

    Raises ArgumentError where an integer is divided by 0.

    >>> import tensorgrad as tg
    >>> tg.remainder(tg.tensor([5.5, -5.5]), 2)
    tensor([1.5, 0.5])
    """
    return apply(Remainder, *pair(x, y))


def pow(x: TensorLike, y: TensorLike) -> Tensor:
    """z = xʸ, elementwise; NaN for a negative x under a fractional y. ArgumentError for negative powers of integers.

    ∂z/∂x = y · xʸ⁻¹, taken as 0 where y = 0; ∂z/∂y = xʸ · ln x, taken as 0 where x = 0 and y ≥ 0.

    >>> import tensorgrad as tg
    >>> tg.pow(tg.tensor([1.0, 2.0, 3.0]), 3)
    tensor([ 1.,  8., 27.])
    """
    base, exponent = pair(x, y)
    return square(base) if isinstance(y, (int, float)) and y == 2 else apply(Power, base, exponent)


def square(x: TensorLike) -> Tensor:
    """z = x², elementwise.

    >>> import tensorgrad as tg
    >>> tg.square(tg.tensor([-3.0, 2.0]))
    tensor([9., 4.])
    """
    return apply(Square, as_tensor(x))


def negative(x: TensorLike) -> Tensor:
    """z = −x.

    >>> import tensorgrad as tg
    >>> tg.negative(tg.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return apply(Negative, as_tensor(x))


def abs(x: TensorLike) -> Tensor:
    """z = |x|; the derivative at 0 is taken as 0.

    >>> import tensorgrad as tg
    >>> tg.abs(tg.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return apply(Abs, as_tensor(x))


def sign(x: TensorLike) -> Tensor:
    """z = −1, 0 or 1; its derivative is 0.

    >>> import tensorgrad as tg
    >>> tg.sign(tg.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """
    x = as_tensor(x)
    if x._data.dtype == np.bool_:
        raise DTypeError(restate("sign", "bools have no sign", fix="convert them: x.astype('int64')", x=x))
    return apply(Sign, x)


def floor(x: TensorLike) -> Tensor:
    """z = ⌊x⌋; its derivative is 0.

    >>> import tensorgrad as tg
    >>> tg.floor(tg.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """
    return apply(Floor, as_tensor(x))


def ceil(x: TensorLike) -> Tensor:
    """z = ⌈x⌉; its derivative is 0.

    >>> import tensorgrad as tg
    >>> tg.ceil(tg.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """
    return apply(Ceil, as_tensor(x))


def round(x: TensorLike) -> Tensor:
    """z = the nearest integer, halves to the even one; its derivative is 0.

    >>> import tensorgrad as tg
    >>> tg.round(tg.tensor([0.5, 1.5, 1.6]))
    tensor([0., 2., 2.])
    """
    return apply(Round, as_tensor(x))


def maximum(x: TensorLike, y: TensorLike) -> Tensor:
    """z = max(x, y), elementwise with broadcasting; NaN is carried, ties share the gradient.

    >>> import tensorgrad as tg
    >>> tg.maximum(tg.tensor([1.0, -2.0]), 0)
    tensor([1., 0.])
    """
    return apply(Maximum, *pair(x, y))


def minimum(x: TensorLike, y: TensorLike) -> Tensor:
    """z = min(x, y), elementwise with broadcasting; NaN is carried, ties share the gradient.

    >>> import tensorgrad as tg
    >>> tg.minimum(tg.tensor([1.0, -2.0]), 0)
    tensor([ 0., -2.])
    """
    return apply(Minimum, *pair(x, y))


def clip(x: TensorLike, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
    """z = min(max(x, low), high), elementwise with broadcasting; a bound of None is none.

    Raises ArgumentError where both bounds are None.

    >>> import tensorgrad as tg
    >>> tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1. ,  0.5,  1. ])
    """
    x = as_tensor(x)
    if low is None and high is None:
        raise ArgumentError(restate("clip", "both bounds are None", fix="pass low, high or both", x=x))
    integers = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
    lowest, highest = (integers.min, integers.max) if integers else (-np.inf, np.inf)
    x, low = pair(x, lowest if low is None else low)
    x, high = pair(x, highest if high is None else high)
    return apply(Clip, x, pair(low, x)[0], high)


def where(condition: TensorLike, x: TensorLike, y: TensorLike) -> Tensor:
    """z = x where the condition holds, else y; elementwise with broadcasting. No gradient reaches the branch not taken.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    condition = as_tensor(condition)
    if condition.dtype != np.bool_:
        condition = condition != 0
    return apply(Where, condition, *pair(x, y))
