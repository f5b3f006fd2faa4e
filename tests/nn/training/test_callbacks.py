"""Callbacks: they stop, save, schedule and log what the records say; a resumed training goes on with their states."""

import csv
import pickle
import struct

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import callbacks, nn
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.optim import SGD, lr_scheduler


class Given(nn.Callback):
    """Puts given values into the epochs' records; the first callback, so that the others see them."""

    def __init__(self, values, name="validation_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, record):
        record[self.name] = self.values[record["epoch"] - 1]


def data(n=24):
    rng = np.random.default_rng(3)
    return TensorDataset(rng.standard_normal((n, 4)).astype(np.float32), rng.integers(0, 3, n))


def network():
    with tg.seeded(1):
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))


def train(model, *added, optimizer=None, **options):
    optimizer = optimizer or SGD(model.parameters(), 0.1, momentum=0.9)
    options = {"epochs": 8, "progress": False, "validation": DataLoader(data(9), 9)} | options
    loader = DataLoader(data(), 8, shuffle=True, generator=5)
    return nn.fit(model, loader, loss=nn.cross_entropy, optimizer=optimizer, callbacks=added, **options)


def weights(model):
    return {name: tensor.data.copy() for name, tensor in model.state_dict().items()}


class Weights(nn.Callback):
    """Keeps the weights after each epoch, batch norm's statistics included."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, record):
        self.epochs.append(weights(self.training.model))


# ------------------------------------------------------------------------------------------------------ early stopping


@pytest.mark.parametrize(
    ("values", "options", "stopped", "best"),
    [
        ([5, 4, 4.5, 4.2, 4.1, 1, 1, 1], {"patience": 3}, 5, 2),
        ([5, 4, 4.5, 4.2, 3, 3.1, 3.2, 2], {"patience": 3}, None, 8),
        ([5, 4, 3.99, 3.98, 1, 1, 1, 1], {"patience": 2, "min_delta": 0.1}, 4, 2),
        ([1, 2, 3, 2.5, 2.9, 9, 9, 9], {"patience": 2, "mode": "max"}, 5, 3),
        ([np.nan, 4, np.nan, np.nan, 1, 1, 1, 1], {"patience": 2}, 4, 2),
        ([np.nan] * 8, {"patience": 2}, 2, None),
    ],
)
def test_it_stops_after_so_many_epochs_without_an_improvement(values, options, stopped, best):
    model, kept, stop = network(), Weights(), callbacks.EarlyStopping(**options)
    history = train(model, Given(values), kept, stop)
    assert (stop.stopped_epoch, stop.best_epoch) == (stopped, best)
    assert stop.best == (None if best is None else values[best - 1])
    assert len(history.epochs) == (stopped or 8)
    np.testing.assert_equal(weights(model), kept.epochs[-1 if best is None else best - 1])


def test_without_restore_best_the_last_weights_stay():
    model, kept = network(), Weights()
    train(model, Given([1, 2, 3, 4, 5, 6, 7, 8]), kept, callbacks.EarlyStopping(patience=2, restore_best=False))
    assert len(kept.epochs) == 3
    np.testing.assert_equal(weights(model), kept.epochs[-1])


def test_metrics_tell_their_own_direction():
    for name in ("validation_accuracy", "f1", "validation_top_5", "r2", "validation_iou"):
        assert callbacks.EarlyStopping(name)._monitor.mode == "max"
    for name in ("loss", "validation_loss", "mean_error"):
        assert callbacks.EarlyStopping(name)._monitor.mode == "min"


def test_one_callback_serves_several_trainings():
    stop = callbacks.EarlyStopping(patience=1)
    for _ in range(2):
        history = train(network(), Given([1, 2, 3, 4, 5, 6, 7, 8]), stop)
        assert len(history.epochs) == stop.stopped_epoch == 2
    assert pickle.loads(pickle.dumps(stop)).best == 1
    with pytest.raises(tg.ArgumentError, match="only while fit runs"):
        stop.training  # noqa: B018


# -------------------------------------------------------------------------------------------------- the best checkpoint


def test_the_checkpoint_of_the_best_epoch_is_one_to_go_on_from(tmp_path):
    path, model = tmp_path / "best.safetensors", network()
    best, kept = callbacks.BestCheckpoint(path), Weights()
    train(model, Given([3, 1, 2, 2.5]), best, kept, epochs=4)
    assert (best.best, best.best_epoch) == (1, 2)
    other, saved = network(), weights(network())
    history = train(other, checkpoint=path, resume=True, epochs=2)
    assert len(history.epochs) == 2
    np.testing.assert_equal(weights(other), kept.epochs[1])
    train(other, checkpoint=path, resume=True, epochs=4)
    np.testing.assert_equal(weights(other), kept.epochs[3])
    assert not np.array_equal(weights(other)["0.weight"], saved["0.weight"])


def test_the_weights_alone(tmp_path):
    path, model, kept = tmp_path / "best.safetensors", network(), Weights()
    train(model, Given([3, 1, 2]), callbacks.BestCheckpoint(path, weights_only=True), kept, epochs=3)
    other = network()
    other.load_state_dict(tg.load(path))
    np.testing.assert_equal(weights(other), kept.epochs[1])


def test_the_best_checkpoint_holds_the_states_of_callbacks_that_are_told_later(tmp_path):
    path, values = tmp_path / "best.safetensors", [5, 4, 3, 3.1, 3.2, 3.3, 3.4, 3.5]
    train(network(), Given(values), callbacks.BestCheckpoint(path), callbacks.EarlyStopping(patience=3))
    stop = callbacks.EarlyStopping(patience=3)
    history = train(network(), Given(values), stop, checkpoint=path, resume=True)
    assert (stop.best, stop.best_epoch, stop.stopped_epoch, len(history.epochs)) == (3, 3, 6, 6)


# ------------------------------------------------------------------------------------------------------------ schedules


SCHEDULERS = {
    "plateau": lambda o: callbacks.ScheduleLR(lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1)),
    "step": lambda o: callbacks.ScheduleLR(lr_scheduler.StepLR(o, 2, gamma=0.1)),
    "cycle": lambda o: callbacks.ScheduleLR(lr_scheduler.OneCycleLR(o, 0.5, total_steps=24), every="step"),
    "sequence": lambda o: callbacks.ScheduleLR(
        lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, T_max=5)], [3]
        )
    ),
}
VALUES = [5, 4, 4, 4, 4, 4, 3, 3]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rates_are_those_of_a_loop_that_steps_the_scheduler(name):
    model = network()
    optimizer = SGD(model.parameters(), 0.4, momentum=0.9)
    schedule = SCHEDULERS[name](optimizer)
    found = train(model, Given(VALUES), schedule, optimizer=optimizer)
    by_hand = SGD(network().parameters(), 0.4, momentum=0.9)
    scheduler, rates = SCHEDULERS[name](by_hand).scheduler, []
    for epoch in range(8):
        for _ in range(3):
            rates.append(by_hand.learning_rate)
            by_hand.step()
            if schedule.every == "step":
                scheduler.step()
        if schedule.every == "epoch":
            scheduler.step(*([VALUES[epoch]] if name == "plateau" else []))
    assert [record["learning_rate"] for record in found.steps] == rates
    assert len(set(rates)) > 2


# ------------------------------------------------------------------------------------------------------------- resuming


def without_seconds(records):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("stop", [7, 12, 14], ids=lambda n: f"step {n}")
def test_a_resumed_training_goes_on_with_the_states_of_its_callbacks(tmp_path, name, stop):
    def run(folder, *, end=None, resume=False):
        model = network()
        optimizer = SGD(model.parameters(), 0.4, momentum=0.9)
        (tmp_path / folder).mkdir(exist_ok=True)
        added = [
            Given(VALUES),
            callbacks.EarlyStopping(patience=4),
            SCHEDULERS[name](optimizer),
            callbacks.BestCheckpoint(tmp_path / folder / "best.safetensors"),
            callbacks.CSVLogger(tmp_path / folder / "log.csv"),
        ]
        more = {"on_step_end": lambda record: record["step"] == end} if end else {}
        more |= {"metrics": {"f1": nn.metrics.f1, "accuracy": nn.accuracy}}
        path = tmp_path / folder / "run.safetensors"
        history = train(model, *added, optimizer=optimizer, checkpoint=path, resume=resume, **more)
        return weights(model), history, added

    run("stopped", end=stop)
    resumed, history, (_, early, *_) = run("stopped", resume=True)
    straight, expected, (_, other, *_) = run("straight")
    assert without_seconds(history.steps) == without_seconds(expected.steps)
    assert without_seconds(history.epochs) == without_seconds(expected.epochs)
    assert (early.stopped_epoch, early.best_epoch) == (other.stopped_epoch, other.best_epoch) == (6, 2)
    np.testing.assert_equal(resumed, straight)
    logs = [read_log(tmp_path / folder / "log.csv") for folder in ("stopped", "straight")]
    assert without_seconds(logs[0]) == without_seconds(logs[1]) and len(logs[0]) == 6


def test_another_set_of_callbacks_is_said_and_works(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    train(network(), callbacks.EarlyStopping("loss"), checkpoint=path, epochs=1)
    best = callbacks.BestCheckpoint(tmp_path / "best.safetensors", "loss")
    train(network(), best, checkpoint=path, resume=True, epochs=2, progress=True)
    said = capsys.readouterr().out
    assert "BestCheckpoint begins anew" in said and "state of EarlyStopping is left out" in said
    assert best.best_epoch == 2


def test_a_checkpoint_within_an_epoch_needs_the_same_metrics(tmp_path):
    path = tmp_path / "run.safetensors"
    train(network(), checkpoint=path, on_step_end=lambda record: record["step"] == 2)
    with pytest.raises(tg.ArgumentError, match=r"doesn't know the metrics \['f1'\]"):
        train(network(), checkpoint=path, resume=True, metrics={"f1": nn.metrics.f1})


# ----------------------------------------------------------------------------------------------------------------- logs


def read_log(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_file_holds_the_history(tmp_path):
    path = tmp_path / "logs" / "log.csv"
    path.parent.mkdir()
    path.write_text("of an earlier run")
    history = train(network(), callbacks.CSVLogger(path), epochs=3)
    rows = read_log(path)
    assert [{name: float(value) for name, value in row.items()} for row in rows] == history.epochs
    assert list(path.parent.iterdir()) == [path]


def test_a_row_is_in_the_csv_file_when_its_epoch_ends(tmp_path):
    path, counts = tmp_path / "new" / "folder" / "log.csv", []
    train(network(), callbacks.CSVLogger(path), on_step_end=lambda r: counts.append(len(path.read_text().splitlines())))
    assert counts[::3] == [0, *range(2, 9)]


def scalars(folder):
    """(step, name, value) of a folder's event files, by the published formats: TFRecord frames, protobuf fields."""

    def fields(message):
        place = 0

        def varint():
            nonlocal place
            number = shift = 0
            while True:
                byte = message[place]
                place += 1
                number |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return number

        while place < len(message):
            key = varint()
            if key & 7 == 0:
                yield key >> 3, varint()
                continue
            size = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
            yield key >> 3, message[place : place + size]
            place += size

    for path in sorted(folder.iterdir()):
        frames = path.read_bytes()
        while frames:
            (size,) = struct.unpack("<Q", frames[:8])
            event = dict(fields(frames[12 : 12 + size]))
            frames = frames[16 + size :]
            if 5 in event:  # a summary, with values
                value = dict(fields(dict(fields(event[5]))[1]))
                yield event.get(2, 0), value[1].decode(), struct.unpack("<f", value[2])[0]


