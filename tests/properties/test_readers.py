"""Readers on damaged and hostile files: tensorgrad's own errors only, bounded memory and time, nothing changed.

Each seed takes one reader and one file: a whole one that was mutated, one that was built to deceive, or something else
in its place. `pytest tests/properties/test_readers.py --seeds 10000` tries as many.
"""

import contextlib
import copy
import gzip
import hashlib
import io
import json
import math
import os
import signal
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import TensorgradError
from tensorgrad.nn.data import DataLoader, TensorDataset, cats_arrays, fundus, image_folder, read_idx
from tensorgrad.nn.data.datasets import optdigits as optdigits_module
from tensorgrad.nn.data.files import download
from tensorgrad.nn.optim import SGD, Adam, cosine
from tensorgrad.nn.training import checkpoint as checkpoints
from tensorgrad.nn.training.checkpoint import Checkpoint, CheckpointError
from tensorgrad.nn.training.history import Means
from tensorgrad.storage import digest, load_metadata, read_file, save
from tools.pack_optdigits import read_digits

h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra `data`")
Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")

MOST_MEMORY = 64 << 20  # bytes that Python and NumPy may take for a small file
MOST_SECONDS = 30  # a guard against reading for ever

# ------------------------------------------------------------------------------------------------------------ the world


class Noisy(nn.Module):
    """A layer with a generator of its own, of the kind that NumPy believes whatever it is told."""

    def __init__(self, seed):
        self.generator = np.random.Generator(np.random.MT19937(seed))

    def forward(self, x):
        return x + self.generator.standard_normal(x.shape).astype(np.float32)


class World:
    """A training that a checkpoint is loaded into: model, optimizer with a schedule, loader, and random generators."""

    def __init__(self, seed, path, adam):
        tg.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), Noisy(seed), nn.Linear(6, 3))
        rate = 0.1 if adam else cosine(0.1, 20)
        kinds = {"momentum": 0.9, "nesterov": True} if not adam else {"amsgrad": True}
        self.optimizer = (Adam if adam else SGD)(self.model.parameters(), rate, **kinds)
        rng = np.random.default_rng(0)
        data = TensorDataset(rng.standard_normal((20, 4)).astype(np.float32), rng.integers(0, 3, 20))
        self.loader = DataLoader(data, 6, shuffle=True, generator=seed)
        self.checkpoint = Checkpoint(path, self.model, self.optimizer, self.loader)

    def train(self, steps):
        stop = {"on_step_end": lambda record: record["step"] == steps, "progress": False, "checkpoint": None}
        return nn.fit(self.model, self.loader, loss=nn.cross_entropy, optimizer=self.optimizer, epochs=9, **stop)

    def saved(self):
        """All that a checkpoint decides, as text of arrays' bytes: two are equal only if every bit is."""
        return exact(self.checkpoint._state())

    def bits(self):
        """That, and what would show that something was written and put back."""
        versions = [tensor._version for tensor in (*self.model.parameters(), *self.model.buffers())]
        return exact([self.saved(), self.optimizer.param_groups, self.loader._resuming, versions])


def exact(tree):
    if isinstance(tree, dict):
        return repr({key: exact(value) for key, value in tree.items()})
    if isinstance(tree, list | tuple):
        return repr([exact(value) for value in tree])
    return repr((tree.shape, tree.dtype, tree.tobytes()) if isinstance(tree, np.ndarray) else tree)


