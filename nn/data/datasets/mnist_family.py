"""MNIST and the datasets of its format, as datasets of Pillow images with PyTorch's arguments.

Sources: LeCun et al., Gradient-based learning applied to document recognition, 1998; Xiao et al., Fashion-MNIST, 2017;
Clanuwat et al., Deep Learning for Classical Japanese Literature (KMNIST), 2018.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.datasets import mnist as digits
from tensorgrad.nn.data.datasets.pictures import Transformation, VisionDataset
from tensorgrad.nn.data.files.download import fetch
from tensorgrad.nn.data.files.idx import read_idx
from tensorgrad.nn.data.files.locate import DataFileError, as_folder, find_file
from tensorgrad.nn.data.transforms.pictures import pillow
from tensorgrad.tensor import Tensor


class MNIST(VisionDataset):
    """Handwritten digits, 28 × 28: items are a grey Pillow image and an int from 0 to 9.

    Args:
        root: the folder that holds `MNIST/raw` with the IDX files, gzipped or not; they may also lie in it directly.
        train: True for the 60,000 training images, False for the 10,000 test images.
        transform: a function of the image.
        target_transform: a function of the label.
        download: download missing files into `root/MNIST/raw`; needs `pip install 'tensorgrad-engine[data]'`.

    `data` holds the images as a Tensor `(N, 28, 28)` uint8, `targets` the labels `(N,)` int64. For batches without a
    loop over the images, `nn.data.mnist` is faster.

    Raises:
        DataFileError: a file that is missing, damaged or can't be downloaded.
        MissingPackageError: a package that a download or an image needs isn't installed.
    """

    mirrors: ClassVar[Sequence[str]] = digits.MIRRORS
    checksums: ClassVar[Mapping[str, str]] = digits.CHECKSUMS
    """The checksum of each file, whose name ends in .gz."""
    names: ClassVar[tuple[str, ...]] = (
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    )

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transformation = None,
        target_transform: Transformation = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train, self.classes = train, self.names
        part = "train" if train else "t10k"
        found = [self._path(f"{part}-{kind}-ubyte", root, download) for kind in ("images-idx3", "labels-idx1")]
        images, labels = (read_idx(path) for path in found)
        digits.check_files(found, images, labels)
        self.data, self.targets = Tensor(images), Tensor(labels.astype(np.int64))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: k for k, name in enumerate(self.names)}

    @property
    def raw_folder(self) -> Path:
        """The folder that files are downloaded to."""
        return as_folder(type(self).__name__, self.root or ".") / type(self).__name__ / "raw"

    def _path(self, name: str, root: str | os.PathLike[str], download: bool) -> Path:
        kind = type(self).__name__
        base = as_folder(kind, root)
        folders = [self.raw_folder, base, base / kind, base / kind.lower(), base / "raw"]
        path = find_file(folders, (f"{name}.gz", name, name.replace("-idx", ".idx")))
        if path is not None:
            return path
        if download:
            return fetch(kind, f"{name}.gz", self.checksums[name], self.mirrors, self.raw_folder)
        problem, fix = f"no {name}.gz in {self.raw_folder}, nor in {base}", "pass download=True, or another root"
        raise DataFileError(restate(kind, problem, fix=fix, root=root))

    def __len__(self) -> int:
        return len(self.targets)

    def _item(self, index: int) -> tuple[Any, int]:
        return pillow(type(self).__name__).fromarray(self.data.numpy()[index]), int(self.targets.numpy()[index])

    def extra_repr(self) -> str:
        """Which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Articles of clothing, 28 × 28; arguments as in `MNIST`, with the folder `FashionMNIST/raw`."""

    mirrors = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )
    checksums = {
        "train-images-idx3-ubyte": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    }
    names = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


class KMNIST(MNIST):
    """Handwritten Japanese characters, 28 × 28; arguments as in `MNIST`, with the folder `KMNIST/raw`."""

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/")
    checksums = {
        "train-images-idx3-ubyte": "md5:bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte": "md5:e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte": "md5:7320c461ea6c1c855c0b718fb2a4b134",
    }
    names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
