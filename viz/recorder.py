"""From steps to records: each tensor and op described, numbered in the order they were met."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tensorgrad.engine import Node, Variable
from tensorgrad.errors import describe
from tensorgrad.op import Op

from . import statistics
from .check import relative_error
from .records import EdgeRecord, GraphRecord, Kind, OpRecord, SourceLine, TensorRecord
from .steps import Flow, Key, Known, Step


@dataclass(frozen=True, slots=True)
class Depth:
    """How much the records shall say: numbers of arrays, a closer look at them, a finite-difference check per edge."""

    numbers: bool = False
    closely: bool = False
    check: bool = False


OUTLINE = Depth()


class Recorder:
    """Makes the records of some steps: tensors are numbered as they are first met."""

    def __init__(
        self, root: Key | None, known: Mapping[Key, Known], flows: Mapping[tuple[Node, int], Flow], depth: Depth
    ) -> None:
        self._root = root
        self._known = known
        self._flows = flows
        self._depth = depth
        self._tensors: dict[Key, TensorRecord] = {}
        self._made: set[Key] = set()

    def record(self, steps: Iterable[Step]) -> GraphRecord:
        """The records of the steps, in the order they ran."""
        steps = list(steps)
        self._made = {step.output for step in steps}
        arrived = self._gradients(steps) if self._depth.numbers else {}
        ops, edges = [], []
        for number, step in enumerate(steps):
            id = f"op{number}"
            for position, key in enumerate(step.inputs):
                tensor = self._tensor(key, step.input_shapes[position], arrived)
                edges.append(self._edge(step, position, id, tensor))
            output = "" if step.output is None else self._tensor(step.output, step.shape, arrived)
            ops.append(self._op(step, id, output))
        root = "" if self._root is None else self._tensors[self._root].id
        return GraphRecord(tuple(ops), tuple(self._tensors.values()), tuple(edges), root)

    def _gradients(self, steps: list[Step]) -> dict[Key, np.ndarray]:
        """The gradient that has arrived at each tensor: a node was handed the sum, a leaf's parts are added up."""
        arrived: dict[Key, np.ndarray] = {}
        for step in reversed(steps):
            for position, key in enumerate(step.inputs):
                flow = self._flows.get((step.node, position))
                if flow is None:
                    continue
                arrived[step.output] = flow.upstream
                if isinstance(key, Variable):
                    parts = flow.contribution
                    arrived[key] = parts if key not in arrived else arrived[key] + parts
        return arrived

    def _op(self, step: Step, id: str, output: str) -> OpRecord:
        op, array = step.op, self._array(step.output)
        return OpRecord(
            id=id,
            name=op.name,
            symbol=op.symbol or op.name,
            formula=op.formula,
            params=tuple((key, describe(value)) for key, value in op.params.items()),
            output=output,
            scopes=step.scopes,
            source=None if step.source is None else _source_line(*step.source),
            error=step.error,
            idle=statistics.idle(op.name, array) if self._depth.numbers and array is not None else None,
        )

    def _edge(self, step: Step, position: int, id: str, tensor: str) -> EdgeRecord:
        op, carries = step.op, step.carries(position)
        record = EdgeRecord(tensor, id, op.input_name(position), _derivative(op, position) if carries else "", carries)
        flow = self._flows.get((step.node, position)) if self._depth.numbers and carries else None
        if flow is None:
            return record
        shape = step.input_shapes[position]
        most = statistics.MANY if isinstance(step.inputs[position], Variable) else statistics.FEW
        contribution = statistics.gradient(flow.contribution, True, self._depth.closely, most)
        return EdgeRecord(
            *(record.tensor, record.op, record.operand, record.derivative, True),
            local=_local(flow) if shape == step.shape == () else None,
            contribution=contribution,
            summed=_summed(shape, flow.unsummed),
            checked=self._checked(step, position, flow),
        )

    def _checked(self, step: Step, position: int, flow: Flow) -> float | None:
        arrays = [self._array(key) for key in step.inputs] if self._depth.check else [None]
        if any(array is None for array in arrays):
            return None
        return relative_error(step.op, arrays, position, flow.upstream, flow.contribution)

    def _array(self, key: Key | None) -> np.ndarray | None:
        return self._known[key].array if key in self._known else None

    def _tensor(self, key: Key, shape: tuple[int, ...], arrived: Mapping[Key, np.ndarray]) -> str:
        """The id of a tensor, which is recorded at first sight."""
        if key in self._tensors:
            return self._tensors[key].id
        known, depth = self._known.get(key, Known()), self._depth
        array, gradient = known.array, arrived.get(key, known.gradient)
        dtype = array.dtype if array is not None else getattr(key, "dtype", "")
        self._tensors[key] = TensorRecord(
            id=f"t{len(self._tensors)}",
            kind=self._kind(key),
            name=str(known.name or ""),
            shape=shape,
            dtype=str(dtype),
            value=statistics.scalar(array),
            gradient=None if gradient is None else statistics.gradient(gradient, depth.numbers, depth.closely),
            statistics=statistics.statistics(array) if depth.numbers and array is not None else None,
            details=statistics.details(array) if depth.closely and array is not None else None,
        )
        return self._tensors[key].id

    def _kind(self, key: Key) -> Kind:
        if key is self._root:
            return "output"
        if key in self._made:
            return "interior"
        return "parameter" if isinstance(key, Variable) else "constant"


def _source_line(file: str, number: int) -> SourceLine:
    """A line of the user's program, with its text where the file can still be read."""
    return SourceLine(file, number, linecache.getline(file, number).strip())


def _derivative(op: Op, position: int) -> str:
    """The op's local derivative for an input; all variadic inputs share the last."""
    if op.variadic:
        position = min(position, len(op.derivatives) - 1)
    return op.derivatives[position] if 0 <= position < len(op.derivatives) else ""


def _local(flow: Flow) -> float | None:
    """∂z/∂x between scalars, rounded to their precision; None where the upstream gradient can't tell."""
    upstream, contribution = flow.upstream.item(), flow.contribution.item()
    if upstream == 0 or not np.isfinite(upstream) or not np.isfinite(contribution):
        return None
    return flow.contribution.dtype.type(contribution / upstream).item()


def _summed(shape: tuple[int, ...], unsummed: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the larger shape along which x was broadcast."""
    lead = len(unsummed) - len(shape)
    inner = (lead + k for k, n in enumerate(shape) if n != unsummed[lead + k])
    return (*range(lead), *inner)
