"""The chain rule's steps as formulas: what an op states of its derivative, as the gradient for an operand."""

from __future__ import annotations

from collections.abc import Mapping

from tensorgrad.formulas.expression import Expression, Indexed, expression
from tensorgrad.formulas.notation import Big, Equation, Partial
from tensorgrad.formulas.symbolic import LOSS
from tensorgrad.formulas.writing import CHOICE, PRODUCT, Written
from tensorgrad.viz.format.notation import put_in, readings, with_numbers, written


def backward_rule(derivative: Expression, letters: Mapping[str, str], scalar: bool) -> str:
    """The rule by which the gradient for z becomes that for x, of what an op states as its derivative.

    >>> from tensorgrad.formulas.symbolic import derivative_of
    >>> from tensorgrad.viz.format.notation import name, plain
    >>> derivative = derivative_of(lambda z: z * (1 - z), ("x",), 0)
    >>> plain(backward_rule(derivative, {"x": name("u"), "z": name("h")}, scalar=False))
    '∂L/∂u = ∂L/∂h ⊙ h ⊙ (1 − h)'
    """
    derivative = with_numbers(derivative, letters)
    if not isinstance(derivative, Equation) or not isinstance(derivative.left, Partial):
        return put_in(derivative, letters)
    of, by, local = derivative.left.of, derivative.left.by, derivative.right
    if "z" not in of.symbols:
        return put_in(derivative, letters)
    if isinstance(by, Indexed) and by.index.symbols[0] not in local.symbols:
        by = by.x
    upstream = Partial(LOSS, of)
    if local == expression(1):
        return put_in(Equation(Partial(LOSS, by), upstream), letters)
    names = readings(letters)
    found, factor = upstream.write(names), local.write(names).within(PRODUCT)
    if isinstance(of, Indexed):
        return put_in(Equation(Partial(LOSS, by), Big("Σ", upstream * local, of.index)), letters)
    if not (isinstance(by, Indexed) or scalar or not local.symbols):
        factor = Written(factor.text.replace(" · ", " ⊙ "), factor.latex.replace(r"\cdot ", r"\odot "))
        both = found.joined(" ⊙ ", factor, PRODUCT)
    else:
        both = found.joined(" · ", factor, PRODUCT)
    rule = Partial(LOSS, by).write(names).joined(" = ", both, CHOICE)
    return written(rule.text, rule.latex)
