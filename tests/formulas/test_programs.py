"""Programs made of expressions: what they compute, in how many steps, and what can't be computed."""

import math

import numpy as np
import pytest

from tensorgrad.formulas.expression import Call, Number, Symbol, expression
from tensorgrad.formulas.loops import ON_ARRAYS
from tensorgrad.formulas.programs import program, source, times
from tensorgrad.formulas.symbolic import on_symbols, words
from tensorgrad.ops.elementwise.activations import normal_cdf, unless
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.elementwise.transcendental import exp

x, g = Symbol("x"), Symbol("g")


def test_a_program_is_the_formula_on_numbers():
    formula = on_symbols(lambda x, y: -x / (1 + y**2) - 2 * (x - y) ** 3 + y**0.5)
    compute = program(formula, ["x", "y"], {})
    for a, b in np.random.default_rng(0).uniform(0.1, 3, (20, 2)):
        assert compute(a, b) == pytest.approx(-a / (1 + b * b) - 2 * (a - b) ** 3 + math.sqrt(b), rel=1e-14)


def test_what_occurs_twice_is_computed_once():
    lines = source(exp(-x) * (1 + exp(-x)), ["x"], ON_ARRAYS, repr)
    assert sum("exp(" in line for line in lines) == 1


def test_a_named_function_is_computed_by_its_body():
    at = np.linspace(-3, 3, 7)
    expected = [0.5 * math.erfc(-a / math.sqrt(2)) for a in at]
    np.testing.assert_allclose(program(normal_cdf(x), ["x"], ON_ARRAYS)(at), expected, rtol=1e-12)


def test_a_gradient_times_a_quotient_is_divided_once():
    """g · (1/x) is g/x: 1/x would overflow for the smallest numbers, and be rounded for all."""
    assert str(times(g, 1 / x)) == "g/x"
    assert str(times(g, -1 / x)) == "−g/x"
    assert times(g, expression(1)) == g
    smallest = 5e-324
    assert program(times(g, 1 / x), ["g", "x"], {})(smallest, smallest) == 1.0


def test_a_gradient_enters_the_branches_of_a_choice():
    """An infinite factor in the branch that isn't taken must not make 0 · ∞ of the other."""
    factor = where(x > 0, 1, exp(x))
    assert str(times(g, factor)) == "g if x > 0 else g · eˣ"
    assert times(g, factor).operands[1:] == (g, g * exp(x))


def test_a_gradient_does_not_enter_a_guarded_factor():
    """It would meet the infinite x there: the recorded product would have 0 · ∞ as its derivative for g."""
    guarded = unless(x > 2, x)
    assert times(g, guarded) == g * guarded
    assert times(g, where(x > 2, 1, guarded)).operands[2] == g * guarded


def test_what_has_no_number_is_refused_by_name():
    with pytest.raises(TypeError, match="part of x can't be computed"):
        program(words("part of", x), ["x"], {})
    with pytest.raises(TypeError, match="f is neither in the vocabulary nor made of other functions"):
        program(Call("f", (x,), x), ["x"], {})


def test_expressions_are_equal_by_structure():
    assert x + 1 == Symbol("x") + 1 != x + 2
    assert len({x * g, g * x, Symbol("x") * g, Number(2, "2", "2") * x, 2 * x}) == 3
    assert (x * g + x).symbols == ("x", "g")
