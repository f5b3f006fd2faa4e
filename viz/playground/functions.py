"""Elementwise ops as functions of numbers: in JavaScript from the formulas and derivatives that the ops state."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.formulas.computable import call, computable
from tensorgrad.formulas.expression import Expression, Symbol, expression
from tensorgrad.formulas.javascript import arrow_function
from tensorgrad.formulas.loops import ON_ARRAYS
from tensorgrad.formulas.programs import program
from tensorgrad.formulas.symbolic import parameters_of
from tensorgrad.kernels.simd.error_coefficients import FAR, FURTHEST, NEAR
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.viz.playground.tape import Function

VOCABULARY = frozenset(
    "abs arccos arccosh arcsin arcsinh arctan arctanh atan2 bitwise_and bitwise_or bitwise_xor ceil cos cosh "  # noqa: SIM905
    "erf exp expm1 floor fmax fmin hypot isnan log log10 log1p log2 logaddexp logical_and logical_not logical_or "
    "logical_xor maximum minimum round sign sin sinh softplus sqrt tan tanh trunc where".split()
)
"""The functions that the page has, in page/functions.js; all others are replaced by what they are made of."""


def erf_of(x: Expression) -> Expression:
    """erf by the rational approximations of the engine's kernels."""
    size = call("minimum", call("abs", x), expression(FURTHEST))
    near, far = ([_polynomial(part, of) for part in parts] for parts, of in ((NEAR, size**2), (FAR, size)))
    above = call("sign", x) * (1 - call("exp", -(size**2)) * (far[0] / far[1]))
    return call("where", size < 1, x * (near[0] / near[1]), above)


def _polynomial(coefficients: tuple[float, ...], x: Expression) -> Expression:
    leading, *others = coefficients
    total = expression(leading)
    for coefficient in others:
        total = total * x + coefficient
    return total


def function_of(op: Elementwise) -> Function:
    """An elementwise op with its parameters as a function of its operands.

    Raises:
        TypeError: its formula or a derivative can't be computed.
    """
    return _function(type(op), op.values)


def elementary(op: type[Elementwise]) -> Function:
    """An elementwise op without parameters as a function of its operands."""
    return _function(op, ())


def _function(op: type[Elementwise], values: tuple[float, ...]) -> Function:
    given = dict(zip(op.parameters, map(expression, values), strict=True))
    meaning = op.call(*map(Symbol, op.inputs), *given.values())
    return Function(
        arrow_function(meaning, op.inputs, VOCABULARY),
        tuple(_slope(op, position, given) for position in range(len(op.inputs))),
        program(computable(meaning), op.inputs, _OnArrays()),
    )


def _slope(op: type[Elementwise], position: int, given: dict[str, Expression]) -> str:
    """The derivative for an operand as the op states it; "" where it states none."""
    derivative: Any = op.derivatives[position] if position < len(op.derivatives) else ""
    if not derivative:
        return ""
    stated = expression(derivative(*(given.get(name, Symbol(name)) for name in parameters_of(derivative))))
    return arrow_function(stated, (*op.inputs, "z"), VOCABULARY)


ERF = arrow_function(erf_of(Symbol("x")), ["x"], VOCABULARY)
"""erf, which JavaScript lacks."""


class _OnArrays(dict[str, Any]):
    """The functions of formulas on arrays of floats, which hold integers and bools, too."""

    def __init__(self) -> None:
        super().__init__(ON_ARRAYS)
        self |= {
            name: getattr(np, name) for name in ("logical_and", "logical_or", "logical_not", "logical_xor", "isnan")
        }
        self |= {name: _on_integers(getattr(np, name)) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")}


def _on_integers(function: np.ufunc) -> Any:
    return lambda x, y: function(x.astype(np.int64), y.astype(np.int64))
