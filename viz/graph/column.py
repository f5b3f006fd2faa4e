"""A simple layout that needs no Graphviz: one column in the order of the computation.

Results run straight down. Leaves stand to the left of the op that first uses them; a result that is used further down
goes there along an arc on the right. Groups, ids and classes are those of the SVG that `dot` makes.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from typing import NamedTuple

from tensorgrad.viz.format import theme
from tensorgrad.viz.format.sheet import sheet
from tensorgrad.viz.record.records import EdgeRecord, GraphRecord, OpRecord, TensorRecord

WIDTH, HEIGHT, ROW = 190, 38, 68
LEAF, RESULT = 0, 380
"""The left edges of the two columns."""

FAR = 150
"""How far arcs reach out at most."""


Place = tuple[float, float, str]
"""Of a text: x, y, and the anchor, `start`, `middle` or `end`."""


class Box(NamedTuple):
    """The place of a node: its left and top."""

    x: float
    y: float

    @property
    def middle(self) -> float:
        """The y at which edges reach its sides."""
        return self.y + HEIGHT / 2


def draw(graph: GraphRecord) -> str:
    """A graph as SVG. Equal records give equal text.

    >>> import tensorgrad as tg
    >>> from tensorgrad.viz.record.collect import collect
    >>> svg = draw(collect(tg.tensor([1.0, 2.0], requires_grad=True, name="w").sum()))
    >>> svg[:4], [f'id="{id}"' in svg for id in ("t0", "op0", "edge-op0-0", "edge-op0-out", "t1")]
    ('<svg', [True, True, True, True, True])
    """
    boxes = _place(graph)
    right, bottom = RESULT + WIDTH + FAR, max((box.y for box in boxes.values()), default=0) + HEIGHT
    frame = f"-20 -20 {right + 40} {bottom + 40}"
    svg = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=frame)
    svg.append(ElementTree.fromstring(sheet()))
    canvas = ElementTree.SubElement(svg, "g", {"id": "graph0", "class": "graph", "font-family": theme.FONTS})
    canvas.append(_arrowheads())
    positions: Counter[str] = Counter()
    repeats: Counter[tuple[str, str]] = Counter()
    for op in graph.ops:
        if op.output:
            path = _straight(boxes[op.id], boxes[op.output])
            _draw_lanes(canvas, f"edge-{op.id}-out", (op.id, op.output), path, True)
    for edge in graph.edges:
        ends = edge.tensor, edge.op
        _draw_edge(canvas, edge, positions[edge.op], repeats[ends], *(boxes[end] for end in ends))
        positions[edge.op] += 1
        repeats[ends] += 1
    for tensor in graph.tensors:
        _draw_tensor(canvas, tensor, boxes[tensor.id])
    for op in graph.ops:
        _draw_op(canvas, op, boxes[op.id])
    return ElementTree.tostring(svg, encoding="unicode")


def _place(graph: GraphRecord) -> dict[str, Box]:
    """The box of each op and tensor: every op a row below its inputs, beside its new leaves."""
    boxes: dict[str, Box] = {}
    inputs: dict[str, list[str]] = {op.id: [] for op in graph.ops}
    for edge in graph.edges:
        inputs[edge.op].append(edge.tensor)
    row = 0.0
    for op in graph.ops:
        leaves = [id for id in dict.fromkeys(inputs[op.id]) if id not in boxes]
        for k, id in enumerate(leaves):
            boxes[id] = Box(LEAF, (row + k) * ROW)
        rows = max(len(leaves), 1)
        boxes[op.id] = Box(RESULT, (row + (rows - 1) / 2) * ROW)
        if op.output:
            boxes[op.output] = Box(RESULT, (row + rows) * ROW)
        row += rows + 1
    return boxes


# --------------------------------------------------------------------------------------------------------------- nodes


def _draw_tensor(canvas: ElementTree.Element, tensor: TensorRecord, box: Box) -> None:
    value = "" if tensor.value is None else theme.number(tensor.value)
    title = " = ".join(part for part in (theme.shorten(tensor.name or tensor.symbol, 24), value) if part)
    shape = theme.sizes(tensor.shape) if tensor.shape else ""
    style = theme.TENSORS[tensor.kind]
    gradient, color = _gradient(tensor), style.gradient if tensor.gradient else style.small
    lines = [(title, style.ink, 12), (" ".join(part for part in (shape, gradient) if part), color, 10)]
    _draw_node(canvas, tensor.id, f"tensor {tensor.kind}", style, 8, box, lines)


def _gradient(tensor: TensorRecord) -> str:
    gradient = tensor.gradient
    if gradient is None:
        return ""
    if gradient.value is not None:
        return f"grad = {theme.number(gradient.value)}"
    return f"mean |grad| = {theme.short(gradient.mean_abs)}"


def _draw_op(canvas: ElementTree.Element, op: OpRecord, box: Box) -> None:
    style = theme.OP._replace(outline=theme.VERMILION) if op.error else theme.OP
    lines = [
        (theme.shorten(op.symbol, 24), style.ink, 13),
        (theme.shorten(op.applied or op.formula, 36), style.small, 10),
    ]
    _draw_node(canvas, op.id, "op", style, HEIGHT / 2, box, lines)


def _draw_node(
    canvas: ElementTree.Element, id: str, kind: str, style: theme.NodeStyle, corner: float, box: Box, lines: list
) -> None:
    group = _group(canvas, id, f"node {kind}", id)
    face = {"fill": style.face, "stroke": style.outline, "rx": f"{corner:g}"}
    ElementTree.SubElement(group, "rect", face | _numbers(x=box.x, y=box.y, width=WIDTH, height=HEIGHT))
    present = [line for line in lines if line[0]]
    for k, (text, color, size) in enumerate(present):
        y = box.middle + 4 if len(present) == 1 else box.y + 16 + 14 * k
        weight = "normal" if k else "bold"
        _text(group, text, box.x + WIDTH / 2, y, "middle", color, size, weight)


# --------------------------------------------------------------------------------------------------------------- edges


def _draw_edge(
    canvas: ElementTree.Element, edge: EdgeRecord, position: int, repeated: int, start: Box, end: Box
) -> None:
    path, place = _course(start, end, repeated)
    group = _draw_lanes(canvas, f"edge-{edge.op}-{position}", (edge.tensor, edge.op), path, edge.carries_gradient)
    color = theme.GRADIENT if edge.derivative else theme.GREY
    _text(group, theme.shorten(edge.applied), *place, color, 10)


def _course(start: Box, end: Box, repeated: int) -> tuple[str, Place]:
    """The path of an edge into an op; and the place of its label, beside the end where there is space.

    Args:
        start: the box of the tensor.
        end: the box of the op.
        repeated: how many edges of the same tensor into the same op came before: x · x has two, side by side.
    """
    near = abs(end.y - start.y) <= 1.5 * ROW
    straight = near and start.x != LEAF
    shift = repeated * (-WIDTH / 3 if straight else 17)
    start, end = (box._replace(x=box.x + shift) if straight else box._replace(y=box.y + shift) for box in (start, end))
    if start.x == LEAF:
        path = _curve(LEAF + WIDTH, start.middle, RESULT, end.middle, (LEAF + WIDTH + RESULT) / 2)
        at_leaf, at_op = (LEAF + WIDTH + 8, start.middle - 8, "start"), (RESULT - 8, end.middle - 8, "end")
        place: Place = at_leaf if near else at_op
    elif straight:
        path = _straight(start, end)
        place = (start.x + WIDTH / 2 + 10, (start.y + HEIGHT + end.y) / 2 + 4, "start")
    else:
        # The longer the arc, the further out, so that arcs inside of arcs don't cross.
        right, out = RESULT + WIDTH, min(FAR, 24 + 12 * (end.y - start.y) / ROW)
        path = _curve(right, start.middle, right, end.middle, right + out * 4 / 3)
        place = (right + 12, end.middle - 8, "start")
    return path, place


def _straight(start: Box, end: Box) -> str:
    x = start.x + WIDTH / 2
    return f"M{x:g},{start.y + HEIGHT:g}L{x:g},{end.y:g}"


def _curve(x: float, y: float, to_x: float, to_y: float, bend: float) -> str:
    return f"M{x:g},{y:g}C{bend:g},{y:g} {bend:g},{to_y:g} {to_x:g},{to_y:g}"


def _draw_lanes(
    canvas: ElementTree.Element, id: str, ends: tuple[str, str], path: str, gradient: bool
) -> ElementTree.Element:
    """A grey lane forward and, where a gradient flows, a vermilion one back, 2 units beside it."""
    group = _group(canvas, id, f"edge {'gradient' if gradient else 'data'}", "->".join(ends))
    line = {"fill": "none", "d": path}
    color = theme.GREY if gradient else theme.PALE
    ElementTree.SubElement(group, "path", line | {"stroke": color, "marker-end": "url(#forward)"})
    if gradient:
        back = {"stroke": theme.VERMILION, "marker-start": "url(#back)", "transform": "translate(3 2)"}
        ElementTree.SubElement(group, "path", line | back)
    return group


def _arrowheads() -> ElementTree.Element:
    heads = ElementTree.Element("defs")
    for id, color, orient in (("forward", theme.GREY, "auto"), ("back", theme.VERMILION, "auto-start-reverse")):
        frame = {
            "id": id,
            "orient": orient,
            "viewBox": "0 0 8 8",
            "refX": "7",
            "refY": "4",
            "markerUnits": "userSpaceOnUse",
        }
        marker = ElementTree.SubElement(heads, "marker", frame | _numbers(markerWidth=7, markerHeight=7))
        ElementTree.SubElement(marker, "path", {"d": "M0,1L8,4L0,7z", "fill": color})
    return heads


def _group(canvas: ElementTree.Element, id: str, kind: str, title: str) -> ElementTree.Element:
    group = ElementTree.SubElement(canvas, "g", {"id": id, "class": kind})
    ElementTree.SubElement(group, "title").text = title
    return group


def _text(
    group: ElementTree.Element,
    text: str,
    x: float,
    y: float,
    anchor: str,
    color: str,
    size: int,
    weight: str = "normal",
) -> None:
    style = {"fill": color, "font-size": str(size), "font-weight": weight, "text-anchor": anchor}
    ElementTree.SubElement(group, "text", style | _numbers(x=x, y=y)).text = text


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:g}" for name, value in values.items()}
