"""Tensors as grids of cells: where each element stands, and how large a cell is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

DIGITS = 44, 16
"""The size of a cell with a number in it, in points."""

MOST_DIGITS = 4, 8
"""The most columns and rows of a grid whose cells have numbers in them."""

WIDTH, HEIGHT, SIDE = 110, 128, 12
"""The largest grid whose cells are colours alone, and the side of the largest such cell, in points."""

LONGEST_ROW, ACROSS = 16, 4
"""A vector of more elements is broken into rows; so many blocks stand side by side at most."""


class Grid(NamedTuple):
    """The cells of a tensor: rows and columns, and for each element the number of its cell, row by row."""

    rows: int
    columns: int
    places: tuple[int, ...]

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell in a drawing, in points."""
        if self.columns <= MOST_DIGITS[0] and self.rows <= MOST_DIGITS[1]:
            return DIGITS
        side = max(min(WIDTH / self.columns, HEIGHT / self.rows, SIDE), 1.5)
        return side, side


def grid_of(shape: tuple[int, ...]) -> Grid:
    """The grid of a shape: a vector is a row, a matrix as it is; of more axes the last two are blocks, side by side.

    >>> grid_of((2, 3)), grid_of((2, 1, 2))
    (Grid(rows=2, columns=3, places=(0, 1, 2, 3, 4, 5)), Grid(rows=1, columns=5, places=(0, 1, 3, 4)))
    """
    count = math.prod(shape)
    if len(shape) < 2:
        columns = max(min(count, LONGEST_ROW), 1)
        return Grid(max(-(-count // columns), 1), columns, tuple(range(count)))
    blocks, height, width = math.prod(shape[:-2]), *shape[-2:]
    across = max(min(blocks, ACROSS), 1)
    down = max(-(-blocks // across), 1)
    rows, columns = down * (height + 1) - 1, across * (width + 1) - 1
    block, row, column = np.indices((blocks, height, width)).reshape(3, -1)
    places = (block // across * (height + 1) + row) * columns + block % across * (width + 1) + column
    return Grid(max(rows, 1), max(columns, 1), tuple(places.tolist()))
