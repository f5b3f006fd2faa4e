"""Records of a graph, written in Graphviz's DOT language.

Data flows down the grey lanes, from the inputs to the loss; the gradient flows up the coloured lanes, which are the
darker and wider the larger it is. Beside each lane stands the local derivative of its op, which the chain rule
multiplies with the gradient that arrived there.

The ids of the groups in the SVG:
- `t3`, `op5`: the records' own; `t3-1`, `t3-2`, … are copies of a leaf that many ops use;
- `edge-op5-0`, `edge-op5-1`, …: the edges into an op, by position of the input; `edge-op5-out` the one to its tensor;
- `module-0`, …: the modules in the order of `modules(graph)`, drawn open or as a box; later calls of the same module
  are `module-0-1`, …;
- `edge-module-0-0`, `edge-module-0-out`: the edges of a box; that of a second output is `edge-module-0-out1`.
Their classes are `tensor` with its kind, `op` (with `failed`), `gradient` or `data`, and `module` (with `folded`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import labels, markup
from tensorgrad.viz.graph.fold import fold_modules, outermost
from tensorgrad.viz.graph.health import Finding, examine, strength
from tensorgrad.viz.graph.legend import legend
from tensorgrad.viz.graph.simplify import fold_view_ops, repeat_leaves, without_numbers
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.calls import Call
from tensorgrad.viz.record.modules.find import find_modules, side_leaves
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

if TYPE_CHECKING:
    from graphviz import Digraph


def modules(graph: GraphRecord) -> tuple[str, ...]:
    """The paths of the modules of a graph, by the number they have in a drawing."""
    return tuple(find_modules(fold_view_ops(graph)).kinds)


def calls(graph: GraphRecord) -> tuple[Call, ...]:
    """The calls of the modules of a graph, in the order of the computation."""
    return tuple(find_modules(fold_view_ops(graph)).calls.values())


def write(
    graph: GraphRecord,
    folded: Collection[str] = (),
    picture: Callable[[TensorRecord], str] = lambda tensor: "",
    findings: Collection[Finding] | None = None,
    with_legend: bool = True,
    with_numbers: bool = True,
) -> str:
    """The DOT text of a graph. Equal arguments give equal text.

    Args:
        graph: as collected or traced.
        folded: the paths of the modules to draw as one box each.
        picture: makes the cell of a tensor's label that holds its pictures.
        findings: what to mark; by default what `health.examine` finds.
        with_legend: whether to explain shapes and colours above the graph.
        with_numbers: whether to write the numbers of tensors; a page may write them itself.
    """
    import graphviz

    canvas = graphviz.Digraph("backprop", graph_attr=theme.CANVAS, node_attr=theme.NODES, edge_attr=theme.EDGES)
    drawing = _Drawing(fold_view_ops(graph), folded, picture, findings, with_numbers)
    if with_legend:
        canvas.attr(label=legend(drawing.strongest > 0, drawing.not_finite))
    drawing.write(canvas)
    return canvas.source


class _Drawing:
    """The drawing of a graph, with what its parts need to know of the whole."""

    def __init__(
        self,
        graph: GraphRecord,
        folded: Collection[str],
        picture: Callable[[TensorRecord], str],
        findings: Collection[Finding] | None,
        with_numbers: bool,
    ) -> None:
        self.modules = find_modules(graph)
        self.findings = examine(graph, self.modules) if findings is None else findings
        strengths = _strengths(graph)
        self.strongest = max(filter(math.isfinite, strengths), default=0.0)
        self.not_finite = not all(map(math.isfinite, strengths))
        self.view, copies = repeat_leaves(fold_modules(graph, self.modules, folded))
        self.whole = GraphIndex(graph)
        self.index = GraphIndex(self.view)
        self.at_side = side_leaves(self.view, self.index)
        self.upstream = {op.id: self.index.tensors[op.output].gradient for op in self.view.ops if op.output}
        carrying = {edge.op for edge in graph.edges if edge.carries_gradient}
        self.carrying = {op.output for op in graph.ops if op.id in carrying}
        self.picture, self.with_numbers = picture, with_numbers
        self.place = {id: self._place(key, folded) for id, key in self.modules.call_of.items()}
        self.place |= {id: self.place[leaf] for id, leaf in copies.items()}
        self.place |= {box.id: self.modules.calls[box.calls[0]].parent for box in self.view.modules}
        self.parts: dict[str, list[TensorRecord | OpRecord | ModuleRecord]] = defaultdict(list)
        parts: list[TensorRecord | OpRecord | ModuleRecord] = [*self.view.tensors, *self.view.ops, *self.view.modules]
        for part in parts:
            self.parts[self.place[part.id]].append(part)
        self.inside: dict[str, list[str]] = defaultdict(list)
        self.seen = {part.id for part in parts if not isinstance(part, ModuleRecord)}
        drawn = {key for place in self.parts for key in self.modules.chain(place)}
        for key, call in self.modules.calls.items():
            if key in drawn:
                self.inside[call.parent].append(key)

    def write(self, canvas: Digraph) -> None:
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

    def _place(self, key: str, folded: Collection[str]) -> str:
        """The call that a part is drawn in: the innermost that isn't folded."""
        box = outermost(self.modules, key, folded)
        return self.modules.calls[box].parent if box else key

    def _write_call(self, canvas: Digraph, key: str) -> None:
        """Write what is inside of a call, or outside of all: clusters first, then nodes."""
        for inner in self.inside[key]:
            call = self.modules.calls[inner]
            with canvas.subgraph(name=call.id.replace("module-", "cluster")) as cluster:
                label = labels.cluster_label(call.path, self.modules.kinds[call.path], self._found_at(inner))
                cluster.attr(label=label, tooltip=markup.tooltip(call.path), **theme.LAYER)
                cluster.attr(**_names(call.id, "module"))
                self._write_call(cluster, inner)
        for part in self.parts[key]:
            if isinstance(part, TensorRecord):
                self._write_tensor(canvas, part)
            elif isinstance(part, OpRecord):
                self._write_op(canvas, part)
            else:
                self._write_box(canvas, part)

    def _write_box(self, canvas: Digraph, box: ModuleRecord) -> None:
        attributes = _names(box.id, "module folded") | theme.MODULE.attributes
        label = labels.module_label(box, self._found_in(box))
        canvas.node(box.id, label, tooltip=markup.tooltip(box.paths[0]), **attributes)

    def _write_tensor(self, canvas: Digraph, tensor: TensorRecord) -> None:
        text = f"{tensor.name or tensor.kind} {tensor.shape} {tensor.dtype}"
        attributes = _names(tensor.id, f"tensor {tensor.kind}") | theme.TENSORS[tensor.kind].attributes
        badges = map(labels.badge, self._found_at(tensor.id))
        cells = (*badges, self.picture(tensor))
        label = labels.tensor_label(tensor if self.with_numbers else without_numbers(tensor), self.whole, cells)
        canvas.node(tensor.id, label, tooltip=markup.tooltip(text), **attributes)

    def _write_op(self, canvas: Digraph, op: OpRecord) -> None:
        text = f"{op.name}({', '.join(f'{key}={value}' for key, value in op.params)})"
        kind, style = ("op failed", theme.FAILED) if op.error else ("op", theme.OP)
        attributes = _names(op.id, kind) | style.attributes
        label = labels.op_label(op, self.index, self._found_at(op.id))
        canvas.node(op.id, label, tooltip=markup.tooltip(op.error or text), **attributes)
        if same_rank := [id for id in self.at_side[op.id] if self.place[id] == self.place[op.id]]:
            with canvas.subgraph(graph_attr={"rank": "same"}) as rank:
                for id in (op.id, *same_rank):
                    rank.node(id)

    def _found_at(self, where: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.where == where]

    def _found_in(self, box: ModuleRecord) -> list[Finding]:
        """The findings inside of a box, with the modules that they belong to."""
        found = []
        for finding in self.findings:
            call = self.modules.call_of.get(finding.where, finding.where)
            if finding.where not in self.seen and not set(box.calls).isdisjoint(self.modules.chain(call)):
                path = self.modules.path(call)
                found.append(finding if call in box.calls else replace(finding, text=f"{path}: {finding.text}"))
        return found

    # ----------------------------------------------------------------------------------------------------------- edges

    def _write_edge(self, canvas: Digraph, edge: EdgeRecord, position: int) -> None:
        tensor = self.index.tensors[edge.tensor]
        arrived = self.upstream.get(edge.op)
        text = labels.edge_label(edge, tensor, arrived)
        attributes = _names(f"edge-{edge.op}-{position}", "gradient" if edge.carries_gradient else "data")
        attributes["weight"] = "8" if tensor.kind == "interior" else "1"
        # Of a tensor with several users, the contribution of a box isn't known.
        only = len(self.index.users[edge.tensor]) == 1
        gradient = edge.contribution or (tensor.gradient if only else None)
        if edge.tensor in self.at_side.get(edge.op, ())[::2]:
            # Graphviz puts the head of a level edge to the right of its tail, so every other leaf goes to the right.
            attributes |= self._lanes(edge.carries_gradient, gradient, upwards=True)
            canvas.edge(edge.op, edge.tensor, text or None, **attributes)
        else:
            attributes |= self._lanes(edge.carries_gradient, gradient)
            canvas.edge(edge.tensor, edge.op, text or None, **attributes)

    def _write_output(self, canvas: Digraph, maker: str, id: str, end: str) -> None:
        carries = id in self.carrying
        attributes = _names(f"edge-{maker}-{end}", "gradient" if carries else "data")
        canvas.edge(maker, id, weight="8", **attributes, **self._lanes(carries, self.index.tensors[id].gradient))

    def _lanes(self, carries: bool, gradient: GradientRecord | None, upwards: bool = False) -> dict[str, str]:
        """A grey lane forward and, where a gradient flows, one back: Graphviz draws two colours as two lines.

        The first colour's arrow is at the head of the edge. `upwards` is for an edge written from the op to its input.
        """
        if not carries:
            return {"color": theme.PALE, "dir": "back" if upwards else "forward"}
        back, attributes = theme.VERMILION, {"dir": "both"}
        if gradient is not None and (lane := theme.lane(strength(gradient), self.strongest)):
            back, width = lane
            # Graphviz draws both lanes equally wide; in an SVG the style sheet corrects that.
            attributes["penwidth"] = str(min(width, 2.0))
        colors = (back, theme.GREY) if upwards else (theme.GREY, back)
        return attributes | {"color": ":".join(colors)}


def _names(id: str, kind: str) -> dict[str, str]:
    """The id and the class of a group in the SVG."""
    return {"id": id, "class": kind}


def _strengths(graph: GraphRecord) -> list[float]:
    """The strengths of all gradients that are drawn as lanes; none where no edge's gradient is known."""
    gradients = [edge.contribution for edge in graph.edges if edge.contribution is not None]
    if gradients:
        gradients += [tensor.gradient for tensor in graph.tensors if tensor.gradient is not None]
    return [strength(gradient) for gradient in gradients]
