"""A program that is run by a capture of its steps where possible, and which captures the process keeps."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.compiler.capture.captured import Captured
from tensorgrad.compiler.program import function_of
from tensorgrad.compiler.steps import Step

KEPT = memory.LIMIT
"""Bytes that all captures of the process hold at most; the least recently used are dropped first."""

TRIES = 3
"""Attempts to capture a program, after which its steps run."""


class NotReplayed(Exception):
    """A capture was made or found to be invalid: undo what has happened, and run again.

    Attributes:
        captured: whether a capture was made, to be run now; else run the steps.
    """

    def __init__(self, captured: bool) -> None:
        super().__init__()
        self.captured = captured


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
        self._steps, self._parameters, self._constants = steps, tuple(parameters), constants
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
            if self._begin is not None:
                self._begin()
            before = self._captured
            found = self._found(arrays)
            captured = self._captured not in (before, None)
        finally:
            self._lock.release()
        if found is None:
            raise NotReplayed(captured)
        if self._finish is not None:
            late = self._finish([found.pop(name) for name in self._taken]) if self._taken else self._finish()
            found.update(zip(self._late, late, strict=True))
        return tuple([found[name] for name in self._results])

    def _found(self, arrays: tuple[np.ndarray, ...]) -> dict[str, np.ndarray] | None:
        captured, self._used = self._captured, next(_clock)
        if captured is not None and not captured.invalid:
            return captured.run(arrays)
        self._captured = None
        if self._tries:
            self._tries -= 1
            memory.empty_cache()  # what the steps took: from now on the capture has memory of its own
            with suppress(Exception):  # if the steps themselves fail, `function` fails too
                self._captured = Captured(self._steps, self._parameters, arrays, self._wanted, self._constants)
                _evict(self)
        return None


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
