"""What stands on the nodes and edges of a drawing: names and rules in full size, numbers in small print."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.fold import ARRANGED
from tensorgrad.viz.graph.health import Finding, not_finite
from tensorgrad.viz.record.check import FINE
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import (
    EdgeRecord,
    GradientRecord,
    Held,
    ModuleRecord,
    OpRecord,
    Statistics,
    TensorRecord,
)

MANY_ZEROS = 0.1
"""The share of zeros from which a drawing mentions them."""

FEW_PATHS = 3
"""As many gradients are written as a sum where they meet; more are counted."""

_PAD = 2 * "\N{NO-BREAK SPACE}"

# ---------------------------------------------------------------------------------------------------------------- nodes


def tensor_label(tensor: TensorRecord, index: GraphIndex, cells: Sequence[str] = ()) -> str:
    """Name, value or shape and statistics, and the gradient; below them the cells of badges and pictures."""
    look = theme.TENSORS[tensor.kind]
    value = "" if tensor.value is None else theme.number(tensor.value)
    title = " = ".join(part for part in (theme.shorten(tensor.name), value) if part)
    shape = "" if value else theme.sizes(tensor.shape)
    wrong = not_finite(tensor)
    return theme.label(
        # The lid of a cylinder reaches into its face, the further the larger it is.
        look.shape == "cylinder" and (theme.LID if any(cells) else theme.GAP),
        title and theme.run(title, look.ink, 12, bold=True),
        shape and theme.run(shape, look.small, 10),
        theme.small(_numbers(tensor.statistics, tensor.dtype), look.small),
        *_gradient_lines(tensor, index),
        cells=[theme.badge(wrong and f"holds {wrong}"), *cells],
    )


def _numbers(numbers: Statistics | None, dtype: str) -> str:
    """Mean ± deviation, least … greatest; of whole numbers the last two."""
    if numbers is None:
        return ""
    if numbers.min == numbers.max:
        return f"all {theme.short(numbers.min)}"
    extent = f"{theme.short(numbers.min)} … {theme.short(numbers.max)}"
    zeros = f", {theme.share(numbers.zeros)} zeros" if numbers.zeros >= MANY_ZEROS else ""
    if not dtype.startswith("float"):
        return extent + zeros
    mean = numbers.mean if abs(numbers.mean) > numbers.std / 1000 else 0.0  # the rest is rounding
    return f"{theme.short(mean)} ± {theme.short(numbers.std)}, {extent}{zeros}"


def _gradient_lines(tensor: TensorRecord, index: GraphIndex) -> list[str]:
    """The gradient, as the sum of what came along each path where several meet."""
    gradient = tensor.gradient
    if gradient is None:
        return []
    edges = [edge for op in dict.fromkeys(index.users[tensor.id]) for edge in index.edges[op]]
    parts = [e.contribution for e in edges if e.tensor == tensor.id and e.contribution is not None]
    terms = [part.value for part in parts if part.value is not None]
    ink = "#FFB27A" if tensor.kind == "output" else theme.VERMILION
    if gradient.value is None:
        lines = [_mean_gradient(gradient)]
        if len(parts) > 1:
            lines.append(f"Σ of {len(parts)} paths")
    else:
        written = _sum(terms) if len(terms) == len(parts) > 1 and not tensor.altered else ""
        lines = [" = ".join(part for part in ("grad", written, theme.number(gradient.value)) if part)]
    lines += [tensor.altered] if tensor.altered else []
    lines += _held(tensor.held)
    return [theme.small(lines[0], ink, points=10), *(theme.small(line, ink) for line in lines[1:])]


def _held(held: Held | None) -> list[str]:
    """What was in `.grad` before, and what then, where that isn't the gradient alone."""
    if held is None or held.alone or held.after is None:
        return []
    before, after = (_amount(gradient) for gradient in (held.before, held.after))
    return [f".grad: {before} before, then {after}" if before else f".grad: {after}"]


def _amount(gradient: GradientRecord | None) -> str:
    if gradient is None:
        return ""
    return f"mean |·| {theme.short(gradient.mean_abs)}" if gradient.value is None else theme.number(gradient.value)


def _mean_gradient(gradient: GradientRecord | None) -> str:
    return f"mean |grad| = {theme.short(gradient.mean_abs)}" if gradient is not None else ""


