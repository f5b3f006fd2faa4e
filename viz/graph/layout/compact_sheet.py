"""The DOT text of one sheet of the compact view."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import compact_labels, labels, markup
from tensorgrad.viz.graph.compact import compact
from tensorgrad.viz.graph.compact_labels import Box, Told, input_cell
from tensorgrad.viz.graph.layout.sheet import Part, Sheet, Whole, names
from tensorgrad.viz.graph.simplify import without_numbers
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

if TYPE_CHECKING:
    from graphviz import Digraph


FEW = 12
"""The most boxes of a sheet whose edges have their rules, too."""


class CompactSheet(Sheet):
    """A sheet whose nodes are boxes: ops and modules with what they make, and with their own leaves."""

    def __init__(self, whole: Whole, view: GraphRecord) -> None:
        super().__init__(whole, compact(view))
        self.boxes = {box.id: box for box in self.view.boxes}
        self.with_rules = len(self.boxes) <= FEW
        self.home = {id: box.id for box in self.view.boxes for id in box.results}
        inside = {self.index.edges[box.id][number].tensor for box in self.view.boxes for number in box.inside}
        self.held = inside.union(self.home)
        drawn = [edge for edge in self.view.edges if edge.tensor not in inside]
        self.outward, self.inward = Counter(edge.tensor for edge in drawn), Counter(edge.op for edge in drawn)
        self.alone: dict[str, list[str]] = {}
        parts = {key: [part for part in parts if part.id not in self.held] for key, parts in self.parts.items()}
        self.parts = self._without_frames_of_one(parts)

    def _without_frames_of_one(self, parts: Mapping[str, list[Part]]) -> dict[str, list[Part]]:
        """The parts by call, without calls around a single box; `alone` has these calls, which its head names."""
        count: Counter[str] = Counter()
        for key, here in parts.items():
            for call in self.modules.chain(key):
                count[call] += len(here)
        moved: dict[str, list[Part]] = defaultdict(list)
        for key, here in parts.items():
            dropped = [call for call in self.modules.chain(key) if count[call] == 1]
            place = self.modules.calls[dropped[0]].parent if here and dropped else key
            moved[place] += here
            if here and dropped:
                self.alone[here[0].id] = dropped
        for outer, calls in self.inside.items():
            self.inside[outer] = [call for call in calls if count[call] > 1]
        return moved

    # ----------------------------------------------------------------------------------------------------------- nodes

    def _write_op(self, canvas: Digraph, op: OpRecord) -> None:
        calls = self.alone.get(op.id, [])
        path = self.modules.path(calls[-1]) if calls else ""
        if op.error:
            head, style = labels.failure_lines(op, self.index), theme.FAILED
        else:
            head, style = compact_labels.op_head(op, path), theme.OP
        inner = [*self.boxes[op.id].results, *self._leaves(op.id)]
        found = [finding for where in (*calls, op.id, *inner) for finding in self.whole.found_at(where)]
        box = self._box(op.id, head, style, path or self.modules.path(self.place[op.id]))
        pictures = [self._picture(id) for id in self.boxes[op.id].results]
        below = (*labels.badges(found), *pictures)
        tip = [op.error or op.name, *(f"{key}={value}" for key, value in op.params)]
        self._write_node(canvas, op.id, "op failed" if op.error else "op", box._replace(below=below), tip)

    def _picture(self, id: str) -> str:
        """The cell of a result's pictures; what it says has colours for the face of the tensor."""
        tensor = self.index.tensors[id]
        return self.whole.picture(tensor).replace("<TD", f'<TD BGCOLOR="{theme.TENSORS[tensor.kind].face}"', 1)

    def _write_box(self, canvas: Digraph, box: ModuleRecord) -> None:
        said = self._box(box.id, compact_labels.module_head(box), theme.MODULE, box.paths[0])
        found = [*self.whole.found_in(box), *(f for id in self._leaves(box.id) for f in self.whole.found_at(id))]
        below = labels.badges(found)
        self._write_node(canvas, box.id, "module folded", said._replace(below=below), box.paths)

    def _write_node(self, canvas: Digraph, id: str, kind: str, box: Box, tip: Sequence[str]) -> None:
        text = markup.tooltip(", ".join(map(theme.shorten, tip)))
        canvas.node(id, compact_labels.box_label(box), tooltip=text, shape="plain", **names(id, kind))

    def _leaves(self, id: str) -> list[str]:
        """The ids of the leaves in a box."""
        return [self.index.edges[id][number].tensor for number in self.boxes[id].inside]

    def _box(self, id: str, head: list[str], style: theme.NodeStyle, path: str) -> Box:
        """What a box says of its results and its leaves."""
        box, edges = self.boxes[id], self.index.edges[id]
        upstream = self.upstream.get(id)
        shown = [self._told(self._original(edges[number]), edges[number], upstream) for number in box.shown]
        marks = [_short(self._original(edges[number]), path) for number in box.marks]
        operands: list[str] = []
        for told in shown:
            if told.tensor.kind == "parameter":
                operands += compact_labels.operand_lines(told, _short(told.tensor, path), marks)
                marks = []
        results = [self._told(self.index.tensors[result], self._only(result)) for result in box.results]
        return Box(
            inputs=[input_cell(told.tensor) for told in shown if told.tensor.kind == "constant"],
            head=head,
            style=style,
            results=list(map(compact_labels.result_cell, results)),
            operands=operands,
        )

    def _told(self, tensor: TensorRecord, edge: EdgeRecord | None, upstream: GradientRecord | None = None) -> Told:
        tensor = tensor if self.whole.with_numbers else without_numbers(tensor)
        return Told(tensor, edge, upstream, self.whole.index, self.with_rules)

    def _original(self, edge: EdgeRecord) -> TensorRecord:
        """The leaf at the end of an edge; for a copy of a leaf, the leaf that was copied."""
        return self.whole.index.tensors[edge.tensor.partition("-")[0]]

    def _only(self, id: str) -> EdgeRecord | None:
        """The edge that tells the gradient of a result, where a single one does."""
        using = [edge for op in dict.fromkeys(self.whole.shown.users[id]) for edge in self.whole.shown.edges[op]]
        telling = [edge for edge in using if edge.tensor.partition("-")[0] == id]
        is_only = len(telling) == len(self.whole.index.users[id]) == 1
        return telling[0] if is_only and telling[0].contribution is not None else None

    # ----------------------------------------------------------------------------------------------------------- edges

    def _write_edge(self, canvas: Digraph, edge: EdgeRecord, position: int) -> None:
        if position in self.boxes[edge.op].inside:
            return
        is_alone = self.outward[edge.tensor] == self.inward[edge.op] == 1
        text = compact_labels.edge_label(edge, self.upstream.get(edge.op), is_alone, self.with_rules)
        attributes = names(f"edge-{edge.op}-{position}", "gradient" if edge.carries_gradient else "data")
        tensor = self.index.tensors[edge.tensor]
        attributes |= self._lanes(edge.carries_gradient, self._gradient(edge, tensor))
        canvas.edge(self.home.get(edge.tensor, edge.tensor), edge.op, text or None, weight="8", **attributes)

    def _write_output(self, canvas: Digraph, maker: str, id: str, end: str) -> None:
        """Write nothing: the result is in the box of its op."""


def _short(tensor: TensorRecord, path: str) -> str:
    """What to call a leaf in the box of a module: `weight` for `conv1.weight`."""
    name = tensor.name or tensor.symbol
    return theme.shorten(name.removeprefix(f"{path}.") if path else name, 24)
