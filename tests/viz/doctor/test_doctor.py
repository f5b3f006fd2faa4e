"""The doctor: for each rule a program that has the mistake, and programs that look like it and mustn't alarm."""

import html
import warnings

import numpy as np
import pytest
from layout import needs_program
from networks import LeNet5, ResNet18

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, GraphError
from tensorgrad.viz.doctor.mistakes import ENOUGH, UNSCALED


@pytest.fixture(autouse=True)
def quiet():
    """The package warns of some of these mistakes itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def data(count=48, features=6, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return (rng.standard_normal((count, features)) + 2 * np.eye(features)[labels]).astype(np.float32), labels


def mlp(*behind, features=6, classes=4):
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, classes), *behind)


def examine(model=None, x=None, y=None, loss=nn.cross_entropy, steps=3, lr=0.1, zero=True, **options):
    """The report of a few traced steps, each with `zero_grad`, forward, backward and the optimizer's step."""
    images, labels = data()
    model, x, y = model or mlp(), images if x is None else x, labels if y is None else y
    kind = options.pop("kind", tg.optim.SGD)
    optimizer = kind(model.parameters(), lr=lr, **options)
    with tg.viz.trace() as trace:
        for _ in range(steps):
            if zero:
                optimizer.zero_grad()
            loss(model(tg.tensor(x)), tg.tensor(y)).backward()
            optimizer.step()
    return tg.viz.doctor(trace)


def texts(report):
    return [finding.text for finding in report.findings]


def assert_found(report, begin):
    (found,) = [finding for finding in report.findings if finding.text.startswith(begin)]
    assert found.cause
    assert found.remedy
    text = report.text(100)
    assert found.text in text
    assert text.count("cause: ") == text.count("remedy: ") == len(report.findings)
    return found


# ---------------------------------------------------------------------------------------------- healthy as they are


@pytest.mark.parametrize(
    "program",
    [
        lambda: examine(),
        lambda: examine(kind=tg.optim.Adam, lr=1e-3),
        lambda: examine(LeNet5(), *images_and_labels((1, 28, 28)), lr=0.05, momentum=0.9),
        lambda: examine(ResNet18(width=4), *images_and_labels((3, 32, 32)), kind=tg.optim.Adam, lr=1e-3),
    ],
)
def test_usual_networks_are_healthy(program):
    tg.manual_seed(0)
    report = program()
    assert texts(report) == []
    assert not report
    assert report.text(80).startswith("Nothing was found.")


def images_and_labels(shape, count=16):
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, 10, count)


# ------------------------------------------------------------------------------------------------ how the loss is made


def soft_targets(output, target):
    return nn.cross_entropy(output, nn.functional.one_hot(target, 4).float())


@pytest.mark.parametrize(
    "loss", [nn.cross_entropy, soft_targets, lambda o, t: nn.cross_entropy(o, t, label_smoothing=0.1)]
)
def test_softmax_before_cross_entropy(loss):
    found = assert_found(examine(mlp(nn.Softmax(dim=1)), loss=loss), "softmax before cross-entropy")
    assert found.remedy == "pass the logits, without softmax"
    assert_found(examine(mlp(nn.Sigmoid()), loss=loss), "sigmoid before cross-entropy")


def with_a_metric(output, target):
    tg.softmax(output, 1).max(1)
    return nn.cross_entropy(output, target)


def attention(output, target):
    weights = tg.softmax(output @ output.T, 1)
    return nn.cross_entropy(weights @ output, target)


def by_hand(output, target):
    return -(tg.softmax(output, 1).log() * nn.functional.one_hot(target, 4)).sum(1).mean()


@pytest.mark.parametrize("loss", [with_a_metric, attention, by_hand, lambda o, t: nn.nll_loss(tg.log_softmax(o, 1), t)])
def test_a_softmax_elsewhere_is_no_mistake(loss):
    assert texts(examine(loss=loss)) == []


def binary(loss):
    def of(output, target):
        return loss(output[:, 0], (target % 2).float())

    return of


