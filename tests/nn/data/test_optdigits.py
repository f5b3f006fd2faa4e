"""Optdigits in the package: counts, ranges and values as UCI gives them, and the script that packs them."""

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.nn.data import DataFileError, DataLoader, TensorDataset, optdigits, optdigits_arrays
from tools import pack_optdigits

# "Class Distribution" in UCI's optdigits.names
TRAIN_COUNTS = [376, 389, 380, 389, 387, 376, 377, 387, 380, 382]
TEST_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]

# the first line of optdigits.tra, a 0
FIRST = [
    [0, 1, 6, 15, 12, 1, 0, 0],
    [0, 7, 16, 6, 6, 10, 0, 0],
    [0, 8, 16, 2, 0, 11, 2, 0],
    [0, 5, 16, 3, 0, 5, 7, 0],
    [0, 7, 13, 3, 0, 8, 7, 0],
    [0, 4, 12, 0, 1, 13, 5, 0],
    [0, 0, 14, 9, 15, 9, 0, 0],
    [0, 0, 6, 14, 7, 1, 0, 0],
]

UCI = Path(__file__).parents[4] / "shared" / "data" / "optdigits"


@pytest.mark.parametrize(("train", "counts"), [(True, TRAIN_COUNTS), (False, TEST_COUNTS)])
def test_counts_and_ranges(train, counts):
    images, labels = optdigits_arrays(train)
    assert images.shape == (sum(counts), 1, 8, 8) and images.dtype == np.uint8
    assert images.min() == 0 and images.max() == 16
    assert labels.dtype == np.int64 and np.bincount(labels).tolist() == counts


def test_the_official_split():
    assert (len(optdigits()), len(optdigits(train=False))) == (3823, 1797)


def test_first_digit():
    images, labels = optdigits_arrays()
    assert images[0, 0].tolist() == FIRST and labels[0] == 0


@pytest.mark.parametrize("train", [True, False])
def test_dataset_is_the_arrays_scaled(train):
    dataset = optdigits(train)
    assert isinstance(dataset, TensorDataset) and dataset.classes == tuple("0123456789")
    images, labels = dataset.batch(range(len(dataset)))
    stored, stored_labels = optdigits_arrays(train)
    assert images.dtype == np.float32 and labels.dtype == np.int64
    np.testing.assert_array_equal(images, stored / np.float32(16))  # sixteenths are exact in binary
    np.testing.assert_array_equal(labels, stored_labels)
    x, y = next(iter(DataLoader(dataset, 32)))
    assert x.shape == (32, 1, 8, 8) and y.shape == (32,)


def test_size_and_attribution():
    folder = files("tensorgrad.nn.data.datasets")
    assert len(folder.joinpath("optdigits.npz").read_bytes()) < 200_000
    text = folder.joinpath("optdigits.txt").read_text(encoding="utf-8")
    for part in (
        "E. Alpaydin",
        "C. Kaynak",
        "UCI Machine Learning Repository",
        "10.24432/C50P49",
        "CC BY 4.0",
        "repacked",
    ):
        assert part in text


def uci_files(folder):
    """Random digits in UCI's format and sizes."""
    rng = np.random.default_rng(0)
    tables = {}
    for part, (name, count) in pack_optdigits.FILES.items():
        tables[part] = np.concatenate([rng.integers(0, 17, (count, 64)), rng.integers(0, 10, (count, 1))], axis=1)
        np.savetxt(folder / name, tables[part], fmt="%d", delimiter=",")
    return tables


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["pack_optdigits", *map(str, arguments)])
    pack_optdigits.main()


def test_pack(tmp_path, monkeypatch, capsys):
    tables = uci_files(tmp_path)
    output = tmp_path / "packed.npz"
    run(monkeypatch, "--source", tmp_path, "--output", output)
    assert f"{output}: {output.stat().st_size:,} bytes" in capsys.readouterr().out
    with np.load(output) as archive:
        for part, table in tables.items():
            np.testing.assert_array_equal(archive[f"{part}_images"].reshape(-1, 64), table[:, :64])
            np.testing.assert_array_equal(archive[f"{part}_labels"], table[:, 64])


@pytest.mark.parametrize("line", ["17" + ",0" * 64, "-1" + ",0" * 64, "0," * 64 + "10", "1,2,3", "a,b", None])
def test_pack_refuses_what_is_not_optdigits(tmp_path, line):
    name, count = pack_optdigits.FILES["test"]
    good = ",".join(["0"] * 65)
    if line is not None:
        (tmp_path / name).write_text("\n".join([line] + [good] * (count - 1)))
    with pytest.raises(DataFileError, match=r"optdigits\.tes(.|\n)*expected: 1797 lines of 64 pixels"):
        pack_optdigits.read_digits(tmp_path / name, count)


@pytest.mark.skipif(not UCI.is_dir(), reason="needs UCI's optdigits files in ../shared/data/optdigits")
def test_the_packed_digits_are_ucis():
    for part, (name, count) in pack_optdigits.FILES.items():
        images, labels = pack_optdigits.read_digits(UCI / name, count)
        packed_images, packed_labels = optdigits_arrays(part == "train")
        np.testing.assert_array_equal(packed_images[:, 0], images)
        np.testing.assert_array_equal(packed_labels, labels)
