"""Elementwise ops: those that ONNX has by name, and all others by their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.formulas.expression import Binary, Call, Choice, Comparison, Expression, Negative, Number, Symbol
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.dropout import Dropout
from tensorgrad.ops.elementwise.elementwise import Elementwise

NAMES = {
    "abs": "Abs", "add": "Add", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh",
    "arctan": "Atan", "arctanh": "Atanh", "bitwise_and": "BitwiseAnd", "bitwise_not": "BitwiseNot",
    "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh",
    "divide": "Div", "dropout": "Mul", "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "hardswish": "HardSwish", "isinf": "IsInf",
    "isnan": "IsNaN", "less": "Less", "less_equal": "LessOrEqual", "log": "Log", "logical_and": "And",
    "logical_not": "Not", "logical_or": "Or", "logical_xor": "Xor", "maximum": "Max", "minimum": "Min",
    "mish": "Mish", "multiply": "Mul", "negative": "Neg", "power": "Pow", "reciprocal": "Reciprocal", "relu": "Relu",
    "round": "Round", "selu": "Selu", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "softsign": "Softsign", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh", "where": "Where",
}  # fmt: skip
"""ONNX's name of an op that has no parameters, by the name that formulas call it by."""

WITH_ATTRIBUTES: dict[str, tuple[str, dict[str, str]]] = {
    "leaky_relu": ("LeakyRelu", {"slope": "alpha"}),
    "elu": ("Elu", {"alpha": "alpha"}),
    "celu": ("Celu", {"alpha": "alpha"}),
}
"""ONNX's name of an op, and the names of its attributes by those of the op's parameters."""

CONDITIONS = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf"}
SIGNS = {"+": "Add", "−": "Sub", "·": "Mul", "/": "Div", "^": "Pow"}
COMPARISONS = {">": "Greater", "≥": "GreaterOrEqual", "<": "Less", "≤": "LessOrEqual", "=": "Equal"}

FORMULAS: dict[str, Any] = {}
"""Formulas of ops whose own one can't be computed: it is words, or calls a function that ONNX lacks."""


def _formula(name: str) -> Any:
    def enter(function: Any) -> Any:
        FORMULAS[name] = function
        return function

    return enter


def _call(name: str, *operands: Any) -> Expression:
    return Call(name, tuple(operands), Symbol(name))


@_formula("trunc")
def _trunc(x: Any) -> Any:
    return _call("sign", x) * _call("floor", _call("abs", x))


@_formula("fmod")
def _fmod(x: Any, y: Any) -> Any:
    return x - _trunc(x / y) * y


@_formula("frac")
def _frac(x: Any) -> Any:
    return x - _trunc(x)


@_formula("remainder")
def _remainder(x: Any, y: Any) -> Any:
    return x - _call("floor", x / y) * y


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