def test_sigmoid_before_a_loss_of_logits():
    double = binary(lambda z, t: nn.binary_cross_entropy_with_logits(z.sigmoid(), t))
    assert texts(examine(loss=double)) == ["sigmoid before a loss of logits"]
    for loss in (
        lambda z, t: nn.binary_cross_entropy(z.sigmoid(), t),
        nn.binary_cross_entropy_with_logits,
        lambda z, t: ((z.sigmoid() - t) ** 2).mean(),
        lambda z, t: nn.binary_cross_entropy_with_logits(nn.functional.softplus(z), t),
    ):
        assert texts(examine(loss=binary(loss))) == []


def test_nll_loss_of_probabilities():
    assert_found(examine(loss=lambda o, t: nn.nll_loss(tg.softmax(o, 1), t)), "nll_loss of probabilities")
    picked = lambda p, t: p[np.arange(len(t)), t.numpy()]  # noqa: E731
    for loss in (
        lambda o, t: nn.nll_loss(tg.log_softmax(o, 1), t),
        lambda o, t: -picked(tg.softmax(o, 1), t).log().mean(),
        lambda o, t: 1 - picked(tg.softmax(o, 1), t).mean(),
    ):
        assert "nll_loss of probabilities" not in texts(examine(loss=loss))


# --------------------------------------------------------------------------------------------------- inputs and labels


def pixels(scale, shape=(1, 8, 8)):
    rng = np.random.default_rng(0)
    return (rng.random((40, *shape)) * scale).astype(np.float32)


def small_cnn(*first):
    tg.manual_seed(0)
    return nn.Sequential(*first, nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 4))


def test_inputs_that_are_not_scaled():
    y = np.arange(40) % 4
    found = assert_found(examine(small_cnn(), pixels(255), y, lr=1e-6), "inputs not scaled: ")
    assert "divide by 255" in found.remedy
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    assert_found(examine(flat, pixels(255), y, lr=1e-6), "inputs not scaled: ")
    for model, x in (
        (small_cnn(), pixels(1)),
        (small_cnn(), (pixels(255) - 127) / 74),
        (small_cnn(nn.BatchNorm2d(1)), pixels(255)),
        (small_cnn(), pixels(1) * 2 * UNSCALED / 2),  # the root mean square is 10 / √3 · …
    ):
        assert not [text for text in texts(examine(model, x, y, lr=0.01)) if text.startswith("inputs")]
    embedded = nn.Sequential(nn.Embedding(300, 5), nn.Flatten(), nn.Linear(10, 4))
    assert texts(examine(embedded, np.arange(80).reshape(40, 2) + 200, y)) == []


def test_labels_that_count_from_one():
    report = examine(mlp(), *bigger(classes=3, shift=1))
    shifted = assert_found(report, "labels from 1 to 3, of 4 classes")
    assert "count from 1" in shifted.cause
    for model, (x, labels) in (
        (mlp(), bigger(classes=4)),
        (mlp(), [array[: ENOUGH * 4 - 1] for array in bigger(classes=3, shift=1)]),  # too few to tell
        (mlp(), bigger(classes=3)),  # the last class is a rare one
    ):
        assert texts(examine(model, x, labels)) == []


def bigger(classes, shift=0):
    x, y = data(count=60, classes=classes)
    return x, y + shift


# -------------------------------------------------------------------------------------------- gradients and activations


def test_dead_units():
    def network(bias):
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 4))
        model[0].bias.data[:15] = bias
        return model

    found = assert_found(examine(network(-100.0)), "dead: 5")
    assert "relu has slope 0" in found.cause
    x, y = data()
    for model, count in ((network(0.0), 48), (network(-100.0), 8), (mlp(), 48)):
        assert not [text for text in texts(examine(model, x[:count], y[:count])) if text.startswith("dead")]


class TwoHeads(nn.Module):
    """Two layers before the head, one of which may be cut off."""

    def __init__(self, cut):
        tg.manual_seed(0)
        self.first, self.second, self.cut = nn.Linear(6, 8), nn.Linear(8, 4), cut

    def forward(self, x):
        h = self.first(x).tanh()
        return self.second(h.detach() if self.cut else h)


