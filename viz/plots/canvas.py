"""Figures, axes and colours of plots."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.viz.format import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORANGE, PURPLE, SKY = "#E69F00", "#CC79A7", "#56B4E9"
LINES = (theme.BLUE, theme.VERMILION, theme.GREEN, ORANGE, PURPLE, SKY, theme.INK)
"""Colours of lines in one plot, after Okabe and Ito."""

PALE_BLUE = "#A6CEE8"
GRID = "#E4E4E4"


def new_figure(call: str, width: float, height: float, shown: bool = False) -> Figure:
    """An empty figure.

    Args:
        call: the function that an error names.
        width: in inches.
        height: in inches.
        shown: register the figure with pyplot, so that `plt.show()` shows it; not in other threads than the main one,
            nor where pyplot's backend can't run, because its windows wouldn't work there.

    Raises:
        ImportError: matplotlib isn't installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = "pip install 'tensorgrad-engine[plots]'"
        raise ImportError(restate(call, "plots need matplotlib, which isn't installed", fix=fix)) from error
    options: dict[str, Any] = {"figsize": (width, height), "layout": "compressed"}
    if shown and threading.current_thread() is threading.main_thread():
        with suppress(ImportError):
            import matplotlib.pyplot as plt

            return plt.figure(**options)
    return Figure(**options)


def axes(call: str, ax: Any, width: float = 5.2, height: float = 3.8, three_d: bool = False) -> Axes:
    """The Axes to draw on: `ax`, or without any those of a new figure.

    Args:
        call: the function that an error names.
        ax: what the caller passed.
        width: of the new figure, in inches.
        height: of the new figure, in inches.
        three_d: whether the plot has three dimensions.

    Raises:
        DTypeError: `ax` isn't an Axes.
        ArgumentError: `ax` has two dimensions where three are drawn, or the other way round.
        ImportError: matplotlib isn't installed.
    """
    projection = "3d" if three_d else "rectilinear"
    if ax is None:
        return new_figure(call, width, height, shown=True).add_subplot(projection=projection)
    if not hasattr(ax, "get_xlim"):
        fix = "pass one Axes, such as figure.subplots(), or leave it out"
        raise DTypeError(restate(call, "ax must be an Axes of matplotlib", fix=fix, ax=ax))
    if (ax.name == "3d") != three_d:
        fix = f"make it with figure.add_subplot(projection={projection!r})"
        raise ArgumentError(restate(call, f"ax must have projection={projection!r}, got {ax.name!r}", fix=fix, ax=ax))
    return ax


def tidy(ax: Axes, legend: bool = True) -> None:
    """A light grid, no box, a legend without a frame."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    if legend:
        ax.legend(frameon=False)


def whole_numbers(ax: Axes) -> None:
    """Ticks at integers only, for an x that counts something."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
