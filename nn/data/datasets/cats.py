"""Cats: 64×64 colour photographs, cat or no cat, 209 to train on and 50 to test.

The files `train_catvnoncat.h5` and `test_catvnoncat.h5` come from the "Logistic Regression with a Neural Network
mindset" exercise of the deeplearning.ai course "Neural Networks and Deep Learning". This package doesn't include them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.errors import require, restate
from tensorgrad.nn.data.dataset import TensorDataset, TransformDataset
from tensorgrad.nn.data.files.locate import VARIABLE, DataFileError, find_file, reading, search_folders
from tensorgrad.nn.data.normalize import Normalize
from tensorgrad.storage import check_regular


def cats(root: str | os.PathLike[str] | None = None, train: bool = True) -> TransformDataset:
    """The cat pictures as batches of images (N, 3, 64, 64) float32 in [0, 1] and labels (N,) int64, 1 for a cat.

    Args:
        root: the folder with the two .h5 files, or a folder that contains that one under the name `cats`; by default
            the folder in the environment variable TENSORGRAD_DATA.
        train: True for the 209 training pictures, False for the 50 test pictures.

    Raises:
        DataFileError: a file that is missing, damaged or holds other data.
        MissingPackageError: h5py isn't installed: `pip install 'tensorgrad-engine[data]'`.

        images, labels = cats("data/cats").batch(range(32))  # (32, 3, 64, 64) float32, (32,) int64
    """
    images, labels = cats_arrays(root, train)
    return TransformDataset(TensorDataset(images, labels, classes=("non-cat", "cat")), Normalize())


def cats_arrays(root: str | os.PathLike[str] | None = None, train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The cat pictures as stored: images (N, 3, 64, 64) uint8, labels (N,) int64; otherwise as `cats`."""
    part = "train" if train else "test"
    folders = search_folders(root, "cats")
    path = find_file(folders, [f"{part}_catvnoncat.h5"])
    if path is None:
        searched = " or ".join(str(folder) for folder in folders)
        problem = f"no {part}_catvnoncat.h5 in {searched}" if folders else f"no folder given for {part}_catvnoncat.h5"
        fix = f"pass the folder with the two .h5 files as root, or in the environment variable {VARIABLE}"
        raise DataFileError(restate("cats", problem, fix=fix, root=root))
    images, labels = _read(path, part)
    # (N, H, W, C) -> (N, C, H, W)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels.astype(np.int64)


def _read(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W, C) and labels (N,) of one HDF5 file."""
    h5py = require("cats", "h5py")
    expected = f"{part}_set_x (N, 64, 64, 3) uint8 and {part}_set_y (N,) of 0 and 1"
    with reading("cats", path, expected):
        size = check_regular(path)
        with h5py.File(path, "r") as file:
            found = [_dataset(h5py, file, f"{part}_set_{name}") for name in "xy"]
            shapes = [data.shape for data in found]
            fits = shapes == [(*shapes[1], 64, 64, 3), shapes[0][:1]] and found[0].dtype == np.uint8
            if not fits or found[1].dtype.kind not in "iub" or sum(data.nbytes for data in found) > size:
                problem = f"{path} doesn't hold the cat pictures"
                facts = {data.name: f"{data.shape} {data.dtype}, {data.nbytes:,} bytes" for data in found}
                raise DataFileError(restate("cats", f"{problem}: {facts}", expected=expected))
            images, labels = (data[()] for data in found)
    if not np.isin(labels, (0, 1)).all():
        problem = f"the labels in {path} must be 0 or 1"
        raise DataFileError(restate("cats", problem, expected=expected, labels=labels))
    return images, labels


def _dataset(h5py: Any, file: Any, name: str) -> Any:
    """An array of the file, not read yet. Raises ValueError unless the file itself holds its values, uncompressed.

    A link can lead to itself or to another file, and a compressed array can be a million times as large as the file.
    """
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is missing, or a link")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.shape is None:
        raise ValueError(f"{name} must be an array")
    if data.is_virtual or data.external or data.id.get_create_plist().get_nfilters():
        raise ValueError(f"{name} is compressed or in another file: h5repack -f NONE writes a plain one")
    return data
