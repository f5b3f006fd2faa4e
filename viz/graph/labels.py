"""The labels of nodes and edges: names and rules in full size, numbers in small print."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from tensorgrad.system.columns import wrap
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import OPERATORS
from tensorgrad.viz.graph import markup
from tensorgrad.viz.graph.health import Finding, not_finite
from tensorgrad.viz.graph.simplify import VIEW_OPS
from tensorgrad.viz.record.check import TOLERANCE
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
"""The fraction of zeros from which on a label mentions them."""

LONGEST_FORMULA, MOST_LINES = 56, 3
"""Characters in a line of a formula, and lines. One that takes more with its names is written with letters."""

MOST_FOUND = 6
"""Problems that one box names."""

FEW_PATHS = 3
"""At most this many gradients are written as a sum where they meet; more are counted."""

_PAD = 2 * "\N{NO-BREAK SPACE}"

# ---------------------------------------------------------------------------------------------------------------- nodes


def tensor_label(tensor: TensorRecord, index: GraphIndex, cells: Sequence[str] = ()) -> str:
    """Name, value or shape and statistics, and the gradient.

    Args:
        tensor: the tensor.
        index: of the whole graph.
        cells: of badges and pictures, to put below.
    """
    style = theme.TENSORS[tensor.kind]
    value = "" if tensor.value is None else theme.number(tensor.value)
    title = " = ".join(part for part in (theme.shorten(tensor.name) or tensor.symbol, value) if part)
    shape = "" if value else theme.sizes(tensor.shape)
    wrong = not_finite(tensor)
    return markup.label(
        # The top of a cylinder reaches into its face, the further the larger it is.
        (markup.LID if any(cells) else markup.GAP) if style.shape == "cylinder" else "",
        title and markup.run(title, style.ink, 12, bold=True),
        shape and markup.run(shape, style.small, 10),
        markup.small(summary(tensor.statistics, tensor.dtype), style.small),
        *gradient_lines(tensor, index),
        cells=[markup.badge([f"holds {wrong}"] if wrong else []), *cells],
    )


def summary(numbers: Statistics | None, dtype: str) -> str:
    """Mean ± standard deviation, minimum … maximum; of integers the last two."""
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


def gradient_lines(tensor: TensorRecord, index: GraphIndex) -> list[str]:
    """The gradient; where several paths meet, as the sum of their contributions."""
    gradient = tensor.gradient
    if gradient is None:
        return []
    edges = [edge for op in dict.fromkeys(index.users[tensor.id]) for edge in index.edges[op]]
    parts = [e.contribution for e in edges if e.tensor == tensor.id and e.contribution is not None]
    terms = [part.value for part in parts if part.value is not None]
    ink = theme.TENSORS[tensor.kind].gradient
    if gradient.value is None:
        lines = [_mean_gradient(gradient)]
        if len(parts) > 1:
            lines.append(f"Σ of {len(parts)} paths")
    else:
        written = _sum(terms) if len(terms) == len(parts) > 1 and not tensor.altered else ""
        lines = [" = ".join(part for part in ("grad", written, theme.number(gradient.value)) if part)]
    lines += [tensor.altered] if tensor.altered else []
    lines += _held(tensor.held)
    return [markup.small(lines[0], ink, points=10), *(markup.small(line, ink) for line in lines[1:])]


def _held(held: Held | None) -> list[str]:
    """What `.grad` held before and after, where that isn't the gradient alone."""
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


def badges(findings: Sequence[Finding]) -> list[str]:
    """The cells that name problems; those of one cause and remedy, which stand below them, are one cell.

    Of more than `MOST_FOUND` problems the first ones are named, and the others counted.
    """
    more_found = len(findings) - MOST_FOUND + 1
    if more_found > 1:
        findings = [*findings[: MOST_FOUND - 1], Finding("", f"and {more_found} more")]
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in findings:
        alike[finding.cause, finding.remedy].append(finding.text)
    cells = []
    for (cause, remedy), texts in alike.items():
        told = [cause, remedy and f"→ {remedy}"]
        lines = [line for text in told for line in theme.wrapped(text, LONGEST_FORMULA, 2)]
        cells.append(markup.badge(texts, *lines))
    return cells


def op_label(op: OpRecord, index: GraphIndex, findings: Sequence[Finding] = ()) -> str:
    """Symbol and formula; of an op that failed, its error and its inputs."""
    if op.error:
        return markup.label(*failure_lines(op, index))
    formula = _lines(op.applied, op.formula)
    return markup.label(
        markup.run(op.symbol, theme.OP.ink, 14, bold=True),
        markup.GAP if formula else "",
        *(markup.run(line, theme.OP.small, 10) for line in formula),
        cells=badges(findings),
    )


def failure_lines(op: OpRecord, index: GraphIndex) -> list[str]:
    """Of an op that failed: its symbol, its error, and its inputs."""
    ink = theme.FAILED.ink
    said = theme.wrapped(op.error.partition("\n")[0], 44, 3)
    given = (f"{edge.operand} {theme.sizes(index.tensors[edge.tensor].shape)}" for edge in index.edges[op.id])
    return [
        markup.run(op.symbol, ink, 14, bold=True),
        *(markup.run(line, ink, 10) for line in said),
        *(markup.run(line, ink, 10, bold=True) for line in given),
    ]


