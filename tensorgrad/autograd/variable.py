"""Variable, an array in a graph: what an op takes and gives. `Tensor` derives from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from tensorgrad.autograd.node import Node
    from tensorgrad.autograd.versions import Aliases, Version

Hook = Callable[["Variable"], "Variable | None"]


class Variable:
    """An array in a graph: its data, its gradient, and the node that made it. `Tensor` adds operators and methods."""

    # `_applied` is unset but for gradients that a step has applied: see applied.py. `_after_backward` is unset but for
    # leaves with such hooks.
    __slots__ = (
        "__weakref__",
        "_after_backward",
        "_aliases",
        "_applied",
        "_data",
        "_grad",
        "_hooks",
        "_node",
        "_requires_grad",
        "_version",
        "name",
    )
    _applied: Any
    _after_backward: dict[int, Callable[[], None]]

    def __init__(self, data: np.ndarray, requires_grad: bool = False, node: Node | None = None) -> None:
        self._data = data
        self._requires_grad = requires_grad
        self._node = node
        self._version: Version | None = None  # until something asks for it
        self._aliases: Aliases | None = None  # until it shares its memory
        self._hooks: dict[int, Hook] | None = None
        self._grad: Variable | None = None  # `Tensor.grad` reads it for users
        self.name: str | None = None


V = TypeVar("V", bound=Variable)

result_class: type[Variable] = Variable
"""The class of what ops return."""

_new = object.__new__


def results_are(cls: type[V]) -> type[V]:
    """Class decorator: ops return instances of this class. `Tensor` imports this module, so it registers itself."""
    global result_class
    result_class = cls
    return cls


def wrap(array: np.ndarray, requires_grad: bool = False, node: Node | None = None) -> Any:
    """A tensor around an array as it is, unchecked: what the engine and the ops make results with."""
    # What Variable.__init__ does, without the call: this runs once per op.
    tensor = _new(result_class)
    tensor._data = array
    tensor._requires_grad = requires_grad
    tensor._node = node
    tensor._version = tensor._aliases = tensor._hooks = tensor._grad = tensor.name = None
    return tensor
