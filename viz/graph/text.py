"""A small graph for a terminal: the ops run down, in the order they ran, and the gradient runs up beside them."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.system.console import printable
from tensorgrad.viz.explain.replay import Replay
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import plain
from tensorgrad.viz.format.notation import factor, name
from tensorgrad.viz.format.terminal import terminal_width
from tensorgrad.viz.graph.edge_tracks import Track
from tensorgrad.viz.graph.text_layout import Row, write_lines
from tensorgrad.viz.record.collect import MAX_OPS, collect, live_steps, variables_of
from tensorgrad.viz.record.recorder import Depth
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, OpRecord, TensorRecord
from tensorgrad.viz.record.trace import Trace

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

LARGE = 60
"""The default limit: of a larger graph the ops in the middle are left out."""


def text(
    loss: Tensor | Trace, names: Mapping[str, Any] | None = None, width: int | None = None, max_ops: int = LARGE
) -> str:
    """The graph behind a tensor, or what a trace has seen, drawn with characters.

    The computation runs down: one line for each op, with its formula and the value of a scalar or the shape; operands
    come in from the side, and tracks at the left lead to what is used again later. Beside it, or below it in a narrow
    terminal, stands the backward pass: the gradient of each tensor (of arrays its mean absolute value), and for each
    operand the rule that gave it. A failed op of a trace is marked with ✗.

    Args:
        loss: a tensor that was computed while recording was on, before or after `backward()`; or a trace.
        names: tensors by name, such as `dict(model.named_parameters())`; else `.name` or the caller's variables.
        width: in columns; by default that of the terminal.
        max_ops: the number of ops to show; of a larger graph the ops in the middle are left out.

    Raises:
        DTypeError: `loss` is neither a tensor nor a trace, or `width` isn't an integer.
        GraphError: nothing was recorded.
        ArgumentError: `max_ops` is below 2, `width` is below 20, or the graph has more than 10,000 ops.

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
        raise ArgumentError(restate("text", f"max_ops must be an integer of at least 2, got {max_ops!r}"))
    variables, depth = variables_of(sys._getframe(1)), Depth(numbers=True)
    if isinstance(loss, Trace):
        record = loss.record(names=names, variables=variables, depth=depth)
    elif isinstance(loss, Variable):
        record = _with_values(collect(loss, names, variables, MAX_OPS, depth), loss)
    else:
        fix = "pass the loss, or the trace of a `with tg.viz.trace() as t:` block"
        raise DTypeError(restate("text", "loss must be a tensor or a trace", fix=fix, loss=loss))
    return Text(printable("\n".join(_Column(record, max_ops).lines(width))))


