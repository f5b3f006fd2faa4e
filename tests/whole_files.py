"""Files that are as they should be, one of each kind that has a reader, and a training whose state is in them."""

import gzip
import io
import json
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.data.datasets import optdigits as optdigits_module
from tensorgrad.nn.optim import SGD, Adam, cosine
from tensorgrad.nn.training import checkpoint as checkpoints
from tensorgrad.nn.training.checkpoint import Checkpoint
from tensorgrad.storage import read_file

h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra `data`")
Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow, of the extra `data`")


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
