"""Tests of floats: infinities, and equality up to a tolerance; and the exclusive or."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply, guard
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, words
from tensorgrad.ops.elementwise.elementwise import Binary, Elementwise, binary, unary
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, number, pair, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["allclose", "isclose", "isinf", "isneginf", "isposinf", "logical_xor"]


class Isinf(Elementwise):
    """Whether x is +∞ or −∞.

    >>> tg.isinf(tg.tensor([0.0, float("inf"), float("nan")]))
    tensor([False,  True, False])
    """

    symbol, numpy = "infinite?", np.isinf
    formula = lambda x: fenced("[", words(fenced("|", x, "|"), "=", "∞"), "]")


class Isposinf(Elementwise):
    """Whether x is +∞.

    >>> tg.isposinf(tg.tensor([float("-inf"), float("inf")]))
    tensor([False,  True])
    """

    symbol, numpy = "+∞?", lambda x: x == np.inf
    formula = lambda x: fenced("[", words(x, "=", "∞"), "]")
    compiled = False


class Isneginf(Elementwise):
    """Whether x is −∞.

    >>> tg.isneginf(tg.tensor([float("-inf"), float("inf")]))
    tensor([ True, False])
    """

    symbol, numpy = "−∞?", lambda x: x == -np.inf
    formula = lambda x: fenced("[", words(x, "=", "−∞"), "]")
    compiled = False


class LogicalXor(Elementwise):
    """Whether one of both is true and the other isn't, with broadcasting; numbers count as true unless 0.

    >>> tg.logical_xor(tg.tensor([True, False]), True)
    tensor([False,  True])
    """

    symbol, numpy = "⊻", np.logical_xor
    formula = lambda x, y: words(x, "⊻", y)


class Isclose(Op):
    """z = whether x is y up to a tolerance."""

    symbol = "≈"
    formula = lambda x, y, rtol, atol: words(fenced("|", x - y, "|"), "≤", atol + rtol * fenced("|", y, "|"))
    rtol: float
    atol: float
    equal_nan: bool

    @quiet
    def forward(self, x, y):
        return np.isclose(x, y, self.rtol, self.atol, self.equal_nan)


isinf, isposinf, isneginf = unary(Isinf, as_tensor), unary(Isposinf, as_tensor), unary(Isneginf, as_tensor)
logical_xor: Binary = binary(LogicalXor)


def isclose(
    input: TensorLike, other: TensorLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Whether |input − other| ≤ atol + rtol · |other|, element by element with broadcasting: a bool tensor.

    Args:
        input: a tensor of any shape.
        other: a tensor that broadcasts with it.
        rtol: the relative tolerance, ≥ 0.
        atol: the absolute tolerance, ≥ 0.
        equal_nan: whether NaN is close to NaN. Infinities are close to themselves alone.

    Raises:
        ArgumentError: a negative tolerance.

    >>> import tensorgrad as tg
    >>> tg.isclose(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    x, y, tolerances = _compared("isclose", input, other, rtol, atol)
    return apply(Isclose, x, y, **tolerances, equal_nan=flag("isclose", "equal_nan", equal_nan))


def allclose(
    input: TensorLike, other: TensorLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as `isclose` says: one bool of Python's.

    Args:
        input: a tensor of any shape.
        other: a tensor that broadcasts with it.
        rtol: the relative tolerance, ≥ 0.
        atol: the absolute tolerance, ≥ 0.
        equal_nan: whether NaN is close to NaN.

    Raises:
        ArgumentError: a negative tolerance. ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> tg.allclose(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0 + 1e-7]))
    True
    """
    x, y, tolerances = _compared("allclose", input, other, rtol, atol)
    equal_nan = flag("allclose", "equal_nan", equal_nan)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ShapeError(restate("allclose", "the shapes don't broadcast", input=x, other=y)) from None
    return guard(_are_close, x._data, y._data, tolerances["rtol"], tolerances["atol"], equal_nan)


def _are_close(x: np.ndarray, y: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> bool:
    with np.errstate(all="ignore"):
        return np.allclose(x, y, rtol, atol, equal_nan)


def _compared(
    call: str, input: TensorLike, other: TensorLike, rtol: float, atol: float
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Both operands in one dtype, and the tolerances."""
    x, y = pair(input, other)
    tolerances = {"rtol": number(call, "rtol", rtol), "atol": number(call, "atol", atol)}
    for name, value in tolerances.items():
        if not value >= 0:
            raise ArgumentError(restate(call, f"{name} must be ≥ 0, got {value}", input=x, other=y))
    return x, y, tolerances
