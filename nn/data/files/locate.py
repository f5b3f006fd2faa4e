"""Find data files, and the errors for missing ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorgrad.errors import TensorgradError, restate
from tensorgrad.storage import as_path

VARIABLE = "TENSORGRAD_DATA"


class DataFileError(TensorgradError, OSError):
    """A data file that is missing, damaged, or can't be downloaded."""


@contextmanager
def reading(call: str, path: str | os.PathLike[str], expected: str = "", fix: str = "") -> Iterator[None]:
    """Within, raise every error as a DataFileError that names the file: readers of damaged files may raise anything.

    Errors that tensorgrad raised itself stay as they are.
    """
    try:
        yield
    except TensorgradError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise DataFileError(restate(call, f"{path} can't be read: {reason}", expected=expected, fix=fix)) from error


def search_folders(root: str | os.PathLike[str] | None, name: str) -> list[Path]:
    """The folders of the data set `name`: `root`, or else $TENSORGRAD_DATA, and the folder `name` in it."""
    given = root if root is not None else os.environ.get(VARIABLE) or None
    if given is None:
        return []
    base = as_folder(name, given)
    return [base, base / name]


def find_file(folders: Iterable[Path], names: Iterable[str]) -> Path | None:
    """The first file with one of the names in one of the folders, or None."""
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if os.path.isfile(path)), None)


def as_folder(call: str, root: str | os.PathLike[str]) -> Path:
    """The path, with ~ expanded. Raises DTypeError if `root` is neither text nor a path object."""
    return Path(os.path.expanduser(as_path(call, root)))
