"""Formulas as strings: Unicode with marks around names, so that they can be shown as they are or turned into LaTeX.

A name that a user gave may hold anything; between its marks it is text, never part of the formula's language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tensorgrad.viz.format import theme

NAME, END, MATH, TEXT = "\ue000", "\ue001", "\ue002", "\ue003"
"""Characters for private use, which `style.shorten` takes out of names: around a name, and a formula in a sentence."""

_MARKS = str.maketrans("", "", NAME + END + MATH + TEXT)
LONGEST_NAME = 28

_SUPER = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ˣʸᵀʷ", "0123456789−+xyTw", strict=True))
_SUB = dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₘₙ", "0123456789ijkmn", strict=True))
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def name(text: str) -> str:
    """A tensor's name, on one line, cut, and marked."""
    return f"{NAME}{theme.shorten(text, LONGEST_NAME)}{END}"


def numbered(letter: str, number: int) -> str:
    """`u₁₂`, marked as a name."""
    return f"{NAME}{letter}{str(number).translate(_DIGITS)}{END}"


def inline(formula: str) -> str:
    """A formula inside a sentence."""
    return f"{MATH}{formula}{TEXT}"


def plain(text: str) -> str:
    """The text as a terminal shows it."""
    return text.translate(_MARKS)


def element(symbol: str, index: tuple[int, ...] | None) -> str:
    """`w[0,2]`; the symbol alone without an index, or for a scalar."""
    return f"{symbol}[{','.join(map(str, index))}]" if index else symbol


def partial(of: str, by: str) -> str:
    """`∂of/∂by`."""
    return f"∂{of}/∂{by}"


def factor(value: float, digits: int = 4) -> str:
    """A number as a factor of a product: negative ones in parentheses."""
    text = theme.number(float(value), digits)
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

