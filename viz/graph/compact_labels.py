"""The labels of a compact drawing: an op with its formula, below it what it makes, beside it its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import labels, markup
from tensorgrad.viz.graph.health import not_finite
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, ModuleRecord, OpRecord, TensorRecord

LONGEST = 44
"""Characters of a formula; a longer one is left out."""

WIDTH = 5.3
"""About the width of a character, in points."""

_RAISE = f'<FONT POINT-SIZE="8">{markup.SPACE}</FONT>'


class Told(NamedTuple):
    """What a box tells of a tensor.

    Attributes:
        tensor: with its numbers, or without them.
        edge: the one that leads from it into the box; of a result, the one that its gradient comes along where no other
            does.
        upstream: the gradient that arrived at the other end of the edge.
        graph: the index of the whole graph.
        with_rule: whether to write the rule of the edge.
    """

    tensor: TensorRecord
    edge: EdgeRecord | None
    upstream: GradientRecord | None
    graph: GraphIndex
    with_rule: bool = False


class Box(NamedTuple):
    """What a box says.

    Attributes:
        inputs: cells of what comes in from nowhere.
        head: lines about the op or the module.
        style: the colours of the head and of the frame.
        results: cells of what it makes.
        operands: lines about parameters.
        below: cells of badges and pictures.
    """

    inputs: Sequence[str]
    head: Sequence[str]
    style: theme.NodeStyle
    results: Sequence[str]
    operands: Sequence[str]
    below: Iterable[str] = ()


def box_label(box: Box) -> str:
    """A box: inputs, head, results, one below the other, parameters to the right of them."""
    rows = [*box.inputs, _cell(box.head, box.style.face), *box.results]
    if box.operands:
        rows[0] += _cell(box.operands, theme.TENSORS["parameter"].face, f' ROWSPAN="{len(rows)}"')
    whole = '<TD COLSPAN="2"' if box.operands else "<TD"
    below = [cell.replace("<TD", whole, 1) for cell in box.below if cell]
    frame = f'BORDER="1" COLOR="{box.style.outline}" BGCOLOR="white" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"'
    return f"<<TABLE {frame}>{''.join(f'<TR>{row}</TR>' for row in (*rows, *below))}</TABLE>>"


def _cell(lines: Iterable[str], face: str, more: str = "") -> str:
    text = "<BR/>".join(line for line in lines if line)
    return f'<TD BGCOLOR="{face}"{more}>{text}</TD>'


# ----------------------------------------------------------------------------------------------------------------- head


def op_head(op: OpRecord, path: str) -> list[str]:
    """The module that is this op alone, the symbol and the formula, on one line."""
    name = markup.run(f"{path} {op.symbol}" if path else op.symbol, theme.OP.ink, 11, bold=True)
    return [_line(name, markup.run(_formula(op), theme.OP.small, 10))]


def _formula(op: OpRecord) -> str:
    return next((text for text in (op.applied, op.formula) if len(text) <= LONGEST), "")


def module_head(box: ModuleRecord) -> list[str]:
    """Name, class and number of calls; parameters, ops, and the mean gradient."""
    title, kind, facts, gradient = labels.module_lines(box)
    first = _line(markup.run(title, theme.MODULE.ink, 11, bold=True), markup.run(kind, theme.MODULE.ink, 10))
    return [first, _line(markup.run(facts, theme.MODULE.small, 10), markup.run(gradient, theme.GRADIENT, 10))]


# -------------------------------------------------------------------------------------------------------------- tensors


def result_cell(told: Told) -> str:
    """Name and value, or shape and mean ± standard deviation; the gradient where the edge below doesn't tell it."""
    tensor = told.tensor
    style = theme.TENSORS[tensor.kind]
    about, gradient = _about(tensor, theme.shorten(tensor.name), style), []
    if told.edge is None or tensor.altered:
        gradient = labels.gradient_lines(tensor, told.graph)
    if tensor.value is not None:
        about, gradient = about + "".join(gradient[:1]), gradient[1:]
    return _cell([about, _wrong(tensor), *gradient], style.face)


