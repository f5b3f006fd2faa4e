"""Comparisons and logic: bool tensors, no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import promote
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.formulas.symbolic import fenced, words
from tensorgrad.ops.elementwise.elementwise import Elementwise, binary, unary
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, pair

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt",
    "isfinite", "isnan", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "lt", "ne",
    "not_equal",
]  # fmt: skip


class Equal(Elementwise):
    """Whether x is equal to y, element by element with broadcasting: a bool tensor. Also `x == y`.

    >>> tg.eq(tg.tensor([1.0, 2.0]), 2)
    tensor([False,  True])
    """

    symbol, numpy = "=", np.equal
    formula = lambda x, y: fenced("[", words(x, "=", y), "]")


class NotEqual(Elementwise):
    """Whether x differs from y, element by element with broadcasting: a bool tensor. Also `x != y`.

    >>> tg.not_equal(tg.tensor([1.0, 2.0]), 2)
    tensor([ True, False])
    """

    symbol, numpy = "≠", np.not_equal
    formula = lambda x, y: fenced("[", words(x, "≠", y), "]")


class Less(Elementwise):
    """Whether x is less than y, element by element with broadcasting: a bool tensor. Also `x < y`.

    >>> tg.less(tg.tensor([1.0, 2.0]), 2)
    tensor([ True, False])
    """

    symbol, numpy = "<", np.less
    formula = lambda x, y: x < y


class LessEqual(Elementwise):
    """Whether x is less than or equal to y, element by element with broadcasting: a bool tensor. Also `x <= y`.

    >>> tg.less_equal(tg.tensor([1.0, 2.0]), 2)
    tensor([ True,  True])
    """

    symbol, numpy = "≤", np.less_equal
    formula = lambda x, y: x <= y


class Greater(Elementwise):
    """Whether x is greater than y, element by element with broadcasting: a bool tensor. Also `x > y`.

    >>> tg.greater(tg.tensor([1.0, 2.0]), 2)
    tensor([False, False])
    """

    symbol, numpy = ">", np.greater
    formula = lambda x, y: x > y


class GreaterEqual(Elementwise):
    """Whether x is greater than or equal to y, element by element with broadcasting: a bool tensor. Also `x >= y`.

    >>> tg.greater_equal(tg.tensor([1.0, 2.0]), 2)
    tensor([False,  True])
    """

    symbol, numpy = "≥", np.greater_equal
    formula = lambda x, y: x >= y


class LogicalNot(Elementwise):
    """Negation; numbers count as true unless 0.

    >>> tg.logical_not(tg.tensor([0.0, 2.0]))
    tensor([ True, False])
    """

    symbol, numpy = "¬", np.logical_not
    formula = lambda x: fenced("¬", x, "")


class LogicalAnd(Elementwise):
    """Conjunction, element by element with broadcasting; numbers count as true unless 0.

    >>> tg.logical_and(tg.tensor([True, False]), True)
    tensor([ True, False])
    """

    symbol, numpy = "∧", np.logical_and
    formula = lambda x, y: words(x, "∧", y)


class LogicalOr(Elementwise):
    """Disjunction, element by element with broadcasting; numbers count as true unless 0.

    >>> tg.logical_or(tg.tensor([True, False]), True)
    tensor([ True,  True])
    """

    symbol, numpy = "∨", np.logical_or
    formula = lambda x, y: words(x, "∨", y)


class Bitwise:
    """Ops on the bits of bools and integers; floats are refused."""

    def forward(self, *operands):
        if any(x.dtype.kind not in "biu" for x in operands):
            fix = "compare first, or use tg.logical_and, tg.logical_or, tg.logical_not"
            given = dict(zip(self.inputs, operands, strict=True))
            raise DTypeError(restate(self.name, "operands must be bools or integers", fix=fix, **given))
        return self.numpy(*operands)


class BitwiseNot(Bitwise, Elementwise):
    """Negation bit by bit, for bools and integers; also `~x`. Raises DTypeError for floats.

    >>> tg.bitwise_not(tg.tensor([True, False])), tg.bitwise_not(tg.tensor([0, 5]))
    (tensor([False,  True]), tensor([-1, -6]))
    """

    symbol, numpy = "~", np.invert
    formula = lambda x: fenced("~", x, "")


class BitwiseAnd(Bitwise, Elementwise):
    """Conjunction bit by bit, for bools and integers, with broadcasting; also `x & y`. Raises DTypeError for floats.

    >>> tg.bitwise_and(tg.tensor([6, 5]), 3)
    tensor([2, 1])
    """

    symbol, numpy = "&", np.bitwise_and
    formula = lambda x, y: words(x, "&", y)


class BitwiseOr(Bitwise, Elementwise):
    """Disjunction bit by bit, for bools and integers, with broadcasting; also `x | y`. Raises DTypeError for floats.

    >>> tg.bitwise_or(tg.tensor([6, 5]), 3)
    tensor([7, 7])
    """

    symbol, numpy = "|", np.bitwise_or
    formula = lambda x, y: words(x, "|", y)


class BitwiseXor(Bitwise, Elementwise):
    """One or the other but not both, bit by bit, for bools and integers, with broadcasting; also `x ^ y`.

    >>> tg.bitwise_xor(tg.tensor([6, 5]), 3), tg.bitwise_xor(tg.tensor([True, False]), True)
    (tensor([5, 6]), tensor([False,  True]))
    """

    symbol, numpy = "⊕", np.bitwise_xor
    formula = lambda x, y: words(x, "⊕", y)


class Isnan(Elementwise):
    """Whether x is NaN.

    >>> tg.isnan(tg.tensor([0.0, float("nan")]))
    tensor([False,  True])
    """

    symbol, numpy = "NaN?", np.isnan
    formula = lambda x: fenced("[", words(x, "is NaN"), "]")


class Isfinite(Elementwise):
    """Whether x is neither infinite nor NaN.

    >>> tg.isfinite(tg.tensor([0.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """

    symbol, numpy = "finite?", np.isfinite
    formula = lambda x: fenced("[", words(fenced("|", x, "|"), "<", "∞"), "]")


def _compared(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """Two operands to compare, in one dtype; beside narrow integers a number that they can't hold widens them."""
    try:
        return pair(x, y)
    except ArgumentError:
        x, y = as_tensor(x), as_tensor(y)
        dtype = promote(x._data.dtype, y._data.dtype)
        return astype(x, dtype), astype(y, dtype)


eq = binary(Equal, _compared)
eq.__name__ = eq.__qualname__ = "eq"
ne = not_equal = binary(NotEqual, _compared)
lt = less = binary(Less, _compared)
le = less_equal = binary(LessEqual, _compared)
gt = greater = binary(Greater, _compared)
ge = greater_equal = binary(GreaterEqual, _compared)
logical_not, logical_and, logical_or = unary(LogicalNot, as_tensor), binary(LogicalAnd), binary(LogicalOr)
bitwise_not, bitwise_and = unary(BitwiseNot, as_tensor), binary(BitwiseAnd)
bitwise_or, bitwise_xor = binary(BitwiseOr), binary(BitwiseXor)
isnan, isfinite = unary(Isnan, as_tensor), unary(Isfinite, as_tensor)


def equal(input: TensorLike, other: TensorLike) -> bool:
    """Whether two tensors have the same shape and the same elements: one bool. `eq` compares element by element.

    NaN is equal to nothing.

    >>> import tensorgrad as tg
    >>> tg.equal(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0])), tg.equal(tg.zeros(2), tg.zeros(3))
    (True, False)
    """
    x, y = as_tensor(input), as_tensor(other)
    return x._data.shape == y._data.shape and bool(guard(np.array_equal, x._data, y._data))
