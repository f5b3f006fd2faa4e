"""Choices between values: the larger or the smaller, bounds, one of two by a condition. Elementwise."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.expression import Choice
from tensorgrad.formulas.symbolic import HALF, equal, fenced, function, words
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, binary, in_formulas
from tensorgrad.ops.operands import TensorLike, as_tensor, pair
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "maximum", "minimum", "where"]


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


maximum: Binary = binary(Maximum)
minimum: Binary = binary(Minimum)


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
