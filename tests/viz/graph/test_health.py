"""What a drawing names: gradients that vanish, explode or aren't finite, units that are dead, activations saturated."""

from dataclasses import replace

import numpy as np
import pytest
from networks import LeNet5, ResNet18, SigmoidNetwork, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.graph import health
from tensorgrad.viz.graph.health import examine, strength
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.collect import collect
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import GradientRecord
from tensorgrad.viz.record.statistics import gradient


def examined(loss):
    graph = fold_view_ops(collect(loss, depth=tg.viz.Depth(numbers=True)))
    return examine(graph, find_modules(graph))


def said(loss):
    """Where something is found, and what; each with what helps."""
    assert all(finding.remedy for finding in examined(loss))
    return [(finding.where, finding.text) for finding in examined(loss)]


@pytest.fixture(autouse=True)
def seeded():
    tg.manual_seed(0)


def network(activation=tg.relu, scale=1.0, shift=0.0, inputs=1.0, batch=32):
    """The loss of two layers on random inputs of this size, for which the first layer's weights make up.

    Between them, activation(h · scale + shift).
    """
    rng = np.random.default_rng(0)

    def parameter(name, *shape, size=1.0):
        weights = rng.standard_normal(shape) / np.sqrt(shape[0]) * size
        return tg.Tensor(weights, requires_grad=True, name=name)

    x = tg.Tensor(rng.standard_normal((batch, 20)) * inputs)
    h = activation((x @ parameter("first.weight", 20, 30, size=1 / inputs)) * scale + shift)
    return nn.cross_entropy(h @ parameter("last.weight", 30, 10), rng.integers(0, 10, batch))


def test_networks_as_they_are_initialised_today_are_healthy():
    assert examined(loss_of(LeNet5(), (16, 1, 28, 28))) == ()
    assert examined(loss_of(ResNet18(width=8), (8, 3, 32, 32))) == ()
    assert examined(network()) == ()
    assert examined(network(tg.tanh)) == ()


def test_the_first_layer_of_a_four_layer_sigmoid_network_vanishes_and_no_other():
    """The stranger's test of docs/drawing.md, as far as a machine can take it."""
    model = SigmoidNetwork()
    loss = loss_of(model, (64, 64))
    loss.backward(retain_graph=True)
    (found,) = examined(loss)
    ratio = np.abs(model.layer1.weight.grad.numpy()).mean() / np.abs(model.layer4.weight.grad.numpy()).mean()
    assert 1e-3 < ratio < health.VANISHING
    assert found.where == "layer1"
    assert found.text == "vanishing: 2·10⁻³ of the last layer's"
    assert round(ratio, 3) == 0.002
    assert found.cause == "3 × σ after it, and each multiplies the gradient by 0.24"
    assert found.remedy == "relu, He initialisation or batch norm"


def test_who_has_relus_already_is_not_told_to_take_relus():
    layers = [layer for _ in range(20) for layer in (nn.Linear(8, 8), nn.ReLU())]
    findings = examined(loss_of(nn.Sequential(*layers, nn.Linear(8, 10)), (4, 8)))
    vanishing = [finding for finding in findings if finding.text.startswith("vanishing")]
    assert "relu" in vanishing[0].cause
    assert {finding.remedy for finding in vanishing} == {"He initialisation or batch norm"}


def test_vanishing_has_no_cause_to_name_where_no_activation_shrinks_the_gradient():
    (found,) = examined(network(lambda h: h * 1e-4 + 1.0))
    assert (found.where, found.cause) == ("first", "")
    assert found.text.startswith("vanishing: ")


def test_unscaled_inputs_make_the_first_layer_explode():
    (found,) = examined(network(tg.sigmoid, inputs=1e4))
    assert found.where == "first"
    assert found.text.startswith("exploding: ")
    assert found.text.endswith(" × the last layer's")
    assert examined(network(tg.sigmoid)) == ()


def test_a_layer_without_any_gradient():
    texts = [finding.text for finding in examined(network(shift=-100.0))]
    assert texts == ["no gradient: all zeros", "dead: 100 % of units"]
    assert said(network(lambda h: h * 0.0 + 1.0)) == [("first", "no gradient: all zeros")]


def test_dead_units_are_counted_over_the_batch_and_not_in_a_small_one():
    shift = np.where(np.arange(30) < 15, -100.0, 0.0)
    (found,) = examined(network(shift=shift))
    assert found.text == "dead: 50 % of units"
    assert found.where.startswith("op")
    assert examined(network(shift=shift, batch=health.ENOUGH - 1)) == ()
    assert examined(network(batch=1)) == ()


