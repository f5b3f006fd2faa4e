"""Tensors of a file as arrays: sizes are checked against the bytes that are there before anything is allocated."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.onnx.reading.errors import OnnxError

DTYPES: dict[int, np.dtype] = {
    code: np.dtype(name)
    for code, name in {
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
        10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    }.items()
}  # fmt: skip
"""By ONNX's number of a dtype."""

CODES = {dtype: code for code, dtype in DTYPES.items()}
NAMES = {8: "string", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8", 18: "float8", 19: "float8"}
NAMES |= {20: "float8", 21: "uint4", 22: "int4", 23: "float4", 24: "float8", 25: "uint2", 26: "int2"}

FIELDS = {"float32": "float_data", "float64": "double_data", "int64": "int64_data"}
FIELDS |= {"uint32": "uint64_data", "uint64": "uint64_data"}
"""Where numbers of a dtype stand if they aren't raw bytes; all others stand in int32_data."""


@dataclass
class Source:
    """Where the data of a model may lie: its folder (None for a model in memory), and how many bytes are allowed."""

    folder: str | None
    max_bytes: int
    taken: int = 0

    def take(self, what: str, size: int) -> None:
        """Count `size` more bytes. Raises OnnxError where all tensors together have more than `max_bytes`."""
        self.taken += size
        if self.taken > self.max_bytes:
            fix = "load(..., max_bytes=...) allows more"
            raise OnnxError(f"{what}: with it the tensors exceed {self.max_bytes:,} bytes\n  fix: {fix}")


def dtype_of(code: int, what: str) -> np.dtype:
    """NumPy's dtype for ONNX's number. Raises OnnxError for strings, complex, quantized and 8-bit floats."""
    if code not in DTYPES:
        raise OnnxError(f"{what}: dtype {NAMES.get(code, code)} isn't one of tensorgrad's")
    return DTYPES[code]


def array_of(proto: Any, source: Source) -> np.ndarray:
    """The array of a TensorProto, in memory of its own.

    Raises:
        OnnxError: a dtype that tensorgrad lacks, sizes that don't fit the data, external data outside of the folder.
    """
    what = f"tensor {proto.name!r}"
    dtype, shape = dtype_of(proto.data_type, what), tuple(proto.dims)
    if len(shape) > 32 or any(n < 0 for n in shape):
        raise OnnxError(f"{what}: no array has the shape {shape[:40]}")
    size = math.prod(shape)
    source.take(what, size * dtype.itemsize)
    if proto.data_location == proto.EXTERNAL:
        return _from_bytes(what, _external(what, proto, size * dtype.itemsize, source), dtype, shape)
    if proto.HasField("raw_data"):
        return _from_bytes(what, proto.raw_data, dtype, shape)
    return _from_numbers(what, getattr(proto, FIELDS.get(dtype.name, "int32_data")), dtype, shape)


def _from_bytes(what: str, raw: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise OnnxError(
            f"{what}: shape {shape} of {dtype} needs {math.prod(shape) * dtype.itemsize} bytes, got {len(raw)}"
        )
    if dtype == np.bool_:
        return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def _from_numbers(what: str, numbers: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if len(numbers) != math.prod(shape):
        raise OnnxError(f"{what}: shape {shape} needs {math.prod(shape)} numbers, got {len(numbers)}")
    if dtype == np.float16:  # stored as bits
        bits = np.array(numbers, np.int64)
        if bits.size and (bits.min() < 0 or bits.max() > 0xFFFF):
            raise OnnxError(f"{what}: numbers that aren't 16 bits")
        return bits.astype(np.uint16).view(np.float16).reshape(shape)
    return np.array(numbers).astype(dtype).reshape(shape)


def _external(what: str, proto: Any, size: int, source: Source) -> bytes:
    """The bytes of a tensor in another file, which lies in the model's folder: no path and no link leads out of it."""
    entries = {entry.key: entry.value for entry in proto.external_data}
    location, problem = entries.get("location", ""), "is no file in the model's folder"
    if not isinstance(location, str):
        raise OnnxError(f"{what}: external data {location!r} {problem}")
    if source.folder is None or not location or "\0" in location:
        raise OnnxError(f"{what}: its data lie in a file {location!r}, and the model has no folder")
    folder = os.path.realpath(source.folder)
    path = os.path.realpath(os.path.join(folder, location))
    if (
        os.path.isabs(location)
        or ".." in location.replace("\\", "/").split("/")
        or not path.startswith(folder + os.sep)
    ):
        raise OnnxError(f"{what}: external data {location!r} {problem}")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or size)
        if os.path.isfile(path) and offset >= 0 and length == size and offset + size <= os.path.getsize(path):
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(size)
    except (OSError, ValueError) as error:
        raise OnnxError(f"{what}: external data {location!r} can't be read: {error}") from error
    raise OnnxError(f"{what}: external data {location!r} {problem} with {size} bytes at {offset}")
