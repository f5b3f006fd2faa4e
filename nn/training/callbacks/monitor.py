"""One entry of the epochs' records, and which epoch was its best."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.training.callbacks.base import Training
from tensorgrad.nn.training.history import Record

FALLING = ("loss", "error")
RISING = ("accuracy", "precision", "recall", "f1", "iou", "r2", "auc", "top", "score")


class Monitor:
    """Follows one entry of the epochs' records.

    Args:
        call: for errors.
        name: the entry, such as "validation_loss".
        mode: "min" if a smaller value is better, "max" if a larger one; None to tell by the name.
        min_delta: a value must be better than the best by more than this.

    Raises:
        ArgumentError: another mode, none where the name doesn't tell, or a min_delta below 0.
    """

    def __init__(self, call: str, name: str, mode: str | None = None, min_delta: float = 0.0) -> None:
        if not isinstance(name, str):
            problem = f"monitor must be the name of an entry of the records, got {name!r}"
            fix = f'pass {call}("validation_loss", ...)' + (
                f" and patience={name!r}" if call == "EarlyStopping" and isinstance(name, int) else ""
            )
            raise ArgumentError(restate(call, problem, fix=fix))
        if mode not in ("min", "max", None):
            raise ArgumentError(restate(call, f'mode must be "min", "max" or None, got {mode!r}', mode=mode))
        if not min_delta >= 0:
            raise ArgumentError(restate(call, f"min_delta must be ≥ 0, got {min_delta!r}", min_delta=min_delta))
        self.name, self.call, self.min_delta = name, call, min_delta
        self.mode = mode or _mode_of(call, name)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.best: float | None = None
        self.epoch: int | None = None

    def check(self, training: Training) -> None:
        """Raise ArgumentError if a training has no validation, and the entry comes from one."""
        if self.name.startswith("validation_") and not training.validates:
            problem = f"monitor={self.name!r} needs a validation"
            fix = f"pass validation=loader to fit, or monitor={self.name.removeprefix('validation_')!r}"
            raise ArgumentError(restate(self.call, problem, fix=fix))

    def value(self, record: Record) -> float:
        """The entry. Raises ArgumentError if the record hasn't got it."""
        if self.name not in record:
            problem = f"no record has {self.name!r}; they have {sorted(record)}"
            raise ArgumentError(restate(self.call, problem, monitor=self.name))
        return float(record[self.name])

    def improves(self, record: Record) -> bool:
        """Whether an epoch is the best so far; then note it. NaN is never better."""
        value = self.value(record)
        gain = math.inf if self.best is None else (self.best - value) * (1 if self.mode == "min" else -1)
        if math.isnan(value) or not gain > self.min_delta:
            return False
        self.best, self.epoch = value, record["epoch"]
        return True

    def state_dict(self) -> dict[str, Any]:
        """The best value and its epoch."""
        return {"best": self.best, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state of `state_dict`."""
        self.best, self.epoch = state["best"], state["epoch"]


def _mode_of(call: str, name: str) -> str:
    if any(word in name for word in FALLING):
        return "min"
    if any(word in name for word in RISING):
        return "max"
    problem = f"whether {name!r} is to rise or to fall isn't known"
    raise ArgumentError(restate(call, problem, fix='pass mode="min" or mode="max"', monitor=name))
