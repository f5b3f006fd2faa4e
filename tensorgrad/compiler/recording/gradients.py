"""What a recorded call does to gradients: `backward()` inside of it, and `.grad` set or read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensorgrad.autograd.backward_pass import accumulate
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.observer import BACKWARD, Observer, Scope
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.recording.record import Record
from tensorgrad.compiler.steps import Step, check_guard


class RecordsGradients(Record, Observer):
    """The part of `Recording` that hears of gradients."""

    _known: Mapping[int, Variable]
    _given: set[int]
    _finished: bool

    def __init__(self) -> None:
        super().__init__()
        self._began: int | None = None  # where among the steps the present backward pass begins
        self._accumulating: Iterable[Variable] = ()  # leaves whose gradients are being set
        self._gradients: dict[Variable, Variable | None] = {}  # of leaves whose gradients were set inside
        self._gradients_before: list[Variable] = []  # gradients from before the call that Python has read

    def name_of(self, tensor: Variable) -> str:
        """The name of the array of a tensor."""
        raise NotImplementedError

    def with_places(self, value: Any) -> Any:
        """An argument of an effect, as a replay passes it."""
        raise NotImplementedError

    def scope_entered(self, scope: Scope) -> None:
        """A backward pass begins."""
        if scope == BACKWARD and not self._finished:
            self._began = len(self.steps)

    def scope_left(self, scope: Scope) -> None:
        """A backward pass ends: its steps are kept apart."""
        if scope == BACKWARD and not self._finished:
            if not self._accumulating:
                self.refuse("gradients are taken inside, and not by backward(); take them of what the function returns")
            self.passes.append(self.steps[self._began :])
            del self.steps[self._began :]
            self._gradients.update((leaf, leaf._grad) for leaf in self._accumulating)
            self._began, self._accumulating = None, ()

    def gradient_contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """A contribution to an input."""
        edge = node.edges[position]
        if edge in self.wanted:
            self.contributions.setdefault(edge, []).append(self.name_of(contribution))

    def gradients_arrived(self, gradients: dict[Variable, Variable], create_graph: bool) -> None:
        """`backward` has inside, and adds what it found to the leaves, op by op; a replay does so at once."""
        if create_graph:
            self.refuse("backward(create_graph=True) inside")
        if any(leaf._hooks for leaf in gradients):
            self.refuse("a hook on a tensor whose gradient is taken inside")
        names = [self.name_of(gradient) for gradient in gradients.values()]
        leaves = self.with_places(tuple(gradients))
        self.effects.append(Step(accumulate, {0: leaves}, (), dict(enumerate(names, 1)), ()))
        # A `.grad` that this call didn't set was there before.
        before = tuple(leaf for leaf in gradients if leaf not in self._gradients)
        found = tuple(leaf._grad is not None for leaf in before)
        if before:
            self._guard_gradients(before, found)
        self.check_gradients()
        self._accumulating = gradients.keys()

    def grad_read(self, tensor: Variable) -> None:
        """Python reads `.grad`, which may be None in another call."""
        if tensor in self._gradients or not (id(tensor) in self._known or id(tensor) in self._given):
            return
        if tensor._grad is not None:
            self._gradients_before.append(tensor._grad)
        self._guard_gradients((tensor,), (tensor._grad is not None,))

    def _guard_gradients(self, leaves: tuple[Variable, ...], there: tuple[bool, ...]) -> None:
        settings = {0: _have_gradients, 1: True, 2: self.with_places(leaves), 3: there}
        self.conditions.append(Step(check_guard, settings, (), {}, ()))

    def check_gradients(self) -> None:
        """Refuse a call that has assigned a `.grad`."""
        if any(leaf._grad is not grad for leaf, grad in self._gradients.items()):
            self.refuse("a .grad is assigned inside; zero_grad() and .grad = None are followed")


def _have_gradients(leaves: tuple[Variable, ...], found: tuple[bool, ...]) -> bool:
    return tuple([leaf._grad is not None for leaf in leaves]) == found
