"""The width of text in a terminal's columns: measured, cut to a width, padded to it, wrapped at it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from tensorgrad.system.console import printable


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: East Asian wide characters two, combining ones none.

    >>> columns("σ(x)"), columns("重み"), columns("x̂")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=1024)
def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text, its end replaced by … (... in ASCII) where it is wider than `width`.

    >>> cut("encoder.weight", 8), cut("重み重み", 5)
    ('encoder…', '重み…')
    """
    if columns(text) <= width:
        return text
    end = printable("…")
    return (_prefix(text, width - columns(end)) + end)[: max(width, 0)]


def _prefix(text: str, width: int) -> str:
    """The longest beginning of the text that is at most `width` columns wide."""
    kept = []
    for character in text:
        width -= _columns(character)
        if width < 0:
            break
        kept.append(character)
    return "".join(kept)


def pad(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to `width`: behind it, or before it to align it `right`."""
    spaces = " " * (width - columns(text))
    return spaces + text if right else text + spaces


def wrap(text: str, width: int, breaks: tuple[str, ...] = (" ",), force: bool = True) -> list[str]:
    """Lines of at most `width` columns.

    Args:
        text: one line.
        width: in columns.
        breaks: a line may end before one of these.
        force: break a segment that is too wide anywhere; otherwise it is a line of its own, too wide.

    >>> wrap("a · b · c", 6, (" · ",)), wrap("x" * 5, 3)
    (['a · b', '· c'], ['xxx', 'xx'])
    """
    lines: list[str] = []
    for segment in _segments(text, tuple(map(printable, breaks))):
        if lines and columns(lines[-1] + segment) <= width:
            lines[-1] += segment
            continue
        segment = segment.lstrip() if lines else segment
        while force and columns(segment) > width:
            head = _prefix(segment, width) or segment[:1]
            lines.append(head)
            segment = segment[len(head) :]
        lines.append(segment)
    return lines or [""]


def _segments(text: str, breaks: tuple[str, ...]) -> list[str]:
    """The text split before each of the breaks."""
    segments, start = [], 0
    for k in range(1, len(text)):
        if text.startswith(breaks, k):
            segments.append(text[start:k])
            start = k
    return [*segments, text[start:]] if text else []
