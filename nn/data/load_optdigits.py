"""Optdigits: 8×8 handwritten digits that come with the package, 3,823 to train on and 1,797 to test.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
doi:10.24432/C50P49, CC BY 4.0; see optdigits.txt. The test digits were written by people who wrote none of the
training digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import TensorDataset
from .normalize import Normalize


def optdigits(train: bool = True) -> TensorDataset:
    """The 3,823 training digits, else the 1,797 test digits: images (N, 1, 8, 8) float32 in [0, 1], labels (N,) int64.

    >>> digits = optdigits()
    >>> images, labels = digits.batch([0, 1, 2])
    >>> len(digits), images.shape, labels.tolist()
    (3823, (3, 1, 8, 8), [0, 0, 7])
    """
    # The whole training set is under 1 MB as float32, so unlike MNIST's it is converted at once.
    images, labels = Normalize(scale=16)(*optdigits_arrays(train))
    return TensorDataset(images, labels, classes=tuple("0123456789"))


def optdigits_arrays(train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Optdigits as stored: images (N, 1, 8, 8) uint8, each pixel a count from 0 to 16; labels (N,) int64."""
    part = "train" if train else "test"
    with np.load(Path(__file__).with_name("optdigits.npz")) as archive:
        images, labels = archive[f"{part}_images"], archive[f"{part}_labels"]
    # (N, 8, 8) -> (N, 1, 8, 8)
    return images[:, np.newaxis], labels.astype(np.int64)
