"""Writes a page to a file, or its play as an animated picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.storage import write_file


def save(call: str, path: str | Path, page: Callable[[], str], play: Callable[[BinaryIO], None]) -> Path:
    """Write a file in the format of its suffix, `.html` or `.gif`; returns the path.

    Args:
        call: the user's, for errors.
        path: where to write.
        page: makes the page.
        play: writes the animated picture into a stream.

    Raises:
        ArgumentError: another suffix.
        ImportError: Pillow isn't installed, for `.gif`.
        StorageError: the file can't be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".html":
        content = page().encode()
    elif suffix == ".gif":
        stream = io.BytesIO()
        play(stream)
        content = stream.getvalue()
    else:
        problem = f"path must end in .html or .gif, got {path.suffix!r}"
        raise ArgumentError(restate(call, problem, path=str(path)))
    write_file(call, path, content, folders=True)
    return path
