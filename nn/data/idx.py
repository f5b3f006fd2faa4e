"""The IDX format of the MNIST files, read with suspicion.

Layout, big-endian: two zero bytes, a byte for the dtype, a byte for the number of axes, one uint32 for the length of
each axis, then the values in C order. Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from tensorgrad.errors import restate

from .files import DataFileError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array in an IDX file, in the machine's byte order; gzipped or not, as its first bytes tell.

    Raises:
        DataFileError: a file that can't be read, isn't IDX, or is shorter or longer than its header says; the message
            names the file, what was found and what was expected.
    """
    path = Path(path)
    content = _read_bytes(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise _error(path, f"it begins with {_hex(content[:4])}", "two zero bytes, a dtype code and the number of axes")
    code, ndim = content[2], content[3]
    if code not in DTYPES:
        raise _error(path, f"its dtype code is 0x{code:02x}", f"one of {', '.join(f'0x{c:02x}' for c in DTYPES)}")
    start = 4 + 4 * ndim
    if len(content) < start:
        raise _error(path, f"its header ends after {len(content)} bytes", f"{start} bytes for {ndim} axes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    dtype = np.dtype(DTYPES[code])
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if found != expected:
        excess = f"{expected - found} too few" if found < expected else f"{found - expected} too many"
        problem = f"{found} bytes of values follow its header, {excess}"
        raise _error(path, problem, f"{expected} bytes for shape {shape} {dtype.name}")
    return _reshape(path, np.frombuffer(content, dtype, offset=start), shape)


def _read_bytes(path: Path) -> bytes:
    """The whole file, unzipped where it is gzipped."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except FileNotFoundError:
        raise _error(path, "there is no such file", "an IDX file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _error(path, f"its gzip stream is damaged ({error})", "a whole gzip file") from None
    except OSError as error:
        raise _error(path, f"it can't be read ({error})", "a readable file") from None


def _reshape(path: Path, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A writable array in native byte order: values (n,) -> shape."""
    try:
        return values.astype(values.dtype.newbyteorder("=")).reshape(shape)
    except ValueError as error:  # more axes than NumPy has, or an axis of length 0 beside enormous ones
        raise _error(path, f"NumPy has no array of shape {shape} ({error})", "a shape that fits in memory") from None


def _error(path: Path, problem: str, expected: str) -> DataFileError:
    fix = "check the path, or delete the file and fetch it again"
    return DataFileError(restate("read_idx", f"{path} is no whole IDX file: {problem}", expected=expected, fix=fix))


def _hex(content: bytes) -> str:
    return f"the bytes {content.hex(' ')}" if content else "nothing: the file is empty"
