"""The computation once more, in float64, with one tensor moved: the central difference that checks a gradient."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.viz.record.steps import Key, Known, Step

STEP = 1e-5
"""Of the central difference, relative to values above 1: its errors, of STEP² and 1e−16 / STEP, are about equal."""

SMALL = 1000
"""Elements of an array."""


class Replay:
    """The values of a computation, as far as they are known or follow from others.

    At first, steps with large inputs aren't run again: it may take long, and few readers need it.
    """

    def __init__(self, steps: Sequence[Step], known: Mapping[Key, Known]) -> None:
        self._steps = steps
        self.values: dict[Key, np.ndarray] = {
            key: _double(entry.array) for key, entry in known.items() if entry.array is not None
        }
        self._run_all(SMALL)

    def _run_all(self, largest: float) -> None:
        """Find what follows from what is known, without inputs of more than so many elements."""
        for step in self._steps:
            _find_addend(step, self.values)
            small = all(math.prod(shape) <= largest for shape in step.input_shapes)
            if step.output not in self.values and small and all(key in self.values for key in step.inputs):
                self.values[step.output] = _run(step.op, [self.values[key] for key in step.inputs])

    def missing(self, start: Key) -> str:
        """Why the loss can't be computed from `start` again, with all that this needs; empty if it can."""
        self._run_all(math.inf)
        steps, made = self._after(start)
        for step in steps:
            for position, key in enumerate(step.inputs):
                if key not in self.values and key not in made:
                    return f"The graph didn't keep {step.op.input_name(position)} of {step.op.name}"
        return ""

    def loss_at(self, start: Key, array: np.ndarray) -> float:
        """The loss with `array` in place of the tensor `start`."""
        moved = {start: np.asarray(array)}  # NumPy turns 0-d results into scalars
        for step in self._after(start)[0]:
            inputs = [moved[key] if key in moved else self.values[key] for key in step.inputs]
            moved[step.output] = _run(step.op, inputs)
        return float(moved[self._steps[-1].output])

    def _after(self, start: Key) -> tuple[list[Step], set[Key]]:
        """The steps that depend on `start`, in the order they ran, and all that they make of it."""
        made, steps = {start}, []
        for step in self._steps:
            if not made.isdisjoint(step.inputs):
                made.add(step.output)
                steps.append(step)
        return steps, made


class Slope:
    """The derivative of a cost at x along d, as a central difference.

    Attributes:
        value: (C(x + εd) − C(x − εd)) / 2ε, where ε is `step`, relative to values above 1.
    """

    def __init__(
        self,
        cost: Callable[[np.ndarray], float],
        at: np.ndarray,
        direction: np.ndarray,
        dtype: Any = np.float64,
        step: float = STEP,
    ) -> None:
        self._at, self._direction, self._precision = at, direction, float(np.finfo(dtype).eps)
        self._step = step * max(1.0, float(np.abs(at[direction != 0]).max(initial=0)))
        self._cost = cost
        self._above, self._below = (self._costs(k) for k in (1, -1))
        self.value = (self._above - self._below) / (2 * self._step)

    def _costs(self, steps: float) -> float:
        return self._cost(self._at + steps * self._step * self._direction)

    def error(self) -> float:
        """How far the value may be from the derivative: by what twice the step changes, and by rounding."""
        far = (self._costs(2) - self._costs(-2)) / (4 * self._step)
        return 2 * abs(far - self.value) + 8 * self._precision * max(abs(self._above), abs(self._below)) / self._step

    def at_a_kink(self, slope: float) -> bool:
        """Whether the slopes on either side differ, and this one lies between: any such is right there."""
        here = self._costs(0)
        low, high = sorted(((self._above - here) / self._step, (here - self._below) / self._step))
        room = 1e-3 * max(abs(low), abs(high))
        return low - room <= slope <= high + room


def _find_addend(step: Step, values: dict[Key, np.ndarray]) -> None:
    """The one unknown operand of a sum or difference, by its result: no graph keeps an addend, for no rule needs it."""
    unknown = [position for position, key in enumerate(step.inputs) if key not in values]
    if len(unknown) != 1 or step.output not in values or step.op.name not in ("add", "subtract"):
        return
    (position,) = unknown
    z, other = values[step.output], values[step.inputs[1 - position]]
    signs = {("add", 0): (1, -1), ("add", 1): (1, -1), ("subtract", 0): (1, 1), ("subtract", 1): (-1, 1)}
    of_z, of_other = signs[step.op.name, position]
    found = of_z * z + of_other * other
    # The operand was broadcast to the shape of z: take it back, (N, O) -> (O,)
    shape = step.input_shapes[position]
    found = found.reshape(-1, *found.shape[found.ndim - len(shape) :])[:1]
    for axis, n in enumerate(shape, start=1):
        found = found if n == found.shape[axis] else found.take([0], axis)
    values[step.inputs[position]] = found.reshape(shape)


def _run(op: Op, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if op.name == "cast":
        return arrays[0]  # all of it is float64 here
    again = copy.copy(op)
    again.needs = ()
    with np.errstate(all="ignore"):
        return _double(np.asarray(again.forward_again(*arrays)))


def _double(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
