"""Graphviz's HTML-like labels: runs of text, lines, tables and badges, with all text escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tensorgrad.viz.format import theme

SMALL = 9
"""The size of small print, in points."""

AIR = 11
"""The size of the spaces around small print, in points: they make the line higher."""

SPACE = "\N{NO-BREAK SPACE}"


def run(text: str, color: str, points: int, bold: bool = False, pad: str = "") -> str:
    """A run of text for an HTML-like label, between two pads; empty for an empty text. Markup in the text is escaped.

    >>> run("<b>", theme.INK, 10)
    '<FONT COLOR="#222222" POINT-SIZE="10">&lt;b&gt;</FONT>'
    """
    text = theme.shorten(text)
    if not text:
        return ""
    # Graphviz reads escapes such as \N (the node's name) in HTML-like labels too.
    escaped = pad + html.escape(text, quote=False).replace("\\", "\\\\") + pad
    return f'<FONT COLOR="{color}" POINT-SIZE="{points}">{f"<B>{escaped}</B>" if bold else escaped}</FONT>'


def small(text: str, color: str, pad: str = SPACE, points: int = SMALL) -> str:
    """A run of small print, between pads of a larger size that keep it away from the line above."""
    text = run(text, color, points)
    return text and f'<FONT POINT-SIZE="{AIR}">{pad}</FONT>{text}<FONT POINT-SIZE="{AIR}">{pad}</FONT>'


def tooltip(text: str) -> str:
    """Text for a tooltip, in which Graphviz reads HTML entities and, twice, its own escapes."""
    import graphviz

    return graphviz.escape(html.escape(theme.shorten(text, 200), quote=False).replace("\\", "\\\\"))


GAP, LID = (f'<FONT POINT-SIZE="{points}">{SPACE}</FONT>' for points in (3, 12))
"""Empty lines of a label: a low one, and one of the height of a large cylinder's top."""


def label(*lines: str, cells: Sequence[str] = (), align: str = "CENTER") -> str:
    """Lines of runs as one label, cells below them; empty ones are left out.

    Angle brackets tell Graphviz that it is HTML-like. Only a label with cells is a table, which takes more space.
    """
    present = [line for line in lines if line]
    below = [cell for cell in cells if cell]
    if not below:
        return f"<{'<BR/>'.join(present)}>" if present else ""
    rows = "".join(f"<TR>{cell}</TR>" for cell in [*(f'<TD ALIGN="{align}">{line}</TD>' for line in present), *below])
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'


def badge(texts: Sequence[str], *more: str) -> str:
    """A highlighted cell: lines, and lines of small print below them; empty without any."""
    lines = [*(run(text, theme.INK, 10, bold=True) for text in texts), *(run(text, theme.INK, SMALL) for text in more)]
    written = "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines if line)
    return f'<TD ALIGN="LEFT" BALIGN="LEFT" BGCOLOR="{theme.YELLOW}" CELLPADDING="3">{written}</TD>' if written else ""
