"""Callbacks that write the records of a training to files: CSV, and TensorBoard's event files."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from tensorgrad.errors import ArgumentError, require, restate
from tensorgrad.nn.training.callbacks.base import Callback
from tensorgrad.nn.training.history import Record, measures
from tensorgrad.storage import as_path


class CSVLogger(Callback):
    """Write a row per epoch to a CSV file: loss, metrics, validation, learning rate, seconds.

    The file holds what the history holds, also after a resume: rows of epochs that were trained anew are replaced.
    Each row is in the file as soon as its epoch ends.

    Args:
        path: the file; one that exists is replaced when the training begins, and a folder is made that doesn't.

    Raises:
        DTypeError: `path` is neither text nor a path object.
        OSError: from `fit`, the file can't be written.

    >>> import tensorgrad as tg
    >>> model, batch = tg.nn.Linear(1, 1), (tg.ones(2, 1), tg.ones(2, 1))
    >>> sgd = tg.nn.optim.SGD(model.parameters(), lr=0.1)
    >>> options = {"loss": tg.nn.mse_loss, "optimizer": sgd, "epochs": 2, "progress": False}
    >>> history = tg.nn.fit(model, [batch], **options, callbacks=[tg.callbacks.CSVLogger("log.csv")])
    >>> print(open("log.csv").readline(), end="")
    epoch,step,images,loss,learning_rate,seconds
    """

    on_every_rank = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(as_path("CSVLogger", path))
        self._columns: list[str] = []

    def on_train_begin(self) -> None:
        """Write the rows of the epochs before a resume."""
        self._rewrite()

    def on_epoch_end(self, record: Record) -> None:
        """Add a row."""
        if set(record) - set(self._columns):
            self._rewrite()  # the first epoch, or one with further metrics
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._rows([record]))

    def _rewrite(self) -> None:
        """Write all rows to a file beside, and rename it."""
        records = self.training.history.epochs
        self._columns = list(dict.fromkeys(name for record in records for name in record))
        header = self._rows([{name: name for name in self._columns}]) if records else ""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        beside.write_text(header + self._rows(records), encoding="utf-8", newline="")
        beside.replace(self.path)

    def _rows(self, records: list[Record]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [record.get(name, "") for name in self._columns] for record in records
        )
        return text.getvalue()


class TensorBoard(Callback):
    """Write losses, metrics and the learning rate as event files, which TensorBoard and others show.

    Args:
        folder: of this run; TensorBoard compares the folders below the one it is started in.
        every: write the values of every so many steps, as "step/loss" …; 0 for epochs alone, "loss",
            "validation_loss" ….

    Raises:
        ArgumentError: `every` is below 0.
        MissingPackageError: tensorboardX isn't installed: `pip install 'tensorgrad-engine[tensorboard]'`.

    >>> import tensorgrad as tg
    >>> board = tg.callbacks.TensorBoard("runs/first")  # then: tensorboard --logdir runs
    """

    on_every_rank = False

    def __init__(self, folder: str | os.PathLike[str], every: int = 10) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 0:
            raise ArgumentError(restate("TensorBoard", f"every must be an int ≥ 0, got {every!r}", every=every))
        self.folder, self.every = Path(as_path("TensorBoard", folder)), every
        self._make = require("TensorBoard", "tensorboardX", extra="tensorboard").SummaryWriter
        self._writer: Any = None

    def on_train_begin(self) -> None:
        """Open an event file; of an earlier one, what came after the step of a resume isn't shown."""
        done = len(self.training.history.steps)
        self._writer = self._make(str(self.folder), purge_step=done + 1 if done else None)

    def on_step_end(self, record: Record) -> None:
        """Write the values of a step if its turn has come."""
        if self.every and record["step"] % self.every == 0:
            self._write(record, "step/")

    def on_epoch_end(self, record: Record) -> None:
        """Write the values of the epoch."""
        self._write(record, "")
        self._writer.flush()

    def on_train_end(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, record: Record, group: str) -> None:
        for name, value in (measures(record) | {"learning_rate": record["learning_rate"]}).items():
            self._writer.add_scalar(group + name, value, record["step"])

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_writer": None}
