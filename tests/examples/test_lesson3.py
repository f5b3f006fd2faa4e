"""Lesson 3: cross-entropy over the prediction, one named weight's derivative, its descent, and prediction alone."""

import gc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def network(dtype="float64"):
    """2 inputs, 3 hidden sigmoid neurons, 2 outputs; softmax is part of the loss."""
    tg.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2)).to(dtype)


def examples(count=80):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], count // 2)
    centres = np.array([[1.2, 1.2], [-1.2, 0.0]])
    return tg.tensor(rng.standard_normal((count, 2)) + centres[labels]), tg.tensor(labels)


@pytest.mark.parametrize("prediction", [0.1, 0.25, 0.5, 1.0])
def test_the_tangent_of_the_cross_entropy_over_the_prediction_is_minus_1_over_a(prediction):
    a = tg.tensor(prediction, dtype="float64", requires_grad=True)
    cost = nn.nll_loss(tg.stack([a, 1 - a]).clip(1e-300).log(), tg.tensor(0))
    (slope,) = tg.grad(cost, a)
    assert cost.item() == pytest.approx(-np.log(prediction))
    assert slope.item() == pytest.approx(-1 / prediction)


def test_dc_by_dw2_1_2_follows_the_chain_rule_and_a_finite_difference():
    model, (x, y) = network(), examples()
    weight = model[2].weight  # layer 2; row 0 leads to output 1, column 1 comes from hidden neuron 2
    nn.cross_entropy(model(x[:1]), y[:1]).backward()

    hidden = 1 / (1 + np.exp(-(model[0].weight.numpy() @ x.numpy()[0] + model[0].bias.numpy())))
    z = weight.numpy() @ hidden + model[2].bias.numpy()
    a1 = np.exp(z[0]) / np.exp(z).sum()
    by_hand = hidden[1] * (a1 * (1 - a1)) * (-1 / a1)  # ∂z1/∂w · ∂a1/∂z1 · ∂C/∂a1
    assert weight.grad[0, 1].item() == pytest.approx(by_hand, rel=1e-12)

    def cost(step):
        with tg.no_grad():
            weight[0, 1] += step
            value = nn.cross_entropy(model(x[:1]), y[:1]).item()
            weight[0, 1] -= step
        return value

    assert weight.grad[0, 1].item() == pytest.approx((cost(1e-5) - cost(-1e-5)) / 2e-5, rel=1e-6)


def test_the_path_from_the_weight_to_c_is_drawn_and_holds_nothing_else():
    w = tg.tensor(0.7, requires_grad=True, name="w(2)1,2")
    z1 = w * 0.4 + 0.2
    a1 = (z1 - 0.1).sigmoid()
    C = -a1.log()
    record = tg.viz.graph(C).record
    carrying = [edge for edge in record.edges if edge.carries_gradient]
    # One edge into each op: a single path, which begins at the weight and ends at C.
    assert [edge.op for edge in carrying] == [op.id for op in record.ops]
    assert [tensor.name for tensor in record.tensors if tensor.kind == "parameter"] == ["w(2)1,2"]
    assert [op.name for op in record.ops] == ["multiply", "add", "subtract", "sigmoid", "log", "negative"]
    assert next(tensor.name for tensor in record.tensors if tensor.id == record.output) == "C"


def test_gradient_descent_on_one_weight_walks_down_the_curve_to_convergence():
    model, (x, y) = network(), examples()
    weight = model[2].weight
    with tg.no_grad():
        weight[0, 1] = 6.0
    before, costs, slope = weight.numpy().copy(), [], 1.0
    while abs(slope) > 1e-6:
        model.zero_grad()
        cost = nn.cross_entropy(model(x), y)
        cost.backward()
        costs.append(cost.item())
        slope = weight.grad[0, 1].item()
        with tg.no_grad():
            weight[0, 1] -= 5.0 * slope
        assert len(costs) < 200
    assert np.all(np.diff(costs) < 0)
    moved = weight.numpy() != before
    assert moved.tolist() == [[False, True, False], [False, False, False]]

    def curve(w):
        with tg.no_grad():
            weight[0, 1] = w
            return nn.cross_entropy(model(x), y).item()

    # No point of the curve lies lower than where the descent ended.
    assert min(curve(w) for w in np.linspace(-6, 6, 241)) >= costs[-1] - 1e-9


def test_forward_and_backward_passes_repeated_lower_the_cost_of_every_parameter():
    model, (x, y) = network("float32"), examples()
    before = [p.numpy().copy() for p in model.parameters()]
    sgd = nn.optim.SGD(model.parameters(), lr=0.5)
    batch = [(x.astype("float32"), y)]
    history = nn.fit(model, batch, loss=nn.cross_entropy, optimizer=sgd, epochs=100, progress=False)
    assert np.all(np.diff(history["loss"]) < 0)
    assert all(np.all(old != p.numpy()) for old, p in zip(before, model.parameters(), strict=True))


def test_using_the_network_is_the_forward_pass_alone_and_records_nothing():
    model, (x, _) = network(), examples()
    recorded = model(x)
    with tg.no_grad():
        prediction = model(x)
    assert np.array_equal(prediction, recorded)
    assert not recorded.is_leaf
    for alone in (prediction, nn.predict(model, x)):
        assert alone.is_leaf
        assert not alone.requires_grad
        with pytest.raises(tg.GraphError, match="nothing was recorded"):
            tg.viz.graph(alone)
        with pytest.raises(tg.GraphError):
            alone.sum().backward()


def test_nothing_keeps_the_hidden_activations_of_a_prediction_alive():
    model, (x, _) = network(), examples()
    seen = []
    model[1].register_forward_hook(lambda module, inputs, output: seen.append(weakref.ref(output._data)))
    gc.disable()
    try:
        recorded = model(x)
        with tg.no_grad():
            prediction = model(x)
    finally:
        gc.enable()
    kept, dropped = (activations() for activations in seen)
    assert kept is not None  # for a backward pass that may come
    assert dropped is None
    assert prediction.shape == recorded.shape
