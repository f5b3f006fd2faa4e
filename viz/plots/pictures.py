"""Pictures of a network: its filters, feature maps and first-layer weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, describe, restate
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import at_least, numbers
from tensorgrad.viz.plots.mosaic import draw, draw_rgb, frame, largest, mosaic, near_square, palette, size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tensorgrad.ops.operands import TensorLike

MANY = 32
"""The most rows of filters that are all numbered; of columns half as many."""

FILTERS, CHANNELS = 64, 32
"""The most filters, and channels of each, that are shown: the first ones. More would be too small to be seen."""


def filters(weight: TensorLike, ax: Axes | None = None, columns: int | None = None) -> Axes:
    """The filters of a convolution, each a small picture: blue is negative, white 0, orange positive, on one scale.

    Filters of several channels make a table: a row per filter, a column per channel. Filters of one channel are laid
    out row by row. Those of three are drawn in colour, channel 0 as red, 1 as green, 2 as blue, and mid-grey is zero.
    Filters of a signal are rows of one pixel's height. At most 64 filters are shown, and 32 channels of each.

    Args:
        weight: `(K, C, KH, KW)`, or `(K, C, KW)` for signals: K filters over C channels.
        ax: where to draw.
        columns: how many filters stand side by side, where C is 1 or 3.

    Raises:
        ShapeError: `weight` has neither three nor four axes.
        DTypeError: `weight` doesn't hold numbers.
        ArgumentError: `weight` is empty; `columns` is below 1, or given where C is neither 1 nor 3.

    >>> import tensorgrad as tg
    >>> ax = tg.viz.filters(tg.randn(8, 4, 3, 3))
    >>> ax.get_title(), ax.get_xlabel(), ax.get_ylabel()
    ('8 filters of 3×3 over 4 channels', 'input channel', 'filter')
    """
    fix = "for a linear layer, use weight_pictures"
    given = numbers("filters", (3, 4), "(K, C, KH, KW), or (K, C, KW)", fix, weight=weight)
    scale, channels = largest(given), given.shape[1]
    table = channels != 1 and (channels != 3 or given.ndim == 3)
    # (K, C, KW) -> (K, C, 1, KW)
    w = (given if given.ndim == 4 else given[:, :, None])[:FILTERS, :CHANNELS]
    count, shown, height, width = w.shape
    if table and columns is not None:
        problem, fix = f"columns must be None for {channels} channels: each is a column", "leave columns out"
        raise ArgumentError(restate("filters", problem, fix=fix, weight=weight, columns=columns))
    if table:
        # (K, C, KH, KW) -> (K · C, KH, KW)
        layout = mosaic(w.reshape(-1, height, width), shown)
    else:
        columns = near_square("filters", count, columns, wide=1.5)
        # (K, 3, KH, KW) -> (K, KH, KW, 3) in [0, 1], ½ being zero; or (K, 1, KH, KW) -> (K, KH, KW)
        layout = mosaic(0.5 + w.transpose(0, 2, 3, 1) / (2 * scale) if channels == 3 else w[:, 0], columns)
    ax = canvas.axes("filters", ax, *size_for(layout, 1.9 if table else 1.2))
    if channels == 3 and not table:
        draw_rgb(ax, layout)
        _rgb_bar(ax, scale)
    else:
        draw(ax, layout, "weight", palette([theme.BLUE, "white", theme.VERMILION]), -scale, scale)
        frame(ax, layout)
    which = (
        f"the first {count} of {len(given):,} filters" if count < len(given) else f"{count} filter{'s' * (count > 1)}"
    )
    size = "×".join(map(str, given.shape[2:]))
    some = f"the first {shown} of {channels:,}" if shown < channels else str(channels)
    over = f" over {some} channels" if table else ", in colour" if channels == 3 else ""
    ax.set_title(f"{which} of {size}{over}", fontsize=11)
    if table:
        _number(ax, layout.x, layout.columns, "x", "input channel")
        _number(ax, layout.y, layout.rows, "y", "filter")
    return ax


def feature_maps(maps: TensorLike, ax: Axes | None = None, columns: int | None = None) -> Axes:
    """The outputs of a layer's channels for one image, side by side on one scale: the brighter, the larger.

    Args:
        maps: `(C, H, W)` or `(1, C, H, W)`, a layer's output for one image.
        ax: where to draw.
        columns: how many maps stand side by side.

    Raises:
        ShapeError: `maps` has other axes, or is of several images.
        DTypeError: `maps` doesn't hold numbers.
        ArgumentError: `maps` is empty, or `columns` is below 1.

    >>> import tensorgrad as tg
    >>> tg.viz.feature_maps(tg.rand(1, 6, 28, 28).relu()).get_title()
    '6 feature maps of 28×28'
    """
    call, expected = "feature_maps", "(C, H, W) or (1, C, H, W), for one image"
    y = numbers(call, (3, 4), expected, maps=maps)
    if y.ndim == 4:
        if len(y) != 1:
            problem = f"maps must be of one image, got {len(y)}"
            raise ShapeError(restate(call, problem, expected=expected, fix="maps[0]", maps=y))
        # (1, C, H, W) -> (C, H, W)
        y = y[0]
    layout = mosaic(y, near_square(call, len(y), columns, wide=1.5))
    finite = y[np.isfinite(y)] if np.isfinite(y).any() else np.zeros(1)
    low, high = float(finite.min()), float(finite.max())
    ax = canvas.axes(call, ax, *size_for(layout))
    draw(ax, layout, "activation", palette("viridis"), low, high if high > low else low + 1)
    ax.set_title(f"{len(y)} feature map{'s' * (len(y) > 1)} of {y.shape[1]}×{y.shape[2]}", fontsize=11)
    return ax


def weight_pictures(
    weight: TensorLike, shape: tuple[int, int] | None = None, ax: Axes | None = None, columns: int | None = None
) -> Axes:
    """The weights of each unit of a first layer as a picture of its input: green is +, black 0, red −, on one scale.

    Args:
        weight: `(units, H · W)`, as `Linear.weight` is.
        shape: (H, W); by default a square.
        ax: where to draw.
        columns: how many pictures stand side by side.

    Raises:
        ShapeError: `weight` doesn't have two axes, or its rows don't fill `shape`.
        DTypeError: `weight` doesn't hold numbers.
        ArgumentError: `weight` is empty, or `columns` is below 1.

    >>> import tensorgrad as tg
    >>> tg.viz.weight_pictures(tg.nn.Linear(784, 16).weight).get_title()
    'weights of 16 units, each as a 28×28 picture'
    """
    call = "weight_pictures"
    w = numbers(call, 2, "(units, H · W)", "for a convolution, use filters", weight=weight)
    side = math.isqrt(w.shape[1])
    if shape is not None and not (isinstance(shape, tuple | list) and len(shape) == 2):
        raise ShapeError(restate(call, f"shape must be (H, W), got {describe(shape)}", weight=w))
    height, width = (side, side) if shape is None else (at_least(call, 1, shape=n) for n in shape)
    if height * width != w.shape[1]:
        problem = f"shape must have {w.shape[1]} pixels, one per weight of a unit, got {height}×{width}"
        raise ShapeError(restate(call, problem, fix="pass shape=(H, W)", weight=w, shape=shape))
    # (units, H · W) -> (units, H, W)
    layout = mosaic(w.reshape(-1, height, width), near_square(call, len(w), columns))
    scale = largest(w)
    # A bluish green and an orange red, which colour-blind readers can distinguish.
    red_black_green = palette(["#FF5A36", "#000000", "#00D090"])
    ax = canvas.axes(call, ax, *size_for(layout))
    draw(ax, layout, "weight: green +, black 0, red −", red_black_green, -scale, scale)
    ax.set_title(f"weights of {len(w)} unit{'s' * (len(w) > 1)}, each as a {height}×{width} picture", fontsize=11)
    return ax


def _rgb_bar(ax: Axes, scale: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    greys = ScalarMappable(Normalize(-scale, scale), "gray")
    ax.figure.colorbar(greys, ax=ax, label="weight of red, green and blue each", shrink=0.8)


def _number(ax: Axes, edges: np.ndarray, count: int, axis: str, label: str) -> None:
    """Number the rows or columns of a table of pictures at their middles, from 0."""
    # (count · (size + 1),) -> (count, size + 1)
    middles = edges.reshape(count, -1)[:, [0, -1]].mean(1)
    step = -(-count // (MANY if axis == "y" else MANY // 2))  # numbers are wider than high
    ticks = getattr(ax, f"{axis}axis")
    ticks.set_ticks(middles[::step], [str(k) for k in range(0, count, step)])
    ticks.set_tick_params(length=0, labelsize=8, colors=theme.GREY)
    ticks.set_label_text(label)
