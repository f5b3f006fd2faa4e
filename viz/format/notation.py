"""Formulas as strings, for a terminal and for LaTeX at once: what they write differently is marked, in both readings.

The signs of a formula are those of Unicode, and stand for LaTeX's. A name that a user gave may hold anything; it is
marked, so it is text, never part of the formula's language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensorgrad.formulas.expression import Binary, Expression, Negative, Number, Symbol
from tensorgrad.formulas.notation import Equation
from tensorgrad.formulas.numbers import put_numbers
from tensorgrad.formulas.signs import LATEX, SUBSCRIPTS
from tensorgrad.formulas.writing import ATOM, PRODUCT, SUM, Written, latex_signs, partial as written_partial
from tensorgrad.system.numbers import value_of
from tensorgrad.viz.format import theme

NAME, LATEX_READING, END, MATH, TEXT = "\ue000", "\ue004", "\ue001", "\ue002", "\ue003"
"""Characters for private use, which `theme.shorten` takes out of names: around what has two readings and between them,
and around a formula in a sentence."""

_WRITTEN = f"{NAME}[^{LATEX_READING}]*{LATEX_READING}[^{END}]*{END}"
LONGEST_NAME = 28
POWER_OF_TEN = re.compile(r"[\d.]+·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def written(text: str, in_latex: str) -> str:
    """A part of a formula that LaTeX writes in its own way."""
    return f"{NAME}{text}{LATEX_READING}{in_latex}{END}"


def name(text: str) -> str:
    """A tensor's name, on one line and cut."""
    shown = theme.shorten(text, LONGEST_NAME)
    return written(shown, latex_name(shown))


def numbered(letter: str, number: int) -> str:
    """`u₁₂`, a name that was made up."""
    below = "".join(SUBSCRIPTS[digit] for digit in str(number))
    return written(letter + below, f"{letter}_{{{number}}}")


def numeral(value: float, digits: int = 4) -> str:
    """A number: a power of ten is written out in LaTeX."""
    text = theme.number(float(value), digits)
    size, times, power = text.removeprefix("−").partition("·10")
    if not times:
        return text
    exponent = "".join(LATEX[sign] for sign in power).replace("}^{", "")
    return text[: text.startswith("−")] + written(size + times + power, rf"{size}\times 10{exponent}")


def inline(formula: str) -> str:
    """A formula inside a sentence."""
    return f"{MATH}{formula}{TEXT}"


def plain(text: str) -> str:
    """The text as a terminal shows it."""
    without = re.sub(f"{NAME}([^{LATEX_READING}]*){LATEX_READING}[^{END}]*{END}", r"\1", text)
    return without.replace(MATH, "").replace(TEXT, "")


def latex(formula: str) -> str:
    r"""A formula in LaTeX's mathematical mode: macros that LaTeX, MathJax and matplotlib know.

    >>> latex(partial("L", name("w_1")) + " = 2 · " + name("x"))
    '\\frac{\\partial L}{\\partial \\mathrm{w\\_1}} = 2 \\cdot x'
    """
    # Even stretches are signs, odd ones the readings of what is marked.
    stretches = re.split(f"{NAME}[^{LATEX_READING}]*{LATEX_READING}([^{END}]*){END}", formula)
    parts = [stretch if k % 2 else latex_signs(stretch) for k, stretch in enumerate(stretches)]
    return re.sub(" +", " ", "".join(parts))


class Setting(str):
    """What a formula writes for a letter that is a number of the op, and no operand: without it where it is 1."""

    __slots__ = ()


def put_in(formula: Expression, names: Mapping[str, str]) -> str:
    """An op's formula, each symbol replaced by what it stands for.

    A derivative is simplified where operands are numbers; the statement shows them as the program has them.

    >>> from tensorgrad.formulas.symbolic import statement_of
    >>> plain(put_in(statement_of(lambda x, y: x * y, ("x", "y")), {"x": name("w"), "y": "2", "z": name("v")}))
    'v = w · 2'
    """
    is_statement = isinstance(formula, Equation) and isinstance(formula.left, Symbol)
    numbers = {symbol: text for symbol, text in names.items() if isinstance(text, Setting) or not is_statement}
    found = with_numbers(_without_missing_bias(formula, names), numbers).write(readings(names))
    return written(found.text, found.latex)


def with_numbers(formula: Expression, names: Mapping[str, str]) -> Expression:
    """The formula with the numbers among these in their places, simplified."""
    found = {symbol: number for symbol, text in names.items() if (number := _as_number(text)) is not None}
    return put_numbers(formula, found) if found else formula


