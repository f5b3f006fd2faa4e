"""The section that checks: backpropagation against the sum over the paths, `.grad`, and a central difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import no_grad
from tensorgrad.viz.explain.replay import STEP, Slope
from tensorgrad.viz.explain.rounding import rounding
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import Block, Heading, Prose, Table
from tensorgrad.viz.format.notation import inline, plain
from tensorgrad.viz.record.check import FINE

COARSE_STEP = 1e-3
"""Of a central difference in float32, relative to values above 1."""


class Check:
    """Other ways to the same gradient.

    Attributes:
        difference: the central difference, along the element or a random direction; None where it can't be taken.
        expected: what backpropagation says of that derivative.
        blocks: the section.
    """

    def __init__(self, subject: Subject, path_sum: np.ndarray | None, cost: Callable[[], Any] | None) -> None:
        self._subject, self._cost = subject, cost
        self._direction = _direction(subject)
        self.expected = float((subject.gradient.astype(np.float64) * self._direction).sum())
        others = {}
        if path_sum is not None:
            others["sum over the paths"] = path_sum
        if subject.wrt._grad is not None:
            others[f"{plain(subject.name)}.grad"] = subject.wrt._grad._data
        rows = [("backpropagation", subject.said(subject.gradient), "")]
        for way, found in others.items():
            allowed = lambda: subject.value(self._rounding[1])  # noqa: E731 - only where it is needed
            verdict = _verdict(subject.value(found), subject.value(subject.gradient), allowed)
            rows.append((way, subject.said(found), verdict))
        self.difference, how = self._central_difference()
        if self.difference is not None and not math.isfinite(self.difference):
            self.difference, how = None, "The loss isn't finite on both sides: there is no central difference."
        if self.difference is None:
            rows.append(("central difference", "not taken", ""))
        else:
            verdict = _verdict(self.difference, self.expected, self._allowed)
            if verdict.startswith("✗") and self._slope.at_a_kink(self.expected):
                verdict = "✓ at a kink: between the slopes on either side"
            rows.append(("central difference", theme.number(self.difference), verdict))
            if not subject.one_number:
                slope_there = inline(f"⟨{subject.goal}, d⟩ = {theme.number(self.expected)}")
                how += f" It is taken along a random direction d, where backpropagation has {slope_there}."
        if any(way.endswith(".grad") and verdict.startswith("✗") for way, _, verdict in rows):
            how += " .grad adds up over all passes since it was cleared: zero_grad() before this one makes them equal."
        self.blocks: list[Block] = [Heading("Check"), Table(("", "", ""), "ttt", tuple(rows)), Prose(how)]

    @cached_property
    def _rounding(self) -> tuple[float, np.ndarray]:
        return rounding(self._subject)

    def _allowed(self) -> float:
        """How far the central difference may be from backpropagation: by the rounding of one and the error of both."""
        return float((self._rounding[1] * np.abs(self._direction)).sum()) + self._slope.error()

    def _central_difference(self) -> tuple[float | None, str]:
        """The number, and how it was found or why not."""
        subject, replay = self._subject, self._subject.replay
        if self._cost is not None:
            values = subject.wrt._data
            step = STEP if values.dtype == np.float64 else COARSE_STEP
            self._slope = Slope(self._by_cost, values.astype(np.float64), self._direction, values.dtype, step)
            return self._slope.value, "The central difference is that of cost()."
        problem = replay.missing(subject.key) or self._changed()
        if problem:
            return None, f"{problem}: pass cost=, or a trace of the computation, for a central difference."
        self._slope = Slope(
            lambda moved: replay.loss_at(subject.key, moved), replay.values[subject.key], self._direction
        )
        how = "For the central difference the recorded ops ran twice more, in float64, with the number moved."
        return self._slope.value, how

    def _changed(self) -> str:
        """Why the recorded ops, run again, don't give the loss that was recorded; empty if they do."""
        key, replay = self._subject.key, self._subject.replay
        if key not in replay.values:
            return "The graph didn't keep its value"
        again, loss = replay.loss_at(key, replay.values[key]), self._subject.loss
        if math.isclose(again, loss, rel_tol=FINE, abs_tol=1e-4) or not math.isfinite(loss):
            return ""
        if abs(again - loss) <= self._rounding[0]:
            return ""
        return f"The ops run again give {theme.number(again)}, for a value was changed since"

    def _by_cost(self, moved: np.ndarray) -> float:
        """The caller's own function, with the tensor moved in its own precision, and put back."""
        wrt, before = self._subject.wrt, self._subject.wrt._data
        try:
            wrt._data = moved.astype(before.dtype)
            with no_grad():
                return float(self._cost())
        finally:
            wrt._data = before


def _direction(subject: Subject) -> np.ndarray:
    """Along which the loss is differentiated: the element alone, or at random."""
    shape = subject.gradient.shape
    if not subject.one_number:
        return np.random.default_rng(0).standard_normal(shape)
    direction = np.zeros(shape)
    direction[subject.index or (0,) * len(shape)] = 1
    return direction


def _verdict(found: Any, expected: Any, allowed: Callable[[], Any]) -> str:
    """Whether a gradient agrees with that of backpropagation, and how far they are apart.

    Only where that is more than a hundredth of them, the rounding `allowed` is asked for.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if np.array_equal(found, expected, equal_nan=True):
        return "✓ the same"
    with np.errstate(all="ignore"):
        apart = float(np.linalg.norm(found - expected))
        scale = max(float(np.linalg.norm(found)), float(np.linalg.norm(expected)))
    if not math.isfinite(apart):
        return "✗ not finite"
    if apart <= FINE * scale:
        return f"✓ within {theme.number(apart / scale, 1)}"
    return "✓ within rounding" if apart <= float(np.linalg.norm(allowed())) else "✗ differs"
