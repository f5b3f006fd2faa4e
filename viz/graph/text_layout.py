"""The lines of a text drawing: tracks, the computation, and the gradient beside it or below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tensorgrad.system.columns import columns, cut, pad, wrap
from tensorgrad.viz.format.document import OPERATORS, plain
from tensorgrad.viz.graph.edge_tracks import MOST, Track, lay_out


class Row(NamedTuple):
    """One row of the column that runs down.

    Attributes:
        symbol: in the column: an op's symbol, or a line.
        computed: what was computed, or an operand.
        gradient: the gradient rule, or the gradient, in the backward pass.
    """

    symbol: str
    computed: str
    gradient: str


class _Line(NamedTuple):
    """A row as it is laid out: its tracks, the left part that includes them, and the gradient."""

    tracks: str
    left: str
    gradient: str
    row: Row


def write_lines(rows: Sequence[Row], tracks: Sequence[Track], width: int, note: str) -> list[str]:
    """The drawing, line by line.

    Args:
        rows: from top to bottom.
        tracks: those that some row uses.
        width: in columns of the terminal.
        note: a line to put first; empty for none.
    """
    before = lay_out(tracks, len(rows), min(MOST, width // 10))
    rows = _without_dropped(rows, tracks)
    laid_out = []
    for text, row in zip(before, rows, strict=True):
        gap = "" if not row.computed else "  " if columns(row.symbol) == 1 else " "
        left = f"{text}{row.symbol}{gap}{plain(row.computed)}"
        laid_out.append(_Line(text, left, plain(row.gradient), row))
    left_width = max([columns(line.left) for line in laid_out if line.gradient], default=0)
    left_width = max(left_width, len("computed ↓")) + 3
    beside = left_width + max(columns(line.gradient) for line in laid_out) <= width
    lines = wrap(plain(note), width) if note else []
    if any(line.gradient for line in laid_out):
        heads = plain("computed ↓"), plain("gradient ↑")
        lines.append(pad(heads[0], left_width) + heads[1] if beside else cut(" · ".join(heads), width))
    for number, line in enumerate(laid_out):
        if line.gradient and beside:
            lines.append(pad(line.left, left_width) + line.gradient)
        else:
            lines += _below_one_another(line, width, last=number + 1 == len(laid_out))
    return [line.rstrip() for line in lines]


def _without_dropped(rows: Sequence[Row], tracks: Sequence[Track]) -> list[Row]:
    """The rows; a tensor whose track was dropped for lack of space is referred to by name."""
    rows = list(rows)
    for track in tracks:
        if track.column >= 0:
            continue
        start = rows[track.start]
        rows[track.start] = start._replace(symbol="│" if start.symbol == "┤" else "")
        for stop in track.stops:
            symbol, word, gradient = rows[stop]
            rows[stop] = Row("├─" if symbol == "┤" else "○", f"{word}, made above", gradient)
    return rows


def _below_one_another(line: _Line, width: int, last: bool) -> list[str]:
    """A row in a narrow terminal: the gradient is below the computation."""
    if not line.row.symbol and line.left.strip("│ "):
        return [f"   {text}" for text in wrap(line.left.strip(), width - 3)]
    first = [cut(line.left, width)] if line.row.computed or not line.gradient else []
    return first + _gradient_below(line.tracks, line.gradient, width, last)


def _gradient_below(tracks: str, gradient: str, width: int, last: bool) -> list[str]:
    """A gradient under its row; tracks and column continue beside it."""
    if not gradient:
        return []
    down = "".join("│" if c in "┌├│┼" else " " for c in tracks) + (" " if last else "│")
    first, *others = wrap(gradient, width - columns(down) - 4, (*OPERATORS, "  (", ", "))
    return [f"{down}  ↑ {first}", *(f"{down}    {line}" for line in others)]
