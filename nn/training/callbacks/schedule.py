"""A learning-rate scheduler as a callback."""

from __future__ import annotations

from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tensorgrad.nn.training.callbacks.base import Callback
from tensorgrad.nn.training.callbacks.monitor import Monitor
from tensorgrad.nn.training.history import Record


class ScheduleLR(Callback):
    """Step a scheduler of `nn.optim.lr_scheduler` after each epoch, or after each step; checkpoints hold its state.

    `ReduceLROnPlateau` is told the value of `monitor`.

    Args:
        scheduler: of the optimizer that `fit` uses.
        monitor: the entry of the epochs' records for `ReduceLROnPlateau`, by default "validation_loss".
        every: "epoch" or "step".

    Raises:
        DTypeError: `scheduler` isn't one.
        ArgumentError: another `every`; a monitor for a scheduler that needs none, or with every="step"; from `fit`, a
            scheduler of another optimizer, or a monitor that the records lack.

    >>> import tensorgrad as tg
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> halve = tg.callbacks.ScheduleLR(tg.nn.optim.lr_scheduler.StepLR(sgd, step_size=1, gamma=0.5))
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 3, "progress": False}
    >>> tg.nn.fit(model, [batch], **options, callbacks=[halve])["learning_rate"]
    [0.1, 0.05, 0.025]
    """

    def __init__(self, scheduler: LRScheduler, monitor: str | None = None, every: str = "epoch") -> None:
        call, on_plateau = "ScheduleLR", isinstance(scheduler, ReduceLROnPlateau)
        if not isinstance(scheduler, LRScheduler):
            problem = f"scheduler must be one of nn.optim.lr_scheduler, got {type(scheduler).__name__}"
            raise DTypeError(restate(call, problem, fix="ScheduleLR(StepLR(optimizer, 10))", scheduler=scheduler))
        if every not in ("epoch", "step"):
            raise ArgumentError(restate(call, f'every must be "epoch" or "step", got {every!r}', every=every))
        if (monitor is not None or every == "step") and on_plateau != (monitor is not None and every == "epoch"):
            problem = "ReduceLROnPlateau follows a monitor after each epoch, and no other scheduler follows one"
            raise ArgumentError(restate(call, problem, scheduler=scheduler, monitor=monitor, every=every))
        self.scheduler, self.every = scheduler, every
        name = monitor or "validation_loss"
        self._monitor = Monitor(call, name, getattr(scheduler, "mode", "min")) if on_plateau else None

    def on_train_begin(self) -> None:
        """Check the monitor and the optimizer."""
        if self._monitor is not None:
            self._monitor.check(self.training)
        if self.scheduler.optimizer is not self.training.optimizer:
            problem = "the scheduler belongs to another optimizer than fit's"
            raise ArgumentError(restate("ScheduleLR", problem, fix="build it with the optimizer that is passed to fit"))

    def on_step_end(self, record: Record) -> None:
        """Step the scheduler if it goes by steps."""
        if self.every == "step":
            self.scheduler.step()

    def on_epoch_end(self, record: Record) -> None:
        """Step the scheduler if it goes by epochs."""
        if self._monitor is not None:
            self.scheduler.step(self._monitor.value(record))  # type: ignore[arg-type]
        elif self.every == "epoch":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's state."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state of `state_dict`."""
        self.scheduler.load_state_dict(state)
