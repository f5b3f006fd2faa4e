"""Formulas computed with numbers, as they are written: with the functions that the page reads in an answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorgrad.formulas.expression import (
    Applied,
    Binary,
    Call,
    Choice,
    Comparison,
    Expression,
    Negative,
    Number,
    Symbol,
)
from tensorgrad.formulas.notation import Big, Fenced, Partial, Root, Transposed

UPSTREAM = "∂L/∂z"
"""The name of the upstream gradient among the values."""

CONSTANTS = {"e": math.e, "π": math.pi}
"""What formulas write by a letter. Of another, as of selu's λ, nothing on the page tells the value."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1/(1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-x))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "σ": sigmoid,
    "exp": np.exp,
    "ln": np.log,
    "log₂": np.log2,
    "log₁₀": np.log10,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.logaddexp(x, 0),
    "sign": np.sign,
    "abs": np.abs,
    "max": np.maximum,
    "min": np.minimum,
}
"""The functions by the names that formulas write. The page has the same, and their everyday spellings."""

FENCES: dict[str, Callable[..., Any]] = {"|": np.abs, "[": lambda x: x}
SIGNS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "−": np.subtract,
    "/": np.divide,
    "^": np.power,
    ">": np.greater,
    "≥": np.greater_equal,
    "<": np.less,
    "≤": np.less_equal,
    "=": np.equal,
    "≠": np.not_equal,
}


class NotComputable(Exception):
    """A formula holds words, or a function that isn't among `FUNCTIONS`."""


def evaluate(node: Expression, values: Mapping[str, Any]) -> np.ndarray:
    """What an expression gives for these values of its symbols, in float64.

    A product is one of matrices where both operands have two axes; Σ sums over the first axis.

    Args:
        node: the expression.
        values: by symbol; of `∂L/∂z` under `UPSTREAM`.

    Raises:
        NotComputable: a symbol has no value, or the expression isn't arithmetic.
        ValueError: the shapes of matrices don't fit.

    >>> from tensorgrad.formulas.symbolic import derivative_of
    >>> derivative = derivative_of(lambda z: z * (1 - z), ("x",), 0)
    >>> float(evaluate(derivative.right, {"z": 0.25}))
    0.1875
    """
    with np.errstate(all="ignore"):
        return np.asarray(_evaluate(node, values), np.float64)


def _evaluate(node: Expression, values: Mapping[str, Any]) -> Any:
    def of(part: Expression) -> Any:
        return _evaluate(part, values)

    match node:
        case Number(value, sign) if all(map(_is_read, re.findall(r"[^\W\d_]+", sign))):
            return np.float64(value)
        case Symbol(name):
            return np.asarray(_value(name, values), np.float64)
        case Partial() if str(node) == UPSTREAM:
            return np.asarray(_value(UPSTREAM, values), np.float64)
        case Negative(x):
            return -of(x)
        case Binary("·", left, right):
            return _product(of(left), of(right))
        case Binary(sign, left, right) | Comparison(sign, left, right) if sign in SIGNS:
            return SIGNS[sign](of(left), of(right)) * 1.0
        case Choice(condition, x, y):
            return np.where(of(condition), of(x), of(y))
        case Applied(function, operands) if function in FUNCTIONS:
            return FUNCTIONS[function](*map(of, operands))
        case Call():
            return of(node.written)
        case Fenced(left, x, _) if left in FENCES:
            return FENCES[left](of(x))
        case Root(x):
            return np.sqrt(of(x))
        case Transposed(x):
            return np.transpose(of(x))
        case Big("Σ", x, None):
            return np.sum(of(x), axis=0)
    raise NotComputable(str(node))


def _is_read(word: str) -> bool:
    """Whether the page can read a word in a number's sign: as of π/180, ½ and 1/ln 2."""
    return word in CONSTANTS or word in FUNCTIONS or not word.isalpha()


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values and name not in CONSTANTS:
        raise NotComputable(name)
    return values.get(name, CONSTANTS.get(name))


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left @ right if left.ndim == right.ndim == 2 else left * right
