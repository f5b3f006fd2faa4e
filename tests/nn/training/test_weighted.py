"""Weighted examples: a weight of 2 is an example twice, one of 0 an example left out."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def data(kind, n=12):
    rng = np.random.default_rng(4)
    x, weight = rng.standard_normal((n, 3)), rng.integers(0, 4, n)
    y = rng.integers(0, 2, n) if kind == "classes" else rng.standard_normal((n, 2))
    return x, y, weight


LOSSES = {
    "classes": [nn.cross_entropy, nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)],
    "numbers": [nn.mse_loss, nn.MSELoss(), nn.functional.huber_loss],
}


@pytest.mark.parametrize(
    ("kind", "loss", "compile"),
    [(kind, loss, n == 0) for kind, losses in LOSSES.items() for n, loss in enumerate(losses)],
)
def test_weights_are_repetitions(kind, loss, compile):
    x, y, weight = data(kind)

    def trained(batch, validation, **options):
        with tg.seeded(0):
            model = nn.Linear(3, 2).double()
            options |= {"optimizer": nn.optim.SGD(model.parameters(), lr=0.3), "epochs": 5, "progress": False}
            history = nn.fit(model, [batch], loss=loss, validation=[validation], compile=compile, **options)
        return model.weight.numpy(), history["loss"], history["validation_loss"]

    again = np.repeat(np.arange(len(x)), weight)
    scaled = weight / weight.mean()
    repeated = trained((x[again], y[again]), (x[again], y[again]))
    weighted = trained((x, y, scaled), (x, y, scaled), weighted=True)
    for one, other in zip(repeated, weighted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    doubled = trained((x, y, 2 * scaled), (x, y, 2 * scaled), weighted=True)
    np.testing.assert_allclose(doubled[1][0], 2 * weighted[1][0], rtol=1e-10)
    unweighted = trained((x, y), (x, y))
    assert not np.allclose(unweighted[0], weighted[0], rtol=1e-3)


def test_weights_go_with_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter([1.0])

        def forward(self, a, b):
            return (a + b) * self.scale

    batch = np.ones((2, 1)), np.ones((2, 1)), np.array([[6.0], [100.0]]), np.array([1.0, 0.0])
    model = Sum()
    sgd = nn.optim.SGD(model.parameters(), lr=0.1)
    nn.fit(model, [batch], loss=nn.mse_loss, optimizer=sgd, epochs=100, progress=False, weighted=True)
    assert model.scale.item() == pytest.approx(3.0, rel=1e-4)
    assert nn.evaluate(model, [batch], nn.mse_loss, weighted=True)["loss"] == pytest.approx(0, abs=1e-6)


def test_what_is_refused():
    model = nn.Linear(3, 2)
    sgd = nn.optim.SGD(model.parameters(), lr=0.1)
    x, y, weight = data("classes")
    options = {"optimizer": sgd, "epochs": 1, "progress": False, "weighted": True}
    with pytest.raises(tg.ArgumentError, match="must take reduction='none'"):
        nn.fit(model, [(x, y, weight)], loss=lambda output, target: output.sum(), **options)
    with pytest.raises(tg.ArgumentError, match=r"\(x, target, weight\)"):
        nn.fit(model, [(x, y)], loss=nn.cross_entropy, **options)
    with pytest.raises(tg.ShapeError, match="a weight for each example"):
        nn.fit(model, [(x, y, weight[:3])], loss=nn.cross_entropy, **options)
    with pytest.raises(tg.ShapeError, match="a weight for each example"):
        nn.fit(model, [(x, y, weight)], loss=lambda output, target, reduction: output.sum(), **options)
