"""Two runs of one computation, op by op and tensor by tensor; an error where their structures part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.viz.comparison.differences import Difference, difference
from tensorgrad.viz.format import theme
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.recorder import Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord, OpRecord, TensorRecord
from tensorgrad.viz.record.trace import Trace

DETAILED = Depth(numbers=True, details=True)

GROWTH = 100
"""One op may make a relative difference this many times larger, by cancellation."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor in both runs.

    Attributes:
        id: of its records, the same in both.
        second: its record in the second run.
        value: how far its values lie apart; None where a run doesn't know them.
        gradient: how far its gradients lie apart; None where neither run has one.
    """

    id: str
    second: TensorRecord
    value: Difference | None
    gradient: Difference | None


@dataclass(frozen=True, slots=True)
class Runs:
    """Two runs of one structure, as plain data.

    Attributes:
        labels: what the runs are called.
        pairs: of all tensors, in the order of their first use.
        values_part: the ids of the tensors at which values begin to differ: they do, and what they were computed from
            doesn't.
        gradients_part: the same for gradients: they differ, and all that they were computed from doesn't.
        params: by id of the op, the arguments in which its two calls differ, as text: `eps: 0.1 | 0.01`.
    """

    labels: tuple[str, str]
    pairs: tuple[Pair, ...]
    values_part: tuple[str, ...]
    gradients_part: tuple[str, ...]
    params: tuple[tuple[str, str], ...]


def pair(
    first: Trace, second: Trace, labels: tuple[str, str], variables: Mapping[str, Any]
) -> tuple[GraphRecord, Runs]:
    """The records of the first run, and what the second one has in their place.

    Raises:
        GraphError: nothing ran inside one of the traces.
        ArgumentError: the structures part; the message names the first place where they do.
    """
    graphs, arrays = [], []
    for trace in (first, second):
        recorder = Recorder(trace.computation(variables=variables), DETAILED)
        graphs.append(recorder.record())
        arrays.append(recorder.arrays())
    _check(graphs[0], graphs[1], labels)
    pairs = []
    for record, (values, gradient), (values_then, gradient_then) in zip(
        graphs[1].tensors, arrays[0].values(), arrays[1].values(), strict=True
    ):
        known = values is not None and values_then is not None
        value = difference(values, values_then) if known else None
        pairs.append(Pair(record.id, record, value, difference(gradient, gradient_then)))
    starts = _values_part(graphs[0], pairs), _gradients_part(graphs[0], pairs)
    return graphs[0], Runs(labels, tuple(pairs), *starts, _params(graphs[0], graphs[1]))


# ----------------------------------------------------------------------------------------------------------- structure


def _check(first: GraphRecord, second: GraphRecord, labels: tuple[str, str]) -> None:
    """Raise ArgumentError at the first op that isn't the same one in both runs."""
    indices = GraphIndex(first), GraphIndex(second)
    for number, (op, then) in enumerate(zip_longest(first.ops, second.ops), 1):
        if op is not None and then is not None and _shape(op, indices[0]) == _shape(then, indices[1]):
            continue
        said = [_call(one, index) for one, index in zip((op, then), indices, strict=True)]
        problem = f"the runs part at op {number}: {said[0]} in {labels[0]}, {said[1]} in {labels[1]}"
        fix = "trace the same program twice, on inputs of the same shapes"
        raise ArgumentError(restate("compare", problem, fix=fix))


def _shape(op: OpRecord, index: GraphIndex) -> tuple:
    """What an op must have in common with its counterpart: all but numbers, dtypes and parameters."""
    inputs = [(id, index.tensors[id].shape) for id in index.inputs(op.id)]
    return op.name, bool(op.error), inputs, op.output and index.tensors[op.output].shape


def _call(op: OpRecord | None, index: GraphIndex) -> str:
    """`conv2d(x (4, 1, 8, 8), conv1.weight (6, 1, 3, 3)) → (4, 6, 6, 6), net.py:12`."""
    if op is None:
        return "nothing more"
    operands = [index.tensors[id] for id in index.inputs(op.id)]
    inputs = ", ".join(f"{x.name or x.symbol or x.kind} {theme.sizes(x.shape)}" for x in operands)
    result = f" → {theme.sizes(index.tensors[op.output].shape)}" if op.output else f" failed: {op.error}"
    line = f", {PurePath(op.source.file).name}:{op.source.number}" if op.source else ""
    return f"{op.name}({inputs}){result}{line}"


def _params(first: GraphRecord, second: GraphRecord) -> tuple[tuple[str, str], ...]:
    found = []
    for op, then in zip(first.ops, second.ops, strict=True):
        one, other = dict(op.params), dict(then.params)
        differing = [key for key in one | other if one.get(key) != other.get(key)]
        if differing:
            text = ", ".join(f"{key}: {one.get(key, 'none')} | {other.get(key, 'none')}" for key in differing)
            found.append((op.id, text))
    return tuple(found)


# ------------------------------------------------------------------------------------------ where differences begin


def _values_part(graph: GraphRecord, pairs: Sequence[Pair]) -> tuple[str, ...]:
    index = GraphIndex(graph)
    values = {pair.id: pair.value for pair in pairs}
    made_of = {id: index.inputs(op) for id, op in index.maker.items()}
    return tuple(id for id in values if _begins(values[id], [values[x] for x in made_of.get(id, ())]))


def _gradients_part(graph: GraphRecord, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """A gradient is computed from the gradient of each result behind it, and from the values around their ops."""
    index, results = GraphIndex(graph), {op.id: op.output for op in graph.ops if op.output}
    values, gradients = {pair.id: pair.value for pair in pairs}, {pair.id: pair.gradient for pair in pairs}
    found = []
    for id in gradients:
        users = [op for op in index.users[id] if op in results]
        behind = {results[op] for op in users}
        around = behind.union(*(index.inputs(op) for op in users))
        if _begins(gradients[id], [*(gradients[x] for x in behind), *(values[x] for x in around)]):
            found.append(id)
    return tuple(found)


def _begins(found: Difference | None, sources: Sequence[Difference | None]) -> bool:
    """Whether something differs by more than rounding, though what it was computed from doesn't, even grown."""
    if found is None or not found.apart:
        return False
    return all(x is None or (not x.apart and found.relative > GROWTH * x.relative) for x in sources)
