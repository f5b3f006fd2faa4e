"""The arguments of a call: its tensors, and a key for its kind."""

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
        kind: a key that other calls have if their plain values have the same types and bits, their structures and the
            shapes, dtypes and `requires_grad` of their tensors are alike, the same tensors are contiguous, and the
            same arguments are one tensor; and the random numbers come from the same generator.
        objects: arguments that are compared by identity, not by value.
    """

    __slots__ = ("_kinds", "_ordered", "_places", "args", "inputs", "kind", "kwargs", "objects")

    def __init__(self, args: tuple, kwargs: dict[str, Any], ordered: bool = True) -> None:
        self.inputs: list[Variable] = []
        self.objects: list[Any] = []
        self._places: dict[int, int] = {}  # of inputs, by identity
        self._kinds: list[Any] = [modes.is_grad_enabled(), default_float(), Identity(default_generator())]
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
        """Whether the arguments, or structures among them, have changed."""
        now = Call(self.args, self.kwargs, self._ordered)
        return now.kind != self.kind or any(a is not b for a, b in zip(now.inputs, self.inputs, strict=True))

    def _take(self, value: Any) -> Any:
        """Note an argument; returns what the function is to be called with in its place."""
        kind = type(value)
        if isinstance(value, np.ndarray):
            value = as_tensor(value)
        if isinstance(value, Variable):
            self._take_tensor(value)
        elif kind in EQUAL:
            self._kinds.append((kind, value))  # 1, 1.0 and True are equal
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
        # A backward() inside ends at a leaf, and runs its hooks.
        after = bool(getattr(value, "_after_backward", None))
        needs = value._requires_grad and (value._node is None, bool(value._hooks), after)
        # `contiguous()` and `is_contiguous()` decide by the layout.
        self._kinds.append((type(value), array.shape, array.dtype, array.flags.c_contiguous, needs))

    def _take_object(self, value: Any) -> None:
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
        """Which inputs are one array."""
        arrays = [id(tensor._data) for tensor in self.inputs]
        return None if len(set(arrays)) == len(arrays) else tuple(map(arrays.index, arrays))


def _replaced(parts: Iterable[Any], values: Iterable[Any]) -> bool:
    return any(part is not value for part, value in zip(parts, values, strict=True))
