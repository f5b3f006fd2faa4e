"""Checkpoints: a stopped run goes on as if it hadn't been, to the bit; one that doesn't fit changes nothing."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.optim import SGD, Adam, AdamW, RMSprop, cosine
from tensorgrad.nn.training.checkpoint import CheckpointError
from tensorgrad.storage import StorageError, load_metadata, read_file, save

STEPS = 7  # per epoch

OPTIMIZERS = {
    "momentum": lambda p: SGD(p, 0.05, momentum=0.9),
    "scheduled": lambda p: SGD(p, cosine(0.1, 3 * STEPS), momentum=0.9, nesterov=True),
    "rmsprop": lambda p: RMSprop(p, 0.01, momentum=0.5, centered=True),
    "adam": lambda p: Adam(p, 0.01, amsgrad=True),
}


class Stop(Exception):
    pass


def images(n=50):
    rng = np.random.default_rng(0)
    return TensorDataset(rng.standard_normal((n, 1, 6, 6)).astype(np.float32), rng.integers(0, 3, n))


class Noisy(nn.Module):
    """A layer with a generator of its own."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def forward(self, x):
        return x + self.generator.standard_normal(x.shape).astype(np.float32) if self.training else x


def network(channels=4):
    return nn.Sequential(
        nn.Conv2d(1, channels, 3),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Dropout(0.3),
        Noisy(4),
        nn.Flatten(),
        nn.Linear(16 * channels, 3),
    )


def everything(seed, make=OPTIMIZERS["adam"], shared_generator=False):
    """Model, optimizer and loader; other seeds give other weights, orders and dropout."""
    tg.manual_seed(seed)
    model = network()
    loader = DataLoader(images(), 8, shuffle=True, generator=None if shared_generator else seed)
    return model, make(model.parameters()), loader


def train(model, optimizer, loader, **options):
    options = {"epochs": 3, "progress": False, "validation": DataLoader(images(10), 5)} | options
    return nn.fit(model, loader, loss=nn.cross_entropy, optimizer=optimizer, **options)


def bits(model):
    return {name: tensor.data.copy() for name, tensor in model.state_dict().items()}


def without_seconds(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history.steps + history.epochs]


def assert_equal_runs(first, second):
    (model, history), (other, other_history) = first, second
    assert without_seconds(history) == without_seconds(other_history)
    assert all(np.array_equal(a, b) for a, b in zip(bits(model).values(), bits(other).values(), strict=True))


def straight(**kind):
    model, optimizer, loader = everything(1, **kind)
    return model, train(model, optimizer, loader)


@pytest.mark.parametrize("shared_generator", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("stop", [1, STEPS, STEPS + 3])
def test_stopped_and_resumed_is_as_never_stopped(tmp_path, make, shared_generator, stop):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1, make, shared_generator)
    train(model, optimizer, loader, checkpoint=path, on_step_end=lambda r: r["step"] == stop)
    model, optimizer, loader = everything(2, make, shared_generator)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert len(history.steps) == 3 * STEPS
    assert_equal_runs((model, history), straight(make=make, shared_generator=shared_generator))


def test_more_epochs_later(tmp_path):
    path = tmp_path / "run.safetensors"
    train(*everything(1), epochs=1, checkpoint=path)
    train(*everything(2), epochs=2, checkpoint=path, resume=True)
    model, optimizer, loader = everything(3)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert_equal_runs((model, history), straight())
    assert load_metadata(path)["epochs"] == "3" and load_metadata(path)["steps"] == str(3 * STEPS)


def test_a_run_that_is_over_is_only_loaded(tmp_path):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1)
    history = train(model, optimizer, loader, checkpoint=path)
    other, optimizer, loader = everything(2)
    assert train(other, optimizer, loader, checkpoint=path, resume=True) == history
    assert_equal_runs((model, history), (other, history))


def test_a_crash_loses_only_the_steps_since_the_last_save(tmp_path):
    path = tmp_path / "run.safetensors"
    calls = []

    def crash(output, target):
        calls.append(1)
        if len(calls) == 12:
            raise Stop
        return nn.cross_entropy(output, target)

    model, optimizer, loader = everything(1)
    with pytest.raises(Stop):
        nn.fit(
            model,
            loader,
            loss=crash,
            optimizer=optimizer,
            epochs=3,
            checkpoint=path,
            checkpoint_every=2,
            progress=False,
        )
    assert load_metadata(path)["steps"] == "10"
    model, optimizer, loader = everything(2)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    # The run before the crash had no validation.
    want_model, want = straight()
    assert [r["loss"] for r in history.steps] == [r["loss"] for r in want.steps]
    assert all(np.array_equal(a, b) for a, b in zip(bits(model).values(), bits(want_model).values(), strict=True))


