"""Read image files, and report those that are broken, missing, converted or without a label."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.arrays.dtypes import machine_memory
from tensorgrad.errors import ArgumentError, require, restate
from tensorgrad.nn.data.dataset import TensorDataset
from tensorgrad.nn.data.files.locate import DataFileError
from tensorgrad.storage import check_regular
from tensorgrad.system.console import printable, with_bar

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")  # for others Pillow may run programs, as for PostScript
MOST_PIXELS = 50_000_000  # of an image: decoding takes up to 600 MB of memory
MOST_BYTES = 8 * MOST_PIXELS  # of a file: four channels of 16 bits, not compressed
PHOTOMETRIC = 262  # the tag of a TIFF file that is 0 if 0 means white
NAMED = 5  # the number of files that a report names per kind of problem


@dataclass(frozen=True)
class ImageReport:
    """The result of reading a folder of image files; as text, a line per kind of problem.

    Attributes:
        folder: the folder.
        read: the number of images that were read and have a label.
        broken: files that couldn't be read, with the reason; too many pixels is one.
        missing: names that have a label but no file.
        unlabelled: files without a label.
        unclear: labels that can't be used, with the reason.
        converted: files whose image was converted, from 16 bits or from a transparent image.

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
    converted: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = {
            "broken": self.broken,
            "labelled, but missing": self.missing,
            "without a label": self.unlabelled,
            "with a label that can't be used": self.unclear,
            "converted": self.converted,
        }
        lines = [f"{self.folder}: {self.read:,} images read"]
        for kind, files in kinds.items():
            more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
            lines += [f"  {len(files):,} {kind}: {', '.join(files[:NAMED])}{more}"] if files else []
        return printable("\n".join(lines))  # names of files may hold anything


class ImageDataset(TensorDataset):
    """Images (N, 3, size, size) uint8 and labels (N,) int64, both in `arrays`, with their `files` and a `report`.

    For a network, `TransformDataset(dataset, Normalize())` converts them to float32 pixels in [0, 1].

    Args:
        images: the images.
        labels: the class index of each image.
        classes: the names of the classes.
        files: the name of each image's file.
        report: what was found while reading.
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
"""A function (image, size) that returns a square image, size × size."""


class Pictures(NamedTuple):
    """The images (N, 3, size, size) uint8, the index of each in the list of files, and the problems to report."""

    images: np.ndarray
    kept: list[int]
    broken: tuple[str, ...]
    converted: tuple[str, ...]


def read_images(call: str, files: Sequence[Path], size: int, fit: Fit | None = None) -> Pictures:
    """Read image files, without broken ones and those of more than `MOST_PIXELS`. A terminal shows a progress bar.

    Args:
        call: the call, for errors.
        files: the files to read.
        size: the pixels of a side.
        fit: makes an image square; by default the middle square is cut out.

    Raises:
        ArgumentError: `size` isn't an int ≥ 1, or the images don't fit into memory.
        MissingPackageError: Pillow isn't installed.
    """
    _check_size(call, size, len(files))
    require(call, "PIL", "pillow")
    images = np.empty((len(files), 3, size, size), np.uint8)
    kept: list[int] = []
    broken: list[str] = []
    converted: list[str] = []
    for k, path in enumerate(with_bar(files, "reading images")):
        try:
            with warnings.catch_warnings(action="ignore"):  # the report has them
                images[len(kept)], notes = _read(path, size, fit or _middle)
            kept.append(k)
            converted += [f"{path.name}: {note}" for note in notes]
        except Exception as error:  # on damaged files decoders raise nearly anything
            reason = (str(error).splitlines() or [""])[0].replace(str(path), path.name)
            broken.append(f"{path.name}: {reason or type(error).__name__}")
    whole = images if len(kept) == len(files) else images[: len(kept)].copy()
    return Pictures(whole, kept, tuple(broken), tuple(converted))


def _check_size(call: str, size: int, count: int) -> None:
    """Raise ArgumentError unless `size` is an int ≥ 1 and `count` images of that size fit into memory."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ArgumentError(restate(call, f"size must be an int ≥ 1, the pixels of a side, got {size!r}", size=size))
    needed, there = count * 3 * size**2, machine_memory()
    if size**2 > MOST_PIXELS or needed > there:
        problem = f"{count:,} images of {size} × {size} pixels are too large: {needed / 2**30:,.1f} GiB"
        expected = f"sides of at most {math.isqrt(MOST_PIXELS):,} pixels, in all at most {there / 2**30:,.1f} GiB"
        raise ArgumentError(restate(call, problem, expected=expected, fix="pass a smaller size", size=size))


def check_any(call: str, report: ImageReport, expected: str) -> None:
    """Raise DataFileError, with the report, when nothing was read."""
    if not report.read:
        raise DataFileError(restate(call, f"no image could be read\n{report}", expected=expected))


def _read(path: Path, size: int, fit: Fit) -> tuple[np.ndarray, list[str]]:
    """The image as (3, size, size), and notes on how it was converted."""
    from PIL import Image, ImageOps

    Image.init()
    with Image.open(ImageFile(path), formats=[name for name in FORMATS if name in Image.OPEN]) as image:
        whole = image.size
        image.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at the smallest scale that is large enough
        # A progressive JPEG is decoded at full size first.
        if math.prod(whole if image.info.get("progressive") else image.size) > MOST_PIXELS:
            raise ValueError(f"{whole[0]} × {whole[1]} pixels, more than the {MOST_PIXELS:,} that are decoded")
        ImageOps.exif_transpose(image, in_place=True)
        eight_bit, notes = of_bytes(image)
        opaque, more = on_white(eight_bit)
        square = fit(opaque, size)
    # (H, W, 3) -> (3, H, W)
    return np.asarray(square, np.uint8).transpose(2, 0, 1), notes + more


class ImageFile(io.BytesIO):
    """A file in memory: reading more bytes than it has allocates no memory for them, unlike a file on disk."""

    def __init__(self, path: Path) -> None:
        if (size := check_regular(path)) > MOST_BYTES:
            raise ValueError(f"{size:,} bytes, more than an image of {MOST_PIXELS:,} pixels can have")
        super().__init__(path.read_bytes())
        self._name = path.name

    def __repr__(self) -> str:
        return repr(self._name)  # Pillow's errors show it


def of_bytes(image: Image) -> tuple[Image, list[str]]:
    """A grey image of 16 bits rounded to 8 (Pillow would clip at 255); other images unchanged."""
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image, []
    if not image.mode.startswith("I;16") and not (image.mode == "I" and image.format in ("PNG", "PPM")):
        raise ValueError("pixels of 32 bits, whose range is unknown: save it with 8 or 16 bits a channel")
    values = np.asarray(image).astype(np.uint32)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0:
        values = 65535 - values
    grey = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    key = image.info.get("transparency")  # the value that is transparent
    if key is not None:
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey, ["16 bits a pixel, rounded to 8"]


def on_white(image: Image) -> tuple[Image, list[str]]:
    """As RGB; a transparent image on a white background, against which a black figure is visible."""
    from PIL import Image

    if "transparency" not in image.info and not {"A", "a"} & set(image.getbands()):
        return image.convert("RGB"), []
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB"), []
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB"), ["transparent, laid on white"]


def _middle(image: Image, size: int) -> Image:
    from PIL import ImageOps

    return ImageOps.fit(image, (size, size))
