"""Text in a terminal: how many columns it takes, cut and filled to a width, without characters that would take over."""

from __future__ import annotations

import shutil
import unicodedata

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.system.console import printable

NARROWEST = 20


def terminal_width(call: str, width: int | None) -> int:
    """The width asked for, or that of the terminal; raises ArgumentError, DTypeError for one that can't be used."""
    if width is None:
        return max(shutil.get_terminal_size().columns, NARROWEST)
    if isinstance(width, bool) or not isinstance(width, int):
        raise DTypeError(restate(call, "width counts columns", expected="a whole number, or None", width=width))
    if width < NARROWEST:
        raise ArgumentError(restate(call, "too narrow", expected=f"at least {NARROWEST} columns", width=width))
    return width


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: East Asian wide characters two, combining ones none.

    >>> columns("σ(x)"), columns("重み"), columns("x̂")
    (4, 4, 1)
    """
    return sum(map(_columns, text))


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
    return (_head(text, width - columns(end)) + end)[: max(width, 0)]


def _head(text: str, room: int) -> str:
    """As many characters as `room` columns hold."""
    kept = []
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept)


def fill(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to `width`, before it if it shall stand to the `right`."""
    room = " " * (width - columns(text))
    return room + text if right else text + room


def wrap(text: str, width: int, breaks: tuple[str, ...] = (" ",), force: bool = True) -> list[str]:
    """Lines of at most `width` columns, broken before one of the `breaks`; a longer piece anywhere, if by `force`.

    >>> wrap("a · b · c", 6, (" · ",)), wrap("x" * 5, 3)
    (['a · b', '· c'], ['xxx', 'xx'])
    """
    lines: list[str] = []
    breaks = tuple(map(printable, breaks))
    for piece in _pieces(text, breaks):
        if lines and columns(lines[-1] + piece) <= width:
            lines[-1] += piece
            continue
        piece = piece.lstrip() if lines else piece
        while force and columns(piece) > width:
            head = _head(piece, width) or piece[:1]
            lines.append(head)
            piece = piece[len(head) :]
        lines.append(piece)
    return lines or [""]


def _pieces(text: str, breaks: tuple[str, ...]) -> list[str]:
    pieces, start = [], 0
    for at in range(1, len(text)):
        if text.startswith(breaks, at):
            pieces.append(text[start:at])
            start = at
    return [*pieces, text[start:]] if text else []
