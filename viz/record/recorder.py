"""Turns the steps of a computation into records: each tensor and op described, numbered in the order of the steps."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tensorgrad.autograd.observer import Scope
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import describe
from tensorgrad.formulas.expression import Stated
from tensorgrad.formulas.symbolic import LOSS
from tensorgrad.viz.format.notation import factor, name, plain, put_in
from tensorgrad.viz.format.rules import backward_rule
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
    Scalar,
    SourceLine,
    TensorRecord,
)
from tensorgrad.viz.record.slope import quotient, slope
from tensorgrad.viz.record.source import assigned_at
from tensorgrad.viz.record.steps import Computed, Flow, Key, Known, Step, flows_of
from tensorgrad.viz.record.symbols import Symbols, in_formula, letters_of, numbers_of


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
    """Makes the records of a computation; tensors are numbered in the order of their first use.

    Attributes:
        computed: the computation.
    """

    def __init__(self, computed: Computed, depth: Depth) -> None:
        self.computed, self._known, self._depth = computed, computed.known, depth
        self._flows = flows_of(computed.passes) if depth.numbers else {}
        self._arrived = arrivals(computed.passes, computed.steps) if depth.numbers else {}
        self._tensors: dict[Key, TensorRecord] = {}
        self._outputs, self._made = set(computed.outputs), {step.output for step in computed.steps}
        self._calls: dict[int, int] = {}
        self._symbols, self._losses = Symbols(), _losses(computed, self._arrived)

    def record(self) -> GraphRecord:
        """The records of the steps, in the order they ran."""
        steps = self.computed.steps
        assigned = _assigned(steps)
        for number, step in enumerate(steps):
            for key, shape in zip(step.inputs, step.input_shapes, strict=True):
                self._tensor(key, shape)
            if step.output is not None:
                self._tensor(step.output, step.shape, assigned[number])
        ops, edges = [], []
        for number, step in enumerate(steps):
            id, letters = f"op{number}", self._letters(step)
            edges += [self._edge(step, position, id, letters) for position in range(len(step.inputs))]
            ops.append(self._op(step, id, letters))
        outputs = [self._tensors[key].id for key in self.computed.outputs]
        end, loss = outputs[-1] if outputs else "", next((self._tensors[key].symbol for key in self._losses), LOSS.name)
        return GraphRecord(tuple(ops), tuple(self._tensors.values()), tuple(edges), end, loss=loss)

    def arrays(self) -> dict[str, tuple[np.ndarray | None, np.ndarray | None]]:
        """After `record`: by id of each tensor its values and its gradient, as far as they are known."""
        return {record.id: (self._array(key), self._gradient_of(key)) for key, record in self._tensors.items()}

    def id_of(self, key: Key) -> str:
        """After `record`: the id of a tensor; "" if it isn't among the records."""
        return self._tensors[key].id if key in self._tensors else ""

    def _letters(self, step: Step) -> dict[str, str]:
        """What the symbols of an op's formulas stand for: operands, result, loss, and parameters that are numbers."""
        keys = step.inputs if step.output is None else (*step.inputs, step.output)
        tensors = [self._tensors[key] for key in keys]
        names = dict(zip(keys, in_formula([tensor.symbol for tensor in tensors]), strict=True))
        said = [_written(names[key], tensor.value) for key, tensor in zip(keys, tensors, strict=True)]
        letters = letters_of(step.op, said[: len(step.inputs)])
        if step.output is not None:
            letters["z"] = said[-1]
        for key in self._losses:
            letters["L"] = name(self._tensors[key].symbol)
        return letters | numbers_of(step.op, step.input_shapes, step.shape)

    def _op(self, step: Step, name: str, letters: Mapping[str, str]) -> OpRecord:
        op, array = step.op, self._array(step.output)
        statement = op.statement()
        return OpRecord(
            id=name,
            name=op.name,
            symbol=op.symbol or op.name,
            formula=Stated(statement),
            params=tuple((key, describe(value)) for key, value in op.params.items()),
            output="" if step.output is None else self._tensors[step.output].id,
            scopes=tuple(Scope(self.computed.paths.get(id(at.owner), at.path), at.kind) for at in step.scopes),
            source=None if step.source is None else _source_line(*step.source),
            error=step.error,
            idle=statistics.idle(op.name, array) if self._depth.numbers and array is not None else None,
            calls=tuple(self._calls.setdefault(number, len(self._calls)) for number in step.calls),
            applied="" if step.output is None else plain(put_in(statement, letters)),
        )

    def _edge(self, step: Step, position: int, id: str, letters: Mapping[str, str]) -> EdgeRecord:
        op, key, carries = step.op, step.inputs[position], step.carries(position)
        derivative = op.derivative_for(position) if carries else None
        record = EdgeRecord(
            self._tensors[key].id,
            id,
            op.input_name(position),
            "" if derivative is None else Stated(derivative),
            carries,
        )
        if derivative is not None:
            if op.variadic and position >= len(op.inputs) - 1:
                letters = {**letters, "xᵢ": letters[record.operand]}
            applied, rule = put_in(derivative, letters), backward_rule(derivative, letters, scalar=not step.shape)
            record = replace(record, applied=plain(applied), rule=plain(rule))
        flow = self._flows.get((step.node, position)) if step.node is not None and carries else None
        if flow is None:
            return record
        shape = step.input_shapes[position]
        most = statistics.MANY if isinstance(key, Variable) else statistics.FEW
        return replace(
            record,
            local=self._local(step, position, flow) if shape == step.shape == () else None,
            contribution=statistics.gradient(flow.contribution, True, most if self._depth.details else 0),
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

    def _local(self, step: Step, position: int, flow: Flow) -> float | None:
        """∂z/∂x between scalars: what arrived divided by the upstream gradient, where that can be, else by the rule."""
        keys = (*step.inputs, step.output)
        found = quotient(flow)
        if found is None:
            found = slope(step.op, position, [self._array(key) for key in keys], flow.upstream.dtype)
        return found

    def _array(self, key: Key | None) -> np.ndarray | None:
        return self._known[key].array if key in self._known else None

    def _tensor(self, key: Key, shape: tuple[int, ...], assigned: str = "") -> None:
        """Record a tensor at its first use; `assigned` is the variable that holds it."""
        if key in self._tensors:
            return
        known, depth = self._known.get(key, Known()), self._depth
        array, arrived = known.array, self._arrived.get(key)
        kind, value = self._kind(key), statistics.scalar(array)
        self._tensors[key] = TensorRecord(
            id=f"t{len(self._tensors)}",
            kind=kind,
            name=str(known.name or ""),
            shape=shape,
            dtype=str(array.dtype if array is not None else getattr(key, "dtype", "")),
            value=value,
            gradient=self._gradient(self._gradient_of(key)),
            statistics=statistics.statistics(array) if depth.numbers and array is not None else None,
            details=statistics.details(array) if depth.details and array is not None else None,
            altered=arrived.altered if arrived else "",
            held=self._held(arrived, known) if arrived and isinstance(key, Variable) else None,
            symbol=self._symbols.new(
                str(known.name or ""), kind, value, key in self._losses, assigned or known.variable
            ),
        )

    def _gradient_of(self, key: Key) -> np.ndarray | None:
        """What arrived at a tensor in the passes that are drawn; where there are none, its `.grad`."""
        if key in self._arrived:
            return self._arrived[key].gradient
        # Where a backward pass is drawn, the `.grad` of a tensor that it didn't reach comes from another pass.
        return None if self._flows or key not in self._known else self._known[key].gradient

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


def names_by_variables(computed: Computed) -> dict[Key, str]:
    """The symbols in a drawing of those tensors that are called as the program's variables are: `h`, `h₂`."""
    recorder = Recorder(computed, OUTLINE)
    symbols = {tensor.id: tensor.symbol for tensor in recorder.record().tensors}
    variables = {key: known.variable for key, known in computed.known.items()}
    assigned = zip((step.output for step in computed.steps), _assigned(computed.steps), strict=True)
    variables |= {key: name for key, name in assigned if key is not None and name}
    return {key: symbols[recorder.id_of(key)] for key, name in variables.items() if name and recorder.id_of(key)}


def _written(symbol: str, value: Scalar | None) -> str:
    return name(symbol) if symbol or value is None else factor(float(value))


def _losses(computed: Computed, arrived: Mapping[Key, Arrival]) -> set[Key]:
    """The scalar that the backward passes began at, with 1, where it is the only output; or none."""
    keys = set(computed.outputs)
    shapes = [step.shape for step in computed.steps if step.output in keys]
    gradients = [arrived[key].gradient if key in arrived else computed.known[key].gradient for key in keys]
    return keys if shapes == [()] and (gradients[0] is None or gradients[0] == 1) else set()


def _assigned(steps: Sequence[Step]) -> list[str]:
    """Per step the variable that the program assigned its result to: of the steps of one call it's the last one's."""
    places = [step.place for step in steps]
    names = {place: assigned_at(*place) for place in set(places) if place is not None}
    return [
        "" if place is None or place == following else names[place]
        for place, following in zip(places, [*places[1:], None], strict=True)
    ]


def _source_line(file: str, number: int) -> SourceLine:
    """A line of the user's program, with its text where the file can still be read."""
    return SourceLine(file, number, linecache.getline(file, number).strip())


def _summed(shape: tuple[int, ...], unsummed: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the larger shape along which x was broadcast."""
    lead = len(unsummed) - len(shape)
    inner = (lead + k for k, n in enumerate(shape) if n != unsummed[lead + k])
    return (*range(lead), *inner)
