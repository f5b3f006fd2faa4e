"""The run of a program's steps that captures them: on arrays whose numbers can't be read."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays import memory
from tensorgrad.compiler.capture.host_calls import HostCall, Made, Name, Parameter, arrays_of, outputs_of
from tensorgrad.compiler.guards.trust import is_library
from tensorgrad.compiler.program import Call, Setting, call_of, last_uses
from tensorgrad.compiler.steps import Step, check_guard
from tensorgrad.kernels.jit.opaque import Opaque, real
from tensorgrad.ops.operands import quiet

if TYPE_CHECKING:  # with numba, which is loaded at its first use
    from tensorgrad.kernels.jit.command_list import Launch


class NotCapturable(Exception):
    """These steps or these arrays can't be captured."""


class Capturing:
    """The run of the steps that captures them.

    Attributes:
        parts: lists of launches, and the host calls between and after them.
        views: host calls that take views of parameters; they come first.
        held: arrays that must stay alive.
        known: arrays by name; opaque, except for those that only host calls use.
        by_host: the names of arrays that host calls return.
    """

    def __init__(
        self,
        arena: memory.Arena,
        steps: Sequence[Step],
        parameters: Sequence[str],
        arrays: Sequence[np.ndarray],
        wanted: Sequence[str],
        constants: dict[str, np.ndarray],
        made: Made,
    ) -> None:
        self._made = made
        self._once = {step.outputs for step in steps if step.op is not None and step.once}
        self.views: list[HostCall] = []
        self.held: list[np.ndarray] = []
        self.by_host: set[str] = set()
        self._arena = arena
        self._opaque_arena: Any = _OpaqueArena(arena)
        self._numbers = {name: Parameter(k) for k, name in enumerate(parameters)}
        self._places = [place_of(array) for array in arrays]
        self._made_by: dict[str, Call] = {}  # a view's name -> the step that took it
        self._read: set[str] = set()  # by captured steps
        self._partitions: dict[int, Any] = {}  # of the recorders
        self.known: dict[str, Any] = {
            name: Opaque(array) for name, array in (*constants.items(), *zip(parameters, arrays, strict=True))
        }
        steps = _drawn_first(steps)
        self.parts = self._parts_of([call_of(step) for step in steps], last_uses(steps, wanted, ()))

    def _parts_of(self, calls: Sequence[Call], uses: dict[int, list[str]]) -> list[list[Launch] | HostCall]:
        parts: list[list[Launch] | HostCall] = []
        run: list[Launch] = []
        last: list[HostCall] = []
        for number, call in enumerate(calls):
            launches = self._captured(call)
            if launches is not None:
                run += launches
            else:
                later = calls[number + 1 :]
                read = {name for other in later for name in _names(other)}
                in_turn = _draws(call) and any(map(_draws, later))  # random numbers are drawn in the steps' order
                if read.isdisjoint(call.outputs) and not in_turn:
                    # No step reads its results. What it reads is held, so nothing overwrites it.
                    self.held += [real(self.known[name]) for name in _names(call) if not self._is_given(name)]
                    last.append(self._host_call(call))
                else:
                    host = self._host_call(call)
                    parts += run, host
                    run = []
            for name in uses.get(number, ()):
                if name not in self._made_by or not self._is_given(name):
                    del self.known[name]
        return [self._without_idle_targets(part) for part in (*parts, run, *last) if part]

    def _captured(self, call: Call) -> list[Launch] | None:
        """The launches of a step; None if it must be a host call."""
        names = _names(call)
        opaque = names and all(type(self.known[name]) is Opaque for name in names)
        # A user's host call may do anything.
        if not opaque or call.outputs in self._once or _draws(call) or not _is_of_the_library(call.run):
            return None
        arguments = _values(call, self.known)
        recorder = kernels.command_list.Recorder(self._partitions)
        try:
            with kernels.dispatch.recorded(recorder), memory.drawn_from(self._opaque_arena):
                outputs = outputs_of(quiet(call.run)(*arguments), len(call.outputs))
        except memory.ArenaFull:
            raise
        except Exception:  # the step reads values; if it fails on real arrays too, the host call raises
            return None
        # A guard that holds on opaque arrays asks for layouts, which are the same in each replay.
        if not (outputs or call.run is check_guard) or not all(type(x) is Opaque for x in outputs):
            return None
        self.held += recorder.constants
        self.known.update(zip(call.outputs, outputs, strict=True))
        self._read.update(names)
        if not recorder.launches:
            self._made_by.update(dict.fromkeys(call.outputs, call))
        return recorder.launches

    def _host_call(self, call: Call) -> HostCall:
        """Note the call's arguments and results."""
        sources = [x.value if isinstance(x, Setting) else self._source(x) for x in call.arguments]
        arguments = [x.value if isinstance(x, Setting) else real(self.known[x]) for x in call.arguments]
        outputs = []
        values = self._results(call, arguments)
        if values is None or any(np.may_share_memory(x, y) for x in arrays_of(arguments) for y in arrays_of(values)):
            raise NotCapturable  # a view of an argument: a copy of it would no longer share the argument's memory
        for name, value in zip(call.outputs, values, strict=True):
            target = self._target(value)
            self.known[name] = value if target is None else Opaque(target)
            self.by_host.add(name)
            outputs.append((name, None if target is None else self._unowned(target)))
        return HostCall(quiet(call.run), sources, outputs)

    def _results(self, call: Call, arguments: Sequence[Any]) -> Sequence[Any] | None:
        """What the call returns; None for a view, where that is known."""
        if call.outputs in self._made:
            return self._made[call.outputs]
        if call.run is check_guard:
            return ()  # it has just held
        return outputs_of(quiet(call.run)(*arguments), len(call.outputs))

    def _target(self, value: np.ndarray) -> np.ndarray | None:
        """Memory from which captured steps read a host call's result, laid out alike, with a copy of the result."""
        # From the axis of the longest steps to that of the shortest, and back
        if not isinstance(value, np.ndarray):
            return None
        order = sorted(range(value.ndim), key=lambda axis: -value.strides[axis])
        with suppress(memory.ArenaFull):
            target = self._arena.take(tuple(value.shape[axis] for axis in order), value.dtype)
            target = target.transpose(np.argsort(order))
            if target.strides == value.strides:
                np.copyto(target, value)
                return target
        return None

    def _source(self, name: str) -> Any:
        """The source of an argument of a host call."""
        if name in self._numbers:
            return self._numbers[name]
        if name in self.by_host or self.returned_by_view(name):
            return Name(name)
        return self._unowned(real(self.known[name]))

    def _unowned(self, array: np.ndarray) -> np.ndarray:
        """The array as a host call takes it: a view of the arena's memory that doesn't keep its buffer in use."""
        place = next((place for place in self._arena.buffers() if begins_within(array, place)), None)
        if place is not None:
            begin, size = place
            buffer: Any = (ctypes.c_char * size).from_address(begin)
            array = np.ndarray(array.shape, array.dtype, buffer, array.ctypes.data - begin, array.strides)
        self.held.append(array)
        return array

    def returned_by_view(self, name: str) -> bool:
        """Whether the array is a parameter, which may move, or a view of one: host calls take the view anew."""
        if not self._is_given(name):
            return False
        if name not in self.by_host:
            call = self._made_by.get(name)
            if call is None:
                raise NotCapturable  # an array that no step made
            sources = [x.value if isinstance(x, Setting) else self._source(x) for x in call.arguments]
            self.views.append(HostCall(call.run, sources, [(output, None) for output in call.outputs]))
            self.by_host.update(call.outputs)
        return True

    def _is_given(self, name: str) -> bool:
        array = real(self.known[name])
        return any(begins_within(array, place) for place in self._places)

    def _without_idle_targets(self, part: list[Launch] | HostCall) -> list[Launch] | HostCall:
        if not isinstance(part, HostCall):
            return part
        return part._replace(outputs=[(name, x if name in self._read else None) for name, x in part.outputs])


