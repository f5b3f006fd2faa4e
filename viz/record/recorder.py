"""Turns the steps of a computation into records: each tensor and op described, numbered in the order of the steps."""

from __future__ import annotations

import linecache
from dataclasses import dataclass

import numpy as np

from tensorgrad.autograd.engine import Variable
from tensorgrad.autograd.observer import Scope
from tensorgrad.autograd.op import Op
from tensorgrad.errors import describe
from tensorgrad.formulas.expression import Stated
from tensorgrad.viz.record import statistics
from tensorgrad.viz.record.arrivals import Arrival, arrivals, same
from tensorgrad.viz.record.check import relative_error
from tensorgrad.viz.record.records import (
    EdgeRecord,
    GradientRecord,
    GraphRecord,
    Held,
    Kind,
    OpRecord,
    SourceLine,
    TensorRecord,
)
from tensorgrad.viz.record.steps import Computed, Flow, Key, Known, Step, flows_of


@dataclass(frozen=True, slots=True)
class Depth:
    """The level of detail of records.

    Attributes:
        numbers: statistics of every array, and what flows along every edge.
        details: histograms, pictures and values of the arrays.
        check: compare what flows along each edge with central differences.
    """

    numbers: bool = False
    details: bool = False
    check: bool = False


OUTLINE = Depth()


class Recorder:
    """Makes the records of a computation; tensors are numbered in the order of their first use."""

    def __init__(self, computed: Computed, depth: Depth) -> None:
        self._computed, self._known, self._depth = computed, computed.known, depth
        self._flows = flows_of(computed.passes) if depth.numbers else {}
        self._arrived = arrivals(computed.passes, computed.steps) if depth.numbers else {}
        self._tensors: dict[Key, TensorRecord] = {}
        self._outputs, self._made = set(computed.outputs), {step.output for step in computed.steps}
        self._calls: dict[int, int] = {}

    def record(self) -> GraphRecord:
        """The records of the steps, in the order they ran."""
        ops, edges = [], []
        for number, step in enumerate(self._computed.steps):
            id = f"op{number}"
            for position, key in enumerate(step.inputs):
                edges.append(self._edge(step, position, id, self._tensor(key, step.input_shapes[position])))
            output = "" if step.output is None else self._tensor(step.output, step.shape)
            ops.append(self._op(step, id, output))
        outputs = [self._tensors[key].id for key in self._computed.outputs]
        return GraphRecord(tuple(ops), tuple(self._tensors.values()), tuple(edges), outputs[-1] if outputs else "")

    def _op(self, step: Step, name: str, output: str) -> OpRecord:
        op, array = step.op, self._array(step.output)
        return OpRecord(
            id=name,
            name=op.name,
            symbol=op.symbol or op.name,
            formula=Stated(op.statement()),
            params=tuple((key, describe(value)) for key, value in op.params.items()),
            output=output,
            scopes=tuple(Scope(self._computed.paths.get(id(at.owner), at.path), at.kind) for at in step.scopes),
            source=None if step.source is None else _source_line(*step.source),
            error=step.error,
            idle=statistics.idle(op.name, array) if self._depth.numbers and array is not None else None,
            calls=tuple(self._calls.setdefault(number, len(self._calls)) for number in step.calls),
        )

    def _edge(self, step: Step, position: int, id: str, tensor: str) -> EdgeRecord:
        op, carries = step.op, step.carries(position)
        record = EdgeRecord(tensor, id, op.input_name(position), _derivative(op, position) if carries else "", carries)
        flow = self._flows.get((step.node, position)) if step.node is not None and carries else None
        if flow is None:
            return record
        shape = step.input_shapes[position]
        most = statistics.MANY if isinstance(step.inputs[position], Variable) else statistics.FEW
        contribution = statistics.gradient(flow.contribution, True, most if self._depth.details else 0)
        return EdgeRecord(
            *(record.tensor, record.op, record.operand, record.derivative, True),
            local=_local(flow) if shape == step.shape == () else None,
            contribution=contribution,
            summed=_summed(shape, flow.unsummed),
            checked=self._checked(step, position, flow),
        )

    def _checked(self, step: Step, position: int, flow: Flow) -> float | None:
        if not self._depth.check:
            return None
        found = (step.leaves.get(key, self._array(key)) for key in step.inputs)
        arrays = [array for array in found if array is not None]
        if len(arrays) < len(step.inputs):
            return None
        return relative_error(step.op, arrays, position, flow.upstream, flow.contribution)

    def _array(self, key: Key | None) -> np.ndarray | None:
        return self._known[key].array if key in self._known else None

    def _tensor(self, key: Key, shape: tuple[int, ...]) -> str:
        """The id of a tensor, which is recorded at its first use."""
        if key in self._tensors:
            return self._tensors[key].id
        known, depth = self._known.get(key, Known()), self._depth
        array, arrived = known.array, self._arrived.get(key)
        # Where a backward pass is drawn, the `.grad` of a tensor that it didn't reach comes from another pass.
        gradient = arrived.gradient if arrived else None if self._flows else known.gradient
        self._tensors[key] = TensorRecord(
            id=f"t{len(self._tensors)}",
            kind=self._kind(key),
            name=str(known.name or ""),
            shape=shape,
            dtype=str(array.dtype if array is not None else getattr(key, "dtype", "")),
            value=statistics.scalar(array),
            gradient=self._gradient(gradient),
            statistics=statistics.statistics(array) if depth.numbers and array is not None else None,
            details=statistics.details(array) if depth.details and array is not None else None,
            altered=arrived.altered if arrived else "",
            held=self._held(arrived, known) if arrived and isinstance(key, Variable) else None,
        )
        return self._tensors[key].id

    def _gradient(self, array: np.ndarray | None) -> GradientRecord | None:
        depth = self._depth
        return None if array is None else statistics.gradient(array, depth.numbers, statistics.FEW * depth.details)

    def _held(self, arrived: Arrival, known: Known) -> Held:
        """What `.grad` of a leaf held before and after the passes; where they added to none, what it holds now."""
        after = known.gradient if arrived.after is None else arrived.after
        before = None if arrived.before is None else statistics.gradient(arrived.before)
        return Held(before, None if after is None else statistics.gradient(after), same(after, arrived.gradient))

    def _kind(self, key: Key) -> Kind:
        if key in self._outputs:
            return "output"
        if key in self._made:
            return "interior"
        return "parameter" if isinstance(key, Variable) else "constant"


def _source_line(file: str, number: int) -> SourceLine:
    """A line of the user's program, with its text where the file can still be read."""
    return SourceLine(file, number, linecache.getline(file, number).strip())


def _derivative(op: Op, position: int) -> str:
    """The op's local derivative for an input; all variadic inputs have the last one."""
    derivative = op.derivative_for(position)
    return "" if derivative is None else Stated(derivative)


def _local(flow: Flow) -> float | None:
    """∂z/∂x between scalars, rounded to their precision; None where the upstream gradient is 0 or not finite."""
    upstream, contribution = flow.upstream.item(), flow.contribution.item()
    if upstream == 0 or not np.isfinite(upstream) or not np.isfinite(contribution):
        return None
    return flow.contribution.dtype.type(contribution / upstream).item()


def _summed(shape: tuple[int, ...], unsummed: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the larger shape along which x was broadcast."""
    lead = len(unsummed) - len(shape)
    inner = (lead + k for k, n in enumerate(shape) if n != unsummed[lead + k])
    return (*range(lead), *inner)
