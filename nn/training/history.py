"""The history of a training run: a dict per step and per epoch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.state import is_count
from tensorgrad.system import html
from tensorgrad.system.console import printable

Record = dict[str, Any]

SHOWN = 20
"""A notebook shows this many epochs at most."""


@dataclass
class History:
    """The records of a training run, as JSON can hold them; `fit` returns one.

    Attributes:
        steps: per step `step` and `epoch` (from 1), `batch` (its size), `images` (so far), `loss`, the metrics,
            `learning_rate`, and `seconds` since training began.
        epochs: per epoch `epoch`, `step` and `images` at its end, the means of `loss` and metrics over its images,
            `validation_loss` and the other means of validation, `learning_rate` of its last step, `seconds`.

    >>> history = History()
    >>> history.epochs.append({"epoch": 1, "loss": 0.5})
    >>> history["loss"], History.from_dict(history.to_dict()) == history
    ([0.5], True)
    """

    steps: list[Record] = field(default_factory=list)
    epochs: list[Record] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Any]:
        """One value per epoch, such as `history["validation_accuracy"]`; None for an epoch without it."""
        if not any(name in record for record in self.epochs):
            raise KeyError(f"no epoch has {name!r}; they have {sorted(set().union(*self.epochs))}")
        return [record.get(name) for record in self.epochs]

    @property
    def images(self) -> int:
        """The number of images trained on, those of every epoch counted."""
        return self.steps[-1]["images"] if self.steps else 0

    @property
    def seconds(self) -> float:
        """How long training took so far."""
        return max((records[-1]["seconds"] for records in (self.steps, self.epochs) if records), default=0.0)

    def current_epoch(self) -> list[Record]:
        """The steps of the epoch that isn't finished."""
        done = self.epochs[-1]["step"] if self.epochs else 0
        return self.steps[done:]

    def add_step(
        self, epoch: int, size: int, values: Mapping[str, float], learning_rate: float, seconds: float
    ) -> Record:
        """Add the record of a step over `size` images, and return it."""
        record: Record = {"step": len(self.steps) + 1, "epoch": epoch, "batch": size, "images": self.images + size}
        self.steps.append(record | {**values} | {"learning_rate": learning_rate, "seconds": seconds})
        return self.steps[-1]

    def add_epoch(self, values: Mapping[str, float], seconds: float) -> Record:
        """Add the record of an epoch after its last step, and return it."""
        last = self.steps[-1]
        record: Record = {key: last[key] for key in ("epoch", "step", "images")}
        self.epochs.append(record | {**values} | {"learning_rate": last["learning_rate"], "seconds": seconds})
        return self.epochs[-1]

    def to_dict(self) -> dict[str, list[Record]]:
        """The records as JSON can hold them."""
        return {"steps": self.steps, "epochs": self.epochs}

    @classmethod
    def from_dict(cls, records: Mapping[str, Iterable[Record]]) -> Self:
        """The history from the records of `to_dict`. Raises ArgumentError for anything else."""
        lists: list[Any] = (
            [records.get(name) for name in ("steps", "epochs")] if isinstance(records, Mapping) else [None]
        )
        if not all(isinstance(kind, list | tuple) and all(map(_is_record, kind)) for kind in lists):
            problem = "records must be a dict of two lists, 'steps' and 'epochs', of dicts with str keys"
            raise ArgumentError(restate("History.from_dict", problem, records=records))
        steps, epochs = ([dict(record) for record in kind] for kind in lists)
        return cls(steps, epochs)

    def check_whole(self) -> None:
        """Raise ArgumentError unless training can resume from these records: complete, in order, with right counts.

        Entries other than `fit`'s own may be anything, except in the steps of the unfinished epoch, whose means are
        still to be computed.
        """
        epoch, images = 1, 0
        ends = {record.get("step"): record for record in self.epochs if is_count(record.get("step"))}
        for number, record in enumerate(self.steps, 1):
            images += record["batch"] if is_count(record.get("batch")) else 0
            counts = {"step": number, "epoch": epoch, "images": images}
            _check_record(f"step {number}", record, counts, ("batch",))
            if number in ends:
                _check_record(f"epoch {epoch}", ends[number], counts)
                epoch += 1
        if epoch <= len(self.epochs):
            problem = f"{len(self.epochs)} epochs are recorded, but the steps of {epoch - 1}"
            raise ArgumentError(restate("History", problem, fix="start again"))
        for record in self.current_epoch():
            _check_record(f"step {record['step']}", record, {}, tuple(measures(record)))

    def __repr__(self) -> str:
        last = f": {as_text(self.epochs[-1])}" if self.epochs else ""
        return printable(f"History({len(self.epochs)} epochs, {len(self.steps)} steps{last})")

    def _repr_html_(self) -> str:
        """A row per epoch, of many the first and the last; and how far the next epoch has come."""
        names = list(dict.fromkeys(name for record in self.epochs for name in measures(record)))
        columns = ["epoch", *names, "learning_rate", "seconds"]
        rows = [[_cell(name, record.get(name)) for name in columns] for record in self.epochs]
        if len(rows) > SHOWN:
            rows[SHOWN // 2 : -SHOWN // 2] = [["…"] * len(columns)]
        running = self.current_epoch()
        note = f"{len(self.epochs)} epochs, {len(self.steps)} steps, {self.images:,} images, {self.seconds:.1f} s"
        note += f"; of the next epoch {len(running)} steps" if running else ""
        shown = html.table([name.replace("_", " ") for name in columns], rows, "r" * len(columns)) if rows else ""
        return html.line(note, "History") + shown


def _is_record(record: Any) -> bool:
    return isinstance(record, Mapping) and all(isinstance(key, str) for key in record)


def _check_record(place: str, record: Record, counts: dict[str, int], more: tuple[str, ...] = ()) -> None:
    """Raise ArgumentError unless a record has these counts, and numbers under `fit`'s own names and those in `more`."""
    wrong = [f"{key} is {record.get(key)!r}, not {n}" for key, n in counts.items() if not _is(record.get(key), n)]
    needed = ("loss", "learning_rate", "seconds", *more)
    wrong += [f"{key} is {record.get(key)!r}, not a number" for key in needed if not _is_number(record.get(key))]
    wrong += [
        f"{key} is {record[key]}, not a finite number ≥ 0"
        for key in ("batch", "learning_rate", "seconds")
        if _is_number(record.get(key)) and not 0 <= record[key] < math.inf
    ]
    if wrong:
        raise ArgumentError(restate("History", f"{place} is damaged: {'; '.join(wrong)}", record=record))


def _is(value: Any, count: int) -> bool:
    return is_count(value) and value == count


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Means:
    """Running means of named values, each batch weighted by its size."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: Mapping[str, float], size: int) -> None:
        """Add the means over a batch of `size` images."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * size
        self.count += size

    @classmethod
    def of(cls, steps: Iterable[Record], without: Collection[str] = ()) -> Self:
        """The means over some steps, of all losses and metrics but those `without`."""
        means = cls()
        for record in steps:
            values = {name: value for name, value in measures(record).items() if name not in without}
            means.add(values, record["batch"])
        return means

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self.count for name, total in self._sums.items()}


NOT_MEASURED = ("step", "epoch", "batch", "images", "learning_rate", "seconds")
"""The entries of a record besides losses and metrics."""


def measures(record: Record) -> dict[str, float]:
    """The losses and metrics of a record."""
    return {name: value for name, value in record.items() if name not in NOT_MEASURED}


def as_text(record: Record) -> str:
    """The losses and metrics of a record in one line: `loss 0.1234, accuracy 97.5 %`."""
    return ", ".join(f"{name.replace('_', ' ')} {_measure(name, value)}" for name, value in measures(record).items())


def _measure(name: str, value: float) -> str:
    return f"{value:.1%}".replace("%", " %") if "accuracy" in name else f"{value:#.4g}"


def _cell(name: str, value: Any) -> str:
    """A value of a record, as a cell of a table: records read from a file may hold anything."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if name in ("epoch", "learning_rate"):
        return f"{value:g}"
    return f"{value:.1f}" if name == "seconds" else _measure(name, value)
