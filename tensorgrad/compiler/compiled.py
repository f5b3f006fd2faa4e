"""`tg.compile`: a function that records what it does, and replays it once two recordings agree."""

from __future__ import annotations

import copy
import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from tensorgrad.autograd import modes
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.call import Call
from tensorgrad.compiler.entry import Entry, State, clock
from tensorgrad.compiler.guards.guards import Guards, changed_by
from tensorgrad.compiler.guards.surroundings import Surroundings
from tensorgrad.compiler.program import StoppedHalfway
from tensorgrad.compiler.recording import Recording
from tensorgrad.compiler.replay import Plan, replay
from tensorgrad.compiler.structure import filled, taken
from tensorgrad.errors import DTypeError, restate

P = ParamSpec("P")
R = TypeVar("R")

PROGRAMS = 64
"""The most kinds of calls that are kept; the least recently used kind is dropped first."""

KEPT = 64 * 1024**2
"""The most bytes of constants in all programs of a compiled function. The program used last may exceed it alone."""

OPTIONS = frozenset({"backend", "disable", "dynamic", "fullgraph", "mode", "options"})
"""PyTorch's options of `compile`."""


@overload
def compile(function: Callable[P, R], **options: Any) -> CompiledFunction[P, R]: ...
@overload
def compile(function: None = None, **options: Any) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...
def compile(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A function that does what `function` does, without the engine's work for each op.

    The first two calls run the function and record its ops, forward and backward. If both did the same, later calls
    replay the recording: a flat program of the same ops on arrays, in which one pass over memory may do the work of
    several ops. The results are the function's own, to the bit. Gradients flow through them as without `compile`: in
    the engine's graph the whole call is one op. A training step may be recorded as a whole: `zero_grad()`,
    `backward()` and an optimizer's `step()` inside are done in each replay.

    Each kind of call (shapes, dtypes, `requires_grad`, `no_grad`, plain arguments) has a recording of its own. It is
    recorded anew when something else that the function reads has changed: closures, globals, attributes, containers,
    the mode of a module.

    A function that can't be replayed runs as it is, with one warning that says why. Such a function

    - reads values: `.item()`, `if x > 0`, `.numpy()`;
    - takes gradients inside other than by `backward()`;
    - reads a parameter after an optimizer inside has changed it;
    - changes what it reads, such as a counter;
    - depends on clocks, files or random numbers from elsewhere;
    - or applies other ops in one call than in the next.

    Where a replay fails (a label out of range), the function itself runs, and raises its own error. While an observer
    watches (`tg.viz.trace`), it runs as it is too, so that every op is seen. A replay repeats ops only: a `print`
    inside prints while the function is recorded, and no longer when it is replayed.

    Args:
        function: takes tensors (ndarrays are wrapped), plain values, and tuples, lists, dicts and dataclasses of them;
            returns a tensor, or tuples, lists or dicts of tensors. A module is such a function.
        options: PyTorch's `fullgraph`, `dynamic`, `backend`, `mode` and `options`, without effect; `disable=True` gives
            the function itself.

    Returns:
        The compiled function; its `source` shows the programs, `problems` why calls could not be replayed. A compiled
        module has the module's attributes and methods, too. Without `function` the result is a decorator:
        `@tg.compile(mode="default")`.

    Raises:
        DTypeError: something that can't be called, or an unknown option.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([2.0, 3.0], requires_grad=True)
    >>> cost = tg.compile(lambda x: (w * x).relu().sum())
    >>> for _ in range(3):
    ...     w.grad = None
    ...     cost(tg.tensor([1.0, 4.0])).backward()
    >>> w.grad, cost.replays
    (tensor([1., 4.]), 1)
    >>> print(cost.source.splitlines()[1].strip())
    multiply_1 = run_multiply_1(leaf_1, input_1)
    """
    if not options.keys() <= OPTIONS:
        unknown = ", ".join(sorted(options.keys() - OPTIONS))
        raise DTypeError(restate("compile", f"unknown options: {unknown}", expected=", ".join(sorted(OPTIONS))))
    if function is None:
        return functools.partial(compile, **options)
    return function if options.get("disable") else CompiledFunction(function)


class _Counts:
    """What a compiled function counts in each call.

    An object of its own, since an assignment to a `CompiledFunction` is slow: it calls `__setattr__` below.
    """

    __slots__ = ("replays", "unreplayed")

    def __init__(self) -> None:
        self.replays = 0
        self.unreplayed = 0  # new kinds of calls since the last replay


class CompiledFunction(Generic[P, R]):
    """What `compile` returns; call it as the function.

    Attributes:
        function: what was compiled.
        replays: how many calls were replayed so far.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        if not callable(function):
            raise DTypeError(restate("compile", "function must be callable: a function or a module", function=function))
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self._takes_any_name = _takes_any_name(function)
        self._entries: dict[Any, Entry] = {}
        self._counts = _Counts()
        self._warned = False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Replay the recording for a call of this kind; else run the function, and record it."""
        if modes.observers():
            return self.function(*args, **kwargs)
        call = Call(args, kwargs, self._takes_any_name)
        entry = self._entries.get(call.kind)
        state = None if entry is None else entry.state_of(call)
        if entry is None or state is None or state.program is None:
            return self._record(call, state)
        try:
            outputs = replay(state.program, call.inputs, functools.partial(self._again, call))
        except StoppedHalfway as stop:
            raise stop.error from None
        except Exception as error:
            if not getattr(error, "repeatable", True):
                raise
            entry.stopped(state)
            result = self.function(*call.args, **call.kwargs)  # raises its own error
            if entry.failed_alone(error):
                self._warn(entry.problems[-1])
            return result
        counts = self._counts
        counts.replays += 1
        entry.failures = entry.stops = entry.errors = counts.unreplayed = 0
        entry.used = next(clock)
        return filled(state.structure, iter(outputs))

    def __getattr__(self, name: str) -> Any:
        """What the function has itself: `parameters()`, `train()` and the layers of a module."""
        if name.startswith("_") or name == "function":  # a protocol, or a copy that is being made
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name == "function":
            super().__setattr__(name, value)
        else:
            setattr(self.function, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        return CompiledFunction(copy.deepcopy(self.function, memo))  # the copy records by itself

    def __reduce__(self) -> tuple:
        return CompiledFunction, (self.function,)

    def _compiled_reads(self) -> tuple[Callable[..., Any]]:
        """The objects that another compiled function depends on if it calls this one."""
        return (self.function,)

    def clear(self) -> None:
        """Drop all recordings and free their memory: the next calls are recorded anew.

        By itself a compiled function drops the kinds of calls least recently used where there are more than 64, or
        where their constants take more than 64 MiB; what the captures of all functions keep together stays below
        1 GiB.
        """
        self._entries.clear()

    @property
    def replays(self) -> int:
        """How many calls have replayed a recording."""
        return self._counts.replays

    @property
    def source(self) -> str:
        """The programs of all kinds of calls recorded so far, as Python."""
        programs = [state.program for entry in self._entries.values() for state in entry.states]
        return "\n".join(dict.fromkeys(program.source for program in programs if program is not None))

    @property
    def problems(self) -> list[str]:
        """Why calls can't be replayed."""
        found = [problem for entry in self._entries.values() for problem in entry.problems]
        return list(dict.fromkeys(found + ([_NEVER_REPLAYED] if self._counts.unreplayed >= PROGRAMS else [])))

    def __repr__(self) -> str:
        programs = {id(state.program) for entry in self._entries.values() for state in entry.states if state.program}
        problems = len(self.problems)
        return f"compile({self.function!r}): {len(programs)} programs, {problems} reasons why calls run as they are"

    # ------------------------------------------------------------------------------------------------------- recording

    def _record(self, call: Call, state: State | None) -> Any:
        """Run the function and record it; make a program if an earlier call did the same."""
        entry = self._entries.get(call.kind) or self._new_entry(call.kind)
        if entry.given_up or (state is not None and state.problem is not None):
            return self.function(*call.args, **call.kwargs)
        # Guards twice: before the call of all that the function could read, after it of what the code that ran reads.
        # Where they differ, the call has changed what it reads.
        guards = Guards(self.function, call.objects)
        recording, surroundings = Recording(call.inputs, guards.tensors), Surroundings(guards)
        with modes.observe(recording), modes.observe(surroundings), surroundings:
            result = self.function(*call.args, **call.kwargs)
        outputs: list[Variable] = []
        structure = taken(result, outputs, recording)
        recording.finish(outputs)
        before, guards = guards, Guards(self.function, call.objects, surroundings.ran)
        changed = "its arguments" if call.changed() else changed_by(before, guards)
        recorded = State(guards, call, structure)
        recorded.problem = recording.problem or guards.problem or surroundings.problem or _unfollowed(recording, guards)
        if recorded.problem is None and changed is None:
            recorded.plan = Plan(recording, call.inputs, outputs)
            recorded.problem = recording.problem  # the plan may have met one more
        recording.forget()
        entry.learn(recorded, changed)
        if entry.problems:
            self._warn(entry.problems[-1])
        return result

    def _new_entry(self, kind: Any) -> Entry:
        """Add an entry for a new kind of call; drops the least recently used ones beyond the limits."""
        entries = sorted(self._entries.items(), key=lambda item: item[1].used)
        total = sum(entry.nbytes for _, entry in entries)
        while entries and (len(entries) >= PROGRAMS or total > KEPT):
            oldest, dropped = entries.pop(0)
            total -= dropped.nbytes
            self._entries.pop(oldest, None)
        entry = self._entries[kind] = Entry()
        self._counts.unreplayed += 1
        if self._counts.unreplayed == PROGRAMS:
            self._warn(_NEVER_REPLAYED)
        return entry

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(_advice(self.function, problem), RuntimeWarning, stacklevel=4)

    def _again(self, call: Call) -> list[Variable]:
        """Run the function op by op, with recording, and return its tensors."""
        outputs: list[Variable] = []
        taken(self.function(*call.args, **call.kwargs), outputs, None)
        return outputs


_NEVER_REPLAYED = f"the last {PROGRAMS} calls differed in shapes, dtypes or arguments: each was recorded, none replayed"


def _unfollowed(recording: Recording, guards: Guards) -> str | None:
    """Why a replay can't rely on a leaf: the guards don't know where the function found it. None if it can on all."""
    gradients = {id(tensor._grad) for tensor in guards.tensors.values() if tensor._grad is not None}
    for leaf in recording.leaves.values():
        if id(leaf) in gradients:
            return "it reads the .grad of a tensor, which each backward() sets anew"
        if leaf._requires_grad and id(leaf) not in guards.tensors:
            return f"it makes or finds a tensor that requires a gradient ({leaf.name or 'without a name'}) by itself"
    return None


def _takes_any_name(function: Callable[..., Any]) -> bool:
    """Whether the function has a parameter `**kwargs`: that is a dict, so the order of keyword arguments may matter."""
    try:
        parameters = inspect.signature(getattr(function, "forward", function)).parameters.values()
    except (ValueError, TypeError):
        return True
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _advice(function: Callable, problem: str) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return restate("compile", f"{name} runs op by op, as without compile: {problem}", function=function)
