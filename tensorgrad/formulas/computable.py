"""The notation of formulas, read as what it computes: |x| is abs(x), eˣ is exp(x), √x is sqrt(x), `ln x` is log(x).

Ops state formulas for readers. Where one holds signs and words of mathematics that aren't arithmetic, this is what a
program makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from tensorgrad.formulas.expression import (
    Applied,
    Binary,
    Call,
    Choice,
    Comparison,
    Expression,
    Indexed,
    Number,
    Symbol,
    Verbatim,
    expression,
)
from tensorgrad.formulas.notation import Equation, Fenced, Phrase, Root

FUNCTIONS = {"ln": "log", "log₂": "log2", "max": "maximum", "min": "minimum", "max of": "max", "min of": "min"}
"""Functions by the names that formulas write, where programs call them otherwise."""

GROUPED = frozenset(("max", "min", "mean"))
"""Functions of a group of numbers, such as those of one row."""

BRACKETS = {"||": "abs", "⌊⌋": "floor", "⌈⌉": "ceil"}
RELATIONS = frozenset("=≠<≤>≥")
INFIX = {
    **{"or": "logical_or", "∨": "logical_or", "∧": "logical_and", "⊻": "logical_xor"},
    **{"|": "bitwise_or", "&": "bitwise_and", "⊕": "bitwise_xor"},
}
"""Functions that formulas write between their operands, the ones that bind least first."""

BESIDE = {"not": "logical_not", "is NaN": "isnan"}
"""Functions that formulas write before or behind their operand."""


def computable(stated: Expression) -> Expression:
    """The same formula in calls, arithmetic and comparisons; of an equation its right side.

    >>> from tensorgrad.formulas.symbolic import fenced, words
    >>> x, e = Symbol("x"), Symbol("e")
    >>> print(computable(words("ln", e ** fenced("|", x, "|"))))
    log(exp(abs(x)))
    """
    if isinstance(stated, Equation):
        return computable(stated.right)
    if isinstance(stated, Fenced):
        name = BRACKETS.get(stated.left + stated.right)
        return call(name, computable(stated.x)) if name else computable(stated.x)
    if isinstance(stated, Root):
        return call("sqrt", computable(stated.x))
    if isinstance(stated, Choice):
        return call("where", *(computable(part) for part in stated.parts))
    if isinstance(stated, Phrase):
        x, *rest = stated.said
        if len(rest) == 1 and isinstance(rest[0], Fenced) and rest[0].left == "[":
            return Indexed(computable(x), computable(rest[0].x))
        return _phrase(list(map(computable, stated.said)))
    if isinstance(stated, Applied):
        return _applied(stated.function, *map(computable, stated.operands))
    if isinstance(stated, Binary) and stated.sign == "^" and stated.left == Symbol("e"):
        return call("exp", computable(stated.right))
    if isinstance(stated, Call):
        body = None if stated.body is None else computable(stated.body)
        # A function that is written by its name alone has itself as its body.
        own = isinstance(body, Call) and body.name == stated.name
        operands = tuple(map(computable, stated.operands))
        return Call(stated.name, operands, Applied(stated.name, operands), None if own else body)
    if isinstance(stated, Verbatim) and stated.words.lstrip("−") == "∞":
        return expression(-math.inf if stated.words[0] == "−" else math.inf)
    if isinstance(stated, Symbol | Number | Verbatim | Indexed):
        return stated
    parts: dict[str, Any] = {field.name: getattr(stated, field.name) for field in fields(stated)}  # type: ignore[arg-type]
    return replace(
        stated,  # type: ignore[type-var]
        **{name: computable(part) for name, part in parts.items() if isinstance(part, Expression) and name != "below"},
    )


def call(name: str, *operands: Expression) -> Call:
    """A function by the name that programs call it."""
    return Call(name, operands, Applied(name, operands))


def _applied(name: str, *operands: Expression) -> Call:
    grouped = len(operands) == 1 and name in GROUPED
    return call(name if grouped else FUNCTIONS.get(name, name), *operands)


def _phrase(parts: Sequence[Expression]) -> Expression:
    """A row of words and expressions: operands of a logical function, a chain of relations, a function, a product."""
    first, *rest = parts
    if not rest and not isinstance(first, Verbatim):
        return first
    for sign, name in INFIX.items():
        if Verbatim(sign) in rest:
            at = rest.index(Verbatim(sign)) + 1
            return call(name, _phrase(parts[:at]), _phrase(parts[at + 1 :]))
    signs = [part.words for part in parts[1::2] if isinstance(part, Verbatim)]
    if len(parts) > 2 and len(signs) == len(parts) // 2 and RELATIONS.issuperset(signs):
        relations = [Comparison(sign, *parts[2 * k : 2 * k + 3 : 2]) for k, sign in enumerate(signs)]
        chain: Expression = relations[0]
        for relation in relations[1:]:
            chain = call("logical_and", chain, relation)
        return chain
    for part, other in (parts, parts[::-1]) if len(parts) == 2 else ():
        if isinstance(part, Verbatim) and part.words in BESIDE:
            return call(BESIDE[part.words], other)
    if isinstance(first, Verbatim) and rest and not isinstance(rest[0], Verbatim):
        return _applied(first.words, rest[0])
    if len(parts) == 2 and not isinstance(rest[0], Verbatim):
        return first * rest[0]
    raise TypeError(f"{' '.join(map(str, parts))} can't be computed")
