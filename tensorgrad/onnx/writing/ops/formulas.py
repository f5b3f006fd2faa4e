"""Formulas of elementwise ops that ONNX lacks, made of those that it has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.formulas.expression import Call, Choice, Expression, Symbol, expression
from tensorgrad.formulas.symbolic import equal

FORMULAS: dict[str, Any] = {}
"""Formulas of ops whose own one can't be computed: it is words, or calls a function that ONNX lacks."""


def _formula(name: str) -> Any:
    def enter(function: Any) -> Any:
        FORMULAS[name] = function
        return function

    return enter


def _call(name: str, *operands: Any) -> Expression:
    return Call(name, tuple(map(expression, operands)), Symbol(name))


@_formula("trunc")
def _trunc(x: Any) -> Any:
    return _call("sign", x) * _call("floor", _call("abs", x))


@_formula("frac")
def _frac(x: Any) -> Any:
    return x - _trunc(x)


@_formula("remainder")
def _remainder(x: Any, y: Any) -> Any:
    # fmod is exact; 1 − ⌊1/0.1⌋ · 0.1 would be 0
    rest = _call("fmod", x, y)
    return rest + _where(_call("sign", rest) * _call("sign", y) < 0, y, 0)


@_formula("floor_divide")
@_formula("divide_floor")
def _floor_divide(x: Any, y: Any) -> Any:
    # The quotient without the rest is a whole number but for its rounding. As in C, x/0 is infinite or NaN.
    rest = _call("fmod", x, y)
    below = _where(_call("sign", rest) * _call("sign", y) < 0, 1, 0)
    return _where(equal(y, 0), _call("floor", x / y), _call("round", (x - rest) / y) - below)


def _floor_divide_of_integers(x: Any, y: Any) -> Any:
    return (x - _remainder(x, y)) / y


OF_INTEGERS: dict[str, Any] = dict.fromkeys(("floor_divide", "divide_floor"), _floor_divide_of_integers)
"""Formulas in place of these where operands are integers, which ONNX doesn't round."""


@_formula("atan2")
def _atan2(y: Any, x: Any) -> Any:
    """The angle of (x, y), by the half of it: 2 · atan(y / (r + |x|)), turned to the left half plane where x < 0.

    It is differentiable on both axes, where atan(y/x) isn't. The coordinates are divided by the larger, so that
    squares don't overflow; at the origin both are 0.
    """
    size_x, size_y = _call("abs", x), _call("abs", y)
    larger = _call("maximum", size_x, size_y)
    origin, far = equal(larger, 0), equal(larger, math.inf)
    u, v = (
        _where(far, _where(equal(size, math.inf), _call("sign", k), 0), k / _where(origin, 1, larger))
        for k, size in ((x, size_x), (y, size_y))
    )
    v = _where(origin, 0, v)
    left = _is_negative(x)
    u = _where(left, -u, u)
    radius = _call("sqrt", u * u + v * v + _where(origin, 1, 0))
    half_plane = 2 * _call("arctan", v / (radius + u))
    return _where(left, _where(_is_negative(y), -math.pi, math.pi) - half_plane, half_plane)


def _is_negative(x: Any) -> Any:
    """Whether the sign is −, of a zero too."""
    return _where(equal(x, 0), 1 / x, x) < 0


def _where(condition: Any, x: Any, y: Any) -> Any:
    return Choice(condition, expression(x), expression(y))


@_formula("square")
def _square(x: Any) -> Any:
    return x * x


@_formula("rsqrt")
def _rsqrt(x: Any) -> Any:
    return _call("reciprocal", _call("sqrt", x))


@_formula("log1p")
def _log1p(x: Any) -> Any:
    return _call("log", 1 + x)


@_formula("expm1")
def _expm1(x: Any) -> Any:
    return _call("exp", x) - 1


@_formula("exp2")
def _exp2(x: Any) -> Any:
    return _call("exp", x * float(np.log(2)))


@_formula("log2")
def _log2(x: Any) -> Any:
    return _call("log", x) / float(np.log(2))


@_formula("log10")
def _log10(x: Any) -> Any:
    return _call("log", x) / float(np.log(10))


@_formula("softplus")
def _softplus(x: Any, beta: Any) -> Any:
    # max(x, 0) + ln(1 + e^−|x|), which neither overflows nor loses digits
    y = x * beta
    return (_call("maximum", y, y * 0) + _call("log", 1 + _call("exp", -_call("abs", y)))) / beta


@_formula("erfc")
def _erfc(x: Any) -> Any:
    return 1 - _call("erf", x)


@_formula("not_equal")
def _not_equal(x: Any, y: Any) -> Any:
    return _call("logical_not", _call("equal", x, y))


@_formula("isfinite")
def _isfinite(x: Any) -> Any:
    return _call("logical_not", _call("logical_or", _call("isnan", x), _call("isinf", x)))


@_formula("clip")
def _clip(x: Any, low: Any, high: Any) -> Any:
    return _call("minimum", _call("maximum", x, low), high)


@_formula("lerp")
def _lerp(x: Any, y: Any, w: Any) -> Any:
    return x + w * (y - x)


@_formula("prelu")
def _prelu(x: Any, w: Any) -> Any:
    return _call("where", x > 0, x, w * x)


@_formula("deg2rad")
def _deg2rad(x: Any) -> Any:
    return x * (np.pi / 180)


@_formula("rad2deg")
def _rad2deg(x: Any) -> Any:
    return x * (180 / np.pi)


@_formula("hypot")
def _hypot(x: Any, y: Any) -> Any:
    return _call("sqrt", x * x + y * y)
