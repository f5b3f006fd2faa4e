"""The drawing proves itself: what is drawn on each edge is what the engine does, and what the mathematics says."""

import math
import sys
from functools import lru_cache

import batches
import numpy as np
import pytest
from cases import CASES
from networks import LeNet5, loss_of

import tensorgrad as tg
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.loops import ON_ARRAYS
from tensorgrad.formulas.programs import program
from tensorgrad.viz import Depth
from tensorgrad.viz.record.check import TOLERANCE

DIFFERENTIABLE = [case for case in CASES if case.row.differentiable]
EVERYTHING = Depth(numbers=True, details=True, check=True)


@lru_cache(maxsize=1)  # the checks of one case follow each other
def traced(case):
    """The records of a case under a random upstream gradient, and its tensors after backward."""
    tensors = [tg.Tensor(x, requires_grad=x.dtype.kind == "f", name=f"in{k}") for k, x in enumerate(case.inputs())]
    with tg.viz.trace() as t:
        z = case.call(*tensors)
        z.backward(case.upstream(z.shape))
    return t.record(z, depth=EVERYTHING), tensors


def array(gradient):
    """A gradient's numbers, where the record has them all: of arrays of up to 64."""
    complete = math.prod(gradient.shape) == len(gradient.details.values)
    return np.array(gradient.details.values).reshape(gradient.shape) if complete else None


def finite_differences_tick_every_edge(case):
    graph, _ = traced(case)
    checked = [edge.checked for edge in graph.edges if edge.carries_gradient]
    assert checked
    assert max(checked) < 1e-6 < TOLERANCE


def contributions_sum_to_the_gradient_of_every_tensor(case):
    graph, _ = traced(case)
    for tensor in graph.tensors:
        parts = [e.contribution for e in graph.edges if e.tensor == tensor.id and e.contribution is not None]
        if not parts or array(tensor.gradient) is None:
            continue
        assert {part.shape for part in parts} == {tensor.shape}
        np.testing.assert_allclose(sum(map(array, parts)), array(tensor.gradient), rtol=1e-12, atol=1e-12)


def the_gradients_drawn_are_those_that_backward_leaves(case):
    graph, tensors = traced(case)
    drawn = {tensor.name: tensor.gradient for tensor in graph.tensors}
    for tensor in tensors:
        gradient = drawn.get(tensor.name)
        if tensor.grad is not None and gradient is not None and array(gradient) is not None:
            np.testing.assert_array_equal(array(gradient), tensor.grad.numpy())


def the_gradient_drawn_is_that_of_finite_differences(case):
    """Element by element, without any rule of the engine."""
    graph, (x,) = traced(case)
    gradient = next(tensor.gradient for tensor in graph.tensors if tensor.name == "in0")
    upstream, step = case.upstream(case.call(x).shape), 1e-6
    if array(gradient) is None:
        pytest.skip("too large to be recorded in full")
    with tg.no_grad():
        for index in np.ndindex(x.shape):
            moved = []
            for sign in (1, -1):
                values = x.numpy().copy()
                values[index] += sign * step
                moved.append((case.call(tg.Tensor(values)).numpy() * upstream).sum())
            expected = (moved[0] - moved[1]) / (2 * step)
            assert array(gradient)[index] == pytest.approx(expected, rel=1e-4, abs=1e-6)


