"""The cat pictures from HDF5 files: shapes, where they are looked for, and what is refused."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.nn.data import DataFileError, MissingPackageError, cats, cats_arrays

REAL = Path(os.environ.get("TENSORGRAD_DATA") or Path(__file__).parents[4] / "shared" / "data")
FILE = "train_catvnoncat.h5"
PICTURES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 1, 0, 1])


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="HDF5 files need the extra `data`")


def write(h5py, path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def test_arrays_and_dataset(h5py, tmp_path):
    write(h5py, tmp_path / FILE, train_set_x=PICTURES, train_set_y=LABELS)
    images, labels = cats_arrays(tmp_path)
    assert images.shape == (5, 3, 64, 64) and images.dtype == np.uint8 and images.flags.c_contiguous
    assert labels.dtype == np.int64 and labels.tolist() == LABELS.tolist()
    for channel in range(3):
        np.testing.assert_array_equal(images[:, channel], PICTURES[..., channel])
    dataset = cats(tmp_path)
    assert len(dataset) == 5 and dataset.classes == ("non-cat", "cat")
    x, _ = dataset.batch([3, 0])
    np.testing.assert_array_equal(x, images[[3, 0]].astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("inside", ["", "cats"])
def test_by_the_variable(h5py, tmp_path, monkeypatch, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    write(h5py, tmp_path / inside / "test_catvnoncat.h5", test_set_x=PICTURES, test_set_y=LABELS)
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path))
    assert len(cats(train=False)) == 5


def test_missing(tmp_path):
    with pytest.raises(DataFileError, match=f"no {FILE} in {tmp_path} or .*cats(.|\n)*TENSORGRAD_DATA"):
        cats(tmp_path)
    with pytest.raises(DataFileError, match=r"no folder given for test_catvnoncat\.h5"):
        cats(train=False)


def test_without_h5py(tmp_path, monkeypatch):
    (tmp_path / FILE).write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match=r"pip install h5py.*'tensorgrad-engine\[data\]'"):
        cats(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no HDF5 file at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_not_hdf5(h5py, tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataFileError, match=rf"{FILE} can't be read(.|\n)*train_set_x \(N, 64, 64, 3\)"):
        cats(tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"train_set_x": PICTURES},
        {"train_set_x": PICTURES.transpose(0, 3, 1, 2), "train_set_y": LABELS},
        {"train_set_x": PICTURES.astype(np.float32), "train_set_y": LABELS},
        {"train_set_x": PICTURES, "train_set_y": LABELS[:4]},
        {"train_set_x": PICTURES, "train_set_y": LABELS + 1},
    ],
)
def test_hdf5_of_something_else(h5py, tmp_path, arrays):
    write(h5py, tmp_path / FILE, **arrays)
    with pytest.raises(DataFileError, match=FILE):
        cats(tmp_path)


@pytest.mark.skipif(
    not any((REAL / inside / FILE).is_file() for inside in ("", "cats")),
    reason="needs the cat pictures in $TENSORGRAD_DATA or ../shared/data",
)
@pytest.mark.parametrize(("train", "counts"), [(True, [137, 72]), (False, [17, 33])])
def test_the_real_cats(h5py, train, counts):
    images, labels = cats_arrays(REAL, train)
    assert images.shape == (sum(counts), 3, 64, 64) and np.bincount(labels).tolist() == counts


# --------------------------------------------------------------------------------------------- what isn't what it seems


def soft_link(h5py, file):
    file["train_set_x"] = h5py.SoftLink("/train_set_x")


def external_link(h5py, file):
    file["train_set_x"] = h5py.ExternalLink("elsewhere.h5", "/train_set_x")


def soft_link_to_an_array(h5py, file):
    file["elsewhere"] = PICTURES
    file["train_set_x"] = h5py.SoftLink("/elsewhere")


def link_to_an_array_in_another_file(h5py, file):
    path = Path(file.filename).with_name("elsewhere.h5")
    write(h5py, path, train_set_x=PICTURES)
    file["train_set_x"] = h5py.ExternalLink(str(path), "/train_set_x")


def group(h5py, file):
    file.create_group("train_set_x")


def text(h5py, file):
    file["train_set_x"] = "pictures"


def nothing(h5py, file):
    file["train_set_x"] = h5py.Empty("u1")


def records(h5py, file):
    file["train_set_x"] = np.zeros(5, [("a", "u1", (64, 64, 3))])


def named_type(h5py, file):
    file["train_set_x"] = np.dtype("u1")


def in_another_file(h5py, file):
    file.create_dataset("train_set_x", PICTURES.shape, "u1", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


def virtual(h5py, file):
    layout = h5py.VirtualLayout(PICTURES.shape, "u1")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", PICTURES.shape)
    file.create_virtual_dataset("train_set_x", layout)


def zipped(h5py, file):
    file.create_dataset("train_set_x", data=PICTURES, compression="gzip")


def claims(h5py, file):
    file.create_dataset("train_set_x", (3_000_000, 64, 64, 3), "u1", chunks=(1, 64, 64, 3))


@pytest.mark.parametrize(
    "build",
    [
        soft_link,
        external_link,
        soft_link_to_an_array,
        link_to_an_array_in_another_file,
        group,
        text,
        nothing,
        records,
        named_type,
        in_another_file,
        virtual,
        zipped,
        claims,
    ],
)
def test_only_plain_arrays_of_this_file_are_read(h5py, tmp_path, build):
    with h5py.File(tmp_path / FILE, "w") as file:
        build(h5py, file)
        file["train_set_y"] = LABELS
    with pytest.raises(DataFileError, match=rf"{FILE}(.|\n)*train_set_x \(N, 64, 64, 3\)"):
        cats(tmp_path)


def test_chunks_are_plain_arrays_too(h5py, tmp_path):
    with h5py.File(tmp_path / FILE, "w") as file:
        file.create_dataset("train_set_x", data=PICTURES, chunks=(1, 64, 64, 3))
        file.create_dataset("train_set_y", data=LABELS.astype(np.uint8))
    np.testing.assert_array_equal(cats_arrays(tmp_path)[0], PICTURES.transpose(0, 3, 1, 2))
