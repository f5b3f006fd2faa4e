"""Fundus photographs graded for diabetic retinopathy, in the layouts of two public competitions.

- APTOS 2019 Blindness Detection: `train.csv` with the columns id_code and diagnosis, `train_images/*.png`;
- EyePACS, Diabetic Retinopathy Detection, 2015: `trainLabels.csv` with image and level, `train/*.jpeg`.

This package doesn't include the photographs; Kaggle provides both data sets under its terms.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.files.image_files import ImageDataset, ImageReport, check_any, read_images
from tensorgrad.nn.data.files.image_folder import pictures_below
from tensorgrad.nn.data.files.locate import DataFileError, as_folder, reading

if TYPE_CHECKING:
    from PIL.Image import Image

GRADES = ("no retinopathy", "mild", "moderate", "severe", "proliferative")
DARK = 16  # of 255: pixels outside the retina are darker


class Layout(NamedTuple):
    """The label file, its columns of names and grades, and the folder of photographs."""

    table: str
    name: str
    grade: str
    photographs: str


LAYOUTS = (
    Layout("train.csv", "id_code", "diagnosis", "train_images"),
    Layout("trainLabels.csv", "image", "level", "train"),
)
EXPECTED = " or ".join(f"{table} ({name},{grade}) beside {below}/" for table, name, grade, below in LAYOUTS)


def fundus(root: str | os.PathLike[str], size: int = 64) -> ImageDataset:
    """Read fundus photographs with grades from 0, no retinopathy, to 4, proliferative; the layout of APTOS or EyePACS.

    The dark border around the retina is cut off, and the rest scaled to fit size × size pixels. Files that are broken,
    missing, unlabelled or have another grade are left out; the dataset's `report` names them.

    Args:
        root: the folder with the label file.
        size: the pixels of a side.

    Returns:
        A dataset of images (N, 3, size, size) uint8 and grades (N,) int64, in the order of the label file; `files` are
        the names in that file.

    Raises:
        DataFileError: no label file, missing columns in it, or no labelled photograph that can be read.
        ArgumentError: `size` isn't an int ≥ 1, or the images don't fit into memory.
        MissingPackageError: Pillow isn't installed: `pip install 'tensorgrad-engine[data]'`.

        photographs = fundus("aptos2019", size=128)
        print(photographs.report)
    """
    folder = as_folder("fundus", root)
    layout = next((layout for layout in LAYOUTS if os.path.isfile(folder / layout.table)), None)
    if layout is None:
        raise DataFileError(restate("fundus", f"no label file in {folder}", expected=EXPECTED, root=root))
    grades, unclear = _read_grades(folder / layout.table, layout)
    with reading("fundus", folder, EXPECTED):
        files = {path.stem: path for path in pictures_below(folder / layout.photographs)}
    found = [name for name in grades if name in files]
    images, kept, broken, converted = read_images("fundus", [files[name] for name in found], size, _retina)
    report = ImageReport(
        folder=str(folder),
        read=len(images),
        broken=broken,
        converted=converted,
        missing=tuple(name for name in grades if name not in files),
        unlabelled=tuple(path.name for name, path in files.items() if name not in grades and name not in unclear),
        unclear=tuple(f"{name}: {reason}" for name, reason in unclear.items()),
    )
    check_any("fundus", report, EXPECTED)
    names = [found[k] for k in kept]
    return ImageDataset(images, np.array([grades[name] for name in names], np.int64), GRADES, names, report)


def _read_grades(path: Path, layout: Layout) -> tuple[dict[str, int], dict[str, str]]:
    """The grade of each name; and the names without a valid grade, with the reason."""
    with reading("fundus", path, EXPECTED), path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or ()
        table = [(row.get(layout.name), row.get(layout.grade)) for row in rows]
    if not {layout.name, layout.grade} <= set(columns):
        expected = f"columns named {layout.name} and {layout.grade}"
        problem = f"columns are missing in {path}"
        raise DataFileError(restate("fundus", problem, expected=expected, columns=tuple(columns)))
    grades: dict[str, int] = {}
    unclear: dict[str, str] = {}
    for line, row in enumerate(table, 2):
        name, grade = ((cell or "").strip() for cell in row)
        if not name:
            unclear[f"line {line}"] = "no name"
        elif grade not in ("0", "1", "2", "3", "4"):
            unclear[name] = f"{layout.grade} {grade!r}"
        elif grades.setdefault(name, int(grade)) != int(grade):
            unclear[name] = f"{layout.grade} {grades[name]} and {grade}"
    return {name: grade for name, grade in grades.items() if name not in unclear}, unclear


def _retina(image: Image, size: int) -> Image:
    """The retina without the dark border, scaled to fit into the square; the rest of the square is black."""
    from PIL import ImageOps

    box = image.convert("L").point(lambda value: 255 * (value > DARK)).getbbox()
    return ImageOps.pad(image.crop(box), (size, size))
