"""Comparisons and logic: bool tensors, no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, pair

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "isnan",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "not_equal",
]


class Equal(Op):
    """z = [x = y]."""

    symbol, formula = "=", "z = [x = y]"

    def forward(self, x, y):
        return np.equal(x, y)


class NotEqual(Op):
    """z = [x ≠ y]."""

    symbol, formula = "≠", "z = [x ≠ y]"

    def forward(self, x, y):
        return np.not_equal(x, y)


class Less(Op):
    """z = [x < y]."""

    symbol, formula = "<", "z = [x < y]"

    def forward(self, x, y):
        return np.less(x, y)


class LessEqual(Op):
    """z = [x ≤ y]."""

    symbol, formula = "≤", "z = [x ≤ y]"

    def forward(self, x, y):
        return np.less_equal(x, y)


class Greater(Op):
    """z = [x > y]."""

    symbol, formula = ">", "z = [x > y]"

    def forward(self, x, y):
        return np.greater(x, y)


class GreaterEqual(Op):
    """z = [x ≥ y]."""

    symbol, formula = "≥", "z = [x ≥ y]"

    def forward(self, x, y):
        return np.greater_equal(x, y)


class LogicalNot(Op):
    """z = ¬x."""

    symbol, formula = "¬", "z = ¬x"

    def forward(self, x):
        return np.logical_not(x)


class LogicalAnd(Op):
    """z = x ∧ y."""

    symbol, formula = "∧", "z = x ∧ y"

    def forward(self, x, y):
        return np.logical_and(x, y)


class LogicalOr(Op):
    """z = x ∨ y."""

    symbol, formula = "∨", "z = x ∨ y"

    def forward(self, x, y):
        return np.logical_or(x, y)


class BitwiseNot(Op):
    """z = ¬x, bit by bit."""

    symbol, formula = "~", "z = ~x"

    def forward(self, x):
        return np.invert(x)


class BitwiseAnd(Op):
    """z = x & y, bit by bit."""

    symbol, formula = "&", "z = x & y"

    def forward(self, x, y):
        return np.bitwise_and(x, y)


class BitwiseOr(Op):
    """z = x | y, bit by bit."""

    symbol, formula = "|", "z = x | y"

    def forward(self, x, y):
        return np.bitwise_or(x, y)


class BitwiseXor(Op):
    """z = x ^ y, bit by bit."""

    symbol, formula = "⊕", "z = x ⊕ y"

    def forward(self, x, y):
        return np.bitwise_xor(x, y)


class IsNan(Op):
    """z = [x is NaN]."""

    name = "isnan"
    symbol, formula = "NaN?", "z = [x is NaN]"

    def forward(self, x):
        return np.isnan(x)


class IsFinite(Op):
    """z = [x is neither infinite nor NaN]."""

    name = "isfinite"
    symbol, formula = "finite?", "z = [|x| < ∞]"

    def forward(self, x):
        return np.isfinite(x)


def equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x = y], elementwise with broadcasting; also `x == y`.

    >>> import tensorgrad as tg
    >>> tg.equal(tg.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(Equal, *_compared(x, y))


def not_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≠ y], elementwise with broadcasting; also `x != y`."""
    return apply(NotEqual, *_compared(x, y))


def less(x: TensorLike, y: TensorLike) -> Tensor:
    """[x < y], elementwise with broadcasting; also `x < y`."""
    return apply(Less, *_compared(x, y))


def less_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≤ y], elementwise with broadcasting; also `x <= y`."""
    return apply(LessEqual, *_compared(x, y))


def greater(x: TensorLike, y: TensorLike) -> Tensor:
    """[x > y], elementwise with broadcasting; also `x > y`."""
    return apply(Greater, *_compared(x, y))


def greater_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≥ y], elementwise with broadcasting; also `x >= y`."""
    return apply(GreaterEqual, *_compared(x, y))


