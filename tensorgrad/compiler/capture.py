"""Graph capture: the kernel launches of a program as a command list, replayed by one call in fixed memory.

What a step does around its kernels (checks, plans, buffers, arguments) is the same in each replay of a program, since
the sizes are. So it is done once, and the packed arguments of each launch are kept: a command list. That is sound
because a step is captured on arrays whose numbers can't be read (`kernels.jit.opaque`). It can pass its kernels nothing
but parameters, constants, fixed memory that earlier launches have filled, and numbers that follow from sizes. A step
that reads numbers or computes with NumPy raises there, and becomes a host call: Python makes it in each replay, between
two command lists.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays import memory
from tensorgrad.compiler.program import Call, Setting, call_of, function_of, last_uses
from tensorgrad.compiler.recording import Step
from tensorgrad.kernels.jit.opaque import Opaque, extent, real
from tensorgrad.ops.operands import quiet

if TYPE_CHECKING:  # with numba, which is loaded at its first use
    from tensorgrad.kernels.jit.command_list import Launch

LIMIT = KEPT = memory.LIMIT
"""Bytes that a capture, and that all captures of the process, hold at most; the least recently used are dropped first.

The steps themselves take as much from the pool of buffers, whose limit this is, and a capture leaves the pool empty.
"""

TRIES = 3
"""Attempts to capture a program, after which its steps run."""


class NotCapturable(Exception):
    """These steps or these arrays can't be captured."""


class NotReplayed(Exception):
    """A capture was made or found to be invalid: undo what has happened, and run the steps."""


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
        self._begin = function_of("begin", (), (), (), {}, before)
        self._late = tuple(dict.fromkeys(name for name in self._results if name in made))
        self._finish = function_of("finish", (), (), self._late, {}, (), effects, self._taken)
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
            self._begin()
            found = self._found(arrays)
        finally:
            self._lock.release()
        if found is None:
            raise NotReplayed
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


