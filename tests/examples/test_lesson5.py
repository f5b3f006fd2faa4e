"""Lesson 5: a 784-16-16-10 network of sigmoids, its squared error, gradient, surface and weights; a CNN beside it."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataFileError, DataLoader, mnist, optdigits

REAL = Path(os.environ.get("TENSORGRAD_DATA") or Path(__file__).parents[3] / "shared" / "data")


def network(pixels=784, seed=0):
    tg.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(pixels, 16), nn.Sigmoid(), nn.Linear(16, 16), nn.Sigmoid(), nn.Linear(16, 10), nn.Sigmoid()),
    )


def squared_error(activations, labels):
    return (activations - tg.one_hot(labels, 10)).square().sum(1).mean()


def batch(count, pixels=784):
    rng = np.random.default_rng(0)
    return tg.tensor(rng.random((count, pixels), np.float32)), tg.tensor(rng.integers(0, 10, count))


def descend(model, train, test, epochs, batch_size, path=None):
    """Gradient descent; the accuracy on the test set after it."""
    batches = DataLoader(train, batch_size, shuffle=True)
    sgd = nn.optim.SGD(model.parameters(), nn.optim.cosine(3.0, steps=epochs * len(batches)))
    record = path and (lambda step: path.record())
    nn.fit(model, batches, loss=squared_error, optimizer=sgd, epochs=epochs, on_step_end=record, progress=False)
    return nn.evaluate(model, DataLoader(test, 500))["accuracy"]


def test_784_16_16_10_has_13002_weights_and_biases():
    model = network()
    assert sum(parameter.numel() for parameter in model.parameters()) == 13_002
    assert nn.summary(model, (1, 1, 28, 28)).parameters == 13_002


def test_28x28_digits_in_ten_activations_out():
    activations = network()(tg.rand(3, 1, 28, 28))
    assert activations.shape == (3, 10)
    assert np.all((activations.numpy() > 0) & (activations.numpy() < 1))


def test_before_training_the_output_is_a_mess():
    model, test = network(64), optdigits(train=False)
    activations = nn.predict(model, test).numpy()
    assert activations.min() > 0.2 and activations.max() < 0.8  # sure of nothing
    assert np.ptp(activations, axis=0).max() < 0.1  # and every digit is answered alike
    assert nn.evaluate(model, DataLoader(test, 500))["accuracy"] < 0.2


def test_the_cost_is_the_squared_error_over_ten_activations_averaged_over_examples():
    (x, labels), model = batch(7), network()
    a = model(x).numpy()
    by_hand = [sum((a[n, i] - (i == label)) ** 2 for i in range(10)) for n, label in enumerate(labels.tolist())]
    assert squared_error(model(x), labels).item() == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_the_gradient_is_a_vector_of_13002_partial_derivatives():
    model = network().to("float64")
    x, labels = batch(5)
    x = x.astype("float64")
    squared_error(model(x), labels).backward()
    gradient = np.concatenate([parameter.grad.numpy().ravel() for parameter in model.parameters()])
    assert gradient.shape == (13_002,)
    # One entry of each parameter, at random, against a finite difference.
    rng, start = np.random.default_rng(1), 0
    for parameter in model.parameters():
        k = rng.integers(parameter.numel())
        index = np.unravel_index(k, parameter.shape)
        costs = []
        for step in (1e-5, -2e-5, 1e-5):
            with tg.no_grad():
                parameter[index] += step
                costs.append(squared_error(model(x), labels).item())
        assert gradient[start + k] == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-4, abs=1e-10)
        start += parameter.numel()


@pytest.fixture(scope="module")
def two_descents():
    """Two networks from two random starts, trained on the same digits, and the path of the first."""
    train, test = optdigits(train=True), optdigits(train=False)
    first, second = network(64, seed=0), network(64, seed=1)
    path = tg.viz.DescentPath(first)
    path.record()
    for model, its_path in ((first, path), (second, None)):
        descend(model, train, test, epochs=5, batch_size=8, path=its_path)
    return first, second, path


@pytest.mark.slow
def test_gradient_descent_reads_more_than_9_of_10_small_digits(two_descents):
    for model in two_descents[:2]:
        assert nn.evaluate(model, DataLoader(optdigits(train=False), 500))["accuracy"] > 0.9


def costs_between(first, second, shares):
    """The cost on the straight line from the one network to the other."""
    images, labels = optdigits(train=True).batch(range(1000))
    model = copy.deepcopy(first)
    ends = [[p.numpy().copy() for p in network.parameters()] for network in (first, second)]
    costs = []
    with tg.no_grad():
        for share in shares:
            for parameter, a, b in zip(model.parameters(), *ends, strict=True):
                parameter[...] = a + share * (b - a)
            costs.append(squared_error(model(images), tg.tensor(labels)).item())
    return np.array(costs)


def test_the_cost_surface_has_local_minima(two_descents):
    first, second, _ = two_descents
    line = costs_between(first, second, np.linspace(0, 1, 21))
    # Two valleys, and between them a ridge that is higher than both ends.
    assert line.max() > 2 * max(line[0], line[-1])
    assert 0 < line.argmax() < 20


def test_the_descent_path_leads_from_the_start_to_the_trained_network_over_the_surface(two_descents):
    first, second, path = two_descents
    assert path.points.shape == (1 + 5 * 478, 1_482)
    for point, model in ((path.points[0], network(64)), (path.points[-1], first)):
        assert np.array_equal(point, np.concatenate([p.numpy().ravel() for p in model.parameters()]))

    other = np.concatenate([p.numpy().ravel() for p in second.parameters()])
    directions = np.array([other - path.points[-1], path.points[0] - path.points[-1]])
    images, labels = (tg.tensor(array) for array in optdigits(train=True).batch(range(200)))
    axes = tg.viz.cost_surface(
        lambda: squared_error(first(images), labels), first, path, directions, ((-0.5, 1.5), (-0.5, 1.2)), resolution=5
    )
    drawn = next(line for line in axes.get_lines() if line.get_label() == "descent").get_xydata()
    assert np.allclose(drawn[[0, -1]], [[0, 1], [0, 0]], atol=1e-6)


def test_first_layer_weights_are_pictures_green_for_plus_1_black_for_0_red_for_minus_1():
    weight = np.zeros((16, 784), np.float32)
    weight[0, 0], weight[0, 1] = 1, -1
    axes = tg.viz.weight_pictures(weight)
    assert axes.get_title() == "weights of 16 units, each as a 28×28 picture"
    picture = axes.collections[0] if axes.collections else axes.images[0]
    green, black, red = (picture.to_rgba(value)[:3] for value in (1.0, 0.0, -1.0))
    assert green[1] > 0.7 and green[1] > 3 * green[0]
    assert max(black) < 0.02
    assert red[0] > 0.9 and red[0] > 2 * max(red[1:])


# ----------------------------------------------------------------------------------- MNIST, where the files are at hand


@pytest.fixture(scope="module")
def digits():
    try:
        return mnist(REAL, train=True, download=False), mnist(REAL, train=False, download=False)
    except DataFileError as error:
        pytest.skip(str(error))


def test_784_16_16_10_reads_at_least_93_percent_of_mnist(digits):
    assert descend(network(), *digits, epochs=3, batch_size=32) >= 0.93


def test_the_cnn_beside_it_reads_at_least_99_percent_of_mnist(digits):
    tg.manual_seed(0)
    train, test = digits
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    batches = DataLoader(train, 64, shuffle=True)
    adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(3e-3, steps=3 * len(batches)))
    nn.fit(model, batches, loss=nn.cross_entropy, optimizer=adam, epochs=3, progress=False)
    assert nn.evaluate(model, DataLoader(test, 500))["accuracy"] >= 0.99
