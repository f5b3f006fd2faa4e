"""The legend of a drawing: what shapes and colours mean, and the scale of the gradients."""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import markup


def legend(numbers: bool, not_finite: bool = False) -> str:
    """The label of the whole drawing.

    Args:
        numbers: add the scale of the gradients' lengths.
        not_finite: add the lane of gradients that aren't finite.
    """
    cells = [
        _swatch("parameter", theme.TENSORS["parameter"]),
        _swatch("input, constant", theme.TENSORS["constant"]),
        _swatch("tensor", theme.TENSORS["interior"]),
        _swatch("op", theme.OP),
        f"<TD>{markup.run('↓ data', theme.GREY, 10)}</TD>",
        f"<TD>{markup.run('↑ gradient, by the rule beside it', theme.GRADIENT, 10)}</TD>",
    ]
    rows = [_table(cells, spacing=6, padding=3)]
    lanes = [_step(level) for level in range(len(theme.DECADES))] if numbers else []
    lanes += [_lane(theme.NOT_FINITE, theme.WIDTHS[0], "NaN or ∞")] if not_finite else []
    if lanes:
        text = "the longer √Σ g², the wider the lane; 1 is the longest" if numbers else "the gradient isn't finite"
        scale = [f"<TD>{_table(lane, spacing=0, padding=2)}</TD>" for lane in lanes]
        explained = f"<TD>{markup.run(text, theme.GRADIENT, 10)}</TD>"
        rows.append(_table([explained, *scale], spacing=6, padding=0))
    outer = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{outer}</TABLE>>'


def _step(level: int) -> list[str]:
    """A sample of a gradient's lane, and how strong it is."""
    least = " and less" if level == len(theme.DECADES) - 1 else ""
    ratio = "1" if level == 0 else theme.power(10.0**-level)
    return _lane(theme.DECADES[level], theme.WIDTHS[level], ratio + least)


def _lane(color: str, width: float, text: str) -> list[str]:
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="20" HEIGHT="{max(round(width), 1)}" BGCOLOR="{color}"></TD>'
    return [
        f"<TD>{_table([cell], spacing=0, padding=0)}</TD>",
        f"<TD>{markup.run(text, theme.GREY, markup.SMALL)}</TD>",
    ]


def _table(cells: Sequence[str], spacing: int, padding: int) -> str:
    frame = f'BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<TABLE {frame}><TR>{''.join(cells)}</TR></TABLE>"


def _swatch(text: str, style: theme.NodeStyle) -> str:
    frame = f'BORDER="1" STYLE="rounded" COLOR="{style.outline}" BGCOLOR="{style.face}"'
    return f"<TD {frame}>{markup.run(text, style.small, 10)}</TD>"
