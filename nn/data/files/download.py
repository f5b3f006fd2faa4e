"""Downloads: mirrors tried in order, checksums, atomic writes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorgrad.errors import require, restate
from tensorgrad.nn.data.files.locate import VARIABLE, DataFileError
from tensorgrad.system.console import is_terminal

LARGEST = 1 << 28  # bytes of a download, far more than any file has
TIMEOUT = 20  # seconds without an answer before the next mirror is tried


def cache_folder(call: str, name: str) -> Path:
    """The folder of the data set `name` in the user's cache folder."""
    return Path(require(call, "pooch").os_cache("tensorgrad")) / name


def fetch(call: str, name: str, checksum: str, mirrors: Sequence[str], folder: Path) -> Path:
    """Download the file `name` into `folder` from the first mirror that has it, and return its path.

    The bytes go to a temporary file in the same folder, which is renamed when its checksum is right (a SHA-256, or
    after "md5:" an MD5): a file called `name` is always complete. A terminal shows a progress bar, other outputs get
    one line per file.

    Raises:
        DataFileError: all mirrors failed. The message has the reason for each, and where to put the file by hand.
        MissingPackageError: pooch isn't installed.
    """
    pooch = require(call, "pooch")
    plain = pooch.HTTPDownloader(progressbar=is_terminal(sys.stderr), chunk_size=1 << 16, timeout=TIMEOUT)

    def bounded(url: str, output: str, pooch_: Any) -> None:
        with _Bounded(output) as file:
            plain(url, file, pooch_)

    known_hash = checksum if ":" in checksum else f"sha256:{checksum}"
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        try:
            return Path(
                pooch.retrieve(
                    url,
                    checksum if ":" in checksum else f"sha256:{checksum}",
                    fname=name,
                    path=folder,
                    downloader=bounded,
                )
            )
        except Exception as error:  # no route, a refusal, a time-out, another checksum, too many bytes
            failures.append(f"{url}\n      {_first_line(error)}")
    tried = "\n    ".join(failures) or "no mirror was given"
    problem = f"{name} could not be downloaded from any mirror:\n    {tried}"
    fix = f"get {name} by other means and put it into {folder}, or into a folder that the variable {VARIABLE} names"
    expected = f"a file with {known_hash.replace('sha256:', 'SHA-256 ').replace('md5:', 'MD5 ')}"
    raise DataFileError(restate(call, problem, expected=expected, fix=fix))


class _Bounded(io.BufferedWriter):
    """A file that accepts at most `LARGEST` bytes, whatever a mirror sends."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._written = 0

    def write(self, content: Any) -> int:
        """Write; raises ValueError beyond `LARGEST` bytes."""
        self._written += len(content)
        if self._written > LARGEST:
            raise ValueError(f"the mirror sent more than {LARGEST:,} bytes")
        return super().write(content)


def _first_line(error: Exception) -> str:
    """The error in one line of bounded length: messages of network libraries have many lines."""
    line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:300]}"
