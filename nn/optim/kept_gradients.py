"""The warning of an optimizer whose `zero_grad()` was forgotten."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from tensorgrad.autograd import applied
from tensorgrad.errors import restate
from tensorgrad.tensor import Tensor

STEPS = 10
"""The first steps, in which gradients are looked at: who forgets `zero_grad()` forgets it from the beginning."""


class KeptGradients:
    """Notices that a step's gradients contain those of the step before, and warns once: see `autograd.applied`."""

    def __init__(self) -> None:
        self._owner = object()  # in the marks of gradients, which mustn't keep the optimizer alive
        self._marked: Tensor | None = None
        self._steps_left = STEPS

    def look(self, optimizer: str) -> None:
        """Before a step: warn if the gradient that the last step marked has been added to."""
        if self._marked is None or not applied.is_added_to(self._marked._grad, self._owner):
            return
        self._steps_left = 0
        problem = "zero_grad() wasn't called between two steps: the gradients of earlier steps count again in this one"
        fix = (
            "call optimizer.zero_grad() before the backward() of each step; if gradients are to add up over the steps: "
            "warnings.filterwarnings('ignore', '.*zero_grad')"
        )
        # The line that called `step`, which called `_step`, which called this.
        warnings.warn(restate(f"{optimizer}.step", problem, fix=fix), UserWarning, stacklevel=4)

    def mark(self, parameters: Iterable[Tensor]) -> None:
        """After a step: mark the first gradient that isn't zero in the places that tell."""
        self._marked = None
        if self._steps_left:
            self._steps_left -= 1
            marked = (p for p in parameters if p._grad is not None and applied.mark(p._grad, self._owner))
            self._marked = next(marked, None)
