"""The names of tensors and rules: an op's formula and derivatives with the names of its operands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.formulas.notation import Equation
from tensorgrad.formulas.writing import PRODUCT
from tensorgrad.viz.explain.computation import Computation, Link
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.notation import (
    element,
    factor,
    latex,
    name,
    numbered,
    numeral,
    plain,
    put_in,
    readings,
    with_numbers,
    written,
)
from tensorgrad.viz.format.rules import backward_rule
from tensorgrad.viz.record.steps import Key, Known, Step
from tensorgrad.viz.record.symbols import letters_of, numbers_of

FEW = 8
"""Vectors of so many elements are written out."""


class Words:
    """Names for the tensors of a computation, given out as they are asked for, and formulas written with them.

    A tensor is called as the user calls it, in a trace also as the drawing calls it by the program's variables: h, h₂.
    Others are u₁, u₂, … for results, p₁, … for parameters, c₁, … for
    constants, those without axes by their value. The loss is L.
    """

    def __init__(self, computation: Computation, values: Mapping[Key, np.ndarray]) -> None:
        self._known: Mapping[Key, Known] = computation.known
        self._values = values
        self._made = {step.output for step in computation.steps}
        self._names: dict[Key, str] = {computation.steps[-1].output: name("L")}
        self._taken = set(self._names.values())
        self._invented = set(self._names)
        self._numbers = {letter: itertools.count(1) for letter in "upc"}

    def __getitem__(self, key: Key) -> str:
        if key not in self._names:
            word = self._fresh(key)
            self._taken.add(word)
            self._names[key] = word
        return self._names[key]

    def _fresh(self, key: Key) -> str:
        known = self._known.get(key)
        if known is not None and known.variable and (word := name(known.variable)) not in self._taken:
            if not known.name:
                self._invented.add(key)
            return word
        if known is not None and known.name:
            word = name(known.name)
            while word in self._taken:
                word = written(f"{plain(word)}′", f"{latex(word)}'")
            return word
        value, made = self._values.get(key), key in self._made
        if not made and not isinstance(key, Variable) and value is not None and value.ndim == 0:
            return factor(value.item())
        self._invented.add(key)
        letter = "u" if made else "p" if isinstance(key, Variable) else "c"
        return next(word for number in self._numbers[letter] if (word := numbered(letter, number)) not in self._taken)

    def invented(self, key: Key) -> bool:
        """Whether the reader has to be told what stands behind the name."""
        known, _ = self._known.get(key), self[key]  # a name is invented when it is first asked for
        return key in self._invented and not (known is not None and known.name)

    def origin(self, key: Key) -> str:
        """Where a tensor comes from that isn't on the way."""
        return "from other inputs" if key in self._made else "parameter" if isinstance(key, Variable) else "constant"

    def definition(self, step: Step) -> str:
        """`u₁ = a · b`: the op's formula, written with names."""
        return put_in(step.op.statement(), self._letters(step, None))

    def local(self, link: Link, at: tuple[int, ...]) -> str | None:
        """The local derivative ∂z/∂x as a factor, at an element of z; None where the op has only a rule for arrays."""
        derivative = link.step.op.derivative_for(link.position)
        if (
            not isinstance(derivative, Equation)
            or derivative.left.symbols[0] != "z"
            or not derivative.right.elementwise
        ):
            return None
        letters = self._letters(link.step, at)
        found = with_numbers(derivative.right, letters).write(readings(letters)).within(PRODUCT)
        return written(found.text, found.latex)

    def backward(self, link: Link) -> str:
        """The rule for a whole array: `∂L/∂x = ∂L/∂z ⊙ y`."""
        step, derivative = link.step, link.step.op.derivative_for(link.position)
        letters = self._letters(step, None)
        if step.op.variadic:
            letters["xᵢ"] = self[step.inputs[link.position]]
        return "" if derivative is None else backward_rule(derivative, letters, scalar=not step.shape)

    def _letters(self, step: Step, at: tuple[int, ...] | None) -> dict[str, str]:
        """What the symbols of an op's formulas stand for: operands, result, and parameters that are numbers."""
        letters = {"z": element(self[step.output], at)}
        operands = []
        for key, shape in zip(step.inputs, step.input_shapes, strict=True):
            own = None if at is None else broadcast_index(shape, step.shape, at)
            operands.append(element(self[key], own))
        return letters | letters_of(step.op, operands) | numbers_of(step.op, step.input_shapes, step.shape)


def broadcast_index(shape: tuple[int, ...], larger: tuple[int, ...], index: tuple[int, ...]) -> tuple[int, ...] | None:
    """Which element of an operand went into the element `index` of a result of shape `larger`; None if it isn't so."""
    lead = len(larger) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, larger[lead:], strict=True)):
        return None
    return tuple(0 if n == 1 else k for n, k in zip(shape, index[lead:], strict=True))


def arrays(gradient: np.ndarray) -> str:
    """A gradient in a few words: its value, its elements if few, else mean absolute value and norm."""
    gradient = gradient + 0.0  # no −0
    if gradient.size == 1:
        return numeral(gradient.ravel()[0])
    if few(gradient):
        return f"[{', '.join(numeral(v) for v in gradient)}]"
    measures = f"mean |·| {numeral(mean(gradient), 3)}, norm {numeral(norm(gradient), 3)}"
    return f"{theme.sizes(gradient.shape)}, {measures}"


def few(gradient: np.ndarray) -> bool:
    """Whether a gradient is written out."""
    return gradient.ndim == 1 and 0 < gradient.size <= FEW


def exact_sum(values: Iterable[float]) -> float:
    """The sum of numbers, rounded once; where it isn't finite, what floating-point addition gives.

    >>> exact_sum([0.1] * 10), exact_sum([math.inf, 1.0]), exact_sum([math.inf, -math.inf]), exact_sum([1e308, 1e308])
    (1.0, inf, nan, inf)
    """
    values = list(values)
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def mean(array: np.ndarray) -> float:
    """The mean absolute value, 0 of nothing."""
    return float(np.abs(array).mean(dtype=np.float64)) if array.size else 0.0


def norm(array: np.ndarray) -> float:
    """The Euclidean norm; squares of large and of small numbers don't leave the range of floats.

    >>> norm(np.array([0.0, -4e200])), norm(np.array([0.0, -1e-200])), norm(np.zeros(0))
    (4e+200, 1e-200, 0.0)
    """
    values = array.astype(np.float64).ravel()
    largest = float(np.abs(values).max(initial=0.0))
    if not 0 < largest < math.inf:
        return largest
    scale = 2.0 ** (math.frexp(largest)[1] - 1)  # a power of two costs no rounding
    return scale * float(np.linalg.norm(values / scale))
