"""Tracing: records of a computation as it runs, with the modules it ran in and the lines that called it."""

from __future__ import annotations

import sys
import weakref
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np

from tensorgrad.autograd.engine import BACKWARD, Scope, Variable, observe
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.versions import Version, version_of
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, TensorgradError, restate
from tensorgrad.viz.record.arrivals import only_from
from tensorgrad.viz.record.collect import MAX_OPS
from tensorgrad.viz.record.naming import tell_apart
from tensorgrad.viz.record.recorder import OUTLINE, Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord
from tensorgrad.viz.record.steps import Computed, Flows, Key, Known, Step, learn_from

Outputs = Variable | Iterable[Variable] | None
"""What a drawing shall end with."""

OPS = "tensorgrad.ops."
"""The modules whose functions check a call before they apply an op."""


class Trace(Flows):
    """What ran inside a `with trace() as t:` block, kept for drawing: see `trace`.

    It keeps every array it has seen, so that numbers can be worked out later: trace one step, not an epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[Step] = []
        self._known: dict[Key, Known] = defaultdict(Known)
        self._versions: dict[Key, Version] = {}
        self._leaves: dict[Key, np.ndarray] = {}  # what leaves hold now that were changed since they were first seen
        self._results: dict[Key, weakref.ref[Variable]] = {}
        self._kept: list[Any] = []  # arrays and tensors known by identity: kept alive, so that no other gets the same
        self._made: dict[int, Key] = {}  # by identity of the tensor, or of its array: outputs that no node stands for
        self._scopes: list[Scope] = []
        self._calls: list[int] = []  # the running numbers of the calls in `_scopes`
        self._called = 0
        self._passing: BaseException | None = None
        self._failed_in: tuple[tuple[Scope, ...], tuple[int, ...]] = (), ()
        self._observing = ExitStack()

    def __enter__(self) -> Self:
        self._observing.enter_context(observe(self))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._observing.close()
        if isinstance(error, TensorgradError) and not (self._steps and self._steps[-1].error):
            self._refused(error, traceback)
        self._passing = None  # with its traceback it would hold every frame

    def __repr__(self) -> str:
        return f"<Trace of {len(self._steps)} ops>"

    # ------------------------------------------------------------------------------------------------------ the engine

    def entered(self, scope: Scope) -> None:
        """A module is called, or a walk back begins."""
        super().entered(scope)
        if scope != BACKWARD:
            self._scopes.append(scope)
            self._calls.append(self._called)
            self._called += 1

    def left(self, scope: Scope) -> None:
        """It is done."""
        super().left(scope)
        if scope != BACKWARD:
            # While an error passes through, the modules are left: where it came from is the first of them.
            if sys.exc_info()[1] is not self._passing:
                self._passing, self._failed_in = sys.exc_info()[1], (tuple(self._scopes), tuple(self._calls))
            self._scopes.pop()
            self._calls.pop()

    def applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Keep what ran, unless the walk back ran it, unrecorded: the rules on the edges stand for that."""
        if self._walks and output._node is None:
            return
        keys = tuple([self._key(x) for x in inputs])
        key = output._node
        if key is None:
            key = self._made[id(output)] = ("made", len(self._steps))
            if all(x._data is not output._data for x in inputs):
                self._made[id(output._data)] = key
            self._kept.append(output)
        self._learn(key, output)
        self._steps.append(self._step(op, inputs, keys, output, key))

    def assigned(self, tensor: Variable, now: Variable) -> None:
        """The tensor's memory is about to hold what an op has given."""
        if now._node is None and (made := self._made.get(id(now)) or self._made.get(id(now._data))):
            self._made[id(tensor)] = self._made[id(tensor._data)] = made
            self._kept += tensor, tensor._data

    def failed(self, op: Op, inputs: tuple[Variable, ...], error: BaseException) -> None:
        """Keep what was tried, and what it raised."""
        keys = tuple([self._key(x) for x in inputs])
        step = self._step(op, inputs, keys, None, None)
        step.error = f"{type(error).__name__}: {error}"
        self._steps.append(step)

    def _refused(self, error: TensorgradError, traceback: TracebackType | None) -> None:
        """Keep a call that a function of ours refused before any op ran: its operands are in the traceback."""
        source = None
        while traceback is not None and not _module(traceback.tb_frame).startswith(OPS):
            if not _is_ours(traceback.tb_frame):
                source = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            traceback = traceback.tb_next
        if traceback is None:
            return
        frame = traceback.tb_frame
        code = frame.f_code
        arguments = [(name, frame.f_locals[name]) for name in code.co_varnames[: code.co_argcount]]
        operands = {name: value for name, value in arguments if isinstance(value, Variable)}
        inputs = tuple(operands.values())
        step = self._step(Refused(code.co_name, operands), inputs, tuple(map(self._key, inputs)), None, None)
        step.error, step.source = f"{type(error).__name__}: {error}", source
        step.scopes, step.calls = self._failed_in
        self._steps.append(step)

    def _step(self, op: Op, inputs: tuple, keys: tuple, output: Variable | None, key: Key | None) -> Step:
        return Step(
            op=op,
            node=None if output is None else output._node,
            inputs=keys,
            input_shapes=tuple([x._data.shape for x in inputs]),
            output=key,
            shape=() if output is None else output._data.shape,
            scopes=tuple(self._scopes),
            calls=tuple(self._calls),
            source=_calling_line(sys._getframe(2)),
            leaves={key: self._leaves[key] for key in keys if key in self._leaves} if self._leaves else {},
        )

    def _key(self, x: Variable) -> Key:
        key = self._key_of(x)
        version = self._versions.get(key)
        if x._node is None and version is not None and not version.current:  # other values than when it was seen
            key = self._made[id(x)] = self._made[id(x._data)] = ("changed", len(self._steps))
            self._kept.append(x)
        if key not in self._known:
            self._learn(key, x)
        self._known[key].learn(x.name, None)
        if x._requires_grad and x._node is None:
            # By its numbers: whoever writes into `x.data` changes no version.
            last = self._leaves.get(key, self._known[key].array)
            if not np.array_equal(last, x._data, equal_nan=True):
                self._leaves[key] = x._data.copy()
        return key

    def _key_of(self, x: Variable) -> Key:
        """Node, leaf, the op that made it where no node stands for it; else the identity of its array."""
        if x._requires_grad:
            return x._node or x
        return self._made.get(id(x)) or self._made.get(id(x._data)) or id(x._data)

    def _learn(self, key: Key, x: Variable) -> None:
        array = x._data
        if x._requires_grad and x._node is None:
            array = array.copy()  # the optimizer's step, traced or not, changes it
        else:
            self._versions[key] = version_of(x)
        self._kept.append(x._data)
        self._results[key] = weakref.ref(x)
        self._known[key].learn(x.name, array)

    # ------------------------------------------------------------------------------------------------------ the reader

    def record(
        self,
        output: Outputs = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
        depth: Depth = OUTLINE,
    ) -> GraphRecord:
        """The records of what led to `output`, one tensor or several; other arguments and errors as of `collect`.

        Without any: of what led to the op that failed, else to all that `backward()` started from, or `grad()`, else to
        the recorded results that nothing used, else to the last op of all.

        Raises GraphError where nothing ran inside the block, or `output` wasn't computed there.
        """
        return Recorder(self.computation(output, names, variables, max_ops), depth).record()

    def computation(
        self,
        output: Outputs = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
    ) -> Computed:
        """The steps that led to `output`, what is known of their tensors, and the walks back; see `record`."""
        last = self._last() if output is None else self._makers(output)
        steps = self._leading_to(last)
        if len(steps) > max_ops:
            problem, fix = f"the graph has {len(steps):,} ops: too many for one drawing", "trace a part of it"
            raise ArgumentError(restate("trace", problem, fix=fix, max_ops=max_ops))
        outputs = tuple(step.output for step in steps if step in last and not step.error)
        known = self._what_is_known(names or {}, variables or {})
        paths = tell_apart(steps, known, variables or {})
        return Computed(steps, known, outputs, only_from(self.passes, outputs), paths)

    def _last(self) -> list[Step]:
        """The steps that a drawing ends with where nobody has said which."""
        if not self._steps:
            problem, fix = "nothing ran inside the block", "compute inside of `with tg.viz.trace() as t:`"
            raise GraphError(restate("trace", problem, fix=fix))
        if self._steps[-1].error:
            return self._steps[-1:]
        recorded = [step for step in self._steps if step.node is not None]
        ends = [walk for walk in self.passes if not walk.recorded or walk.call == "backward"]
        for call in ("backward", "grad"):
            started = {key for walk in ends if walk.call == call for key in walk.seeds}
            if last := [step for step in recorded if step.output in started]:
                return last
        used = {key for step in self._steps for key in step.inputs}
        return [step for step in recorded if step.output not in used] or recorded[-1:] or self._steps[-1:]

    def _makers(self, output: Outputs) -> list[Step]:
        """The steps that made the tensors asked for."""
        makers = {step.output: step for step in self._steps if step.output is not None}
        found = []
        for tensor in [output] if isinstance(output, Variable) else list(output):
            if not isinstance(tensor, Variable):
                fix = "pass a tensor that was computed inside of the block, or a list of such"
                raise DTypeError(restate("trace", "only a tensor can be the output", fix=fix, output=tensor))
            step = makers.get(self._key_of(tensor))
            if step is None:
                fix = "pass a tensor that was computed inside of the block, or none"
                raise GraphError(
                    restate("trace", "this tensor wasn't computed inside the block", fix=fix, output=tensor)
                )
            found.append(step)
        if not found:
            problem, fix = "there is no output to draw", "pass a tensor, or leave output out"
            raise ArgumentError(restate("trace", problem, fix=fix, output=[]))
        return found

    def _leading_to(self, last: list[Step]) -> list[Step]:
        wanted, steps = {step.output for step in last if not step.error}, []
        for step in reversed(self._steps):
            if step.output in wanted or (step.error and step in last):
                wanted.update(step.inputs)
                steps.append(step)
        return steps[::-1]

    def _what_is_known(self, names: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[Key, Known]:
        """What the trace has seen, without the arrays that were changed in place since; names of the caller's."""
        known: dict[Key, Known] = defaultdict(Known)
        for name, value in names.items():
            learn_from(known, value, name)
            # The values are those of the step that was traced.
        for key, seen in self._known.items():
            version = self._versions.get(key)
            known[key].array = seen.array if version is None or seen.array is None else version.value(seen.array)
            gradient = key.grad if isinstance(key, Variable) else None
            tensor = self._results[key]()  # it may have been given a name since
            own = key.name if isinstance(key, Variable) else None  # a model made inside has named it since
            known[key].learn(own or seen.name or (None if tensor is None else tensor.name), None, gradient)
        for name, value in variables.items():
            if isinstance(value, Variable):
                key = self._key_of(value)
                if key in self._known:
                    known[key].learn(value.name or name, None)
        return known


def trace() -> Trace:
    """Watch a computation, to draw it later: also one that fails, isn't recorded, or is over and freed by then.

    Inside the block each op of this thread is kept, with its arrays, the modules it ran in and the line that called it;
    and if `backward()` runs there, every step of the chain rule. Outside of such a block nothing is kept or slowed.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> with tg.viz.trace() as t:
    ...     loss = (w * w).sum()
    ...     loss.backward()
    >>> t
    <Trace of 2 ops>
    >>> [edge.contribution.mean_abs for edge in t.record(depth=tg.viz.Depth(numbers=True)).edges]
    [1.5, 1.5, 1.0]
    """
    return Trace()


class Refused(Op):
    """Stands for a call that never came to an op: it is called what the function was, its inputs as the arguments."""

    params: dict[str, Any] = {}

    def __init__(self, call: str, operands: Iterable[str]) -> None:
        self.name = self.symbol = call
        self.operands = tuple(operands)

    def input_name(self, position: int) -> str:
        """The name of the argument."""
        return self.operands[position]


def _calling_line(frame: FrameType | None) -> tuple[str, int] | None:
    """File and number of the innermost line outside of this package: the user's program."""
    while frame is not None:
        if not _is_ours(frame):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def _is_ours(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] == "tensorgrad"


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")
