"""What was recorded of a call: steps, effects and conditions on named arrays, and how two such records compare."""

from __future__ import annotations

import numpy as np

from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.guards.exact import same, same_array, same_memory
from tensorgrad.compiler.steps import Kind, Step


class Record:
    """The steps of a call.

    Attributes:
        steps: in the order in which they happened, but for those of backward passes.
        passes: the steps of each `backward()` inside.
        conditions: those that are checked before a replay begins.
        effects: those that change tensors in place. They follow the steps, except for the first `begins_with`.
        inputs: the names of the tensors that the call was given.
        leaves: tensors from before the call, by name.
        constants: arrays that each call makes anew with the same values, by name.
        kinds: of all arrays, by name.
        wanted: leaves, and nodes of tensors computed outside, whose contributions are to be recorded.
        contributions: the names of these contributions, in their order.
        problem: why a replay of the steps would differ from the call; None if it would not.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.passes: list[list[Step]] = []
        self.effects: list[Step] = []
        self.begins_with = 0
        self.conditions: list[Step] = []
        self.inputs: tuple[str, ...] = ()
        self.leaves: dict[str, Variable] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.kinds: dict[str, Kind] = {}
        self.wanted: set[Variable | Node] = set()
        self.contributions: dict[Variable | Node, list[str]] = {}
        self.problem: str | None = None

    def refuse(self, problem: str) -> None:
        """Note why a replay would differ from the call; the first reason counts."""
        self.problem = self.problem or problem

    def agrees_with(self, other: Record) -> bool:
        """Whether both calls did the same, on the same leaves or on equal arrays that each made anew."""
        return (
            same(self._done, other._done)
            and same(self.constants, other.constants)
            and self.leaves.keys() == other.leaves.keys()
            and all(_same_leaf(leaf, other.leaves[name]) for name, leaf in self.leaves.items())
        )

    def differing_leaf(self, other: Record) -> str | None:
        """The name of a tensor that both calls made without an op, each with other values, where all else agrees."""
        if not same(self._done, other._done) or self.leaves.keys() != other.leaves.keys():
            return None
        return next((name for name, leaf in self.leaves.items() if not _same_leaf(leaf, other.leaves[name])), None)

    def made_anew(self, other: Record) -> dict[str, np.ndarray]:
        """The leaves of two recordings that agree whose arrays each call made anew, by name.

        Both arrays are alive, so an array from before both calls lies in the same memory in both recordings.
        """
        return {
            name: leaf._data
            for name, leaf in self.leaves.items()
            if not same_memory(leaf._data, other.leaves[name]._data)
        }

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables: inputs, then leaves."""
        return *self.inputs, *self.leaves

    @property
    def _done(self) -> tuple:
        return self.inputs, self.conditions, self.steps, self.passes, self.effects, self.begins_with


def _same_leaf(one: Variable, other: Variable) -> bool:
    if one is other:
        return True
    plain = not (one._requires_grad or other._requires_grad)
    return plain and (same_memory(one._data, other._data) or same_array(one._data, other._data))
