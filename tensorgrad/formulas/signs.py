"""Signs of formulas: Unicode's letters above and below the line, and what LaTeX calls a sign."""

SUPERSCRIPTS = dict(zip("0123456789−+xyTw", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ˣʸᵀʷ", strict=True))
SUBSCRIPTS = dict(zip("0123456789ijkmn", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₘₙ", strict=True))

LATEX = {
    **{"·": r"\cdot ", "×": r"\times ", "−": "-", "⊙": r"\odot ", "Σ": r"\sum ", "Π": r"\prod ", "∂": r"\partial "},
    **{"≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "≈": r"\approx ", "∞": r"\infty ", "½": r"\frac{1}{2}"},
    **{"⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∗": r"\ast ", "∫": r"\int "},
    **{"→": r"\to ", "…": r"\ldots ", "±": r"\pm ", "÷": r"\div ", "∧": r"\wedge ", "∨": r"\vee ", "¬": r"\neg "},
    **{"∀": r"\forall ", "∃": r"\exists ", "∈": r"\in ", "√": r"\sqrt{\ }", "′": "'", "‖": r"\Vert ", "⟨": r"\langle "},
    **{"⟩": r"\rangle ", "σ": r"\sigma ", "μ": r"\mu ", "ε": r"\epsilon ", "α": r"\alpha ", "β": r"\beta "},
    **{"φ": r"\phi ", "Φ": r"\Phi ", "π": r"\pi ", "θ": r"\theta ", "δ": r"\delta ", "λ": r"\lambda "},
    **{"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_", "~": r"\sim "},
    **{"Γ": r"\Gamma ", "ψ": r"\psi ", "⊻": r"\veebar "},
    **{"⊕": r"\oplus ", "\\": r"\backslash ", "^": r"\wedge "},
    **{raised: f"^{{{letter.replace('−', '-')}}}" for letter, raised in SUPERSCRIPTS.items()},
    **{lowered: f"_{{{letter}}}" for letter, lowered in SUBSCRIPTS.items()},
}

GREEK = {"alpha": "α", "beta": "β", "delta": "δ", "mu": "μ", "sigma": "σ", "eps": "ε", "xhat": "x\u0302"}
"""Parameters that formulas write by one letter."""

MACROS = frozenset("tanh max min ln exp sin cos tan sinh cosh arcsin arccos arctan log".split())  # noqa: SIM905
"""Functions that LaTeX has a macro for."""


def latex_word(word: str) -> str:
    """A word or letter of a formula: a function by its macro, one letter in italics, all else upright."""
    if word in MACROS:
        return rf"\{word} "
    if word.endswith("\u0302"):
        return rf"\hat{{{word[:-1]}}}"
    if len(word) == 1:
        return LATEX.get(word, word).strip()
    letters = "".join(LATEX.get(c, c) for c in word).replace("}^{", "").replace("}_{", "")  # one exponent, one index
    return rf"\mathrm{{{letters}}}"
