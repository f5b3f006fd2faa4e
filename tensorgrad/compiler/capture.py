"""A program by launches of kernels alone: one call for all that follow each other, in memory that stays.

What a step does around its kernels (checks, plans, buffers, arguments) is the same in each replay of a program, since
the sizes are. So it is enough to do it once, and to write down with which words each kernel was launched. Steps of
which that isn't all, since they compute with NumPy or look at numbers, stay calls of Python between such stretches.
Nothing is taken on trust: on other numbers, in memory full of rubbish, a capture has to give the bits of the steps.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad import kernels, memory
from tensorgrad.compiler.program import Call, Setting, call_of, function_of, last_uses
from tensorgrad.compiler.recording import Step
from tensorgrad.ops.operands import quiet

if TYPE_CHECKING:  # with numba, which is loaded at its first use
    from tensorgrad.kernels.launches import Launch, Recorder

LIMIT = 32 * 1024**2
"""Bytes that a capture holds at most. Steps that need more take so long that little is gained."""

TRIES = 3
"""Captures after which a program is left as it is."""

RUBBISH = (0xFF, 0x55)
"""Bytes to prove a capture in: every float of the first is a NaN."""


class Unfit(Exception):
    """These steps, or these arrays, can't be captured."""


class Shortcut:
    """What a program computes, by a capture of its steps once that has proved itself.

    Args:
        function: does all of it, the slow way.
        before, steps, effects: what it does: see `program.function_of`.
        parameters, results, constants: names of arrays: see there.
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
        self._taken = tuple(name for step in effects for name in step.takes)
        self._begin = function_of("begin", (), (), (), {}, before)
        self._finish = function_of("finish", (), (), (), {}, (), effects, self._taken)
        self._steps, self._parameters, self._constants = steps, tuple(parameters), constants
        self._wanted = (*self._taken, *self._results)
        self._captured: Captured | None = None
        # A result that is wanted twice would belong to two.
        self._tries = TRIES if len(self._wanted) == len(set(self._wanted)) else 0
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict) -> Shortcut:
        return self  # as functions do

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """What `function` returns, after the same effects."""
        if self._captured is None and not self._tries:
            return self._function(*arrays)
        if not self._lock.acquire(blocking=False):  # memory that stays is for one at a time
            return self._function(*arrays)
        try:
            self._begin()
            found = self._found(arrays)
        finally:
            self._lock.release()
        if found is None:
            return self._function(*arrays)
        if self._taken:
            self._finish([found.pop(name) for name in self._taken])
        else:
            self._finish()
        return tuple([found[name] for name in self._results])

    def _found(self, arrays: tuple[np.ndarray, ...]) -> dict[str, np.ndarray] | None:
        if self._captured is not None and not self._captured.spoiled:
            return self._captured.run(arrays)
        self._captured = None
        if self._tries:
            self._tries -= 1
            with suppress(Exception):  # if it is the steps that fail, `function` will fail, too
                self._capture(arrays)
        return None

    def _capture(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Capture the steps, and keep that if on other numbers it gives what the steps themselves give."""
        captured = Captured(self._steps, self._parameters, arrays, self._wanted, self._constants)
        others = [_altered(array) for array in arrays]
        known = self._constants | dict(zip(self._parameters, others, strict=True))
        for step in self._steps:
            _run(call_of(step), known)
        for byte in RUBBISH:
            captured.fill(byte)
            found = captured.run(others)
            if found is None or not all(_same_bits(known[name], found[name]) for name in self._wanted):
                self._tries = 0
                return
        self._captured = captured


def _altered(array: np.ndarray) -> np.ndarray:
    """Other numbers of the same kind, where there are any: probabilities stay such, and mostly indices too.

    >>> _altered(np.array([0.0, 1.0])), _altered(np.array([0, 7]))
    (array([0.765625, 0.015625]), array([1, 6]))
    """
    if array.dtype.kind == "f":
        return (array.ravel()[::-1].reshape(array.shape) * 0.75 + 1 / 64).astype(array.dtype)
    if array.dtype.kind in "iu":
        return np.where(array > 0, array - 1, array + 1).astype(array.dtype)
    return np.logical_not(array) if array.dtype.kind == "b" else array.copy()


