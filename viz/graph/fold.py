"""Modules folded into boxes, so that a large graph fits a drawing. Records in, records out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.calls import Call, Modules, parent_path
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.modules.loops import FEWEST, with_loops
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

NODE_BUDGET = 40
"""Ops and boxes that a reader takes in at once: a larger graph is folded."""


def drawn_modules(graph: GraphRecord) -> Modules:
    """The modules of a graph whose view ops are folded; of one that is too large to take in at once, with its loops."""
    modules = find_modules(graph)
    return with_loops(graph, modules) if len(graph.ops) > NODE_BUDGET else modules


def choose_folded(
    graph: GraphRecord, modules: Modules, fold: Collection[str] | bool | None, unfold: Collection[str]
) -> frozenset[str]:
    """The paths of the modules that a drawing shows as boxes, a box for each call.

    Args:
        graph: its view ops folded.
        modules: those of the graph.
        fold: their paths; True for all of the outermost, False for none; None to fold modules as deep inside as gives
            at most `NODE_BUDGET` ops and boxes.
        unfold: paths of modules to open, with all that they lie in; so is whatever holds an op that failed. Modules
            inside of them that hold further modules are shown as boxes, the others open.
    """
    if fold is None:
        chosen = _as_needed(graph, modules)
    elif isinstance(fold, bool):
        chosen = {modules.path(key) for key in modules.children("")} if fold else set()
    else:
        chosen = set(fold)
    failed = [modules.call_of[op.id] for op in graph.ops if op.error]
    unfolded = [key for key, call in modules.calls.items() if call.path in unfold]
    for key in (*unfolded, *failed):
        for opened in modules.chain(key):
            if modules.path(opened) in chosen:
                chosen.remove(modules.path(opened))
                chosen.update(modules.path(inner) for inner in modules.children(opened) if modules.children(inner))
    return frozenset(chosen)


def _as_needed(graph: GraphRecord, modules: Modules) -> set[str]:
    if len(graph.ops) <= NODE_BUDGET:
        return set()
    depths = {key: len(modules.chain(key)) for key in modules.calls}
    chosen: set[str] = set()
    for depth in range(max(depths.values(), default=0), 0, -1):
        chosen = {modules.path(key) for key, at in depths.items() if at == depth}
        view = fold_modules(graph, modules, chosen)
        if len(view.ops) + len(view.modules) <= NODE_BUDGET:
            break
    return chosen


def fold_modules(graph: GraphRecord, modules: Modules, folded: Collection[str]) -> GraphRecord:
    """The graph with each call of these modules as one box; of nested ones, the outer.

    A call is a contiguous part of the computation, so no path leads out of a box and back into it. Boxes of equal
    structure in a row, each with nothing but the last one's output as its input, become one. Tensors that don't leave a
    box go with it.
    """
    box_of = {key: outermost(modules, key, folded) for key in modules.calls} | {"": ""}
    calls = [(key, list(ops)) for key, ops in groupby(graph.ops, lambda op: box_of[modules.call_of[op.id]])]
    index = GraphIndex(graph)
    boxes = [_Box(graph, index, key, modules.calls[key], ops) for key, ops in calls if key]
    return _with_boxes(graph, modules, [_record(index, modules, row) for row in _rows(index, boxes)])


def outermost(modules: Modules, key: str, folded: Collection[str]) -> str:
    """The key of the outermost folded call in the chain of this one; `""` for none."""
    return next((outer for outer in modules.chain(key) if modules.path(outer) in folded), "")


# --------------------------------------------------------------------------------------------------------------- boxes


class _Box:
    """One call of a module that is to be folded.

    Attributes:
        enters: the tensors that it gets from other ops.
        leaves: the tensors that other ops get from it.
        structure: equal for boxes of the same ops on the same shapes, connected in the same way.
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
    """The boxes; equal ones in a row together."""
    row: list[_Box] = []
    for box in boxes:
        if row and not _continues(index, row[-1], box):
            yield row
            row = []
        row.append(box)
    if row:
        yield row


def _continues(index: GraphIndex, last: _Box, box: _Box) -> bool:
    """Whether a box has the structure of the last one, and follows it alone."""
    siblings = last.call.parent == box.call.parent and parent_path(last.call.path) == parent_path(box.call.path)
    if not siblings or last.structure != box.structure or len(last.leaves) != 1:
        return False
    return box.enters == set(last.leaves) and box.ids.issuperset(index.users[last.leaves[0]])


