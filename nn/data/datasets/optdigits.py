"""Optdigits: 8×8 handwritten digits that come with the package, 3,823 to train on and 1,797 to test.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
doi:10.24432/C50P49, CC BY 4.0; see optdigits.txt. The test digits were written by people who wrote none of the
training digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tensorgrad.nn.data.dataset import TensorDataset
from tensorgrad.nn.data.files.locate import reading
from tensorgrad.nn.data.normalize import Normalize
from tensorgrad.storage import check_regular

COUNTS = {"train": 3823, "test": 1797}


def optdigits(train: bool = True) -> TensorDataset:
    """Handwritten digits as images (N, 1, 8, 8) float32 in [0, 1] and labels (N,) int64.

    Args:
        train: True for the 3,823 training digits, False for the 1,797 test digits.

    >>> digits = optdigits()
    >>> images, labels = digits.batch([0, 1, 2])
    >>> len(digits), images.shape, labels.tolist()
    (3823, (3, 1, 8, 8), [0, 0, 7])
    """
    # The training set takes less than 1 MB as float32, so it is converted at once, unlike MNIST.
    images, labels = Normalize(scale=16)(*optdigits_arrays(train))
    return TensorDataset(images, labels, classes=tuple("0123456789"))


def optdigits_arrays(train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Optdigits as stored: images (N, 1, 8, 8) uint8, each pixel a count from 0 to 16; labels (N,) int64.

    Args:
        train: True for the 3,823 training digits, False for the 1,797 test digits.

    >>> images, labels = optdigits_arrays(train=False)
    >>> images.shape, images.max()
    ((1797, 1, 8, 8), np.uint8(16))
    """
    images, labels = _read(Path(__file__).with_name("optdigits.npz"), "train" if train else "test")
    # (N, 8, 8) -> (N, 1, 8, 8)
    return images[:, np.newaxis], labels.astype(np.int64)


def _read(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) and labels (N,), both uint8. Raises DataFileError for a file with other contents."""
    count = COUNTS[part]
    expected = f"{count} images of 8×8 pixels and their labels"
    with reading("optdigits", path, expected, "reinstall tensorgrad-engine"):
        check_regular(path)
        with np.load(path, allow_pickle=False) as archive:
            names = [f"{part}_images", f"{part}_labels"]
            sizes = [archive.zip.getinfo(f"{name}.npy").file_size for name in names]
            if max(sizes) > 2 * 64 * count:  # the size after unpacking
                raise ValueError(f"it holds arrays of {max(sizes):,} bytes")
            images, labels = (archive[name] for name in names)
        if (images.shape, labels.shape) != ((count, 8, 8), (count,)) or {images.dtype, labels.dtype} != {
            np.dtype("u1")
        }:
            raise ValueError(f"it holds {images.shape} {images.dtype} and {labels.shape} {labels.dtype}")
    return images, labels
