"""Numbers put in for symbols: `3x²` for y · x^(y − 1) where y is 3, and no factor of 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tensorgrad.formulas.expression import (
    Applied,
    Binary,
    Call,
    Constant,
    Expression,
    Indexed,
    Negative,
    Number,
    Symbol,
    expression,
)
from tensorgrad.formulas.notation import Big, Partial, Phrase

LIMITS = {"max": -math.inf, "min": math.inf}
"""What changes nothing as an operand of these."""


def put_numbers(formula: Expression, numbers: Mapping[str, Expression]) -> Expression:
    """The formula with these numbers in place of symbols, simplified around them, and nowhere else.

    >>> x, y = Symbol("x"), Symbol("y")
    >>> print(put_numbers(y * x ** (y - 1), {"y": expression(3)}))
    3x²
    >>> print(put_numbers((y * x + 1) / y, {"y": expression(1)}))
    x + 1
    """
    if isinstance(formula, Symbol):
        return numbers.get(formula.name, formula)
    if isinstance(formula, Call):
        return put_numbers(formula.written, numbers)
    if isinstance(formula, Partial | Indexed) or not any(name in numbers for name in formula.symbols):
        return formula
    changed = {field.name: _put(getattr(formula, field.name), numbers) for field in fields(formula)}  # type: ignore[arg-type]
    return _simplified(replace(formula, **changed))  # type: ignore[type-var]


def _put(part: Any, numbers: Mapping[str, Expression]) -> Any:
    if isinstance(part, tuple):
        return tuple(_put(inner, numbers) for inner in part)
    return put_numbers(part, numbers) if isinstance(part, Expression) else part


def _simplified(formula: Expression) -> Expression:
    if isinstance(formula, Binary):
        return _binary(formula)
    if isinstance(formula, Negative) and isinstance(formula.x, Negative):
        return formula.x.x
    if isinstance(formula, Phrase) and _value(formula.said[0]) == 1 and isinstance(formula.said[1], Big):
        return formula.said[1]
    if isinstance(formula, Applied) and formula.function in LIMITS:
        rest = [x for x in formula.operands if _value(x) != LIMITS[formula.function]]
        return rest[0] if len(rest) == 1 else replace(formula, operands=tuple(rest or formula.operands))
    return formula


def _binary(formula: Binary) -> Expression:
    left, right = formula.left, formula.right
    a, b = _value(left), _value(right)
    match formula.sign:
        case "·" if a == 0 or b == 0:
            return expression(0)
        case "·" if a == 1 or b == 1:
            return right if a == 1 else left
        case "·" if a is not None and a < 0 and b is None:
            return Negative(_binary(replace(formula, left=left.x if isinstance(left, Negative) else left)))
        case "/" | "^" if b == 1:
            return left
        case "^" if b == 0:
            return expression(1)
        case "+" | "−" if b == 0:
            return left
        case "+" if a == 0:
            return right
        case "−" if a == 0:
            return Negative(right)
        case "+" | "−" if a is not None and b is not None:
            return _number(a + b if formula.sign == "+" else a - b)
    return formula


def _number(value: float) -> Expression:
    return expression(Constant(value, "∞") if value == math.inf else -_number(-value) if value < 0 else value)


def _value(x: Expression) -> float | None:
    """The number that an expression is; None of another."""
    if isinstance(x, Number):
        return x.value
    return -x.x.value if isinstance(x, Negative) and isinstance(x.x, Number) else None
