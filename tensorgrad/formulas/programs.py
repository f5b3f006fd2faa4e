"""Programs made from expressions: Python functions of numbers, in the vocabulary of the caller.

One expression is run on Tensors, on NumPy arrays and, compiled by numba, on the numbers of a vector: they differ in the
functions that the names in it stand for, and in how a number is spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from tensorgrad.formulas.expression import Binary, Call, Choice, Comparison, Expression, Negative, Number, Symbol

SIGNS = {
    "+": "+",
    "−": "-",
    "·": "*",
    "/": "/",
    "^": "**",
    ">": ">",
    "≥": ">=",
    "<": "<",
    "≤": "<=",
    "=": "==",
    "≠": "!=",
}
Vocabulary = Mapping[str, Callable[..., Any]]


def program(
    meaning: Expression, parameters: Sequence[str], vocabulary: Vocabulary, number: Callable[[float], str] = repr
) -> Callable[..., Any]:
    """The expression as a function of its symbols.

    Args:
        meaning: the expression. What occurs in it twice is computed once.
        parameters: the symbols, in the order in which the function takes their values.
        vocabulary: the functions by name; a call of another is replaced by the expression of that function.
        number: how a number is spelled.

    >>> from tensorgrad.formulas.expression import Symbol
    >>> x = Symbol("x")
    >>> program(1 / (1 + x**2), ["x"], {})(2.0)
    0.2
    """
    lines = source(meaning, parameters, vocabulary, number)
    scope: dict[str, Any] = {"__name__": __name__, **vocabulary}
    exec("\n".join(lines), scope)
    return scope["formula"]


def source(
    meaning: Expression, parameters: Sequence[str], vocabulary: Vocabulary, number: Callable[[float], str]
) -> list[str]:
    """The lines of that function: a step for each expression in it, the parts before the whole."""
    steps, result = steps_of(meaning, vocabulary, number)
    lines = [f"    {name} = {step}" for name, step in steps]
    return [f"def formula({', '.join(parameters)}):", *lines, f"    return {result}"]


def steps_of(
    meaning: Expression, vocabulary: Container[str], number: Callable[[float], str]
) -> tuple[list[tuple[str, str]], str]:
    """The steps that compute an expression, each a name and its code, and the code of the result.

    The code is in the operators that Python and JavaScript have in common.
    """
    names: dict[Expression, str] = {}
    steps: list[tuple[str, str]] = []

    def of(node: Expression) -> str:
        if isinstance(node, Symbol):
            return node.name
        if isinstance(node, Number):
            return number(float(node.value) if isinstance(node.value, float) else node.value)
        if isinstance(node, Call) and node.name not in vocabulary:
            if node.body is None:
                raise TypeError(f"{node.name} is neither in the vocabulary nor made of other functions")
            return of(node.body)
        if node not in names:
            step = _step(node, of)
            names[node] = f"t{len(names)}"
            steps.append((names[node], step))
        return names[node]

    return steps, of(meaning)


def _step(node: Expression, of: Callable[[Expression], str]) -> str:
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(of, node.operands))})"
    if isinstance(node, Negative):
        return f"-{of(node.x)}"
    if isinstance(node, Binary) and node.sign == "^" and isinstance(node.right, Number) and node.right.value in (2, 3):
        return " * ".join([of(node.left)] * int(node.right.value))
    if isinstance(node, Binary | Comparison):
        return f"{of(node.left)} {SIGNS[node.sign]} {of(node.right)}"
    raise TypeError(f"{node} can't be computed")


def times(g: Expression, factor: Expression) -> Expression:
    """g · factor in as few steps as can be: g · (1/x) is g/x, which loses nothing where 1/x is rounded or overflows."""
    if isinstance(factor, Number) and factor.value == 1:
        return g
    if isinstance(factor, Negative):
        return -times(g, factor.x)
    if isinstance(factor, Binary) and factor.sign == "/":
        return times(g, factor.left) / factor.right
    # A guarded factor, such as x where it is finite else 0, isn't written as a choice: g must not enter it.
    if isinstance(factor, Call) and isinstance(factor.written, Choice):
        condition, x, y = factor.operands
        branches = condition, times(g, x), times(g, y)
        return Call("where", branches, Choice(*branches))
    return g * factor
