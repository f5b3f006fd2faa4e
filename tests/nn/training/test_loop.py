"""The training loop: what it computes, records, prints and refuses."""

import json
import math
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, ShapeError
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.optim import SGD, NonFiniteError, cosine


def digits(n=50, seed=0):
    """Three classes of noisy vectors."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return TensorDataset((rng.standard_normal((n, 6)) + 2 * np.eye(6)[y]).astype(np.float32), y)


def network():
    tg.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def train(model, loader=None, **options):
    loader = DataLoader(digits(), 8, shuffle=True, generator=3) if loader is None else loader
    options = {"loss": nn.cross_entropy, "epochs": 2, "progress": False} | options
    options.setdefault("optimizer", SGD(model.parameters(), 0.1, momentum=0.9))
    return nn.fit(model, loader, **options)


def weights(model):
    return np.concatenate([p.data.ravel() for p in model.parameters()])


# --------------------------------------------------------------------------------------------------------- what it does


def test_fit_is_the_loop_one_would_write():
    by_fit, by_hand = network(), network()
    history = train(by_fit, epochs=3, clip_norm=0.5)

    optimizer = SGD(by_hand.parameters(), 0.1, momentum=0.9)
    loader = DataLoader(digits(), 8, shuffle=True, generator=3)
    losses = []
    for _ in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.cross_entropy(by_hand(x), y)
            loss.backward()
            nn.optim.clip_grad_norm_(by_hand.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
    assert np.array_equal(weights(by_fit), weights(by_hand))
    assert [record["loss"] for record in history.steps] == losses
    assert history.epochs[-1]["loss"] < history.epochs[0]["loss"]


def test_the_same_seed_gives_the_same_bits():
    def run(seed, drawn):
        tg.manual_seed(7)
        model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        tg.rand(drawn)
        train(model, DataLoader(digits(), 8, shuffle=True), seed=seed)
        return weights(model)

    first = run(5, drawn=0)
    assert all(np.array_equal(run(5, drawn), first) for drawn in (0, 1, 2))
    assert not np.array_equal(run(6, drawn=0), first)


@pytest.mark.slow
def test_twenty_trainings_of_a_cnn_give_the_same_bits():
    def trained():
        tg.manual_seed(4)
        model = nn.Sequential(
            *(nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.Dropout(0.3), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(24 * 3 * 3, 64), nn.GELU(), nn.Linear(64, 10)),
        )
        rng = np.random.default_rng(5)
        # Large enough for every kernel that has threads and tiles to use them.
        images, labels = rng.standard_normal((128, 1, 16, 16)).astype(np.float32), rng.integers(0, 10, 128)
        loader = DataLoader(TensorDataset(images, labels), 64, shuffle=True, generator=6)
        train(model, loader, epochs=1, optimizer=nn.optim.AdamW(model.parameters(), 1e-3))
        return b"".join(value.numpy().tobytes() for value in model.state_dict().values())

    assert len({trained() for _ in range(20)}) == 1


def test_a_model_in_eval_mode_is_trained_in_training_mode():
    def run(mode):
        tg.manual_seed(7)
        model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)).train(mode)
        train(model, seed=5, validation=DataLoader(digits(), 8))
        return weights(model), model.training

    (trained, first), (evaluated, second) = run(True), run(False)
    assert np.array_equal(trained, evaluated) and first and second


def test_means_are_weighted_by_batch_size():
    # 50 images in batches of 8 leave a last batch of 2
    model = network()
    history = train(model, epochs=1, optimizer=SGD(model.parameters(), 0.0), validation=DataLoader(digits(21, 9), 8))
    x, y = digits()[:]
    (epoch,) = history.epochs
    assert epoch["loss"] == pytest.approx(nn.cross_entropy(model(x), y).item(), rel=1e-6)
    assert epoch["accuracy"] == pytest.approx(np.mean(model(x).data.argmax(1) == y), rel=1e-12)
    x, y = digits(21, 9)[:]
    assert epoch["validation_loss"] == pytest.approx(nn.cross_entropy(model(x), y).item(), rel=1e-6)


def test_the_records():
    model = network()
    schedule = cosine(0.1, 14)
    history = train(model, optimizer=SGD(model.parameters(), schedule), validation=DataLoader(digits(5), 5))
    assert [r["step"] for r in history.steps] == list(range(1, 15)) and [r["epoch"] for r in history.epochs] == [1, 2]
    assert [r["learning_rate"] for r in history.steps] == [schedule(t) for t in range(14)]
    assert [r["batch"] for r in history.steps] == [8, 8, 8, 8, 8, 8, 2] * 2
    assert history.images == history.steps[-1]["images"] == history.epochs[-1]["images"] == 100
    seconds = [r["seconds"] for r in history.steps]
    assert seconds == sorted(seconds) and seconds[0] > 0 and history.seconds >= seconds[-1]
    assert history["validation_accuracy"] == [r["validation_accuracy"] for r in history.epochs]
    assert nn.History.from_dict(json.loads(json.dumps(history.to_dict()))) == history
    with pytest.raises(KeyError, match="they have"):
        history["speed"]


def test_metrics_of_ones_own():
    def error(output, target):
        return abs(output - target).mean()

    data = [(tg.ones(4, 2), tg.zeros(4, 1)), (tg.ones(2, 2), tg.zeros(2, 1))]
    history = train(model := nn.Linear(2, 1), data, loss=nn.mse_loss, metrics={"error": error}, validation=data)
    assert {"error", "validation_error"} <= set(history.epochs[0]) and "accuracy" not in history.epochs[0]
    assert nn.evaluate(model, data, metrics={"error": error}) == {
        "error": pytest.approx(abs(model(data[0][0])).mean().item())
    }
    assert "accuracy" not in train(nn.Linear(2, 1), data, loss=nn.mse_loss).epochs[0]


def test_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter([1.0])

        def forward(self, a, b):
            return (a + b) * self.scale

    history = train(Sum(), [(np.ones((3, 1)), np.ones((3, 1)), np.full((3, 1), 6.0))], loss=nn.mse_loss, epochs=200)
    assert history.epochs[-1]["loss"] < 1e-3


def test_callbacks_see_the_records_and_can_end_the_training():
    seen = []
    history = train(
        network(), on_step_end=lambda r: seen.append(r["step"]), on_epoch_end=lambda r: r["epoch"] == 2, epochs=9
    )
    assert len(history.epochs) == 2 and seen == list(range(1, 15))
    history = train(network(), on_step_end=lambda r: r["step"] == 10)
    assert len(history.steps) == 10 and len(history.epochs) == 1


def test_numbers_of_numpy_count_like_those_of_python():
    """A record compared with one gives np.bool_; a search over hyperparameters draws epochs as np.int64."""
    history = train(network(), on_step_end=lambda r: r["step"] >= np.int64(10), epochs=np.int64(9))
    assert len(history.steps) == 10
    history = train(network(), callbacks=[Seen(end=np.int64(5))])
    assert len(history.steps) == 5
    assert len(train(network(), on_step_end=lambda r: np.False_, epochs=np.int64(2)).epochs) == 2


# ------------------------------------------------------------------------------------------------- evaluate and predict


class Seen(nn.Callback):
    """Keeps what it is told; ends the training at an event."""

    def __init__(self, end=None):
        self.steps, self.epochs, self.end = [], [], end

    def on_step_end(self, record):
        self.steps.append(record["step"])
        return record["step"] == self.end


class Epochs:
    """A callback of no base class."""

    def __init__(self):
        self.seen = []

    def on_train_begin(self):
        self.seen.append("begin")

    def on_train_end(self):
        self.seen.append("end")

    def on_epoch_end(self, record):
        self.seen.append(record["epoch"])


@pytest.mark.parametrize("compile", [False, True])
def test_objects_are_called_back_too_each_of_them_also_where_one_ends_the_training(compile):
    first, second, epochs, functions = Seen(end=9), Seen(), Epochs(), []
    history = train(
        network(), callbacks=[first, second, epochs], on_step_end=lambda r: functions.append(r["step"]), compile=compile
    )
    assert first.steps == second.steps == functions == list(range(1, 10))
    assert len(history.steps) == 9
    assert epochs.seen == ["begin", 1, "end"]


def test_the_gradients_are_still_there_when_a_step_ends():
    model, found = network(), []

    class Gradients(nn.Callback):
        def on_step_end(self, record):
            found.append(model[0].weight.grad.numpy().copy())

    train(model, callbacks=[Gradients()], epochs=1)
    assert all(np.abs(gradient).max() > 0 for gradient in found)


def test_the_end_is_told_where_an_error_ended_the_training():
    told = Epochs()

    def fail(record):
        raise KeyError("a callback's own")

    with pytest.raises(KeyError, match="own"):
        train(network(), callbacks=[told], on_step_end=fail)
    assert told.seen == ["begin", "end"]


def test_a_callback_without_a_method_to_call_is_refused_before_anything_changes():
    model = network()
    before = weights(model)
    for wrong in (lambda record: None, object()):
        with pytest.raises(ArgumentError, match="must have a method on_train_begin or on_step_end"):
            train(model, callbacks=[wrong])
    with pytest.raises(ArgumentError, match="got the class Seen"):
        train(model, callbacks=[Seen])
    with pytest.raises(ArgumentError, match="callbacks must be a list, got Epochs"):
        train(model, callbacks=Epochs())
    assert np.array_equal(weights(model), before)


def test_evaluate_records_nothing_and_restores_each_mode():
    model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Dropout(0.9))
    model[1].eval()
    before = [module.training for module in model.modules()]
    seen = []
    nodes = []

    def loss(output, target):
        seen.append([module.training for module in model.modules()])
        nodes.append(output.requires_grad)
        return nn.cross_entropy(output, target)

    first = nn.evaluate(model, DataLoader(digits(), 8), loss)
    assert nn.evaluate(model, DataLoader(digits(), 50), loss) == pytest.approx(first, rel=1e-6)
    assert not any(map(any, seen)) and not any(nodes) and before == [module.training for module in model.modules()]
    with pytest.raises(ShapeError):
        nn.evaluate(model, [(np.ones((2, 6), np.float32), np.zeros((3, 1)))], metrics={"accuracy": nn.accuracy})
    assert before == [module.training for module in model.modules()] and tg.is_grad_enabled()


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_predict(batch_size):
    model = nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.9))
    x, y = digits()[:]
    want = model[0](x).data
    for data in (x, tg.Tensor(x), digits(), TensorDataset(x), DataLoader(digits(), 8), [(x[:30], y[:30]), (x[30:],)]):
        got = nn.predict(model, data, batch_size)
        assert got.shape == (50, 3) and not got.requires_grad
        np.testing.assert_allclose(got.data, want, rtol=1e-5, atol=1e-6)
    assert nn.predict(model, x[:0]).shape == (0, 3) and model[1].training


def test_accuracy():
    scores = tg.tensor([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])
    assert nn.accuracy(scores, tg.tensor([1, 1, 0])) == pytest.approx(2 / 3)
    assert nn.accuracy(scores, tg.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])) == pytest.approx(2 / 3)
    with pytest.raises(ShapeError, match="accuracy"):
        nn.accuracy(scores, tg.tensor([1, 0]))


@pytest.mark.parametrize("target", [[0, 1, 1], [[0.0], [1.0], [1.0]]])
def test_one_column_has_no_largest(target):
    with pytest.raises(ShapeError, match="threshold"):
        nn.accuracy(tg.tensor([[-1.0], [2.0], [3.0]]), tg.tensor(target))


def test_no_accuracy_by_default_where_there_is_one_column():
    def loss(output, target):
        return nn.binary_cross_entropy_with_logits(output[:, 0], target.astype("float32"))

    data = [(np.eye(4, 2, dtype=np.float32), np.array([0, 1, 1, 0]))]
    assert nn.evaluate(nn.Linear(2, 1), data, loss=loss).keys() == {"loss"}


# --------------------------------------------------------------------------------------------------------- what it says


def test_a_line_per_epoch_where_there_is_no_terminal(capsys):
    train(network(), progress=True, validation=DataLoader(digits(), 8))
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 2 and not captured.err
    for word in ("epoch 2/2", "loss ", "accuracy ", " %", "validation accuracy", "images/s"):
        assert word in lines[1]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    train(network(), progress=True, epochs=1)
    captured = capsys.readouterr()
    assert "epoch 1/1 |" in captured.err and "0/7" in captured.err and captured.out.startswith("epoch 1/1: loss")


def test_one_bar_for_a_whole_training_on_a_terminal_and_nothing_elsewhere(capsys, monkeypatch):
    train(network(), progress="bar")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    train(network(), progress="bar")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training |" in captured.err and "0/2" in captured.err
    assert captured.err.endswith("\r")  # it leaves nothing behind


def test_another_word_for_progress_is_refused():
    with pytest.raises(ArgumentError, match='True, False or "bar"'):
        train(network(), progress="lines")


def test_silence(capsys):
    train(network(), progress=False)
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(value):
    model, states = network(), []

    def loss(output, target):
        states.append(weights(model).copy())
        return nn.cross_entropy(output, target) * (value if len(states) == 10 else 1)

    with pytest.raises(NonFiniteError, match=f"the loss is {value} at step 10, in epoch 2"):
        train(model, loss=loss)
    assert np.array_equal(weights(model), states[-1])


def test_a_loss_that_is_not_finite_can_be_ignored():
    history = train(network(), loss=lambda z, y: nn.cross_entropy(z, y) * math.nan, stop_on_nan=False)
    assert len(history.epochs) == 2 and math.isnan(history.epochs[-1]["loss"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": -1}, "epochs: -1"),
        ({"epochs": 1.5}, "epochs: 1.5"),
        ({"resume": True}, "checkpoint=path"),
        ({"checkpoint_every": 5}, "checkpoint=path"),
        ({"checkpoint_every": 0, "checkpoint": "file"}, "checkpoint_every: 0"),
        ({"metrics": {"loss": nn.accuracy}}, "'loss'"),
        ({"metrics": {"seconds": nn.accuracy}}, "'seconds'"),
        ({"optimizer": SGD([tg.ones(1, requires_grad=True)], 0.1)}, "none of the model's parameters"),
        ({"loader": DataLoader(digits(0), 8)}, "no batches in epoch 1"),
        ({"loader": iter([])}, "no batches in epoch 1"),
        ({"loader": [np.zeros((3, 6))]}, "(x, target)"),
        ({"validation": []}, "at least one image"),
    ],
)
def test_errors_restate_the_call(options, words):
    with pytest.raises(ArgumentError) as caught:
        train(network(), **options)
    assert words in str(caught.value)


def test_no_epochs():
    model = network()
    before = weights(model).copy()
    assert train(model, epochs=0).steps == [] and np.array_equal(weights(model), before)


def test_ctrl_c_waits_for_the_end_of_the_step(ctrl_c):
    model, calls = network(), []

    def loss(output, target):
        calls.append(1)
        if len(calls) == 4:
            ctrl_c()
        return nn.cross_entropy(output, target)

    with pytest.raises(nn.TrainingInterrupted, match="after step 4") as caught:
        train(model, loss=loss)
    assert len(caught.value.history.steps) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    straight = network()
    train(straight, on_step_end=lambda r: r["step"] == 4)
    assert np.array_equal(weights(model), weights(straight))


def test_a_second_ctrl_c_stops_at_once(ctrl_c):
    def loss(output, target):
        ctrl_c()
        ctrl_c()
        raise AssertionError("still running")

    with pytest.raises(KeyboardInterrupt):
        train(network(), loss=loss)


@pytest.mark.parametrize("place", ["main thread", "another thread"])
def test_who_ignores_ctrl_c_goes_on_ignoring_it(ctrl_c, place):
    """As under nohup: the signal comes, training doesn't stop, and it is ignored afterwards too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def loss(output, target):
        ctrl_c()
        return nn.cross_entropy(output, target)

    model = network()
    if place == "main thread":
        histories = [train(model, loss=loss)]
    else:
        with ThreadPoolExecutor(1) as pool:
            histories = [pool.submit(train, model, loss=loss).result()]
    assert len(histories[0].epochs) == 2 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_handler_that_is_set_meanwhile_stays(ctrl_c):
    def mine(signum, frame):
        raise AssertionError("nobody presses Ctrl-C")

    train(network(), on_step_end=lambda record: signal.signal(signal.SIGINT, mine) and None)
    assert signal.getsignal(signal.SIGINT) is mine


def test_training_elsewhere_than_in_the_main_thread(ctrl_c):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train, network()).result()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