def _sum(terms: Sequence[float]) -> str:
    """`−4.72 + 0.46`, `2 − 3`; of many terms `Σ of 7 paths`."""
    if len(terms) > FEW_PATHS:
        return f"Σ of {len(terms)} paths"
    first, *rest = (theme.number(term) for term in terms)
    return first + "".join(f" − {term[1:]}" if term.startswith("−") else f" + {term}" for term in rest)


def op_label(op: OpRecord, index: GraphIndex, findings: Sequence[Finding] = ()) -> str:
    """Symbol and formula; of an op that failed, what it said and what it was given."""
    if op.error:
        return _failure(op, index)
    return theme.label(
        theme.run(op.symbol, theme.OP.ink, 14, bold=True),
        op.formula and theme.GAP,
        op.formula and theme.run(op.formula, theme.OP.small, 10),
        cells=[theme.badge(finding.text, finding.cause) for finding in findings],
    )


def _failure(op: OpRecord, index: GraphIndex) -> str:
    ink = theme.FAILED.ink
    said = theme.wrapped(op.error.partition("\n")[0], 44, 3)
    given = (f"{edge.operand} {theme.sizes(index.tensors[edge.tensor].shape)}" for edge in index.edges[op.id])
    return theme.label(
        theme.run(op.symbol, ink, 14, bold=True),
        *(theme.run(line, ink, 10) for line in said),
        *(theme.run(line, ink, 10, bold=True) for line in given),
    )


def module_label(box: ModuleRecord, findings: Sequence[Finding] = ()) -> str:
    """Name, class, how many times, and what its parameters' gradient is like."""
    first, last = box.paths[0], box.paths[-1]
    title = first if first == last else f"{theme.shorten(first, 28)} … {theme.shorten(last, 28)}"
    times = f"× {len(box.paths)}" if len(box.paths) > 1 else ""
    count = f"{box.parameters:,} parameters" if box.parameters else ""
    ops = f"{len(box.ops)} ops" if len(box.ops) > 1 else "1 op"
    return theme.label(
        theme.run(title, theme.MODULE.ink, 12, bold=True),
        theme.run(" ".join(part for part in (box.kind, times) if part), theme.MODULE.ink, 11),
        theme.small(", ".join(part for part in (count, ops) if part), theme.MODULE.small),
        theme.small(_mean_gradient(box.gradient), theme.VERMILION, points=10),
        cells=[theme.badge(finding.text, finding.cause) for finding in findings],
    )


def cluster_label(path: str, kind: str, findings: Sequence[Finding] = ()) -> str:
    """Path and class of a module that is drawn open."""
    name = theme.run(path, theme.GREY, 11, bold=True)
    return theme.label(
        name + theme.small(kind, theme.GREY),
        cells=[theme.badge(finding.text, finding.cause) for finding in findings],
        align="LEFT",
    )


# ---------------------------------------------------------------------------------------------------------------- edges


def edge_label(edge: EdgeRecord, tensor: TensorRecord, upstream: GradientRecord | None, alone: bool) -> str:
    """The rule for the gradient, the axes it is summed over, and what flows; without a rule, which operand this is.

    Args:
        edge: from a tensor into an op.
        tensor: that tensor.
        upstream: the gradient that arrived at the op's output.
        alone: whether the op has no other input.
    """
    stands_for = ""
    if edge.through:
        name = tensor.name.rpartition(".")[2] or "parameter"
        stands_for = f"{edge.operand} = {name}{''.join(ARRANGED[op] for op in edge.through)}"
    rule = _rule(edge) or ("" if alone else edge.operand)
    # The pad keeps the text off the lanes.
    return theme.label(
        theme.run(rule, theme.VERMILION if edge.derivative else theme.GREY, 10, pad=_PAD),
        theme.run(stands_for, theme.GREY, 10, pad=_PAD),
        theme.small(_flow(edge, upstream), theme.VERMILION, _PAD) + _tick(edge),
    )


def _rule(edge: EdgeRecord) -> str:
    """`∂z/∂y = x`; between scalars with its number, `∂z/∂y = x = 2`. `∂L/∂x = …` is a gradient already."""
    if edge.local is None or not edge.derivative.startswith("∂z"):
        return edge.derivative
    number = theme.number(edge.local)
    return edge.derivative if edge.derivative.endswith(f"= {number}") else f"{edge.derivative} = {number}"


