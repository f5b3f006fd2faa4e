"""Two traces compared: the numbers against NumPy, where differences begin, where structures part."""

import math

import numpy as np
import pytest
from layout import needs_program
from networks import LeNet5

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, GraphError
from tensorgrad.viz.comparison.differences import difference


def batch(dtype=np.float32):
    rng = np.random.default_rng(0)
    return tg.tensor(rng.standard_normal((4, 1, 28, 28)).astype(dtype)), tg.tensor(rng.integers(0, 10, 4))


def step(model, images, labels):
    with tg.viz.trace() as t:
        loss = nn.cross_entropy(model(images), labels)
        loss.backward()
    return t, loss


def lenet(dtype=tg.float32):
    tg.manual_seed(0)
    return LeNet5().to(dtype)


def pairs_by_name(comparison):
    names = [tensor.name for tensor in comparison.record.tensors]
    return {name: pair for name, pair in zip(names, comparison.runs.pairs, strict=True) if name}


def relative(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max())


def test_both_numbers_and_the_relative_difference_of_every_parameter_are_those_of_the_tape():
    model = lenet()
    images, labels = batch()
    before, _ = step(model, images, labels)
    weights = {name: (p.numpy().copy(), p.grad.numpy().copy()) for name, p in model.named_parameters()}
    optimizer = tg.optim.SGD(model.parameters(), lr=0.3)
    optimizer.step()
    optimizer.zero_grad()
    after, _ = step(model, images, labels)
    comparison = tg.viz.compare(before, after)
    assert comparison.runs.labels == ("before", "after")
    found = pairs_by_name(comparison)
    for name, parameter in model.named_parameters():
        old, old_gradient = weights[name]
        pair, now, gradient = found[name], parameter.numpy(), parameter.grad.numpy()
        assert pair.value.relative == pytest.approx(relative(old, now), rel=1e-12)
        assert pair.gradient.relative == pytest.approx(relative(old_gradient, gradient), rel=1e-12)
        k = pair.gradient.index
        assert (pair.gradient.first, pair.gradient.second) == (old_gradient[k], gradient[k])
        assert pair.second.gradient.mean_abs == pytest.approx(np.abs(gradient).mean(dtype=np.float64), rel=1e-9)
    changed = {tensor.id for tensor in comparison.record.tensors if tensor.kind == "parameter"}
    assert set(comparison.runs.values_part) == changed, "all that differs follows from the parameters"
    assert comparison.runs.gradients_part == ()


def test_a_run_agrees_with_itself():
    images, labels = batch()
    comparison = tg.viz.compare(*(step(lenet(), images, labels)[0] for _ in range(2)))
    assert {pair.value.relative for pair in comparison.runs.pairs} == {0.0}
    assert {pair.gradient.relative for pair in comparison.runs.pairs if pair.gradient} == {0.0}
    assert comparison.largest("value") == comparison.largest("gradient") == []
    assert "Values: all are equal." in comparison.text(80)
    assert repr(comparison).endswith("0 of 26 tensors differ>")


def test_two_precisions_agree_to_rounding():
    narrow, _ = step(lenet(), *batch())
    wide, _ = step(lenet(tg.float64), *batch(np.float64))
    comparison = tg.viz.compare(narrow, wide)
    assert comparison.largest("value") == comparison.largest("gradient") == []
    assert all(0 < pair.gradient.relative < 1e-4 for pair in comparison.runs.pairs[1:4] if pair.gradient)
    assert "Gradients: all agree to rounding" in comparison.text(80)


class Square(tg.autograd.Function):
    """x², with the gradient 2 · x, or a wrong one."""

    factor = 2.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * x * Square.factor


def test_the_place_where_a_wrong_gradient_rule_begins_is_found(monkeypatch):
    rng = np.random.default_rng(3)
    w = tg.tensor(rng.standard_normal((5, 5)), requires_grad=True, name="w")
    upstream = tg.tensor(rng.standard_normal((5, 5)))

    def run():
        with tg.viz.trace() as t:
            h = (w @ w).tanh()
            (Square.apply(h) * upstream).sum().backward()
        return t

    right = run()
    monkeypatch.setattr(Square, "factor", 3.0)
    comparison = tg.viz.compare(right, run())
    assert comparison.largest("value") == []
    (start,) = comparison.runs.gradients_part
    made = {op.output: op.name for op in comparison.record.ops}
    assert made[start] == "tanh", "the gradient that the wrong rule gave"
    assert comparison.runs.pairs[int(start[1:])].gradient.relative == pytest.approx(1 / 3)
    begins = next(tensor for tensor in comparison.record.tensors if tensor.id == start)
    assert f"Gradients begin to differ at: {begins.symbol}." in comparison.text(80)


