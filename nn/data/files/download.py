"""Downloads that are whole or not there at all: mirrors tried in turn, checksums, atomic writes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorgrad.errors import restate
from tensorgrad.nn.data.files.locate import VARIABLE, DataFileError, require
from tensorgrad.system.console import is_terminal

LARGEST = 1 << 28  # bytes: no file that is fetched comes near
TIMEOUT = 20  # seconds without an answer before the next mirror is tried


def cache_folder(call: str, name: str) -> Path:
    """The user's cache folder for the data set `name`, where the system keeps such things."""
    return Path(require(call, "pooch").os_cache("tensorgrad")) / name


def fetch(call: str, name: str, sha256: str, mirrors: Sequence[str], folder: Path) -> Path:
    """Download the file `name` into `folder` from the first mirror that has it whole, and return its path.

    The bytes go to a temporary file in the same folder, which takes its name only when its SHA-256 is right: a file of
    that name is never a half-written one. A terminal gets a progress bar, anything else one line per file.

    Raises:
        DataFileError: every mirror failed; with each one's reason, and where to put the file by hand.
        MissingPackageError: pooch isn't installed.
    """
    pooch = require(call, "pooch")
    plain = pooch.HTTPDownloader(progressbar=is_terminal(sys.stderr), chunk_size=1 << 16, timeout=TIMEOUT)

    def bounded(url: str, output: str, pooch_: Any) -> None:
        with _Bounded(output) as file:
            plain(url, file, pooch_)

    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        try:
            return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=folder, downloader=bounded))
        except Exception as error:  # no route, a refusal or a time-out; bytes with another checksum, or without end
            failures.append(f"{url}\n      {_first_line(error)}")
    tried = "\n    ".join(failures) or "no mirror was given"
    problem = f"no mirror gave a whole {name}:\n    {tried}"
    fix = f"get {name} by other means and put it into {folder}, or into a folder that the variable {VARIABLE} names"
    raise DataFileError(restate(call, problem, expected=f"a file with SHA-256 {sha256}", fix=fix))


class _Bounded(io.BufferedWriter):
    """A file that takes no more than `LARGEST` bytes, whatever a mirror sends."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._room = LARGEST

    def write(self, content: bytes) -> int:
        """Write, or raise ValueError where there is no end to it."""
        self._room -= len(content)
        if self._room < 0:
            raise ValueError(f"more than {LARGEST:,} bytes came")
        return super().write(content)


def _first_line(error: Exception) -> str:
    """What went wrong in one line of bounded length: network libraries nest their reasons many lines deep."""
    line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:300]}"
