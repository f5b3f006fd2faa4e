"""Look-ups in a graph's records: the op that made a tensor, the ops that use it, the edges into an op."""

from __future__ import annotations

from collections import defaultdict

from tensorgrad.viz.record.records import EdgeRecord, GraphRecord, TensorRecord


class GraphIndex:
    """An index of a graph; boxes of folded modules count as ops.

    Attributes:
        tensors: by id.
        edges: per op, the edges into it.
        users: per tensor, the ops that use it.
        maker: per tensor, the op that made it.
    """

    def __init__(self, graph: GraphRecord) -> None:
        self.tensors: dict[str, TensorRecord] = {tensor.id: tensor for tensor in graph.tensors}
        self.edges: dict[str, list[EdgeRecord]] = defaultdict(list)
        self.users: dict[str, list[str]] = defaultdict(list)
        self.maker: dict[str, str] = {op.output: op.id for op in graph.ops if op.output}
        self.maker |= {id: box.id for box in graph.modules for id in box.outputs}
        for edge in graph.edges:
            self.edges[edge.op].append(edge)
            self.users[edge.tensor].append(edge.op)

    def inputs(self, op: str) -> list[str]:
        """The ids of the tensors that go into an op."""
        return [edge.tensor for edge in self.edges[op]]