@pytest.mark.parametrize("activation", [tg.sigmoid, tg.tanh])
def test_saturated(activation):
    (found,) = [finding for finding in examined(network(activation, scale=100.0)) if "saturated" in finding.text]
    share = int(found.text.removeprefix("saturated: ").removesuffix(" %"))
    assert 90 <= share <= 100


def test_one_number_on_the_flat_part_is_no_saturated_layer():
    x = tg.tensor([5.0] * health.ENOUGH, requires_grad=True)
    assert [text for _, text in said(x.tanh().sum())] == ["saturated: 100 %"]
    assert said(x[1:].tanh().sum()) == said(x[0].tanh()) == []


def test_thresholds_are_the_least_that_is_named():
    graph = fold_view_ops(collect(network(), depth=tg.viz.Depth(numbers=True)))
    for name, least in (("relu", health.DEAD), ("tanh", health.SATURATED), ("sigmoid", health.SATURATED)):
        for idle, count in ((least - 1e-6, 0), (least, 1)):
            ops = tuple(replace(op, name=name, idle=idle) if op.name == "relu" else op for op in graph.ops)
            assert len(examine(replace(graph, ops=ops), find_modules(graph))) == count


def test_nan_and_infinity_are_named_where_they_arise():
    x = tg.Tensor([1.0, 0.0, -1.0], requires_grad=True, name="x")
    assert said(x.log().exp().sum()) == [("op0", "NaN from here on")]
    assert examined((1 / x).abs().sum())[0].text == "∞ from here on"
    y = tg.Tensor([1.0, 0.0], requires_grad=True)
    assert said(y.sqrt().sum()) == [("op0", "its gradient isn't finite")]
    assert said((y * 2).sqrt().sum()) == [("op1", "its gradient isn't finite")]
    z = tg.Tensor(0.0, requires_grad=True)
    assert said(z.log() * 2)[0] == ("op0", "∞ from here on")


@pytest.mark.parametrize(
    ("function", "at", "remedy"),
    [
        (tg.exp, 100.0, "smaller inputs: subtract the largest first"),
        (tg.sqrt, -1.0, "inputs of at least 0, as by x.clip(min=0)"),
        (tg.log, -1.0, "inputs above 0, as by x.clip(min=eps)"),
        (lambda x: 1 / x, 0.0, "keep the divisor off 0, as by + eps"),
        (tg.square, 1e30, "smaller inputs"),
    ],
)
def test_what_helps_is_told_by_the_op(function, at, remedy):
    x = tg.tensor([at, 1.0], requires_grad=True)
    assert examined(function(x).sum())[0].remedy == remedy


def test_a_gradient_that_is_not_finite_makes_its_layer_explode():
    loss = network(lambda h: (h * 0).sqrt() + h)
    assert ("first", "exploding: gradient not finite") in said(loss)


def test_without_numbers_nothing_is_said():
    graph = fold_view_ops(collect(network(shift=-100.0)))
    assert examine(graph, find_modules(graph)) == ()


def test_strength_is_the_length_of_a_gradient():
    g = np.random.default_rng(0).standard_normal((3, 4, 5)) + 0.7
    assert strength(gradient(g, numbers=True)) == pytest.approx(np.linalg.norm(g), rel=1e-12)
    assert strength(gradient(np.full((3, 4), -0.5))) == pytest.approx(np.sqrt(12) / 2)
    assert strength(gradient(np.array(-3.0), numbers=True)) == 3.0
    assert strength(GradientRecord((0, 3), 0.0, None)) == 0


def test_what_is_wrong_stands_on_the_drawing_open_or_folded():
    loss = loss_of(SigmoidNetwork(), (64, 64))
    for drawing in (tg.viz.graph(loss), tg.viz.graph(loss, fold=True)):
        assert drawing.dot.count("vanishing: 2·10⁻³ of the last layer's") == 1
        assert "→ relu, He initialisation or batch norm" in drawing.dot
    dead = network(shift=-100.0)
    assert "dead: 100 % of units" in tg.viz.graph(dead).dot
    x = tg.Tensor([1.0, float("nan")], requires_grad=True)
    assert "holds NaN" in tg.viz.graph((x * 2).sum()).dot
