"""The reader of answers in a browser: formulas as people write them, and what is said of those it can't read."""

import json

import numpy as np
import pytest
from browser import needs_browser, play
from sheets import drawn, neuron, opened

from tensorgrad.viz.exercise.questions import evaluation

pytestmark = needs_browser


NAMES = {"h": 0.25, "z": 2.0, "u₁": 3.0, "∂loss/∂u₁": [[1.0, 2.0], [3.0, 4.0]], "w": [[1.0, 0.0], [5.0, 2.0]]}
G, W = (np.array(NAMES[name]) for name in ("∂loss/∂u₁", "w"))
READS = {
    "h · (1 − h)": 0.1875, "h*(1-h)": 0.1875, "h(1-h)": 0.1875, "h×(1–h)": 0.1875, "-h^2": -0.0625, "h**2": 0.0625,
    "sigmoid(z)(1-sigmoid(z))": 0.10499358540350652, "σ(z)·σ(−z)": 0.10499358540350652, "1 - tanh²(z)": 0.07065082485,
    "e^(-z)": np.exp(-2), "e⁻²": np.exp(-2), "exp(-z)": np.exp(-2), "e^-z": np.exp(-2), "2e^z": 2 * np.exp(2),
    "u1": 3.0, "u_1": 3.0, "u₁": 3.0, "u_₁": 3.0, "2u₁": 6.0, "u1h": 0.75, "zh": 0.5, "z h u₁": 1.5, "u₁²": 9.0,
    "3·u₁³⁻¹": 27.0, "√z": np.sqrt(2), "sqrt z": np.sqrt(2), "√(z + 2)": 2.0, "ln(z)": np.log(2), "log z": np.log(2),
    "log2 z": 1.0, "log₂(z)": 1.0, "cos z²": np.cos(4), "tanh 2z": np.tanh(4), "sin²(z) + cos²(z)": 1.0, "|h−1|": 0.75,
    "2|h-1||z|": 3.0, "[z > 0]": 1.0, "[z ≤ 0]": 0.0, "1 if z > 0 else 0": 1.0, "where(z<0, 1, h)": 0.25,
    "½[z = 2]": 0.5, "max(z, 3)": 3.0, "min(z, h)": 0.25, "relu(−z)": 0.0, "sign(-h)": -1.0, "2^3^0": 2.0,
    "1e-3": 0.001, ".5z": 1.0, "2(3+z)": 10.0, "(z)(h)": 0.5, "z/h/2": 4.0, "6/z·h": 0.75, "−−h": 0.25, "π": np.pi,
    "{h}": 0.25, "∂loss/∂u₁ᵀ · w": G.T @ W, "dloss/du1.T @ w": G.T @ W, "∂L/∂u_1^T w": G.T @ W, "wᵀ·∂L/∂u₁": W.T @ G,
    "Σ ∂loss/∂u₁": G.sum(0), "sum(dL/du1)": G.sum(0), "2∂loss/∂u₁": 2 * G, "∂L/∂u₁ ⊙ w": G * W, "w − h": W - 0.25,
}  # fmt: skip
MISREAD = {
    "h(1-h": "“)” is missing at the end", "h + ": "missing at the end", "h 1)": "“)” wasn't understood",
    "foo(z)": "“foo” isn't known: the names here are h, z", "h ! 2": "“!” isn't known", "": "Nothing is written yet",
    "hx": "“hx” isn't known", "* h": "missing before “* h”", "max(z)": "max takes 2 operands, not 1",
    "1 if z": "“else”", "h (": "missing at the end", "alert(1)": "“alert” isn't known", "constructor": "isn't known",
}  # fmt: skip


POINTS = [0.3, -1.7, 2.4]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a page's reader makes of the texts, and its functions of the points."""
    script = f"""
      const {{ read, evaluate, Misread, FUNCTIONS }} = inner, values = {json.dumps(NAMES)};
      const told = (text) => {{
        try {{
          return read(text, Object.keys(values)).map((tree) => evaluate(tree, values));
        }} catch (error) {{
          return error instanceof Misread ? error.message : `threw ${{error}}`;
        }}
      }};
      const [reads, misread, points] = {json.dumps([list(READS), list(MISREAD), POINTS])};
      const of = (f, x) => (f.length === 2 ? f(x, 0.5) : f(x));
      const numbers = (f) => points.map((x) => of(f, x)).map((y) => (Number.isFinite(y) ? y : null));
      const functions = Object.entries(FUNCTIONS).map(([name, f]) => [name, numbers(f)]);
      return [reads.map(told), misread.map(told), told("1/2z"), functions];
    """
    page = opened(drawn(neuron).exercise(blank=0.1).html)
    return play(page, script, tmp_path_factory.mktemp("reader"))


def test_formulas_are_read_as_people_write_them(told):
    for (text, value), found in zip(READS.items(), told[0], strict=True):
        np.testing.assert_allclose(found[0], value, rtol=1e-9, err_msg=text)


def test_what_is_not_understood_is_said(told):
    for (text, words), said in zip(MISREAD.items(), told[1], strict=True):
        assert words in said, text


def test_a_formula_with_two_readings_has_both(told):
    assert told[2] == [0.25, 1.0]


def test_the_page_knows_the_functions_that_formulas_write(told):
    """By their names, and with the same results."""
    found = dict(told[3])
    assert set(found) == set(evaluation.FUNCTIONS)
    with np.errstate(all="ignore"):
        for name, function in evaluation.FUNCTIONS.items():
            values = [function(x, 0.5) if name in ("max", "min") else function(x) for x in POINTS]
            assert [y is not None for y in found[name]] == [bool(np.isfinite(y)) for y in values], name
            for y, value in zip(found[name], values, strict=True):
                assert y is None or y == pytest.approx(float(value), rel=1e-12), name