def module_label(box: ModuleRecord, findings: Sequence[Finding] = ()) -> str:
    """Name, class, number of calls and parameters, and the mean gradient of its parameters."""
    title, kind, facts, gradient = module_lines(box)
    return markup.label(
        markup.run(title, theme.MODULE.ink, 12, bold=True),
        markup.run(kind, theme.MODULE.ink, 11),
        markup.small(facts, theme.MODULE.small),
        markup.small(gradient, theme.GRADIENT, points=10),
        cells=badges(findings),
    )


def module_lines(box: ModuleRecord) -> tuple[str, str, str, str]:
    """Its name; its class and number of calls; its parameters and ops; the mean gradient. As plain text."""
    first, last = box.paths[0], box.paths[-1]
    title = first if first == last else f"{theme.shorten(first, 28)} … {theme.shorten(last, 28)}"
    times = f"× {len(box.paths)}" if len(box.paths) > 1 else ""
    count = f"{box.parameters:,} parameters" if box.parameters else ""
    ops = f"{len(box.ops)} ops" if len(box.ops) > 1 else "1 op"
    kind = " ".join(part for part in (box.kind, times) if part)
    return title, kind, ", ".join(part for part in (count, ops) if part), _mean_gradient(box.gradient)


def cluster_label(path: str, kind: str, findings: Sequence[Finding] = ()) -> str:
    """Path and class of a module that is drawn open."""
    name = markup.run(path, theme.GREY, 11, bold=True)
    return markup.label(
        name + markup.small(kind, theme.GREY),
        cells=badges(findings),
        align="LEFT",
    )


# ---------------------------------------------------------------------------------------------------------------- edges


def edge_label(edge: EdgeRecord, tensor: TensorRecord, upstream: GradientRecord | None) -> str:
    """The rule for the gradient, the axes it is summed over, and the contribution.

    Args:
        edge: from a tensor into an op.
        tensor: that tensor.
        upstream: the gradient that arrived at the op's output.
    """
    stands_for = ""
    if edge.through:
        name = tensor.name.rpartition(".")[2] or tensor.symbol
        stands_for = f"{edge.symbol} = {name}{''.join(VIEW_OPS[op] for op in edge.through)}"
    ink = theme.GRADIENT if edge.derivative else theme.GREY
    # The pad keeps the text away from the lanes.
    return markup.label(
        *(markup.run(line, ink, 10, pad=_PAD) for line in rule_lines(edge)),
        markup.run(stands_for, theme.GREY, 10, pad=_PAD),
        markup.small(flow(edge, upstream), theme.GRADIENT, _PAD) + tick(edge),
    )


def rule_lines(edge: EdgeRecord) -> list[str]:
    """`∂u/∂w = x`; between scalars with its number, `∂u/∂w = x = 2`. `∂L/∂x = …` is a gradient already."""
    rule = _lines(edge.applied, edge.derivative)
    if edge.local is None or not edge.derivative.startswith("∂z"):
        return rule
    number = theme.number(edge.local)
    return rule if rule[-1].endswith(f"= {number}") else [*rule[:-1], f"{rule[-1]} = {number}"]


def _lines(applied: str, stated: str) -> list[str]:
    """A formula with the names of its tensors, broken before signs; one that is too long as the op states it."""
    lines = wrap(applied, LONGEST_FORMULA, OPERATORS, force=False)
    if len(lines) > MOST_LINES or max(map(len, lines)) > LONGEST_FORMULA:
        lines = wrap(stated, LONGEST_FORMULA, OPERATORS, force=False)
    return [line for line in lines if line]


def flow(edge: EdgeRecord, upstream: GradientRecord | None) -> str:
    """`0.79 × −3 = −2.4` between scalars; of arrays the mean, and its ratio to the upstream where the shape is kept."""
    gradient = edge.contribution
    if gradient is None:
        return ""
    if edge.local is not None and gradient.value is not None and upstream is not None and upstream.value is not None:
        factors = f"{theme.number(upstream.value)} × {theme.number(edge.local)}"
        return f"{factors} = {theme.number(gradient.value)}"
    size = _size(gradient, upstream)
    if not edge.summed:
        return size
    over = f"Σ over axes {', '.join(map(str, edge.summed))}"
    return f"{over} {size}" if size.startswith("=") else f"{over}, {size}"


def _size(gradient: GradientRecord, upstream: GradientRecord | None) -> str:
    """`= 2`, `mean |·| = 0.031`; where the upstream gradient has the same shape, `mean |·|: 0.12 × 0.25 = 0.031`."""
    if gradient.value is not None:
        return f"= {theme.number(gradient.value)}"
    size = theme.short(gradient.mean_abs)
    if upstream is not None and upstream.shape == gradient.shape and 0 < upstream.mean_abs < math.inf:
        ratio = theme.short(gradient.mean_abs / upstream.mean_abs)
        if ratio != "1":
            return f"mean |·|: {theme.short(upstream.mean_abs)} × {ratio} = {size}"
    return f"mean |·| = {size}"


def tick(edge: EdgeRecord) -> str:
    """✓ where finite differences agree, else ✗ and the relative error."""
    if edge.checked is None:
        return ""
    if edge.checked <= TOLERANCE:
        return markup.run("✓", theme.GOOD, 10, bold=True)
    off = theme.share(edge.checked) if edge.checked < 10 else "far off"
    return markup.run(f"✗ {off}", theme.INK, 10, bold=True)
