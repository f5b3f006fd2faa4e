"""A file, or a model in memory, as a checked record."""

from __future__ import annotations

import os
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.onnx.reading.errors import OnnxError, all_at_once, only_onnx_errors, onnx_package
from tensorgrad.onnx.reading.graph import Model, Reader
from tensorgrad.onnx.reading.tensors import Source
from tensorgrad.storage import as_path, check_regular


def read(call: str, path: Any, max_bytes: int) -> tuple[Model, list[str]]:
    """The record of a model, and what of it can't be read.

    Args:
        call: the function that was called.
        path: a file, or a model in memory: an `onnx.ModelProto`, or its bytes.
        max_bytes: the most bytes that the file, and all its tensors together, may have.

    Raises:
        ArgumentError: max_bytes isn't a number of bytes.
        OnnxError: a file that is missing, too large, or isn't one of ONNX.
    """
    package = onnx_package(call)
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 0:
        raise ArgumentError(restate(call, f"max_bytes must be an int ≥ 0, got {max_bytes!r}"))
    if isinstance(path, package.ModelProto):
        proto, source = path, Source(None, max_bytes)
    elif isinstance(path, bytes):
        proto, source = _parsed(call, package, path, "the bytes"), Source(None, max_bytes)
    else:
        name = as_path(call, path)
        content = _content(call, name, max_bytes)
        proto, source = _parsed(call, package, content, name), Source(os.path.dirname(name) or ".", max_bytes)
    if not proto.HasField("graph") or not proto.opset_import:
        raise OnnxError(f"{call}: this isn't an ONNX model: it holds no graph, or no version of its ops")
    reader = Reader(source)
    with only_onnx_errors(call, "reading the model"):
        return reader.model(proto), reader.problems


def _content(call: str, path: str, max_bytes: int) -> bytes:
    try:
        size = check_regular(path)
        if size <= max_bytes:
            with open(path, "rb") as file:
                return file.read(max_bytes)
    except (OSError, ValueError) as error:
        raise OnnxError(f"{call}: the file can't be read: {error}\n  path: {path}") from error
    problem = f"the file has {size:,} bytes, more than max_bytes = {max_bytes:,}"
    raise all_at_once(call, problem, [path], fix=f"load(path, max_bytes={size}) if you trust it")


def _parsed(call: str, package: Any, content: bytes, what: str) -> Any:
    proto = package.ModelProto()
    try:
        proto.ParseFromString(content)
    except Exception as error:  # protobuf's own error class depends on its implementation
        raise OnnxError(f"{call}: {what} isn't an ONNX model: {error}") from error
    return proto
