"""How expressions are written: in Unicode and in LaTeX, with parentheses where an operator binds less tightly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tensorgrad.formulas.signs import LATEX, SUBSCRIPTS, SUPERSCRIPTS, latex_word

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


def follows_a_number(right: Written) -> bool:
    """Whether 2x is right: not 2 before another number, nor before a bracket, which would read as a function's."""
    return right.level >= POWER and not right.text[0].isdigit() and right.text[0] not in "(−"