@cache
def saved(adam):
    """A checkpoint in the middle of an epoch: its bytes, what it holds, and the world's bits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        world = World(1, path, adam)
        history = world.train(6)
        world.checkpoint.save(history)
        content = path.read_bytes()
        arrays, facts = read_file("test", path)
    document = json.loads(arrays.pop(checkpoints.DOCUMENT).tobytes())
    return content, arrays, document, facts, world.saved(), history


# ------------------------------------------------------------------------------------------------------------ mutations

INTEGERS = [0, 1, 2, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, False, -1, 0, 7, 2**70, -(2**70), 0.5, math.inf, math.nan, "", "text", [], {}, [[1], 2], [None]]
VALUES += [{"$array": "nowhere"}, {"$array": "model/0.weight"}, {"$array": []}, "9" * 5000, {"a": {"b": []}}, -0.0]


def integer(rng):
    """A number that a header may lie with, in some width and order."""
    width = int(rng.choice([1, 2, 4, 8]))
    return (int(rng.choice(INTEGERS[1:])) % 256**width).to_bytes(width, str(rng.choice(["little", "big"])))


def place(rng, content):
    """Somewhere in a file; in every second case near its beginning, where headers are."""
    return int(rng.integers(max(1, min(len(content), 256) if rng.random() < 0.5 else len(content))))


def flip(rng, content):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        changed[place(rng, content)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(rng, content):
    return content[: place(rng, content)]


def insert(rng, content):
    at = place(rng, content)
    return content[:at] + rng.bytes(int(rng.integers(1, 40))) + content[at:]


def remove(rng, content):
    at = place(rng, content)
    return content[:at] + content[at + int(rng.integers(1, 40)) :]


def lie(rng, content):
    at, number = place(rng, content), integer(rng)
    return content[:at] + number + content[at + len(number) :]


def splice(rng, content):
    a, b, at = (place(rng, content) for _ in range(3))
    return content[:at] + content[min(a, b) : max(a, b)] + content[at:]


def append(rng, content):
    return content + rng.bytes(int(rng.integers(1, 300)))


def noise(rng, content):
    return content[: int(rng.integers(0, 12))] + rng.bytes(int(rng.integers(0, 300)))


def empty(rng, content):
    return b""


def foreign(rng, content):
    kinds = list(WHOLE)
    return WHOLE[kinds[rng.integers(len(kinds))]]()


MUTATIONS = [flip, flip, truncate, insert, remove, lie, lie, splice, append, noise, empty, foreign]


def mutated(rng, content):
    for _ in range(rng.choice([1, 1, 2, 3])):
        content = MUTATIONS[rng.integers(len(MUTATIONS))](rng, content) if content else content
    return content


def hostile(rng, tree):
    """A copy of nested dicts and lists in which one thing, or a few, was replaced, left out or added."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        holder, key = tree, None
        while isinstance(holder, dict | list) and holder:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            parent, key = holder, keys[rng.integers(len(keys))]
            holder = parent[key]
            if rng.random() < 0.25:
                break
        if key is None:
            continue
        what = rng.integers(8)
        if what == 0:
            del parent[key]
        elif what == 1 and isinstance(parent, dict):
            parent[str(rng.choice(["extra", "state", "step", "$array"]))] = VALUES[rng.integers(len(VALUES))]
        elif what == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif what < 6 and isinstance(holder, int | float) and not isinstance(holder, bool):
            parent[key] = [holder + 1, -holder, float(holder), str(holder), [holder]][rng.integers(5)]
        else:
            parent[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return tree


def hostile_array(rng, array):
    """Another array in the place of one: of another shape or dtype, or values that make no sense."""
    with np.errstate(all="ignore"):
        return [
            lambda: array.reshape(-1)[:-1],
            lambda: array[None],
            lambda: array.astype(str(rng.choice(["float64", "float16", "int64", "uint8", "bool"]))),
            lambda: np.zeros(0, array.dtype),
            lambda: np.full_like(array, rng.choice(INTEGERS[:8])),
        ][rng.integers(5)]()


# ---------------------------------------------------------------------------------------------------------- whole files


def picture(suffix):
    def make():
        pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 4 if suffix == "png" else 3), dtype=np.uint8)
        file = io.BytesIO()
        options = {"tif": {"compression": "tiff_lzw"}}.get(suffix, {})
        Image.fromarray(pixels).save(file, {"tif": "TIFF", "jpg": "JPEG"}.get(suffix, suffix.upper()), **options)
        return file.getvalue()

    return cache(make)


@cache
def gray16():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (9, 9), dtype=np.uint16)).save(file, "TIFF")
    return file.getvalue()


@cache
def idx():
    return struct.pack(">HBB3I", 0, 8, 3, 3, 4, 5) + np.random.default_rng(0).bytes(60)


@cache
def idx_gz():
    return gzip.compress(idx(), mtime=0)


