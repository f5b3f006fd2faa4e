"""The structure of a value that a compiled function returns: tuples, lists and dicts of tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.recording import Recording


class _Tensor:
    """Placeholder of a tensor in a returned value."""


def taken(value: Any, tensors: list[Variable], recording: Recording | None) -> Any:
    """The returned value with `_Tensor` in place of each tensor; the tensors are appended to `tensors`."""
    if isinstance(value, Variable):
        tensors.append(value)
        return _Tensor
    if type(value) in (tuple, list):
        return type(value)(taken(part, tensors, recording) for part in value)
    if type(value) is dict:
        return {key: taken(part, tensors, recording) for key, part in value.items()}
    if recording is not None and value is not None:
        recording.refuse(f"it returns a {type(value).__name__}, neither tensor, tuple, list nor dict")
    return value


def filled(structure: Any, tensors: Iterator[Variable]) -> Any:
    """The structure with tensors in their places again."""
    if structure is _Tensor:
        return next(tensors)
    if type(structure) in (tuple, list):
        return type(structure)(filled(part, tensors) for part in structure)
    if type(structure) is dict:
        return {key: filled(part, tensors) for key, part in structure.items()}
    return structure
