"""The section that compares backpropagation with the sum over the paths, `.grad`, and a central difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tensorgrad.arrays.differences import CentralDifference
from tensorgrad.autograd.modes import no_grad
from tensorgrad.viz.explain.rounding import rounding
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.explain.words import norm
from tensorgrad.viz.format.document import Block, Heading, Prose, Table
from tensorgrad.viz.format.notation import few, inline, numeral, plain
from tensorgrad.viz.record.check import TOLERANCE

STEP = 1e-5
"""Of the central difference, relative to values above 1: its errors, of STEP² and 1e−16 / STEP, are about equal."""

COARSE_STEP = 1e-3
"""The same for a cost in float32."""


class Check:
    """Compares the gradient with those found in other ways.

    Attributes:
        difference: the central difference, along the element or a random direction; None where there is none.
        expected: that derivative by backpropagation.
        blocks: the section.
    """

    def __init__(self, subject: Subject, path_sum: np.ndarray | None, cost: Callable[[], Any] | None) -> None:
        self._subject, self._cost = subject, cost
        self._direction = _direction(subject)
        self.expected = float((subject.gradient.astype(np.float64) * self._direction).sum())
        rows = [("backpropagation", subject.said(subject.gradient), ""), *self._exact(path_sum)]
        self._central, text = self._central_difference()
        if self._central is not None and not math.isfinite(self._central.value):
            self._central, text = None, "The loss isn't finite on both sides: there is no central difference."
        self.difference: float | None = None
        if self._central is None:
            rows.append(("central difference", "not taken", ""))
        else:
            self.difference = self._central.value
            rows.append(("central difference", numeral(self.difference), self._judge(self._central)))
            if not subject.one_number:
                slope = inline(f"⟨{subject.goal}, d⟩ = {numeral(self.expected)}")
                text += f" It is taken along a random direction d, where backpropagation has {slope}."
        if any(way.endswith(".grad") and verdict.startswith("✗") for way, _, verdict in rows):
            text += f" {_why_grad_differs(subject.hooked)}"
        self.blocks: list[Block] = [Heading("Check"), Table(("", "", ""), "ttt", tuple(rows)), Prose(text)]

    def _exact(self, path_sum: np.ndarray | None) -> list[tuple[str, str, str]]:
        """Rows for the gradients that must equal backpropagation up to rounding: the sum over the paths, `.grad`."""
        subject, others = self._subject, {}
        if path_sum is not None:
            others["sum over the paths"] = path_sum
        if subject.wrt._grad is not None:
            others[f"{plain(subject.name)}.grad"] = subject.wrt._grad._data
        rows = []
        for way, found in others.items():
            verdict = _verdict(subject.value(found), subject.value(subject.gradient), self._allowed_by_rounding)
            rows.append((way, subject.said(found), verdict))
        return rows

    def _judge(self, central: CentralDifference) -> str:
        verdict = _verdict(central.value, self.expected, lambda: self._allowed(central))
        if verdict.startswith("✗") and self._lies_in_kink(central):
            return "✓ at a kink: between the slopes on either side"
        return verdict

    def _lies_in_kink(self, central: CentralDifference) -> bool:
        """Whether the slope of backpropagation lies between those on either side, where any such is right."""
        low, high = sorted(central.one_sided)
        margin = 1e-3 * max(abs(low), abs(high))
        return low - margin <= self.expected <= high + margin

    @cached_property
    def _rounding(self) -> tuple[float, np.ndarray]:
        return rounding(self._subject)

    def _allowed_by_rounding(self) -> Any:
        return self._subject.value(self._rounding[1])

    def _allowed(self, central: CentralDifference) -> float:
        """How far the central difference may be from backpropagation: by the rounding of one and the error of both."""
        dtype = np.dtype(np.float64) if self._cost is None else self._subject.wrt._data.dtype
        error = central.error(float(np.finfo(dtype).eps))
        return float((self._rounding[1] * np.abs(self._direction)).sum()) + error

    def _central_difference(self) -> tuple[CentralDifference | None, str]:
        """The central difference of the loss, and a sentence that says how it was taken or why not."""
        subject, replay = self._subject, self._subject.replay
        if self._cost is not None:
            values = subject.wrt._data
            step = STEP if values.dtype == np.float64 else COARSE_STEP
            central = self._along(self._cost_at, values.astype(np.float64), step)
            return central, "The central difference is that of cost()."
        problem = replay.missing(subject.key) or self._changed()
        if problem:
            return None, f"{problem}: pass cost=, or a trace of the computation, for a central difference."
        central = self._along(lambda moved: replay.loss_at(subject.key, moved), replay.values[subject.key], STEP)
        return central, "For the central difference the recorded ops ran twice more, in float64, with the number moved."

    def _along(self, loss: Callable[[np.ndarray], float], x: np.ndarray, step: float) -> CentralDifference:
        """The loss differentiated along the direction; the step is relative to values above 1."""
        largest = float(np.abs(x[self._direction != 0]).max(initial=0))
        return CentralDifference(loss, x, self._direction, step * max(1.0, largest))

    def _changed(self) -> str:
        """Why the recorded ops, run again, don't give the loss that was recorded; empty if they do."""
        key, replay = self._subject.key, self._subject.replay
        if key not in replay.values:
            return "The graph didn't keep its value"
        again, loss = replay.loss_at(key, replay.values[key]), self._subject.loss
        if math.isclose(again, loss, rel_tol=TOLERANCE, abs_tol=1e-4) or not math.isfinite(loss):
            return ""
        if abs(again - loss) <= self._rounding[0]:
            return ""
        return f"The ops run again give {numeral(again)}, for a value was changed since"

    def _cost_at(self, moved: np.ndarray) -> float:
        """The caller's own function, with the tensor moved in its own precision, and put back."""
        assert self._cost is not None
        wrt, before = self._subject.wrt, self._subject.wrt._data
        try:
            wrt._data = moved.astype(before.dtype)
            with no_grad():
                return float(self._cost())
        finally:
            wrt._data = before


def _direction(subject: Subject) -> np.ndarray:
    """The direction of the derivative: the element alone, or random."""
    shape = subject.gradient.shape
    if not subject.one_number:
        return np.random.default_rng(0).standard_normal(shape)
    direction = np.zeros(shape)
    direction[subject.index or (0,) * len(shape)] = 1
    return direction


def _why_grad_differs(hooked: list[str]) -> str:
    """Why `.grad` isn't the derivative."""
    if hooked:
        whose = " and ".join(map(inline, few(hooked, 4)))
        return f"A hook changes the gradient of {whose}: .grad is what came of it, all else is the derivative."
    return ".grad adds up over all passes since it was cleared: zero_grad() before this one makes them equal."


def _verdict(found: Any, expected: Any, allowed: Callable[[], Any]) -> str:
    """Whether a gradient agrees with backpropagation.

    Args:
        found: the gradient.
        expected: that of backpropagation.
        allowed: computes the rounding error; called only where they differ by more than 1 %.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if np.array_equal(found, expected, equal_nan=True):
        return "✓ the same"
    with np.errstate(all="ignore"):
        apart, scale = norm(found - expected), max(norm(found), norm(expected))
    if not math.isfinite(apart):
        return "✗ not finite"
    if apart <= TOLERANCE * scale:
        return f"✓ within {numeral(apart / scale, 1)}"
    return "✓ within rounding" if apart <= norm(np.asarray(allowed())) else "✗ differs"
