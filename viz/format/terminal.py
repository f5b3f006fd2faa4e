"""The width of the terminal that text is written for."""

from __future__ import annotations

import shutil

from tensorgrad.errors import ArgumentError, DTypeError, restate

NARROWEST = 20


def terminal_width(call: str, width: int | None) -> int:
    """The width asked for, in columns; without one, that of the terminal.

    Raises:
        DTypeError: `width` is neither an integer nor None.
        ArgumentError: `width` is below 20.
    """
    if width is None:
        return max(shutil.get_terminal_size().columns, NARROWEST)
    if isinstance(width, bool) or not isinstance(width, int):
        problem = f"width must be an integer or None, got {width!r}"
        raise DTypeError(restate(call, problem, width=width))
    if width < NARROWEST:
        problem = f"width must be at least {NARROWEST} columns, got {width}"
        raise ArgumentError(restate(call, problem, width=width))
    return width