@cache
def hdf5():
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    with h5py.File(file, "w") as data:
        data["train_set_x"] = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
        data["train_set_y"] = np.array([0, 1])
        data["list_classes"] = np.array([b"non-cat", b"cat"])
    return file.getvalue()


@cache
def tensors():
    rng = np.random.default_rng(0)
    arrays = {"a": rng.standard_normal((3, 4)).astype("f4"), "n": np.arange(5), "b": np.array([True, False])}
    from safetensors.numpy import save as serialized

    return serialized(arrays, {"format": "pt"})


@cache
def npz():
    return Path(optdigits_module.__file__).with_name("optdigits.npz").read_bytes()


@cache
def digits():
    rng = np.random.default_rng(0)
    table = np.hstack([rng.integers(0, 17, (40, 64)), rng.integers(0, 10, (40, 1))])
    return "\n".join(",".join(map(str, row)) for row in table).encode()


def labels():
    return b"id_code,diagnosis\ngood,3\nother,0\nlost,1\n"


def checkpoint_file():
    return saved(True)[0]


PICTURES = {suffix: picture(suffix) for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp")}
WHOLE = {"safetensors": tensors, "checkpoint": checkpoint_file, "idx": idx, "gz": idx_gz, "h5": hdf5, "npz": npz}
WHOLE |= {"digits": digits, "csv": labels, "tiff 16": gray16, **PICTURES}


# -------------------------------------------------------------------------------------------------------------- readers


def read_tensors(path):
    found = tg.load(path)
    assert all(isinstance(t, tg.Tensor) for t in found.values())
    for t in found.values():  # a bool that isn't 0 or 1 would make sums of nonsense
        assert t.dtype != bool or set(t.data.view(np.uint8).ravel()) <= {0, 1}
    load_metadata(path)


def read_pictures(suffix):
    def read(path):
        """The damaged picture lies beside a whole one, which must come out as ever."""
        (path.parent / "a").mkdir()
        os.rename(path, path.parent / "a" / f"damaged.{suffix}")
        (path.parent / "a" / "whole.png").write_bytes(PICTURES["png"]())
        try:
            found = image_folder(path.parent, size=8)
            assert found.report.read == len(found) <= 2 and found.files[-1] == "a/whole.png"
            assert found.arrays[0][-1].tobytes() == whole_picture()
        finally:
            (path.parent / "a" / "whole.png").unlink()
            os.rename(path.parent / "a" / f"damaged.{suffix}", path)
            (path.parent / "a").rmdir()

    return read


@cache
def whole_picture():
    ground = Image.new("RGBA", (10, 12), "white")
    image = Image.alpha_composite(ground, Image.open(io.BytesIO(PICTURES["png"]()))).convert("RGB")
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(image, (8, 8))).transpose(2, 0, 1).tobytes()


def read_cats(path):
    with placed(path, path.with_name("train_catvnoncat.h5")) as there:
        images, found = cats_arrays(there.parent)
    assert images.dtype == np.uint8 and len(images) == len(found) and set(found) <= {0, 1}


def read_labels(path):
    (path.parent / "train_images").mkdir()
    whole = path.parent / "train_images" / "good.png"
    whole.write_bytes(PICTURES["png"]())
    try:
        with placed(path, path.with_name("train.csv")) as there:
            found = fundus(there.parent, size=8)
        assert found.files == ("good",) and 0 <= found.arrays[1][0] <= 4
    finally:
        whole.unlink()
        whole.parent.rmdir()


def read_archive(path):
    images, found = optdigits_module._read(path, "test")
    assert images.shape == (1797, 8, 8) and found.shape == (1797,)


def read_text(path):
    images, found = read_digits(path, 40)
    assert images.max() <= 16 and found.max() <= 9


@contextlib.contextmanager
def placed(path, elsewhere):
    os.rename(path, elsewhere)
    try:
        yield elsewhere
    finally:
        os.rename(elsewhere, path)


READERS = {"safetensors": read_tensors, "idx": read_idx, "gz": read_idx, "h5": read_cats, "npz": read_archive}
READERS |= {"digits": read_text, "csv": read_labels, "tiff 16": read_pictures("tif")}
READERS |= {suffix: read_pictures(suffix) for suffix in PICTURES}


