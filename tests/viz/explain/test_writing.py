"""How explanations are written: LaTeX that compiles, Markdown that escapes, formulas with names put in, examples."""

import copy
import json
import pickle
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.formulas.expression import Choice, Symbol, expression
from tensorgrad.formulas.notation import Equation
from tensorgrad.formulas.symbolic import derivative_of, equal, partial as partial_of, root, summed, transposed
from tensorgrad.viz.format.notation import (
    factor,
    inline,
    latex,
    latex_name,
    latex_sentence,
    markdown_sentence,
    name,
    numbered,
    numeral,
    partial,
    plain,
    put_in,
    total,
)
from tensorgrad.viz.format.rules import backward_rule

HOSTILE = r"w_{1}^2 \input{x} $&#%~ <b>*a*|b` ]"


def network():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 2)), rng.standard_normal((4, 1))
    w, v = (tg.Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 3), (3, 1)))
    w.name, v.name = HOSTILE, "v"
    return w, (((x @ w).sigmoid() @ v - y) ** 2).mean()


def image():
    rng = np.random.default_rng(1)
    x = tg.Tensor(rng.standard_normal((2, 1, 6, 6)), requires_grad=True, name="x")
    w = tg.Tensor(rng.standard_normal((3, 1, 3, 3)), requires_grad=True, name="w")
    return x, w, (tg.max_pool2d(tg.conv2d(x, w, padding=1).relu(), 3, stride=2) ** 2).mean()


def explanations():
    w, loss = network()
    x, filters, score = image()
    yield tg.viz.explain(loss, wrt=w, index=(0, 1))
    yield tg.viz.explain(loss, wrt=w)
    yield tg.viz.explain(score, wrt=filters, index=(2, 0, 1, 1))
    yield tg.viz.explain(score, wrt=x, index=(0, 0, 2, 3))
    a = tg.Tensor(np.float64(1.5), requires_grad=True, name="a")
    yield tg.viz.explain(a.exp() * a + a**3 / (a + 1).sqrt() - a.tanh(), wrt=a)


def balanced(text):
    depth = 0
    for piece in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if depth < 0:
            return False
    return depth == 0


MACROS = (
    "paragraph begin end frac partial cdot times odot sum prod leq geq neq approx infty mathrm sqrt lfloor rfloor lceil"
    " rceil ast int to ldots pm div wedge vee neg forall exists in Vert vert langle rangle sigma mu epsilon alpha beta"
    " phi Phi pi theta delta lambda sim backslash hat tanh max min ln exp sin cos tan sinh cosh arcsin arccos arctan"
    " log Sigma textbackslash textasciitilde textasciicircum textless textgreater dots"
)


def test_the_latex_has_known_macros_balanced_braces_and_no_bare_unicode():
    for explanation in explanations():
        text = explanation.latex
        assert text.isascii()
        assert balanced(text)
        assert set(re.findall(r"\\([A-Za-z]+)", text)) <= set(MACROS.split())
        assert re.sub(r"\\.", "", text).count("$") % 2 == 0
        for environment in ("align*", "tabular"):
            assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}")
        for table in re.findall(r"\\begin\{tabular\}\{(.*?)\}\n(.*?)\n\\end", text, re.DOTALL):
            for row in table[1].split(r" \\" + "\n"):
                assert len(re.findall(r"(?<!\\)&", row)) == len(table[0]) - 1


def test_every_formula_can_be_drawn_by_matplotlib():
    pytest.importorskip("matplotlib")
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for explanation in explanations():
        assert explanation.formulas
        for formula in explanation.formulas:
            known = re.sub(r"\\[#&]", "", formula)  # LaTeX has these signs, matplotlib doesn't
            parser.parse(f"${known}$")


def test_the_formulas_of_every_op_become_latex(concrete_ops):
    pytest.importorskip("matplotlib")
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for op in concrete_ops:
        derivatives = [op.derivative_for(k) for k in range(len(op.inputs))]
        for formula in (expression(op.symbol), op.statement(), *(d for d in derivatives if d)):
            written = formula.latex()
            assert written.isascii(), formula
            assert balanced(written), formula
            parser.parse(f"${written}$".replace(r"\&", "and"))  # which matplotlib does not know


x, z, i, j, e = map(Symbol, "xzije")


