"""The scalar program: numbers in numbered slots, and blocks of instructions that compute slots from slots.

There are three kinds of instructions, each with its step of the chain rule on the page: a function of a few numbers, a
sum of products, the extreme of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Slots = np.ndarray
"""Numbers of slots, flat."""

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Function:
    """A function of a few numbers.

    Attributes:
        value: as JavaScript, of its operands.
        slopes: its derivative for each operand, as JavaScript of the operands and the result; "" where it has none.
        compute: the function on NumPy arrays.
    """

    value: str
    slopes: tuple[str, ...]
    compute: Callable[..., np.ndarray] = field(compare=False)


@dataclass(frozen=True)
class Mapped:
    """`out[k] = f(x[k], y[k], …)`."""

    function: Function
    out: Slots
    operands: tuple[Slots, ...]

    def run(self, values: np.ndarray) -> None:
        """Compute the slots."""
        values[self.out] = self.function.compute(*(values[slots] for slots in self.operands))


@dataclass(frozen=True)
class Products:
    """`out[at[t]] += c[t] · x[t] · w[t] …`, for each term t, from 0 on; all terms have as many factors."""

    out: Slots
    at: np.ndarray
    coefficients: np.ndarray
    factors: tuple[Slots, ...]

    def run(self, values: np.ndarray) -> None:
        """Compute the slots."""
        product = self.coefficients
        for slots in self.factors:
            product = product * values[slots]
        values[self.out] = np.bincount(self.at, product, len(self.out))


@dataclass(frozen=True)
class Extremes:
    """`out[k] = max of group k`, or with the sign −1 its minimum; a tie is shared evenly, or goes to the first."""

    out: Slots
    groups: tuple[Slots, ...]
    sign: int
    shared: bool

    def run(self, values: np.ndarray) -> None:
        """Compute the slots."""
        values[self.out] = [self.sign * np.max(self.sign * values[group]) for group in self.groups]


Block = Mapped | Products | Extremes


class Tape:
    """Slots with their first values, and the blocks that compute them.

    >>> tape = Tape()
    >>> x = tape.new([2.0, 3.0])
    >>> z = tape.products(1, [0, 0], [1.0, 10.0], [x])
    >>> tape.run()[z]
    array([32.])
    """

    def __init__(self) -> None:
        self.values: list[float] = []
        self.blocks: list[Block] = []
        self._constants: dict[float, int] = {}

    def new(self, array: Numbers) -> Slots:
        """Slots for the elements of an array, in C order."""
        start = len(self.values)
        self.values += np.asarray(array, np.float64).ravel().tolist()
        return np.arange(start, len(self.values))

    def constant(self, value: float) -> int:
        """The slot of a number that never changes."""
        if value not in self._constants:
            self._constants[value] = int(self.new([value])[0])
        return self._constants[value]

    def mapped(self, function: Function, operands: Sequence[Slots]) -> Slots:
        """A function of some slots, in new ones."""
        out = self.new(np.zeros(len(operands[0])))
        self.blocks.append(Mapped(function, out, tuple(operands)))
        return out

    def products(
        self,
        count: int,
        at: Sequence[int] | np.ndarray,
        coefficients: Sequence[float] | np.ndarray,
        factors: Sequence[Slots],
    ) -> Slots:
        """Sums of products, in `count` new slots; `at` says which one each term belongs to."""
        out = self.new(np.zeros(count))
        self.blocks.append(Products(out, np.asarray(at, int), np.asarray(coefficients, float), tuple(factors)))
        return out

    def extremes(self, groups: Sequence[Slots], sign: int, shared: bool) -> Slots:
        """The maximum of each group, or with the sign −1 its minimum, in new slots."""
        out = self.new(np.zeros(len(groups)))
        self.blocks.append(Extremes(out, tuple(groups), sign, shared))
        return out

    def run(self, values: np.ndarray | None = None, start: int = 0) -> np.ndarray:
        """The values of all slots as the blocks from number `start` on compute them."""
        computed = np.array(self.values if values is None else values)
        with np.errstate(all="ignore"):
            for block in self.blocks[start:]:
                block.run(computed)
        return computed
