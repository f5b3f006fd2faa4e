"""A program that is run by a capture of its steps where possible, and which captures the process keeps."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.compiler.capture.captured import Captured
from tensorgrad.compiler.capture.host_calls import Made, arrays_of, outputs_of
from tensorgrad.compiler.program import call_of, function_of
from tensorgrad.compiler.steps import Step

KEPT = memory.LIMIT
"""Bytes that all captures of the process hold at most; the least recently used are dropped first."""

TRIES = 3
"""Attempts to capture a program, after which its steps run."""


class NotReplayed(Exception):
    """A replay stopped halfway: undo what has happened, and run the steps."""


class GraphCapture:
    """A program that is run by a capture of its steps where possible, by the steps otherwise.

    Args:
        function: runs the steps.
        before, steps, effects: of the program: see `program.function_of`.
        parameters, results, constants: names of its arrays: see there.
    """

    def __init__(
        self,
        function: Callable[..., tuple],
        before: Sequence[Step],
        steps: Sequence[Step],
        effects: Sequence[Step],
        parameters: Sequence[str],
        results: Sequence[str],
        constants: dict[str, np.ndarray],
    ) -> None:
        self._function, self._results = function, tuple(results)
        made = {name for step in effects for name in step.outputs}
        self._taken = tuple(name for step in effects for name in step.takes if name not in made)
        self._begin = function_of("begin", (), (), (), {}, before) if before else None
        self._late = tuple(dict.fromkeys(name for name in self._results if name in made))
        self._finish = function_of("finish", (), (), self._late, {}, (), effects, self._taken) if effects else None
        self._before, self._steps, self._effects = before, steps, effects
        self._parameters, self._constants = tuple(parameters), constants
        self._wanted = (*self._taken, *(name for name in self._results if name not in made))
        self._captured: Captured | None = None
        # A duplicated result would be owned twice: don't capture.
        self._tries = TRIES if len(self._wanted) == len(set(self._wanted)) else 0
        self._lock = threading.Lock()
        self._used = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the capture holds."""
        captured = self._captured
        return 0 if captured is None else captured.nbytes

    def drop(self) -> None:
        """Drop the capture; a run in progress still uses it."""
        self._captured = None

    def __deepcopy__(self, memo: dict) -> GraphCapture:
        return self  # as functions do

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Call `function`, or replay its capture: the same results and effects.

        Raises:
            NotReplayed: some steps have run, which may have drawn random numbers.
        """
        if self._captured is None and not self._tries:
            return self._function(*arrays)
        if not self._lock.acquire(blocking=False):  # the fixed memory serves one call at a time
            return self._function(*arrays)
        try:
            captured, self._used = self._captured, next(_clock)
            if captured is None or captured.invalid:
                self._captured = None
                return self._capture(arrays) if self._tries else self._function(*arrays)
            if not captured.follow(arrays):
                return self._function(*arrays)
            if self._begin is not None:
                self._begin()
            found = captured.run(arrays)
        finally:
            self._lock.release()
        if found is None:
            raise NotReplayed
        if self._finish is not None:
            late = self._finish([found.pop(name) for name in self._taken]) if self._taken else self._finish()
            found.update(zip(self._late, late, strict=True))
        return tuple([found[name] for name in self._results])

    def _capture(self, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Run the steps, then capture them.

        What host calls return, and ops that aren't repeatable, is noted, so that the capture doesn't make them once
        more: they may draw random numbers, or have a part in what other processes do.
        """
        self._tries -= 1
        made: Made = {}
        steps = [_noted(step, made) for step in self._steps]
        names = self._parameters, steps, self._results, self._constants
        run = function_of("run", *names, self._before, self._effects)
        results = run(*arrays)
        memory.empty_cache()  # what the steps took: from now on the capture has memory of its own
        with suppress(Exception):
            self._captured = Captured(self._steps, self._parameters, arrays, self._wanted, self._constants, made)
            _evict(self)
        return results


def _noted(step: Step, made: Made) -> Step:
    """A step whose results are added to `made`, unless it may be run once more."""
    if not (step.once and step.outputs):
        return step
    call = call_of(step)

    def run(*arguments: Any) -> Any:
        values = call.run(*arguments)
        results = outputs_of(values, len(step.outputs))
        # A view can't be copied to where captured steps read it: it would no longer share the argument's memory.
        shared = any(np.may_share_memory(x, y) for x in arrays_of(arguments) for y in arrays_of(results))
        made[step.outputs] = None if shared else results
        return values

    run.__name__ = call.name
    # Arrays alone are the arguments of an op's call.
    return step._replace(function=run) if step.op is None else Step(run, {}, step.takes, {}, step.outputs)


_clock, _captures, _together = itertools.count(1), weakref.WeakSet[GraphCapture](), threading.Lock()


def _evict(new: GraphCapture) -> None:
    """Drop captures, the least recently used first, until all take no more than `KEPT` bytes."""
    with _together:
        _captures.add(new)
        total = sum(capture.nbytes for capture in _captures)
        for capture in sorted(_captures, key=lambda capture: capture._used):
            if total <= KEPT:
                break
            if capture is not new:
                total -= capture.nbytes
                capture.drop()


def _after_fork() -> None:
    global _together
    _together = threading.Lock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
