"""A small graph for a terminal: the ops in the order they ran, down the page, and the gradient on its way back up."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorgrad.autograd.engine import Variable
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.system.console import printable
from tensorgrad.viz.explain.replay import Replay
from tensorgrad.viz.explain.words import backward_rule, put_in
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import OPERATORS, plain
from tensorgrad.viz.format.notation import factor, name, numbered, partial
from tensorgrad.viz.format.terminal import columns, cut, fill, terminal_width, wrap
from tensorgrad.viz.graph.edge_tracks import MOST, Track, lay_out
from tensorgrad.viz.record.collect import MAX_OPS, collect, live_steps, variables_of
from tensorgrad.viz.record.recorder import Depth
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, OpRecord, TensorRecord
from tensorgrad.viz.record.trace import Trace

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

LARGE = 60
"""Ops of a larger graph are left out in the middle."""

Row = tuple[str, str, str]
"""What stands in the column that runs down: an op's symbol or a line; beside it what was computed; and the gradient."""


def text(
    loss: Tensor | Trace, names: Mapping[str, Any] | None = None, width: int | None = None, max_ops: int = LARGE
) -> str:
    """The graph behind a tensor, or what a trace has seen, drawn with characters.

    Down the page runs the computation: one line for each op, with its formula and the value of a scalar or the shape;
    operands come in from the side, and lines at the left lead to what is used again later. Beside it, or below in a
    narrow terminal, stands the way back: the gradient of each tensor (of arrays its mean absolute value) and on each
    operand the rule that gave it. A failed op of a trace is marked with ✗.

    Args:
        loss: a tensor that was computed while recording was on, before or after `backward()`; or a trace.
        names: tensors by name, such as `dict(model.named_parameters())`; else `.name` or the caller's variables.
        width: in columns; by default that of the terminal.
        max_ops: of a larger graph the ops in the middle are left out; more than 2,000 ops are refused.

    Raises:
        DTypeError, GraphError: neither a tensor nor a trace, or nothing was recorded. ArgumentError: too many ops, or a
            limit out of range.

    >>> import tensorgrad as tg
    >>> a, b = tg.tensor(0.5, requires_grad=True), tg.tensor(-3.0, requires_grad=True)
    >>> print(tg.viz.text((a * b + a).tanh(), width=80))
    computed ↓                   gradient ↑
    ○  a = 0.5                   ∂L/∂a = −0.8399
    │                            ∂L/∂a += ∂L/∂u₁ · b = −1.26
    ├─ b = −3                    ∂L/∂b = ∂L/∂u₁ · a = 0.21
    ×  u₁ = a · b = −1.5
    │                            ∂L/∂u₁ = ∂L/∂u₂ = 0.42
    ├─ a, again                  ∂L/∂a += ∂L/∂u₂ = 0.42
    +  u₂ = u₁ + a = −1
    │                            ∂L/∂u₂ = ∂L/∂L · (1 − L²) = 0.42
    tanh L = tanh u₂ = −0.7616   ∂L/∂L = 1
    """
    width = terminal_width("text", width)
    if isinstance(max_ops, bool) or not isinstance(max_ops, int) or max_ops < 2:
        raise ArgumentError(
            restate("text", "max_ops is out of range", expected="a whole number from 2", max_ops=max_ops)
        )
    variables, depth = variables_of(sys._getframe(1)), Depth(numbers=True)
    if isinstance(loss, Trace):
        record = loss.record(names=names, variables=variables, depth=depth)
    elif isinstance(loss, Variable):
        record = _with_values(collect(loss, names, variables, MAX_OPS, depth), loss)
    else:
        fix = "pass the loss, or the trace of a `with tg.viz.trace() as t:` block"
        raise DTypeError(restate("text", "only a tensor or a trace can be drawn", fix=fix, loss=loss))
    return printable("\n".join(_Column(record, max_ops, width).lines()))


def _with_values(record: GraphRecord, loss: Variable) -> GraphRecord:
    """The record with the scalars that the graph itself no longer holds, where they follow from what it does hold."""
    found = live_steps(loss)
    values = Replay(found.steps, found.known).values
    by_id = {op.output: values.get(step.output) for op, step in zip(record.ops, found.steps, strict=True)}
    tensors = []
    for tensor in record.tensors:
        found = by_id.get(tensor.id)
        if tensor.value is None and found is not None and found.ndim == 0:
            tensor = dataclasses.replace(tensor, value=found.item())
        tensors.append(tensor)
    return dataclasses.replace(record, tensors=tuple(tensors))


