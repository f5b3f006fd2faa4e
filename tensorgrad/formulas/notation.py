"""Expressions of what Python's operators lack: brackets, roots, derivatives, sums, words, equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tensorgrad.formulas.expression import Expression
from tensorgrad.formulas.writing import (
    ATOM,
    CHOICE,
    PRODUCT,
    Names,
    Written,
    bracketed,
    latex_signs,
    partial,
    raised,
    subscript,
)


@dataclass(frozen=True, slots=True, repr=False)
class Fenced(Expression):
    """|x|, ⌊x⌋, ⌈x⌉, [x is NaN]"""

    left: str
    x: Expression
    right: str

    def write(self, names: Names) -> Written:
        return bracketed(self.left, self.x.write(names), self.right)


@dataclass(frozen=True, slots=True, repr=False)
class Root(Expression):
    """√x"""

    x: Expression

    def write(self, names: Names) -> Written:
        x = self.x.write(names)
        return Written(f"√{x.within(ATOM).text}", rf"\sqrt{{{x.latex}}}")


@dataclass(frozen=True, slots=True, repr=False)
class Partial(Expression):
    """∂z/∂x"""

    of: Expression
    by: Expression
    elementwise: ClassVar[bool] = False

    def write(self, names: Names) -> Written:
        return partial(self.of.write(names), self.by.write(names))


@dataclass(frozen=True, slots=True, repr=False)
class Transposed(Expression):
    """xᵀ"""

    x: Expression

    def write(self, names: Names) -> Written:
        return raised(self.x.write(names), Written("T", "T"))


@dataclass(frozen=True, slots=True, repr=False)
class Big(Expression):
    """Σ or another sign before what it runs over, perhaps with an index below."""

    sign: str
    x: Expression
    below: Expression | None = None

    def write(self, names: Names) -> Written:
        x = self.x.write(names).within(PRODUCT)
        below = self.below.write(names) if self.below is not None else Written("", "")
        latex = latex_signs(self.sign) + (f"_{{{below.latex}}}" if below.latex else "")
        return Written(f"{self.sign}{subscript(below.text)} {x.text}", f"{latex} {x.latex}", PRODUCT)


@dataclass(frozen=True, slots=True, repr=False)
class Phrase(Expression):
    """Words and expressions, one after the other."""

    said: tuple[Expression, ...]

    def write(self, names: Names) -> Written:
        first, *others = (part.write(names) for part in self.said)
        for part in others:
            index = part.text.startswith("[")
            gap = "" if index or part.text.startswith(",") else " "
            first = first.joined(gap, part, min(first.level, ATOM if index else CHOICE))
        return first

    @property
    def elementwise(self) -> bool:
        return bool(self.symbols) and all(part.elementwise for part in self.said)


@dataclass(frozen=True, slots=True, repr=False)
class Equation(Expression):
    """left = right"""

    left: Expression
    right: Expression
    sign: str = "="

    def write(self, names: Names) -> Written:
        return self.left.write(names).joined(f" {self.sign} ", self.right.write(names), CHOICE)