def _as_number(text: str) -> Expression | None:
    """The number that `factor` wrote; None for a name, which is marked."""
    shown = plain(text)
    if text.startswith(NAME) and not POWER_OF_TEN.search(shown):
        return None
    try:
        value = value_of(shown.strip("()"))
    except ValueError:
        return None
    size = shown.strip("(−)")
    number = Number(abs(value), size, latex(text).strip("(-)"))
    return Negative(number) if value < 0 else number


def _without_missing_bias(formula: Expression, names: Mapping[str, str]) -> Expression:
    """Of `z = … + b` the formula of a layer that has no b."""
    if "b" in names or not isinstance(formula, Equation) or not isinstance(formula.right, Binary):
        return formula
    return replace(formula, right=formula.right.left) if formula.right.right == Symbol("b") else formula


def readings(names: Mapping[str, str]) -> dict[str, Written]:
    """What stands for each symbol, as an expression takes it."""
    return {symbol: Written(plain(text), latex(text), _level(plain(text))) for symbol, text in names.items()}


def _level(text: str) -> int:
    """How tightly what stands for a symbol holds together: names are atoms, −2 and 3·10⁵ aren't."""
    if text.startswith("−"):
        return SUM
    return PRODUCT if POWER_OF_TEN.fullmatch(text) else ATOM


def element(symbol: str, index: tuple[int, ...] | None) -> str:
    """`w[0,2]`; the symbol alone without an index, or for a scalar."""
    return f"{symbol}[{','.join(map(str, index))}]" if index else symbol


def partial(of: str, by: str) -> str:
    """`∂of/∂by`."""
    both = written_partial(*(Written(plain(part), latex(part)) for part in (of, by)))
    return written(both.text, both.latex)


def factor(value: float, digits: int = 4) -> str:
    """A number as a factor of a product: negative ones in parentheses."""
    text = numeral(value, digits)
    return f"({text})" if text.startswith("−") else text


def total(values: list[str]) -> str:
    """Terms as a sum: `a + b − c`."""
    text = values[0]
    for value in values[1:]:
        text += f" − {value[1:]}" if value.startswith("−") else f" + {value}"
    return text


def few(items: Sequence[Any], most: int, gap: Any = "…") -> list[Any]:
    """All of up to `most` items; of more the first and the last, with a gap between.

    >>> few("abcdefgh", 5)
    ['a', 'b', '…', 'g', 'h']
    """
    half = most // 2
    return list(items) if len(items) <= most else [*items[:half], gap, *items[len(items) - half :]]


# ---------------------------------------------------------------------------------------------------------------- LaTeX


def latex_name(text: str) -> str:
    """A name in mathematical mode: one letter in italics, with its number below; all else upright and escaped."""
    base = text.rstrip("₀₁₂₃₄₅₆₇₈₉")
    if len(base) == 1 and base.isalpha() and (base.isascii() or base in LATEX):
        return LATEX.get(base, base).strip() + "".join(LATEX[c] for c in text[1:]).replace("}_{", "")
    signs = {**LATEX, " ": r"\ ", "`": "'", '"': "''"}
    return rf"\mathrm{{{''.join(signs.get(c, c) for c in text)}}}"


_TEXT_SIGNS = {
    **{"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    **{"−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "Σ": r"$\Sigma$", "∂": r"$\partial$", "ε": r"$\epsilon$"},
    **{"✓": "", "✗": "", "…": r"\dots{}", "±": r"$\pm$", "→": r"$\to$", "—": "---", "’": "'"},
}


def latex_sentence(text: str) -> str:
    """A sentence outside of mathematical mode, its formulas and names inside of it."""
    return _sentence(text, _TEXT_SIGNS)


_MARKDOWN_SIGNS = {c: f"\\{c}" for c in "\\`*_{}[]#|$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def markdown_sentence(text: str) -> str:
    """A sentence in Markdown, its formulas and names between dollar signs; everything else comes out as it is."""
    return _sentence(text, _MARKDOWN_SIGNS)


def _sentence(text: str, signs: dict[str, str]) -> str:
    def written(found: re.Match) -> str:
        formula = found["formula"] or found["name"]
        return f"${latex(formula)}$" if formula else signs.get(found[0], found[0])

    pattern = rf"{MATH}(?P<formula>[^{TEXT}]*){TEXT}|(?P<name>{_WRITTEN})|."
    return re.sub(pattern, written, text, flags=re.DOTALL)