def test_the_place_where_values_begin_to_differ_and_the_argument_that_differs_are_found():
    def run(slope):
        tg.manual_seed(0)
        x, w, v = tg.randn(6, 8), tg.randn(8, 8, requires_grad=True), tg.randn(8, 1, requires_grad=True)
        with tg.viz.trace() as t:
            h = x @ w
            y = tg.leaky_relu(h, slope) @ v
            y.sum().backward()
        return t

    comparison = tg.viz.compare(run(0.1), run(0.2))
    (start,) = comparison.runs.values_part
    made = {op.output: op for op in comparison.record.ops}
    assert made[start].name == "leaky_relu"
    ((op, params),) = comparison.runs.params
    assert op == made[start].id
    assert "0.1 | 0.2" in params


def test_a_difference_that_cancellation_makes_larger_begins_where_it_came_from():
    def run(value):
        w = tg.tensor([value], requires_grad=True, name="w")
        with tg.viz.trace() as t:
            ((w - 1.0) * 2.0).sum().backward()
        return t

    comparison = tg.viz.compare(run(1.0), run(1.001))
    assert comparison.runs.pairs[2].value.relative == 1
    assert comparison.runs.values_part == (comparison.runs.pairs[0].id,)


def test_the_first_place_where_structures_part_is_named():
    def run(program):
        with tg.viz.trace() as t:
            program(tg.ones(2, 3, requires_grad=True)).sum().backward()
        return t

    first, longer = run(lambda x: x.exp().tanh()), run(lambda x: x.exp().tanh().relu())
    with pytest.raises(ArgumentError, match=r"part at op 3: sum\(.*in first, relu\(.*in longer"):
        tg.viz.compare(first, longer)
    first = run(lambda x: x.exp() + x)
    with pytest.raises(ArgumentError, match=r"part at op 2: add\(.*in first, exp\("):
        tg.viz.compare(first, run(lambda x: x.exp() + x.exp()))
    with pytest.raises(ArgumentError, match=r"part at op 1: exp\(.*\(2, 3\)\) → .*, test_compare.py:\d+ in first"):
        tg.viz.compare(first, run(lambda x: x[:1].exp() + x))
    with pytest.raises(DTypeError, match="compared with another trace"):
        tg.viz.compare(first, tg.ones(2))
    with tg.viz.trace() as empty:
        pass
    with pytest.raises(GraphError):
        tg.viz.compare(first, empty)


@pytest.mark.parametrize(
    ("a", "b", "expected", "index"),
    [
        ([1.0, math.nan], [1.0, math.nan], 0.0, ()),
        ([1.0, math.inf], [1.0, math.inf], 0.0, ()),
        ([1.0, math.nan], [1.0, 2.0], math.inf, (1,)),
        ([1.0, -math.inf], [1.0, math.inf], math.inf, (1,)),
        ([0.0, 0.0], [0.0, 0.0], 0.0, ()),
        ([1.7e308], [-1.7e308], 2.0, (0,)),
        ([], [], 0.0, ()),
        (3.0, 4.0, 0.25, ()),
    ],
)
def test_differences_of_special_numbers(a, b, expected, index):
    found = difference(np.array(a), np.array(b))
    assert (found.relative, found.index) == (expected, index)


def test_a_gradient_that_only_one_run_has_is_infinitely_different():
    def run(detached):
        w, v = (tg.tensor([1.0, 3.0], requires_grad=True, name=name) for name in "wv")
        with tg.viz.trace() as t:
            ((w * 2) * v).sum().backward(inputs=[v] if detached else None)
        return t

    comparison = tg.viz.compare(run(False), run(True))
    assert pairs_by_name(comparison)["w"].gradient.relative == math.inf
    assert "only one run has it" in comparison.text(80)


def test_constants_without_a_name_are_told_apart_by_what_they_went_into():
    def run(k):
        w = tg.tensor([1.0, -2.0], requires_grad=True, name="w")
        with tg.viz.trace() as t:
            ((w * k + (k - 7) - k / 3) ** 2).sum().backward()
        return t

    text = tg.viz.compare(run(1.0), run(2.0)).text(90)
    assert "Parameters and inputs that differ: constant in u₁, constant in u₂, constant in u₃." in text
    assert text.count("constant in u") == 7


@needs_program
def test_the_drawing_has_both_numbers_and_marks_the_largest_differences(tmp_path):
    def run(scale):
        w = tg.tensor([1.0, -2.0], requires_grad=True, name="w")
        with tg.viz.trace() as t:
            loss = (w * w * scale).sum()
            loss.backward()
        return t

    ours, theirs = run(1.0), run(3.0)
    comparison = tg.viz.compare(ours, theirs)
    svg = comparison.save(tmp_path / "c.svg").read_text(encoding="utf-8")
    for text in ("ours", "theirs", ">5<", ">15<", "67 %", "gradients differ by 67 %", "values differ by 67 %"):
        assert text in svg
    folded = tg.viz.compare(*(step(lenet(), *batch())[0] for _ in range(2)), fold=True)
    assert folded.folded
    assert "conv1" in folded.svg
    with pytest.raises(ArgumentError, match=r"compare.*fold must name modules"):
        tg.viz.compare(ours, theirs, fold="conv9")