@pytest.mark.parametrize(
    ("formula", "text", "written"),
    [
        (Equation(z, e**-x), "z = e⁻ˣ", "z = e^{-x}"),
        (e ** x[i] / summed(e ** x[j], j), "e^xᵢ/(Σⱼ e^xⱼ)", r"\frac{e^{x_{i}}}{\sum _{j} e^{x_{j}}}"),
        (root(x**2 + 1), "√(x² + 1)", r"\sqrt{x^{2} + 1}"),
        (x @ transposed(Symbol("w")), "x · wᵀ", r"x \cdot w^{T}"),
        (Symbol("xhat"), "x̂", r"\hat{x}"),
        (partial_of("L", Symbol("low")), "∂L/∂low", r"\frac{\partial L}{\partial \mathrm{low}}"),
        (2 * x * (1 - z), "2x · (1 − z)", r"2x \cdot (1 - z)"),
        (2 * (1 - z) / (x * z), "2 · (1 − z)/(x · z)", r"\frac{2 \cdot (1 - z)}{x \cdot z}"),
        (x - (z - 1), "x − (z − 1)", "x - (z - 1)"),
        (-(x + z) ** 2, "−(x + z)²", "-(x + z)^{2}"),
        ((-x) ** 2, "(−x)²", "(-x)^{2}"),
        ((x > 0) * z, "[x > 0] · z", r"[x > 0] \cdot z"),
        (1 - Choice(x > 0, x, z), "1 − (x if x > 0 else z)", r"1 - (x \;\mathrm{if}\; x > 0 \;\mathrm{else}\; z)"),
    ],
)  # fmt: skip
def test_an_expression_is_text_and_latex(formula, text, written):
    assert formula.text() == text
    assert formula.latex() == written


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        (f"{partial('L', 'x')} = {numeral(1.5e-7)}", r"\frac{\partial L}{\partial x} = 1.5\times 10^{-7}"),
        (factor(-1.5e-7), r"(-1.5\times 10^{-7})"),
        (partial("L", f"{name('u₁₂')}[0,2]"), r"\frac{\partial L}{\partial u_{12}[0,2]}"),
        (partial("L", f"{numbered('u', 12)}[0,2]"), r"\frac{\partial L}{\partial u_{12}[0,2]}"),
        (name("fc_1.weight"), r"\mathrm{fc\_1.weight}"),
        (name("α"), r"\alpha"),
        (f"Σₙ {name('w')}[n,2] · {name('v')}", r"\sum _{n} w[n,2] \cdot v"),
    ],
)
def test_latex_of_a_formula(formula, written):
    assert latex(formula) == written


def test_names_are_text_whatever_they_hold():
    assert latex_name("W1") == r"\mathrm{W1}"
    assert balanced(latex_name(HOSTILE))
    assert latex_name("$x$") == r"\mathrm{\$x\$}"
    assert plain(name("a\x1b[0m\ue000b\nc")) == "a [0m b c"
    both = put_in(Equation(z, x + Symbol("y")), {"z": "u", "x": name("y"), "y": name("x z")})
    assert (plain(both), latex(both)) == ("u = y + x z", r"u = y + \mathrm{x\ z}")
    assert latex_sentence(f"50 % of {inline('x²')} & {name('a_b')}") == r"50 \% of $x^{2}$ \& $\mathrm{a\_b}$"
    assert markdown_sentence("*a* <b> [c](d)") == r"\*a\* &lt;b&gt; \[c\](d)"


def test_markdown_is_what_a_notebook_shows():
    w, loss = network()
    text = tg.viz.explain(loss, wrt=w, index=(0, 1))._repr_markdown_()
    assert text.startswith(r"#### The chain rule for $\frac{\partial L}")
    assert text.count("$$") % 2 == 0
    assert "<b>" not in re.sub(r"\$\$.*?\$\$|\$(\\.|[^$\\])*\$", "", text, flags=re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().splitlines()}) == 1
    assert tg.viz.explain(loss, wrt=w)._repr_latex_().startswith("$$")


