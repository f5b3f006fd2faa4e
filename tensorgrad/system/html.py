"""What a notebook shows in place of a `repr`: tables, headings and lines, as HTML without a script."""

from __future__ import annotations

import html
from collections.abc import Sequence

CELL = "text-align: {side}; white-space: pre-wrap; vertical-align: top"
QUIET = "opacity: 0.7"
SIDES = {"l": "left", "r": "right"}


def table(head: Sequence[str], body: Sequence[Sequence[str]], alignment: str) -> str:
    """Rows of cells as an HTML table; spaces before a text indent it.

    Args:
        head: the headings; empty for none.
        body: the rows, as plain text.
        alignment: per column `l` (left) or `r` (right).

    >>> table([], [["a < b", "1"]], "lr").count("&lt;")
    1
    """

    def row(tag: str, cells: Sequence[str]) -> str:
        styles = (CELL.format(side=SIDES[side]) for side in alignment)
        parts = (f'<{tag} style="{style}">{escape(c)}</{tag}>' for style, c in zip(styles, cells, strict=True))
        return f"<tr>{''.join(parts)}</tr>"

    top = f"<thead>{row('th', head)}</thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(row('td', cells) for cells in body)}</tbody></table>"


def line(text: str, title: str = "") -> str:
    """A line of plain text, after a title in bold.

    >>> line("(2, 3)", "Tensor")
    '<div><b>Tensor</b> <span style="opacity: 0.7">(2, 3)</span></div>'
    """
    bold = f"<b>{escape(title)}</b> " if title else ""
    return f'<div>{bold}<span style="{QUIET}">{escape(text)}</span></div>'


def escape(text: str) -> str:
    """Plain text as a part of an HTML document."""
    return html.escape(text)
