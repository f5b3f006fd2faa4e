"""Several training runs on one plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.training.histories import Records, by_epoch, missing, records, shown_as

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = {"epoch": "epoch", "images": "images seen", "seconds": "training time (s)"}
WINDOWS = 40
"""How many means the line of a run has at most."""


def compare(runs: Mapping[str, Any], metric: str = "loss", x: str = "epoch", ax: Axes | None = None) -> Axes:
    """One metric of several training runs, over the epochs, the images seen, or the seconds.

    Over epochs a line joins the values of the epochs. Over images or seconds it follows the steps, where the history
    has the metric of each: as means over parts of the run, with the steps themselves pale behind. The last value
    of each run is in the legend.

    Args:
        runs: histories by the names of the runs, each as `curves` takes it.
        metric: "loss", "accuracy", "validation_loss", …
        x: "epoch", "images" or "seconds"; the latter two need histories that hold them, as those of `fit` do.
        ax: where to draw.

    Raises:
        DTypeError: `runs` isn't a mapping, or holds something else than histories.
        ArgumentError: there are no runs, one doesn't have the metric or `x`, or `x` is something else.

    >>> import tensorgrad as tg
    >>> ax = tg.viz.compare({"SGD": {"loss": [0.9, 0.5]}, "Adam": {"loss": [0.7, 0.25]}})
    >>> [line.get_label() for line in ax.get_lines()]
    ['SGD: 0.5', 'Adam: 0.25']
    """
    call = "compare"
    if not isinstance(runs, Mapping):
        fix = "name them: compare({'SGD': history, 'Adam': other})"
        raise DTypeError(restate(call, "runs must be a mapping", fix=fix, runs=runs))
    if not runs:
        raise ArgumentError(restate(call, "runs must have at least one run", runs=runs))
    if x not in AXES:
        raise ArgumentError(restate(call, f"x must be one of {', '.join(AXES)}, got {x!r}", x=x))
    lines = [(str(name), *_line(name, history, metric, x)) for name, history in runs.items()]
    ax = canvas.axes(call, ax, 6.0, 4.0)
    scale, figures, unit = shown_as(metric)
    for k, (name, points, steps) in enumerate(lines):
        color, dashes = canvas.LINES[k % len(canvas.LINES)], ("-", "--", ":", "-.")[k // len(canvas.LINES) % 4]
        if steps is not None:
            ax.plot(steps[0], scale * steps[1], color=color, linewidth=0.6, alpha=0.25, zorder=1)
        label = f"{name}: {figures.format(scale * points[1][-1])}"
        marker = "o" if points.shape[1] <= WINDOWS // 2 else ""
        ax.plot(points[0], scale * points[1], color=color, linestyle=dashes, label=label, marker=marker, markersize=4)
    ax.set(xlabel=AXES[x], ylabel=f"{metric.replace('_', ' ')}{unit}")
    ax.set_title(f"{metric.replace('_', ' ')} of {len(lines)} runs, the last figure in the legend", fontsize=11)
    if x == "epoch":
        canvas.whole_numbers(ax)
    canvas.tidy(ax)
    return ax


def _line(name: str, history: Any, metric: str, x: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The points to join, x and y `(2, T)`; and those of all steps, if these were averaged."""
    epochs, steps = records("compare", history)
    if x == "epoch":
        points = np.array(by_epoch(epochs, metric), float)
        if not points.size:
            raise missing("compare", metric, epochs, run=name)
        return points, None
    points = _points(steps, metric, x)
    if not points.size:
        points = _points(epochs, metric, x)
    elif points.shape[1] > 2 * WINDOWS:
        return _means(points), points
    if not points.size:
        if not any(metric in row for row in epochs):
            raise missing("compare", metric, epochs, run=name)
        expected = f"records that hold {x!r}, as those of fit do"
        raise ArgumentError(restate("compare", f"run {name!r} doesn't have {x!r}", expected=expected, x=x))
    return points, None


def _points(rows: Records, metric: str, x: str) -> np.ndarray:
    """(2, T): x and metric, where a record holds both."""
    both = [(row[x], row[metric]) for row in rows if row.get(x) is not None and row.get(metric) is not None]
    return np.array(both, float).reshape(-1, 2).T


def _means(points: np.ndarray) -> np.ndarray:
    """(2, T) -> (2, WINDOWS): the means of x and metric over each part of the run."""
    return np.array([part.mean(1) for part in np.array_split(points, WINDOWS, axis=1)]).T
