"""Ops whose formula has sums, means or extremes: the formula, read for the elements that belong together.

`zᵢ = e^xᵢ / Σⱼ e^xⱼ` says what a softmax computes; which elements j its sum runs over, `groups` has found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.formulas.computable import call, computable
from tensorgrad.formulas.expression import Binary, Call, Expression, Indexed, Negative, Number, Symbol
from tensorgrad.formulas.notation import Big
from tensorgrad.ops.elementwise.arithmetic import Abs, Add, Divide, Multiply, Negative as Negate, Power, Subtract
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.elementwise.logarithms import Logaddexp
from tensorgrad.ops.elementwise.transcendental import Exp, Log, Sqrt
from tensorgrad.viz.playground.application import Application
from tensorgrad.viz.playground.functions import elementary
from tensorgrad.viz.playground.groups import Groups, groups_of
from tensorgrad.viz.playground.tape import Slots, Tape

ARITHMETIC: dict[str, type[Elementwise]] = {"+": Add, "−": Subtract, "·": Multiply, "/": Divide, "^": Power}
FUNCTIONS: dict[str, type[Elementwise]] = {"exp": Exp, "log": Log, "sqrt": Sqrt, "abs": Abs}


def read(tape: Tape, applied: Application) -> Slots:
    """The op's formula as instructions; returns the slots of its output.

    Raises:
        TypeError: the formula says something that can't be read.
    """
    return _Reading(tape, applied).of(_stable(computable(applied.op.statement())), False)


def _stable(node: Expression) -> Expression:
    """eˣ/Σ eˣ as e^(x − ln Σ eˣ), which never overflows."""
    match node:
        case Binary("/", Call("exp", (x, *_)), Big("Σ", Call("exp")) as total):
            return call("exp", x - call("log", total))
    return node


@dataclass(frozen=True)
class Operand:
    """An input of an op: its name in the formula, its values, slots, and the groups of its elements."""

    name: str
    array: np.ndarray
    slots: Slots
    groups: Groups | None


class _Reading:
    """Reads a formula for all elements of the output at once.

    A part of it is computed for each element of the output, or inside of a sum for each element of each group.
    """

    def __init__(self, tape: Tape, applied: Application) -> None:
        floats = applied.floats
        if not floats or any(array.size == 0 for array in applied.arrays):
            raise TypeError("it has no operand of floats, or an empty one")
        self._tape, self._op, self._shape = tape, applied.op, applied.shape
        operands = [
            Operand(applied.op.input_name(p), array, slots, groups_of(applied, p) if p in floats else None)
            for p, (array, slots) in enumerate(zip(applied.arrays, applied.inputs, strict=True))
        ]
        self._operands = {operand.name: operand for operand in operands}
        found = [(operand, operand.groups) for operand in operands if operand.groups is not None]
        self._main, self._groups = max(found, key=lambda pair: max(map(len, pair[1].members), default=0))
        self._known: dict[tuple[Expression, bool], Slots] = {}
        self._reduced: dict[Expression, Slots] = {}

    def of(self, node: Expression, inside: bool) -> Slots:
        """The slots of a part, for each element of the output or, `inside` of a sum, for each element of each group."""
        if (node, inside) not in self._known:
            self._known[node, inside] = self._new(node, inside)
        return self._known[node, inside]

    def _new(self, node: Expression, inside: bool) -> Slots:
        match node:
            case Number(value):
                return self._filled(value, inside)
            case Symbol(name):
                return self._symbol(name, inside)
            case Indexed():
                return self._element(node, inside)
            case Big() | Call("mean" | "max" | "min"):
                return self._repeated(self._reduction(node), inside)
            case Negative(x):
                return self._mapped(Negate, [x], inside)
            case Binary(sign, left, right) if sign in ARITHMETIC:
                return self._mapped(ARITHMETIC[sign], [left, right], inside)
            case Call("log", (Big("Σ", Call("exp", (x, *_))),)):
                return self._repeated(self._log_sum_exp(x), inside)
            case Call(name, operands) if name in FUNCTIONS:
                return self._mapped(FUNCTIONS[name], operands, inside)
            case Call(body=Expression() as body):
                return self.of(body, inside)
        raise TypeError(f"its formula has {node}")

    def _mapped(self, op: type[Elementwise], parts: Sequence[Expression], inside: bool) -> Slots:
        return self._tape.mapped(elementary(op), [self.of(part, inside) for part in parts])

    def _filled(self, value: float, inside: bool) -> Slots:
        count = len(self._groups.flat) if inside else len(self._groups.of_output)
        return np.full(count, self._tape.constant(float(value)))

    def _repeated(self, slots: Slots, inside: bool) -> Slots:
        """What there is one of per group, for each element."""
        return slots[self._groups.of_flat if inside else self._groups.of_output]

    # --------------------------------------------------------------------------------------------------------- letters

    def _symbol(self, name: str, inside: bool) -> Slots:
        if name in self._operands:
            return self._operand(self._operands[name], inside)
        if name == "n":
            counts = [self._tape.constant(len(group)) for group in self._groups.members]
            return self._repeated(np.array(counts, int), inside)
        value = getattr(self._op, name, None)
        if isinstance(value, int | float):
            return self._filled(value, inside)
        raise TypeError(f"its formula has the letter {name}")

    def _operand(self, operand: Operand, inside: bool) -> Slots:
        if inside:
            if operand.array.shape != self._main.array.shape:
                raise TypeError(f"its formula sums over {operand.name}")
            return operand.slots[self._groups.flat]
        if operand.groups is not None and (operand.groups.depends.sum(0) == 1).all():
            return operand.slots[operand.groups.depends.argmax(0)]
        if operand.array.shape != self._shape:
            raise TypeError(f"its formula doesn't say which element of {operand.name} is meant")
        return operand.slots

    def _element(self, node: Indexed, inside: bool) -> Slots:
        """xᵢ; or x[y], where y are constants that choose one element of each group."""
        if not isinstance(node.index, Symbol) or node.index.name not in self._operands:
            return self.of(node.x, inside)
        chosen = self._operands[node.index.name].array
        if inside or node.x != Symbol(self._main.name) or chosen.size != len(self._groups.of_output):
            raise TypeError(f"its formula has {node}")
        groups = (self._groups.members[k] for k in self._groups.of_output)
        return self._main.slots[[group[place] for group, place in zip(groups, chosen.ravel(), strict=True)]]

    # --------------------------------------------------------------------------------------------- one result per group

    def _reduction(self, node: Any) -> Slots:
        """The slots of a sum, product, mean or extreme of each group."""
        if node not in self._reduced:
            is_big = isinstance(node, Big)
            reduce = self._by_name(node.sign if is_big else node.name)
            self._reduced[node] = reduce(self.of(node.x if is_big else node.operands[0], True))
        return self._reduced[node]

    def _by_name(self, name: str) -> Callable[[Slots], Slots]:
        known = {"Σ": self._sum, "mean": self._mean, "Π": self._product, "max": self._max, "min": self._min}
        if name not in known:
            raise TypeError(f"its formula has {name}")
        return known[name]

    def _sum(self, x: Slots) -> Slots:
        return self._tape.products(len(self._groups.members), self._groups.of_flat, np.ones(len(x)), [x])

    def _mean(self, x: Slots) -> Slots:
        counts = np.array([len(group) for group in self._groups.members])
        return self._tape.products(len(counts), self._groups.of_flat, 1 / counts[self._groups.of_flat], [x])

    def _product(self, x: Slots) -> Slots:
        groups = self._of_groups(x)
        longest, one = max(map(len, groups)), self._tape.constant(1.0)
        padded = np.array([[*group, *[one] * (longest - len(group))] for group in groups])
        return self._tape.products(len(groups), np.arange(len(groups)), np.ones(len(groups)), list(padded.T))

    def _max(self, x: Slots) -> Slots:
        return self._tape.extremes(self._of_groups(x), 1, "ties" in str(self._op.derivative_for(0)))

    def _min(self, x: Slots) -> Slots:
        return self._tape.extremes(self._of_groups(x), -1, "ties" in str(self._op.derivative_for(0)))

    def _log_sum_exp(self, x: Expression) -> Slots:
        """ln Σ eˣ of each group, one element after the other, which never overflows."""
        groups = self._of_groups(self.of(x, True))
        total = np.array([group[0] for group in groups])
        for k in range(1, max(map(len, groups))):
            longer = [g for g, group in enumerate(groups) if len(group) > k]
            more = np.array([groups[g][k] for g in longer])
            total[longer] = self._tape.mapped(elementary(Logaddexp), [total[longer], more])
        return total

    def _of_groups(self, x: Slots) -> list[Slots]:
        return [x[self._groups.of_flat == g] for g in range(len(self._groups.members))]
