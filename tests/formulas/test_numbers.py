"""Numbers put into formulas: simplified around them, worth the same, and left alone elsewhere."""

import math
import random

import pytest

import tensorgrad as tg
from tensorgrad.formulas.expression import Applied, Binary, Negative, Number, Symbol, expression
from tensorgrad.formulas.numbers import put_numbers

X, Y = Symbol("x"), Symbol("y")


@pytest.mark.parametrize(
    "formula, y, written",
    [
        (Y * X ** (Y - 1), 3, "3x²"),
        (Y * X ** (Y - 1), -2, "−2x⁻³"),
        (Y * X ** (Y - 1), 1, "1"),
        (Y * X ** (Y - 1), 0, "0"),
        ((1 + X * Y) / Y, 1, "1 + x"),
        (X + Y * (X - 1), 0, "x"),
        (Applied("min", (Applied("max", (X, Y)), expression(math.inf))), -1, "max(x, −1)"),
        (Applied("max", (X, Y)), -math.inf, "x"),
        (X / Y, 2, "x/2"),
        (1 * X + 1, 5, "1 · x + 1"),  # nothing is put in: it stands as its author wrote it
        (Y - 1, math.inf, "∞"),
    ],
)
def test_what_is_written(formula, y, written):
    assert put_numbers(formula, {"y": expression(y)}).text() == written.replace("1 · x", str(1 * X))


def value(formula, x):
    """By Python's own arithmetic."""
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Symbol):
        return x
    if isinstance(formula, Negative):
        return -value(formula.x, x)
    assert isinstance(formula, Binary)
    left, right = value(formula.left, x), value(formula.right, x)
    return {
        "+": lambda: left + right,
        "−": lambda: left - right,
        "·": lambda: left * right,
        "/": lambda: left / right,
        "^": lambda: left**right,
    }[formula.sign]()


def grown(generator, depth):
    if depth == 0:
        return generator.choice((X, Y, expression(generator.randint(0, 3))))
    if generator.random() < 0.15:
        return Negative(grown(generator, depth - 1))
    return Binary(generator.choice("+−·/^"), grown(generator, depth - 1), grown(generator, generator.randrange(depth)))


def replaced(formula, y):
    if isinstance(formula, Symbol):
        return y if formula == Y else formula
    if isinstance(formula, Negative):
        return Negative(replaced(formula.x, y))
    if isinstance(formula, Number):
        return formula
    return Binary(formula.sign, replaced(formula.left, y), replaced(formula.right, y))


def test_simplified_formulas_are_worth_the_same():
    generator, compared = random.Random(0), 0
    for _ in range(3000):
        formula, y = grown(generator, generator.randint(1, 4)), generator.choice((-2, -1, 0, 1, 2, 0.5))
        try:
            expected = value(replaced(formula, expression(y)), 1.7)
        except (ZeroDivisionError, OverflowError, MemoryError):
            continue
        if isinstance(expected, complex) or abs(expected) > 1e12:
            continue
        found = value(put_numbers(formula, {"y": expression(y)}), 1.7)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), (formula, y)
        compared += 1
    assert compared > 1500


def test_ops_write_their_numbers():
    def applied(make):
        x = tg.tensor(0.5, requires_grad=True, name="x")
        with tg.viz.trace() as t:
            make(x).backward()
        record = t.record()
        return record.ops[0].applied, record.edges[0].rule

    assert applied(lambda x: tg.nn.functional.softplus(x)) == ("L = ln(1 + eˣ)", "∂L/∂x = ∂L/∂L · σ(x)")
    assert applied(lambda x: x**3) == ("L = x³", "∂L/∂x = ∂L/∂L · 3x²")
    assert applied(lambda x: x.reshape(1, 1).mean())[0] == "u₁ = x, reshaped"
    assert applied(lambda x: x.mean())[0] == "L = Σ x", "the mean of one number has no factor"
    assert applied(lambda x: x * 1) == ("L = x · 1", "∂L/∂x = ∂L/∂L"), "the program's own 1 stays"
