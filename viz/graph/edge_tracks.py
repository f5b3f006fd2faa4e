"""Lines beside a column of text: each joins a row where something is made to the later rows where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST = 8
"""The default limit of tracks side by side."""


@dataclass
class Track:
    """A line that joins the row where something is made to the rows where it is used.

    Attributes:
        start: the row where it is made.
        stops: the rows where it is used, ascending.
        column: its place, counted from the text outwards; −1 for none.
    """

    start: int
    stops: list[int] = field(default_factory=list)
    column: int = -1

    def at(self, row: int) -> str:
        """The character of the track in that row; empty outside of it."""
        if row == self.start:
            return "┌"
        if not self.start < row <= self.stops[-1]:
            return ""
        return "└" if row == self.stops[-1] else "├" if row in self.stops else "│"


def lay_out(tracks: Sequence[Track], rows: int, most: int = MOST) -> list[str]:
    """The text before each row: the tracks, each in the free column nearest to the text, and their joints.

    Args:
        tracks: their `column` is set; that of a track for which no column is left stays −1.
        rows: how many rows there are.
        most: how many tracks stand side by side.

    >>> for text in lay_out([Track(0, [3]), Track(1, [2, 4])], rows=5):
    ...     print(text + "┤")
      ┌─┤
    ┌─┼─┤
    ├─┼─┤
    │ └─┤
    └───┤
    """
    taken: list[int] = []  # per column, the row at which it is free again
    for track in sorted(tracks, key=lambda track: track.start):
        free = next((k for k, end in enumerate(taken) if end < track.start), len(taken))
        if free < most:
            taken[free:] = [track.stops[-1], *taken[free + 1 :]]
            track.column = free
    drawn = [track for track in tracks if track.column >= 0]
    return [_row(drawn, row, len(taken)) for row in range(rows)]


def _row(tracks: Sequence[Track], row: int, columns: int) -> str:
    cells = [" "] * (2 * columns)
    for track in tracks:
        if character := track.at(row):
            cells[-2 * (track.column + 1)] = character
    joints = [2 * (track.column + 1) for track in tracks if row == track.start or row in track.stops]
    if joints:
        for k in range(len(cells) - max(joints) + 1, len(cells)):
            cells[k] = {"│": "┼", " ": "─"}.get(cells[k], cells[k])
    return "".join(cells)
