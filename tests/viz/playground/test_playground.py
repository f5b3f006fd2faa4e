"""What a playground makes of a computation: products found by running ops, what may be changed, refusals by name."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.graph.layout import render
from tensorgrad.viz.playground.application import Application
from tensorgrad.viz.playground.products import find_products, value_of
from tensorgrad.viz.playground.program import program_of


def program(function, *tensors, **names):
    with tg.viz.trace() as step:
        function(*tensors).backward()
    return program_of(tg.viz.graph(step, names=names).recorder.computed)


def last_of(step):
    """The last op of a trace."""
    computation = step.computation()
    last = computation.steps[-1]
    return Application(last.op, tuple(computation.known[key].array for key in last.inputs), (), last.shape)


def weight(*shape, seed=0, name=None):
    return tg.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True, name=name)


# ------------------------------------------------------------------------------------------------- sums of products


@pytest.mark.parametrize("name", ["matmul", "conv", "mean", "batched", "chain"])
def test_products_are_found_one_by_one(name):
    """Against the op at random inputs, and the number of products against arithmetic."""
    rng = np.random.default_rng(1)
    x, w = tg.tensor(rng.standard_normal((1, 2, 5, 4)), requires_grad=True), weight(3, 2, 3, 3)
    a, b, c = (weight(3, 3, seed=k) for k in range(3))
    results = {
        "matmul": (lambda: a @ b, 3 * 3 * 3),
        "conv": (lambda: tg.conv2d(x, w, stride=2), 3 * 2 * 1 * 18),
        "mean": (lambda: x.mean((0, 2)), 40),
        "batched": (lambda: tg.einsum("nij,njk->nik", a[:, :, None], b[:, None, :]), 27),
        "chain": (lambda: tg.einsum("ij,jk,kl->il", a, b, c), 81),
    }
    make, count = results[name]
    with tg.viz.trace() as step:
        make()
    applied = last_of(step)
    terms = find_products(applied, 10_000)
    assert sum(len(part.at) for part in terms) == count
    moved = [rng.standard_normal(array.shape) for array in applied.arrays]
    found = value_of(terms, moved, int(np.prod(applied.shape)))
    np.testing.assert_allclose(found, applied.at(moved).ravel(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", [tg.softmax, lambda x, dim: x.amax(dim), lambda x, dim: x.prod(dim)])
def test_what_is_not_linear_has_no_products(function):
    with tg.viz.trace() as step:
        function(weight(3, 3), 1)
    assert find_products(last_of(step), 10_000) is None


# ----------------------------------------------------------------------------------------------------- what is refused


def test_ops_that_cannot_be_computed_are_all_named():
    def function(w):
        return tg.sort(w, 1)[0].sum() + tg.linalg.svdvals(w).sum() + w.tanh().sum()

    with pytest.raises(tg.ArgumentError, match=r"argsort \(.*take_along \(.*svdvals \(") as caught:
        program(function, weight(3, 3))
    assert "tanh" not in str(caught.value)


def test_a_gradient_that_is_not_the_derivative_is_refused():
    labels = tg.tensor([0, 1, 1])
    program(lambda w: nn.functional.embedding(labels, w).tanh().sum(), weight(3, 2))
    with pytest.raises(tg.ArgumentError, match=r"embedding \(its gradient isn't the derivative"):
        program(lambda w: nn.functional.embedding(labels, w, padding_idx=1).tanh().sum(), weight(3, 2))


def test_refusals_say_what_helps(tmp_path):
    w = weight(60, 60)
    with pytest.raises(tg.ArgumentError, match=r"at most 5,000 numbers, got 7,\d\d\d"):
        program(lambda w: (w * 2).sum(), w)
    v, x = weight(2), tg.tensor([1.0, 2.0], dtype="float64")
    loss = (v * x).sum()
    loss.backward()
    with pytest.raises(tg.GraphError, match="trace the step"):
        tg.viz.graph(loss).playground(tmp_path / "play.html")
    with pytest.raises(tg.ArgumentError, match=r"ends in \.html"):
        tg.viz.graph((v * x).sum()).playground(tmp_path / "play.svg")
    with tg.viz.trace() as step:
        y = v * x
    with pytest.raises(tg.GraphError, match=r"\.sum\(\)"):
        tg.viz.graph(step, output=y).playground(tmp_path / "play.html")
    with pytest.raises(tg.ShapeError), tg.viz.trace() as failed:
        (v * x) @ weight(3)
    with pytest.raises(tg.GraphError, match="matmul did"):
        tg.viz.graph(failed).playground(tmp_path / "play.html")
    with tg.viz.trace() as steps:
        for _ in range(2):
            (v * v).sum().backward()
            tg.optim.SGD([v], lr=0.1).step()
    with pytest.raises(tg.ArgumentError, match="one step of training"):
        tg.viz.graph(steps).playground(tmp_path / "play.html")


# -------------------------------------------------------------------------------------------------- what may be changed


def test_weights_and_named_inputs_are_free_and_draws_stay_as_they_were():
    w, x = weight(4, name="w"), tg.tensor(np.ones(4), name="x")
    found = program(lambda w, x: (tg.dropout(w * x + 2.0, 0.5) * w.detach()).sum(), w, x)
    free = {
        place.key if isinstance(place.key, tg.Tensor) else "x": place.trained
        for place in found.places.values()
        if place.free
    }
    assert len(free) == 2
    assert free[w] and not free["x"]
    behind = [
        place for place in found.places.values() if not place.free and (place.slots == found.places[w].slots).all()
    ]
    assert len(behind) == 1, "detach() has the values of w"


def test_numbers_that_json_has_no_word_for(tmp_path):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    page = tg.viz.graph((w * tg.tensor([np.inf, np.nan])).sum()).playground(tmp_path / "play.html").html
    assert '{"float":"inf"}' in page and '{"float":"nan"}' in page and "Infinity]" not in page


def test_several_losses_are_one_sum():
    w = weight(3)
    with tg.viz.trace() as step:
        first, second = (w * w).sum(), w.sum()
        first.backward()
        second.backward(tg.tensor(2.0, dtype="float64"))
    found = program_of(tg.viz.graph(step).recorder.computed)
    assert found.tape.run()[found.loss] == pytest.approx(first.item() + 2 * second.item())


def test_a_drawing_without_a_layout_program_has_a_page_too(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "find_program", _missing)
    model = nn.Linear(2, 1)
    with tg.viz.trace() as step:
        model(tg.ones(3, 2)).sum().backward()
    text = tg.viz.graph(step).playground(tmp_path / "play.html").html
    assert "pip install graphviz-pure" in text
    assert 'id="t0"' in text


def _missing():
    raise render.RenderError("none")
