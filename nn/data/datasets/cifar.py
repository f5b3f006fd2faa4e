"""CIFAR-10 and CIFAR-100: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

The files are pickles. They are read by an unpickler that makes arrays and plain values, and calls nothing else.
"""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.datasets.pictures import Transformation, VisionDataset
from tensorgrad.nn.data.files.download import fetch
from tensorgrad.nn.data.files.locate import DataFileError, as_folder, reading
from tensorgrad.nn.data.transforms.pictures import pillow
from tensorgrad.storage import check_regular, write_whole

LARGEST = 1 << 28  # bytes of a file; the largest has 155 million
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""What a pickle of arrays calls, by module and name."""


class _Unpickler(pickle.Unpickler):
    """Makes arrays and plain values; anything else in a pickle is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which no CIFAR file does")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


class CIFAR10(VisionDataset):
    """Colour photographs, 32 × 32, of 10 classes: items are a Pillow image and an int.

    Args:
        root: the folder that holds `cifar-10-batches-py`, or the archive `cifar-10-python.tar.gz`.
        train: True for the 50,000 training images, False for the 10,000 test images.
        transform: a function of the image.
        target_transform: a function of the label.
        download: download the archive into `root` if it is missing; needs `pip install 'tensorgrad-engine[data]'`.

    `data` holds the images as an array `(N, 32, 32, 3)` uint8, `targets` the labels as a list.

    Raises:
        DataFileError: a file that is missing, damaged or can't be downloaded.
        MissingPackageError: a package that a download or an image needs isn't installed.
    """

    base_folder: ClassVar[str] = "cifar-10-batches-py"
    archive: ClassVar[str] = "cifar-10-python.tar.gz"
    checksum: ClassVar[str] = "md5:c58f30108f718f92721af3b95e74349a"
    mirrors: ClassVar[Sequence[str]] = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
    files: ClassVar[dict[bool, tuple[str, ...]]] = {
        True: tuple(f"data_batch_{k}" for k in range(1, 6)),
        False: ("test_batch",),
    }
    """The files of the training and of the test part."""
    meta: ClassVar[tuple[str, str]] = ("batches.meta", "label_names")
    """The file with the names of the classes, and their key in it."""
    labels: ClassVar[str] = "labels"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transformation = None,
        target_transform: Transformation = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        folder = self._folder(as_folder(type(self).__name__, root), download)
        names = self._read(folder / self.meta[0]).get(self.meta[1])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong(folder / self.meta[0], f"{self.meta[1]!r} must be a list of names")
        self.classes = tuple(names)
        parts = [self._part(folder / name) for name in self.files[train]]
        # (N, 3 · 32 · 32) -> (N, 32, 32, 3)
        self.data = np.concatenate([data for data, _ in parts]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy()
        self.targets: list[int] = [label for _, labels in parts for label in labels]

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: k for k, name in enumerate(self.classes or ())}

    def _folder(self, root: Path, download: bool) -> Path:
        """The folder with the files, after downloading and unpacking the archive if necessary."""
        needed = (self.meta[0], *self.files[True], *self.files[False])
        wanted = (self.meta[0], *self.files[self.train])
        for folder in (root / self.base_folder, root):
            if all(os.path.isfile(folder / name) for name in wanted):
                return folder
        archive, kind = root / self.archive, type(self).__name__
        if not os.path.isfile(archive):
            if not download:
                problem, fix = f"neither {self.base_folder} nor {self.archive} in {root}", "pass download=True"
                raise DataFileError(restate(kind, problem, fix=fix, root=root))
            fetch(kind, self.archive, self.checksum, self.mirrors, root)
        with reading(kind, archive, f"an archive with {self.base_folder}/{needed[0]} and others"):
            check_regular(archive)
            with tarfile.open(archive) as tar:
                for name in needed:
                    self._unpack(tar, name, root)
        return root / self.base_folder

    def _unpack(self, tar: tarfile.TarFile, name: str, root: Path) -> None:
        member = tar.getmember(f"{self.base_folder}/{name}")
        if not member.isfile() or member.size > LARGEST:
            raise ValueError(f"{member.name} must be a file of at most {LARGEST:,} bytes")
        content = tar.extractfile(member)
        assert content is not None
        (root / self.base_folder).mkdir(parents=True, exist_ok=True)
        write_whole(root / self.base_folder / name, content.read())

    def _read(self, path: Path) -> dict[str, Any]:
        """The dict in a file."""
        with reading(type(self).__name__, path, "a file of the Python version of CIFAR"):
            if check_regular(path) > LARGEST:
                raise ValueError(f"it has more than {LARGEST:,} bytes")
            found = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
            if not isinstance(found, dict):
                raise ValueError("it must hold a dict")
        return {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}

    def _part(self, path: Path) -> tuple[np.ndarray, list[int]]:
        """The pixels (N, 3072) and labels of one file."""
        found = self._read(path)
        data, labels = found.get("data"), found.get(self.labels)
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
            raise self._wrong(path, "'data' must be an array (N, 3072) uint8")
        count = len(self.classes or ())
        fits = isinstance(labels, list) and len(labels) == len(data)
        if not fits or not all(isinstance(label, int | np.integer) and 0 <= label < count for label in labels or ()):
            raise self._wrong(path, f"{self.labels!r} must be {len(data)} ints from 0 to {count - 1}")
        return data, [int(label) for label in labels or ()]

    def _wrong(self, path: Path, problem: str) -> DataFileError:
        return DataFileError(restate(type(self).__name__, f"{path} isn't a file of CIFAR: {problem}"))

    def __len__(self) -> int:
        return len(self.targets)

    def _item(self, index: int) -> tuple[Any, int]:
        return pillow(type(self).__name__).fromarray(self.data[index]), self.targets[index]

    def extra_repr(self) -> str:
        """Which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Colour photographs, 32 × 32, of 100 classes; arguments as in `CIFAR10`, with the folder `cifar-100-python`."""

    base_folder = "cifar-100-python"
    archive = "cifar-100-python.tar.gz"
    checksum = "md5:eb9058c3a382ffc7106e4002c42a8d85"
    files = {True: ("train",), False: ("test",)}
    meta = ("meta", "fine_label_names")
    labels = "fine_labels"
