"""Tracing: records of a computation as it runs, with the modules it ran in and the lines that called it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Any, Self

from tensorgrad.aliases import Version, version_of
from tensorgrad.engine import BACKWARD, Scope, Variable, observe
from tensorgrad.errors import ArgumentError, GraphError, TensorgradError, restate
from tensorgrad.op import Op

from .collect import MAX_OPS
from .recorder import OUTLINE, Depth, Recorder
from .records import GraphRecord
from .steps import Flows, Key, Known, Step, learn_from

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
        self._arrays: dict[int, Any] = {}  # by identity: kept alive, so that no other array gets the same
        self._made: dict[int, Key] = {}  # by identity of the array: the outputs that no node stands for
        self._scopes: list[Scope] = []
        self._walking = 0
        self._passing: BaseException | None = None
        self._failed_in: tuple[Scope, ...] = ()
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
        """A module is called, or the walk back begins."""
        if scope == BACKWARD:
            self._walking += 1
        else:
            self._scopes.append(scope)

    def left(self, scope: Scope) -> None:
        """It is done."""
        if scope == BACKWARD:
            self._walking -= 1
        else:
            # While an error passes through, the modules are left: where it came from is the first of them.
            if sys.exc_info()[1] is not self._passing:
                self._passing, self._failed_in = sys.exc_info()[1], tuple(self._scopes)
            self._scopes.pop()

    def applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        """Keep what ran, unless the walk back ran it, unrecorded: the rules on the edges stand for that."""
        if self._walking and output._node is None:
            return
        keys = tuple([self._key(x) for x in inputs])
        key = output._node
        if key is None:
            key = self._made[id(output._data)] = ("made", len(self._steps))
        self._learn(key, output)
        self._steps.append(self._step(op, inputs, keys, output, key))

    def assigned(self, tensor: Variable, now: Variable) -> None:
        """The tensor's memory is about to hold what an op has given."""
        self._arrays[id(tensor._data)] = tensor._data
        if now._node is None and id(now._data) in self._made:
            self._made[id(tensor._data)] = self._made[id(now._data)]

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
        step.error, step.source, step.scopes = f"{type(error).__name__}: {error}", source, self._failed_in
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
            source=_calling_line(sys._getframe(2)),
        )

    def _key(self, x: Variable) -> Key:
        key = x._node or (x if x._requires_grad else self._made.get(id(x._data), id(x._data)))
        version = self._versions.get(key)
        if x._node is None and version is not None and not version.current:  # other values than when it was seen
            key = self._made[id(x._data)] = ("changed", len(self._steps))
        if key not in self._known:
            self._learn(key, x)
        return key

    def _learn(self, key: Key, x: Variable) -> None:
        array = x._data
        if x._requires_grad and x._node is None:
            array = array.copy()  # the optimizer's step, traced or not, changes it
        else:
            self._versions[key] = version_of(x)
        self._arrays[id(x._data)] = x._data
        self._known[key].learn(x.name, array)

    # ------------------------------------------------------------------------------------------------------ the reader

    def record(
        self,
        output: Variable | None = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
        depth: Depth = OUTLINE,
    ) -> GraphRecord:
        """The records of what led to `output`; arguments and errors are those of `collect`.

        Without one, of what led to the op that failed, else to the last recorded op, else to the last of all.

        Raises GraphError where nothing ran inside the block, or `output` wasn't computed there.
        """
        steps, known = self.steps(output, names, variables, max_ops)
        return Recorder(steps[-1].output, known, self.seen, depth).record(steps)

    def steps(
        self,
        output: Variable | None = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
    ) -> tuple[list[Step], dict[Key, Known]]:
        """The steps that led to `output`, which the last made, and what is known of their tensors; see `record`."""
        steps = self._leading_to(self._last(output))
        if len(steps) > max_ops:
            problem, fix = f"the graph has {len(steps):,} ops: too many for one drawing", "trace a part of it"
            raise ArgumentError(restate("trace", problem, fix=fix, max_ops=max_ops))
        return steps, self._what_is_known(names or {}, variables or {})

    def _last(self, output: Variable | None) -> Step:
        if not self._steps:
            problem, fix = "nothing ran inside the block", "compute inside of `with tg.viz.trace() as t:`"
            raise GraphError(restate("trace", problem, fix=fix))
        if output is None:
            recorded = [step for step in self._steps if step.node is not None]
            return self._steps[-1] if self._steps[-1].error or not recorded else recorded[-1]
        for step in reversed(self._steps):
            if step.output is not None and step.output is self._key_of(output):
                return step
        fix = "pass a tensor that was computed inside of the block, or none"
        raise GraphError(restate("trace", "this tensor wasn't computed inside the block", fix=fix, output=output))

    def _key_of(self, output: Any) -> Key | None:
        return getattr(output, "_node", None) or self._made.get(id(getattr(output, "_data", None)))

    def _leading_to(self, last: Step) -> list[Step]:
        wanted, steps = {last.output, *last.inputs}, [last]
        for step in reversed(self._steps[: self._steps.index(last)]):
            if step.output in wanted:
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
            known[key].learn(seen.name, None, gradient)
        for name, value in variables.items():
            if isinstance(value, Variable):
                key = self._key_of(value) or (value if value._requires_grad else id(value._data))
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
