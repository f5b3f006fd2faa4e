"""The legend of a drawing: what shapes and colours mean, and the scale of the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import markup


class Entry(NamedTuple):
    """What one shape or colour means.

    Attributes:
        text: its meaning.
        style: of a box.
        lane: of a lane, its colour and its width in points.
        color: of a text without either.
    """

    text: str
    style: theme.NodeStyle | None = None
    lane: tuple[str, float] | None = None
    color: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The entry as plain data, for a page."""
        if self.style is not None:
            face = {"fill": self.style.face, "stroke": self.style.outline}
            return {"text": self.text, "color": self.style.small, "face": face, "dashed": "dashed" in self.style.style}
        if self.lane is not None:
            return {"text": self.text, "color": theme.GREY, "lane": self.lane}
        return {"text": self.text, "color": self.color}


def entries(numbers: bool, not_finite: bool = False) -> list[Entry]:
    """All entries: boxes, directions, then lanes.

    Args:
        numbers: add the scale of the gradients' lengths.
        not_finite: add the lane of gradients that aren't finite.
    """
    found = [
        Entry("parameter", theme.TENSORS["parameter"]),
        Entry("input, constant", theme.TENSORS["constant"]),
        Entry("tensor", theme.TENSORS["interior"]),
        Entry("op", theme.OP),
        Entry("↓ data", color=theme.GREY),
        Entry("↑ gradient, by the rule beside it", color=theme.GRADIENT),
    ]
    if numbers:
        found.append(Entry("the longer √Σ g², the wider the lane; 1 is the longest", color=theme.GRADIENT))
        found += map(_step, range(len(theme.DECADES)))
    elif not_finite:
        found.append(Entry("the gradient isn't finite", color=theme.GRADIENT))
    return [*found, *([Entry("NaN or ∞", lane=(theme.NOT_FINITE, theme.WIDTHS[0]))] if not_finite else [])]


def legend(numbers: bool, not_finite: bool = False) -> str:
    """The label of the whole drawing; see `entries`."""
    found = entries(numbers, not_finite)
    rows = [_table([_cell(entry) for entry in found[:6]], spacing=6, padding=3)]
    if found[6:]:
        rows.append(_table([_cell(entry) for entry in found[6:]], spacing=6, padding=0))
    outer = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{outer}</TABLE>>'


def _step(level: int) -> Entry:
    """A sample of a gradient's lane, and how strong it is."""
    least = " and less" if level == len(theme.DECADES) - 1 else ""
    ratio = "1" if level == 0 else theme.power(10.0**-level)
    return Entry(ratio + least, lane=(theme.DECADES[level], theme.WIDTHS[level]))


def _cell(entry: Entry) -> str:
    if entry.style is not None:
        frame = f'BORDER="1" STYLE="rounded" COLOR="{entry.style.outline}" BGCOLOR="{entry.style.face}"'
        return f"<TD {frame}>{markup.run(entry.text, entry.style.small, 10)}</TD>"
    if entry.lane is not None:
        return f"<TD>{_table(_lane(*entry.lane, entry.text), spacing=0, padding=2)}</TD>"
    return f"<TD>{markup.run(entry.text, entry.color, 10)}</TD>"


def _lane(color: str, width: float, text: str) -> list[str]:
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="20" HEIGHT="{max(round(width), 1)}" BGCOLOR="{color}"></TD>'
    return [
        f"<TD>{_table([cell], spacing=0, padding=0)}</TD>",
        f"<TD>{markup.run(text, theme.GREY, markup.SMALL)}</TD>",
    ]


def _table(cells: Sequence[str], spacing: int, padding: int) -> str:
    frame = f'BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<TABLE {frame}><TR>{''.join(cells)}</TR></TABLE>"
