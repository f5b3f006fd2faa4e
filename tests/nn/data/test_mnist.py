"""MNIST from a folder: where it is looked for, what is refused, and the real files where a machine has them."""

import gzip
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.nn.data import DataFileError, DataLoader, MissingPackageError, mnist, mnist_arrays
from tensorgrad.nn.data.datasets import mnist as mnist_files

REAL = Path(os.environ.get("TENSORGRAD_DATA") or Path(__file__).parents[4] / "shared" / "data")
REAL_FILES = [folder / f"{name}.gz" for folder in (REAL, REAL / "mnist") for name in mnist_files.CHECKSUMS]
needs_mnist = pytest.mark.skipif(
    sum(path.is_file() for path in REAL_FILES) < 4,
    reason="needs MNIST's four files in $TENSORGRAD_DATA or ../shared/data",
)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def digits(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Six training and four test digits of noise, as MNIST's four files."""
    for part, n, seed in (("train", 6, 0), ("t10k", 4, 1)):
        images, labels = digits(n, seed)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path


@pytest.mark.parametrize(("train", "n", "seed"), [(True, 6, 0), (False, 4, 1)])
def test_arrays_and_dataset(folder, train, n, seed):
    pixels, classes = digits(n, seed)
    images, labels = mnist_arrays(folder, train)
    assert images.shape == (n, 1, 28, 28) and images.dtype == np.uint8 and labels.dtype == np.int64
    np.testing.assert_array_equal(images[:, 0], pixels)
    np.testing.assert_array_equal(labels, classes)

    dataset = mnist(folder, train)
    x, y = dataset.batch(range(n))
    assert len(dataset) == n and dataset.classes == tuple("0123456789")
    assert x.dtype == np.float32 and x.shape == (n, 1, 28, 28)
    np.testing.assert_array_equal(x, images.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(y, classes)
    np.testing.assert_array_equal(dataset[2][0], x[2])


def test_normalize(folder):
    x, _ = mnist(folder, normalize=True).batch(range(6))
    want = (digits(6, 0)[0][:, np.newaxis] / 255 - 0.1307) / 0.3081
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, want, atol=2e-6)


def test_pixels_are_stored_as_bytes(folder):
    assert mnist(folder).dataset.arrays[0].dtype == np.uint8


def test_through_the_loader(folder):
    batches = [(np.asarray(x), np.asarray(y)) for x, y in DataLoader(mnist(folder), 4)]
    assert [x.shape for x, _ in batches] == [(4, 1, 28, 28), (2, 1, 28, 28)]
    assert batches[0][0].dtype == np.float32 and batches[0][1].dtype == np.int64


@pytest.mark.parametrize("inside", ["", "mnist"])
@pytest.mark.parametrize("by", ["root", "str", "variable"])
def test_where_it_is_looked_for(folder, tmp_path_factory, monkeypatch, inside, by):
    base = tmp_path_factory.mktemp("base")
    if inside:
        folder = folder.rename(base / inside).parent
    if by == "variable":
        monkeypatch.setenv("TENSORGRAD_DATA", str(folder))
    root = {"root": folder, "str": str(folder), "variable": None}[by]
    assert len(mnist(root, download=False)) == 6


def test_root_goes_before_the_variable(folder, monkeypatch):
    monkeypatch.setenv("TENSORGRAD_DATA", "/nowhere")
    assert len(mnist(folder, download=False)) == 6


@pytest.mark.parametrize("rename", [lambda name: name, lambda name: name.replace("-idx", ".idx")])
def test_unzipped_files(folder, rename):
    for path in list(folder.iterdir()):
        (folder / rename(path.stem)).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(mnist_arrays(folder, download=False)[0][:, 0], digits(6, 0)[0])


def test_missing_files(tmp_path, monkeypatch):
    with pytest.raises(DataFileError, match=f"no train-images-idx3-ubyte.gz in {tmp_path} or (.|\n)*download=True"):
        mnist(tmp_path, download=False)
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path))
    with pytest.raises(DataFileError, match=f"no t10k-images-idx3-ubyte.gz in {tmp_path}"):
        mnist(train=False, download=False)


def test_without_pooch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    for root in (tmp_path, None):
        with pytest.raises(MissingPackageError, match=r"pip install 'tensorgrad-engine\[data\]'"):
            mnist(root)


def test_a_folder_needs_no_pooch(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert len(mnist(folder)) == 6


def test_a_damaged_file_is_named(folder):
    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataFileError, match=r"train-labels-idx1-ubyte\.gz isn't a complete IDX file: its gzip stream"):
        mnist(folder)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((6, 28, 27), np.uint8), np.zeros(6, np.uint8)),
        (np.zeros((6, 784), np.uint8), np.zeros(6, np.uint8)),
        (np.zeros((6, 28, 28), np.uint8), np.zeros(5, np.uint8)),
        (np.zeros((6, 28, 28), np.uint8), np.zeros((6, 1), np.uint8)),
        (np.zeros((6, 28, 28), np.uint8), np.full(6, 10, np.uint8)),
    ],
)
def test_idx_files_of_something_else(folder, images, labels):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx(images))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    with pytest.raises(DataFileError, match=r"train-images.* don't hold MNIST(.|\n)*images: \(6, "):
        mnist(folder)


@needs_mnist
@pytest.mark.parametrize(
    ("train", "counts"),
    [
        (True, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (False, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_the_real_mnist(train, counts):
    images, labels = mnist_arrays(REAL, train, download=False)
    assert images.shape == (sum(counts), 1, 28, 28) and len(images) == (60_000 if train else 10_000)
    assert np.bincount(labels).tolist() == counts
    if train:
        assert round(images.mean() / 255, 4) == mnist_files.MEAN and round(images.std() / 255, 4) == mnist_files.STD