def input_cell(tensor: TensorRecord) -> str:
    """What comes in: name, and value or shape and numbers."""
    style = theme.TENSORS[tensor.kind]
    return _cell([_about(tensor, theme.shorten(tensor.name or tensor.symbol), style), _wrong(tensor)], style.face)


def _about(tensor: TensorRecord, name: str, style: theme.NodeStyle, mark: str = "") -> str:
    value = "" if tensor.value is None else theme.number(tensor.value)
    title = " = ".join(part for part in (name or (value and tensor.symbol), value) if part)
    shape = "" if value else theme.sizes(tensor.shape)
    return _line(
        markup.run(title, style.ink, 10, bold=True),
        markup.run(shape, style.small, 10),
        markup.run(mark, style.ink, 10),
        markup.run(mean_and_deviation(tensor), style.small, 10),
    )


def _line(*runs: str) -> str:
    """Runs beside each other."""
    one, two = (f'<FONT POINT-SIZE="10">{count * markup.SPACE}</FONT>' for count in (1, 2))
    return f"{one}{two.join(run for run in runs if run)}{one}"


def mean_and_deviation(tensor: TensorRecord) -> str:
    """Mean ± standard deviation; of integers minimum … maximum."""
    return labels.summary(tensor.statistics, tensor.dtype).partition(",")[0]


def _wrong(tensor: TensorRecord) -> str:
    wrong = not_finite(tensor)
    return wrong and markup.run(f"holds {wrong}", theme.INK, 10, bold=True)


def operand_lines(told: Told, name: str, marks: Sequence[str]) -> list[str]:
    """A parameter: its name, shape and numbers, the biases beside it, the rule, and its gradient.

    Args:
        told: the parameter.
        name: what to call it here.
        marks: the names of the biases.
    """
    tensor, edge = told.tensor, told.edge
    style = theme.TENSORS["parameter"]
    lines = [_about(tensor, name, style, "".join(f"+ {mark}" for mark in marks)), _wrong(tensor)]
    if edge is not None and told.with_rule:
        lines += [_gradient(line, "") for line in labels.rule_lines(edge)]
    gradients = labels.gradient_lines(tensor, told.graph)
    part = edge and labels.flow(edge, told.upstream)
    if not part or edge is None:
        return [*lines, *gradients]
    tick = labels.tick(edge)
    if len(told.graph.users[tensor.id]) > 1:
        return [*lines, _gradient(f"here {part}", tick), *gradients]
    if tensor.value is not None and not tensor.altered:
        return [*lines, _gradient(f"grad = {part.removeprefix('= ')}", tick), *gradients[1:]]
    return [*lines, *(line + tick for line in gradients[:1]), *gradients[1:]]


def _gradient(text: str, tick: str) -> str:
    return _line(markup.run(text, theme.GRADIENT, 10) + tick)


def edge_label(edge: EdgeRecord, upstream: GradientRecord | None, is_alone: bool, with_rule: bool) -> str:
    """The contribution of an edge between two boxes, below its rule.

    Graphviz leaves 7 points above and below a label. The text of an edge with no other beside it may use them: the
    label that Graphviz is told of is flat.

    Args:
        edge: between two boxes.
        upstream: the gradient that arrived at its end.
        is_alone: whether no other edge leaves its start or reaches its end.
        with_rule: whether to write the rule.
    """
    text = labels.flow(edge, upstream)
    tick = labels.tick(edge)
    rule = labels.rule_lines(edge) if with_rule else []
    if not text and not tick and not rule:
        return ""
    pad = 2 * markup.SPACE
    run = f"{markup.run(text, theme.GRADIENT, 10, pad=pad)}{tick}"
    if rule or not is_alone:
        return markup.label(*(markup.run(line, theme.GRADIENT, 10, pad=pad) for line in rule), run)
    width = round(WIDTH * (len(text) + (8 if tick else 2)))
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="2" ALIGN="LEFT">{run}<BR/>{_RAISE}</TD>'
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>>'