class TooLong(BaseException):
    """Not to be taken for an error of a reader, nor by one."""


@contextlib.contextmanager
def bounded(content=b""):
    """Fails where Python and NumPy take much more memory than the file has bytes, or all the time there is."""

    def too_long(signum, frame):
        raise TooLong(f"still reading after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(MOST_SECONDS)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert peak < MOST_MEMORY + 8 * len(content), f"{peak:,} bytes for a file of {len(content):,}"


def files_in(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.seeds(140)
def test_a_mutated_file_is_read_or_refused(seed, tmp_path):
    rng = np.random.default_rng([seed, 1])
    kind = list(READERS)[seed % len(READERS)]
    content = mutated(rng, WHOLE[kind]())
    path = tmp_path / "file"
    path.write_bytes(content)
    before = files_in(tmp_path)
    with bounded(content):
        try:
            READERS[kind](path)
        except TensorgradError as error:
            assert path.name in str(error) or str(tmp_path) in str(error), "the error doesn't name the file"
    assert files_in(tmp_path) == before


# ---------------------------------------------------------------------------------------------------------- checkpoints


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


# ------------------------------------------------------------------------------------------------- something else there


def at_the_place_of(path, kind):
    {
        "missing": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),  # whoever opens one waits for a writer
        "device": lambda: path.symlink_to("/dev/zero"),  # without end
        "loop": lambda: path.symlink_to(path),
        "dangling": lambda: path.symlink_to(path.with_name("nowhere")),
    }[kind]()


def resume(path):
    world = World(2, path, True)
    before = world.bits()
    try:
        nn.fit(
            world.model,
            world.loader,
            loss=nn.cross_entropy,
            optimizer=world.optimizer,
            epochs=0,
            checkpoint=path,
            resume=True,
            progress=False,
        )
    finally:
        assert world.bits() == before


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")
@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "device", "loop", "dangling"])
@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, read_archive, read_text, resume])
def test_something_else_in_the_place_of_a_file(tmp_path, kind, reader):
    path = tmp_path / "file"
    at_the_place_of(path, kind)
    if reader is resume and kind in ("missing", "dangling"):  # no checkpoint yet: training begins
        return reader(path)
    with bounded(), pytest.raises(TensorgradError) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", [3, None, 2.5, ["x"], object()])
@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, cats_arrays, image_folder, fundus])
def test_what_is_no_path(path, reader):
    if path is None and reader is cats_arrays:  # the variable may name a folder
        return
    with pytest.raises(tg.DTypeError, match="path must be text"):
        reader(path)


@pytest.mark.parametrize("reader", [tg.load, load_metadata, read_idx, cats_arrays, image_folder, fundus])
@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~nobody-of-that-name/x"])
def test_paths_that_no_file_can_have(path, reader):
    with pytest.raises(TensorgradError):
        reader(path)


# ---------------------------------------------------------------------------------------------------------------- bombs

