"""Callbacks that follow the best epoch: stop when there are no better ones, keep its weights, save its checkpoint."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.training.callbacks.base import Callback
from tensorgrad.nn.training.callbacks.monitor import Monitor
from tensorgrad.nn.training.history import Record
from tensorgrad.storage import as_path, save
from tensorgrad.tensor import Tensor


class BestEpoch(Callback):
    """Base class of callbacks that follow the best epoch by a monitor."""

    _monitor: Monitor

    @property
    def best(self) -> float | None:
        """The best value of `monitor`."""
        return self._monitor.best

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best value."""
        return self._monitor.epoch


class EarlyStopping(BestEpoch):
    """End the training when `monitor` hasn't improved for `patience` epochs, and go back to the best weights.

    A form of regularization: Prechelt, Early Stopping — But When?, 1998. `fit(resume=True)` goes on counting where it
    stopped, with the best weights so far.

    Args:
        monitor: the entry of the epochs' records to follow, such as "validation_loss" or "validation_accuracy".
        patience: how many epochs in a row may bring no improvement.
        min_delta: by how much a value must be better than the best to count as an improvement.
        restore_best: at the end of the training, load the weights and buffers of the best epoch into the model.
        mode: "min" or "max"; None tells by the name: losses and errors fall, accuracy, F1 and their like rise.

    Attributes:
        best: the best value, None before the first epoch.
        best_epoch: its epoch.
        stopped_epoch: the epoch after which it ended the training, None if it didn't.

    Raises:
        ArgumentError: patience is below 1, min_delta below 0, or the mode isn't known; from `fit`, a monitor that the
            records lack.

    >>> import tensorgrad as tg
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.5)
    >>> stop = tg.callbacks.EarlyStopping("loss", patience=3, min_delta=1e-3)
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 99, "progress": False}
    >>> history = tg.nn.fit(model, [batch], **options, callbacks=[stop])
    >>> len(history.epochs) == stop.best_epoch + 3 == stop.stopped_epoch
    True
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str | None = None,
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int | np.integer) or patience < 1:
            problem = f"patience must be an int ≥ 1, got {patience!r}"
            raise ArgumentError(restate("EarlyStopping", problem, patience=patience))
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.restore_best = patience, restore_best
        self._begin()

    def _begin(self) -> None:
        self._monitor.forget()
        self.stopped_epoch: int | None = None
        self._waited = 0
        self._weights: dict[str, np.ndarray] = {}

    def on_train_begin(self) -> None:
        """Begin anew."""
        self._monitor.check(self.training)
        self._begin()

    def on_epoch_end(self, record: Record) -> bool:
        """Count the epochs without an improvement."""
        if self._monitor.improves(record):
            self._waited = 0
            if self.restore_best:
                self._weights = {name: t.data.copy() for name, t in self.training.model.state_dict().items()}
        else:
            self._waited += 1
        if self._waited < self.patience:
            return False
        self.stopped_epoch = record["epoch"]
        return True

    def on_train_end(self) -> None:
        """Load the best weights."""
        if self._weights:
            self.training.model.load_state_dict({name: Tensor(array) for name, array in self._weights.items()})
        self._weights = {}

    def state_dict(self) -> dict[str, Any]:
        """The count, the best value, and its weights."""
        return {"waited": self._waited, "monitor": self._monitor.state_dict(), "weights": dict(self._weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state of `state_dict`."""
        self._waited = state["waited"]
        self._monitor.load_state_dict(state["monitor"])
        self._weights = dict(state["weights"]) if self.restore_best else {}


class BestCheckpoint(BestEpoch):
    """Save a checkpoint after each epoch that is the best so far.

    The file is one that `fit(checkpoint=path, resume=True)` goes on from: it holds the optimizer, the loader's
    position and the callbacks too. With `weights_only` it is what `model.load_state_dict(tg.load(path))` loads.

    Args:
        path: the file; each better epoch replaces it, once its file is complete.
        monitor: the entry of the epochs' records to follow.
        min_delta: by how much a value must be better than the best to count as an improvement.
        mode: "min" or "max"; None tells by the name: losses and errors fall, accuracy, F1 and their like rise.
        weights_only: save the model's parameters and buffers, and nothing else.

    Attributes:
        best: the best value, None before the first epoch.
        best_epoch: its epoch.

    Raises:
        ArgumentError: min_delta below 0, or the mode isn't known; from `fit`, a monitor that the records lack.
        StorageError: from `fit`, the file can't be written.

    >>> import tensorgrad as tg
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> best = tg.callbacks.BestCheckpoint("best.safetensors", "loss", weights_only=True)
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 3, "progress": False}
    >>> history = tg.nn.fit(model, [batch], **options, callbacks=[best])
    >>> best.best_epoch, sorted(tg.load("best.safetensors"))
    (3, ['bias', 'weight'])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "validation_loss",
        min_delta: float = 0.0,
        mode: str | None = None,
        weights_only: bool = False,
    ) -> None:
        self.path, self.weights_only = as_path("BestCheckpoint", path), weights_only
        self._monitor = Monitor("BestCheckpoint", monitor, mode, min_delta)

    def on_train_begin(self) -> None:
        """Begin anew."""
        self._monitor.check(self.training)
        self._monitor.forget()

    def on_epoch_end(self, record: Record) -> None:
        """Save if the epoch is the best."""
        if self._monitor.improves(record):
            if self.weights_only:
                save(self.training.model.state_dict(), self.path)
            else:
                self.training.save_checkpoint(self.path)

    def state_dict(self) -> dict[str, Any]:
        """The best value and its epoch."""
        return self._monitor.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state of `state_dict`."""
        self._monitor.load_state_dict(state)
