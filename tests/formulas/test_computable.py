"""The notation of formulas, read as what it computes, and written as JavaScript."""

import pytest

import tensorgrad as tg
from tensorgrad.formulas.computable import computable
from tensorgrad.formulas.expression import Symbol
from tensorgrad.formulas.javascript import arrow_function
from tensorgrad.formulas.symbolic import fenced, on_symbols, root, words


def test_notation_is_read_as_what_it_computes():
    x, y, e = Symbol("x"), Symbol("y"), Symbol("e")
    read = {
        "abs(x)": fenced("|", x, "|"),
        "log(exp(x))": words("ln", e**x),
        "sqrt(x + 1)": root(x + 1),
        "logical_and([x ≤ y], [y ≤ 1])": fenced("[", words(x, "≤", y, "≤", 1), "]"),
        "logical_or([x < y], [y = 1])": words(x, "<", y, "or", y, "=", 1),
        "logical_not(x)": words("not", x),
        "isnan(x)": words(x, "is NaN"),
        "[abs(x) < inf]": words(fenced("|", x, "|"), "<", "∞"),
        "max(x)": words("max of", x, "over each window"),
    }
    assert {str(computable(stated)): stated for stated in read.values()} == read
    with pytest.raises(TypeError, match="part of"):
        computable(words("part of", "it", x, y))


def test_formulas_become_javascript():
    sigmoid = on_symbols(lambda x: 1 / (1 + tg.exp(-x)))
    written = arrow_function(sigmoid, ["x"], {"exp"})
    assert written == "(x) => { const t0 = -x, t1 = exp(t0), t2 = 1 + t1; return 1 / t2; }"
    assert arrow_function(Symbol("x") * float("-inf"), ["x"], ()) == "(x) => { const t0 = -Infinity; return x * t0; }"
    with pytest.raises(TypeError, match="erf"):
        arrow_function(on_symbols(lambda x: tg.erf(x)), ["x"], ())