BOMBS = r"""
import io, json, os, resource, struct, sys, zlib
from pathlib import Path
import numpy as np, tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import cats_arrays, image_folder, read_idx
from tensorgrad.nn.data.datasets.optdigits import _read
import h5py, PIL.Image, safetensors
PIL.Image.init()

def zipped_zeros(head, mebibytes):
    packer = zlib.compressobj(9, wbits=31)
    chunks = [packer.compress(head)] + [packer.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join(chunks) + packer.flush()

def small_header(path):
    path.write_bytes(zipped_zeros(struct.pack(">HBB1I", 0, 8, 1, 10), 200))
    read_idx(path)

def lying_header(path):
    path.write_bytes(zipped_zeros(struct.pack(">HBB2I", 0, 8, 2, 2**31, 2**31), 1))
    read_idx(path)

def no_header(path):
    path.write_bytes(zipped_zeros(b"", 200))
    read_idx(path)

def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

def huge_png(path):
    side = 13000
    rows = zlib.compressobj(9)
    pixels = b"".join(rows.compress(bytes(1 + 3 * side)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (path.parent / "a").mkdir()
    whole = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    (path.parent / "a" / "bomb.png").write_bytes(whole)
    PIL.Image.new("RGB", (8, 8)).save(path.parent / "a" / "good.png")
    report = image_folder(path.parent, 8).report
    assert report.read == 1 and "13000 × 13000 pixels" in report.broken[0], report
    raise tg.TensorgradError("as it should")

def huge_size(path):
    (path.parent / "a").mkdir()
    PIL.Image.new("RGB", (8, 8)).save(path.parent / "a" / "x.png")
    image_folder(path.parent, size=10**6)

def claims_in_hdf5(path):
    path = path.parent / "train_catvnoncat.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("train_set_x", (60_000, 64, 64, 3), "u1", chunks=(1, 64, 64, 3))
        file.create_dataset("train_set_y", (60_000,), "i8", chunks=(1000,))
    assert path.stat().st_size < 10_000
    cats_arrays(path.parent)

def compressed_hdf5(path):
    with h5py.File(path.parent / "train_catvnoncat.h5", "w") as file:
        file.create_dataset("train_set_x", data=np.zeros((3_000, 64, 64, 3), "u1"), compression="gzip")
        file["train_set_y"] = np.zeros(3_000, int)
    cats_arrays(path.parent)

def claims_in_safetensors(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    tg.load(path)

def overflowing_shape(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [0, 2**63 - 1], "data_offsets": [0, 0]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    tg.load(path)

def a_hundred_axes(path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    tg.load(path)

def zip_in_npz(path):
    import zipfile
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (300 << 20,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("train_images", "train_labels"):
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                member.write(head.getvalue())
                for _ in range(200):
                    member.write(bytes(1 << 20))
    _read(path, "train")

for name in sys.argv[2:]:
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    child = os.fork()  # whose peak of memory is its own
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            globals()[name](folder / "bomb")
        except tg.TensorgradError as error:
            print(name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, str(error).splitlines()[0])
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""
BOMB_NAMES = [line[4:].split("(")[0] for line in BOMBS.splitlines() if line.endswith("(path):")]
MADE = {"compressed_hdf5": 60}
"""The MiB that making a bomb takes, beyond those that reading it may."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts KiB on Linux")
def test_a_bomb_takes_no_memory_worth_speaking_of(tmp_path):
    """Each bomb in a child of one process, which has imported all that reads files."""
    command = [sys.executable, "-c", BOMBS, str(tmp_path), *BOMB_NAMES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert said.keys() == set(BOMB_NAMES), done.stderr  # each is refused with an error of ours
    kibibytes = {bomb: int(line.split()[1]) for bomb, line in said.items()}
    assert not {bomb: said[bomb] for bomb, k in kibibytes.items() if k >= (60 + MADE.get(bomb, 0)) << 10}


# ------------------------------------------------------------------------------------------------------------ downloads


@pytest.mark.parametrize("seed", range(5))
def test_other_bytes_than_the_checksum_says_leave_no_file(tmp_path, monkeypatch, seed):
    """The checksum is that of the whole file; a mirror sends another, or one without end."""
    pooch = pytest.importorskip("pooch")
    rng = np.random.default_rng(seed)
    content = idx_gz()[: -int(rng.integers(1, 40))] if seed % 2 else flip(rng, idx_gz())

    class Mirror:
        def __init__(self, **options):
            pass

        def __call__(self, url, file, pooch):
            file.write(content if seed else bytes(1 << 10))
            for _ in range(0 if seed else 20):
                file.write(bytes(1 << 20))

    monkeypatch.setattr(pooch, "HTTPDownloader", Mirror)
    monkeypatch.setattr(download, "LARGEST", 8 << 20)
    checksum = hashlib.sha256(idx_gz()).hexdigest()
    assert content != idx_gz()
    with bounded(), pytest.raises(nn.data.DataFileError, match=r"x\.gz could not be downloaded") as caught:
        download.fetch("test", "x.gz", checksum, ["http://mirror"], tmp_path)
    assert files_in(tmp_path) == {} and ("sent more than 8,388,608 bytes" in str(caught.value)) == (not seed)
