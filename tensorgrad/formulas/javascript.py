"""Formulas as JavaScript: the steps of `programs`, framed as an arrow function."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from tensorgrad.formulas.computable import computable
from tensorgrad.formulas.expression import Expression
from tensorgrad.formulas.programs import steps_of


def arrow_function(stated: Expression, parameters: Sequence[str], vocabulary: Container[str]) -> str:
    """The formula as a JavaScript function of its symbols.

    Args:
        stated: the formula.
        parameters: the symbols, in the order in which the function takes their values.
        vocabulary: the functions that the program has, by their names in formulas; others are replaced by what they are
            made of.

    Raises:
        TypeError: it holds words, or a function that is neither in the vocabulary nor made of others.

    >>> from tensorgrad.formulas.expression import Symbol
    >>> x = Symbol("x")
    >>> arrow_function(1 / (1 + x**2), ["x"], ())
    '(x) => { const t0 = x * x, t1 = 1 + t0; return 1 / t1; }'
    >>> arrow_function(x, ["x"], ())
    '(x) => x'
    """
    steps, result = steps_of(computable(stated), vocabulary, number)
    head = f"({', '.join(parameters)}) =>"
    if steps and steps[-1][0] == result:
        result = steps.pop()[1]
    if not steps:
        return f"{head} {result}"
    return f"{head} {{ const {', '.join(f'{name} = {step}' for name, step in steps)}; return {result}; }}"


def number(value: float) -> str:
    """A number as JavaScript spells it."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
    return repr(float(value)).removesuffix(".0")
