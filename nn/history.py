"""What happened in training: plain records, a dict per step and per epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Record = dict[str, Any]


@dataclass
class History:
    """The records of a training run, as JSON can hold them; `fit` returns one.

    Attributes:
        steps: per step `step` and `epoch` (from 1), `batch` (its size), `images` (seen so far), `loss`, the metrics,
            `learning_rate`, and `seconds` since training began.
        epochs: per epoch `epoch`, `step` and `images` at its end, the means of `loss` and metrics over its images,
            `validation_loss` and the like where there is validation, `learning_rate` of its last step, `seconds`.

    >>> history = History()
    >>> history.epochs.append({"epoch": 1, "loss": 0.5})
    >>> history["loss"], History.from_dict(history.to_dict()) == history
    ([0.5], True)
    """

    steps: list[Record] = field(default_factory=list)
    epochs: list[Record] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Any]:
        """One value of every epoch, such as `history["validation_accuracy"]`; None where an epoch lacks it."""
        if not any(name in record for record in self.epochs):
            raise KeyError(f"no epoch has {name!r}; they have {sorted(set().union(*self.epochs))}")
        return [record.get(name) for record in self.epochs]

    @property
    def images(self) -> int:
        """The number of images seen, each as often as it was seen."""
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
        """Note a step over `size` images and return its record."""
        record = {"step": len(self.steps) + 1, "epoch": epoch, "batch": size, "images": self.images + size}
        self.steps.append(record | values | {"learning_rate": learning_rate, "seconds": seconds})
        return self.steps[-1]

    def add_epoch(self, values: Mapping[str, float], seconds: float) -> Record:
        """Note the end of an epoch after its last step and return its record."""
        last = self.steps[-1]
        record = {key: last[key] for key in ("epoch", "step", "images")}
        self.epochs.append(record | values | {"learning_rate": last["learning_rate"], "seconds": seconds})
        return self.epochs[-1]

    def to_dict(self) -> dict[str, list[Record]]:
        """The records as JSON can hold them."""
        return {"steps": self.steps, "epochs": self.epochs}

    @classmethod
    def from_dict(cls, records: Mapping[str, Iterable[Record]]) -> Self:
        """The history of which `to_dict` made `records`."""
        return cls([dict(r) for r in records["steps"]], [dict(r) for r in records["epochs"]])

    def __repr__(self) -> str:
        last = f": {as_text(self.epochs[-1])}" if self.epochs else ""
        return f"History({len(self.epochs)} epochs, {len(self.steps)} steps{last})"


class Means:
    """Running means of named values, each batch weighted by its size."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: Mapping[str, float], size: int) -> None:
        """Count the means over a batch of `size` images."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * size
        self.count += size

    @classmethod
    def of(cls, steps: Iterable[Record]) -> Self:
        """The means over some steps."""
        means = cls()
        for record in steps:
            means.add(measures(record), record["batch"])
        return means

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self.count for name, total in self._sums.items()}


NOT_MEASURED = ("step", "epoch", "batch", "images", "learning_rate", "seconds")
"""What a record holds besides losses and metrics."""


def measures(record: Record) -> dict[str, float]:
    """The losses and metrics of a record."""
    return {name: value for name, value in record.items() if name not in NOT_MEASURED}


def as_text(record: Record) -> str:
    """The losses and metrics of a record in a line: `loss 0.1234, accuracy 97.5 %`."""
    return ", ".join(
        f"{name.replace('_', ' ')} " + (f"{value:.1%}".replace("%", " %") if "accuracy" in name else f"{value:#.4g}")
        for name, value in measures(record).items()
    )
