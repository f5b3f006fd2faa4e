"""MNIST: 28×28 handwritten digits, 60,000 to train on and 10,000 to test.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.dataset import TensorDataset, TransformDataset
from tensorgrad.nn.data.files.download import cache_folder, fetch
from tensorgrad.nn.data.files.idx import read_idx
from tensorgrad.nn.data.files.locate import VARIABLE, DataFileError, find_file, search_folders
from tensorgrad.nn.data.normalize import Normalize

# The file names end in .gz. With each, its SHA-256, and in the comment the MD5 that the authors published.
CHECKSUMS = {
    # f68b3c2dcbeaaa9fbdd348bbdeb94873
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    # d53e105ee54ea40749a09fcbcd1e9432
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    # 9fb629c4189551a2d022fa330f9573f3
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    # ec29112dd5afa0611ce80d1b7f02629c
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://azureopendatastorage.blob.core.windows.net/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

# Mean and standard deviation of the 47,040,000 training pixels, scaled to [0, 1].
MEAN, STD = 0.1307, 0.3081


def mnist(
    root: str | os.PathLike[str] | None = None,
    train: bool = True,
    download: bool = True,
    *,
    normalize: bool = False,
    mirrors: Sequence[str] = MIRRORS,
) -> TransformDataset:
    """MNIST as batches of images (N, 1, 28, 28) float32 in [0, 1] and labels (N,) int64.

    Args:
        root: the folder with the IDX files (gzipped or not), or a folder that contains that one under the name `mnist`;
            by default the folder in the environment variable TENSORGRAD_DATA, or else the user's cache folder.
        train: True for the 60,000 training images, False for the 10,000 test images.
        download: download missing files into `root`, `$TENSORGRAD_DATA/mnist` or the cache folder. Needs the extra:
            `pip install 'tensorgrad-engine[data]'`.
        normalize: also subtract the mean of the training set, 0.1307, and divide by its standard deviation, 0.3081.
        mirrors: the URLs to download from, in the order to try.

    Raises:
        DataFileError: a file that is missing, damaged or can't be downloaded.
        MissingPackageError: a download or the cache folder is needed, and pooch isn't installed.

        train_set = mnist("data/mnist", download=False)
        images, labels = train_set.batch(range(64))  # (64, 1, 28, 28) float32, (64,) int64
    """
    images, labels = mnist_arrays(root, train, download, mirrors=mirrors)
    # Pixels stay bytes and are converted to float32 batch by batch: 47 MB instead of 188 MB. This isn't slower:
    # gathering and converting 128 images takes 40 µs, gathering them from a float32 copy takes 45 µs, since it moves
    # four times the bytes.
    transform = Normalize(MEAN, STD) if normalize else Normalize()
    return TransformDataset(TensorDataset(images, labels, classes=tuple("0123456789")), transform)


def mnist_arrays(
    root: str | os.PathLike[str] | None = None,
    train: bool = True,
    download: bool = True,
    *,
    mirrors: Sequence[str] = MIRRORS,
) -> tuple[np.ndarray, np.ndarray]:
    """MNIST as stored: images (N, 1, 28, 28) uint8 from 0 to 255 and labels (N,) int64; otherwise as `mnist`."""
    part = "train" if train else "t10k"
    paths = [_path(f"{part}-{kind}-ubyte", root, download, mirrors) for kind in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(path) for path in paths)
    check_files(paths, images, labels)
    # (N, 28, 28) -> (N, 1, 28, 28)
    return images[:, np.newaxis], labels.astype(np.int64)


def _path(name: str, root: str | os.PathLike[str] | None, download: bool, mirrors: Sequence[str]) -> Path:
    """The path of the file, after downloading it if necessary."""
    folders = search_folders(root, "mnist") or [cache_folder("mnist", "mnist")]
    # Unzipped copies have one of two names: train-images-idx3-ubyte or train-images.idx3-ubyte.
    path = find_file(folders, (f"{name}.gz", name, name.replace("-idx", ".idx")))
    if path is not None:
        return path
    if download:
        return fetch("mnist", f"{name}.gz", CHECKSUMS[name], mirrors, folders[0] if root is not None else folders[-1])
    searched = " or ".join(str(folder) for folder in folders)
    fix = f"pass the folder with the files as root or in the environment variable {VARIABLE}, or pass download=True"
    raise DataFileError(restate("mnist", f"no {name}.gz in {searched}", fix=fix, root=root, download=download))


def check_files(paths: Sequence[Path], images: np.ndarray, labels: np.ndarray) -> None:
    """Raise DataFileError for IDX files that don't hold MNIST."""
    fits = images.shape[1:] == (28, 28) and labels.shape == images.shape[:1]
    if not fits or images.dtype != np.uint8 or labels.dtype != np.uint8 or labels.max(initial=0) > 9:
        problem = f"{paths[0]} and {paths[1]} don't hold MNIST"
        expected = "images (N, 28, 28) uint8 and labels (N,) uint8 from 0 to 9"
        raise DataFileError(restate("mnist", problem, expected=expected, images=images, labels=labels))