class Writer:
    """Writes a formula as nodes; what occurs in it twice is one node.

    Args:
        graph: where nodes are added.
        symbols: the names of values by symbol.
        dtype: the dtype of the numbers in the formula.
    """

    def __init__(self, graph: Graph, symbols: dict[str, str], dtype: np.dtype) -> None:
        self.graph, self.symbols, self.dtype = graph, symbols, dtype
        self._done: dict[Expression, str] = {}

    def value(self, node: Expression) -> str:
        """The name of the value, as a number: what a comparison says is 1 or 0."""
        name = self._of(node)
        return self.graph.cast(name, self.dtype) if self._is_condition(node) and self.dtype != np.bool_ else name

    def _of(self, node: Expression) -> str:
        if node not in self._done:
            self._done[node] = self._written(node)
        return self._done[node]

    def _written(self, node: Expression) -> str:
        add = self.graph.add
        if isinstance(node, Symbol):
            if node.name not in self.symbols:
                raise NotInOnnx(f"its formula speaks of {node.name}")
            return self.symbols[node.name]
        if isinstance(node, Number):
            return self.graph.constant(node.value, self.dtype)
        if isinstance(node, Negative):
            return add("Neg", self.value(node.x))
        if isinstance(node, Binary) and node.sign in SIGNS:
            return add(SIGNS[node.sign], self.value(node.left), self.value(node.right))
        if isinstance(node, Comparison) and node.sign in COMPARISONS:
            return add(COMPARISONS[node.sign], self.value(node.left), self.value(node.right))
        if isinstance(node, Choice):
            return add("Where", self._of(node.condition), self.value(node.x), self.value(node.y))
        if isinstance(node, Call):
            return self._called(node)
        raise NotInOnnx(f"its formula has {node}, which isn't computed")

    def _called(self, node: Call) -> str:
        if node.name in NAMES:
            name = NAMES[node.name]
            conditions = name in ("And", "Or", "Xor", "Not")
            operands = [
                self._of(x) if conditions or (name == "Where" and k == 0) else self.value(x)
                for k, x in enumerate(node.operands)
            ]
            return self.graph.add(name, *operands)
        if node.name in FORMULAS:
            return self._of(FORMULAS[node.name](*node.operands))
        if node.body is not None:
            return self._of(node.body)
        raise NotInOnnx(f"ONNX has no {node.name}")

    def _is_condition(self, node: Expression) -> bool:
        if isinstance(node, Call) and node.name not in NAMES:
            inner = FORMULAS[node.name](*node.operands) if node.name in FORMULAS else node.body
            return inner is not None and self._is_condition(inner)
        return isinstance(node, Comparison) or (isinstance(node, Call) and NAMES[node.name] in CONDITIONS)


@exports(Elementwise)
def elementwise(g: Graph, call: Applied) -> str:
    """An elementwise op: its node, or its formula."""
    op, inputs = call.op, _of_one_dtype(g, call)
    name = op.name
    params = {key: getattr(op, key) for key in type(op).parameters}  # type: ignore[attr-defined]
    if name in NAMES and not params:
        of_bools = name.startswith("bitwise") and call.dtype == np.bool_
        return g.add(NAMES[name.replace("bitwise", "logical") if of_bools else name], *inputs)
    if name in WITH_ATTRIBUTES:
        onnx_name, names = WITH_ATTRIBUTES[name]
        given: dict[str, Any] = {names[key]: float(value) for key, value in params.items()}
        return g.add(onnx_name, *inputs, **given)
    if name == "softplus" and params["beta"] == 1:
        return g.add("Softplus", *inputs)
    if name == "hardsigmoid":
        return g.add("HardSigmoid", *inputs, alpha=1 / 6, beta=0.5)
    if name == "hardtanh":
        return g.add("Clip", inputs[0], *(g.constant(params[key], call.dtype) for key in ("low", "high")))
    dtype = call.dtype if call.dtype != np.bool_ else call.dtypes[0]
    symbols = dict(zip(op.inputs, inputs, strict=True))
    symbols |= {key: g.constant(value, dtype) for key, value in params.items()}
    writer = Writer(g, symbols, dtype)
    meaning = type(op).meaning()  # type: ignore[attr-defined]
    return writer._of(meaning) if call.dtype == np.bool_ else writer.value(meaning)


def _of_one_dtype(g: Graph, call: Applied) -> list[str]:
    """The inputs in the dtype that they have in common; conditions stay conditions."""
    first = 1 if call.op.name == "where" else 0
    dtype = np.result_type(*call.dtypes[first:])
    if is_float(call.dtype) and not is_float(dtype):
        dtype = call.dtype
    pairs = zip(call.inputs, call.dtypes, strict=True)
    return [x if k < first or d == dtype else g.cast(x, dtype) for k, (x, d) in enumerate(pairs)]


@exports(Dropout)
def dropout(g: Graph, call: Applied) -> str:
    """x · m, where code of the model drops in evaluation mode too."""
    return g.add("Mul", *call.inputs)
