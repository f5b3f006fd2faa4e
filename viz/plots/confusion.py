"""The confusion matrix: how often each class was predicted for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import DTypeError, restate
from tensorgrad.ops.operands import values
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import class_names, classes, finite, listed, same_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tensorgrad.ops.operands import TensorLike

MANY = 25
"""The most classes whose counts are written into the cells."""

LONGEST = 16
"""The longest name, in characters."""


def confusion_matrix(
    targets: TensorLike,
    predictions: TensorLike,
    names: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """How many images of each class (row) were predicted as each class (column); the accuracy is in the title.

    Right predictions, on the diagonal, are blue, by their fraction of the row. Mistakes are orange, by their number
    relative to the most frequent mistake, so that they are visible however rare they are.

    Args:
        targets: the true classes, integers `(N,)`.
        predictions: the predicted classes `(N,)`, or logits or probabilities `(N, C)`, whose largest is the class.
        names: of the C classes; without logits and names, C is the largest index plus 1.
        ax: where to draw.

    Raises:
        ShapeError: the shapes don't fit together.
        DTypeError: classes aren't integers.
        RangeError: a class is outside of 0 … C − 1.
        ArgumentError: there are no images, logits are NaN or infinite, or the number of names isn't C.

    >>> import tensorgrad as tg
    >>> ax = tg.viz.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], names=["cat", "dog"])
    >>> ax.get_title()
    'accuracy 75.0 %: 3 of 4'
    """
    truth, predicted, count = _classes(targets, predictions, names)
    labels = class_names("confusion_matrix", names, count)
    # (N,), (N,) -> (C · C,) -> (C, C)
    table = np.bincount(truth * count + predicted, minlength=count**2).reshape(count, count)
    # In inches: half an inch per class, and space for the names.
    size, text = min(8.0, max(2.4, 0.52 * count)), 0.09 * min(LONGEST, max(map(len, labels)))
    ax = canvas.axes("confusion_matrix", ax, size + 0.6 + text, size + 0.9 + 0.7 * text)
    colors = _colors(table)
    ax.imshow(colors, interpolation="nearest")
    if count <= MANY:
        _write_counts(ax, table, colors)
    _name_classes(ax, labels)
    right = int(np.trace(table))
    ax.set_title(
        f"accuracy {right / len(truth):.1%}".replace("%", " %") + f": {right:,} of {len(truth):,}", fontsize=11
    )
    return ax


def _classes(targets: Any, predictions: Any, names: Sequence[Any] | None) -> tuple[np.ndarray, np.ndarray, int]:
    """True and predicted classes, and how many classes there are."""
    call, given = "confusion_matrix", values(predictions)
    if given.ndim == 2 and given.shape[1]:
        if given.dtype.kind not in "fiub":
            raise DTypeError(restate(call, f"predictions must hold numbers, got {given.dtype}", predictions=given))
        count = given.shape[1]
        # (N, C) -> (N,)
        given = finite(call, given, "logits").argmax(1)
    else:
        count = None if names is None else len(listed(call, names))
    truth, predicted = classes(call, count, targets=targets), classes(call, count, predictions=given)
    same_length(call, targets=truth, predictions=predicted)
    return truth, predicted, count or int(max(truth.max(), predicted.max())) + 1


def _colors(table: np.ndarray) -> np.ndarray:
    """(C, C) counts -> (C, C, 3): white for none."""
    from matplotlib.colors import to_rgb

    diagonal = np.eye(len(table), dtype=bool)
    of_row = table / table.sum(1, keepdims=True).clip(1)
    of_worst = table / max(table[~diagonal].max(initial=0), 1)
    depth = np.where(diagonal, of_row, 0.75 * np.sqrt(of_worst))[..., None]
    ink = np.where(diagonal[..., None], to_rgb(theme.BLUE), to_rgb(theme.VERMILION))
    return 1 - depth * (1 - ink)


def _write_counts(ax: Axes, table: np.ndarray, colors: np.ndarray) -> None:
    # Rec. 601 luma, of (C, C, 3) -> (C, C)
    dark = colors @ (0.299, 0.587, 0.114) < 0.5
    for row, column in np.ndindex(table.shape):
        count = table[row, column]
        color = "white" if dark[row, column] else theme.INK if count else theme.PALE
        weight = "bold" if row == column else "normal"
        ax.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9, color=color, weight=weight)


def _name_classes(ax: Axes, labels: list[str]) -> None:
    step = -(-len(labels) // 40)
    ticks, shown = range(0, len(labels), step), [theme.shorten(name, LONGEST) for name in labels[::step]]
    upright = max(map(len, shown)) <= 3
    ax.set_xticks(ticks, shown, rotation=0 if upright else 45, ha="center" if upright else "right")
    ax.set_yticks(ticks, shown)
    ax.tick_params(length=0)
    ax.set(xlabel="predicted", ylabel="true")
    ax.spines[:].set_color(canvas.GRID)
    # Thin lines between the cells.
    ax.set_xticks(np.arange(1, len(labels)) - 0.5, minor=True)
    ax.set_yticks(np.arange(1, len(labels)) - 0.5, minor=True)
    ax.grid(which="minor", color=canvas.GRID, linewidth=0.6)
    ax.tick_params(which="minor", length=0)
