"""Datasets of a user's own files: a folder for each class, read when an item is read."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tensorgrad.errors import ArgumentError, require, restate
from tensorgrad.nn.data.datasets.pictures import Transformation, VisionDataset
from tensorgrad.nn.data.files import image_files
from tensorgrad.nn.data.files.locate import DataFileError, as_folder, reading

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path: str | os.PathLike[str]) -> Any:
    """The RGB Pillow image in a file, upright as its EXIF says; 16 bits are rounded to 8.

    Transparent images are laid on white, against which a black figure is visible. PyTorch's loader ignores the EXIF
    orientation, clips 16 bits at 255 and drops transparency.

    Args:
        path: the file.

    Raises:
        DataFileError: a file that is missing, damaged, or an image of more than 50 million pixels.
        MissingPackageError: Pillow isn't installed.
    """
    require("ImageFolder", "PIL", "pillow")
    from PIL import Image, ImageOps

    with reading("ImageFolder", path, "an image file"):
        Image.init()
        known = [name for name in (*image_files.FORMATS, "PPM") if name in Image.OPEN]
        with Image.open(image_files.ImageFile(Path(path)), formats=known) as image:
            if math.prod(image.size) > image_files.MOST_PIXELS:
                most = f"{image_files.MOST_PIXELS:,}"
                raise ValueError(f"{image.width} × {image.height} pixels, more than the {most} that are decoded")
            ImageOps.exif_transpose(image, in_place=True)
            return image_files.on_white(image_files.of_bytes(image)[0])[0]


def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """The sorted names of the folders in a folder, and the label of each.

    Args:
        directory: the folder.

    Raises:
        DataFileError: the folder doesn't exist, or holds no folder.
    """
    folder = as_folder("find_classes", directory)
    with reading("find_classes", folder, "a folder with a folder for each class"):
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    if not classes:
        expected = "a folder for each class, such as cat/1.jpg, dog/1.jpg"
        raise DataFileError(restate("find_classes", f"no class folders in {folder}", expected=expected))
    return classes, {name: k for k, name in enumerate(classes)}


class DatasetFolder(VisionDataset):
    """Files in a folder for each class, `root/cat/1.ext`, also in its subfolders: items are `(loader(path), label)`.

    Args:
        root: the folder.
        loader: a function that reads a file, given its path.
        extensions: the suffixes of the files to use; either these or `is_valid_file`.
        transform: a function of what `loader` returns.
        target_transform: a function of the label.
        is_valid_file: a function of a path that tells whether to use the file.
        allow_empty: accept classes without files.

    `classes` holds the sorted names of the folders, `class_to_idx` their labels, `samples` the pairs (path, label), and
    `targets` the labels.

    Raises:
        DataFileError: the folder doesn't exist, holds no folder, or a class has no files.
        ArgumentError: both `extensions` and `is_valid_file`, or neither.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Transformation = None,
        target_transform: Transformation = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            problem = "pass either extensions or is_valid_file"
            arguments: dict[str, Any] = {"extensions": extensions, "is_valid_file": is_valid_file}
            raise ArgumentError(restate(type(self).__name__, problem, **arguments))
        self.loader, self.extensions = loader, extensions
        names, self.class_to_idx = self.find_classes(str(self.root))
        self.classes = tuple(names)
        self.samples = self._samples(is_valid_file)
        self.targets = [label for _, label in self.samples]
        empty = sorted(set(range(len(names))) - set(self.targets))
        if empty and not allow_empty:
            problem = f"no usable files for the classes {', '.join(names[k] for k in empty[:10])}"
            expected = f"files with the suffixes {', '.join(extensions)}" if extensions else ""
            fix = "remove the folders, or pass allow_empty=True"
            raise DataFileError(restate(type(self).__name__, problem, expected=expected, fix=fix, root=root))

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The names of the classes and the label of each; a subclass may find others."""
        return find_classes(directory)

    def _samples(self, is_valid_file: Callable[[str], bool] | None) -> list[tuple[str, int]]:
        suffixes = tuple(self.extensions or ())
        found = []
        for name, label in sorted(self.class_to_idx.items()):
            for folder, _, files in sorted(os.walk(os.path.join(str(self.root), name), followlinks=True)):
                for file in sorted(files):
                    path = os.path.join(folder, file)
                    if is_valid_file(path) if is_valid_file is not None else file.lower().endswith(suffixes):
                        found.append((path, label))
        return found

    def __len__(self) -> int:
        return len(self.samples)

    def _item(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return self.loader(path), label


class ImageFolder(DatasetFolder):
    """Image files in a folder for each class, `root/cat/1.png`: items are a Pillow image and a label.

    Args:
        root: the folder.
        transform: a function of the image.
        target_transform: a function of the label.
        loader: reads a file; by default as RGB, see `default_loader`.
        is_valid_file: a function of a path that tells whether to use the file; by default its suffix decides.
        allow_empty: accept classes without files.

    `imgs` is `samples`; other attributes and errors as in `DatasetFolder`. `nn.data.image_folder` reads all images at
    once instead, and reports broken ones.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Transformation = None,
        target_transform: Transformation = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