@pytest.mark.parametrize(
    ("derivative", "letters", "scalar", "rule"),
    [
        (lambda y: y, {"x": "a", "y": "b", "z": "u"}, False, "∂L/∂a = ∂L/∂u ⊙ b"),
        (lambda y: y, {"x": "a", "y": "0.5", "z": "u"}, False, "∂L/∂a = ∂L/∂u · 0.5"),
        (lambda y: y, {"x": "a", "y": "(−0.5)", "z": "u"}, False, "∂L/∂a = ∂L/∂u · (−0.5)"),
        (lambda x, y: x * y, {"x": "a", "y": "b", "z": "u"}, False, "∂L/∂a = ∂L/∂u ⊙ a ⊙ b"),
        (lambda z: 1 - z**2, {"x": "a", "z": "h"}, True, "∂L/∂a = ∂L/∂h · (1 − h²)"),
        (lambda: 1, {"x": "a", "z": "h"}, False, "∂L/∂a = ∂L/∂h"),
        (lambda i: 1, {"x": "a", "z": "h"}, False, "∂L/∂a = ∂L/∂h"),
        (lambda grad, x: transposed(grad) @ x, {"x": "a", "z": "h"}, False, "∂L/∂a = ∂L/∂hᵀ · a"),
        (
            lambda z, x, i, j: Equation(partial_of(z[i], x[j]), z[i] * (equal(i, j) - z[j])),
            *({"x": "a", "z": "p"}, False, "∂L/∂aⱼ = Σᵢ ∂L/∂pᵢ · pᵢ · ([i = j] − pⱼ)"),
        ),
        (lambda grad: summed(grad), {"x": "b", "z": "h"}, False, "∂L/∂b = Σ ∂L/∂h"),
        (lambda x, y: y * x ** (y - 1), {"x": "a", "y": "3", "z": "u"}, True, "∂L/∂a = ∂L/∂u · 3a²"),
        ("∂z/∂x = 3x", {"x": "a", "z": "u"}, False, "∂z/∂x = 3x"),
    ],
)
def test_rules_are_written_with_names(derivative, letters, scalar, rule):
    names = {letter: text if text[0] in "(0123456789" else name(text) for letter, text in letters.items()}
    assert plain(backward_rule(derivative_of(derivative, ("x", "y"), 0), names, scalar)) == rule


def test_numbers_in_formulas():
    assert [plain(factor(value)) for value in (2.0, -0.5, 1e-7, -1e-7)] == ["2", "(−0.5)", "1·10⁻⁷", "(−1·10⁻⁷)"]
    assert total(["1", "−2", "3 · x", "−y"]) == "1 − 2 + 3 · x − y"


def test_a_constant_stands_by_its_value_however_small():
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    found = tg.viz.explain((w * 1e-7).sum(), wrt=w)
    assert "  u₁ = w · 1·10⁻⁷  (2,)\n  L = Σ u₁" in found.text(80)
    assert "∂L/∂w = ∂L/∂u₁ · 1·10⁻⁷" in found.text(80)
    assert r"u_{1} = w \cdot 1\times 10^{-7}" in found.latex


def test_a_record_s_formula_is_text_that_remembers_its_expression():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    (op,) = tg.viz.graph(x.sigmoid()).record.ops
    for formula in (op.formula, pickle.loads(pickle.dumps(op.formula)), copy.deepcopy(op.formula)):
        assert formula == "z = 1/(1 + e⁻ˣ)"
        assert put_in(expression(formula), {"x": name("w")}) == put_in(op.formula.expression, {"x": name("w")})
        assert plain(put_in(expression(formula), {"x": name("w")})) == "z = 1/(1 + e⁻ʷ)"
    assert json.dumps(op.formula) == json.dumps("z = 1/(1 + e⁻ˣ)")


# ------------------------------------------------------------------------------------------------------ the blackboard

TWO_PATHS = """\
The chain rule for ∂L/∂a
────────────────────────
How does the loss L = 0.9242 change with a = 2?

Forward: what was computed
──────────────────────────
  u₁ = a · b    = −6
  u₂ = u₁ + c   = 0.5
  u₃ = tanh u₂  = 0.4621
  u₄ = u₃ · a   = 0.9242
  L = Σ u₄      = 0.9242

Backward: 2 paths lead from a to the loss
─────────────────────────────────────────
Path 1: a → × → + → tanh → × → Σ → L
  ∂L/∂a = ∂L/∂u₄ · ∂u₄/∂u₃ · ∂u₃/∂u₂ · ∂u₂/∂u₁ · ∂u₁/∂a
        = 1 · a · (1 − u₃²) · 1 · b
        = 1 × 2 × 0.7864 × 1 × (−3)
        = −4.719
Path 2: a → × → Σ → L
  ∂L/∂a = ∂L/∂u₄ · ∂u₄/∂a
        = 1 · u₃
        = 1 × 0.4621
        = 0.4621

The sum over both paths
───────────────────────
  ∂L/∂a = −4.719 + 0.4621
        = −4.257

Check
─────
  backpropagation     −4.257
  sum over the paths  −4.257  ✓ the same
"""


def test_two_paths_on_the_blackboard():
    values = {"a": 2.0, "b": -3.0, "c": 6.5}
    a, b, c = (tg.Tensor(np.float64(v), requires_grad=True, name=n) for n, v in values.items())
    text = tg.viz.explain(((a * b + c).tanh() * a).sum(), wrt=a).text(80)
    assert text.startswith(TWO_PATHS)
    assert re.search(r"central difference  −4\.257  ✓ within \d·10⁻[⁰¹²³⁴⁵⁶⁷⁸⁹]+\n", text)


