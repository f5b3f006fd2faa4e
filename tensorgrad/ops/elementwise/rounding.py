"""Functions that are constant between their jumps: sign, floor, ceil, round, trunc. Elementwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import constant, host_call
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.symbolic import fenced, function
from tensorgrad.ops.elementwise.elementwise import Elementwise, Unary, in_formulas, unary
from tensorgrad.ops.operands import TensorLike, as_tensor, number

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["ceil", "fix", "floor", "round", "sign", "trunc"]

MOST_DECIMALS = 300


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


class Trunc(Flat, Elementwise):
    """Integer part of x: rounds towards zero.

    >>> tg.trunc(tg.tensor([1.7, -1.7]))
    tensor([ 1., -1.])
    """

    symbol, numpy = "trunc", np.trunc
    formula = lambda x: function("trunc")(x)


sign: Unary = unary(Sign, as_tensor)
floor, ceil = unary(Floor, as_tensor), unary(Ceil, as_tensor)
trunc: Unary = unary(Trunc, as_tensor)
fix = trunc
_nearest = unary(Round, as_tensor)


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
    scale = 10.0 ** abs(places)
    return _nearest(x * scale) / scale if places > 0 else _nearest(x / scale) * scale
