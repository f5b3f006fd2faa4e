"""Tensors in safetensors files, which many libraries read, and which are written atomically.

The format: https://github.com/huggingface/safetensors, a JSON header and the raw bytes. Reading executes nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeGuard

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from tensorgrad.arrays.dtypes import as_array, check_device
from tensorgrad.arrays.nesting import flattened, nested
from tensorgrad.errors import ArgumentError, DTypeError, TensorgradError, restate
from tensorgrad.ops.operands import flag
from tensorgrad.tensor import Tensor

NESTING = "tensorgrad.nesting"
"""The name of the metadata that says how the tensors of a file were nested."""


class StorageError(TensorgradError, OSError):
    """A file that is missing, damaged, or can't be written."""


def save(tensors: Any, path: str | os.PathLike[str] | IO[bytes], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name, such as `model.state_dict()`, or a whole checkpoint to a safetensors file.

    An existing file is replaced when the new one is complete and on disk, so it survives a crash.

    Args:
        tensors: Tensors or arrays by name, of any layout; they are stored in C order, little-endian. Or a checkpoint:
            dicts, lists and tuples of these and of numbers, text, bools and None; `load` returns what was saved.
        path: the file; its folder must exist. Or a file object to write bytes to, such as `io.BytesIO()`.
        metadata: text by name, for the header.

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

    file = path if _is_file(path, "write") else None
    name = "" if file is not None else as_path("save", path)
    metadata = _text(metadata)
    if _is_nested(tensors):
        arrays, text = flattened("save", tensors, _array_of)
        arrays, metadata = _arrays(arrays), {**(metadata or {}), NESTING: text}
    else:
        arrays = _arrays(tensors)
    try:
        content = serialized(arrays, metadata)
    except (SafetensorError, UnicodeError) as error:
        raise StorageError(restate("save", f"the tensors can't be stored: {error}", tensors=list(arrays))) from None
    if file is None:
        write_file("save", name, content)
        return
    with _only_bytes("save", file, "wb"):
        file.write(content)


def load(
    path: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """The tensors of a safetensors file by name, in memory of their own; or the checkpoint that `save` was given.

    Args:
        path: the file, or a file object, which is read to its end.
        map_location: a device, which must be the CPU; a function or dict is accepted.
        weights_only: accepted: reading executes nothing.
        mmap: accepted.

    Raises:
        StorageError: the file doesn't exist, isn't a complete safetensors file, or has a dtype that NumPy lacks. For a
            pickle of PyTorch the message shows how to convert it.
        DTypeError: `path` is neither text nor a path object, nor a file of bytes.

    >>> import tempfile, tensorgrad as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"w": tg.tensor([1.0, 2.0])}, f"{folder}/w.safetensors")
    ...     tg.load(f"{folder}/w.safetensors")
    {'w': tensor([1., 2.])}
    """
    for option, value in (("weights_only", weights_only), ("mmap", mmap)):
        if value is not None:
            flag("load", option, value)
    if map_location is not None and not callable(map_location) and not isinstance(map_location, Mapping):
        check_device("load", map_location)
    if _is_file(path, "read"):
        with _copied("load", path) as copy:
            return load(copy)
    name = as_path("load", path)
    arrays, metadata = read_file("load", name)
    tensors = {name: Tensor(array) for name, array in arrays.items()}
    if NESTING not in metadata:
        return tensors
    with _only_storage_errors("load", name):
        return nested(metadata[NESTING], tensors.__getitem__)


def _is_file(path: Any, method: str) -> TypeGuard[IO[bytes]]:
    """Whether `path` is a file object, and no name of a file."""
    return hasattr(path, method) and not isinstance(path, os.PathLike)


@contextmanager
def _copied(call: str, file: IO[bytes]) -> Iterator[str]:
    """The rest of a file object as a file of its own: safetensors checks a header against a file's length."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "copy.safetensors")
        with open(path, "wb") as copy, _only_bytes(call, file, "rb"):
            shutil.copyfileobj(file, copy)
        yield path


@contextmanager
def _only_bytes(call: str, file: object, mode: str) -> Iterator[None]:
    """Within, a file object of text raises a DTypeError that says how to open it."""
    try:
        yield
    except TypeError as error:
        fix = f'open(path, "{mode}")'
        raise DTypeError(restate(call, f"the file must be one of bytes: {error}", fix=fix, path=file)) from None


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a safetensors file, text by name, without reading the tensors. Raises as `load` does.

    >>> import tempfile, tensorgrad as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"w": tg.ones(2)}, f"{folder}/w.safetensors", metadata={"epoch": "3"})
    ...     tg.load_metadata(f"{folder}/w.safetensors")
    {'epoch': '3'}
    """
    return read_file("load_metadata", path, tensors=False)[1]


def read_file(
    call: str, path: str | os.PathLike[str], tensors: bool = True
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays, if `tensors`, and the metadata of a file. Raises as `load` does.

    safetensors checks the header against the file's length before it allocates: the arrays fill the file exactly,
    without overlap, so they never take more memory than the file has bytes.
    """
    from safetensors import safe_open

    path = as_path(call, path)
    with _only_storage_errors(call, path):
        check_regular(path)
        with safe_open(path, framework="np") as file:
            names = list(file.keys()) if tensors else []
            return {name: _tensor(file, name) for name in names}, file.metadata() or {}


@contextmanager
def _only_storage_errors(call: str, path: str) -> Iterator[None]:
    """Within, raise every error as a StorageError that names the file: a damaged file may cause any error."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        incomplete = f"the file isn't a complete safetensors file: {error}", ""
        raise _error(call, path, *(_foreign(path) or incomplete)) from None
    except OSError as error:
        raise _error(call, path, f"the file can't be read: {error}") from error
    except _MissingDtype as error:
        raise _error(call, path, str(error), "save it with another dtype, such as float32") from None
    except Exception as error:  # shapes that NumPy can't have, more bytes than there is memory, a null in the path, ...
        raise _error(call, path, f"the file can't be read: {type(error).__name__}: {error}") from error


def _error(call: str, path: str, problem: str, fix: str = "") -> StorageError:
    """An error with the complete path, whatever its length."""
    return StorageError(restate(call, f"{problem}\n  path: {path}", fix=fix))


def check_regular(path: str | os.PathLike[str]) -> int:
    """The size of a file in bytes. Raises OSError for folders, devices, and pipes, which would block."""
    facts = os.stat(path)
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError("it is a folder")
    if not stat.S_ISREG(facts.st_mode):
        raise OSError("it is a pipe, a socket or a device")
    return facts.st_size


# safetensors' names of the dtypes that NumPy has. Where a package adds others to NumPy, as ml_dtypes does bfloat16,
# safetensors makes arrays of them, which no op here can take.
DTYPES = frozenset(["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64"])


class _MissingDtype(Exception):
    """A tensor of the file has a dtype that NumPy lacks."""


def _tensor(file: Any, name: str) -> np.ndarray:
    """One array of an open file. Raises ValueError for bools that are neither 0 nor 1."""
    dtype = file.get_slice(name).get_dtype()
    if dtype not in DTYPES:
        raise _MissingDtype(f"NumPy lacks the dtype {dtype} of {name}")
    array = file.get_tensor(name)
    if array.dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name} must hold bools, but has bytes other than 0 and 1")
    return array


CONVERSION = """\
reading a pickle can run any program, so convert it once where PyTorch is installed:
    import torch, safetensors.torch
    state = torch.load({path!r}, map_location="cpu", weights_only=True)
    safetensors.torch.save_file({{k: v.clone() for k, v in state.items()}}, {target!r})
    (if `state` has more than tensors, save its dict of tensors, often state["state_dict"] or state["model"])"""


def _foreign(path: str) -> tuple[str, str] | None:
    """The problem and the fix for a file of another format, if its first bytes tell the format."""
    start = b""
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(300)
    conversion = CONVERSION.format(path=path, target=os.path.splitext(path)[0] + ".safetensors")
    if start.startswith(b"PK\x03\x04"):  # a zip file; at 26 the length of the first name in it, at 30 the name
        name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        if name.endswith(b".npy"):
            return "the file is NumPy's .npz, not safetensors", "np.load reads it: tg.save(dict(np.load(path)), ...)"
        return "the file is a zip file, as PyTorch's torch.save writes it, not safetensors", conversion
    if start.startswith(b"\x93NUMPY"):
        return "the file is NumPy's .npy, not safetensors", "numpy.load reads it: tg.tensor(numpy.load(path))"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (
            "the file is a pickle, as older versions of PyTorch's torch.save wrote it, not safetensors",
            conversion,
        )
    if start.startswith(b"\x89HDF"):
        return "the file is HDF5, not safetensors", "h5py reads it: save its arrays with tg.save"
    return None


def digest(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """The SHA-256, in hexadecimal, of the names, dtypes, shapes and bytes of arrays, and of text by name.

    >>> digest({"a": np.zeros(2)}, {}) == digest({"a": np.zeros(2)}, {})
    True
    >>> digest({"a": np.zeros(2)}, {}) == digest({"a": np.zeros((1, 2))}, {})
    False
    """
    sums = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(arrays):
        array = arrays[name]
        sums.update(repr((name, array.dtype.name, array.shape)).encode())
        sums.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sums.hexdigest()


def as_path(call: str, path: Any) -> str:
    """The path as text. Raises DTypeError if `path` is neither text nor a path object."""
    try:
        return os.fsdecode(path)
    except TypeError:
        problem = f"path must be text or a pathlib.Path, got {type(path).__name__}"
        raise DTypeError(restate(call, problem, path=path)) from None


def _array_of(value: Any) -> np.ndarray | None:
    return value.data if isinstance(value, Tensor) else value if isinstance(value, np.ndarray) else None


def _is_nested(value: Any) -> bool:
    """Whether a value is more than tensors by name: a dict that holds something else, or a list."""
    if not isinstance(value, Mapping):
        return isinstance(value, list | tuple | Tensor)
    plain = [isinstance(x, dict | list | tuple | str | int | float | None) for x in value.values()]
    return any(p and not isinstance(x, np.generic) for p, x in zip(plain, value.values(), strict=True)) or not all(
        isinstance(name, str) for name in value
    )


def _arrays(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of the tensors in C order: safetensors would write other layouts in the order of memory."""
    if not isinstance(tensors, Mapping) or not all(isinstance(name, str) for name in tensors):
        problem = "tensors must be a dict of Tensors or arrays by name, such as model.state_dict()"
        raise DTypeError(restate("save", problem, tensors=tensors))
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
        problem, fix = "metadata must be a dict of text by name", "convert other values to text: json.dumps(value)"
        raise DTypeError(restate("save", problem, fix=fix, metadata=metadata))
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
    """Write a temporary file, flush it to disk, and rename it to `path`, so that `path` is always complete.

    A process that is killed leaves its hidden temporary file behind. A process locks its file while it writes, so the
    next process that writes to `path` recognizes abandoned files, and removes them.
    """
    prefix = _temporary_prefix(path)
    _sweep(path.parent, prefix)
    temporary = path.with_name(prefix + uuid.uuid4().hex[:8])
    try:
        with _locked(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # Windows can't rename an open file
                temporary.replace(path)
        if fcntl is None:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_prefix(path: Path) -> str:
    """The prefix of the hidden temporary files that this machine writes for `path`."""
    of = hashlib.sha256(f"{platform.node()}\0{path.name}".encode(errors="surrogatepass")).hexdigest()[:8]
    return f".{path.name.encode(errors='ignore')[:80].decode(errors='ignore')}.{of}."


@contextmanager
def _locked(path: Path) -> Iterator[Any]:
    """A new file, open for writing, locked until it is closed or the process ends."""
    while True:
        with path.open("xb") as file:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks, where abandoned files stay
                    fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists():
                yield file
                return
        # Before it was locked, another process took it for an abandoned file and removed it: try again.


def _sweep(folder: Path, prefix: str) -> None:
    """Remove the hidden files with this prefix that no process has locked."""
    if fcntl is None:
        return
    with suppress(OSError):
        for name in [name for name in os.listdir(folder) if name.startswith(prefix)]:
            with suppress(OSError), (folder / name).open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / name).unlink()