class _OpaqueArena:
    """An arena for `memory.empty` whose arrays are opaque."""

    def __init__(self, arena: memory.Arena) -> None:
        self._arena = arena

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        return Opaque(self._arena.take(shape, dtype))


def _drawn_first(steps: Sequence[Step]) -> list[Step]:
    """The steps, with the library's draws of random numbers before all others, as many as keep their turn.

    A mask that is drawn between two command lists makes two parallel regions of one, and while Python draws it the
    other threads fall asleep. Draws pass only what the library computes: a user's function may look at the generator.
    """
    first: list[int] = []
    for k, step in enumerate(steps):
        called = step.function, *(x for x in step.settings.values() if callable(x))  # a guard's condition is a setting
        if step.op is None and not all(map(_is_of_the_library, called)):
            break
        if _draws(call_of(step)):
            if step.op is not None or step.takes:
                break
            first.append(k)
    return [*(steps[k] for k in first), *(step for k, step in enumerate(steps) if k not in first)]


def _is_of_the_library(function: Any) -> bool:
    """Whether a function is the library's own, or a method of a generator."""
    method = isinstance(getattr(function, "__self__", None), np.random.Generator)
    return method or is_library(getattr(function, "__globals__", {}))


def _values(call: Call, known: dict[str, Any]) -> list[Any]:
    return [x.value if isinstance(x, Setting) else known[x] for x in call.arguments]


def _names(call: Call) -> list[str]:
    return [x for x in call.arguments if not isinstance(x, Setting)]


def _draws(call: Call) -> bool:
    """Whether the call may pass a random number to a kernel, where it would be fixed."""
    values = (*[x.value for x in call.arguments if isinstance(x, Setting)], getattr(call.run, "__self__", None))
    return any(isinstance(value, np.random.Generator) for value in values)


def place_of(array: np.ndarray) -> tuple[int, int]:
    """Where a contiguous array begins in memory, and its bytes."""
    return array.ctypes.data, array.nbytes


def begins_within(array: np.ndarray, place: tuple[int, int]) -> bool:
    """Whether the first element of an array lies in a place."""
    return place[0] <= array.ctypes.data < place[0] + place[1]