# What is written on the edges between scalars, read by a second reader. x, y, z as the formula calls them; p are the
# op's parameters; φ and Φ the normal density and its integral.
RULES = {
    "∂z/∂x = 1": lambda x, y, z, p: 1,
    "∂z/∂y = 1": lambda x, y, z, p: 1,
    "∂z/∂x = −1": lambda x, y, z, p: -1,
    "∂z/∂y = −1": lambda x, y, z, p: -1,
    "∂z/∂x = 0": lambda x, y, z, p: 0,
    "∂z/∂x = y": lambda x, y, z, p: y,
    "∂z/∂y = x": lambda x, y, z, p: x,
    "∂z/∂x = 1/y": lambda x, y, z, p: 1 / y,
    "∂z/∂y = −z/y": lambda x, y, z, p: -z / y,
    "∂z/∂y = −⌊x/y⌋": lambda x, y, z, p: -math.floor(x / y),
    "∂z/∂x = y · xʸ⁻¹": lambda x, y, z, p: y * x ** (y - 1),
    "∂z/∂y = xʸ · ln x": lambda x, y, z, p: x**y * math.log(x),
    "∂z/∂x = 2x": lambda x, y, z, p: 2 * x,
    "∂z/∂x = sign(x)": lambda x, y, z, p: math.copysign(1, x),
    "∂z/∂x = [x > y] + ½[x = y]": lambda x, y, z, p: (x > y) + 0.5 * (x == y),
    "∂z/∂y = [y > x] + ½[x = y]": lambda x, y, z, p: (y > x) + 0.5 * (x == y),
    "∂z/∂x = [x < y] + ½[x = y]": lambda x, y, z, p: (x < y) + 0.5 * (x == y),
    "∂z/∂y = [y < x] + ½[x = y]": lambda x, y, z, p: (y < x) + 0.5 * (x == y),
    "∂z/∂x = z": lambda x, y, z, p: z,
    "∂z/∂x = z + 1": lambda x, y, z, p: z + 1,
    "∂z/∂x = 1/x": lambda x, y, z, p: 1 / x,
    "∂z/∂x = 1/(1 + x)": lambda x, y, z, p: 1 / (1 + x),
    "∂z/∂x = 1/(x · ln 2)": lambda x, y, z, p: 1 / (x * math.log(2)),
    "∂z/∂x = 1/(2z)": lambda x, y, z, p: 1 / (2 * z),
    "∂z/∂x = −z²": lambda x, y, z, p: -(z**2),
    "∂z/∂x = cos x": lambda x, y, z, p: math.cos(x),
    "∂z/∂x = −sin x": lambda x, y, z, p: -math.sin(x),
    "∂z/∂x = 1 + z²": lambda x, y, z, p: 1 + z**2,
    "∂z/∂x = 1/√(1 − x²)": lambda x, y, z, p: 1 / math.sqrt(1 - x**2),
    "∂z/∂x = −1/√(1 − x²)": lambda x, y, z, p: -1 / math.sqrt(1 - x**2),
    "∂z/∂x = 1/(1 + x²)": lambda x, y, z, p: 1 / (1 + x**2),
    "∂z/∂x = cosh x": lambda x, y, z, p: math.cosh(x),
    "∂z/∂x = sinh x": lambda x, y, z, p: math.sinh(x),
    "∂z/∂x = 1 − z²": lambda x, y, z, p: 1 - z**2,
    "∂z/∂x = 1/√(x² + 1)": lambda x, y, z, p: 1 / math.sqrt(x**2 + 1),
    "∂z/∂x = 1/√(x² − 1)": lambda x, y, z, p: 1 / math.sqrt(x**2 - 1),
    "∂z/∂x = 1/(1 − x²)": lambda x, y, z, p: 1 / (1 - x**2),
    "∂z/∂x = 2/√π · e^(−x²)": lambda x, y, z, p: 2 / math.sqrt(math.pi) * math.exp(-(x**2)),
    "∂z/∂x = [x > 0]": lambda x, y, z, p: float(x > 0),
    "∂z/∂x = slope if x ≤ 0 else 1": lambda x, y, z, p: float(p["slope"]) if x <= 0 else 1,
    "∂z/∂x = 1 if x > 0 else α · eˣ": lambda x, y, z, p: 1 if x > 0 else float(p["alpha"]) * math.exp(x),
    "∂z/∂x = Φ(x) + x · φ(x)": lambda x, y, z, p: (
        0.5 * (1 + math.erf(x / math.sqrt(2))) + x * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    ),
    "∂z/∂x = σ(x) · (1 + x · (1 − σ(x)))": lambda x, y, z, p: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    "∂z/∂x = σ(β · x)": lambda x, y, z, p: sigmoid(float(p["beta"]) * x),
    "∂z/∂x = z · (1 − z)": lambda x, y, z, p: z * (1 - z),
    "∂z/∂xᵢ = 1": lambda x, y, z, p: 1,
    "∂z/∂xᵢ = 1/n": lambda x, y, z, p: 1,
    "∂z/∂xᵢ = sign(xᵢ) · (|xᵢ|/z)^(p − 1)": lambda x, y, z, p: math.copysign((abs(x) / z) ** (float(p["p"]) - 1), x),
    "∂z/∂xᵢ = e^(xᵢ − z)": lambda x, y, z, p: math.exp(x - z),
    "∂z/∂x = (x − t)/(x · (1 − x))": lambda x, t, z, p: (x - t) / (x * (1 - x)),
    "∂z/∂t = ln(1 − x) − ln x": lambda x, t, z, p: math.log(1 - x) - math.log(x),
    "∂z/∂t = x, 0 where t = 0 and x = ±∞": lambda t, x, z, p: x,
    "∂z/∂x = t": lambda t, x, z, p: t,
}
# A mask, an index or a choice that the two numbers don't tell.
UNREAD = {
    "∂z/∂x = [low ≤ x ≤ high]",
    "∂z/∂x = [c]",
    "∂z/∂y = [not c]",
    "∂z/∂xᵢ = [xᵢ = z] / (number of ties)",
    "∂z/∂xᵢ = Π of the others",
    "∂z/∂x = m",
}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def the_rule_that_is_written_is_the_number_beside_it(case):
    graph, _ = traced(case)
    values = {tensor.id: tensor.value for tensor in graph.tensors}
    rules = RULES | case.row.rules
    for op in graph.ops:
        edges = [edge for edge in graph.edges if edge.op == op.id]
        for edge in edges:
            if edge.local is None or not edge.derivative.startswith("∂z") or edge.derivative in UNREAD:
                continue
            x, y = [*(values[edge.tensor] for edge in edges), None][:2]
            read = rules.get(edge.derivative)
            if read is None:  # no second reader: the expression behind the text is computed
                stated, params = edge.derivative.expression.right, {k: float(v) for k, v in op.params}
                operands = {edge.operand: values[edge.tensor] for edge in edges} | {"z": values[op.output]} | params
                expected = program(stated, tuple(operands), ON_ARRAYS)(*map(np.asarray, operands.values()))
            else:
                expected = read(x, y, values[op.output], dict(op.params))
            assert edge.local == pytest.approx(expected, rel=1e-12), (op.name, edge.derivative)


