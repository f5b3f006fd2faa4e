"""What `fit` calls while it trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.training.history import Record


class Callback:
    """Base class of what `fit(callbacks=[…])` takes. Override the events you need; each does nothing by itself.

    An object of another class will do if it has one of these methods.

    >>> import tensorgrad as tg
    >>> class Stop(tg.nn.Callback):
    ...     def on_step_end(self, record):
    ...         return record["step"] == 3
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 9, "progress": False}
    >>> len(tg.nn.fit(model, [batch], **options, callbacks=[Stop()]).steps)
    3
    """

    def on_train_begin(self) -> None:
        """The training begins: the arguments of `fit` were right."""

    def on_train_end(self) -> None:
        """The training is over, also where an error ended it."""

    def on_step_end(self, record: Record) -> bool | None:
        """A step is done: the weights have moved, and the gradients are still there. True ends the training.

        Args:
            record: of the step, as in `History.steps`.
        """

    def on_epoch_end(self, record: Record) -> bool | None:
        """An epoch is done, and its validation. True ends the training.

        Args:
            record: of the epoch, as in `History.epochs`.
        """


EVENTS = ("on_train_begin", "on_step_end", "on_epoch_end", "on_train_end")


class Callbacks:
    """Several callbacks as one: each is called, in their order, also where one of them ends the training.

    As a context it stands for the whole training.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self._callbacks = list(callbacks)
        for callback in self._callbacks:
            if not any(callable(getattr(callback, event, None)) for event in EVENTS):
                problem = f"a callback must have a method {' or '.join(EVENTS)}"
                fix = "derive from nn.Callback; a function goes to on_step_end= or on_epoch_end="
                raise ArgumentError(restate("fit", problem, fix=fix, callback=callback))

    def __enter__(self) -> Self:
        self._tell("on_train_begin")
        return self

    def __exit__(self, *error: object) -> None:
        self._tell("on_train_end")

    def on_step_end(self, record: Record) -> bool:
        """Tell all of a step."""
        return self._tell("on_step_end", record)

    def on_epoch_end(self, record: Record) -> bool:
        """Tell all of an epoch."""
        return self._tell("on_epoch_end", record)

    def _tell(self, event: str, *record: Record) -> bool:
        methods = [getattr(callback, event, None) for callback in self._callbacks]
        return any([method(*record) is True for method in methods if method is not None])
