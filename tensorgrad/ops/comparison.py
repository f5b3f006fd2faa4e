"""Comparisons and logic: bool tensors, no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.engine import apply
from tensorgrad.errors import DTypeError, restate
from tensorgrad.op import Op
from tensorgrad.ops.operands import TensorLike, as_tensor, pair

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
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
    return apply(Equal, *pair(x, y))


def not_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≠ y], elementwise with broadcasting; also `x != y`."""
    return apply(NotEqual, *pair(x, y))


def less(x: TensorLike, y: TensorLike) -> Tensor:
    """[x < y], elementwise with broadcasting; also `x < y`."""
    return apply(Less, *pair(x, y))


def less_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≤ y], elementwise with broadcasting; also `x <= y`."""
    return apply(LessEqual, *pair(x, y))


def greater(x: TensorLike, y: TensorLike) -> Tensor:
    """[x > y], elementwise with broadcasting; also `x > y`."""
    return apply(Greater, *pair(x, y))


def greater_equal(x: TensorLike, y: TensorLike) -> Tensor:
    """[x ≥ y], elementwise with broadcasting; also `x >= y`."""
    return apply(GreaterEqual, *pair(x, y))


def logical_not(x: TensorLike) -> Tensor:
    """¬x, elementwise; numbers count as true unless 0. Also `~x` for bool tensors."""
    return apply(LogicalNot, as_tensor(x))


def logical_and(x: TensorLike, y: TensorLike) -> Tensor:
    """The conjunction x ∧ y, elementwise with broadcasting; also `x & y` for bool tensors."""
    return apply(LogicalAnd, *pair(x, y))


def logical_or(x: TensorLike, y: TensorLike) -> Tensor:
    """The disjunction x ∨ y, elementwise with broadcasting; also `x | y` for bool tensors."""
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


def truths(operator: str, *operands: TensorLike) -> tuple[Tensor, ...]:
    """The operands of `&`, `|` and `~` as tensors, which must be bools: on numbers NumPy's operators work on bits."""
    tensors = tuple(as_tensor(x) for x in operands)
    if any(x.dtype != np.bool_ for x in tensors):
        given = {f"operands[{k}]": x for k, x in enumerate(tensors)}
        fix = "compare first, or use tg.logical_and, tg.logical_or, tg.logical_not"
        raise DTypeError(restate(operator, "only truth values can be combined", expected="bools", fix=fix, **given))
    return tensors
