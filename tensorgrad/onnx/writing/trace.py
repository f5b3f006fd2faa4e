"""Tracing one forward pass: which ops ran on which tensors, and what happened beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.observer import Observer, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable


class Ref(NamedTuple):
    """An array in the parameters of an op that holds the values of a tensor: an index."""

    number: int


class Foreign(NamedTuple):
    """An array in the parameters of an op that no op made: random numbers, or computed from values of the input."""

    origin: str


class Call(NamedTuple):
    """One op: its parameters, the numbers of its inputs and of its output, and in which module it ran."""

    op: Op
    params: dict[str, Any]
    inputs: tuple[int, ...]
    output: int
    scope: str


class LayerCall(NamedTuple):
    """A layer that is written as one: the numbers of its inputs and outputs."""

    module: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scope: str


@dataclass
class Traced:
    """What a forward pass did. Tensors are numbered in the order in which they appear."""

    calls: list[Call | LayerCall] = field(default_factory=list)
    tensors: list[Variable] = field(default_factory=list)
    arrays: list[np.ndarray] = field(default_factory=list)
    """By number, the array at the time of its first appearance."""
    outputs: list[int] = field(default_factory=list)
    foreign: dict[int, str] = field(default_factory=dict)
    """Tensors that no op made: random numbers, and what code beside the ops computed from values of the input."""
    problems: list[str] = field(default_factory=list)


class Tracer(Observer):
    """Listens to a forward pass.

    Args:
        inputs: the tensors that the model is called with.
    """

    def __init__(self, inputs: list[Variable]) -> None:
        self.traced = Traced()
        self._numbers: dict[int, int] = {}
        self._derived: set[int] = set()
        self._views: set[int] = set()
        self._results: dict[int, tuple[np.ndarray, int | str]] = {}
        self._scopes: list[str] = []
        for x in inputs:
            self._derived.add(self.number(x))

    def number(self, x: Variable) -> int:
        """The number of a tensor; a new one if it hasn't appeared before."""
        known = self._numbers.get(id(x))
        if known is None:
            known = self._numbers[id(x)] = len(self.traced.tensors)
            self.traced.tensors.append(x)  # kept, so that its id stays its own
            self.traced.arrays.append(x._data)
            found = self._results.get(id(x._data))
            if found is not None and isinstance(found[1], str):
                self.traced.foreign[known] = found[1]
                self._derived.add(known)
        return known

    def scope_entered(self, scope: Scope) -> None:
        """A module is called."""
        self._scopes.append(scope.path)

    def scope_left(self, scope: Scope) -> None:
        """A module returned."""
        self._scopes.pop()

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """An op ran."""
        numbers = tuple(map(self.number, inputs))
        params = {name: self._noted(value) for name, value in op.params.items()}
        # A new tensor may have the id of one that is gone; those that are kept here can't be gone.
        self._numbers.pop(id(output), None)
        result = self.number(output)
        if not self._derived.isdisjoint(numbers) or any(isinstance(v, Ref) for v in _flat(params.values())):
            self._derived.add(result)
        if op.aliases:
            self._views |= {numbers[0]}
        self.traced.calls.append(Call(op, params, numbers, result, self._scopes[-1] if self._scopes else ""))

    def layer_ran(self, module: Any, start: int, inputs: list[Variable], outputs: list[Variable]) -> None:
        """A layer ran that is written as one, in place of the calls from `start` on."""
        del self.traced.calls[start:]
        numbers = tuple(map(self.number, inputs)), tuple(map(self.number, outputs))
        self.traced.calls.append(LayerCall(module, *numbers, self._scopes[-1] if self._scopes else ""))

    def _noted(self, value: Any) -> Any:
        """A parameter, in which an array that holds the values of a tensor is a reference to it."""
        if isinstance(value, np.ndarray):
            found = self._results.get(id(value))
            if found is None:
                return value
            return Ref(found[1]) if isinstance(found[1], int) else Foreign(found[1])
        if type(value) is tuple:
            return tuple([self._noted(v) for v in value])
        return value

    def host_call_finished(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], result: Any, effect: bool
    ) -> None:
        """Code beside the ops computed arrays."""
        if effect:
            return
        sources = {id(x._data): number for number, x in enumerate(self.traced.tensors)}
        used = [sources[id(a)] for a in arguments if isinstance(a, np.ndarray) and id(a) in sources]
        derived = [number for number in used if number in self._derived]
        known = [self._results[id(a)][1] for a in arguments if id(a) in self._results]
        origins = [origin for origin in known if isinstance(origin, str)]
        for array in result if isinstance(result, tuple) else (result,):
            if function is np.array and used:
                self._results[id(array)] = array, used[0]  # a copy of the tensor's values
            elif origins or any(isinstance(a, np.random.Generator) for a in arguments):
                self._results[id(array)] = array, origins[0] if origins else "random"
            elif derived:
                name = getattr(function, "__name__", "a function").strip("_")
                self._results[id(array)] = array, f"computed by {name} from values of the input, beside the ops"

    def _place(self) -> str:
        return (self._scopes[-1] if self._scopes else "") or "the model"

    def tensor_detached(self, tensor: Variable, alias: Variable) -> None:
        """A tensor got another name."""
        self._numbers[id(alias)] = self.number(tensor)
        self.traced.tensors.append(alias)
        self.traced.arrays.append(alias._data)

    def tensor_assigned(self, tensor: Variable, now: Variable) -> None:
        """A tensor was changed in place."""
        number = self.number(tensor)
        if number in self._views:
            self.traced.problems.append("a tensor is changed in place while views of it are in use: write x = x + y")
        self._numbers[id(tensor)] = self.number(now)

    def engine_bypassed(self, what: str, tensor: Variable | None) -> None:
        """Python reads values, or runs code that may do anything. Hooks of modules are traced as `forward` is."""
        if tensor is None:
            self.traced.problems.append(f"{self._place()}: {what}, whose code isn't traced")
        elif self.number(tensor) in self._derived:
            self.traced.problems.append(f"{self._place()}: {what}, where Python reads values of the input")


def _flat(values: Any) -> Any:
    for value in values:
        if type(value) is tuple:
            yield from _flat(value)
        yield value