class PythonCall(NamedTuple):
    """A step that stays a call of Python.

    Attributes:
        sources: per argument the number of a parameter, or the array or the setting itself.
        targets: per output its name, and the array where later steps look for it, None if none does.
    """

    run: Callable[..., Any]
    sources: list[Any]
    targets: list[tuple[str, np.ndarray | None]]

    def __call__(self, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> None:
        """Compute, and put the outputs where they belong."""
        values = self.run(*[arrays[x] if type(x) is Parameter else x for x in self.sources])
        for (name, target), value in zip(self.targets, _outputs(values, len(self.targets)), strict=True):
            found[name] = value
            if target is not None:
                np.copyto(target, value)


class Parameter(int):
    """The number of a parameter."""


class Captured:
    """Steps that have run once, on some arrays, and can run again on others of their kind.

    Raises `Unfit` if they can't, `memory.ArenaFull` if they need too much memory.

    Attributes:
        spoiled: whether a kernel has left a mark (the steps themselves know what it means), or is cut otherwise now.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        parameters: Sequence[str],
        arrays: Sequence[np.ndarray],
        wanted: Sequence[str],
        constants: dict[str, np.ndarray],
    ) -> None:
        if not all(array.flags.carray for array in arrays):
            raise Unfit  # kernels would be given copies
        if any(_within(one, _place(other)) or _within(other, _place(one)) for one, other in combinations(arrays, 2)):
            raise Unfit  # one of them may come to lie elsewhere
        self.spoiled = False
        self._threads, self._arena = kernels.runtime.get_num_threads(), memory.Arena(LIMIT)
        self._places = [_place(array) for array in arrays]
        self._kinds = [(array.shape, array.dtype) for array in arrays]
        self._known = [weakref.ref(array) for array in arrays]
        self._held: list[np.ndarray] = []
        known = constants | dict(zip(parameters, arrays, strict=True))
        parts = self._taken_apart(steps, known, wanted)
        self._plan_results(known, wanted, parts)
        regions = [*self._places, *(place for place, *_ in self._fresh.values())]
        self._units = [part if type(part) is PythonCall else kernels.launches.Launches(part, regions) for part in parts]
        self._starts = np.array([begin for begin, _ in regions], np.int64)

    def fill(self, byte: int) -> None:
        """Overwrite all memory between the steps."""
        self._arena.fill(byte)

    def run(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray] | None:
        """What is wanted, by name, in arrays that nobody else has; None where that isn't possible now."""
        if not kernels.runtime.parallel_with(self._threads) or not self._follow(arrays):
            self.spoiled = kernels.runtime.get_num_threads() != self._threads
            return None
        found = {}
        for k, (name, ((_, size), offset, like)) in enumerate(self._fresh.items(), len(arrays)):
            room = memory.empty((size,), np.uint8)
            self._starts[k] = room.ctypes.data
            found[name] = room[offset : offset + like.nbytes].view(like.dtype).reshape(like.shape)
        for unit in self._units:
            if type(unit) is PythonCall:
                unit(arrays, found)
            elif not unit.play(self._starts):
                self.spoiled = True
                return None
        for name, array in self._copied.items():
            found[name] = array.copy()
        return found

    def _follow(self, arrays: Sequence[np.ndarray]) -> bool:
        """Take note of parameters that lie elsewhere than before; False if a kernel would take them otherwise."""
        for k, array in enumerate(arrays):
            if self._known[k]() is not array:
                if (array.shape, array.dtype) != self._kinds[k] or not array.flags.carray:
                    return False
                self._known[k], self._starts[k] = weakref.ref(array), array.ctypes.data
        return True

    # ------------------------------------------------------------------------------------------------------- capturing

    def _taken_apart(
        self, steps: Sequence[Step], known: dict[str, np.ndarray], wanted: Sequence[str]
    ) -> list[list[Launch] | PythonCall]:
        """Run the steps, and write down stretches of launches, and the calls of Python between and behind them."""
        calls, uses = [call_of(step) for step in steps], last_uses(steps, wanted, ())
        parts: list[list[Launch] | PythonCall] = [[]]
        behind: list[PythonCall] = []
        for number, call in enumerate(calls):
            recorder = kernels.launches.Recorder(self._stays)
            arguments = _values(call, known)
            with kernels.runtime.recorded(recorder), memory.drawn_from(self._arena):
                outputs = _outputs(quiet(call.run)(*arguments), len(call.outputs))
            self._held += recorder.arrays
            known.update(zip(call.outputs, outputs, strict=True))
            if self._is_captured(recorder, arguments, outputs):
                parts[-1] += recorder.launches
            else:
                later = {name for other in calls[number + 1 :] for name in _names(other)}
                python = self._python_call(call, arguments, outputs, later)
                if any(target is not None for _, target in python.targets):
                    parts += python, []
                else:  # nobody waits for it, and what it reads is held, so nothing is written there
                    behind.append(python)
            for name in uses.get(number, ()):
                del known[name]
        return [part for part in (*parts, *behind) if part]

    def _python_call(
        self, call: Call, arguments: list[Any], outputs: Sequence[np.ndarray], later: set[str]
    ) -> PythonCall:
        sources, places = [], [_place(x) for x in arguments if isinstance(x, np.ndarray)]
        if any(_within(x, place) for x in outputs if isinstance(x, np.ndarray) for place in places):
            raise Unfit  # whoever gets it would see it change
        for x in arguments:
            if not isinstance(x, np.ndarray):
                sources.append(x)
                continue
            number = next((k for k, ref in enumerate(self._known) if ref() is x), None)
            if number is None and any(_within(x, place) for place in self._places):
                raise Unfit  # a view of what may lie elsewhere
            if number is None:
                self._held.append(x)
            sources.append(x if number is None else Parameter(number))
        targets = [(name, x if name in later else None) for name, x in zip(call.outputs, outputs, strict=True)]
        self._held += [x for x in outputs if isinstance(x, np.ndarray)]
        return PythonCall(quiet(call.run), sources, targets)

    def _plan_results(self, known: dict[str, np.ndarray], wanted: Sequence[str], parts: list) -> None:
        """Which results get memory of their own each time, and which are copied."""
        by_python = {name for part in parts if type(part) is PythonCall for name, _ in part.targets}
        self._fresh: dict[str, tuple[tuple[int, int], int, np.ndarray]] = {}
        self._copied: dict[str, np.ndarray] = {}
        for name in wanted:
            array = known[name]
            if any(_within(array, place) for place in self._places):
                raise Unfit  # somebody's own array
            if name in by_python:
                continue
            place = next((place for place in self._arena.buffers() if _within(array, place)), None)
            others = (*self._held, *(known[other] for other in wanted if other != name))
            alone = place is not None and not any(_within(x, place) for x in others)
            if alone and array.nbytes >= memory.SMALLEST and array.flags.carray:
                like = np.broadcast_to(np.empty((), array.dtype), array.shape)
                self._fresh[name] = place, array.ctypes.data - place[0], like
            else:
                self._copied[name] = array

    def _stays(self, array: np.ndarray) -> bool:
        """Whether the array lies where it does for as long as the capture is, or where a parameter is."""
        return any(_within(array, place) for place in (*self._arena.buffers(), *self._places))

    def _is_captured(self, recorder: Recorder, arguments: Sequence[Any], outputs: Sequence[Any]) -> bool:
        """Whether the launches are all that a step does: not what NumPy has made is returned, nor has it looked."""
        if not outputs or not recorder.pure or not all(isinstance(array, np.ndarray) for array in outputs):
            return False
        places = [_place(array) for array in arguments if isinstance(array, np.ndarray)]
        if recorder.launches:
            places += *self._arena.buffers(), *(_place(array) for array in self._held)
        # Without a launch it is a view.
        return all(any(_within(array, place) for place in places) for array in outputs)


def _run(call: Call, known: dict[str, np.ndarray]) -> None:
    """Do one step on the arrays of these names."""
    known.update(zip(call.outputs, _outputs(quiet(call.run)(*_values(call, known)), len(call.outputs)), strict=True))


def _values(call: Call, known: dict[str, np.ndarray]) -> list[Any]:
    return [x.value if isinstance(x, Setting) else known[x] for x in call.arguments]


def _names(call: Call) -> list[str]:
    return [x for x in call.arguments if not isinstance(x, Setting)]


def _outputs(values: Any, count: int) -> Sequence[Any]:
    return (values,) if count == 1 else values if count else ()


def _place(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes


def _within(array: np.ndarray, place: tuple[int, int]) -> bool:
    return place[0] <= array.ctypes.data < place[0] + place[1]


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
