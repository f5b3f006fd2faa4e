"""Records of a graph, written in Graphviz's DOT language.

Data flows down the grey lanes, from the inputs to the loss; the gradient flows up the coloured lanes, which are the
darker and wider the larger it is. Beside each lane stands the local derivative of its op, which the chain rule
multiplies with the gradient that arrived there.

The ids of the groups in the SVG:
- `t3`, `op5`: the records' own; `t3-1`, `t3-2`, … are copies of a leaf that many ops use, or that other sheets need;
- `edge-op5-0`, `edge-op5-1`, …: the edges into an op, by position of the input; `edge-op5-out` the one to its tensor;
- `module-0`, …: the modules in the order of `modules(graph)`, drawn open or as a box; later calls of the same module
  are `module-0-1`, …; where a call goes on in the second sheet of the drawing, that part is `module-0.1`;
- `edge-module-0-0`, `edge-module-0-out`: the edges of a box; that of a second output is `edge-module-0-out1`.
Their classes are `tensor` with its kind, `op` (with `failed`), `gradient` or `data`, and `module` (with `folded`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.graph.layout.sheet import Sheet, Whole
from tensorgrad.viz.graph.layout.sheets import cut
from tensorgrad.viz.graph.legend import legend
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.calls import Call
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import GraphRecord, TensorRecord


def modules(graph: GraphRecord) -> tuple[str, ...]:
    """The paths of the modules of a graph, by the number they have in a drawing."""
    return tuple(find_modules(fold_view_ops(graph)).kinds)


def calls(graph: GraphRecord) -> tuple[Call, ...]:
    """The calls of the modules of a graph, in the order of the computation."""
    return tuple(find_modules(fold_view_ops(graph)).calls.values())


class Drawn(NamedTuple):
    """What is drawn: the first arguments of `write`."""

    graph: GraphRecord
    folded: Collection[str] = ()
    picture: Callable[[TensorRecord], str] = lambda tensor: ""
    findings: Collection[Finding] | None = None
    with_legend: bool = True


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
    whole = Whole(fold_view_ops(graph), folded, picture, findings, with_numbers)
    return _write(whole, whole.view, with_legend)


def write_sheets(drawn: Drawn, with_numbers: bool = True) -> list[str]:
    """The same graph in sheets, to be laid out one by one and stacked; the legend is in the first. See `write`."""
    whole = Whole(fold_view_ops(drawn.graph), drawn.folded, drawn.picture, drawn.findings, with_numbers)
    sheets, copies = cut(whole.view, whole.shared)
    whole.place |= {copy: whole.place[id] for copy, id in copies.items()}
    return [_write(whole, sheet, drawn.with_legend and not number) for number, sheet in enumerate(sheets)]


def _write(whole: Whole, view: GraphRecord, with_legend: bool) -> str:
    import graphviz

    canvas = graphviz.Digraph("backprop", graph_attr=theme.CANVAS, node_attr=theme.NODES, edge_attr=theme.EDGES)
    if with_legend:
        canvas.attr(label=legend(whole.strongest > 0, whole.not_finite))
    Sheet(whole, view).write(canvas)
    return canvas.source