class HostCall(NamedTuple):
    """A step that Python runs in each replay.

    Attributes:
        sources: per argument the number of a parameter, the name of what an earlier host call returned, or the array
            or the setting itself.
        outputs: per output its name, and the array in which captured steps read it, None if none does.
    """

    run: Callable[..., Any]
    sources: list[Any]
    outputs: list[tuple[str, np.ndarray | None]]

    def __call__(self, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> bool:
        """Compute, and copy the outputs to their arrays. False if one is laid out otherwise than at the capture."""
        arguments = [_SOURCES.get(type(x), _itself)(x, arrays, found) for x in self.sources]
        values = self.run(*arguments)
        for (name, target), value in zip(self.outputs, _outputs(values, len(self.outputs)), strict=True):
            if target is not None:
                if value.strides != target.strides:
                    return False
                np.copyto(target, value)
            found[name] = value if target is None else target  # what isn't kept is free for other arrays
        return True


class Parameter(int):
    """The number of a parameter."""


class Name(str):
    """The name of what a host call returned."""

    __slots__ = ()


def _itself(value: Any, arrays: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> Any:
    return value


_SOURCES = {Parameter: lambda number, arrays, _: arrays[number], Name: lambda name, _, found: found[name]}


class Captured:
    """Steps that were captured on some arrays, and can run on others of the same kind.

    Attributes:
        invalid: whether a kernel set its status flag (the steps then raise their own error), or the number of threads
            has changed.

    Raises:
        NotCapturable: the steps or the arrays can't be captured.
        memory.ArenaFull: the steps need too much memory.
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
            raise NotCapturable  # kernels would get copies
        if any(_within(one, _place(other)) or _within(other, _place(one)) for one, other in combinations(arrays, 2)):
            raise NotCapturable  # one of them may move
        self.invalid = False
        self._threads, self._arena = kernels.dispatch.get_num_threads(), memory.Arena(LIMIT)
        self._places = [_place(array) for array in arrays]
        self._kinds = [(array.shape, array.dtype) for array in arrays]
        self._known = [weakref.ref(array) for array in arrays]
        self._held: list[np.ndarray] = []
        capture = _Capture(self._arena, steps, parameters, arrays, wanted, constants)
        parts = capture.parts
        hosts = sum(type(part) is HostCall for part in parts)
        if sum(len(part) for part in parts if type(part) is list) <= hosts:
            raise NotCapturable  # a host call costs as much as a launch saves
        self._held, self._views = capture.held, capture.views
        self._plan_results(capture, wanted)
        regions = [*self._places, *(place for place, *_ in self._fresh.values())]
        self._units = [
            part if isinstance(part, HostCall) else kernels.command_list.CommandList(part, regions) for part in parts
        ]
        self._starts = np.array([begin for begin, _ in regions], np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of the fixed memory."""
        return self._arena.nbytes

    def fill(self, byte: int) -> None:
        """Overwrite all memory between the steps."""
        self._arena.fill(byte)

    def run(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray] | None:
        """The wanted arrays by name, owned by the caller; None if the capture can't run now."""
        if not kernels.dispatch.parallel_with(self._threads) or not self._follow(arrays):
            self.invalid = kernels.dispatch.get_num_threads() != self._threads
            return None
        found: dict[str, np.ndarray] = {}
        for k, (name, ((_, size), offset, like)) in enumerate(self._fresh.items(), len(arrays)):
            buffer = memory.empty((size,), np.uint8)
            self._starts[k] = buffer.ctypes.data
            found[name] = buffer[offset : offset + like.nbytes].view(like.dtype).reshape(like.shape)
        for unit in (*self._views, *self._units):
            if not (unit(arrays, found) if isinstance(unit, HostCall) else unit.play(self._starts)):
                self.invalid = True
                return None
        for name, array in self._copied.items():
            found[name] = _copied(array)
        for name in self._by_host:
            if _borrows(found[name], self._stays):
                found[name] = _copied(found[name])
        return found

    def _follow(self, arrays: Sequence[np.ndarray]) -> bool:
        """Note parameters that have moved; False if one has another shape, dtype or layout."""
        for k, array in enumerate(arrays):
            if self._known[k]() is not array:
                if (array.shape, array.dtype) != self._kinds[k] or not array.flags.carray:
                    return False
                self._known[k], self._starts[k] = weakref.ref(array), array.ctypes.data
        return True

    def _plan_results(self, capture: _Capture, wanted: Sequence[str]) -> None:
        """Decide which results get fresh memory in each run and which are copied; host calls return the others."""
        self._by_host = [name for name in wanted if name in capture.by_host or capture.returned_by_view(name)]
        self._stays = [*self._arena.buffers(), *map(_place, self._held)]
        self._fresh: dict[str, tuple[tuple[int, int], int, np.ndarray]] = {}
        self._copied: dict[str, np.ndarray] = {}
        made = [real(capture.known[name]) for name in wanted if not capture.returned_by_view(name)]
        if any(np.may_share_memory(one, other) for one, other in combinations(made, 2)):
            raise NotCapturable  # each would be copied, and a change of one would not be seen in the other
        for name in wanted:
            if name in self._by_host:
                continue
            array = real(capture.known[name])
            place = next((place for place in self._arena.buffers() if _within(array, place)), None)
            others = (*self._held, *(real(capture.known[other]) for other in wanted if other != name))
            alone = place is not None and not any(_within(x, place) for x in others)
            if place is not None and alone and array.nbytes >= memory.SMALLEST and array.flags.carray:
                like = np.broadcast_to(np.empty((), array.dtype), array.shape)
                self._fresh[name] = place, array.ctypes.data - place[0], like
            else:
                self._copied[name] = array


class _Capture:
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
    ) -> None:
        self.views: list[HostCall] = []
        self.held: list[np.ndarray] = []
        self.by_host: set[str] = set()
        self._arena = arena
        self._opaque_arena: Any = _OpaqueArena(arena)
        self._numbers = {name: Parameter(k) for k, name in enumerate(parameters)}
        self._places = [_place(array) for array in arrays]
        self._made_by: dict[str, Call] = {}  # a view's name -> the step that took it
        self._read: set[str] = set()  # by captured steps
        self.known = {
            name: Opaque(array) for name, array in (*constants.items(), *zip(parameters, arrays, strict=True))
        }
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
                later = {name for other in calls[number + 1 :] for name in _names(other)}
                if later.isdisjoint(call.outputs):
                    # No step reads its results. What it reads is held, so nothing overwrites it.
                    self.held += [real(self.known[name]) for name in _names(call)]
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
        arguments = _values(call, self.known)
        if not all(type(self.known[name]) is Opaque for name in _names(call)) or _draws(call):
            return None
        recorder = kernels.command_list.Recorder()
        try:
            with kernels.dispatch.recorded(recorder), memory.drawn_from(self._opaque_arena):
                outputs = _outputs(quiet(call.run)(*arguments), len(call.outputs))
        except memory.ArenaFull:
            raise
        except Exception:  # it reads numbers; if the step itself fails, the host call raises
            return None
        if not outputs or not all(type(x) is Opaque for x in outputs):
            return None
        self.held += recorder.constants
        self.known.update(zip(call.outputs, outputs, strict=True))
        self._read.update(_names(call))
        if not recorder.launches:
            self._made_by.update(dict.fromkeys(call.outputs, call))
        return recorder.launches

    def _host_call(self, call: Call) -> HostCall:
        """Make the call, and note its arguments and results."""
        sources = [x.value if isinstance(x, Setting) else self._source(x) for x in call.arguments]
        arguments = [x.value if isinstance(x, Setting) else real(self.known[x]) for x in call.arguments]
        outputs = []
        values = _outputs(quiet(call.run)(*arguments), len(call.outputs))
        if any(np.may_share_memory(x, y) for x in _arrays(arguments) for y in _arrays(values)):
            raise NotCapturable  # a view: a copy of it would share nothing with what it shows
        for name, value in zip(call.outputs, values, strict=True):
            target = self._target(value)
            self.known[name] = value if target is None else Opaque(target)
            self.by_host.add(name)
            outputs.append((name, None if target is None else self._fixed(target)))
        return HostCall(quiet(call.run), sources, outputs)

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
        return self._fixed(real(self.known[name]))

    def _fixed(self, array: np.ndarray) -> np.ndarray:
        """The array, for a host call: in the arena without a reference, so that its memory is used again after it."""
        place = next((place for place in self._arena.buffers() if _within(array, place)), None)
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
        return any(_within(array, place) for place in self._places)

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


def _values(call: Call, known: dict[str, Any]) -> list[Any]:
    return [x.value if isinstance(x, Setting) else known[x] for x in call.arguments]


def _names(call: Call) -> list[str]:
    return [x for x in call.arguments if not isinstance(x, Setting)]


def _draws(call: Call) -> bool:
    """Whether the call may pass a random number to a kernel, where it would be fixed."""
    values = (*[x.value for x in call.arguments if isinstance(x, Setting)], getattr(call.run, "__self__", None))
    return any(isinstance(value, np.random.Generator) for value in values)


def _outputs(values: Any, count: int) -> Sequence[Any]:
    return (values,) if count == 1 else values if count else ()


def _arrays(values: Sequence[Any]) -> list[np.ndarray]:
    return [x for x in values if isinstance(x, np.ndarray)]


def _copied(array: np.ndarray) -> np.ndarray:
    """A copy that is laid out alike, as a view of a result is: what sums over it follows the order of memory."""
    if array.flags.carray:
        return array.copy()
    shape, strides, dtype = array.shape, array.strides, array.dtype
    count, at = extent(shape, strides, dtype.itemsize)
    copy = np.ndarray(shape, dtype, np.empty(count, dtype), at * dtype.itemsize, strides)
    once = tuple([slice(None if stride else 1) for stride in strides])  # of an axis that repeats its elements
    np.copyto(copy[once], array[once])
    copy.flags.writeable = array.flags.writeable
    return copy


def _borrows(array: np.ndarray, places: Sequence[tuple[int, int]]) -> bool:
    """Whether the array is a view of memory in one of these places."""
    if array.base is None:
        return False
    start = array.ctypes.data
    return any(begin <= start < begin + size for begin, size in places)


def _place(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes


def _within(array: np.ndarray, place: tuple[int, int]) -> bool:
    return place[0] <= array.ctypes.data < place[0] + place[1]