def logical_not(x: TensorLike) -> Tensor:
    """¬x, elementwise; numbers count as true unless 0."""
    return apply(LogicalNot, as_tensor(x))


def logical_and(x: TensorLike, y: TensorLike) -> Tensor:
    """The conjunction x ∧ y, elementwise with broadcasting."""
    return apply(LogicalAnd, *pair(x, y))


def logical_or(x: TensorLike, y: TensorLike) -> Tensor:
    """The disjunction x ∨ y, elementwise with broadcasting."""
    return apply(LogicalOr, *pair(x, y))


def isnan(x: TensorLike) -> Tensor:
    """[x is NaN], elementwise.

    >>> import tensorgrad as tg
    >>> tg.isnan(tg.tensor([0.0, float("nan")]))
    tensor([False,  True])
    """
    return apply(IsNan, as_tensor(x))


def isfinite(x: TensorLike) -> Tensor:
    """[x is neither infinite nor NaN], elementwise."""
    return apply(IsFinite, as_tensor(x))


def bitwise_not(x: TensorLike) -> Tensor:
    """¬x bit by bit, for bools and integers; also `~x`. Raises DTypeError for floats.

    >>> import tensorgrad as tg
    >>> tg.bitwise_not(tg.tensor([True, False])), tg.bitwise_not(tg.tensor([0, 5]))
    (tensor([False,  True]), tensor([-1, -6]))
    """
    (x,) = _bits("bitwise_not", as_tensor(x))
    return apply(LogicalNot if x._data.dtype == np.bool_ else BitwiseNot, x)


def bitwise_and(x: TensorLike, y: TensorLike) -> Tensor:
    """The conjunction x ∧ y bit by bit, for bools and integers, with broadcasting; also `x & y`.

    >>> import tensorgrad as tg
    >>> tg.bitwise_and(tg.tensor([6, 5]), 3)
    tensor([2, 1])
    """
    return _bitwise("bitwise_and", LogicalAnd, BitwiseAnd, x, y)


def bitwise_or(x: TensorLike, y: TensorLike) -> Tensor:
    """The disjunction x ∨ y bit by bit, for bools and integers, with broadcasting; also `x | y`.

    >>> import tensorgrad as tg
    >>> tg.bitwise_or(tg.tensor([6, 5]), 3)
    tensor([7, 7])
    """
    return _bitwise("bitwise_or", LogicalOr, BitwiseOr, x, y)


def bitwise_xor(x: TensorLike, y: TensorLike) -> Tensor:
    """x ⊕ y, one or the other but not both, bit by bit, for bools and integers, with broadcasting; also `x ^ y`.

    >>> import tensorgrad as tg
    >>> tg.bitwise_xor(tg.tensor([6, 5]), 3), tg.bitwise_xor(tg.tensor([True, False]), True)
    (tensor([5, 6]), tensor([False,  True]))
    """
    return _bitwise("bitwise_xor", BitwiseXor, BitwiseXor, x, y)


def _bitwise(op: str, on_bools: type[Op], on_integers: type[Op], x: TensorLike, y: TensorLike) -> Tensor:
    x, y = _bits(op, *pair(x, y))
    return apply(on_bools if x._data.dtype == np.bool_ else on_integers, x, y)


def _bits(op: str, *operands: Tensor) -> tuple[Tensor, ...]:
    """The operands, which must be bools or integers."""
    if any(x._data.dtype.kind not in "biu" for x in operands):
        given = {f"operands[{k}]": x for k, x in enumerate(operands)}
        fix = "compare first, or use tg.logical_and, tg.logical_or, tg.logical_not"
        raise DTypeError(restate(op, "floats have no bits to combine", expected="bools or integers", fix=fix, **given))
    return operands


def _compared(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """Two operands to compare, in one dtype; beside narrow integers a number that they can't hold widens them."""
    try:
        return pair(x, y)
    except ArgumentError:
        return pair(as_tensor(x), as_tensor(y))
