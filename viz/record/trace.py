"""Tracing: records of a computation as it runs, with the modules it ran in and the lines that called it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import numpy as np

from tensorgrad.autograd.modes import observe
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.viz.record.arrivals import only_from
from tensorgrad.viz.record.collect import MAX_OPS
from tensorgrad.viz.record.naming import tell_apart
from tensorgrad.viz.record.observing import StepObserver
from tensorgrad.viz.record.recorder import OUTLINE, Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord
from tensorgrad.viz.record.rounds import Round, rounds_of
from tensorgrad.viz.record.steps import Computed, Key, Step

Outputs = Variable | Iterable[Variable] | None
"""The tensors that a drawing ends with; None for the default."""


SHOWN = 2000
"""A notebook draws a trace of at most this many ops by itself: 3,000 take 10 s."""


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


class Trace:
    """What ran inside a `with trace() as t:` block, kept for drawing: see `trace`.

    It keeps every array that it has seen, so that numbers can be computed later: trace one step, not an epoch.
    """

    def __init__(self) -> None:
        self._observer = StepObserver()
        self._observing = ExitStack()

    def __enter__(self) -> Self:
        self._observing.enter_context(observe(self._observer))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._observing.close()
        self._observer.ended(error, traceback)

    def __repr__(self) -> str:
        return f"<Trace of {len(self._observer.steps)} ops>"

    def _repr_html_(self) -> str | None:
        """The graph as its page, for notebooks; None where there is none: the block was empty, or is too large."""
        from tensorgrad.viz.graph.drawing import graph  # which draws traces

        with suppress(GraphError, ArgumentError):
            return graph(self, max_ops=SHOWN)._repr_html_()
        return None

    def record(
        self,
        output: Outputs = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
        depth: Depth = OUTLINE,
    ) -> GraphRecord:
        """The records of what led to `output`.

        Without `output` it is what led to the op that failed; else to all that `backward()` started from, or `grad()`;
        else to the recorded results that nothing used; else to the last op of all.

        Args:
            output: one tensor or several that were computed inside the block.
            names: as of `collect`.
            variables: as of `collect`.
            max_ops: as of `collect`.
            depth: as of `collect`.

        Raises:
            GraphError: nothing ran inside the block, or `output` wasn't computed there.
            DTypeError: an output isn't a tensor.
            ArgumentError: `output` is empty, or more than `max_ops` ops led to it.
        """
        return Recorder(self.computation(output, names, variables, max_ops), depth).record()

    def computation(
        self,
        output: Outputs = None,
        names: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        max_ops: int = MAX_OPS,
    ) -> Computed:
        """The steps that led to `output`, their tensors, and the backward passes; see `record`."""
        return self._computed(self._last() if output is None else self._makers(output), names, variables, max_ops)

    def latest(self, variables: Mapping[str, Any] | None = None, max_ops: int = MAX_OPS) -> Computed:
        """The steps that the last whole `backward()` started from, alone; what `record` takes where there was none."""
        passes = [backward for backward in self._observer.passes if backward.call == "backward" and backward.whole]
        seeds = set(passes[-1].seeds) if passes and not self._failed else set()
        last = [step for step in self._observer.steps if step.output in seeds]
        return self._computed(last or self._last(), None, variables, max_ops)

    def rounds(self) -> list[Round]:
        """Every whole `backward()` in the block, with the values of the leaves that it reached."""
        return rounds_of(self._observer)

    def unreached(self) -> list[Variable]:
        """The leaves that recorded ops used, but that no `backward()` in the block reached; none if there was none."""
        passes = [backward for backward in self._observer.passes if backward.call == "backward"]
        reached = {key for backward in passes for key in backward.added}
        steps = (step for step in self._observer.steps if step.node is not None)
        used = dict.fromkeys(key for step in steps for key in step.inputs if isinstance(key, Variable))
        return [leaf for leaf in used if leaf not in reached] if passes else []

    @property
    def _failed(self) -> bool:
        return bool(self._observer.steps and self._observer.steps[-1].error)

    def _computed(
        self, last: list[Step], names: Mapping[str, Any] | None, variables: Mapping[str, Any] | None, max_ops: int
    ) -> Computed:
        steps = self._leading_to(last)
        if len(steps) > max_ops:
            problem, fix = f"the graph must have at most max_ops ops, got {len(steps):,}", "trace a part of it"
            raise ArgumentError(restate("trace", problem, fix=fix, max_ops=max_ops))
        outputs = tuple(step.output for step in steps if step in last and not step.error)
        known = self._observer.known(names or {}, variables or {})
        for key, array in _first_values(steps).items():
            known[key].array = array
        paths = tell_apart(steps, known, [*self._observer.models(), *(variables or {}).items()])
        return Computed(steps, known, outputs, only_from(self._observer.passes, outputs), paths)

    def _last(self) -> list[Step]:
        """The steps that a drawing ends with by default."""
        steps = self._observer.steps
        if not steps:
            problem, fix = "nothing ran inside the block", "compute inside of `with tg.viz.trace() as t:`"
            raise GraphError(restate("trace", problem, fix=fix))
        if steps[-1].error:
            return steps[-1:]
        recorded = [step for step in steps if step.node is not None]
        ends = [backward for backward in self._observer.passes if not backward.recorded or backward.call == "backward"]
        for call in ("backward", "grad"):
            started = {key for backward in ends if backward.call == call for key in backward.seeds}
            if last := [step for step in recorded if step.output in started]:
                return last
        used = {key for step in steps for key in step.inputs}
        return [step for step in recorded if step.output not in used] or recorded[-1:] or steps[-1:]

    def _makers(self, output: Variable | Iterable[Variable]) -> list[Step]:
        """The steps that computed the tensors asked for."""
        makers = {step.output: step for step in self._observer.steps if step.output is not None}
        found = []
        for tensor in [output] if isinstance(output, Variable) else list(output):
            if not isinstance(tensor, Variable):
                problem, fix = "output must be a tensor", "pass a tensor that was computed inside the block"
                raise DTypeError(restate("trace", problem, fix=fix, output=tensor))
            step = makers.get(self._observer.key_of(tensor))
            if step is None:
                problem, fix = "output wasn't computed inside the block", "pass a tensor that was, or leave it out"
                raise GraphError(restate("trace", problem, fix=fix, output=tensor))
            found.append(step)
        if not found:
            problem, fix = "output must name at least one tensor", "pass a tensor, or leave output out"
            raise ArgumentError(restate("trace", problem, fix=fix, output=[]))
        return found

    def _leading_to(self, last: list[Step]) -> list[Step]:
        wanted, steps = {step.output for step in last if not step.error}, []
        for step in reversed(self._observer.steps):
            if step.output in wanted or (step.error and step in last):
                wanted.update(step.inputs)
                steps.append(step)
        return steps[::-1]


def _first_values(steps: list[Step]) -> dict[Key, np.ndarray]:
    """The values of leaves at the first of these steps, where they had others before: weights, while they were set."""
    first: dict[Key, Step] = {}
    for step in steps:
        for key in step.inputs:
            first.setdefault(key, step)
    return {key: step.leaves[key] for key, step in first.items() if key in step.leaves}
