"""Learning curves on matplotlib: how loss and accuracy went, on the training and on the validation data.

Each function takes the Axes to draw on and returns them. Without any it makes a figure of its own, aside from pyplot:
nothing global changes, and no display is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, DTypeError, restate

from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Records = list[Mapping[str, Any]]

PALE_BLUE = "#A6CEE8"


def curves(history: Any, metric: str = "loss", ax: Axes | None = None) -> Axes:
    """One metric over the epochs, on the training data and, where it was measured, on the validation data.

    The training loss is also drawn for every step, pale, if the history has it. Metrics called accuracy, shares of one,
    are drawn in percent.

    Args:
        history: what `fit` returns; or plain data, as `{"epochs": [record, ...], "steps": [record, ...]}`, as the
            records of the epochs alone, or as lists by name. A record maps names to numbers: `metric` and
            `validation_<metric>`, `epoch` (else they count from 1), and for steps `images`, seen so far.
        metric: what to draw.
        ax: where to draw.

    Raises:
        DTypeError: no history.
        ArgumentError: it holds no such metric.
        ImportError: matplotlib isn't installed.

    >>> import tensorgrad as tg
    >>> history = [{"loss": 0.9, "validation_loss": 0.7}, {"loss": 0.5, "validation_loss": 0.6}]
    >>> ax = tg.viz.curves(history)
    >>> ax.get_xlabel(), ax.get_ylabel(), [line.get_label() for line in ax.get_lines()]
    ('epoch', 'loss', ['training', 'validation'])
    """
    epochs, steps = _records(history)
    lines = [
        (label, *_points(epochs, name), color, marker)
        for label, name, color, marker in (
            ("training", metric, style.BLUE, "o"),
            ("validation", f"validation_{metric}", style.VERMILION, "s"),
        )
        if any(record.get(name) is not None for record in epochs)
    ]
    if not lines:
        expected = f"one of {sorted(set().union(*epochs))}" if epochs else "a history of at least one epoch"
        raise ArgumentError(restate("curves", f"no epoch has {metric!r}", expected=expected, metric=metric))
    if ax is None:
        ax = _figure(1).axes[0]
    percent = "accuracy" in metric
    scale, figures = (100, "{:.1f} %") if percent else (1, "{:.3g}")
    if not percent:
        _draw_steps(ax, metric, epochs, steps)
    for label, x, y, color, marker in lines:
        ax.plot(x, [scale * value for value in y], label=label, color=color, marker=marker, linewidth=1.8, markersize=4)
    last = ", ".join(f"{label} {figures.format(scale * y[-1])}" for label, _, y, *_ in lines)
    ax.set_title(f"{metric}: {last}", fontsize=11)
    ax.set(xlabel="epoch", ylabel=f"{metric} (%)" if percent else metric)
    _tidy(ax)
    return ax


def training_figure(history: Any) -> Figure:
    """The loss and, beside it, the accuracy if the history has one; the final figures are in the titles.

    Takes and raises what `curves` does.

    >>> from tensorgrad.viz.curves import training_figure
    >>> len(training_figure({"loss": [0.9, 0.5], "accuracy": [0.6, 0.8]}).axes)
    2
    """
    epochs, _ = _records(history)
    metrics = ["loss"] + ["accuracy"] * any("accuracy" in name for record in epochs for name in record)
    figure = _figure(len(metrics))
    for metric, ax in zip(metrics, figure.axes, strict=True):
        curves(history, metric, ax)
    return figure


def save_training_figure(history: Any, path: str | Path) -> Path:
    """Write `training_figure(history)` to a file, in the format that its suffix names; returns the path.

    Folders are made as needed. Takes and raises what `curves` does.
    """
    path = Path(path)
    figure = training_figure(history)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def _records(history: Any) -> tuple[Records, Records]:
    """The records of the epochs, and of the steps, none if it has none."""
    data = history.to_dict() if callable(getattr(history, "to_dict", None)) else history
    if isinstance(data, Mapping) and "epochs" in data:
        return _rows(data["epochs"], history), _rows(data.get("steps", []), history)
    return _rows(data, history), []


def _rows(data: Any, history: Any) -> Records:
    if isinstance(data, Mapping) and all(isinstance(values, Sequence) for values in data.values()):
        if len({len(values) for values in data.values()}) > 1:
            raise ArgumentError(
                restate("curves", "lists of uneven lengths", expected="a figure per epoch", history=history)
            )
        return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return list(data)
    expected = "what fit returns, a list of records, or lists by name"
    raise DTypeError(restate("curves", "this is no training history", expected=expected, history=history))


def _points(records: Records, name: str) -> tuple[list[float], list[float]]:
    """Epochs and figures, where there are some: validation may have run at some epochs only."""
    points = [(record.get("epoch", k), record.get(name)) for k, record in enumerate(records, 1)]
    x, y = zip(*[(epoch, float(value)) for epoch, value in points if value is not None], strict=True)
    return list(x), list(y)


def _draw_steps(ax: Axes, metric: str, epochs: Records, steps: Records) -> None:
    """The metric of each step, at the share of the epochs that was done then."""
    per_epoch = epochs[0].get("images", 0) / epochs[0].get("epoch", 1)
    if per_epoch and steps and all(metric in step and "images" in step for step in steps):
        x, y = [step["images"] / per_epoch for step in steps], [step[metric] for step in steps]
        ax.plot(x, y, label="each step", color=PALE_BLUE, linewidth=0.7, zorder=1)


def _figure(panels: int) -> Figure:
    """A figure with that many panels side by side."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = "pip install 'tensorgrad-engine[plots]'"
        raise ImportError(restate("curves", "plots need matplotlib, which isn't installed", fix=fix)) from error
    figure = Figure(figsize=(5.2 * panels, 3.8), layout="constrained")
    figure.subplots(1, panels)
    return figure


def _tidy(ax: Axes) -> None:
    """Whole epochs, a light grid, no box."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E4E4E4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(frameon=False)
