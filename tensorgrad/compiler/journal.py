"""What a replay changes besides the tensors that it returns, and how to put it back should it stop half-way.

Where a condition turns out otherwise, a label is out of range or an effect refuses, the function itself runs in place
of the replay. It must find the world as it was: random masks drawn twice would be other masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.backward import accumulate, forget
from tensorgrad.autograd.engine import Variable
from tensorgrad.compiler.recording import Given, Step


class Noted(NamedTuple):
    """The world as it was: states of generators, `.grad` of leaves, values of buffers."""

    states: list[dict[str, Any]]
    gradients: list[tuple[Variable, Variable | None]]
    buffers: list[tuple[Variable, np.ndarray]]


class Journal:
    """Notes what some steps and effects may change, and puts it back.

    Args:
        steps: in which random numbers may be drawn.
        effects: in order. Those that only set `.grad`, or change tensors that want no gradient (running statistics,
            counters), can be undone; what an optimizer does can't, but then it does nothing before it raises.
    """

    def __init__(self, steps: Sequence[Step], effects: Sequence[Step]) -> None:
        generators = [x for step in (*steps, *effects) for x in _generators(step)]
        self._generators = list({id(x): x for x in generators}.values())
        self._sure = 0  # so many effects, from the first on, can be undone
        for effect in effects:
            if not _can_be_undone(effect):
                break
            self._sure += 1
        undone = effects[: self._sure]
        leaves = [x for step in undone if step.function in (forget, accumulate) for x in _tensors(step)]
        buffers = [x for step in undone if step.function not in (forget, accumulate) for x in _tensors(step)]
        self._leaves, self._buffers = list(dict.fromkeys(leaves)), list(dict.fromkeys(buffers))

    def note(self, given: Sequence[Variable]) -> Noted:
        """The world as it is, for a call that is `given` these tensors."""
        states = [generator.bit_generator.state for generator in self._generators]
        leaves = [given[x.number] if isinstance(x, Given) else x for x in self._leaves]
        return Noted(states, [(x, x._grad) for x in leaves], [(x, x._data.copy()) for x in self._buffers])

    def put_back(self, noted: Noted, done: int) -> bool:
        """Undo the effects, of which so many are done. False, and nothing is undone, where that isn't possible."""
        if done > self._sure:
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
    fixed = not any(isinstance(x, Given) or x._requires_grad for x in _tensors(effect))
    return fixed and not hasattr(effect.function, "__self__")
