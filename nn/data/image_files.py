"""Pictures from files, and what became of each file: some are read, and some are broken, missing or without a label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, restate

from .dataset import TensorDataset
from .files import DataFileError, require

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
NAMED = 5  # of each kind of problem, so many files are named


@dataclass(frozen=True)
class ImageReport:
    """What was found in a folder of pictures; as text, a line per kind of problem.

    Attributes:
        folder: where.
        read: how many pictures were read and have a label.
        broken: files that no picture could be read from, with the reason.
        missing: names that have a label and no file.
        unlabelled: pictures without a label.
        unclear: labels that can't be used, with the reason.

    >>> print(ImageReport("eyes", read=97, broken=("a.png: truncated",), missing=("b", "c")))
    eyes: 97 images read
      1 broken: a.png: truncated
      2 labelled, but missing: b, c
    """

    folder: str
    read: int
    broken: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = {
            "broken": self.broken,
            "labelled, but missing": self.missing,
            "without a label": self.unlabelled,
            "with a label that can't be used": self.unclear,
        }
        lines = [f"{self.folder}: {self.read:,} images read"]
        for kind, files in kinds.items():
            more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
            lines += [f"  {len(files):,} {kind}: {', '.join(files[:NAMED])}{more}"] if files else []
        return "\n".join(lines)


class ImageDataset(TensorDataset):
    """Images (N, 3, size, size) uint8 and labels (N,) int64, both in `arrays`; `files` names them, `report` tells more.

    For a network, `TransformDataset(dataset, Normalize())` makes float32 pixels in [0, 1] of them.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[str],
        files: Sequence[str],
        report: ImageReport,
    ) -> None:
        super().__init__(images, labels, classes=classes)
        self.files = tuple(files)
        self.report = report


Fit = Callable[["Image", int], "Image"]
"""What makes a square picture, size × size, of one of any form."""


def read_images(
    call: str, files: Sequence[Path], size: int, fit: Fit | None = None
) -> tuple[np.ndarray, list[int], list[str]]:
    """Read picture files as (N, 3, size, size) uint8; a broken one is left out.

    Args:
        call: who asks, for errors.
        files: what to read.
        size: the pixels of a side.
        fit: by default the middle square is cut out.

    Returns:
        The images, the index of each in `files`, and the broken files with their reasons. A terminal gets a bar.

    Raises:
        ArgumentError: no such size. MissingPackageError: Pillow isn't installed.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ArgumentError(restate(call, "no such size", expected="the pixels of a side, an int ≥ 1", size=size))
    require(call, "PIL", "pillow")
    from tqdm import tqdm

    images, kept, broken = [], [], []
    for k, path in enumerate(tqdm(files, "reading images", disable=None, leave=False)):
        try:
            images.append(_read(path, size, fit or _middle))
            kept.append(k)
        except Exception as error:  # on damaged files decoders raise nearly anything
            reason = (str(error).splitlines() or [""])[0].replace(str(path), path.name)
            broken.append(f"{path.name}: {reason or type(error).__name__}")
    # [(3, size, size), ...] -> (N, 3, size, size)
    return np.stack(images) if images else np.empty((0, 3, size, size), np.uint8), kept, broken


def check_any(call: str, report: ImageReport, expected: str) -> None:
    """Raise DataFileError, with the report, when nothing was read."""
    if not report.read:
        raise DataFileError(restate(call, f"no images are left\n{report}", expected=expected))


def _read(path: Path, size: int, fit: Fit) -> np.ndarray:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at the smallest scale that is large enough
        square = fit(ImageOps.exif_transpose(image).convert("RGB"), size)
    # (H, W, 3) -> (3, H, W)
    return np.asarray(square, np.uint8).transpose(2, 0, 1)


def _middle(image: Image, size: int) -> Image:
    from PIL import ImageOps

    return ImageOps.fit(image, (size, size))
