"""Damaged and forged checkpoints are loaded whole or not at all, and change nothing."""

import contextlib
import json

import numpy as np
import pytest
from damaged_files import bounded, files_in, hostile, hostile_array, mutated
from whole_files import World, saved

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import TensorgradError
from tensorgrad.nn.training import checkpoint as checkpoints
from tensorgrad.nn.training.checkpoint import CheckpointError
from tensorgrad.nn.training.history import Means
from tensorgrad.storage import digest, save


def forged(rng, adam):
    """A checkpoint whose file is whole and whose contents lie; as an older one, or with a checksum of its own."""
    _, arrays, document, facts, *_ = saved(adam)
    part = str(rng.choice(["", "history", "history", "optimizer", "loader", "generators"]))
    arrays = dict(arrays)
    document = document | {part: hostile(rng, document[part])} if part else hostile(rng, document)
    if rng.random() < 0.3:
        name = list(arrays)[rng.integers(len(arrays))]
        arrays[name] = hostile_array(rng, arrays[name])
    text = json.dumps(document).encode()
    if rng.random() < 0.05:
        text = [b"[" * 100_000, b"{}", b"null", b"\xff", b'{"a":' * 50_000, text[:-1], b"1"][rng.integers(7)]
    arrays[checkpoints.DOCUMENT] = np.frombuffer(text, np.uint8)
    told = {name: value for name, value in facts.items() if name != "sha256"}
    if rng.random() < 0.1:
        told["steps"] = str(rng.choice(["-1", "x", "7"]))
    if rng.random() < 0.5:
        return arrays, told | {"format": checkpoints.UNSIGNED}
    return arrays, told | {"sha256": digest(arrays, told)}


@pytest.mark.seeds(80)
def test_a_checkpoint_is_loaded_whole_or_not_at_all(seed, tmp_path):
    rng, adam, path = np.random.default_rng([seed, 2]), bool(seed % 2), tmp_path / "run.safetensors"
    is_forged = rng.random() < 0.6
    if is_forged:
        arrays, facts = forged(rng, adam)
        save(arrays, path, facts)
    else:
        content = saved(adam)[0]
        path.write_bytes(mutated(rng, content) if rng.random() < 0.5 else flip_contents(rng, content))
    world = World(2, path, adam)
    before, files = world.bits(), files_in(tmp_path)
    try:
        with bounded(path.read_bytes()):
            history = world.checkpoint.restore()
    except (CheckpointError, tg.StorageError) as error:
        assert str(path) in str(error)
        assert world.bits() == before and files_in(tmp_path) == files
    else:
        if not is_forged:  # whatever was changed is none of the contents
            assert world.saved() == saved(adam)[4] and history == saved(adam)[5]
        goes_on(world, history)


def flip_contents(rng, content):
    """A bit that only the checksum can miss: behind the header, where every bit means something."""
    at = int(rng.integers(8 + int.from_bytes(content[:8], "little"), len(content)))
    return content[:at] + bytes([content[at] ^ 1 << int(rng.integers(8))]) + content[at + 1 :]


def goes_on(world, history):
    """What was loaded is whole and of use: its numbers add up, and the training takes another step."""
    assert [record["step"] for record in history.steps] == list(range(1, len(history.steps) + 1))
    batches = [record["batch"] for record in history.steps]
    assert [record["images"] for record in history.steps] == np.cumsum(batches).tolist()
    assert min(batches, default=0) >= 0
    assert [history.steps[r["step"] - 1]["epoch"] for r in history.epochs] == list(range(1, len(history.epochs) + 1))
    assert all(type(r[key]) in (int, float) for r in history.steps for key in ("loss", "learning_rate", "seconds"))
    is_sound(world)
    Means.of(history.current_epoch()).values() if history.current_epoch() else None
    with np.errstate(all="ignore"):
        x, y = next(iter(world.loader), (tg.ones(2, 4), tg.tensor([0, 1])))
        world.optimizer.zero_grad()
        nn.cross_entropy(world.model(x), y).backward()
        with contextlib.suppress(TensorgradError):  # a learning rate that a schedule has no more
            world.optimizer.step()


def is_sound(world):
    """Counts are whole and not negative, and the loader's order names each item once."""
    assert type(world.optimizer.steps) is int and world.optimizer.steps >= 0
    assert all(type(s["step"]) is int and s["step"] >= 0 for s in world.optimizer.state.values())
    epoch = world.loader._epoch
    assert epoch is None or (sorted(epoch.order) == list(range(20)) and type(epoch.position) is int)


def option_kinds(world):
    """The kind of each option, where a float is as good as an int."""
    numbers = {int: float}
    options = [world.optimizer.param_groups[0][key] for key in world.optimizer.defaults]
    return [numbers.get(type(option), type(option)) for option in options]


@pytest.mark.seeds(60)
def test_states_from_json_are_loaded_whole_or_not_at_all(seed, tmp_path):
    rng, adam = np.random.default_rng([seed, 3]), bool(seed % 2)
    _, arrays, document, *_ = saved(adam)
    world = World(2, tmp_path / "none", adam)
    part = ["optimizer", "loader", "model", "history"][seed // 2 % 4]
    arrays = {n: hostile_array(rng, a) if rng.random() < 0.02 else a for n, a in arrays.items()}
    state = checkpoints.joined({part: document[part]}, arrays)[part] if rng.random() < 0.3 else None
    if state is None:
        with contextlib.suppress(Exception):
            state = checkpoints.joined({part: hostile(rng, document[part])}, arrays)[part]
    kinds = option_kinds(world)
    load = {
        "optimizer": world.optimizer.load_state_dict,
        "loader": world.loader.load_state_dict,
        "model": world.model.load_state_dict,
        "history": lambda records: nn.History.from_dict(records).check_whole(),
    }[part]
    before = world.bits()
    try:
        load(state)
    except TensorgradError:
        assert world.bits() == before
    else:
        is_sound(world)
        assert option_kinds(world) == kinds