_SIGNS = {
    **{"·": r"\cdot ", "×": r"\times ", "−": "-", "⊙": r"\odot ", "Σ": r"\sum ", "Π": r"\prod ", "∂": r"\partial "},
    **{"≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "≈": r"\approx ", "∞": r"\infty ", "½": r"\frac{1}{2}"},
    **{"⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∗": r"\ast ", "∫": r"\int "},
    **{
        "→": r"\to ",
        "…": r"\ldots ",
        "±": r"\pm ",
        "÷": r"\div ",
        "∧": r"\wedge ",
        "∨": r"\vee ",
        "¬": r"\neg ",
        "⊕": r"\oplus ",
    },
    **{"∀": r"\forall ", "∃": r"\exists ", "∈": r"\in ", "√": r"\sqrt{\ }", "′": "'", "‖": r"\Vert ", "⟨": r"\langle "},
    **{"⟩": r"\rangle ", "σ": r"\sigma ", "μ": r"\mu ", "ε": r"\epsilon ", "α": r"\alpha ", "β": r"\beta "},
    **{"φ": r"\phi ", "Φ": r"\Phi ", "π": r"\pi ", "θ": r"\theta ", "δ": r"\delta ", "λ": r"\lambda "},
    **{"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_", "~": r"\sim "},
    "\\": r"\backslash ",
}
_KNOWN_WORDS = {
    "tanh",
    "max",
    "min",
    "ln",
    "exp",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "arcsin",
    "arccos",
    "arctan",
    "log",
}

_SYMBOL = rf"(?:{NAME}[^{END}]*{END}|[A-Za-z]+[{''.join(_SUB)}]*)(?:\[[^\]]*\])?"
_PIECE = re.compile(
    "|".join(
        (
            rf"(?P<fraction>∂(?P<of>{_SYMBOL})/∂(?P<by>{_SYMBOL}))",
            rf"(?P<name>{NAME}[^{END}]*{END})",
            r"(?P<number>\d+(?:\.\d+)?e[−+]?\d+)",
            rf"(?P<super>[{''.join(_SUPER)}]+)",
            rf"(?P<sub>[{''.join(_SUB)}]+)",
            r"_\{(?P<below>[^}]*)\}",
            r"(?P<hat>[A-Za-z])\u0302",
            rf"\^(?P<power>{_SYMBOL}|[\d.]+)",
            r"(?P<opens>[\^√]\()",
            r"√(?P<root>\w)",
            r"(?P<words>[A-Za-z]{2,}(?:[ -][A-Za-z]{2,})*)",
            r"(?P<other>.)",
        )
    ),
    re.DOTALL,
)


def latex(formula: str) -> str:
    r"""A formula in LaTeX's mathematical mode: macros that LaTeX, MathJax and matplotlib know.

    >>> latex("∂L/∂x = 2x · √(1 − z²)")
    '\\frac{\\partial L}{\\partial x} = 2x \\cdot \\sqrt{1 - z^{2}}'
    """
    parts, at = [], 0
    while at < len(formula):
        piece = _PIECE.match(formula, at)
        assert piece is not None  # its last alternative is any character
        at = piece.end()
        kind, text = piece.lastgroup, piece.group()
        # The inner groups of a fraction end after it began, and are the last to match.
        if piece["fraction"]:
            parts.append(rf"\frac{{\partial {latex(piece['of'])}}}{{\partial {latex(piece['by'])}}}")
        elif kind == "name":
            parts.append(latex_name(text[1:-1]))
        elif kind == "number":
            mantissa, exponent = text.replace("−", "-").split("e")
            parts.append(rf"{mantissa}\times 10^{{{int(exponent)}}}")
        elif kind == "super":
            parts.append(f"^{{{latex(''.join(_SUPER[c] for c in text))}}}")
        elif kind == "sub":
            parts.append(f"_{{{''.join(_SUB[c] for c in text)}}}")
        elif kind == "below":
            parts.append(f"_{{{latex(piece['below'])}}}")
        elif kind == "hat":
            parts.append(rf"\hat{{{piece['hat']}}}")
        elif kind == "power":
            parts.append(f"^{{{latex(piece['power'])}}}")
        elif kind == "opens":
            end = _closing(formula, at)
            inner = latex(formula[at:end])
            parts.append(f"^{{{inner}}}" if text[0] == "^" else rf"\sqrt{{{inner}}}")
            at = end + 1
        elif kind == "root":
            parts.append(rf"\sqrt{{{latex(piece['root'])}}}")
        elif kind == "words":
            parts.append(_words(text))
        else:
            parts.append(_SIGNS.get(text, text))
    return re.sub(" +", " ", "".join(parts))


def latex_name(text: str) -> str:
    """A name in mathematical mode: one letter in italics, with its number below; all else upright and escaped."""
    base, digits = text.rstrip("₀₁₂₃₄₅₆₇₈₉"), text[len(text.rstrip("₀₁₂₃₄₅₆₇₈₉")) :]
    if len(base) == 1 and ((base.isascii() and base.isalpha()) or (base in _SIGNS and base.isalpha())):
        letter = _SIGNS.get(base, base).strip()
        return letter + (f"_{{{''.join(_SUB[c] for c in digits)}}}" if digits else "")
    signs = {**_SIGNS, "^": r"\wedge ", " ": r"\ ", "−": "-", "`": "'", '"': "''"}
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
    def written(piece: re.Match) -> str:
        formula = piece["formula"] or piece["name"]
        return f"${latex(formula)}$" if formula else signs.get(piece[0], piece[0])

    pattern = rf"{MATH}(?P<formula>[^{TEXT}]*){TEXT}|(?P<name>{NAME}[^{END}]*{END})|."
    return re.sub(pattern, written, text, flags=re.DOTALL)


def _words(text: str) -> str:
    if text in _KNOWN_WORDS:
        return rf"\{text} "
    escaped = text.replace(" ", r"\ ")
    return rf"\;\mathrm{{{escaped}}}\;"


def _closing(formula: str, at: int) -> int:
    """Where the parenthesis closes that was opened before `at`."""
    depth = 1
    for k in range(at, len(formula)):
        depth += {"(": 1, ")": -1}.get(formula[k], 0)
        if depth == 0:
            return k
    return len(formula)
