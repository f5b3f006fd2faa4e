"""Learning curves: loss and accuracy over the epochs, on the training and on the validation data."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.storage import write_file
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.training.histories import Records, by_epoch, missing, records, shown_as

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(history: Any, metric: str = "loss", ax: Axes | None = None) -> Axes:
    """One metric over the epochs, on the training data and, where it was measured, on the validation data.

    The training loss is also drawn for every step, pale, if the history has it. Metrics called accuracy are drawn in
    percent.

    Args:
        history: what `fit` returns; or plain data, as `{"epochs": [record, ...], "steps": [record, ...]}`, as the
            records of the epochs alone, or as lists by name. A record maps names to numbers: `metric` and
            `validation_<metric>`, `epoch` (else they count from 1), and for steps `images`, seen so far.
        metric: what to draw.
        ax: where to draw.

    Raises:
        DTypeError: `history` isn't one.
        ArgumentError: it doesn't have the metric.
        ImportError: matplotlib isn't installed.

    >>> import tensorgrad as tg
    >>> history = [{"loss": 0.9, "validation_loss": 0.7}, {"loss": 0.5, "validation_loss": 0.6}]
    >>> ax = tg.viz.curves(history)
    >>> ax.get_xlabel(), ax.get_ylabel(), [line.get_label() for line in ax.get_lines()]
    ('epoch', 'loss', ['training', 'validation'])
    """
    epochs, steps = records("curves", history)
    lines = [
        (label, *by_epoch(epochs, name), color, marker)
        for label, name, color, marker in (
            ("training", metric, theme.BLUE, "o"),
            ("validation", f"validation_{metric}", theme.VERMILION, "s"),
        )
        if any(record.get(name) is not None for record in epochs)
    ]
    if not lines:
        raise missing("curves", metric, epochs)
    ax = canvas.axes("curves", ax)
    scale, figures, unit = shown_as(metric)
    if not unit:
        _draw_steps(ax, metric, epochs, steps)
    for label, x, y, color, marker in lines:
        ax.plot(x, [scale * value for value in y], label=label, color=color, marker=marker, linewidth=1.8, markersize=4)
    if (bad := _first_not_finite(metric, epochs, steps, lines[0])) is not None:
        ax.axvline(bad[0], color=canvas.PURPLE, linestyle=":", label=bad[1])
    if len(epochs) == 1:
        ax.set_xlim(0, 1.1 * max(x[-1] for _, x, *_ in lines))
    last = ", ".join(
        f"{label} {figures.format(scale * y[-1]) if math.isfinite(y[-1]) else theme.number(float(y[-1]))}"
        for label, _, y, *_ in lines
    )
    ax.set_title(f"{metric}: {last}", fontsize=11)
    ax.set(xlabel="epoch", ylabel=f"{metric}{unit}")
    canvas.whole_numbers(ax)
    canvas.tidy(ax)
    return ax


def training_figure(history: Any) -> Figure:
    """The loss and, beside it, the accuracy if the history has one; the final values are in the titles.

    Takes and raises what `curves` does.

    >>> from tensorgrad.viz.plots.training.curves import training_figure
    >>> len(training_figure({"loss": [0.9, 0.5], "accuracy": [0.6, 0.8]}).axes)
    2
    """
    epochs, _ = records("curves", history)
    metrics = ["loss"] + ["accuracy"] * any("accuracy" in name for record in epochs for name in record)
    figure = canvas.new_figure("curves", 5.2 * len(metrics), 3.8)
    for metric, ax in zip(metrics, figure.subplots(1, len(metrics), squeeze=False).flat, strict=True):
        curves(history, metric, ax)
    return figure


def save_training_figure(history: Any, path: str | Path) -> Path:
    """Write `training_figure(history)` to a file, in the format of its suffix; returns the path.

    Folders are made as needed; the file appears under its name when it is complete. Raises what `curves` raises.

    Args:
        history: as of `curves`.
        path: ends in the suffix of a format that matplotlib writes, such as `.png` or `.svg`.

    Raises:
        ArgumentError: another suffix.
        StorageError: the file can't be written.
    """
    path = Path(path)
    figure, picture = training_figure(history), io.BytesIO()
    formats, suffix = figure.canvas.get_supported_filetypes(), path.suffix[1:].lower()
    if suffix not in formats:
        problem = f"path must end in one of {', '.join(f'.{name}' for name in sorted(formats))}, got {path.suffix!r}"
        raise ArgumentError(restate("save_training_figure", problem, path=str(path)))
    figure.savefig(picture, dpi=150, format=suffix)
    write_file("save_training_figure", path, picture.getvalue(), folders=True)
    return path


def _first_not_finite(metric: str, epochs: Records, steps: Records, line: tuple) -> tuple[float, str] | None:
    """Where the training's values begin to be NaN or infinite, by steps where they are known, and what to say there."""
    per_epoch = epochs[0].get("images", 0) / epochs[0].get("epoch", 1)
    if per_epoch and steps and all(metric in step and "images" in step for step in steps):
        where, what, values = [step["images"] / per_epoch for step in steps], "step", [step[metric] for step in steps]
        numbers: Any = range(1, len(steps) + 1)
    else:
        _, where, values, *_ = line
        what, numbers = "epoch", where
    for x, number, value in zip(where, numbers, values, strict=True):
        if not math.isfinite(value):
            return x, f"{theme.number(float(value))} from {what} {number:g} on"
    return None


def _draw_steps(ax: Axes, metric: str, epochs: Records, steps: Records) -> None:
    """The metric of each step, over the fraction of the epochs that was done then."""
    per_epoch = epochs[0].get("images", 0) / epochs[0].get("epoch", 1)
    if per_epoch and steps and all(metric in step and "images" in step for step in steps):
        x, y = [step["images"] / per_epoch for step in steps], [step[metric] for step in steps]
        ax.plot(x, y, label="each step", color=canvas.PALE_BLUE, linewidth=0.7, zorder=1)
