r"""Expressions: what a formula's Python function returns when it is run on symbols.

>>> x, y = Symbol("x"), Symbol("y")
>>> print((x + 2 * y) / (1 - x**2))
(x + 2y)/(1 − x²)
>>> print((x * y).latex(), (x * y).text({"x": Written("w1", r"w_1")}))
x \cdot y w1 · y
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from tensorgrad.formulas.signs import GREEK, LATEX, SUBSCRIPTS, SUPERSCRIPTS, latex_word

CHOICE, SUM, PRODUCT, APPLIED, POWER, ATOM = range(6)
"""How tightly a written expression holds together: as a part of a tighter one it needs parentheses."""


class Written(NamedTuple):
    """An expression in Unicode and in LaTeX's mathematical mode, and how tightly its operator binds."""

    text: str
    latex: str
    level: int = ATOM

    def within(self, level: int) -> Written:
        """In parentheses, unless its operator binds at least so tightly."""
        return self if self.level >= level else Written(f"({self.text})", f"({self.latex})")

    def joined(self, sign: str, other: Written, level: int) -> Written:
        """Both with a sign between, which stands in a text as it is."""
        between = latex_signs(sign)
        if not between and re.search(r"\\[a-zA-Z]+$", self.latex) and other.latex[:1].isalpha():
            between = " "  # else the letter would belong to the macro before it
        return Written(f"{self.text}{sign}{other.text}", f"{self.latex}{between}{other.latex}", level)


Names = Mapping[str, Written]
"""What stands for a symbol, by its name: the user's own names."""

NO_NAMES: Names = {}


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
        return Written(self.sign, self.latex_sign, PRODUCT if "/" in self.sign else ATOM)

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
                if isinstance(self.left, Number) and self.left.leads and _follows_a_number(right)
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


# ---------------------------------------------------------------------------------------------------- how it is written

PREFIXES = frozenset(
    "ln log₂ sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh mean".split()  # noqa: SIM905
)
"""Functions that stand before one letter or name without parentheses."""


def bracketed(left: str, x: Written, right: str) -> Written:
    """Between brackets, which grow with what they hold."""
    return Written(f"{left}{x.text}{right}", f"{latex_signs(left)}{x.latex}{latex_signs(right)}")


def raised(base: Written, exponent: Written) -> Written:
    """A power, with a raised exponent if Unicode has all of its letters."""
    base = base.within(ATOM)
    bare = exponent.text.replace(" ", "")
    if bare and all(c in SUPERSCRIPTS for c in bare):
        text = "".join(SUPERSCRIPTS[c] for c in bare)
    else:
        text = f"^{exponent.within(ATOM).text}"
    return Written(base.text + text, f"{base.latex}^{{{exponent.latex}}}", ATOM if len(text) == 1 else POWER)


def subscript(index: str) -> str:
    """A lowered index, or one in braces if Unicode lacks a letter of it."""
    return "".join(SUBSCRIPTS[c] for c in index) if all(c in SUBSCRIPTS for c in index) else f"_{{{index}}}"


def partial(of: Written, by: Written) -> Written:
    """∂of/∂by"""
    latex = rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}"
    return Written(f"∂{of.text}/∂{by.text}", latex)


@lru_cache(1024)
def latex_signs(text: str) -> str:
    """Words and signs in LaTeX: words upright, signs by their macros."""
    words = [_word_or_signs(word) for word in text.split(" ")]
    # Spaces of the source vanish in LaTeX, so those beside words are written out.
    spaced = " ".join(rf"\;{word}\;" if word.startswith(r"\mathrm") and len(words) > 1 else word for word in words)
    return spaced.replace(r"}\; \;\mathrm{", r"\ ")


def _word_or_signs(text: str) -> str:
    word = text.strip("()[],")
    if word.endswith("\u0302"):  # a hat over the letter before it
        return text.replace(word, latex_word(word))
    if len(word) < 2 or not (word.isascii() and all(part.isalpha() for part in word.split("-"))):
        return "".join(LATEX.get(c, c) for c in text).replace("}^{", "").replace("}_{", "")  # one exponent, one index
    return text.replace(word, latex_word(word))


def _follows_a_number(right: Written) -> bool:
    """Whether 2x is right: not 2 before another number, nor before a bracket, which would read as a function's."""
    return right.level >= POWER and not right.text[0].isdigit() and right.text[0] not in "(−"
