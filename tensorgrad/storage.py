"""Tensors in safetensors files: read by every library, never executed, whole or not there at all.

The format: https://github.com/huggingface/safetensors, a JSON header and the raw bytes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.errors import ArgumentError, DTypeError, TensorgradError, restate
from tensorgrad.tensor import Tensor


class StorageError(TensorgradError, OSError):
    """A file that is missing, damaged, or can't be written."""


def save(tensors: Mapping[str, Any], path: str | os.PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name to a safetensors file, `model.state_dict()` for one.

    The file appears under its name when it is complete and on the disk: an earlier one survives a crash half-way.

    Args:
        tensors: Tensors or arrays by name, of any layout; they are stored in C order, little-endian.
        path: the file; its folder must exist.
        metadata: text by name, to go into the header.

    Raises:
        DTypeError: names or metadata that aren't text, values that aren't arrays of numbers.
        ArgumentError: the name `__metadata__`, which the format reserves.
        StorageError: the file can't be written.

    >>> import tempfile, tensorgrad as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"w": tg.tensor([1.0, 2.0])}, f"{folder}/w.safetensors")
    ...     tg.load(f"{folder}/w.safetensors")
    {'w': tensor([1., 2.])}
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save as serialized

    path = as_path("save", path)
    arrays = _arrays(tensors)
    metadata = _text(metadata)
    try:
        content = serialized(arrays, metadata)
    except (SafetensorError, UnicodeError) as error:
        raise StorageError(restate("save", f"this can't be stored: {error}", tensors=list(arrays))) from None
    write_file("save", path, content)


def load(path: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, in memory of their own.

    Raises:
        StorageError: no such file, or one that isn't a whole safetensors file of dtypes that NumPy has. PyTorch's
            pickles are recognized: the message shows how to convert one.
        DTypeError: a path that is neither text nor a path object.
    """
    tensors, _ = read_file("load", path)
    return {name: Tensor(array) for name, array in tensors.items()}


def load_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The metadata of a safetensors file, text by name; the tensors aren't read. Raises as `load` does."""
    return read_file("load_metadata", path, tensors=False)[1]


def read_file(call: str, path: str | os.PathLike, tensors: bool = True) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays, if `tensors`, and the metadata of a file, from one look at it; see `load` for what it raises.

    safetensors checks the header against the file's length before anything is allocated: the arrays fill the file
    exactly, without overlap, so they never take more memory than the file has bytes.
    """
    from safetensors import safe_open

    path = as_path(call, path)
    with _only_storage_errors(call, path):
        check_regular(path)
        with safe_open(path, framework="np") as file:
            names = list(file.keys()) if tensors else []
            return {name: _numbers(name, file.get_tensor(name)) for name in names}, file.metadata() or {}


@contextmanager
def _only_storage_errors(call: str, path: str) -> Iterator[None]:
    """Whatever goes wrong while a file is read is a StorageError that names it: its bytes can mean anything."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise _error(call, path, *(_foreign(path) or (f"no whole safetensors file: {error}", ""))) from None
    except OSError as error:
        raise _error(call, path, f"the file can't be read: {error}") from error
    except (TypeError, AttributeError) as error:  # how safetensors meets bfloat16 and the like
        problem, fix = f"a dtype that NumPy lacks: {error}", "save it anew with another dtype, such as float32"
        raise _error(call, path, problem, fix) from None
    except Exception as error:  # shapes that NumPy can't have, more bytes than there is memory, a null in the path, ...
        raise _error(call, path, f"the file can't be read: {type(error).__name__}: {error}") from error


def _error(call: str, path: str, problem: str, fix: str = "") -> StorageError:
    """An error with the whole path, however long."""
    return StorageError(restate(call, f"{problem}\n  path: {path}", fix=fix))


def check_regular(path: str | os.PathLike) -> int:
    """The size of a file in bytes. Raises OSError for anything that isn't a file: a pipe would be waited for."""
    facts = os.stat(path)
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError("it is a folder")
    if not stat.S_ISREG(facts.st_mode):
        raise OSError("it is a pipe, a socket or a device")
    return facts.st_size


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    """The array, if its bytes are values of its dtype, as those of any number are: a bool is 0 or 1."""
    if array.dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name} is said to hold bools, but holds other bytes than 0 and 1")
    return array


CONVERSION = """\
it is a pickle, which could run any program when it is read; convert it once where PyTorch is installed:
    import torch, safetensors.torch
    state = torch.load({path!r}, map_location="cpu", weights_only=True)
    safetensors.torch.save_file({{k: v.clone() for k, v in state.items()}}, {target!r})
    (where `state` holds more than tensors: the dict of tensors in it, often state["state_dict"] or state["model"])"""


