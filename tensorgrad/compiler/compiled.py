"""`tg.compile`: a function that records what it does, and replays it once two recordings agree."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad import engine
from tensorgrad.compiler.program import Underway
from tensorgrad.compiler.recording import Recording
from tensorgrad.compiler.replay import Plan, Program, replay
from tensorgrad.engine import Variable
from tensorgrad.errors import DTypeError, restate
from tensorgrad.ops.operands import as_tensor

PROGRAMS = 64
"""Kinds of calls that are kept; the one least recently used goes first."""

KEPT = 64 * 1024**2
"""Bytes of constants that the programs of a compiled function hold together at most, but for the one used last."""

MODES = 4
"""Different recordings of one kind of call that are kept: a module in training, the same in evaluation, ..."""

PATIENCE = 8
"""Recordings that may disagree in a row before a kind of call is given up."""


def compile(function: Callable[..., Any]) -> CompiledFunction:
    """A function that does what `function` does, without the engine's work for each op.

    The first two calls run the function and record its ops, forward and backward. If both did the same, later calls
    replay the recording: a flat program of the same ops on arrays, in which one pass over memory may do the work of
    several ops. The results are those of the function to the bit, and gradients flow through them as ever: in an
    engine's graph the whole call is one op. A training step may be recorded as a whole: `zero_grad()`, `backward()` and
    an optimizer's `step()` inside are done in each replay. Calls of another kind (shapes, dtypes, `requires_grad`,
    `no_grad`, plain arguments) are recorded by themselves; so is every kind anew when a module has changed, by
    `train()` and `eval()` for instance.

    What can't be replayed runs as it is, with one warning that says why: a function that looks at values (`.item()`,
    `if x > 0`, `.numpy()`), that takes gradients otherwise, that goes on with what an optimizer has changed, or whose
    ops differ between calls. Where a replay fails (a label out of range), the function itself is run, and tells in its
    own words. While somebody observes (`tg.viz.trace`), it runs as it is too, so that every op is seen.

    What no op does is fixed at the recording: numbers that Python computes, `print`, attributes that are no module's.

    Args:
        function: takes tensors (ndarrays are wrapped) and plain arguments, and returns a tensor, or tuples, lists or
            dicts of them. A module is such a function.

    Returns:
        The compiled function; its `source` shows the programs, `problems` what could not be replayed.

    Raises:
        DTypeError: something that can't be called.

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
    return CompiledFunction(function)


class CompiledFunction:
    """What `compile` returns; call it as the function.

    Attributes:
        function: what was compiled.
        replays: how many calls were replayed so far.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise DTypeError(
                restate("compile", "this can't be called", expected="a function or a module", function=function)
            )
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self._entries: dict[Any, _Entry] = {}
        self.replays = 0
        self._warned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay the recording for a call of this kind; else run the function, and record it."""
        if engine.observers():
            return self.function(*args, **kwargs)
        call = _Call(args, kwargs)
        try:
            entry = self._entries.get(call.kind)
        except TypeError:  # an argument that has no hash, a list for instance: kinds of calls can't be told apart
            return self.function(*args, **kwargs)
        if entry is None or entry.program is None or entry.configuration != engine.configuration():
            return self._record(call)
        try:
            outputs = replay(entry.program, call.inputs, functools.partial(self._again, call))
        except Underway as stop:
            raise stop.__cause__ from None
        except Exception:
            return self.function(*call.args, **call.kwargs)  # which knows better what is wrong
        self.replays += 1
        entry.used = next(_clock)
        return _filled(entry.structure, iter(outputs))

    def clear(self) -> None:
        """Forget all that was recorded, and free its memory: the next calls are recorded anew.

        By itself a compiled function drops the kinds of calls least recently used where there are more than 64, or
        where their constants take more than 64 MiB; what the captures of all functions keep together stays below
        128 MiB.
        """
        self._entries.clear()

    @property
    def source(self) -> str:
        """The programs of all kinds of calls recorded so far, as Python."""
        programs = [entry.program for entry in self._entries.values() if entry.program is not None]
        return "\n".join(program.source for program in programs)

    @property
    def problems(self) -> list[str]:
        """Why calls can't be replayed, one text per kind of call."""
        return [entry.problem for entry in self._entries.values() if entry.problem is not None]

    def __repr__(self) -> str:
        replayed = sum(entry.program is not None for entry in self._entries.values())
        return (
            f"compile({self.function!r}): {replayed} programs, {len(self.problems)} kinds of calls that run as they are"
        )

    # ------------------------------------------------------------------------------------------------------- recording

    def _record(self, call: _Call) -> Any:
        """Run the function, write down what it does, and make a program of that if it did so before."""
        entry = self._entries.get(call.kind) or self._new_entry(call.kind)
        if entry.given_up or (entry.problem is not None and entry.configuration == engine.configuration()):
            return self.function(*call.args, **call.kwargs)
        recording = Recording(call.inputs)
        with engine.observe(recording):
            result = self.function(*call.args, **call.kwargs)
        outputs: list[Variable] = []
        structure = _taken(result, outputs, recording)
        recording.finish(outputs)
        plan = Plan(recording, call.inputs, outputs) if recording.problem is None else None
        recording.forget()
        entry.learn(plan, structure, recording.problem)
        if entry.problem is not None and not self._warned:
            self._warned = True
            warnings.warn(_advice(self.function, entry.problem), RuntimeWarning, stacklevel=3)
        return result

    def _new_entry(self, kind: Any) -> _Entry:
        entries = sorted(self._entries.items(), key=lambda item: item[1].used)
        total = sum(entry.nbytes for _, entry in entries)
        while entries and (len(entries) >= PROGRAMS or total > KEPT):
            oldest, dropped = entries.pop(0)
            total -= dropped.nbytes
            self._entries.pop(oldest, None)
        entry = self._entries[kind] = _Entry()
        return entry

    def _again(self, call: _Call) -> list[Variable]:
        """What the call returns, recorded op by op."""
        outputs: list[Variable] = []
        _taken(self.function(*call.args, **call.kwargs), outputs, None)
        return outputs


