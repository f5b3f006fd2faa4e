"""The compact view: one box for each op, together with the tensor that it makes and the leaves that it alone reads."""

from __future__ import annotations

from dataclasses import replace

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import BoxRecord, EdgeRecord, GraphRecord, TensorRecord

BIAS = "b"
"""What formulas call an operand that is added last; where an op has other parameters, its bias is but a mark."""


def compact(graph: GraphRecord) -> GraphRecord:
    """The graph with a box for each op and each folded module; its edges lead from box to box.

    A box holds what it makes; the parameters that it uses, so one that several boxes use is in each of them; and
    constants that nothing else uses, or that are one number. What remains by itself is an input of several boxes, and a
    result whose op isn't in this graph.

    Args:
        graph: its view ops and modules folded. Its records stay as they are: `boxes` says which are in a box.
    """
    index = GraphIndex(graph)
    makers = [
        *((op.id, (op.output,) if op.output else ()) for op in graph.ops),
        *((m.id, m.outputs) for m in graph.modules),
    ]
    return replace(graph, boxes=tuple(_box(index, id, results) for id, results in makers))


def _box(index: GraphIndex, id: str, results: tuple[str, ...]) -> BoxRecord:
    edges = index.edges[id]
    own = [number for number, edge in enumerate(edges) if _is_inside(index, edge)]
    parameters = [number for number in own if index.tensors[edges[number].tensor].kind == "parameter"]
    marks = [number for number in parameters if edges[number].operand == BIAS and len(parameters) > 1]
    shown = [number for number in parameters if number not in marks]
    if len(own) == len(edges):  # nothing leads here: this is where the data come in
        shown += [number for number in own if number not in parameters and _tells(index.tensors[edges[number].tensor])]
    return BoxRecord(id, results, tuple(own), tuple(sorted(shown)), tuple(marks))


def _is_inside(index: GraphIndex, edge: EdgeRecord) -> bool:
    tensor = index.tensors[edge.tensor]
    if tensor.id in index.maker or tensor.kind not in ("parameter", "constant"):
        return False
    return tensor.kind == "parameter" or not tensor.shape or len(set(index.users[tensor.id])) == 1


def _tells(tensor: TensorRecord) -> bool:
    """Whether a constant says more than the formula, which writes numbers out."""
    return bool(tensor.name or tensor.shape)
