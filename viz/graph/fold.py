"""Graphs made smaller for a drawing: plumbing left out, modules folded into boxes. Records in, records out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules import Call, Modules, parent
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

ROOM = 40
"""Ops and boxes that a reader takes in at once: a larger graph is folded."""

MANY_USERS = 8
"""Ops that a leaf is drawn to; of one that more use, each gets a copy."""

ARRANGED = {"transpose": "ᵀ", "reshape": ", reshaped"}
"""How an operand is written that went through an op of this name."""


def fold_plumbing(graph: GraphRecord) -> GraphRecord:
    """The graph without the steps that only arrange things, each folded into the edges behind it.

    These are transposes and reshapes of parameters, for layers keep them in another layout than they use (`x @ w.T`
    becomes one op with the parameter `w`), and reshapes to the same shape. Each would take the room of a real step.
    """
    tensors = {tensor.id: tensor for tensor in graph.tensors}
    inputs = {edge.op: edge.tensor for edge in graph.edges}
    behind: dict[str, tuple[str, tuple[str, ...]]] = {}
    for op in graph.ops:
        if op.name not in ARRANGED or op.error:
            continue
        x, z = tensors[inputs[op.id]], tensors[op.output]
        if _is_plumbing(x, z, op):
            source, through = behind.get(inputs[op.id], (inputs[op.id], ()))
            behind[op.output] = source, through if x.shape == z.shape else (*through, op.name)
    folded = {op.id for op in graph.ops if op.output in behind}
    edges = []
    for edge in graph.edges:
        if edge.op not in folded:
            source, through = behind.get(edge.tensor, (edge.tensor, ()))
            edges.append(replace(edge, tensor=source, through=through))
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.id not in folded),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.id not in behind),
        edges=tuple(edges),
    )


def _is_plumbing(x: TensorRecord, z: TensorRecord, op: OpRecord) -> bool:
    if z.kind == "output" or z.name:
        return False
    return x.kind == "parameter" or (op.name == "reshape" and x.shape == z.shape)


def repeat_leaves(graph: GraphRecord) -> tuple[GraphRecord, dict[str, str]]:
    """The graph with a copy of each leaf of many users beside each of them, and whose copy is whose, by id.

    A weight that every step of a sequence uses would pull all of them together: 100 steps took a layout two minutes.
    """
    uses = Counter(edge.tensor for edge in graph.edges)
    shared = {t.id: t for t in graph.tensors if t.kind in ("parameter", "constant") and uses[t.id] > MANY_USERS}
    seen, copies, edges = Counter(), {}, []
    for edge in graph.edges:
        if edge.tensor in shared:
            leaf, number = shared[edge.tensor], seen[edge.tensor]
            seen[leaf.id] += 1
            if number:
                again = f"{leaf.name}, again" if leaf.name else ""
                copy = replace(leaf, id=f"{leaf.id}-{number}", name=again, gradient=None, statistics=None, details=None)
                copies[copy.id] = copy
                edge = replace(edge, tensor=copy.id)
        edges.append(edge)
    view = replace(graph, tensors=(*graph.tensors, *copies.values()), edges=tuple(edges))
    return view, {id: id.partition("-")[0] for id in copies}


# -------------------------------------------------------------------------------------------------------------- modules


def choose_folded(
    graph: GraphRecord, modules: Modules, fold: Collection[str] | bool | None, unfold: Collection[str]
) -> frozenset[str]:
    """The paths of the modules that a drawing shows as boxes, a box for each call.

    Args:
        graph: plumbing folded.
        modules: those of the graph.
        fold: their paths; True for all of the outermost, False for none; None to fold as deep inside as leaves at most
            `ROOM` ops and boxes.
        unfold: paths of modules to open, with all around them; so is whatever holds an op that failed. Modules inside
            of them that hold further modules are shown as boxes, the others open.
    """
    if fold is None:
        chosen = _as_needed(graph, modules)
    elif isinstance(fold, bool):
        chosen = {modules.path(key) for key in modules.inside("")} if fold else set()
    else:
        chosen = set(fold)
    failed = [modules.homes[op.id] for op in graph.ops if op.error]
    unfolded = [key for key, call in modules.calls.items() if call.path in unfold]
    for key in (*unfolded, *failed):
        for opened in modules.chain(key):
            if modules.path(opened) in chosen:
                chosen.remove(modules.path(opened))
                chosen.update(modules.path(inner) for inner in modules.inside(opened) if modules.inside(inner))
    return frozenset(chosen)


def _as_needed(graph: GraphRecord, modules: Modules) -> set[str]:
    if len(graph.ops) <= ROOM:
        return set()
    depths = {key: len(modules.chain(key)) for key in modules.calls}
    chosen: set[str] = set()
    for depth in range(max(depths.values(), default=0), 0, -1):
        chosen = {modules.path(key) for key, at in depths.items() if at == depth}
        view = fold_modules(graph, modules, chosen)
        if len(view.ops) + len(view.modules) <= ROOM:
            break
    return chosen


def fold_modules(graph: GraphRecord, modules: Modules, folded: Collection[str]) -> GraphRecord:
    """The graph with each call of these modules as one box; of nested ones, the outer.

    A call is a stretch of the computation, so no path leads out of a box and back into it. Boxes in a row that are
    built alike, each with nothing but the last one's output, become one. Tensors that don't leave a box go with it.
    """
    box_of = {key: outermost(modules, key, folded) for key in modules.calls} | {"": ""}
    calls = [(key, list(ops)) for key, ops in groupby(graph.ops, lambda op: box_of[modules.homes[op.id]])]
    index = GraphIndex(graph)
    boxes = [_Box(graph, index, key, modules.calls[key], ops) for key, ops in calls if key]
    made = [_record(index, modules, row) for row in _rows(index, boxes)]
    return _with_boxes(graph, modules, made)


def outermost(modules: Modules, key: str, folded: Collection[str]) -> str:
    """The key of the outermost call around this one, or this one itself, of a module that is folded; `""` for none."""
    return next((around for around in modules.chain(key) if modules.path(around) in folded), "")


class _Box:
    """One call of a module that is to be folded.

    `enters` are the tensors that it gets from other ops, `leaves` those that others get from it; `structure` is what
    two boxes have in common that are built alike.
    """

    def __init__(self, graph: GraphRecord, index: GraphIndex, key: str, call: Call, ops: list[OpRecord]) -> None:
        self.key, self.call, self.ops = key, call, ops
        self.ids = {op.id for op in ops}
        made = {op.output: number for number, op in enumerate(ops) if op.output}
        inputs = [index.inputs(op.id) for op in ops]
        self.enters = {id for ids in inputs for id in ids if id not in made and id in index.maker}
        outputs = graph.outputs
        self.leaves = [id for id in made if id in outputs or not self.ids.issuperset(index.users[id])]
        self.structure = [
            (op.name, op.params, [made.get(id, index.tensors[id].shape) for id in ids])
            for op, ids in zip(ops, inputs, strict=True)
        ]


def _rows(index: GraphIndex, boxes: list[_Box]) -> Iterator[list[_Box]]:
    """The boxes, those in a row that are built alike together."""
    row: list[_Box] = []
    for box in boxes:
        if row and not _goes_on(index, row[-1], box):
            yield row
            row = []
        row.append(box)
    if row:
        yield row


def _goes_on(index: GraphIndex, last: _Box, box: _Box) -> bool:
    together = last.call.around == box.call.around and parent(last.call.path) == parent(box.call.path)
    alike = together and last.structure == box.structure
    return (
        alike
        and len(last.leaves) == 1
        and box.enters == set(last.leaves)
        and box.ids.issuperset(index.users[last.leaves[0]])
    )


def _record(index: GraphIndex, modules: Modules, row: list[_Box]) -> ModuleRecord:
    ops = [op.id for box in row for op in box.ops]
    used = dict.fromkeys(id for op in ops for id in index.inputs(op))
    weights = [index.tensors[id] for id in used if index.tensors[id].kind == "parameter"]
    return ModuleRecord(
        id=row[0].call.id,
        paths=tuple(box.call.path for box in row),
        kind=modules.kinds[row[0].call.path],
        ops=tuple(ops),
        outputs=tuple(row[-1].leaves),
        parameters=sum(math.prod(weight.shape) for weight in weights),
        gradient=_together(weights),
        calls=tuple(box.key for box in row),
    )


def _together(weights: list[TensorRecord]) -> GradientRecord | None:
    """The mean absolute gradient of several tensors, as if they were one."""
    parts = [(weight.gradient.mean_abs, math.prod(weight.shape)) for weight in weights if weight.gradient is not None]
    size = sum(n for _, n in parts)
    return GradientRecord((size,), sum(mean * n for mean, n in parts) / size, None) if size else None


def _with_boxes(graph: GraphRecord, modules: Modules, made: list[ModuleRecord]) -> GraphRecord:
    box_of = {op: box.id for box in made for op in box.ops}
    outputs = {id for box in made for id in box.outputs}
    inner = {op.output for op in graph.ops if op.id in box_of} - outputs
    users: dict[str, set[str]] = defaultdict(set)
    for edge in graph.edges:
        users[edge.tensor].add(box_of.get(edge.op, edge.op))
    boxes = {box.id for box in made}
    for tensor in graph.tensors:
        # What flows in stays outside, as what flows out does; parameters and their like, which have a home, go in.
        leaf = tensor.kind in ("parameter", "constant") and (tensor.kind == "parameter" or modules.homes[tensor.id])
        if leaf and len(users[tensor.id]) == 1 and users[tensor.id] <= boxes:
            inner.add(tensor.id)
    edges: dict[tuple[str, str, int], EdgeRecord] = {}
    for number, edge in enumerate(graph.edges):
        if edge.tensor in inner:
            continue
        box = box_of.get(edge.op)
        key = (edge.tensor, edge.op, number) if box is None else (edge.tensor, box, -1)
        if box is None:
            edges[key] = edge
        elif key not in edges:
            edges[key] = EdgeRecord(edge.tensor, box, "", "", edge.carries_gradient, contribution=edge.contribution)
        else:
            # Its parts' numbers don't tell those of their sum.
            carries = edges[key].carries_gradient or edge.carries_gradient
            edges[key] = replace(edges[key], carries_gradient=carries, contribution=None)
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.id not in box_of),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.id not in inner),
        edges=tuple(edges.values()),
        modules=tuple(made),
    )