def test_a_layer_without_a_gradient():
    report = examine(TwoHeads(cut=True))
    assert texts(report) == ["no gradient reaches first.weight", "no gradient reaches first.bias"]
    frozen = TwoHeads(cut=True)
    for p in frozen.first.parameters():
        p.requires_grad_(False)
    assert texts(examine(TwoHeads(cut=False))) == []
    assert texts(examine(frozen)) == []

    model, teacher, (x, y) = TwoHeads(cut=False), mlp(), data()
    with tg.viz.trace() as trace:  # a whole step, and another model that only runs
        with tg.no_grad():
            teacher(tg.tensor(x))
        nn.cross_entropy(model(tg.tensor(x)), tg.tensor(y)).backward()
    assert texts(tg.viz.doctor(trace)) == []


# ---------------------------------------------------------------------------------------------------- several steps


def test_zero_grad_is_missing():
    found = assert_found(examine(zero=False), "zero_grad() is missing")
    assert found.remedy == "optimizer.zero_grad() before each backward()"
    assert texts(examine(zero=True)) == []


def test_micro_batches_are_no_missing_zero_grad():
    model, (x, y) = mlp(), data()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    with tg.viz.trace() as trace:
        for _ in range(3):
            optimizer.zero_grad()
            for k in range(0, 48, 16):
                nn.cross_entropy(model(tg.tensor(x[k : k + 16])), tg.tensor(y[k : k + 16])).backward()
            optimizer.step()
    assert texts(tg.viz.doctor(trace)) == []


def test_a_gan_is_no_missing_zero_grad():
    """The generator's loss leaves gradients in the discriminator, which are set to zero before they are used."""
    tg.manual_seed(0)
    one = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))
    other = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizers = [tg.optim.SGD(model.parameters(), lr=0.1) for model in (one, other)]
    x = tg.tensor(data()[0])
    with tg.viz.trace() as trace:
        for _ in range(3):
            noise = tg.randn(48, 3)
            optimizers[1].zero_grad()
            score = other(x).mean() - other(one(noise).detach()).mean()
            (score + 2).backward()
            optimizers[1].step()
            optimizers[0].zero_grad()
            (other(one(noise)).mean() + 2).backward()
            optimizers[0].step()
    assert texts(tg.viz.doctor(trace)) == []


def test_a_learning_rate_that_is_too_large():
    found = assert_found(examine(lr=300.0), "learning rate too large")
    assert "times as long as the weights" in found.cause
    zeros = mlp()
    zeros[2].weight.data[:] = 0
    for report in (examine(), examine(zeros, kind=tg.optim.Adam, lr=1e-3), examine(lr=0.5, momentum=0.9)):
        assert "learning rate too large" not in texts(report)


def test_a_learning_rate_that_is_too_small():
    found = assert_found(examine(lr=1e-7), "learning rate too small")
    assert "unless it warms up" in found.remedy
    assert texts(examine(lr=1e-3)) == []
    assert texts(examine(kind=tg.optim.Adam, lr=1e-4)) == []