class _Column:
    """The rows of the drawing, one below the other."""

    def __init__(self, record: GraphRecord, max_ops: int, width: int) -> None:
        self._record, self._width = record, width
        self._tensors = {tensor.id: tensor for tensor in record.tensors}
        self._edges: dict[str, list[EdgeRecord]] = {op.id: [] for op in record.ops}
        for edge in record.edges:
            self._edges[edge.op].append(edge)
        self._parts = Counter(edge.tensor for edge in record.edges if edge.carries_gradient)
        self._ends = [self._tensors[id] for id in record.outputs]
        self._names: dict[str, str] = {}
        self._rows: list[Row] = []
        self._tracks: dict[str, Track] = {}
        self._told: set[str] = set()
        self._above = ""  # the tensor that the column leads down from
        ops, left_out = list(record.ops), len(record.ops) - max_ops
        if left_out > 0:
            first = ops[: max_ops // 2]
            self._write(first)
            self._rows += [("┆", f"{left_out:,} ops are left out here", "")]
            self._forget()
            ops = ops[len(first) + left_out :]
        self._write(ops)

    # ------------------------------------------------------------------------------------------------------------ rows

    def _write(self, ops: list[OpRecord]) -> None:
        last_use = {edge.tensor: op.id for op in ops for edge in self._edges[op.id]}
        for op, following in zip(ops, [*ops[1:], None], strict=True):
            self._operands(op)
            self._op(op)
            self._above = op.output
            here = following is not None and any(edge.tensor == op.output for edge in self._edges[following.id])
            if op.output in last_use and not (here and last_use[op.output] == following.id):
                self._tracks[op.output] = Track(len(self._rows))
                self._rows.append(("┤" if here else "┘", "", ""))

    def _forget(self) -> None:
        """What was made above the gap can be pointed at by name only."""
        self._tracks = {id: track for id, track in self._tracks.items() if track.stops}
        self._above = ""

    def _operands(self, op: OpRecord) -> None:
        """A row for each operand: it comes down the column, along a rail, or from the side."""
        edges = self._edges[op.id]
        through = next((edge for edge in edges if edge.tensor == self._above), None)
        for edge in edges:
            back, first = self._backward(op, edge), through is None and edge is edges[0]
            if edge is through:
                self._rows += [("│", "", back)] if back else []
            elif edge.tensor in self._tracks:
                self._tracks[edge.tensor].stops.append(len(self._rows))
                self._rows.append(("┐" if first else "┤", self[edge.tensor], back))
            else:
                self._rows += self._leaf(edge.tensor, "○" if first else "├─", back)
            self._told.add(edge.tensor)

    def _leaf(self, id: str, mark: str, back: str) -> list[Row]:
        """A tensor that no op above has made: its value or shape, and its gradient, where it is met first."""
        word, tensor = self[id], self._tensors[id]
        if id in self._told:
            return [(mark, f"{word}, again", back)]
        if tensor.value is not None:
            word += "" if word == factor(tensor.value) else f" = {theme.number(tensor.value)}"
        else:
            word += f" {theme.sizes(tensor.shape)}"
        if tensor.kind in ("interior", "output"):
            return [(mark, f"{word}, made above", back)]
        if self._parts[id] > 1 and back:
            return [(mark, word, self._gradient(tensor)), ("│", "", back)]
        return [(mark, word, back)]

    def _op(self, op: OpRecord) -> None:
        symbol = plain(name(op.symbol))
        if not op.output:
            operands = [f"{self[e.tensor]} {theme.sizes(self._tensors[e.tensor].shape)}" for e in self._edges[op.id]]
            self._rows.append(("✗", f"{symbol} failed for {' and '.join(operands)}:", ""))
            self._rows += [("", theme.shorten(line, 1000), "") for line in op.error.splitlines()]
            return
        z = self._tensors[op.output]
        result = f" = {theme.number(z.value)}" if z.value is not None else f"  {theme.sizes(z.shape)}"
        formula = put_in(op.formula or f"z = {op.name}", self._letters(op))
        # A gradient that has come from one op alone stands beside that op's rule.
        self._rows.append((symbol, formula + result, "" if self._parts[z.id] == 1 else self._gradient(z)))

    # ------------------------------------------------------------------------------------------------------------ words

    def __getitem__(self, id: str) -> str:
        """What a tensor is called."""
        if id not in self._names:
            self._names[id] = self._fresh(self._tensors[id])
        return self._names[id]

    def _fresh(self, tensor: TensorRecord) -> str:
        if not tensor.shape and self._ends == [tensor] and (tensor.gradient is None or tensor.gradient.value == 1):
            return "L"  # what backward() started from, and with 1
        if tensor.name:
            return name(tensor.name)
        if tensor.kind == "constant" and tensor.value is not None:
            return factor(tensor.value)
        letter = {"parameter": "p", "constant": "c"}.get(tensor.kind, "u")
        number = 1
        while numbered(letter, number) in self._names.values():
            number += 1
        return numbered(letter, number)

    def _letters(self, op: OpRecord) -> dict[str, str]:
        letters = {edge.operand: self[edge.tensor] for edge in self._edges[op.id]} | {"z": self[op.output]}
        if op.name in ("mean", "var", "std"):
            folded = self._tensors[self._edges[op.id][0].tensor].shape
            letters["n"] = str(math.prod(folded) // max(math.prod(self._tensors[op.output].shape), 1))
        return letters

    def _gradient(self, tensor: TensorRecord) -> str:
        """`∂L/∂u = 0.5`"""
        known = tensor.gradient is not None and self._record.output
        return f"{partial('L', self[tensor.id])}{_measure(tensor.gradient)}" if known else ""

    def _backward(self, op: OpRecord, edge: EdgeRecord) -> str:
        """The rule by which an operand gets its gradient, or a part of it, and what that is."""
        if not edge.derivative or not self._record.output:
            return ""
        several, found = self._parts[edge.tensor] > 1, edge.contribution
        if found is None and not several:
            found = self._tensors[edge.tensor].gradient
        derivative = edge.derivative.replace("xᵢ", self[edge.tensor]) if "[" in edge.operand else edge.derivative
        rule = backward_rule(derivative, self._letters(op), scalar=not self._tensors[op.output].shape)
        if several:
            rule = rule.replace(" = ", " += ", 1)
        if edge.summed:
            rule += f", summed over {'axis' if len(edge.summed) == 1 else 'axes'} {', '.join(map(str, edge.summed))}"
        return rule + ("" if found is None else _measure(found))

    # ------------------------------------------------------------------------------------------------------------ lines

    def lines(self) -> list[str]:
        """The drawing, line by line."""
        tracks = [track for track in self._tracks.values() if track.stops]
        before = lay_out(tracks, len(self._rows), min(MOST, self._width // 10))
        for track in tracks:
            if track.column < 0:
                self._without(track)
        rows = []
        for track, (mark, computed, back) in zip(before, self._rows, strict=True):
            gap = "" if not computed else "  " if columns(mark) == 1 else " "
            rows.append((track, f"{track}{mark}{gap}{plain(computed)}", plain(back)))
        room = max([columns(left) for _, left, right in rows if right], default=0)
        room = max(room, len("computed ↓")) + 3
        beside = room + max(columns(right) for *_, right in rows) <= self._width
        lines = []
        if len(ends := [tensor for tensor in self._ends if tensor.gradient is not None]) > 1:
            lines += wrap(plain(f"L is the sum of {', '.join(self[tensor.id] for tensor in ends)}"), self._width)
        if any(right for *_, right in rows):
            heads = plain("computed ↓"), plain("gradient ↑")
            lines.append(fill(heads[0], room) + heads[1] if beside else cut(" · ".join(heads), self._width))
        for number, (track, left, right) in enumerate(rows):
            if right and beside:
                lines.append(fill(left, room) + right)
            elif self._rows[number][0] or not left.strip("│ "):
                lines += [cut(left, self._width)] if self._rows[number][1] or not right else []
                lines += self._below(track, right, last=number + 1 == len(rows))
            else:
                lines += [f"   {line}" for line in wrap(left.strip(), self._width - 3)]
        return [line.rstrip() for line in lines]

    def _without(self, track: Track) -> None:
        """A rail that found no room: its tensor is pointed at by name."""
        mark, *beside = self._rows[track.start]
        self._rows[track.start] = ("│" if mark == "┤" else "", *beside)
        for stop in track.stops:
            mark, word, back = self._rows[stop]
            self._rows[stop] = ("├─" if mark == "┤" else "○", f"{word}, made above", back)

    def _below(self, track: str, back: str, last: bool) -> list[str]:
        """A gradient under its row, for there is no room beside it; rails and column go on."""
        if not back:
            return []
        down = "".join("│" if c in "┌├│┼" else " " for c in track) + (" " if last else "│")
        first, *others = wrap(back, self._width - columns(down) - 4, (*OPERATORS, "  (", ", "))
        return [f"{down}  ↑ {first}", *(f"{down}    {line}" for line in others)]


def _measure(gradient: GradientRecord) -> str:
    """The number that a gradient is, or the mean of its absolute values."""
    if gradient.value is not None:
        return f" = {theme.number(float(gradient.value))}"
    return f"  (mean |·| {theme.number(gradient.mean_abs, 3)})"
