r"""Expressions: what a formula's Python function returns when it is run on symbols.

>>> from tensorgrad.formulas.writing import Written
>>> x, y = Symbol("x"), Symbol("y")
>>> print((x + 2 * y) / (1 - x**2))
(x + 2y)/(1 − x²)
>>> print((x * y).latex(), (x * y).text({"x": Written("w1", r"w_1")}))
x \cdot y w1 · y
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from tensorgrad.formulas.signs import GREEK, latex_word
from tensorgrad.formulas.writing import (
    APPLIED,
    ATOM,
    CHOICE,
    NO_NAMES,
    POWER,
    PREFIXES,
    PRODUCT,
    SUM,
    Names,
    Written,
    bracketed,
    follows_a_number,
    latex_signs,
    raised,
    subscript,
)


class Expression:
    """A node of an expression, with Python's operators; equal by structure."""

    def __add__(self, other: Any) -> Expression:
        return Binary("+", self, expression(other))

    def __radd__(self, other: Any) -> Expression:
        return Binary("+", expression(other), self)

    def __sub__(self, other: Any) -> Expression:
        return Binary("−", self, expression(other))

    def __rsub__(self, other: Any) -> Expression:
        return Binary("−", expression(other), self)

    def __mul__(self, other: Any) -> Expression:
        return Binary("·", self, expression(other))

    def __rmul__(self, other: Any) -> Expression:
        return Binary("·", expression(other), self)

    __matmul__ = __mul__

    def __truediv__(self, other: Any) -> Expression:
        return Binary("/", self, expression(other))

    def __rtruediv__(self, other: Any) -> Expression:
        return Binary("/", expression(other), self)

    def __pow__(self, other: Any) -> Expression:
        return Binary("^", self, expression(other))

    def __rpow__(self, other: Any) -> Expression:
        return Binary("^", expression(other), self)

    def __neg__(self) -> Expression:
        return Negative(self)

    def __gt__(self, other: Any) -> Expression:
        return Comparison(">", self, expression(other))

    def __ge__(self, other: Any) -> Expression:
        return Comparison("≥", self, expression(other))

    def __lt__(self, other: Any) -> Expression:
        return Comparison("<", self, expression(other))

    def __le__(self, other: Any) -> Expression:
        return Comparison("≤", self, expression(other))

    def __getitem__(self, index: Any) -> Expression:
        return Indexed(self, expression(index))

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def text(self, names: Names = NO_NAMES) -> str:
        """In Unicode, with names put in."""
        return self.write(names).text

    def latex(self, names: Names = NO_NAMES) -> str:
        """In LaTeX's mathematical mode, with names put in."""
        return " ".join(self.write(names).latex.split())

    def write(self, names: Names) -> Written:
        """Both texts, and how tightly the operator binds."""
        raise NotImplementedError

    @property
    def parts(self) -> Iterator[Expression]:
        """The expressions that it is made of."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            yield from (
                part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Expression)
            )

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of all symbols in it, in the order they are met."""
        found = dict.fromkeys(name for part in self.parts for name in part.symbols)
        return (self.name, *found) if isinstance(self, Symbol) else tuple(found)

    @property
    def elementwise(self) -> bool:
        """Whether it computes with one element of each operand: it has no index and no words."""
        return all(part.elementwise for part in self.parts)


class Constant(float):
    """A number that is written by a sign of its own, and perhaps by another in LaTeX: `Constant(math.pi, "π")`."""

    sign: str
    latex: str

    def __new__(cls, value: float, sign: str, latex: str = "") -> Constant:
        self = super().__new__(cls, value)
        self.sign, self.latex = sign, latex or latex_signs(sign)
        return self


class Stated(str):
    """The text of an expression that also holds the expression: records are read as text."""

    expression: Expression

    def __new__(cls, stated: Expression) -> Stated:
        self = super().__new__(cls, stated.text())
        self.expression = stated
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Stated, (self.expression,)


def expression(value: Any) -> Expression:
    """Itself, or a number as an expression; a text stands as it is."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, Stated):
        return value.expression
    if isinstance(value, str):
        return Verbatim(value)
    if value < 0:
        return Negative(expression(-value))
    return Number(value, *((value.sign, value.latex) if isinstance(value, Constant) else [f"{value:g}"] * 2))


@dataclass(frozen=True, slots=True, repr=False)
class Number(Expression):
    """A number that isn't negative."""

    value: float
    sign: str
    latex_sign: str

    def write(self, names: Names) -> Written:
        return Written(self.sign, self.latex_sign, PRODUCT if "/" in self.sign or "·" in self.sign else ATOM)

    @property
    def leads(self) -> bool:
        """Whether it may stand directly before a letter, as in 2x or ½x."""
        return self.sign.replace(".", "").isalnum()


