"""The DOT text of one sheet: clusters, nodes and edges, with what they show of the whole graph."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import labels, markup
from tensorgrad.viz.graph.fold import drawn_modules, fold_modules, outermost
from tensorgrad.viz.graph.health import Finding, examine, strength
from tensorgrad.viz.graph.simplify import repeat_leaves, without_numbers
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.find import find_modules, side_leaves
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

if TYPE_CHECKING:
    from graphviz import Digraph

Part = TensorRecord | OpRecord | ModuleRecord


class Whole:
    """What the sheets of a drawing need to know of the whole graph.

    Attributes:
        view: the graph with modules folded and leaves repeated.
        modules: those of the graph.
        index: of the graph as it is, its modules open.
        shown: of the view.
        strongest: the length of the longest gradient.
        not_finite: whether a gradient isn't finite.
        carrying: the ids of the results that a gradient flows back through.
        place: by id of a part of the view, the call that it is drawn in.
        picture: makes the cell of a tensor's label that holds its pictures.
        with_numbers: whether to write the numbers of tensors.
        order: by key of a call, its place in the computation.
        parts_of: by key of a call that is drawn open, how many sheets show a part of it so far.
    """

    def __init__(
        self,
        graph: GraphRecord,
        folded: Collection[str],
        picture: Callable[[TensorRecord], str],
        findings: Collection[Finding] | None,
        with_numbers: bool,
    ) -> None:
        self.modules = drawn_modules(graph)
        self.view, copies = repeat_leaves(fold_modules(graph, self.modules, folded))
        self.index, self.shown = GraphIndex(graph), GraphIndex(self.view)
        self.strongest, self.not_finite = scale(graph)
        carrying = {edge.op for edge in graph.edges if edge.carries_gradient}
        self.carrying = {op.output for op in graph.ops if op.id in carrying}
        self.picture, self.with_numbers = picture, with_numbers
        self.place = {id: self._place(key, folded) for id, key in self.modules.call_of.items()}
        self.place |= {id: self.place[leaf] for id, leaf in copies.items()}
        self.place |= {box.id: self.modules.calls[box.calls[0]].parent for box in self.view.modules}
        self._found: dict[str, list[Finding]] = defaultdict(list)
        for finding in examine(graph, find_modules(graph)) if findings is None else findings:
            self._found[finding.where].append(finding)
        self.order = {key: number for number, key in enumerate(self.modules.calls)}
        self.parts_of: Counter[str] = Counter()
        self._shown = {tensor.id for tensor in self.view.tensors} | {op.id for op in self.view.ops}

    def _place(self, key: str, folded: Collection[str]) -> str:
        """The call that a part is drawn in: the innermost that isn't folded."""
        box = outermost(self.modules, key, folded)
        return self.modules.calls[box].parent if box else key

    def shared(self, one: str, other: str) -> int:
        """How many of the calls that are drawn open hold both of two ops or boxes."""
        chains = (self.modules.chain(self.place[id]) for id in (one, other))
        return sum(a == b for a, b in zip(*chains, strict=False))

    def found_at(self, where: str) -> list[Finding]:
        """The findings at an op, a tensor or a call."""
        return self._found.get(where, [])

    def found_in(self, box: ModuleRecord) -> list[Finding]:
        """The findings inside of a box, with the modules that they belong to."""
        found = []
        for where, findings in self._found.items():
            call = self.modules.call_of.get(where, where)
            if where not in self._shown and not set(box.calls).isdisjoint(self.modules.chain(call)):
                path = self.modules.path(call)
                found += [f if call in box.calls else replace(f, text=f"{path}: {f.text}") for f in findings]
        return found


def scale(graph: GraphRecord) -> tuple[float, bool]:
    """The length of the longest gradient that is drawn as a lane, and whether one isn't finite.

    It is 0 where no edge's gradient is known.
    """
    gradients = [edge.contribution for edge in graph.edges if edge.contribution is not None]
    if gradients:
        gradients += [tensor.gradient for tensor in graph.tensors if tensor.gradient is not None]
    strengths = [strength(gradient) for gradient in gradients]
    return max(filter(math.isfinite, strengths), default=0.0), not all(map(math.isfinite, strengths))


