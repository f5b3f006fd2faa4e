"""Small pictures side by side in one image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import at_least

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

NOT_FINITE = canvas.PURPLE
"""The colour of NaN and infinite pixels, which is in none of the palettes."""


class Mosaic(NamedTuple):
    """Pixels and the gaps between pictures, as a grid of cells.

    Attributes:
        x: the vertical edges of the cells, in pixels from the left; a gap is one narrow cell.
        y: the horizontal edges of the cells, in pixels from the top.
        cells: `(rows of cells, columns of cells)`, or RGB in one more axis; masked where there is no picture.
        pictures: how many pictures there are.
        rows: how many stand below one another.
        columns: how many stand side by side.
    """

    x: np.ndarray
    y: np.ndarray
    cells: np.ma.MaskedArray
    pictures: int
    rows: int
    columns: int

    def foot(self, k: int) -> tuple[float, float]:
        """The middle of the lower edge of picture `k`, counted row by row."""
        row, column = divmod(k, self.columns)
        # (pictures · (size + 1),) -> (pictures, size + 1)
        left, right = self.x.reshape(self.columns, -1)[column, [0, -1]]
        return float(left + right) / 2, float(self.y.reshape(self.rows, -1)[row, -1])


def mosaic(pictures: np.ndarray, columns: int, below: float = 0.0) -> Mosaic:
    """Lay out `(T, H, W)` pictures, or RGB ones `(T, H, W, 3)`, row by row.

    Args:
        pictures: the pictures.
        columns: how many stand side by side.
        below: the space for a caption under each row of pictures, in heights of a picture.
    """
    count, height, width, *color = pictures.shape
    rows = -(-count // columns)
    gap = max(height, width) * max(0.06, max(rows, columns) / 400)
    # The last row and column of each tile are the gap after it.
    tiles = np.ma.array(np.zeros((rows * columns, height + 1, width + 1, *color), pictures.dtype), mask=True)
    tiles[:count, :height, :width] = pictures
    # (rows · columns, H + 1, W + 1) -> (rows, columns, H + 1, W + 1) -> (rows, H + 1, columns, W + 1)
    cells = tiles.reshape(rows, columns, height + 1, width + 1, *color).swapaxes(1, 2)
    # -> (rows · (H + 1), columns · (W + 1)), without the gap after the last
    cells = cells.reshape(rows * (height + 1), columns * (width + 1), *color)[:-1, :-1]
    return Mosaic(_edges(columns, width, gap), _edges(rows, height, gap + below * height), cells, count, rows, columns)


def _edges(count: int, size: int, gap: float) -> np.ndarray:
    """The edges of the pixels of `count` pictures: `size` + 1 for each, for the gap ends where the next begins."""
    return (np.arange(count)[:, None] * (size + gap) + np.arange(size + 1)).ravel()


def near_square(call: str, count: int, columns: int | None, wide: float = 1.0) -> int:
    """How many pictures to place side by side.

    Args:
        call: the function that an error names.
        count: how many pictures there are.
        columns: what the caller asked for; None for about as many as below one another.
        wide: the wanted ratio of columns to rows.

    Raises:
        ArgumentError: `columns` is below 1.
    """
    if columns is None:
        ideal = math.sqrt(count * wide)
        candidates = range(max(1, round(0.7 * ideal)), math.ceil(1.4 * ideal) + 1)
        # The fewest empty places in the last row; among those, nearest to the wanted ratio.
        return min(min(candidates, key=lambda c: (-count % c, abs(c - ideal))), count)
    return min(at_least(call, 1, columns=columns), count)


def size_for(layout: Mosaic, beside: float = 1.2) -> tuple[float, float]:
    """The size of a figure that holds the mosaic, in inches; `beside` is the width of the colour bar."""
    across, down = float(layout.x[-1]), float(layout.y[-1])
    longest = min(6.4, 2.0 + 0.9 * max(layout.rows, layout.columns))
    scale = longest / max(across, down)
    return max(scale * across, 2.2) + beside, max(scale * down, 1.8) + 0.7


def draw(ax: Axes, layout: Mosaic, bar: str, cmap: Any, low: float, high: float) -> QuadMesh:
    """Draw the mosaic, rows downwards, with a colour bar.

    NaN and infinite pixels have a colour of their own, and are counted on the colour bar.

    Args:
        ax: where to draw.
        layout: the pictures.
        bar: the label of the colour bar.
        cmap: a `palette`.
        low: the value of its first colour.
        high: the value of its last colour.
    """
    bad = ~np.isfinite(layout.cells.filled(0))
    # What lies beyond the upper end of the palette is NOT_FINITE; nothing else does.
    cells = np.ma.array(np.where(bad, 2 * high - low, layout.cells.data), mask=layout.cells.mask)
    mesh = _place(ax, layout, cells, cmap=cmap, vmin=low, vmax=high)
    note = f"; {bad.sum()} NaN or infinite" if bad.any() else ""
    ax.figure.colorbar(mesh, ax=ax, label=bar + note, shrink=0.8, extend="max" if bad.any() else "neither")
    return mesh


def draw_rgb(ax: Axes, layout: Mosaic) -> QuadMesh:
    """Draw the mosaic of RGB pictures in [0, 1]; NaN and infinite pixels have a colour of their own."""
    from matplotlib.colors import to_rgb

    gap = layout.cells.mask.any(-1, keepdims=True)
    cells = layout.cells.filled(0)
    colors = np.where(np.isfinite(cells).all(-1, keepdims=True), cells.clip(0, 1), to_rgb(NOT_FINITE))
    # (rows, columns, 3) -> (rows, columns, 4): gaps are transparent
    return _place(ax, layout, np.concatenate([colors, 1.0 - gap], axis=-1))


def _place(ax: Axes, layout: Mosaic, cells: np.ndarray, **how: Any) -> QuadMesh:
    mesh = ax.pcolormesh(layout.x, layout.y, cells, rasterized=True, **how)
    ax.set(xlim=(0, layout.x[-1]), ylim=(layout.y[-1], 0), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return mesh


def frame(ax: Axes, layout: Mosaic) -> None:
    """Draw a thin line around each picture, so that white ones on white stay apart."""
    from matplotlib.collections import LineCollection

    # (pictures · (size + 1),) -> (pictures, first and last edge)
    left, right = layout.x.reshape(layout.columns, -1)[:, [0, -1]].T
    top, bottom = layout.y.reshape(layout.rows, -1)[:, [0, -1]].T
    boxes = [
        [(left[c], top[r]), (right[c], top[r]), (right[c], bottom[r]), (left[c], bottom[r]), (left[c], top[r])]
        for r, c in (divmod(k, layout.columns) for k in range(layout.pictures))
    ]
    ax.add_collection(LineCollection(boxes, colors=theme.PALE, linewidths=0.5, clip_on=False), autolim=False)


def palette(name_or_colors: str | list[str]) -> Any:
    """A palette of matplotlib, or one between colours, that shows NaN and infinity as `NOT_FINITE`."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    chosen: Any
    if isinstance(name_or_colors, str):
        chosen = colormaps[name_or_colors]
    else:
        chosen = LinearSegmentedColormap.from_list("own", name_or_colors)
    return chosen.with_extremes(over=NOT_FINITE, bad=(0, 0, 0, 0))


def largest(array: np.ndarray) -> float:
    """The largest finite |value|, or 1 where all are zero or none is finite: half a symmetric scale."""
    return float(np.abs(array, where=np.isfinite(array), out=np.zeros_like(array)).max()) or 1.0
