"""`tg.compile`: a function that records what it does, and replays it once two recordings agree."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, overload

from tensorgrad.autograd import modes
from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.call import Call
from tensorgrad.compiler.guards.exact import same
from tensorgrad.compiler.guards.guards import Guards, changed_by
from tensorgrad.compiler.guards.surroundings import Surroundings
from tensorgrad.compiler.program import StoppedHalfway
from tensorgrad.compiler.recording import HELPERS, Recording
from tensorgrad.compiler.replay import Plan, Program, replay
from tensorgrad.compiler.steps import GuardFailed
from tensorgrad.errors import DTypeError, restate

P = ParamSpec("P")
R = TypeVar("R")

PROGRAMS = 64
"""Kinds of calls that are kept; the one least recently used goes first."""

KEPT = 64 * 1024**2
"""Bytes of constants that the programs of a compiled function hold together at most, but for the one used last."""

STATES = 8
"""Recordings of one kind of call that are kept: a module in training, the same in evaluation, ..."""

PATIENCE = 8
"""Recordings in a row without a replay after which a kind of call is given up."""

CHANGES = 3
"""Recordings that change what they read, after which a kind of call is given up: the first may fill a cache."""


OPTIONS = frozenset({"backend", "disable", "dynamic", "fullgraph", "mode", "options"})
"""PyTorch's options of `compile`."""

ERRORS = 16
"""Replays in a row that raise where the function itself doesn't, until a kind of call is given up."""

STOPS = 4
"""Replays in a row that stop early, because a condition turned out otherwise, until calls are recorded anew."""


@overload
def compile(function: Callable[P, R], **options: Any) -> CompiledFunction[P, R]: ...
@overload
def compile(function: None = None, **options: Any) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...
def compile(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A function that does what `function` does, without the engine's work for each op.

    The first two calls run the function and record its ops, forward and backward. If both did the same, later calls
    replay the recording: a flat program of the same ops on arrays, in which one pass over memory may do the work of
    several ops. The results are those of the function to the bit, and gradients flow through them as ever: in an
    engine's graph the whole call is one op. A training step may be recorded as a whole: `zero_grad()`, `backward()` and
    an optimizer's `step()` inside are done in each replay. Calls of another kind (shapes, dtypes, `requires_grad`,
    `no_grad`, plain arguments) are recorded by themselves; so is every kind anew when something else that the function
    reads has changed: closures, globals, attributes, containers, the mode of a module.

    What can't be replayed runs as it is, with one warning that says why: a function that reads values (`.item()`,
    `if x > 0`, `.numpy()`), that takes gradients otherwise, that goes on with what an optimizer has changed, that
    changes what it reads (a counter), that depends on clocks, files or random numbers from elsewhere, or whose ops
    differ between calls. Where a replay fails (a label out of range), the function itself runs, and raises
    its own error. While an observer watches (`tg.viz.trace`), it runs as it is too, so that every op is seen.

    What no op does isn't repeated: `print`.

    Args:
        function: takes tensors (ndarrays are wrapped), plain values, and tuples, lists, dicts and dataclasses of them;
            returns a tensor, or tuples, lists or dicts of tensors. A module is such a function.
        options: PyTorch's `fullgraph`, `dynamic`, `backend`, `mode` and `options`, without effect; `disable=True` gives
            the function itself.

    Returns:
        The compiled function; its `source` shows the programs, `problems` what could not be replayed. That of a module
        has the module's attributes and methods, too. Without a function, a decorator: `@tg.compile(mode="default")`.

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
    """What a compiled function counts in each call: attributes of an object of its own, which cost least to set."""

    __slots__ = ("replays", "unreplayed")

    def __init__(self) -> None:
        self.replays = 0
        self.unreplayed = 0  # new kinds of calls in a row, with no replay between


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
        self._entries: dict[Any, _Entry] = {}
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
            entry.stopped(state)
            result = self.function(*call.args, **call.kwargs)  # raises its own error
            if entry.failed_alone(error):
                self._warn(entry.problems[-1])
            return result
        counts = self._counts
        counts.replays += 1
        entry.failures = entry.stops = entry.errors = counts.unreplayed = 0
        entry.used = next(_clock)
        return _filled(state.structure, iter(outputs))

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

    def _record(self, call: Call, state: _State | None) -> Any:
        """Run the function and record it; make a program if an earlier call did the same."""
        entry = self._entries.get(call.kind) or self._new_entry(call.kind)
        if entry.given_up or (state is not None and state.problem is not None):
            return self.function(*call.args, **call.kwargs)
        guards = Guards(self.function, call.objects)
        recording, surroundings = Recording(call.inputs, guards.tensors), Surroundings(guards)
        with modes.observe(recording), modes.observe(surroundings), surroundings:
            result = self.function(*call.args, **call.kwargs)
        outputs: list[Variable] = []
        structure = _taken(result, outputs, recording)
        recording.finish(outputs)
        before, guards = guards, Guards(self.function, call.objects, surroundings.ran)
        changed = "its arguments" if call.changed() else changed_by(before, guards)
        found = _State(guards, call, structure)
        found.problem = recording.problem or guards.problem or surroundings.problem or _unfollowed(recording, guards)
        if found.problem is None and changed is None:
            found.plan = Plan(recording, call.inputs, outputs)
            found.problem = recording.problem
        recording.forget()
        entry.learn(found, changed)
        if entry.problems:
            self._warn(entry.problems[-1])
        return result

    def _new_entry(self, kind: Any) -> _Entry:
        entries = sorted(self._entries.items(), key=lambda item: item[1].used)
        total = sum(entry.nbytes for _, entry in entries)
        while entries and (len(entries) >= PROGRAMS or total > KEPT):
            oldest, dropped = entries.pop(0)
            total -= dropped.nbytes
            self._entries.pop(oldest, None)
        entry = self._entries[kind] = _Entry()
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
        _taken(self.function(*call.args, **call.kwargs), outputs, None)
        return outputs