def test_event_files_hold_the_records(tmp_path):
    pytest.importorskip("tensorboardX")
    board = callbacks.TensorBoard(tmp_path / "run", every=4)
    history = train(network(), board, epochs=3)
    found = {(step, name): value for step, name, value in scalars(tmp_path / "run")}
    expected = {}
    for records, group in ((history.steps, "step/"), (history.epochs, "")):
        for record in records:
            if not group or record["step"] % 4 == 0:
                for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
                    if name in record:
                        expected[record["step"], group + name] = np.float32(record[name])
    assert found == pytest.approx(expected)
    assert pickle.loads(pickle.dumps(board)).every == 4


def test_a_missing_package_says_which_extra_has_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(tg.nn.data.MissingPackageError, match=r"pip install 'tensorgrad-engine\[tensorboard\]'"):
        callbacks.TensorBoard("runs")


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda o: callbacks.EarlyStopping(patience=0), "patience must be an int ≥ 1"),
        (lambda o: callbacks.EarlyStopping(min_delta=-1), "min_delta must be ≥ 0"),
        (lambda o: callbacks.EarlyStopping("speed"), 'pass mode="min" or mode="max"'),
        (lambda o: callbacks.EarlyStopping(mode="up"), '"min", "max" or None'),
        (lambda o: callbacks.ScheduleLR(lr_scheduler.StepLR(o, 2), every="week"), '"epoch" or "step"'),
        (lambda o: callbacks.ScheduleLR(lr_scheduler.StepLR(o, 2), monitor="loss"), "no other scheduler follows one"),
        (lambda o: callbacks.ScheduleLR(lr_scheduler.ReduceLROnPlateau(o), every="step"), "follows a monitor"),
        (lambda o: callbacks.ScheduleLR(o), "scheduler must be one of"),
        (lambda o: callbacks.TensorBoard("runs", every=-1), "every must be an int ≥ 0"),
        (lambda o: callbacks.CSVLogger(3), "path must be text"),
        (lambda o: callbacks.EarlyStopping(5), 'fix: pass EarlyStopping("validation_loss", ...) and patience=5'),
        (lambda o: callbacks.BestCheckpoint("best.safetensors", 2.5), "name of an entry of the records, got 2.5"),
    ],
)
def test_wrong_arguments(make, words):
    with pytest.raises(tg.TensorgradError) as caught:
        make(SGD(network().parameters(), 0.1))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda o: callbacks.EarlyStopping(), "needs a validation"),
        (lambda o: callbacks.BestCheckpoint("best.safetensors"), "monitor='loss'"),
        (lambda o: callbacks.ScheduleLR(lr_scheduler.ReduceLROnPlateau(o)), "needs a validation"),
        (lambda o: callbacks.ScheduleLR(lr_scheduler.StepLR(SGD(network().parameters(), 1.0), 2)), "another optimizer"),
    ],
)
def test_what_a_training_lacks_is_said_before_it_changes_anything(make, words):
    model = network()
    optimizer, before = SGD(model.parameters(), 0.1), weights(model)
    with pytest.raises(tg.ArgumentError) as caught:
        train(model, make(optimizer), optimizer=optimizer, validation=None)
    assert words in str(caught.value)
    np.testing.assert_equal(weights(model), before)