def _record(index: GraphIndex, modules: Modules, row: list[_Box]) -> ModuleRecord:
    ops = [op.id for box in row for op in box.ops]
    return _record_of(index, modules, [box.key for box in row], ops, row[-1].leaves)


def _record_of(
    index: GraphIndex, modules: Modules, keys: list[str], ops: list[str], outputs: Collection[str] = ()
) -> ModuleRecord:
    used = dict.fromkeys(id for op in ops for id in index.inputs(op))
    weights = [index.tensors[id] for id in used if index.tensors[id].kind == "parameter"]
    first = modules.calls[keys[0]]
    return ModuleRecord(
        id=first.id,
        paths=tuple(map(modules.path, keys)),
        kind=modules.kinds[first.path],
        ops=tuple(ops),
        outputs=tuple(outputs),
        parameters=sum(math.prod(weight.shape) for weight in weights),
        gradient=_mean_gradient(weights),
        calls=tuple(keys),
    )


def call_records(graph: GraphRecord, modules: Modules) -> dict[str, ModuleRecord]:
    """By key of each call, the box that it would be, without what leaves it."""
    index = GraphIndex(graph)
    inside: dict[str, list[str]] = {key: [] for key in modules.calls}
    for op in graph.ops:
        for key in modules.chain(modules.call_of[op.id]):
            inside[key].append(op.id)
    return {key: _record_of(index, modules, [key], ops) for key, ops in inside.items()}


def _mean_gradient(weights: list[TensorRecord]) -> GradientRecord | None:
    """The mean absolute gradient over all elements of several tensors."""
    parts = [(weight.gradient.mean_abs, math.prod(weight.shape)) for weight in weights if weight.gradient is not None]
    size = sum(n for _, n in parts)
    return GradientRecord((size,), sum(mean * n for mean, n in parts) / size, None) if size else None


# ----------------------------------------------------------------------------------------------- the graph around them


def _with_boxes(graph: GraphRecord, modules: Modules, boxes: list[ModuleRecord]) -> GraphRecord:
    box_of = {op: box.id for box in boxes for op in box.ops}
    inner = _inner_tensors(graph, modules, boxes, box_of)
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.id not in box_of),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.id not in inner),
        edges=tuple(_edges_around(graph, box_of, inner)),
        modules=tuple(boxes),
    )


def _inner_tensors(graph: GraphRecord, modules: Modules, boxes: list[ModuleRecord], box_of: dict[str, str]) -> set[str]:
    """The tensors that are hidden in a box: results that don't leave it, and its own parameters and constants.

    Of a cell that is called as often as makes a loop, each call has a box, and its parameters are in all of them:
    lanes from each parameter to each box hid the drawing. Of fewer calls, as in a siamese network, the lanes show what
    is shared.
    """
    outputs = {id for box in boxes for id in box.outputs}
    inner = {op.output for op in graph.ops if op.id in box_of} - outputs
    users: dict[str, set[str]] = defaultdict(set)
    for edge in graph.edges:
        users[edge.tensor].add(box_of.get(edge.op, edge.op))
    paths = {box.id: box.paths for box in boxes}
    for tensor in graph.tensors:
        own = tensor.kind == "parameter" or (tensor.kind == "constant" and modules.call_of[tensor.id])
        of_one_module = users[tensor.id] <= paths.keys() and len({paths[id] for id in users[tensor.id]}) == 1
        if own and of_one_module and (len(users[tensor.id]) == 1 or len(users[tensor.id]) >= FEWEST):
            inner.add(tensor.id)
    return inner


def _edges_around(graph: GraphRecord, box_of: dict[str, str], inner: set[str]) -> list[EdgeRecord]:
    """The edges that are drawn: those of one tensor into one box are one edge, and none is where a box made it."""
    maker = {op.output: box_of.get(op.id) for op in graph.ops}
    edges: dict[tuple[str, str, int], EdgeRecord] = {}
    for number, edge in enumerate(graph.edges):
        box = box_of.get(edge.op)
        if edge.tensor in inner or (box and maker.get(edge.tensor) == box):
            continue
        if box is None:
            edges[edge.tensor, edge.op, number] = edge
        elif (key := (edge.tensor, box, -1)) not in edges:
            edges[key] = EdgeRecord(edge.tensor, box, "", "", edge.carries_gradient, contribution=edge.contribution)
        else:
            # The contribution is left out: the mean of a sum doesn't follow from the means of its parts.
            carries = edges[key].carries_gradient or edge.carries_gradient
            edges[key] = replace(edges[key], carries_gradient=carries, contribution=None)
    return list(edges.values())