def _foreign(path: str) -> tuple[str, str] | None:
    """What a file is that isn't safetensors', and what to do about it, if its first bytes tell."""
    start = b""
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(300)
    conversion = CONVERSION.format(path=path, target=os.path.splitext(path)[0] + ".safetensors")
    if start.startswith(b"PK\x03\x04"):  # a zip file; at 26 the length of the first name in it, at 30 the name
        name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        if name.endswith(b".npy"):
            return "this is NumPy's .npz, not a safetensors file", "np.load reads it: tg.save(dict(np.load(path)), ...)"
        return "this is a zip file, as PyTorch's torch.save writes it, not a safetensors file", conversion
    if start.startswith(b"\x93NUMPY"):
        return "this is NumPy's .npy, not a safetensors file", "numpy.load reads it: tg.tensor(numpy.load(path))"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (
            "this is a pickle, as older versions of PyTorch's torch.save wrote it, not a safetensors file",
            conversion,
        )
    if start.startswith(b"\x89HDF"):
        return "this is an HDF5 file, not a safetensors file", "h5py reads it: save its arrays with tg.save"
    return None


def digest(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """The SHA-256 of arrays and text by name, in hexadecimal: of names, dtypes, shapes, bytes, and nothing else.

    >>> digest({"a": np.zeros(2)}, {}) == digest({"a": np.zeros(2)}, {})
    True
    >>> digest({"a": np.zeros(2)}, {}) == digest({"a": np.zeros((1, 2))}, {})
    False
    """
    sums = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(arrays):
        array = arrays[name]
        sums.update(repr((name, array.dtype.name, array.shape)).encode())
        sums.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return sums.hexdigest()


def as_path(call: str, path: str | os.PathLike) -> str:
    """The path as text. Raises DTypeError for anything that names no file, such as a number."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise DTypeError(restate(call, "this is no path", expected="text, or a pathlib.Path", path=path)) from None


def _arrays(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays behind the tensors in C order: safetensors would write the memory of any other as it lies."""
    if not isinstance(tensors, Mapping) or not all(isinstance(name, str) for name in tensors):
        expected = "a dict of Tensors or arrays by name, such as model.state_dict()"
        raise DTypeError(restate("save", "these aren't tensors by name", expected=expected, tensors=tensors))
    if "__metadata__" in tensors:
        problem, fix = "the format reserves the name '__metadata__'", "choose another name"
        raise ArgumentError(restate("save", problem, fix=fix, tensors=list(tensors)))
    return {
        name: np.asarray(as_array(t.data if isinstance(t, Tensor) else t), order="C") for name, t in tensors.items()
    }


def _text(metadata: Mapping[str, str] | None) -> dict[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping) or not all(isinstance(s, str) for pair in metadata.items() for s in pair):
        expected, fix = "a dict of text by name", "turn other values into text, with json.dumps for one"
        raise DTypeError(restate("save", "the metadata isn't text", expected=expected, fix=fix, metadata=metadata))
    return dict(metadata)


def write_file(call: str, path: str | os.PathLike, content: bytes, folders: bool = False) -> None:
    """Write a file, which appears under its name when it is complete; with `folders`, make those that lack, too.

    Raises StorageError where it can't be written.
    """
    path = as_path(call, path)
    try:
        if folders:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(os.path.realpath(path)), content)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        fix = "create the folder first" if isinstance(error, FileNotFoundError) else ""
        raise _error(call, path, f"the file can't be written: {error}", fix) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write under another name, wait for the disk, and rename: the name never stands for half a file.

    A process that is killed leaves its hidden file behind. Each holds a lock on its own while it lives, so the next
    one that writes to `path` knows which are nobody's any more, and removes those.
    """
    prefix = _temporary_prefix(path)
    _sweep(path.parent, prefix)
    temporary = path.with_name(prefix + uuid.uuid4().hex[:8])
    try:
        with _locked(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # elsewhere an open file can't be renamed
                temporary.replace(path)
        if fcntl is None:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_prefix(path: Path) -> str:
    """How the hidden files begin that this machine writes in the place of `path`."""
    of = hashlib.sha256(f"{platform.node()}\0{path.name}".encode(errors="surrogatepass")).hexdigest()[:8]
    return f".{path.name.encode(errors='ignore')[:80].decode(errors='ignore')}.{of}."


@contextmanager
def _locked(path: Path) -> Iterator[Any]:
    """A new file, open for writing, that is locked until it is closed or its process ends."""
    while True:
        with path.open("xb") as file:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks, where nothing is ever swept
                    fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists():
                yield file
                return
        # Another process took it for a dead one's before it was locked, and has removed it.


def _sweep(folder: Path, prefix: str) -> None:
    """Remove the hidden files that begin so and that no living process has locked."""
    if fcntl is None:
        return
    with suppress(OSError):
        for name in [name for name in os.listdir(folder) if name.startswith(prefix)]:
            with suppress(OSError), (folder / name).open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / name).unlink()