def test_an_entry_that_no_record_has():
    with pytest.raises(tg.ArgumentError, match=r"no record has 'f1_score'; they have \["):
        train(network(), callbacks.EarlyStopping("f1_score"))


def test_all_callbacks_are_under_one_roof():
    assert callbacks.Film is tg.viz.Film and callbacks.Doctor is tg.viz.Doctor and callbacks.Callback is nn.Callback
    model, (x, y) = network(), data()[:]
    film, doctor = callbacks.Film(model, x[:2], y[:2], every=3), callbacks.Doctor()
    train(model, film, doctor, epochs=2)
    assert len(film.frames) == 3 and doctor.report is not None


def test_a_method_that_no_event_calls_is_refused():
    with pytest.raises(tg.ArgumentError, match=r"Keras: on_epoch_begin isn't an event of fit.*on_epoch_end"):

        class Keras(nn.Callback):
            def on_epoch_begin(self, epoch, logs=None): ...


def test_one_callback_twice_is_refused():
    stop = callbacks.EarlyStopping("loss", patience=2)  # which would count each epoch twice
    with pytest.raises(tg.ArgumentError, match="the same EarlyStopping is among the callbacks twice"):
        train(network(), stop, stop)
    train(network(), stop, callbacks.EarlyStopping("loss", patience=2))