def test_a_callback_that_raises_loses_nothing(tmp_path):
    path = tmp_path / "run.safetensors"

    def raises(record):
        if record["step"] == 9:
            raise Stop

    with pytest.raises(Stop):
        train(*everything(1), checkpoint=path, on_step_end=raises)
    assert load_metadata(path)["steps"] == "9"
    model, optimizer, loader = everything(2)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert_equal_runs((model, history), straight())


@pytest.mark.parametrize(("place", "saved"), [("loss", "3"), ("step", "7"), ("epoch", "7"), ("validation", "14")])
def test_ctrl_c_saves_and_nothing_is_lost(tmp_path, ctrl_c, place, saved):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1)
    count = {"loss": 0, "validation": 0}

    def loss(output, target):
        where = "loss" if model.training else "validation"
        count[where] += 1
        if where == place and count[where] == 3:
            ctrl_c()
        return nn.cross_entropy(output, target)

    def press(record):
        if record["step"] == STEPS:
            ctrl_c()

    with pytest.raises(KeyboardInterrupt, match="resume=True"):
        nn.fit(
            model,
            loader,
            loss=loss,
            optimizer=optimizer,
            epochs=3,
            validation=DataLoader(images(10), 5),
            checkpoint=path,
            progress=False,
            on_step_end=press if place == "step" else None,
            on_epoch_end=press if place == "epoch" else None,
        )
    assert load_metadata(path)["steps"] == saved
    model, optimizer, loader = everything(2)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert_equal_runs((model, history), straight())


def test_a_loader_without_a_state(tmp_path):
    path = tmp_path / "run.safetensors"
    x, y = images()[:]
    batches = [(x[k : k + 8], y[k : k + 8]) for k in range(0, 50, 8)]

    def run(seed, **options):
        model, optimizer, _ = everything(seed)
        return model, train(model, optimizer, batches, **options)

    run(1, checkpoint=path, on_step_end=lambda r: r["step"] == 10)
    assert_equal_runs(run(2, checkpoint=path, resume=True), run(1))


def test_another_process_goes_on(tmp_path):
    path = tmp_path / "run.safetensors"
    program = f"""
import os, sys
sys.path[:0] = {[os.path.dirname(__file__), str(Path(__file__).parents[2])]!r}
from test_resume import everything, train
train(*everything(2), checkpoint=sys.argv[1], resume=True)
"""
    train(*everything(1), checkpoint=path, on_step_end=lambda r: r["step"] == 10)
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=120)
    model, optimizer, loader = everything(3)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert_equal_runs((model, history), straight())


# ----------------------------------------------------------------------------------------------------- what doesn't fit


def with_another_optimizer(model, optimizer, loader):
    return model, AdamW(model.parameters()), loader


def with_another_loader(model, optimizer, loader):
    return model, optimizer, DataLoader(images(), 16, shuffle=True, generator=2)


def with_both(model, optimizer, loader):
    model = network(channels=5)
    return model, SGD(model.parameters()), loader


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_another_optimizer, ["saved by Adam, loaded into AdamW"]),
        (with_another_loader, ["batch_size"]),
        (with_both, ["(5, 1, 3, 3)", "6.weight", "saved by Adam, loaded into SGD"]),
    ],
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path, change, words):
    path = tmp_path / "run.safetensors"
    train(*everything(1), epochs=1, checkpoint=path)
    model, optimizer, loader = change(*everything(2))
    before = (
        bits(model),
        copy.deepcopy(optimizer.state_dict()),
        loader.state_dict(),
        tg.default_generator().bit_generator.state,
    )
    with pytest.raises(CheckpointError) as caught:
        train(model, optimizer, loader, checkpoint=path, resume=True)
    assert all(word in str(caught.value) for word in [*words, str(path), "nothing was changed"])
    after = bits(model), optimizer.state_dict(), loader.state_dict(), tg.default_generator().bit_generator.state
    np.testing.assert_equal(after, before)
    assert load_metadata(path)["epochs"] == "1"


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1)
    save(model.state_dict(), path)
    with pytest.raises(CheckpointError, match="isn't a checkpoint"):
        train(model, optimizer, loader, checkpoint=path, resume=True)
    path.write_bytes(b"half a file")
    with pytest.raises(StorageError, match="isn't a complete safetensors file"):
        train(model, optimizer, loader, checkpoint=path, resume=True)


def test_resume_without_a_checkpoint_begins_and_says_so(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1)
    history = train(model, optimizer, loader, checkpoint=path, resume=True, progress=True)
    assert "no checkpoint" in capsys.readouterr().out
    assert_equal_runs((model, history), straight())


# ---------------------------------------------------------------------------------------------------- damaged, or older