_NEVER_REPLAYED = f"the last {PROGRAMS} calls differed in shapes, dtypes or arguments: each was recorded, none replayed"


class _State:
    """What a call of one kind did while everything that it reads was in one state."""

    def __init__(self, guards: Guards, call: Call, structure: Any) -> None:
        self.guards, self.structure = guards, structure
        self.bound = self._bound(call)
        self.plan: Plan | None = None
        self.program: Program | None = None
        self.problem: str | None = None

    def _bound(self, call: Call) -> list[int]:
        """The identities of inputs that the function can also reach by itself, 0 for all others."""
        tensors = self.guards.tensors
        return [id(x) if id(x) in tensors else 0 for x in call.inputs]

    def matches(self, call: Call) -> bool:
        """Whether everything that the function reads is as in this state."""
        return self.guards.changed() is None and self._bound(call) == self.bound

    def agrees_with(self, other: _State) -> bool:
        """Whether both calls did the same, so that a third will too."""
        return (
            other.plan is not None
            and self.plan is not None
            and same(self.structure, other.structure)
            and self.plan.agrees_with(other.plan)
        )


_clock = itertools.count()


class _Entry:
    """What is known of one kind of call.

    Attributes:
        states: those that were recorded, the latest used first.
        used: when it was used last, by a running number.
        failures, stops: recordings, and replays that stopped early, since the last complete replay.
        errors: replays since then that raised where the function itself did not.
        given_up: why no more recordings are made; None while they are.
    """

    def __init__(self) -> None:
        self.states: list[_State] = []
        self.failures = self.stops = self.errors = 0
        self.given_up: str | None = None
        self.used = next(_clock)
        self._changes = 0
        self._difference: str | None = None
        self._leaf: str | None = None

    @property
    def program(self) -> Program | None:
        """That of the state used last, if there is one."""
        return self.states[0].program if self.states else None

    @property
    def nbytes(self) -> int:
        """Bytes of the constants of its programs."""
        programs = {id(state.program): state.program for state in self.states if state.program is not None}
        return sum(program.nbytes for program in programs.values())

    @property
    def problems(self) -> list[str]:
        """Why calls of this kind, or some of them, can't be replayed."""
        found = [state.problem for state in self.states if state.problem is not None]
        return [*found, self.given_up] if self.given_up else found

    def state_of(self, call: Call) -> _State | None:
        """The state whose guards hold now; None if there is none."""
        states = self.states  # another thread may put a new list in its place
        for k, state in enumerate(states):
            if state.matches(call):
                if k:
                    self.states = [state, *states[:k], *states[k + 1 :]]
                return state
        self._difference = states[0].guards.changed() if states else None
        return None

    def stopped(self, state: _State) -> None:
        """A replay has stopped early. After several in a row the call is recorded anew."""
        self.stops += 1
        if self.stops >= STOPS:
            self.stops, self.states = 0, [other for other in self.states if other is not state]

    def failed_alone(self, error: Exception) -> bool:
        """A replay raised and the function itself did not. Returns whether calls of this kind are given up for that."""
        self.errors += 1
        if self.errors < ERRORS or self.given_up:
            return False
        if isinstance(error, GuardFailed):
            self._give_up("something by which it decides what to do turns out otherwise in each replay")
        else:
            self._give_up(f"its replays raise {type(error).__name__} ({error}), and it does not")
        self.states = []
        return True

    def learn(self, found: _State, changed: str | None) -> None:
        """A call was recorded: the next can be replayed if this one did what an earlier one did."""
        self.failures += 1
        if found.problem is not None:
            self._keep(found)
        elif changed is not None:
            self._changes += 1
            if self._changes >= CHANGES:
                self._give_up(f"it changes {changed}, which it can read")
        else:
            self._compare(found)
            self._keep(found)
        if self.failures >= PATIENCE and not self.given_up:
            what, fix = "its ops, numbers or tensors differ", ""
            if self._difference:
                what, fix = f"{self._difference} differs", "; pass it as an argument, or keep it in a tensor"
            elif self._leaf:
                what, fix = f"a tensor that no op made ({self._leaf}) differs", f"; {HELPERS}"
            self._give_up(f"{what} from call to call{fix}")

    def _compare(self, found: _State) -> None:
        """Take the plan of an earlier recording that did the same, and make its program; else note a difference."""
        assert found.plan is not None
        recording, latest = found.plan.recording, self.states[0].plan if self.states else None
        known = next((state for state in self.states if found.agrees_with(state)), None)
        if known is None or known.plan is None:
            self._leaf = None if latest is None else recording.differing_leaf(latest.recording)
            return
        if known.program is None:
            made_anew = known.plan.recording.made_anew(recording)
            if known.plan.returns_one_of({*made_anew, *known.plan.recording.constants}):
                found.problem = "it returns a constant, and a replay would return the same memory each time"
            else:
                known.program = Program(known.plan, made_anew)
        found.plan, found.program = known.plan, known.program
        if self._difference is None:
            self.failures = 0

    def _keep(self, found: _State) -> None:
        replaced = [state for state in self.states if state.guards.changed() is None and state.bound == found.bound]
        others = [state for state in self.states if state not in replaced or state.program is None]
        self.states = [found, *others][:STATES]

    def _give_up(self, problem: str) -> None:
        self.given_up, self.states = problem, [state for state in self.states if state.program is not None]


