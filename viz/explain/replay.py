"""A computation run again in float64: the values of its tensors, and its loss with one tensor moved."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.viz.record.steps import Key, Known, Step

SMALL = 1000
"""The most elements of an array that counts as small."""


class Replay:
    """The values of a computation, as far as they are known or follow from others.

    Steps with large inputs are run again only when they are needed, because it may take long.
    """

    def __init__(self, steps: Sequence[Step], known: Mapping[Key, Known]) -> None:
        self._steps = steps
        self.values: dict[Key, np.ndarray] = {
            key: _double(entry.array) for key, entry in known.items() if entry.array is not None
        }
        self._run_all(SMALL)

    def _run_all(self, largest: float) -> None:
        """Compute what follows from the known values, without steps whose inputs have more than `largest` elements."""
        for step in self._steps:
            _find_addend(step, self.values)
            small = all(math.prod(shape) <= largest for shape in step.input_shapes)
            if step.output not in self.values and small and all(key in self.values for key in step.inputs):
                self.values[step.output] = _run(step.op, [self.values[key] for key in step.inputs])

    def missing(self, start: Key) -> str:
        """Why the loss can't be computed again from `start`; empty if it can."""
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
        """The steps that depend on `start`, in the order they ran; and the keys of `start` and their outputs."""
        made, steps = {start}, []
        for step in self._steps:
            if not made.isdisjoint(step.inputs):
                made.add(step.output)
                steps.append(step)
        return steps, made


def _find_addend(step: Step, values: dict[Key, np.ndarray]) -> None:
    """Compute the one unknown operand of a sum or difference from its result: graphs keep no addends.

    Out of nothing, or out of ∞ and NaN, no operand follows.
    """
    unknown = [position for position, key in enumerate(step.inputs) if key not in values]
    if len(unknown) != 1 or step.output not in values or step.op.name not in ("add", "subtract"):
        return
    (position,) = unknown
    z, other = values[step.output], values[step.inputs[1 - position]]
    signs = {("add", 0): (1, -1), ("add", 1): (1, -1), ("subtract", 0): (1, 1), ("subtract", 1): (-1, 1)}
    of_z, of_other = signs[step.op.name, position]
    with np.errstate(all="ignore"):
        found = of_z * z + of_other * other
    if not (found.size and np.isfinite(found).all()):
        return
    # The operand was broadcast to the shape of z: (N, O) -> (O,)
    shape = step.input_shapes[position]
    found = found.reshape(-1, *found.shape[found.ndim - len(shape) :])[:1]
    for axis, n in enumerate(shape, start=1):
        found = found if n == found.shape[axis] else found.take([0], axis)
    values[step.inputs[position]] = found.reshape(shape)


def _run(op: Op, arrays: Sequence[np.ndarray]) -> np.ndarray:
    if op.name == "cast":
        return arrays[0]  # all of it is float64 here
    again = copy.copy(op)
    with np.errstate(all="ignore"):
        return _double(np.asarray(again.forward_again(*arrays)))


def _double(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