def rewritten(path, **facts):
    """The checkpoint with other facts, as it is read: arrays and metadata."""
    arrays, metadata = read_file("test", path)
    metadata = {name: value for name, value in (metadata | facts).items() if value is not None}
    save(arrays, path, metadata)


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    path = tmp_path / "run.safetensors"
    train(*everything(1), epochs=1, checkpoint=path)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    model, optimizer, loader = everything(2)
    before = bits(model)
    for at in np.random.default_rng(0).integers(start, len(whole), 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << int(at) % 8]) + whole[at + 1 :])
        with pytest.raises(CheckpointError, match=r"is damaged(.|\n)*was changed after it was written"):
            train(model, optimizer, loader, checkpoint=path, resume=True)
    np.testing.assert_equal(bits(model), before)


@pytest.mark.parametrize("facts", [{"steps": "6"}, {"sha256": None}, {"sha256": "0" * 64}, {"more": "x"}])
def test_facts_that_were_changed(tmp_path, facts):
    path = tmp_path / "run.safetensors"
    train(*everything(1), epochs=1, checkpoint=path)
    rewritten(path, **facts)
    with pytest.raises(CheckpointError, match="is damaged"):
        train(*everything(2), checkpoint=path, resume=True)


def test_older_checkpoints_without_a_checksum_still_load(tmp_path):
    path = tmp_path / "run.safetensors"
    train(*everything(1), checkpoint=path, on_step_end=lambda r: r["step"] == 10)
    rewritten(path, format="tensorgrad checkpoint 1", sha256=None)
    model, optimizer, loader = everything(2)
    history = train(model, optimizer, loader, checkpoint=path, resume=True)
    assert_equal_runs((model, history), straight())


class Renaming(nn.Sequential):
    """A model that changes how it loads a state dict: that is to be called, not passed over."""

    calls = 0

    def load_state_dict(self, state, strict=True):
        self.calls += 1
        return super().load_state_dict(state, strict)


class OwnLoader:
    """A loader of the user's own, with a state, that refuses to go on."""

    def __init__(self, refuses):
        self.refuses, self.batches = refuses, [images()[k : k + 8] for k in range(0, 48, 8)]

    def __iter__(self):
        return iter(self.batches)

    def state_dict(self):
        return {"place": 0}

    def load_state_dict(self, state):
        if self.refuses:
            raise RuntimeError("not today")


@pytest.mark.parametrize("refuses", [False, True])
def test_parts_that_load_in_their_own_way(tmp_path, refuses):
    path = tmp_path / "run.safetensors"

    def built(seed, loader):
        tg.manual_seed(seed)
        model = Renaming(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3))
        return model, SGD(model.parameters(), 0.1, momentum=0.9), loader

    model, *others = built(1, OwnLoader(False))
    train(model, *others, epochs=1, checkpoint=path, validation=None)
    other, optimizer, loader = built(2, OwnLoader(refuses))
    before, state = bits(other), exact_state(optimizer)
    if refuses:
        with pytest.raises(CheckpointError, match=r"nothing was changed(.|\n)*loader: RuntimeError: not today"):
            train(other, optimizer, loader, epochs=1, checkpoint=path, resume=True)
        np.testing.assert_equal(bits(other), before)
        assert exact_state(optimizer) == state and other.calls == 2  # there and back
    else:
        train(other, optimizer, loader, epochs=1, checkpoint=path, resume=True)
        np.testing.assert_equal(bits(other), bits(model))
        assert other.calls == 1


def exact_state(optimizer):
    return repr(optimizer.state_dict())


@pytest.mark.parametrize("kind", ["folder", "loop", "in a file"])
def test_a_place_where_no_checkpoint_can_be_is_no_reason_to_begin_anew(tmp_path, kind):
    path = tmp_path / "run.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.write_text("in the way")
        path = path / "run.safetensors"
    with pytest.raises(StorageError, match="can't be read"):
        train(*everything(1), checkpoint=path, resume=True)


def test_ctrl_c_while_a_checkpoint_is_loaded_comes_after_all_of_it(tmp_path, ctrl_c):
    path = tmp_path / "run.safetensors"
    model, optimizer, loader = everything(1)
    train(model, optimizer, loader, epochs=1, checkpoint=path)

    class Pressed(DataLoader):
        def prepare_state_dict(self, state):
            load = super().prepare_state_dict(state)
            return lambda: (ctrl_c(), load())

    other, other_optimizer, _ = everything(2)
    pressed = Pressed(images(), 8, shuffle=True, generator=2)
    with pytest.raises(KeyboardInterrupt):
        train(other, other_optimizer, pressed, epochs=1, checkpoint=path, resume=True)
    np.testing.assert_equal(bits(other), bits(model))
    assert exact_state(other_optimizer) == exact_state(optimizer) and pressed.state_dict() == loader.state_dict()


def test_a_checkpoint_is_a_file():
    with pytest.raises(tg.DTypeError, match="path must be text"):
        train(*everything(1), checkpoint=3)
