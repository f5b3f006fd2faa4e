"""A journal of what a replay changes besides the tensors that it returns, to undo it if the replay stops halfway.

Where a guard fails, a label is out of range or an effect raises, the function itself runs in place of the replay. It
must find the state from before: random masks drawn twice would be other masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.backward_pass import accumulate, forget
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.steps import Given, Step


class Noted(NamedTuple):
    """The state before a replay: of generators, of the `.grad` of leaves, of buffers."""

    states: list[Mapping[str, Any]]
    gradients: list[tuple[Variable, Variable | None]]
    buffers: list[tuple[Variable, np.ndarray]]


class Journal:
    """Notes what some steps and effects may change, and restores it.

    Args:
        steps: in which random numbers may be drawn.
        effects: in order. Those that only set `.grad`, or change tensors that need no gradient (running statistics,
            counters), can be undone. An optimizer's step can't, but it changes nothing if it raises.
    """

    def __init__(self, steps: Sequence[Step], effects: Sequence[Step]) -> None:
        generators = [x for step in (*steps, *effects) for x in _generators(step)]
        self._generators = list({id(x): x for x in generators}.values())
        self._undoable = 0  # so many effects, from the first on, can be undone
        for effect in effects:
            if not _can_be_undone(effect):
                break
            self._undoable += 1
        undone = effects[: self._undoable]
        leaves = [x for step in undone if step.function in (forget, accumulate) for x in _tensors(step)]
        buffers = [x for step in undone if step.function not in (forget, accumulate) for x in _tensors(step)]
        self._leaves, self._buffers = list(dict.fromkeys(leaves)), list(dict.fromkeys(buffers))
        self._empty = None if self._generators or self._leaves or self._buffers else Noted([], [], [])

    def note(self, given: Sequence[Variable]) -> Noted:
        """The present state, for a call that is `given` these tensors."""
        if self._empty is not None:
            return self._empty
        states = [generator.bit_generator.state for generator in self._generators]
        leaves = [given[x.number] if isinstance(x, Given) else x for x in self._leaves]
        buffers = [x for x in self._buffers if isinstance(x, Variable)]  # `_can_be_undone` admits no others
        return Noted(states, [(x, x._grad) for x in leaves], [(x, x._data.copy()) for x in buffers])

    def restore(self, noted: Noted, done: int) -> bool:
        """Undo the effects, of which `done` have happened. Returns False, with nothing undone, if one can't be."""
        if done > self._undoable:
            return False
        for generator, state in zip(self._generators, noted.states, strict=True):
            generator.bit_generator.state = state
        for leaf, gradient in noted.gradients:
            leaf._grad = gradient
        for tensor, before in noted.buffers if done else ():
            np.copyto(tensor._data, before)
        return True


def _generators(step: Step) -> Iterator[np.random.Generator]:
    """The random generators that a step draws from: among its settings, or whose method it is."""
    for value in (*step.settings.values(), getattr(step.function, "__self__", None)):
        if isinstance(value, np.random.Generator):
            yield value


def _tensors(step: Step) -> Iterator[Variable | Given]:
    for value in step.settings.values():
        for part in value if type(value) is tuple else (value,):
            if isinstance(part, (Variable, Given)):
                yield part


def _can_be_undone(effect: Step) -> bool:
    if effect.function in (forget, accumulate):
        return True
    constant = not any(isinstance(x, Given) or x._requires_grad for x in _tensors(effect))
    return constant and not hasattr(effect.function, "__self__")
