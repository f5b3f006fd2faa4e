"""Training histories in each form that plots accept, as records: a dict per epoch, a dict per step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, restate

Records = list[Mapping[str, Any]]


def records(call: str, history: Any) -> tuple[Records, Records]:
    """The records of the epochs, and those of the steps, if there are any.

    Raises:
        DTypeError: `history` isn't one.
        ArgumentError: its lists have different lengths.
    """
    data = history.to_dict() if callable(getattr(history, "to_dict", None)) else history
    if isinstance(data, Mapping) and "epochs" in data:
        return _rows(call, data["epochs"], history), _rows(call, data.get("steps", []), history)
    return _rows(call, data, history), []


def _rows(call: str, data: Any, history: Any) -> Records:
    if isinstance(data, Mapping) and all(isinstance(values, Sequence) for values in data.values()):
        if len({len(values) for values in data.values()}) > 1:
            problem = "history must have equally long lists, a value per epoch"
            raise ArgumentError(restate(call, problem, history=history))
        return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return list(data)
    expected = "what fit returns, a list of records, or lists by name"
    raise DTypeError(restate(call, "history must be a training history", expected=expected, history=history))


def missing(call: str, metric: str, rows: Records, **arguments: Any) -> ArgumentError:
    """The error for a metric that none of the records has."""
    expected = f"one of {sorted(set().union(*rows))}" if rows else "a history of at least one epoch"
    return ArgumentError(restate(call, f"no epoch has {metric!r}", expected=expected, metric=metric, **arguments))


def by_epoch(rows: Records, metric: str) -> tuple[list[float], list[float]]:
    """Epochs and values, where there are some: validation may have run at some epochs only."""
    points = [(row.get("epoch", k), row[metric]) for k, row in enumerate(rows, 1) if row.get(metric) is not None]
    return [epoch for epoch, _ in points], [float(value) for _, value in points]


def shown_as(metric: str) -> tuple[float, str, str]:
    """Factor, format and unit of a metric: an accuracy, a fraction, is shown in percent."""
    return (100, "{:.1f} %", " (%)") if "accuracy" in metric else (1, "{:.3g}", "")