def _unfollowed(recording: Recording, guards: Guards) -> str | None:
    """Why a leaf can't be relied on: the guards don't know where the function found it. None if all can."""
    gradients = {id(tensor._grad) for tensor in guards.tensors.values() if tensor._grad is not None}
    for leaf in recording.leaves.values():
        if id(leaf) in gradients:
            return "it reads the .grad of a tensor, which each backward() sets anew"
        if leaf._requires_grad and id(leaf) not in guards.tensors:
            return f"it makes or finds a tensor that requires a gradient ({leaf.name or 'without a name'}) by itself"
    return None


def _takes_any_name(function: Callable[..., Any]) -> bool:
    """Whether the order of keyword arguments may matter, since the function gets them as a dict."""
    try:
        parameters = inspect.signature(getattr(function, "forward", function)).parameters.values()
    except (ValueError, TypeError):
        return True
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


class _Tensor:
    """Placeholder of a tensor in a returned value."""


def _taken(value: Any, tensors: list[Variable], recording: Recording | None) -> Any:
    """The returned value with `_Tensor` in place of each tensor; the tensors are appended to `tensors`."""
    if isinstance(value, Variable):
        tensors.append(value)
        return _Tensor
    if type(value) in (tuple, list):
        return type(value)(_taken(part, tensors, recording) for part in value)
    if type(value) is dict:
        return {key: _taken(part, tensors, recording) for key, part in value.items()}
    if recording is not None and value is not None:
        recording.refuse(f"it returns a {type(value).__name__}, neither tensor, tuple, list nor dict")
    return value


def _filled(structure: Any, tensors: Iterator[Variable]) -> Any:
    """The structure with tensors in their places again."""
    if structure is _Tensor:
        return next(tensors)
    if type(structure) in (tuple, list):
        return type(structure)(_filled(part, tensors) for part in structure)
    if type(structure) is dict:
        return {key: _filled(part, tensors) for key, part in structure.items()}
    return structure


def _advice(function: Callable, problem: str) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return restate("compile", f"{name} runs op by op, as without compile: {problem}", function=function)
