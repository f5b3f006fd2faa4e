"""Tables in plain text: columns of cells, aligned, narrowed to a width."""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad.system.columns import columns, cut, pad
from tensorgrad.system.console import printable

GAP = "  "
"""Between two columns."""

NARROWEST = 6
"""A column is never narrowed below this width."""


def align(rows: Sequence[Sequence[str]], alignment: str, width: int | None = None, optional: int = 0) -> list[str]:
    r"""Rows of cells as lines of text, the columns below one another.

    Args:
        rows: equally many cells in each.
        alignment: per column `l` (left) or `r` (right).
        width: of the lines, in the columns of a terminal: the widest columns are cut until the lines fit. None for any.
        optional: how many of the last columns may be left out where the lines are too wide.

    >>> print("\n".join(align([("layer", "size"), ("conv1.weight", "150")], "lr")))
    layer         size
    conv1.weight   150
    """
    widths = [max(columns(row[k]) for row in rows) for k in range(len(alignment))]
    if width is not None:
        widths = _narrowed(widths, width, optional)
    lines = []
    for row in rows:
        cells = zip(row, widths, alignment, strict=False)
        lines.append(GAP.join(pad(cut(cell, n), n, right=side == "r") for cell, n, side in cells).rstrip())
    return lines if width is None else [cut(line, width) for line in lines]


def _narrowed(widths: list[int], width: int, optional: int) -> list[int]:
    """Widths that fit: the optional columns left out from the right, then the widest column cut by 1 each time."""
    count = len(widths)
    while _total(widths) > width and count - len(widths) < optional:
        widths.pop()
    while _total(widths) > width and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def rule(lines: Sequence[str]) -> str:
    """A horizontal line as wide as the widest of these.

    >>> rule(["layer", "conv1"])
    '─────'
    """
    return printable("─") * max(map(columns, lines))
