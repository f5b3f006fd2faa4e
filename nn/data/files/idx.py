"""The IDX format of the MNIST files, with checks of everything that is read.

Layout, big-endian: two zero bytes, a byte for the dtype, a byte for the number of axes, one uint32 for the length of
each axis, then the values in C order. Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
digits", section "File formats".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path

import numpy as np

from tensorgrad.errors import restate
from tensorgrad.nn.data.files.locate import DataFileError, reading
from tensorgrad.storage import as_path, check_regular

DEFLATE = 1032
"""The largest compression ratio of gzip: 258 equal bytes in two bits."""

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, gzipped or not, in native byte order.

    Args:
        path: the file.

    Raises:
        DataFileError: the file can't be read, isn't IDX, or is shorter or longer than its header says.
        DTypeError: `path` is neither text nor a path object.
    """
    path = Path(as_path("read_idx", path))
    with reading("read_idx", path, "an IDX file"):
        try:
            size = check_regular(path)
            with path.open("rb") as file:
                if file.read(2) != b"\x1f\x8b":
                    file.seek(0)
                    return _parse(path, file, size)
                file.seek(0)
                with gzip.GzipFile(fileobj=file) as stream:
                    return _parse(path, stream, size * DEFLATE, zipped=True)
        except FileNotFoundError:
            raise _error(path, "the file doesn't exist", "an IDX file") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _error(path, f"its gzip stream is damaged ({error})", "a whole gzip file") from None


def _parse(path: Path, stream: io.BufferedIOBase, size: int, zipped: bool = False) -> np.ndarray:
    """The array in a stream of `size` bytes, or at most `size` bytes if it is zipped.

    The size in the header is checked before memory is allocated, and at most one byte more is read.
    """
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise _error(path, f"it begins with {_hex(head)}", "two zero bytes, a dtype code and the number of axes")
    code, ndim = head[2:]
    if code not in DTYPES:
        raise _error(path, f"its dtype code is 0x{code:02x}", f"one of {', '.join(f'0x{c:02x}' for c in DTYPES)}")
    head += stream.read(4 * ndim)
    if len(head) < 4 + 4 * ndim:
        raise _error(path, f"its header ends after {len(head)} bytes", f"{4 + 4 * ndim} bytes for {ndim} axes")
    shape = tuple(int(n) for n in np.frombuffer(head, ">u4", ndim, offset=4))
    dtype, found = np.dtype(DTYPES[code]), size - len(head)
    expected = math.prod(shape) * dtype.itemsize
    wanted = f"{expected} bytes for shape {shape} {dtype.name}"
    if zipped and expected > size:
        raise _error(path, f"a gzip file of {size // DEFLATE} bytes can't hold so many values", wanted)
    if not zipped and found != expected:
        excess = f"{expected - found} too few" if found < expected else f"{found - expected} too many"
        raise _error(path, f"{found} bytes of values follow its header, {excess}", wanted)
    values = np.empty(expected, np.uint8)
    filled = _fill(values, stream)
    if filled < expected or stream.read(1):
        excess = f"only {filled}" if filled < expected else "more"
        raise _error(path, f"{excess} bytes of values follow its header", wanted)
    return _reshape(path, values.view(dtype), shape)


def _fill(values: np.ndarray, stream: io.BufferedIOBase) -> int:
    """Read bytes into `values` (n,) until it is full or the stream ends; return the number of bytes."""
    filled = 0
    while filled < len(values) and (count := stream.readinto(values[filled:].data)):
        filled += count
    return filled


def _reshape(path: Path, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A writable array in native byte order: values (n,) -> shape."""
    try:
        return values.astype(values.dtype.newbyteorder("="), copy=False).reshape(shape)
    except ValueError as error:  # more axes than NumPy has, or an axis of length 0 beside enormous ones
        raise _error(path, f"NumPy has no array of shape {shape} ({error})", "a shape that fits in memory") from None


def _error(path: Path, problem: str, expected: str) -> DataFileError:
    problem = f"{path} isn't a complete IDX file: {problem}"
    fix = "check the path, or delete the file and download it again"
    return DataFileError(restate("read_idx", problem, expected=expected, fix=fix))


def _hex(content: bytes) -> str:
    return f"the bytes {content.hex(' ')}" if content else "nothing: the file is empty"