@dataclass(frozen=True, slots=True, repr=False)
class Symbol(Expression):
    """A letter or word that stands for an operand, the result z, or a parameter."""

    name: str

    def write(self, names: Names) -> Written:
        letter = GREEK.get(self.name, self.name)
        return names[self.name] if self.name in names else Written(letter, latex_word(letter))


@dataclass(frozen=True, slots=True, repr=False)
class Verbatim(Expression):
    """Words or signs, which stand as they are."""

    words: str

    def write(self, names: Names) -> Written:
        return Written(self.words, latex_signs(self.words))


@dataclass(frozen=True, slots=True, repr=False)
class Negative(Expression):
    """−x"""

    x: Expression

    def write(self, names: Names) -> Written:
        x = self.x.write(names).within(PRODUCT)
        return Written(f"−{x.text}", f"-{x.latex}", SUM)


@dataclass(frozen=True, slots=True, repr=False)
class Binary(Expression):
    """Two operands with one of the signs + − / ^ between, or · or another of a product."""

    sign: str
    left: Expression
    right: Expression

    def write(self, names: Names) -> Written:
        left, right = self.left.write(names), self.right.write(names)
        if self.sign == "^":
            return raised(left, right)
        if self.sign in "+−":
            if isinstance(self.right, Negative):
                other = self.right.x.write(names).within(PRODUCT)
                return left.within(SUM).joined(" − " if self.sign == "+" else " + ", other, SUM)
            return left.within(SUM).joined(f" {self.sign} ", right.within(SUM + (self.sign == "−")), SUM)
        level = SUM if isinstance(self.left, Negative) else PRODUCT
        if self.sign != "/":
            sign = (
                ""
                if isinstance(self.left, Number) and self.left.leads and follows_a_number(right)
                else f" {self.sign} "
            )
            return left.within(level).joined(sign, right.within(PRODUCT), level)
        over = left.within(level)
        text = f"{over.text}/{right.within(APPLIED).text}"
        return Written(text, rf"\frac{{{left.latex}}}{{{right.latex}}}", level)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Expression):
    """x > y: 1 where it holds, else 0, which is written in Iverson's brackets."""

    sign: str
    left: Expression
    right: Expression

    def write(self, names: Names) -> Written:
        return bracketed("[", self.bare(names), "]")

    def bare(self, names: Names) -> Written:
        """Without brackets, as a condition."""
        return self.left.write(names).joined(f" {self.sign} ", self.right.write(names), CHOICE)


@dataclass(frozen=True, slots=True, repr=False)
class Choice(Expression):
    """x if the condition holds, else y."""

    condition: Expression
    x: Expression
    y: Expression

    def write(self, names: Names) -> Written:
        condition = self.condition
        said = condition.bare(names) if isinstance(condition, Comparison) else condition.write(names)
        start = self.x.write(names).within(SUM).joined(" if ", said, CHOICE)
        return start.joined(" else ", self.y.write(names).within(SUM), CHOICE)


@dataclass(frozen=True, slots=True, repr=False)
class Applied(Expression):
    """A function as it is written: `tanh x`, `σ(x)`."""

    function: str
    operands: tuple[Expression, ...]

    def write(self, names: Names) -> Written:
        written = [x.write(names) for x in self.operands]
        function = Written(self.function, latex_signs(self.function))
        bare = len(written) == 1 and self.function in PREFIXES and written[0].level == ATOM
        if bare and not written[0].text.startswith(("(", "[")):
            return function.joined(" ", written[0], APPLIED)
        inside = written[0] if written else Written("", "")
        for operand in written[1:]:
            inside = inside.joined(", ", operand, CHOICE)
        brackets = bracketed("(", inside, ")")
        return Written(function.text + brackets.text, function.latex + brackets.latex, POWER)


@dataclass(frozen=True, slots=True, repr=False)
class Call(Expression):
    """A function of numbers: how it is written, and the expression to compute if it consists of other functions."""

    name: str
    operands: tuple[Expression, ...]
    written: Expression
    body: Expression | None = None

    def write(self, names: Names) -> Written:
        return self.written.write(names)

    @property
    def parts(self) -> Iterator[Expression]:
        yield from self.operands


@dataclass(frozen=True, slots=True, repr=False)
class Indexed(Expression):
    """xᵢ; written as the tensor's own name where it has one."""

    x: Expression
    index: Expression
    elementwise: ClassVar[bool] = False

    def write(self, names: Names) -> Written:
        x, index = self.x.write({}), self.index.write(names)
        known = x.text + subscript(index.text)
        if known in names:
            return names[known]
        x = self.x.write(names)
        base = f"{{{x.latex}}}" if "_" in x.latex else x.latex  # LaTeX refuses two indices of one letter
        return Written(x.text + subscript(index.text), f"{base}_{{{index.latex}}}", x.level)
