"""The part of a graph that is drawn, with the look-ups that questions about it need."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cached_property
from typing import Any

from tensorgrad.formulas.expression import Expression, Indexed, Stated, Symbol
from tensorgrad.formulas.notation import Equation, Partial
from tensorgrad.system.numbers import value_of
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.fold import drawn_modules, fold_modules
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import EdgeRecord, GraphRecord, OpRecord, TensorRecord
from tensorgrad.viz.record.symbols import in_formula

COUNTED = ("mean", "var", "std")
"""Ops whose formulas write n, how many elements a mean is of."""


class Scene:
    """The ops and tensors of a graph that aren't hidden in a folded module.

    Attributes:
        index: of the graph as it is drawn.
        ops: by id, in the order they ran.
        loss: the name that formulas give to the result that is differentiated.
    """

    def __init__(self, record: GraphRecord, folded: Collection[str]) -> None:
        plain = fold_view_ops(record)
        self.view = fold_modules(plain, drawn_modules(plain), folded)
        self.index = GraphIndex(self.view)
        self.ops: dict[str, OpRecord] = {op.id: op for op in self.view.ops if op.output and not op.error}
        self.loss = record.loss

    @cached_property
    def tensors(self) -> dict[str, TensorRecord]:
        """By id, those that are drawn."""
        return self.index.tensors

    def edges(self, op: OpRecord) -> list[EdgeRecord]:
        """The edges into an op."""
        return self.index.edges[op.id]

    def output(self, op: OpRecord) -> TensorRecord:
        """The result of an op."""
        return self.tensors[op.output]

    def letters(self, op: OpRecord) -> dict[str, str]:
        """How the drawing calls the operands and the result: by the letters of the op's formula.

        A constant that formulas write as a number has no name.
        """
        edges = self.edges(op)
        symbols = [edge.symbol or self.tensors[edge.tensor].symbol for edge in edges]
        names = in_formula([*symbols, self.output(op).symbol])
        return dict(zip([*(edge.operand for edge in edges), "z"], names, strict=True))

    def numbers(self, op: OpRecord) -> dict[str, float]:
        """What the formula's letters stand for that are numbers: parameters, n, and constants without a name.

        They are rounded as the drawing writes them, since that is what a student computes with.
        """
        found = {key: read(shown(number)) for key, text in op.params if (number := _number(text)) is not None}
        edges = self.edges(op)
        if op.name in COUNTED and edges:
            sizes = [math.prod(tensor.shape) for tensor in (self.tensors[edges[0].tensor], self.output(op))]
            found["n"] = sizes[0] // max(sizes[1], 1)
        letters = self.letters(op)
        constants = ((edge.operand, self.tensors[edge.tensor].value) for edge in edges if not letters[edge.operand])
        return found | {operand: read(shown(float(value))) for operand, value in constants if value is not None}


def formula_of(op: OpRecord) -> Expression | None:
    """The right side of `z = …`; None where an op has no formula of that form."""
    stated = op.formula.expression if isinstance(op.formula, Stated) else None
    return stated.right if isinstance(stated, Equation) and stated.left == Symbol("z") else None


def derivative_of(edge: EdgeRecord) -> tuple[Expression, Expression, bool] | None:
    """Of `∂z/∂x = …` the two sides, and True; of `∂L/∂x = …` the two sides, and False. None of another form."""
    stated = edge.derivative.expression if isinstance(edge.derivative, Stated) else None
    if not isinstance(stated, Equation) or stated.sign != "=" or not isinstance(stated.left, Partial):
        return None
    of = stated.left.of
    if isinstance(of, Indexed) or of not in (Symbol("z"), Symbol("L")):
        return None
    return stated.left.by, stated.right, of == Symbol("z")


def shown(value: float) -> str:
    """A number as the drawing writes it."""
    return theme.number(value)


def read(text: str) -> float:
    """The number that `shown` wrote.

    >>> read(shown(-0.123456))
    -0.1235
    """
    return value_of(text)


def right_side(equation: str) -> str:
    """`y` of `z = y`."""
    return equation.partition(" = ")[2]


def left_side(equation: str) -> str:
    """`z` of `z = y`."""
    return equation.partition(" = ")[0]


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
