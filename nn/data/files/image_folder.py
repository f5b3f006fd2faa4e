"""A user's own images: a folder with a folder of image files for each class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.files.image_files import SUFFIXES, ImageDataset, ImageReport, check_any, read_images
from tensorgrad.nn.data.files.locate import DataFileError, as_folder, reading

LAYOUT = "a folder for each class, such as cat/1.jpg, cat/2.jpg, other/1.png"


def image_folder(root: str | os.PathLike[str], size: int = 64) -> ImageDataset:
    """Read a folder with a folder of image files for each class; the sorted names of the folders are the `classes`.

    The middle square of each image is cut out and scaled to size × size pixels. Images of 16 bits are rounded to 8, and
    transparent ones are laid on white. Broken files, images of more than 50 million pixels and image files outside the
    class folders are left out; the dataset's `report` names them. Hidden files and those with other suffixes are
    ignored.

    Args:
        root: the folder.
        size: the pixels of a side.

    Returns:
        A dataset of images (N, 3, size, size) uint8 and class indices (N,) int64.

    Raises:
        DataFileError: the folder doesn't exist, or no image in it can be read.
        ArgumentError: `size` isn't an int ≥ 1, or the images don't fit into memory.
        MissingPackageError: Pillow isn't installed: `pip install 'tensorgrad-engine[data]'`.

        pictures = image_folder("my_pictures", size=64)
        print(pictures.report)
    """
    folder = as_folder("image_folder", root)
    if not os.path.isdir(folder):
        raise DataFileError(restate("image_folder", f"the folder {folder} doesn't exist", expected=LAYOUT, root=root))
    with reading("image_folder", folder, LAYOUT):
        inside = sorted(folder.iterdir())
        classes = [path.name for path in inside if os.path.isdir(path) and not path.name.startswith(".")]
        found = [(path, label) for label, name in enumerate(classes) for path in pictures_below(folder / name)]
        stray = tuple(path.name for path in inside if is_picture(path))
    images, kept, broken, converted = read_images("image_folder", [path for path, _ in found], size)
    report = ImageReport(str(folder), len(images), broken, unlabelled=stray, converted=converted)
    check_any("image_folder", report, LAYOUT)
    labels = np.array([found[k][1] for k in kept], np.int64)
    names = [str(found[k][0].relative_to(folder)) for k in kept]
    return ImageDataset(images, labels, classes, names, report)


def pictures_below(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, sorted."""
    return sorted(path for path in folder.rglob("*") if is_picture(path))


def is_picture(path: Path) -> bool:
    """Whether `path` is an image file by its suffix, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and os.path.isfile(path)
