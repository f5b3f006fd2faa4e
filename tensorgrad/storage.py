"""Tensors in safetensors files: read by every library, never executed, whole or not there at all.

The format: https://github.com/huggingface/safetensors, a JSON header and the raw bytes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.arrays import as_array
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

    arrays = _arrays(tensors)
    metadata = _text(metadata)
    try:
        content = serialized(arrays, metadata)
    except SafetensorError as error:
        raise StorageError(restate("save", f"this can't be stored: {error}", tensors=list(arrays))) from None
    try:
        _write_whole(Path(os.path.realpath(path)), content)
    except OSError as error:
        fix = "create the folder first" if isinstance(error, FileNotFoundError) else ""
        raise StorageError(restate("save", f"the file can't be written: {error}", fix=fix, path=str(path))) from error


def load(path: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, in memory of their own.

    Raises:
        StorageError: no such file, or one that isn't a whole safetensors file of dtypes that NumPy has.
    """
    tensors = _open("load", path)[0]
    return {name: Tensor(array) for name, array in tensors.items()}


def load_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The metadata of a safetensors file, text by name; the tensors aren't read. Raises StorageError as `load` does."""
    return _open("load_metadata", path, tensors=False)[1]


def _open(call: str, path: str | os.PathLike, tensors: bool = True) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118 - no dict
            return arrays, file.metadata() or {}
    except OSError as error:
        raise StorageError(restate(call, f"the file can't be read: {error}", path=str(path))) from error
    except SafetensorError as error:
        raise StorageError(restate(call, f"no whole safetensors file: {error}", path=str(path))) from None
    except (TypeError, AttributeError) as error:  # how safetensors meets bfloat16 and the like
        problem, fix = f"a dtype that NumPy lacks: {error}", "save it anew with another dtype, such as float32"
        raise StorageError(restate(call, problem, fix=fix, path=str(path))) from None


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


def _write_whole(path: Path, content: bytes) -> None:
    """Write under another name, wait for the disk, and rename: the name never stands for half a file."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
