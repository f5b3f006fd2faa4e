"""What formulas call the tensors of a graph: as the user calls them, and by letters where nobody named them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.notation import LONGEST_NAME, Setting, factor, few, latex, numbered, plain, written
from tensorgrad.viz.record.records import Kind, Scalar

LETTERS: Mapping[Kind, str] = {"parameter": "p", "constant": "c", "interior": "u", "output": "u"}
"""The letters of tensors without a name; they are numbered."""


class Symbols:
    """Gives out the symbols of a graph's tensors: no two tensors get the same one.

    A tensor is called by its name, else as the program calls it: the result of `c = a + b` is c, the next one c₂, and
    an input is called as the line that uses it calls it. Others are u₁, u₂, … where an op made them, p₁, … for
    parameters and c₁, … for constants; a loss without a name is L. A constant number without a name has none: formulas
    write its value.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, Iterator[int]] = {}

    def new(self, given: str, kind: Kind, value: Scalar | None, is_loss: bool, assigned: str = "") -> str:
        """The symbol of one more tensor.

        Args:
            given: the user's name for it, or `""`.
            kind: of the tensor.
            value: of a scalar.
            is_loss: whether it is what `backward()` began at, with 1.
            assigned: the variable that the program assigned it to, or that held it when an op used it; or `""`.
        """
        symbol = self._symbol(given, kind, value, is_loss, assigned)
        self._taken.add(symbol)
        return symbol

    def _symbol(self, given: str, kind: Kind, value: Scalar | None, is_loss: bool, assigned: str) -> str:
        if given and (given != assigned or given not in self._taken):
            return self._free(theme.shorten(given, LONGEST_NAME) + "′" * k for k in itertools.count())
        if assigned:
            return assigned if assigned not in self._taken else self._numbered(assigned, 2)
        if not given and kind == "constant" and value is not None:
            return ""
        return "L" if is_loss and "L" not in self._taken else self._numbered(LETTERS[kind], 1)

    def _numbered(self, letter: str, start: int) -> str:
        numbers = self._numbers.setdefault(letter, itertools.count(start))
        return self._free(plain(numbered(letter, number)) for number in numbers)

    def _free(self, candidates: Iterator[str]) -> str:
        return next(symbol for symbol in candidates if symbol not in self._taken)


def in_formula(symbols: Sequence[str]) -> list[str]:
    """How a formula writes these symbols: `weight` for `conv1.weight`, where no two of them end alike.

    >>> in_formula(["x", "conv1.weight", "conv1.bias"]), in_formula(["0.weight", "1.weight"])
    (['x', 'weight', 'bias'], ['0.weight', '1.weight'])
    """
    ends = [end if (end := symbol.rpartition(".")[2]).isidentifier() else symbol for symbol in symbols]
    return ends if len(set(ends)) == len(set(symbols)) else list(symbols)


def letters_of(op: Op, operands: Sequence[str]) -> dict[str, str]:
    """What the letters of an op's formula stand for, given how its operands are written.

    The operands of an op that takes any number of them are listed, too: `xs` stands for `u, v, …, w`.
    """
    letters = {op.input_name(position): operand for position, operand in enumerate(operands)}
    if op.variadic:
        letters[op.inputs[-1]] = ", ".join(few(operands[len(op.inputs) - 1 :], 4))
    return letters


def numbers_of(op: Op, input_shapes: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> dict[str, str]:
    """What the letters of a formula stand for that are numbers: parameters, an index, and n, how many a mean is of."""
    params = ((key, value) for key, value in op.params.items() if isinstance(value, int | float))
    numbers: dict[str, str] = {key: Setting(factor(value)) for key, value in params if not isinstance(value, bool)}
    if op.name in ("mean", "var", "std"):
        numbers["n"] = Setting(math.prod(input_shapes[0]) // max(math.prod(shape), 1))
    if "index" in op.params:
        index = place(op.params["index"])
        numbers["index"] = written(index, latex(index))
    return numbers


def place(index: Any) -> str:
    """An index as the program writes it; arrays in it, which may be long, by the word.

    >>> place((slice(None), 3)), place((slice(1, None, 2), None, Ellipsis)), place((np.array([0, 2]),))
    (':, 3', '1::2, None, …', 'index')
    """
    return ", ".join(map(_along_an_axis, index if isinstance(index, tuple) else (index,)))


def _along_an_axis(index: Any) -> str:
    if isinstance(index, slice):
        ends = ["" if end is None else str(end) for end in (index.start, index.stop, index.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if index is Ellipsis:
        return "…"
    return str(index) if index is None or isinstance(index, int | np.integer) else "index"
