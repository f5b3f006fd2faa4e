"""Training histories in each form that plots take, as records: a dict per epoch, a dict per step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, restate

Records = list[Mapping[str, Any]]


def records(call: str, history: Any) -> tuple[Records, Records]:
    """The records of the epochs, and of the steps, none if it has none.

    Raises:
        DTypeError: no history. ArgumentError: lists of uneven lengths.
    """
    data = history.to_dict() if callable(getattr(history, "to_dict", None)) else history
    if isinstance(data, Mapping) and "epochs" in data:
        return _rows(call, data["epochs"], history), _rows(call, data.get("steps", []), history)
    return _rows(call, data, history), []


def _rows(call: str, data: Any, history: Any) -> Records:
    if isinstance(data, Mapping) and all(isinstance(values, Sequence) for values in data.values()):
        if len({len(values) for values in data.values()}) > 1:
            raise ArgumentError(
                restate(call, "lists of uneven lengths", expected="a figure per epoch", history=history)
            )
        return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return list(data)
    expected = "what fit returns, a list of records, or lists by name"
    raise DTypeError(restate(call, "this is no training history", expected=expected, history=history))


def missing(call: str, metric: str, rows: Records, **arguments: Any) -> ArgumentError:
    """The error for a metric that no record has."""
    expected = f"one of {sorted(set().union(*rows))}" if rows else "a history of at least one epoch"
    return ArgumentError(restate(call, f"no epoch has {metric!r}", expected=expected, metric=metric, **arguments))


def by_epoch(rows: Records, metric: str) -> tuple[list[float], list[float]]:
    """Epochs and figures, where there are some: validation may have run at some epochs only."""
    points = [(row.get("epoch", k), row[metric]) for k, row in enumerate(rows, 1) if row.get(metric) is not None]
    return [epoch for epoch, _ in points], [float(value) for _, value in points]


def shown_as(metric: str) -> tuple[float, str, str]:
    """Factor, format and unit for figures of a metric: an accuracy, a share of one, is shown in percent."""
    return (100, "{:.1f} %", " (%)") if "accuracy" in metric else (1, "{:.3g}", "")
