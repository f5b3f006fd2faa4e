"""What a recorded call does to gradients: it runs `backward()`, or reads, sets or clears a `.grad`."""

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
    """The part of `Recording` that observes gradients.

    In what follows "inside" means: by the call that is recorded.
    """

    _known: Mapping[int, Variable]
    _given: set[int]
    _finished: bool

    def __init__(self) -> None:
        super().__init__()
        self._began: int | None = None  # the number of steps before the present backward pass; None outside of one
        self._accumulating: Iterable[Variable] = ()  # leaves to whose .grad `backward` is adding
        self._gradients: dict[Variable, Variable | None] = {}  # the .grad of each leaf that has been set inside
        self._gradients_before: list[Variable] = []  # values of .grad from before the call that Python has read

    def name_of(self, tensor: Variable) -> str:
        """The name of the array of a tensor."""
        raise NotImplementedError

    def with_places(self, value: Any) -> Any:
        """An argument of an effect with a `Given` in place of each tensor that is an argument of the call."""
        raise NotImplementedError

    def scope_entered(self, scope: Scope) -> None:
        """A backward pass begins."""
        if scope == BACKWARD and not self._finished:
            self._began = len(self.steps)

    def scope_left(self, scope: Scope) -> None:
        """A backward pass ends: move its steps from `steps` to `passes`."""
        if scope == BACKWARD and not self._finished:
            if not self._accumulating:
                self.refuse("gradients are taken inside, and not by backward(); take them of what the function returns")
            self.passes.append(self.steps[self._began :])
            del self.steps[self._began :]
            self._gradients.update((leaf, leaf._grad) for leaf in self._accumulating)
            self._began, self._accumulating = None, ()

    def gradient_contributed(self, node: Node, position: int, upstream: Variable, contribution: Variable) -> None:
        """The backward pass has found a contribution to the gradient of an input of `node`."""
        edge = node.edges[position]
        if edge in self.wanted:
            self.contributions.setdefault(edge, []).append(self.name_of(contribution))

    def gradients_arrived(self, gradients: dict[Variable, Variable], create_graph: bool) -> None:
        """`backward()` inside is about to add gradients to the leaves, an op for each.

        The ops aren't recorded. Instead the whole is one effect, `accumulate`, which a replay runs after its steps.
        """
        if create_graph:
            self.refuse("backward(create_graph=True) inside")
        if any(leaf._hooks for leaf in gradients):
            self.refuse("a hook on a tensor whose gradient is taken inside")
        names = [self.name_of(gradient) for gradient in gradients.values()]
        leaves = self.with_places(tuple(gradients))
        self.effects.append(Step(accumulate, {0: leaves}, (), dict(enumerate(names, 1)), ()))
        # A gradient is added to a .grad, or becomes it where there is none. For leaves whose .grad wasn't set inside,
        # that depends on what was before the call, so it is a condition of the replay.
        untouched = tuple(leaf for leaf in gradients if leaf not in self._gradients)
        if untouched:
            self._guard_gradients(untouched, tuple(leaf._grad is not None for leaf in untouched))
        self.check_gradients()
        self._accumulating = gradients.keys()

    def grad_read(self, tensor: Variable) -> None:
        """Python reads `.grad`, which may be None in another call."""
        if tensor in self._gradients or not (id(tensor) in self._known or id(tensor) in self._given):
            return
        if tensor._grad is not None:
            self._gradients_before.append(tensor._grad)
        self._guard_gradients((tensor,), (tensor._grad is not None,))

    def _guard_gradients(self, leaves: tuple[Variable, ...], expected: tuple[bool, ...]) -> None:
        """Make it a condition of the replay that just these of the leaves have a .grad."""
        settings = {0: _have_gradients, 1: True, 2: self.with_places(leaves), 3: expected}
        self.conditions.append(Step(check_guard, settings, (), {}, ()))

    def check_gradients(self) -> None:
        """Refuse a call that has assigned a `.grad`."""
        if any(leaf._grad is not grad for leaf, grad in self._gradients.items()):
            self.refuse("a .grad is assigned inside; zero_grad() and .grad = None are followed")


def _have_gradients(leaves: tuple[Variable, ...], expected: tuple[bool, ...]) -> bool:
    return tuple([leaf._grad is not None for leaf in leaves]) == expected
