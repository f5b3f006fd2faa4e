"""One op as it was applied, and what it computes at other inputs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.viz.playground.tape import Slots


@dataclass(frozen=True)
class Application:
    """One op as it was applied.

    Attributes:
        op: the op, with its parameters.
        arrays: its inputs: floats in float64, integers and bools as they were.
        inputs: the slots of their elements.
        shape: of its output.
    """

    op: Op
    arrays: tuple[np.ndarray, ...]
    inputs: tuple[Slots, ...]
    shape: tuple[int, ...]

    @property
    def floats(self) -> list[int]:
        """The positions of the inputs that are floats."""
        return [position for position, array in enumerate(self.arrays) if array.dtype.kind == "f"]

    def at(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """What the op computes at other inputs; each time by a copy of it."""
        with np.errstate(all="ignore"):
            # NumPy turns 0-d results into scalars, of the inputs as well.
            return np.asarray(copy.copy(self.op).forward_again(*map(np.asarray, arrays)))

    def output(self) -> np.ndarray:
        """What it computes at its own inputs, in float64."""
        return self.at(self.arrays)