class Sheet:
    """A part of the view, to be laid out by itself."""

    def __init__(self, whole: Whole, view: GraphRecord) -> None:
        self.whole, self.view = whole, view
        self.modules, self.place = whole.modules, whole.place
        self.index = GraphIndex(view)
        self.at_side = side_leaves(view, self.index)
        self.upstream = {op.id: self.index.tensors[op.output].gradient for op in view.ops if op.output}
        self.parts: dict[str, list[Part]] = defaultdict(list)
        parts: list[Part] = [*view.tensors, *view.ops, *view.modules]
        for part in parts:
            self.parts[self.place[part.id]].append(part)
        self.inside: dict[str, list[str]] = defaultdict(list)
        drawn = dict.fromkeys(key for place in self.parts for key in self.modules.chain(place))
        for key in sorted(drawn, key=whole.order.__getitem__):
            self.inside[self.modules.calls[key].parent].append(key)

    def write(self, canvas: Digraph) -> None:
        """Write all parts of the sheet."""
        self._write_call(canvas, "")
        drawn: Counter[str] = Counter()
        for edge in self.view.edges:
            self._write_edge(canvas, edge, drawn[edge.op])
            drawn[edge.op] += 1
        for op in self.view.ops:
            if op.output:
                self._write_output(canvas, op.id, op.output, "out")
        for box in self.view.modules:
            for number, tensor in enumerate(box.outputs):
                self._write_output(canvas, box.id, tensor, f"out{number or ''}")

    # ----------------------------------------------------------------------------------------------------------- nodes

    def _write_call(self, canvas: Digraph, key: str) -> None:
        """Write what is inside of a call, or outside of all: clusters first, then nodes."""
        for inner in self.inside[key]:
            call = self.modules.calls[inner]
            with canvas.subgraph(name=f"cluster{call.id.removeprefix('module-')}") as cluster:
                before = self.whole.parts_of[inner]
                title, found = (f"{call.path}, continued", []) if before else (call.path, self.whole.found_at(inner))
                label = labels.cluster_label(title, self.modules.kinds[call.path], found)
                cluster.attr(label=label, tooltip=markup.tooltip(call.path), **theme.LAYER)
                cluster.attr(**names(f"{call.id}.{before}" if before else call.id, "module"))
                self.whole.parts_of[inner] += 1
                self._write_call(cluster, inner)
        for part in self.parts[key]:
            if isinstance(part, TensorRecord):
                self._write_tensor(canvas, part)
            elif isinstance(part, OpRecord):
                self._write_op(canvas, part)
            else:
                self._write_box(canvas, part)

    def _write_box(self, canvas: Digraph, box: ModuleRecord) -> None:
        attributes = names(box.id, "module folded") | theme.MODULE.attributes
        label = labels.module_label(box, self.whole.found_in(box))
        canvas.node(box.id, label, tooltip=markup.tooltip(box.paths[0]), **attributes)

    def _write_tensor(self, canvas: Digraph, tensor: TensorRecord) -> None:
        text = f"{tensor.name or tensor.kind} {tensor.shape} {tensor.dtype}"
        attributes = names(tensor.id, f"tensor {tensor.kind}") | theme.TENSORS[tensor.kind].attributes
        badges = labels.badges(self.whole.found_at(tensor.id))
        cells = (*badges, self.whole.picture(tensor))
        told = tensor if self.whole.with_numbers else without_numbers(tensor)
        label = labels.tensor_label(told, self.whole.index, cells)
        canvas.node(tensor.id, label, tooltip=markup.tooltip(text), **attributes)

    def _write_op(self, canvas: Digraph, op: OpRecord) -> None:
        text = f"{op.name}({', '.join(f'{key}={value}' for key, value in op.params)})"
        kind, style = ("op failed", theme.FAILED) if op.error else ("op", theme.OP)
        attributes = names(op.id, kind) | style.attributes
        label = labels.op_label(op, self.index, self.whole.found_at(op.id))
        canvas.node(op.id, label, tooltip=markup.tooltip(op.error or text), **attributes)
        if same_rank := [id for id in self.at_side[op.id] if self.place[id] == self.place[op.id]]:
            with canvas.subgraph(graph_attr={"rank": "same"}) as rank:
                for id in (op.id, *same_rank):
                    rank.node(id)

    # ----------------------------------------------------------------------------------------------------------- edges

    def _write_edge(self, canvas: Digraph, edge: EdgeRecord, position: int) -> None:
        tensor = self.index.tensors[edge.tensor]
        arrived = self.upstream.get(edge.op)
        text = labels.edge_label(edge, tensor, arrived)
        attributes = names(f"edge-{edge.op}-{position}", "gradient" if edge.carries_gradient else "data")
        attributes["weight"] = "8" if tensor.kind == "interior" else "1"
        gradient = self._gradient(edge, tensor)
        if edge.tensor in self.at_side.get(edge.op, ())[::2]:
            # Graphviz puts the head of a level edge to the right of its tail, so every other leaf goes to the right.
            attributes |= self._lanes(edge.carries_gradient, gradient, upwards=True)
            canvas.edge(edge.op, edge.tensor, text or None, **attributes)
        else:
            attributes |= self._lanes(edge.carries_gradient, gradient)
            canvas.edge(edge.tensor, edge.op, text or None, **attributes)

    def _gradient(self, edge: EdgeRecord, tensor: TensorRecord) -> GradientRecord | None:
        """What flows back along an edge. Of a tensor with several users, the contribution of a box isn't known."""
        only = len(self.whole.shown.users[edge.tensor]) == 1
        return edge.contribution or (tensor.gradient if only else None)

    def _write_output(self, canvas: Digraph, maker: str, id: str, end: str) -> None:
        carries = id in self.whole.carrying
        attributes = names(f"edge-{maker}-{end}", "gradient" if carries else "data")
        canvas.edge(maker, id, weight="8", **attributes, **self._lanes(carries, self.index.tensors[id].gradient))

    def _lanes(self, carries: bool, gradient: GradientRecord | None, upwards: bool = False) -> dict[str, str]:
        """A grey lane forward and, where a gradient flows, one back: Graphviz draws two colours as two lines.

        The first colour's arrow is at the head of the edge. `upwards` is for an edge written from the op to its input.
        """
        if not carries:
            return {"color": theme.PALE, "dir": "back" if upwards else "forward"}
        back, attributes = theme.VERMILION, {"dir": "both"}
        if gradient is not None and (lane := theme.lane(strength(gradient), self.whole.strongest)):
            back, width = lane
            # Graphviz draws both lanes equally wide; in an SVG the style sheet corrects that.
            attributes["penwidth"] = str(min(width, 2.0))
        colors = (back, theme.GREY) if upwards else (theme.GREY, back)
        return attributes | {"color": ":".join(colors)}


def names(id: str, kind: str) -> dict[str, str]:
    """The id and the class of a group in the SVG."""
    return {"id": id, "class": kind}
