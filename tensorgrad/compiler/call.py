"""The arguments of a call: its tensors, and a key that is the same for all calls that one program can serve."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import default_float
from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd import modes
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.guards.exact import EQUAL, plain_key
from tensorgrad.ops.operands import as_tensor


class Identity:
    """A key that equals only the key of the same object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value


class Call:
    """The arguments of a call.

    Args:
        args, kwargs: as they were given.
        ordered: whether the order of keyword arguments matters.

    Attributes:
        args, kwargs: the same, with tensors in place of ndarrays.
        inputs: the tensors, each once.
        kind: a hashable key. Two calls have the same one if these agree: the structure of the arguments; types and
            bits of plain values; shape, dtype, `requires_grad` and contiguity of each tensor; which arguments are one
            tensor, and which tensors share an array; whether gradients are enabled, the default dtype, and the
            generator of random numbers.
        objects: the arguments that `kind` compares by identity, since they are neither tensors nor plain values.
    """

    __slots__ = ("_kinds", "_ordered", "_places", "args", "inputs", "kind", "kwargs", "objects")

    def __init__(self, args: tuple, kwargs: dict[str, Any], ordered: bool = True) -> None:
        self.inputs: list[Variable] = []
        self.objects: list[Any] = []
        self._places: dict[int, int] = {}  # the position of each tensor in `inputs`, by the tensor's identity
        self._kinds: list[Any] = [modes.is_grad_enabled(), default_float(), default_generator()]
        self._ordered = ordered
        self.args = tuple([self._take(value) for value in args])
        if kwargs:
            names = kwargs if ordered else sorted(kwargs)
            self._kinds.extend(names)
            kwargs = {name: self._take(kwargs[name]) for name in names}
        self.kwargs = kwargs
        if len(self.inputs) > 1:
            self._kinds.append(self._shared_arrays())
        self.kind = tuple(self._kinds)

    def changed(self) -> bool:
        """Whether the function has changed its arguments: a list that it appended to, for example."""
        now = Call(self.args, self.kwargs, self._ordered)
        return now.kind != self.kind or any(a is not b for a, b in zip(now.inputs, self.inputs, strict=True))

    def _take(self, value: Any) -> Any:
        """Add an argument to the key; returns it with tensors in place of ndarrays."""
        if isinstance(value, np.ndarray):
            value = as_tensor(value)
        if isinstance(value, Variable):
            self._take_tensor(value)
            return value
        kind = type(value)
        if kind in EQUAL:
            self._kinds.append((kind, value))  # with the type, since 1 == 1.0 == True
        elif (key := plain_key(value)) is not None:
            self._kinds.append(key)
        elif kind in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return self._take_sequence(value)
        elif kind is dict and all(plain_key(key) is not None for key in value):
            return self._take_dict(value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type) and hasattr(value, "__dict__"):
            self._take_object(kind)
            self._kinds.extend(vars(value))
            for part in vars(value).values():
                # The dataclass is passed on as it is, so an ndarray in it can't become a tensor.
                (self._take_object if isinstance(part, np.ndarray) else self._take)(part)
        else:
            self._take_object(value)
        return value

    def _take_tensor(self, value: Variable) -> None:
        place = self._places.setdefault(id(value), len(self.inputs))
        if place < len(self.inputs):
            self._kinds.append(("again", place))
            return
        self.inputs.append(value)
        array = value._data
        # What a backward() inside the function does at this tensor: it ends there if that is a leaf, and runs hooks.
        needs = value._requires_grad and (
            value._node is None,
            bool(value._hooks),
            bool(getattr(value, "_after_backward", None)),
        )
        # The layout matters, since `contiguous()` copies or doesn't, and `is_contiguous()` may be branched on.
        self._kinds.append((type(value), array.shape, array.dtype, array.flags.c_contiguous, needs))

    def _take_object(self, value: Any) -> None:
        """Add an object to the key by its identity."""
        self.objects.append(value)
        self._kinds.append(Identity(value))

    def _take_sequence(self, value: Any) -> Any:
        kind = type(value)
        self._kinds.append((kind, len(value)))
        if kind not in (list, tuple):
            self._take_object(kind)
        parts = [self._take(part) for part in value]
        if not _replaced(parts, value):
            return value
        return kind(parts) if kind in (list, tuple) else kind(*parts)

    def _take_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        self._kinds.append((dict, tuple(map(plain_key, value))))
        parts = {key: self._take(part) for key, part in value.items()}
        return parts if _replaced(parts.values(), value.values()) else value

    def _shared_arrays(self) -> tuple[int, ...] | None:
        """Per input, the first input with the same array; None if each has an array of its own."""
        arrays = [id(tensor._data) for tensor in self.inputs]
        return None if len(set(arrays)) == len(arrays) else tuple(map(arrays.index, arrays))


def _replaced(parts: Iterable[Any], values: Iterable[Any]) -> bool:
    return any(part is not value for part, value in zip(parts, values, strict=True))
