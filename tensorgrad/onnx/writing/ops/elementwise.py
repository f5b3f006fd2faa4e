"""Elementwise ops: those that ONNX has by name, and all others by their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.formulas.expression import Binary, Call, Choice, Comparison, Expression, Negative, Number, Symbol
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.ops.formulas import FORMULAS, OF_INTEGERS
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.dropout import Dropout
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.elementwise.floating import NanToNum

NAMES = {
    "abs": "Abs", "add": "Add", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh",
    "arctan": "Atan", "arctanh": "Atanh", "bitwise_and": "BitwiseAnd", "bitwise_not": "BitwiseNot",
    "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh",
    "divide": "Div", "dropout": "Mul", "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "fmod": "Mod",
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

ALWAYS = {"fmod": {"fmod": 1}}
"""Attributes of the nodes of ops that have no parameters themselves."""

CONDITIONS = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf"}
SIGNS = {"+": "Add", "−": "Sub", "·": "Mul", "/": "Div", "^": "Pow"}
COMPARISONS = {">": "Greater", "≥": "GreaterOrEqual", "<": "Less", "≤": "LessOrEqual", "=": "Equal"}


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
            return self.graph.add(name, *operands, **ALWAYS.get(node.name, {}))
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
        onnx_name = NAMES[name.replace("bitwise", "logical") if of_bools else name]
        return g.add(onnx_name, *inputs, **ALWAYS.get(name, {}))
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
    if name in OF_INTEGERS and not is_float(call.dtype):
        meaning = OF_INTEGERS[name](*map(Symbol, op.inputs))
    return writer._of(meaning) if call.dtype == np.bool_ else writer.value(meaning)


def _of_one_dtype(g: Graph, call: Applied) -> list[str]:
    """The inputs in the dtype that they have in common; conditions stay conditions."""
    first = 1 if call.op.name == "where" else 0
    dtype = np.result_type(*call.dtypes[first:])
    if is_float(call.dtype) and not is_float(dtype):
        dtype = call.dtype
    pairs = zip(call.inputs, call.dtypes, strict=True)
    return [x if k < first or d == dtype else g.cast(x, dtype) for k, (x, d) in enumerate(pairs)]


@exports(NanToNum)
def nan_to_num(g: Graph, call: Applied) -> str:
    """Where x is NaN, ∞ or −∞, a number."""
    if not is_float(call.dtype):
        return call.x
    z, largest = g.add("Where", g.add("IsNaN", call.x), g.constant(call.nan, call.dtype), call.x), np.finfo(call.dtype)
    for infinity, given, default in ((np.inf, call.posinf, largest.max), (-np.inf, call.neginf, largest.min)):
        value = g.constant(default if given is None else given, call.dtype)
        z = g.add("Where", g.add("Equal", call.x, g.constant(infinity, call.dtype)), value, z)
    return z


@exports(Dropout)
def dropout(g: Graph, call: Applied) -> str:
    """x · m, where code of the model drops in evaluation mode too."""
    return g.add("Mul", *call.inputs)
