"""Heights over a plane, and a path on them: as a contour map, or as a surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.viz.format import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_RATIO = 30.0
"""The ratio of the largest cost to the smallest from which on heights are drawn on a log scale."""

LEVELS = 24
"""About how many contours a map has."""


def _norm(heights: np.ndarray) -> Any:
    """The scale of the colours: logarithmic where the costs differ by more than `LOG_RATIO`."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    if not low < high:
        low, high = low - 0.5, high + 0.5
    return LogNorm(low, high) if low > 0 and high / low > LOG_RATIO else Normalize(low, high)


def _round_numbers(low: float, high: float, count: int) -> Any:
    """About that many round numbers, from below the lowest to above the highest."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count).tick_values(low, high)


def draw_map(ax: Axes, x: np.ndarray, y: np.ndarray, heights: np.ndarray, path: np.ndarray | None) -> None:
    """Contours of the heights `(Y, X)`, NaN left white, and on them the path `(T, 2)`; without one, the origin."""
    from matplotlib.colors import LogNorm

    norm, finite = _norm(heights), np.ma.masked_invalid(heights)
    logarithmic = isinstance(norm, LogNorm)
    # On a log scale there are too few round numbers.
    scale = np.geomspace if logarithmic else _round_numbers
    levels: Any = scale(norm.vmin, norm.vmax, LEVELS)
    filled = ax.contourf(x, y, finite, levels, cmap="viridis", norm=norm)
    ax.contour(x, y, finite, levels, colors="white", linewidths=0.4, alpha=0.5)
    bar = ax.figure.colorbar(filled, ax=ax, label="cost")
    if logarithmic:
        bar.set_ticks(levels[:: LEVELS // 6], labels=[_plain(level) for level in levels[:: LEVELS // 6]])
        bar.set_ticks([], minor=True)
    if path is None:
        ax.plot(0, 0, "*", label="the parameters now", **_marker(16))
    else:
        ax.plot(*path.T, color="white", linewidth=3.2, solid_capstyle="round")
        _draw_path(ax, path.T)
    ax.legend(loc="best", fontsize=9)


def draw_surface(
    ax: Any, x: np.ndarray, y: np.ndarray, heights: np.ndarray, path: np.ndarray | None, along: np.ndarray | None
) -> None:
    """The heights `(Y, X)` as a surface in 3-D axes, and on it the path `(T, 2)`, whose own heights are `along`."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    norm = _norm(heights)
    logarithmic = isinstance(norm, LogNorm)
    # The 3-D axes of matplotlib have no log scale: logarithms are drawn, and the ticks are labelled with the costs.
    height = np.log10 if logarithmic else np.asarray
    colors = colormaps["viridis"](norm(heights))
    ax.computed_zorder = False  # else the surface hides the path
    style = {"facecolors": colors, "rcount": len(y), "ccount": len(x), "linewidth": 0, "antialiased": False}
    ax.plot_surface(*np.meshgrid(x, y), height(heights), alpha=0.9, zorder=1, **style)
    if path is not None and along is not None:
        # Between the points of the grid the cost may be below all of them, where no surface is drawn.
        z = height(np.clip(along, norm.vmin, norm.vmax))
        inside = ((path >= (x[0], y[0])) & (path <= (x[-1], y[-1]))).all(1)
        _draw_path(ax, np.array([*path.T, np.where(inside, z, np.nan)]))
        ax.legend(loc="upper right", fontsize=9)
    if logarithmic:
        ax.zaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.zaxis.set_major_formatter(lambda value, _: _plain(10**value))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    ax.set_zlabel("cost, log scale" if logarithmic else "cost")
    ax.view_init(elev=38, azim=-58)


def _draw_path(ax: Axes, path: np.ndarray) -> None:
    """The path `(2 or 3, T)`, its start and its end."""
    ax.plot(*path, color=theme.VERMILION, linewidth=1.6, marker="o", markersize=2.6, label="descent", zorder=5)
    ax.plot(*path[:, :1], "s", label="start", **_marker(8))
    ax.plot(*path[:, -1:], "*", label="end", **_marker(16))


def _marker(size: float) -> dict[str, Any]:
    """The marker of start and end: white with a dark edge, visible on every colour."""
    return {"color": "white", "markeredgecolor": theme.INK, "markersize": size, "linestyle": "none", "zorder": 6}


def _plain(value: float) -> str:
    """A number with three digits, with commas instead of an exponent where that is shorter.

    >>> _plain(7123.4), _plain(0.01234), _plain(1e-9)
    ('7,120', '0.0123', '1·10⁻⁹')
    """
    return f"{float(f'{value:.3g}'):,.0f}" if 1e3 <= value < 1e6 else theme.number(float(value), 3)


def share(part: float) -> str:
    """A fraction in percent; only 0 itself is shown as 0 %, only 1 as 100 %.

    >>> share(0.0), share(1e-5), share(0.0283), share(0.4567), share(0.9999)
    ('0 %', '< 0.1 %', '2.8 %', '46 %', '> 99.5 %')
    """
    if part < 1e-9:
        return "0 %"
    if part < 0.001:
        return "< 0.1 %"
    return "> 99.5 %" if 0.995 < part < 1 else f"{100 * part:.1f} %" if part < 0.1 else f"{100 * part:.0f} %"