def test_lesson_3_one_weight_of_the_second_layer():
    """∂C/∂w(2)₁₂ = a(1)₂ · σ′(z(2)₁) · 2(a(2)₁ − y₁), by hand."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((1, 3)), np.float64([[0, 1, 0]])
    w1, w2 = (tg.Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((4, 3), (3, 4)))
    a1 = tg.linear(x, w1).sigmoid()
    a2 = tg.linear(a1, w2).sigmoid()
    found = tg.viz.explain(((a2 - y) ** 2).sum(), wrt=w2, index=(1, 2))
    a, p = a1.numpy()[0, 2], a2.numpy()[0, 1]
    assert found.gradient == pytest.approx(a * p * (1 - p) * 2 * (p - 1), rel=1e-12)
    assert found.paths[0].ops == ("linear", "σ", "−", "x²", "Σ")
    assert "1 · 2u₂[0,1] · 1 · a2[0,1] · (1 − a2[0,1]) · a1[0,2]" in found.text(100)


def test_lesson_1_the_gradient_of_a_filter_by_hand():
    """∂L/∂w₃ = Σᵢ x[i + 1] · [z[i] > 0] · w2[i] · 2(a2 − y), x being 0 in the padding."""
    x, w2, y = np.float64([1, 2, 0, -1, 3]), np.float64([0.5, -1, 2, 0.25, 1]), 2.0
    w = tg.Tensor(np.float64([[[0.5, -1.0, 0.25]]]), requires_grad=True, name="w")
    z = tg.conv1d(tg.Tensor(x.reshape(1, 1, 5), name="x"), w, padding=1)
    a2 = (z.relu().flatten() * w2).sum()
    found = tg.viz.explain((a2 - y) ** 2, wrt=w, index=(0, 0, 2))
    upstream = 2 * (a2.item() - y) * w2 * (z.numpy().ravel() > 0)
    (terms,) = found.terms
    assert [term.met for term in terms] == ["x[0,0,1]", "x[0,0,2]", "x[0,0,3]", "x[0,0,4]", "0 (padding)"]
    np.testing.assert_allclose([term.upstream for term in terms], upstream, rtol=1e-12)
    assert found.gradient == pytest.approx(upstream[:4] @ x[1:], rel=1e-12)


def test_a_pooled_pixel_shows_its_windows():
    x = tg.Tensor(np.float64([[[[1, 5, 2], [0, 3, 4], [6, 2, 1]]]]), requires_grad=True, name="x")
    loss = (tg.max_pool2d(x, 2, stride=1) * np.float64([[[[1, 2], [3, 4]]]])).sum()
    text = tg.viz.explain(loss, wrt=x, index=(0, 0, 0, 1)).text(100)
    assert "Window (0,0): the pixel, in brackets, is its maximum and gets its gradient, ∂L/∂u₁[0,0,0,0] = 1.\n" in text
    assert "  1   [5]\n  0    3\n" in text
    assert "  [5]  2\n   3   4\n" in text
    assert "∂L/∂x[0,0,0,1] = 3\n" in text
    missed = tg.viz.explain(loss, wrt=x, index=(0, 0, 1, 1)).text(100)
    assert "isn't its maximum, so ∂L/∂u₁[0,0,0,0] = 1 goes to another" in missed


def test_the_names_of_a_model_are_used():
    model = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.ReLU(), tg.nn.Linear(2, 1))
    loss = (model(tg.ones(4, 3)) ** 2).mean()
    found = tg.viz.explain(loss, wrt=model[0].weight, names=dict(model.named_parameters()))
    assert repr(found) == "<Explanation of ∂L/∂0.weight: 1 path>"
    assert "0.weight → linear → relu → linear → x² → mean → L" in found.text(100)


def test_a_table_begins_where_an_earlier_paths_table_was_left():
    """Four ways through two skips; the norms along each are those of its own product."""
    rng = np.random.default_rng(4)
    w = tg.Tensor(rng.standard_normal((2, 3)), requires_grad=True, name="w")
    u = w.tanh()
    h = u + u.sin()
    loss = ((h + h * 0.5) * rng.standard_normal((2, 3))).sum()
    found = tg.viz.explain(loss, wrt=w, max_paths=4)
    tables = found.text(100).split("Path ")[1:]
    assert len(tables) == found.count == 4
    for path, table in zip(found.paths, tables, strict=True):
        rows = [line.split() for line in table.split("The sum")[0].splitlines() if "∂L/∂" in line]
        assert rows[-1][0] == "∂L/∂w"
        assert float(rows[-1][-1]) == pytest.approx(np.linalg.norm(path.contribution), rel=1e-2)
    begin = [re.findall(r"∂L/∂(\w+) as on path (\d)", table) for table in tables]
    assert begin == [[], [("h", "1")], [("u₃", "1")], [("h", "3")]]