# What is checked of a case's drawing, and of which cases.
CHECKS = {
    finite_differences_tick_every_edge: lambda case: case.smooth,
    contributions_sum_to_the_gradient_of_every_tensor: lambda case: True,
    the_gradients_drawn_are_those_that_backward_leaves: lambda case: True,
    the_gradient_drawn_is_that_of_finite_differences: lambda case: case.smooth and len(case.inputs()) == 1,
    the_rule_that_is_written_is_the_number_beside_it: lambda case: (
        case.smooth and all(x.shape == () for x in case.inputs())
    ),
}
PROOFS = [(case, check) for case in DIFFERENTIABLE for check, holds in CHECKS.items() if holds(case)]


@pytest.mark.cases("case, check", PROOFS, ids=lambda v: getattr(v, "__name__", repr(v)))
def test_what_is_drawn_is_what_the_engine_does(case, check):
    check(case)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 6_845


class Crooked(Op):
    """z = x², with a rule that is wrong by half."""

    symbol, formula, derivatives = "?", "z = x²", ("∂z/∂x = 3x",)

    def forward(self, x):
        """Compute z."""
        return x * x

    def backward_x(self, grad, x):
        """The lie."""
        return grad * x * 3


def test_a_wrong_rule_gets_a_cross_and_the_right_ones_beside_it_a_tick():
    x = tg.Tensor([1.0, -2.0, 3.0], requires_grad=True, name="x")
    loss = (apply(Crooked, x) * 2.0).sum()
    drawing = tg.viz.graph(loss, check=True)
    lie, *rest = [edge.checked for edge in drawing.record.edges if edge.carries_gradient]
    assert lie == pytest.approx(0.5, abs=0.3)
    assert max(rest) < 1e-6
    assert drawing.dot.count("✗") == 1
    assert "✓" in drawing.dot
    assert "✗" not in tg.viz.graph(loss).dot


def test_kinks_of_relu_and_pooling_in_a_network_get_their_ticks():
    tg.manual_seed(0)
    with tg.viz.trace() as t:
        loss_of(LeNet5(), (4, 1, 28, 28)).backward()
    checked = [edge.checked for edge in t.record(depth=EVERYTHING).edges if edge.carries_gradient]
    assert len(checked) == 23
    assert max(checked) < 1e-4  # the upstream gradients are float32


def test_changes_in_place_through_views_get_their_ticks():
    w = tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True, name="w")
    with tg.viz.trace() as t:
        h = w * 1.0
        v, pairs = h[1:], h.reshape(2, 2).T
        v *= 5.0
        pairs[0] = w[:2]
        loss = (h * h + v.sum()).sum()
        loss.backward()
    checked = [edge.checked for edge in t.record(depth=EVERYTHING).edges if edge.carries_gradient]
    assert max(checked) < 1e-6
    explained = str(tg.viz.explain(t, wrt=w, index=1))
    assert "✗" not in explained
    assert explained.count("✓") == 3


def test_at_a_pole_finite_differences_cannot_tell():
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    for loss in ((1 / x).sum(), (x**-3).sum()):  # finite on either side, and far apart
        drawing = tg.viz.graph(loss, check=True)
        assert "✗" not in drawing.dot