def test_at_a_minimum_no_learning_rate_is_too_small():
    """A step of any length would gain nothing there."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((48, 6))
    y = 3 * x[:, :2] + rng.standard_normal((48, 2))
    line = nn.Linear(6, 2, bias=False, dtype=tg.float64)
    loss = nn.mse_loss
    assert texts(examine(line, x, y, loss, lr=1e-7)) == ["learning rate too small"]
    line.weight.data[:] = np.linalg.lstsq(x, y)[0].T + 1e-5 * rng.standard_normal((2, 6))
    assert texts(examine(line, x, y, loss, lr=1e-5)) == []


def test_a_rising_learning_rate_is_not_called_too_small():
    model, (x, y) = mlp(), data()
    with tg.viz.trace() as trace:
        for k in range(3):
            optimizer = tg.optim.SGD(model.parameters(), lr=1e-7 * (k + 1))
            optimizer.zero_grad()
            nn.cross_entropy(model(tg.tensor(x)), tg.tensor(y)).backward()
            optimizer.step()
    assert texts(tg.viz.doctor(trace, learning_rates=[1e-7, 2e-7, 3e-7])) == []
    assert texts(tg.viz.doctor(trace)) == ["learning rate too small"]


def test_the_course_of_the_losses():
    with tg.viz.trace() as trace:
        nn.cross_entropy(mlp()(tg.tensor(data()[0])), tg.tensor(data()[1])).backward()
    rng = np.random.default_rng(0)

    def found(losses):
        return texts(tg.viz.doctor(trace, losses))

    assert found(np.linspace(1, 9, 20)) == ["learning rate too large"]
    assert found([1.0, 0.5, float("nan")]) == ["the loss isn't finite"]
    assert found(np.linspace(2, 0.1, 20)) == []
    assert found(1 + 0.3 * rng.standard_normal(60)) == []
    assert found(np.exp(-np.arange(60) / 9) * (1 + rng.random(60))) == []
    assert found([1.0, 2.0, 4.0]) == [], "too few to judge"


# --------------------------------------------------------------------------------------------------- report, callback


@needs_program
def test_what_is_found_stands_on_the_drawing_with_its_remedy():
    report = examine(mlp(nn.Softmax(dim=1)), zero=False)
    svg = html.unescape(report.drawing.svg)
    for finding in report.findings:
        assert finding.text in svg
    assert "→ pass the logits, without softmax" in svg
    (k,) = [k for k, finding in enumerate(report.findings) if finding.text.startswith("softmax")]
    assert "test_doctor.py:" in report.places[k]


def trained(callbacks, **options):
    model, (x, y) = mlp(nn.Softmax(dim=1)), data()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    batches = [(tg.tensor(x), tg.tensor(y))]
    fit = {"loss": nn.cross_entropy, "optimizer": optimizer, "epochs": 12, "progress": False} | options
    nn.fit(model, batches, callbacks=callbacks, **fit)
    return [p.numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("compile", [False, True])
def test_as_a_callback_it_warns_once_and_leaves_the_training_as_it_is(compile):
    doctor = tg.viz.Doctor()
    with pytest.warns(UserWarning, match=r"the doctor found:[\s\S]*softmax before cross-entropy") as warned:
        watched = trained([doctor], compile=compile)
    assert len([w for w in warned if "doctor" in str(w.message)]) == 1
    assert texts(doctor.report) == ["softmax before cross-entropy"]
    for one, other in zip(trained([], compile=compile), watched, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_that_ends_early_or_fails_is_examined_and_no_longer_watched():
    doctor = tg.viz.Doctor(steps=5)
    with pytest.warns(UserWarning, match="softmax before cross-entropy"):
        trained([doctor], on_step_end=lambda record: record["step"] == 2)
    assert texts(doctor.report) == ["softmax before cross-entropy"]

    def fail(record):
        raise KeyError("stop")

    late = tg.viz.Doctor()
    with pytest.raises(KeyError):
        trained([late], on_step_end=fail)
    x = tg.ones(2, 2) * 2.0
    assert late._trace._observer.steps == [] or all(step.shape != x.shape for step in late._trace._observer.steps)


def test_losses_that_rise_are_told_at_the_end():
    doctor, told = tg.viz.Doctor(steps=1), []
    with pytest.warns(UserWarning, match="learning rate too large"):
        doctor.on_train_begin()
        (tg.ones(2, 2, requires_grad=True) * 0.5).sum().backward()
        for k in range(20):
            doctor.on_step_end({"loss": 1.0 + k, "learning_rate": 0.1})
        doctor.on_train_end()
    assert texts(doctor.report) == ["learning rate too large"]
    assert told == []


def test_bad_arguments_are_refused():
    with pytest.raises(DTypeError, match="step must be a trace"):
        tg.viz.doctor(tg.ones(2))
    with tg.viz.trace() as empty:
        pass
    with pytest.raises(GraphError, match="nothing ran"):
        tg.viz.doctor(empty)
    with pytest.raises(ArgumentError, match="steps must be an integer"):
        tg.viz.Doctor(steps=0)