class Text(str):
    """A text that shows itself at a prompt and in a notebook, its lines below one another."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _with_values(record: GraphRecord, loss: Variable) -> GraphRecord:
    """The record, with the scalars that the graph itself no longer holds but that follow from what it holds."""
    computed = live_steps(loss)
    replay = Replay(computed.steps, computed.known)
    values = {op.output: replay.values.get(step.output) for op, step in zip(record.ops, computed.steps, strict=True)}
    tensors = []
    for tensor in record.tensors:
        value = values.get(tensor.id)
        if tensor.value is None and value is not None and value.ndim == 0:
            tensor = dataclasses.replace(tensor, value=value.item())
        tensors.append(tensor)
    return dataclasses.replace(record, tensors=tuple(tensors))


class _Column:
    """The rows of the drawing, one below the other."""

    def __init__(self, record: GraphRecord, max_ops: int) -> None:
        self._record = record
        self._tensors = {tensor.id: tensor for tensor in record.tensors}
        self._edges: dict[str, list[EdgeRecord]] = {op.id: [] for op in record.ops}
        for edge in record.edges:
            self._edges[edge.op].append(edge)
        self._parts = Counter(edge.tensor for edge in record.edges if edge.carries_gradient)
        self._ends = [self._tensors[id] for id in record.outputs]
        self._rows: list[Row] = []
        self._tracks: dict[str, Track] = {}
        self._shown: set[str] = set()
        self._above = ""  # the tensor that the column leads down from
        ops, left_out = list(record.ops), len(record.ops) - max_ops
        if left_out > 0:
            first = ops[: max_ops // 2]
            self._write(first)
            self._rows.append(Row("┆", f"{left_out:,} ops are left out here", ""))
            self._end_tracks()
            ops = ops[len(first) + left_out :]
        self._write(ops)

    # ------------------------------------------------------------------------------------------------------------ rows

    def _write(self, ops: list[OpRecord]) -> None:
        last_use = {edge.tensor: op.id for op in ops for edge in self._edges[op.id]}
        for op, following in zip(ops, [*ops[1:], None], strict=True):
            self._operands(op)
            self._op(op)
            self._above = op.output
            next_id = following.id if following is not None else ""
            goes_on = any(edge.tensor == op.output for edge in self._edges.get(next_id, ()))
            if op.output in last_use and not (goes_on and last_use[op.output] == next_id):
                self._tracks[op.output] = Track(len(self._rows))
                self._rows.append(Row("┤" if goes_on else "┘", "", ""))

    def _end_tracks(self) -> None:
        """No track crosses the gap: what was made above it is referred to by name."""
        self._tracks = {id: track for id, track in self._tracks.items() if track.stops}
        self._above = ""

    def _operands(self, op: OpRecord) -> None:
        """A row for each operand: it comes down the column, along a track, or from the side."""
        edges = self._edges[op.id]
        through = next((edge for edge in edges if edge.tensor == self._above), None)
        # `u · u` has one row: both edges say the same.
        alike = Counter((edge.tensor, self._backward(op, edge)) for edge in edges)
        for edge in edges:
            count, first = alike.pop((edge.tensor, self._backward(op, edge)), 0), through is None and edge is edges[0]
            if not count:
                continue
            back = self._backward(op, edge, count)
            if edge is through:
                self._rows += [Row("│", "", back)] if back else []
            elif edge.tensor in self._tracks:
                self._tracks[edge.tensor].stops.append(len(self._rows))
                self._rows.append(Row("┐" if first else "┤", self[edge.tensor], back))
            else:
                self._rows += self._leaf(edge.tensor, "○" if first else "├─", back)
            self._shown.add(edge.tensor)

    def _leaf(self, id: str, symbol: str, back: str) -> list[Row]:
        """A tensor that no op above has made: its value or shape, and its gradient, at its first use."""
        word, tensor = self[id], self._tensors[id]
        if id in self._shown:
            return [Row(symbol, f"{word}, again", back)]
        if tensor.value is not None:
            word += "" if word == factor(tensor.value) else f" = {theme.number(tensor.value)}"
        else:
            word += f" {theme.sizes(tensor.shape)}"
        if tensor.kind in ("interior", "output"):
            return [Row(symbol, f"{word}, made above", back)]
        if self._parts[id] > 1 and back:
            return [Row(symbol, word, self._gradient(tensor)), Row("│", "", back)]
        return [Row(symbol, word, back)]

    def _op(self, op: OpRecord) -> None:
        symbol = plain(name(op.symbol))
        if not op.output:
            operands = [f"{self[e.tensor]} {theme.sizes(self._tensors[e.tensor].shape)}" for e in self._edges[op.id]]
            self._rows.append(Row("✗", f"{symbol} failed for {' and '.join(operands)}:", ""))
            self._rows += [Row("", theme.shorten(line, 1000), "") for line in op.error.splitlines()]
            return
        z = self._tensors[op.output]
        result = f" = {theme.number(z.value)}" if z.value is not None else f"  {theme.sizes(z.shape)}"
        formula = op.applied or f"{self[op.output]} = {op.name}"
        # A gradient that comes from one op alone stands beside that op's rule.
        self._rows.append(Row(symbol, formula + result, "" if self._parts[z.id] == 1 else self._gradient(z)))

    # ------------------------------------------------------------------------------------------------------------ names

    def __getitem__(self, id: str) -> str:
        """What a tensor is called: by its symbol, or its value."""
        tensor = self._tensors[id]
        return tensor.symbol if tensor.symbol or tensor.value is None else factor(float(tensor.value))

    def _gradient(self, tensor: TensorRecord) -> str:
        """`∂L/∂u = 0.5`"""
        if tensor.gradient is None or not self._record.output:
            return ""
        return f"∂{self._record.loss}/∂{self[tensor.id]}{_measure(tensor.gradient)}"

    def _backward(self, op: OpRecord, edge: EdgeRecord, count: int = 1) -> str:
        """The rule that gives an operand its gradient, or a part of it, the number, and how often it is added."""
        if not edge.derivative or not self._record.output:
            return ""
        several, found = self._parts[edge.tensor] > 1, edge.contribution
        if found is None and not several:
            found = self._tensors[edge.tensor].gradient
        rule = edge.rule
        if several:
            rule = rule.replace(" = ", " += ", 1)
        if edge.summed:
            rule += f", summed over {'axis' if len(edge.summed) == 1 else 'axes'} {', '.join(map(str, edge.summed))}"
        times = "" if count == 1 else ", twice" if count == 2 else f", {count} times"
        return rule + ("" if found is None else _measure(found)) + times

    def lines(self, width: int) -> list[str]:
        """The drawing, line by line, for a terminal of that width."""
        tracks = [track for track in self._tracks.values() if track.stops]
        ends = [self[tensor.id] for tensor in self._ends if tensor.gradient is not None]
        note = f"L is the sum of {', '.join(ends)}" if len(ends) > 1 else ""
        return write_lines(self._rows, tracks, width, note)


def _measure(gradient: GradientRecord) -> str:
    """The value of a scalar gradient, or the mean absolute value."""
    if gradient.value is not None:
        return f" = {theme.number(float(gradient.value))}"
    return f"  (mean |·| {theme.number(gradient.mean_abs, 3)})"
