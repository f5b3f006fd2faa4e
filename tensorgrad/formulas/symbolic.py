"""Formulas run on symbols: a function's parameters say which symbols it is about.

>>> print(statement_of(lambda x, y: x * y, ("x", "y")))
z = x · y
>>> print(derivative_of(lambda y: y, ("x", "y"), 0))
∂z/∂x = y
>>> print(derivative_of(lambda grad, w: grad @ w, ("x", "w"), 0))
∂L/∂x = ∂L/∂z · w
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

from tensorgrad.formulas.expression import (
    Applied,
    Binary,
    Call,
    Comparison,
    Constant,
    Expression,
    Indexed,
    Symbol,
    expression,
)
from tensorgrad.formulas.notation import Big, Equation, Fenced, Partial, Phrase, Root, Transposed

Formula: TypeAlias = Callable[..., Any] | str
"""A function of symbols, each named by its parameter: operands, `z` for the result, `grad` for ∂L/∂z, parameters of the
op, the indices i, j, k. Or a text, which is shown as it stands."""

Z, LOSS = Symbol("z"), Symbol("L")
UPSTREAM = Partial(LOSS, Z)
HALF = Constant(0.5, "½")


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a Python function's positional parameters, read off its code.

    Every op asks for them as it is imported, and `inspect.signature` would take 30 µs each time.

    >>> parameters_of(lambda x, *others, scale=1.0: x)
    ('x', 'others')
    """
    code = inspect.unwrap(function).__code__
    last = code.co_argcount + code.co_kwonlyargcount
    variadic = code.co_varnames[last : last + 1] if code.co_flags & inspect.CO_VARARGS else ()
    return code.co_varnames[: code.co_argcount] + variadic


def on_symbols(function: Callable[..., Any], upstream: Expression = UPSTREAM) -> Expression:
    """What the function gives for symbols named as its parameters, and `upstream` for `grad`."""
    names = parameters_of(function)
    return expression(function(*[upstream if name == "grad" else Symbol(name) for name in names]))


def statement_of(formula: Formula, inputs: tuple[str, ...]) -> Expression:
    """`z = …`"""
    if isinstance(formula, str):
        return expression(formula)
    stated = on_symbols(formula)
    return stated if isinstance(stated, Equation) else Equation(Z, stated)


def derivative_of(
    derivative: Formula | None, inputs: tuple[str, ...], position: int, variadic: bool = False
) -> Expression | None:
    """`∂z/∂x = …`; of a function of `grad` `∂L/∂x = …`; of a function of `i` for an element xᵢ. None of nothing."""
    if not derivative or isinstance(derivative, str):
        return expression(derivative) if derivative else None
    stated, names = on_symbols(derivative), parameters_of(derivative)
    if isinstance(stated, Equation):
        return stated
    x: Expression = Symbol(inputs[position])
    if variadic and position == len(inputs) - 1:
        x = Indexed(Symbol(inputs[position].removesuffix("s")), Symbol("i"))
    elif "i" in names:
        x = Indexed(x, Symbol("i"))
    return Equation(Partial(LOSS if "grad" in names else Z, x), stated)


# ------------------------------------------------------------------------------ what formulas say that isn't arithmetic


def words(*said: Any) -> Expression:
    """Words and expressions in a row: `words("part of", x)`."""
    return Phrase(tuple(map(expression, said)))


def at(x: Any, index: Any) -> Expression:
    """x[index], the elements at an index of NumPy."""
    return words(x, fenced("[", index, "]"))


def equal(x: Any, y: Any) -> Expression:
    """[x = y]: 1 where both are equal, else 0."""
    return Comparison("=", expression(x), expression(y))


def function(name: str) -> Callable[..., Expression]:
    """A function that formulas write by its name alone."""
    return lambda *operands: Applied(name, tuple(map(expression, operands)))


def named(sign: str) -> Callable[[Callable[..., Any]], Callable[..., Expression]]:
    """Let formulas write a function by its sign, and compute it by what it is made of."""

    def decorate(body: Callable[..., Any]) -> Callable[..., Expression]:
        return lambda *operands: Call(sign, operands, Applied(sign, operands), body(*operands))

    return decorate


def lettered(letter: Any, body: Any) -> Expression:
    """Let formulas write a part by a letter alone, such as μ, and compute it by what it is made of."""
    letter, body = expression(letter), expression(body)
    return Call(str(letter), (body,), letter, body)


def fenced(left: str, x: Any, right: str) -> Expression:
    """Brackets around an expression: `fenced("⌊", x, "⌋")`."""
    return Fenced(left, expression(x), right)


def infix(x: Any, sign: str, y: Any) -> Expression:
    """A product of another kind: `infix(x, "∗", w)`."""
    return Binary(sign, expression(x), expression(y))


def root(x: Any) -> Expression:
    """√x"""
    return Root(expression(x))


def summed(x: Any, over: Any = None, sign: str = "Σ") -> Expression:
    """Σ x, with an index below where there is one."""
    return Big(sign, expression(x), None if over is None else expression(over))


def transposed(x: Any) -> Expression:
    """xᵀ"""
    return Transposed(expression(x))


def equation(left: Any, right: Any, sign: str = "=") -> Expression:
    """left = right, where a derivative is stated in other terms than ∂z/∂x."""
    return Equation(expression(left), expression(right), sign)


def mean_of(x: Any) -> Expression:
    """The mean of the group that x belongs to, written μ."""
    return lettered(Symbol("mu"), function("mean")(x))


def variance_of(x: Any) -> Expression:
    """The mean square of x − μ, written σ²."""
    return lettered(Symbol("sigma") ** 2, function("mean")((x - mean_of(x)) ** 2))


def partial(of: Any, by: Any) -> Expression:
    """∂of/∂by"""
    return Partial(expression(of), expression(by))
