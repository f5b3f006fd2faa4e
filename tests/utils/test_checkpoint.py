"""Checkpoints of activations: the gradients of the function itself, less memory, the same random numbers."""

import gc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.utils.checkpoint import checkpoint, checkpoint_sequential

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def network():
    tg.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def gradients(call):
    model, x = network(), tg.tensor(X, requires_grad=True)
    tg.manual_seed(7)
    z = call(model, x)
    after = tg.rand(2).tolist()  # the generator goes on as if nothing were
    (z * z).sum().backward()
    return [z.data.copy(), x.grad.data, *[p.grad.data for p in model.parameters()], after]


@pytest.mark.parametrize(
    "call",
    [
        lambda model, x: checkpoint(model, x),
        lambda model, x: checkpoint(model, x, use_reentrant=True),
        lambda model, x: checkpoint_sequential(model, 3, x),
        lambda model, x: model[3:](checkpoint(lambda x: model[:3](x), x=x)),
        lambda model, x: checkpoint(lambda a, b: (model(a["x"]), b), {"x": x}, None)[0],
    ],
)
def test_gradients_are_those_of_the_function(call):
    for found, expected in zip(gradients(call), gradients(lambda model, x: model(x)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_activations_are_not_kept():
    kept = []

    def function(x):
        y = x.exp()
        kept.append(weakref.ref(y))
        return (y * y).sin()

    x = tg.tensor(X, requires_grad=True)
    z = checkpoint(function, x)
    gc.collect()
    assert kept[0]() is None
    assert len(kept) == 1
    z.sum().backward()
    assert len(kept) == 2
    np.testing.assert_allclose(x.grad.data, 2 * np.exp(2 * X) * np.cos(np.exp(2 * X)), rtol=2e-3)


def test_several_outputs_and_second_derivatives():
    w = tg.tensor([1.5], requires_grad=True, dtype="float64")

    def function(x):
        return x.sin() * w, (x * x).sum()

    def loss(x):
        a, b = checkpoint(function, x)
        return (a * a).sum() * b

    x = tg.tensor(X.astype(float), requires_grad=True)
    assert tg.gradcheck(loss, x)
    assert tg.gradcheck(lambda x: tg.grad(loss(x), x, create_graph=True)[0], x)
    assert tg.gradcheck(lambda x: tg.grad(loss(x), w, create_graph=True)[0], x)


def test_without_a_gradient_it_is_the_function_itself():
    assert not checkpoint(tg.exp, tg.tensor(X)).requires_grad
    with tg.no_grad():
        assert not checkpoint(tg.exp, tg.tensor(X, requires_grad=True)).requires_grad


def test_other_random_numbers_where_the_state_is_not_kept():
    x = tg.ones(1000, requires_grad=True)
    z = checkpoint(lambda x: tg.dropout(x, 0.5), x, preserve_rng_state=False)
    z.sum().backward()
    assert not np.array_equal(z.data, x.grad.data)


def tanh_of_linear(wrapped):
    """A step through a layer, as a checkpoint or not: its trace, its loss and the layer."""
    tg.manual_seed(0)
    layer = nn.Linear(3, 2)
    with tg.viz.trace() as step:
        x = tg.tensor(X, name="x")
        h = checkpoint(layer, x) if wrapped else layer(x)
        loss = h.tanh().sum()
        loss.backward()
    return step, loss, layer


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_trace_of_a_checkpoint_is_explained_like_the_function(name):
    """Its op is run again at other inputs, and at other values of the parameters that it reads."""
    explanations = []
    for wrapped in (True, False):
        step, _, layer = tanh_of_linear(wrapped)
        before = layer.weight._data
        explanations.append(tg.viz.explain(step, wrt=getattr(layer, name), index=(0,) * getattr(layer, name).ndim))
        assert layer.weight._data is before
    found, expected = explanations
    assert found.difference == pytest.approx(expected.difference, rel=1e-4)
    assert found.path_sum == pytest.approx(expected.path_sum, rel=1e-5)


def test_finite_differences_confirm_a_checkpoint_in_a_drawing():
    record = tg.viz.graph(tanh_of_linear(True)[0], check=True).record
    checked = [edge.checked for edge in record.edges if edge.carries_gradient]
    assert len(checked) == 5 - 1 and max(checked) < 1e-3  # weight, bias, tanh, sum: x gets no gradient


def test_a_live_graph_runs_a_checkpoint_again_for_its_values():
    x = tg.tensor(X, requires_grad=True)
    loss = (checkpoint(lambda x: x * x, x) * 3.0).tanh().sum()
    found = tg.viz.explain(loss, wrt=x, index=(1, 2))
    assert found.difference == pytest.approx(6 * X[1, 2] / np.cosh(3 * X[1, 2] ** 2) ** 2, rel=1e-3)


def test_mistakes_are_named():
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    with pytest.raises(tg.GraphError, match="pass it as an argument"):
        checkpoint(lambda x: x * y, x)
    with pytest.raises(tg.DTypeError, match="must return tensors, got str"):
        checkpoint(lambda x: "text", x)
    with pytest.raises(tg.DTypeError, match="expected a function"):
        checkpoint(3, x)
    with pytest.raises(tg.ArgumentError, match=r"segments must be in \[1, 1\]"):
        checkpoint_sequential([tg.exp], 2, x)