def _flow(edge: EdgeRecord, upstream: GradientRecord | None) -> str:
    """`0.79 × −3 = −2.4` between scalars; of arrays the mean size, and what is left of it where the shape is kept."""
    gradient = edge.contribution
    if gradient is None:
        return ""
    if edge.local is not None and upstream is not None and upstream.value is not None:
        factors = f"{theme.number(upstream.value)} × {theme.number(edge.local)}"
        return f"{factors} = {theme.number(gradient.value)}"
    summed = f"Σ over axes {', '.join(map(str, edge.summed))}" if edge.summed else ""
    return ", ".join(part for part in (summed, _size(gradient, upstream)) if part)


def _size(gradient: GradientRecord, upstream: GradientRecord | None) -> str:
    """`mean |·| = 0.031`; where it has the shape that it came with, `mean |·|: 0.12 × 0.25 = 0.031`."""
    if gradient.value is not None:
        return theme.number(gradient.value)
    size = theme.short(gradient.mean_abs)
    if upstream is not None and upstream.shape == gradient.shape and 0 < upstream.mean_abs < math.inf:
        left = theme.power(gradient.mean_abs / upstream.mean_abs)
        if left != "1":
            return f"mean |·|: {theme.short(upstream.mean_abs)} × {left} = {size}"
    return f"mean |·| = {size}"


def _tick(edge: EdgeRecord) -> str:
    """Whether finite differences agree."""
    if edge.checked is None:
        return ""
    if edge.checked <= FINE:
        return theme.run("✓", theme.GREEN, 10, bold=True)
    off = theme.share(edge.checked) if edge.checked < 10 else "far off"
    return theme.run(f"✗ {off}", theme.INK, 10, bold=True)


# --------------------------------------------------------------------------------------------------------------- legend


def legend(numbers: bool, not_finite: bool = False) -> str:
    """What the shapes and colours mean; below it the scale of the `numbers`, and the lane of what is `not_finite`."""
    cells = [
        _swatch("parameter", theme.TENSORS["parameter"]),
        _swatch("input, constant", theme.TENSORS["constant"]),
        _swatch("tensor", theme.TENSORS["interior"]),
        _swatch("op", theme.OP),
        f"<TD>{theme.run('↓ data', theme.GREY, 10)}</TD>",
        f"<TD>{theme.run('↑ gradient, by the rule beside it', theme.VERMILION, 10)}</TD>",
    ]
    rows = [_table(cells, spacing=6, padding=3)]
    lanes = [_step(level) for level in range(len(theme.DECADES))] if numbers else []
    lanes += [_lane(theme.NOT_FINITE, theme.WIDTHS[0], "NaN or ∞")] if not_finite else []
    if lanes:
        text = "dark and wide where it is long: √Σ g², of the longest" if numbers else "the gradient isn't finite"
        scale = [f"<TD>{_table(lane, spacing=0, padding=2)}</TD>" for lane in lanes]
        explained = f"<TD>{theme.run(text, theme.VERMILION, 10)}</TD>"
        rows.append(_table([explained, *scale], spacing=6, padding=0))
    outer = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{outer}</TABLE>>'


def _step(level: int) -> list[str]:
    """A piece of a gradient's lane, and how strong it is."""
    least = " and less" if level == len(theme.DECADES) - 1 else ""
    ratio = "1" if level == 0 else theme.power(10.0**-level)
    return _lane(theme.DECADES[level], theme.WIDTHS[level], ratio + least)


def _lane(color: str, width: float, text: str) -> list[str]:
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="20" HEIGHT="{max(round(width), 1)}" BGCOLOR="{color}"></TD>'
    return [
        f"<TD>{_table([cell], spacing=0, padding=0)}</TD>",
        f"<TD>{theme.run(text, theme.GREY, theme.SMALL)}</TD>",
    ]


def _table(cells: Sequence[str], spacing: int, padding: int) -> str:
    frame = f'BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<TABLE {frame}><TR>{''.join(cells)}</TR></TABLE>"


def _swatch(text: str, look: theme.Look) -> str:
    frame = f'BORDER="1" STYLE="rounded" COLOR="{look.outline}" BGCOLOR="{look.face}"'
    return f"<TD {frame}>{theme.run(text, look.small, 10)}</TD>"
