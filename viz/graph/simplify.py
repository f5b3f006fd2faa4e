"""Graphs simplified for a drawing: view ops folded into edges, a copy of a shared leaf beside each of its users."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tensorgrad.viz.record.records import GraphRecord, OpRecord, TensorRecord

MANY_USERS = 8
"""A leaf that more ops use is drawn once for each of them."""

VIEW_OPS = {"transpose": "ᵀ", "reshape": ", reshaped"}
"""How an operand is written that went through an op of this name."""


def fold_view_ops(graph: GraphRecord) -> GraphRecord:
    """The graph without the ops that only rearrange a tensor, each folded into the edges behind it.

    These are transposes and reshapes of parameters, because layers store them in another layout than they use
    (`x @ w.T` becomes one op with the parameter `w`), and reshapes to the same shape.
    """
    tensors = {tensor.id: tensor for tensor in graph.tensors}
    inputs = {edge.op: edge.tensor for edge in graph.edges}
    behind: dict[str, tuple[str, tuple[str, ...]]] = {}
    for op in graph.ops:
        if op.name not in VIEW_OPS or op.error:
            continue
        x, z = tensors[inputs[op.id]], tensors[op.output]
        if _is_folded(x, z, op):
            source, through = behind.get(inputs[op.id], (inputs[op.id], ()))
            behind[op.output] = source, through if x.shape == z.shape else (*through, op.name)
    folded = {op.id for op in graph.ops if op.output in behind}
    edges = []
    for edge in graph.edges:
        if edge.op not in folded:
            source, through = behind.get(edge.tensor, (edge.tensor, ()))
            edges.append(replace(edge, tensor=source, through=through, symbol=tensors[edge.tensor].symbol))
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.id not in folded),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.id not in behind),
        edges=tuple(edges),
    )


def _is_folded(x: TensorRecord, z: TensorRecord, op: OpRecord) -> bool:
    if z.kind == "output" or z.name:
        return False
    return x.kind == "parameter" or (op.name == "reshape" and x.shape == z.shape)


def repeat_leaves(graph: GraphRecord) -> tuple[GraphRecord, dict[str, str]]:
    """The graph with a copy of each leaf of many users beside each of them; and by id of the copy, its leaf.

    A weight that every step of a sequence uses would pull all of them together: 100 steps took a layout two minutes.
    """
    uses = Counter(edge.tensor for edge in graph.edges)
    shared = {t.id: t for t in graph.tensors if t.kind in ("parameter", "constant") and uses[t.id] > MANY_USERS}
    seen: Counter[str] = Counter()
    copies, edges = {}, []
    for edge in graph.edges:
        if edge.tensor in shared:
            leaf, number = shared[edge.tensor], seen[edge.tensor]
            seen[leaf.id] += 1
            if number:
                copy = repeated(leaf, number)
                copies[copy.id] = copy
                edge = replace(edge, tensor=copy.id)
        edges.append(edge)
    view = replace(graph, tensors=(*graph.tensors, *copies.values()), edges=tuple(edges))
    return view, {id: id.partition("-")[0] for id in copies}


def repeated(tensor: TensorRecord, number: int) -> TensorRecord:
    """A copy of a tensor, to be drawn at another place under the name of the tensor."""
    title = tensor.name or tensor.symbol
    again = f"{title}, again" if title else ""
    return replace(
        tensor, id=f"{tensor.id}-{number}", name=again, gradient=None, statistics=None, details=None, held=None
    )


def without_numbers(tensor: TensorRecord) -> TensorRecord:
    """A tensor with its name and shape alone."""
    return replace(tensor, value=None, statistics=None, details=None, gradient=None, altered="", held=None)
