"""Records of a graph, written in Graphviz's DOT language.

Data flows down the grey lanes, from the inputs to the loss; the gradient flows up the others, the darker and wider the
more there is of it. Beside each stands the local derivative of its op, which the chain rule multiplies with the
gradient that has arrived there.

What a program finds in the SVG: groups with the ids of the records, `t3` and `op5`; for the edges into an op
`edge-op5-0`, `edge-op5-1`, … by position of the input, and `edge-op5-out` to its tensor; for the modules `module-0`, …,
in the order of `modules(graph)`, whether they are drawn open or as a box (`edge-module-0-0`, `edge-module-0-out`; a
second output's is `edge-module-0-out1`; later calls of the same module are `module-0-1`, …). Copies of a leaf that many
ops use are `t3-1`, `t3-2`, ….
Their classes are `tensor` with its kind, `op` (with `failed`), `gradient` or `data`, and `module` (with `folded`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import labels
from tensorgrad.viz.graph.fold import fold_modules, fold_plumbing, outermost, repeat_leaves
from tensorgrad.viz.graph.health import Finding, examine, strength
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules import Call, beside, find_modules
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

if TYPE_CHECKING:
    from graphviz import Digraph


def modules(graph: GraphRecord) -> tuple[str, ...]:
    """The paths of the modules of a graph, by the number they have in a drawing."""
    return tuple(find_modules(fold_plumbing(graph)).kinds)


def calls(graph: GraphRecord) -> tuple[Call, ...]:
    """The calls of the modules of a graph, in the order of the computation."""
    return tuple(find_modules(fold_plumbing(graph)).calls.values())


def write(
    graph: GraphRecord, folded: Collection[str] = (), picture: Callable[[TensorRecord], str] = lambda tensor: ""
) -> str:
    """The DOT text of a graph. Equal arguments give equal text.

    Args:
        graph: as collected or traced.
        folded: the paths of the modules to draw as one box each.
        picture: makes the cell of a tensor's label that holds its pictures.
    """
    import graphviz

    canvas = graphviz.Digraph("backprop", graph_attr=theme.CANVAS, node_attr=theme.NODES, edge_attr=theme.EDGES)
    _Drawing(fold_plumbing(graph), folded, picture).write(canvas)
    return canvas.source


class _Drawing:
    """What the parts of a drawing need to know of the whole."""

    def __init__(self, graph: GraphRecord, folded: Collection[str], picture: Callable[[TensorRecord], str]) -> None:
        self.modules = find_modules(graph)
        self.findings = examine(graph, self.modules)
        strengths = _strengths(graph)
        self.strongest = max(filter(math.isfinite, strengths), default=0.0)
        self.not_finite = not all(map(math.isfinite, strengths))
        self.view, copies = repeat_leaves(fold_modules(graph, self.modules, folded))
        self.whole = GraphIndex(graph)
        self.index = GraphIndex(self.view)
        self.beside = beside(self.view, self.index)
        self.upstream = {op.id: self.index.tensors[op.output].gradient for op in self.view.ops if op.output}
        carrying = {edge.op for edge in graph.edges if edge.carries_gradient}
        self.carrying = {op.output for op in graph.ops if op.id in carrying}
        self.picture = picture
        self.place = {id: self._place(key, folded) for id, key in self.modules.homes.items()}
        self.place |= {id: self.place[leaf] for id, leaf in copies.items()}
        self.place |= {box.id: self.modules.calls[box.calls[0]].around for box in self.view.modules}
        self.parts: dict[str, list[TensorRecord | OpRecord | ModuleRecord]] = defaultdict(list)
        for part in (*self.view.tensors, *self.view.ops, *self.view.modules):
            self.parts[self.place[part.id]].append(part)
        self.inside: dict[str, list[str]] = defaultdict(list)
        self.seen = {part.id for part in (*self.view.tensors, *self.view.ops)}
        drawn = {key for place in self.parts for key in self.modules.chain(place)}
        for key, call in self.modules.calls.items():
            if key in drawn:
                self.inside[call.around].append(key)

    def write(self, canvas: Digraph) -> None:
        canvas.attr(label=labels.legend(self.strongest > 0, self.not_finite))
        self._write_call(canvas, "")
        drawn = Counter()
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
        """The call that a part is drawn in: the innermost around it that isn't folded away."""
        box = outermost(self.modules, key, folded)
        return self.modules.calls[box].around if box else key

    def _write_call(self, canvas: Digraph, key: str) -> None:
        """What is inside of a call, or outside of all: clusters first, then nodes."""
        for inner in self.inside[key]:
            call = self.modules.calls[inner]
            with canvas.subgraph(name=call.id.replace("module-", "cluster")) as cluster:
                label = labels.cluster_label(call.path, self.modules.kinds[call.path], self._found_at(inner))
                cluster.attr(label=label, tooltip=theme.tooltip(call.path), **theme.LAYER)
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
        look = _names(box.id, "module folded") | theme.MODULE.attributes
        label = labels.module_label(box, self._found_in(box))
        canvas.node(box.id, label, tooltip=theme.tooltip(box.paths[0]), **look)

    def _write_tensor(self, canvas: Digraph, tensor: TensorRecord) -> None:
        text = f"{tensor.name or tensor.kind} {tensor.shape} {tensor.dtype}"
        look = _names(tensor.id, f"tensor {tensor.kind}") | theme.TENSORS[tensor.kind].attributes
        badges = (theme.badge(finding.text, finding.cause) for finding in self._found_at(tensor.id))
        cells = (*badges, self.picture(tensor))
        canvas.node(tensor.id, labels.tensor_label(tensor, self.whole, cells), tooltip=theme.tooltip(text), **look)

    def _write_op(self, canvas: Digraph, op: OpRecord) -> None:
        text = f"{op.name}({', '.join(f'{key}={value}' for key, value in op.params)})"
        kind, face = ("op failed", theme.FAILED) if op.error else ("op", theme.OP)
        look = _names(op.id, kind) | face.attributes
        label = labels.op_label(op, self.index, self._found_at(op.id))
        canvas.node(op.id, label, tooltip=theme.tooltip(op.error or text), **look)
        if level := [id for id in self.beside[op.id] if self.place[id] == self.place[op.id]]:
            with canvas.subgraph(graph_attr={"rank": "same"}) as rank:
                for id in (op.id, *level):
                    rank.node(id)

    def _found_at(self, where: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.where == where]

    def _found_in(self, box: ModuleRecord) -> list[Finding]:
        """What is wrong inside of a box, and where."""
        found = []
        for finding in self.findings:
            home = self.modules.homes.get(finding.where, finding.where)
            if finding.where not in self.seen and not set(box.calls).isdisjoint(self.modules.chain(home)):
                path = self.modules.path(home)
                found.append(finding if home in box.calls else replace(finding, text=f"{path}: {finding.text}"))
        return found

    # ----------------------------------------------------------------------------------------------------------- edges

    def _write_edge(self, canvas: Digraph, edge: EdgeRecord, position: int) -> None:
        tensor = self.index.tensors[edge.tensor]
        arrived = self.upstream.get(edge.op)
        text = labels.edge_label(edge, tensor, arrived, alone=len(self.index.edges[edge.op]) == 1)
        look = _names(f"edge-{edge.op}-{position}", "gradient" if edge.carries_gradient else "data")
        look["weight"] = "8" if tensor.kind == "interior" else "1"
        # What enters a box by several ways is no longer known apart.
        only = len(self.index.users[edge.tensor]) == 1
        gradient = edge.contribution or (tensor.gradient if only else None)
        if edge.tensor in self.beside.get(edge.op, ())[::2]:
            # Graphviz puts the head of a level edge to the right of its tail, so every other leaf goes to the right.
            look |= self._lanes(edge.carries_gradient, gradient, upwards=True)
            canvas.edge(edge.op, edge.tensor, text or None, **look)
        else:
            canvas.edge(edge.tensor, edge.op, text or None, **look, **self._lanes(edge.carries_gradient, gradient))

    def _write_output(self, canvas: Digraph, maker: str, id: str, end: str) -> None:
        carries = id in self.carrying
        look = _names(f"edge-{maker}-{end}", "gradient" if carries else "data")
        canvas.edge(maker, id, weight="8", **look, **self._lanes(carries, self.index.tensors[id].gradient))

    def _lanes(self, carries: bool, gradient: GradientRecord | None, upwards: bool = False) -> dict[str, str]:
        """A grey lane forward and, where a gradient flows, one back: Graphviz draws two colours as two lines.

        The first colour's arrow is at the head of the edge. `upwards` is for an edge written from the op to its input.
        """
        if not carries:
            return {"color": theme.PALE, "dir": "back" if upwards else "forward"}
        back, look = theme.VERMILION, {"dir": "both"}
        if gradient is not None and (lane := theme.lane(strength(gradient), self.strongest)):
            back, width = lane
            # Graphviz draws both lanes equally wide; in an SVG the style sheet puts that right.
            look["penwidth"] = str(min(width, 2.0))
        colors = (back, theme.GREY) if upwards else (theme.GREY, back)
        return look | {"color": ":".join(colors)}


def _names(id: str, kind: str) -> dict[str, str]:
    """What a program finds a part of the SVG by."""
    return {"id": id, "class": kind}


def _strengths(graph: GraphRecord) -> list[float]:
    """Of the gradients that are drawn as lanes; none where no edge's is known."""
    gradients = [edge.contribution for edge in graph.edges if edge.contribution is not None]
    if gradients:
        gradients += [tensor.gradient for tensor in graph.tensors if tensor.gradient is not None]
    return [strength(gradient) for gradient in gradients]