class _Call:
    """The arguments of a call, its tensors one by one, and what tells its kind from others."""

    __slots__ = ("args", "inputs", "kind", "kwargs")

    def __init__(self, args: tuple, kwargs: dict[str, Any]) -> None:
        self.inputs: list[Variable] = []
        kinds: list[Any] = [engine.is_grad_enabled()]
        self.args = tuple([self._take(value, kinds) for value in args])
        self.kwargs = {name: self._take(value, kinds) for name, value in kwargs.items()} if kwargs else kwargs
        kinds.extend(kwargs)
        if len(self.inputs) > 1:
            kinds.append(len({id(tensor._data) for tensor in self.inputs}))
        self.kind = tuple(kinds)

    def _take(self, value: Any, kinds: list[Any]) -> Any:
        if isinstance(value, np.ndarray):
            value = as_tensor(value)
        if isinstance(value, Variable):
            array = value._data
            self.inputs.append(value)
            kinds.append((array.shape, array.dtype, value._requires_grad))
        else:
            kinds.append((type(value), value))  # 1, 1.0 and True are equal
        return value


_clock = itertools.count()


class _Entry:
    """What is known of one kind of call."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self.structure: Any = None
        self.problem: str | None = None
        self.configuration = -1
        self.given_up = False
        self.used = next(_clock)
        self._known: list[tuple[Plan, Any, Program | None]] = []
        self._failures = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the constants of its programs."""
        return sum(program.nbytes for _, _, program in self._known if program is not None)

    def learn(self, plan: Plan | None, structure: Any, problem: str | None) -> None:
        """A call was recorded: replay the next if this one did what an earlier one did."""
        self.program, self.problem, self.configuration = None, problem, engine.configuration()
        self._failures += 1
        if plan is not None:
            self._compare(plan, structure)
        if self.program is not None:
            self._failures = 0
        elif self._failures >= PATIENCE:
            self.given_up, self._known = True, []
            self.problem = problem or "its ops, numbers or tensors differ from call to call"

    def _compare(self, plan: Plan, structure: Any) -> None:
        for k, (known, returned, program) in enumerate(self._known):
            if returned == structure and plan.agrees_with(known):
                self.program, self.structure = program or Program(known), structure
                self._known[k] = known, structure, self.program
                return
        self._known = [*self._known, (plan, structure, None)][-MODES:]


class _Tensor:
    """Stands for a tensor in what a function returned."""


def _taken(value: Any, tensors: list[Variable], recording: Recording | None) -> Any:
    """What was returned, with `_Tensor` in place of each tensor, which is appended to `tensors`."""
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
