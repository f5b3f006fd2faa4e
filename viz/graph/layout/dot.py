"""Records of a graph, written in Graphviz's DOT language.

Data flows down the grey lanes, from the inputs to the loss; the gradient flows up the coloured lanes, which are the
darker and wider the larger it is. Beside each lane stands the local derivative of its op, which the chain rule
multiplies with the gradient that arrived there.

The ids of the groups in the SVG:
- `t3`, `op5`: the records' own; `t3-1`, `t3-2`, … are copies of a leaf that many ops use, or that other sheets need;
- `edge-op5-0`, `edge-op5-1`, …: the edges into an op, by position of the input; `edge-op5-out` the one to its tensor;
- `module-0`, …: the modules in the order of `modules(graph)`, drawn open or as a box; later calls of the same module
  are `module-0-1`, …, and loops are `loop-0`, …; where a call goes on in the second sheet of the drawing, that part is
  `module-0.1`;
- `edge-module-0-0`, `edge-module-0-out`: the edges of a box; that of a second output is `edge-module-0-out1`.
Their classes are `tensor` with its kind, `op` (with `failed`), `gradient` or `data`, and `module` (with `folded`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.fold import drawn_modules, fold_modules
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.graph.layout.compact_sheet import CompactSheet
from tensorgrad.viz.graph.layout.sheet import Sheet, Whole
from tensorgrad.viz.graph.layout.sheets import cut
from tensorgrad.viz.graph.legend import legend
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import GraphRecord, TensorRecord


def modules(graph: GraphRecord) -> tuple[str, ...]:
    """The paths of the modules of a graph, by the number they have in a drawing."""
    return tuple(find_modules(fold_view_ops(graph)).kinds)


def boxes(graph: GraphRecord, folded: Collection[str]) -> dict[str, tuple[str, ...]]:
    """By id of each box of folded modules, the ids of the ops inside."""
    plain = fold_view_ops(graph)
    return {box.id: box.ops for box in fold_modules(plain, drawn_modules(plain), folded).modules}


class Drawn(NamedTuple):
    """What is drawn: the first arguments of `write`."""

    graph: GraphRecord
    folded: Collection[str] = ()
    picture: Callable[[TensorRecord], str] = lambda tensor: ""
    findings: Collection[Finding] | None = None
    with_legend: bool = True
    compact: bool = False


def write(
    graph: GraphRecord,
    folded: Collection[str] = (),
    picture: Callable[[TensorRecord], str] = lambda tensor: "",
    findings: Collection[Finding] | None = None,
    with_legend: bool = True,
    compact: bool = False,
    with_numbers: bool = True,
) -> str:
    """The DOT text of a graph. Equal arguments give equal text.

    Args:
        graph: as collected or traced.
        folded: the paths of the modules to draw as one box each.
        picture: makes the cell of a tensor's label that holds its pictures.
        findings: what to mark; by default what `health.examine` finds.
        with_legend: whether to explain shapes and colours above the graph.
        compact: whether to draw one box for each op with the tensor that it makes; see `compact.compact`.
        with_numbers: whether to write the numbers of tensors; a page may write them itself.
    """
    whole = Whole(fold_view_ops(graph), folded, picture, findings, with_numbers)
    return _write(whole, whole.view, with_legend, compact)


def write_sheets(drawn: Drawn, with_numbers: bool = True) -> list[str]:
    """The same graph in sheets, to be laid out one by one and stacked; the legend is in the first. See `write`."""
    whole = Whole(fold_view_ops(drawn.graph), drawn.folded, drawn.picture, drawn.findings, with_numbers)
    sheets, copies = cut(whole.view, whole.shared)
    whole.place |= {copy: whole.place[id] for copy, id in copies.items()}
    legends = [drawn.with_legend and not number for number in range(len(sheets))]
    return [_write(whole, *sheet, drawn.compact) for sheet in zip(sheets, legends, strict=True)]


def _write(whole: Whole, view: GraphRecord, with_legend: bool, compact: bool) -> str:
    import graphviz

    attributes = theme.CANVAS | (theme.COMPACT if compact else {})
    canvas = graphviz.Digraph("backprop", graph_attr=attributes, node_attr=theme.NODES, edge_attr=theme.EDGES)
    if with_legend:
        canvas.attr(label=legend(whole.strongest > 0, whole.not_finite))
    (CompactSheet if compact else Sheet)(whole, view).write(canvas)
    return canvas.source
