"""Lines beside a column of text: each joins a row where something is made to the later rows where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST = 8
"""More lines side by side than that help nobody."""


@dataclass
class Track:
    """A line from the row `start` to the last of the `stops`; `column` counts from the text outwards."""

    start: int
    stops: list[int] = field(default_factory=list)
    column: int = -1

    def at(self, row: int) -> str:
        """The piece of the line in that row; empty outside of it."""
        if row == self.start:
            return "┌"
        if not self.start < row <= self.stops[-1]:
            return ""
        return "└" if row == self.stops[-1] else "├" if row in self.stops else "│"


def lay_out(tracks: Sequence[Track], rows: int, most: int = MOST) -> list[str]:
    """What stands before each row: the rails, each in the free column nearest to the text, and their joints.

    A rail for which no column is left is dropped: its `column` stays −1.

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
        if piece := track.at(row):
            cells[-2 * (track.column + 1)] = piece
    joints = [2 * (track.column + 1) for track in tracks if row == track.start or row in track.stops]
    if joints:
        for k in range(len(cells) - max(joints) + 1, len(cells)):
            cells[k] = {"│": "┼", " ": "─"}.get(cells[k], cells[k])
    return "".join(cells)
