"""The training loop."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, Literal

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.random import manual_seed
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.module import Module
from tensorgrad.nn.optim import NonFiniteError, Optimizer, clip_grad_norm_
from tensorgrad.nn.training.checkpoint import Checkpoint
from tensorgrad.nn.training.evaluation import Metric, evaluate, measure, unpack
from tensorgrad.nn.training.history import NOT_MEASURED, History, Means, Record
from tensorgrad.nn.training.interrupt import deferred
from tensorgrad.nn.training.progress import Silent, reporter
from tensorgrad.tensor import Tensor

Callback = Callable[[Record], bool | None]
"""Gets the record of a step or an epoch; True ends the training."""


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the training between two steps. `history` holds what happened so far."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: Module,
    train_loader: Iterable[Any],
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: Optimizer,
    epochs: int,
    validation: Iterable[Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    clip_norm: float | None = None,
    on_step_end: Callback | None = None,
    on_epoch_end: Callback | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    seed: int | None = None,
    progress: bool | Literal["bar"] = True,
    stop_on_nan: bool = True,
    compile: bool = False,
) -> History:
    """Train a model: per batch forget the gradients, forward, loss, backward, step; per epoch validate and save.

    Args:
        model: the network, which ends up in training mode.
        train_loader: batches (x, target), or (x1, x2, ..., target) for a model of several inputs; iterated anew for
            each epoch.
        loss: a function (output, target) -> scalar tensor, the mean over the batch.
        optimizer: over the model's parameters.
        epochs: how many there are to be in all, those before a resume included.
        validation: a loader to `evaluate` on after each epoch.
        metrics: functions (output, target) -> number by name; by default the accuracy, if targets are class indices.
        clip_norm: bound for the norm of all gradients together: see `clip_grad_norm_`.
        on_step_end, on_epoch_end: called with the record of each step and epoch; returning True ends the training.
        checkpoint: a file to save to after each epoch, and when training ends early.
        checkpoint_every: save after every so many steps too.
        resume: go on from the checkpoint, if there is one. The weights, the records and all random numbers are then to
            the bit what they would have been without the stop (`seconds` apart), if model, optimizer and loader are
            built alike. A loader without `state_dict` must give the same batches again.
        seed: start the package-wide random generator from it, unless resuming.
        progress: a bar per epoch on a terminal or in a notebook, a line per epoch elsewhere; False for neither. With
            "bar" one for the whole training that leaves no lines, and nothing elsewhere: for trainings among others.
        stop_on_nan: raise when the loss is NaN or infinite, before the weights are touched.
        compile: replay steps as `tg.compile` records them: the same training, faster.

    Returns:
        The history of all steps and epochs.

    Raises:
        ArgumentError: arguments that make no sense together.
        NonFiniteError: the loss is NaN or infinite.
        CheckpointError: the checkpoint is damaged, or belongs to another model, optimizer or loader; nothing was
            changed.
        StorageError: the checkpoint can't be read or written.
        TrainingInterrupted: Ctrl-C; the step was finished and the checkpoint, if any, saved. It is a KeyboardInterrupt.

    >>> import tensorgrad as tg
    >>> w = tg.nn.Linear(1, 1)
    >>> data = [(tg.tensor([[x]]), tg.tensor([[3 * x + 1]])) for x in (-1.0, 0.0, 1.0)]
    >>> sgd = tg.nn.optim.SGD(w.parameters(), lr=0.1)
    >>> history = fit(w, data, loss=tg.nn.mse_loss, optimizer=sgd, epochs=100, progress=False)
    >>> round(w.weight.item(), 3), round(w.bias.item(), 3), len(history.steps)
    (3.0, 1.0, 300)
    """
    _check(model, optimizer, epochs, metrics, checkpoint, checkpoint_every, resume)
    saved = None if checkpoint is None else Checkpoint(checkpoint, model, optimizer, train_loader)
    report = reporter(progress)
    history = _begin(saved, resume, seed, report)
    clock = _clock(history.seconds)
    model.train()

    def step(*batch: Tensor) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        *inputs, target = batch
        output = model(*inputs)
        cost = loss(output, target)
        if stop_on_nan and not guard(np.isfinite, cost._data):
            raise _NotFinite(cost.item())
        cost.backward()
        if clip_norm is not None:
            clip_grad_norm_(optimizer.named_parameters().values(), clip_norm)
        optimizer.step()
        return cost.detach(), output.detach()

    step = tg.compile(step) if compile else step

    def ends(callback: Callback | None, record: Record, due: bool) -> bool:
        """Between two steps: call back, save if it is due or training ends here, and say whether it does."""
        end = True  # as it does when the callback raises
        try:
            end = callback is not None and callback(record) is True
        finally:
            if saved and (due or end or ctrl_c.requested):
                saved.save(history)
        if ctrl_c.requested:
            raise TrainingInterrupted(_farewell(history, saved), history)
        return end

    with deferred() as ctrl_c, closing(report):
        for epoch in range(len(history.epochs) + 1, epochs + 1):
            done = history.current_epoch()
            means = Means.of(done)
            report.epoch_begins(epoch, epochs, _length(train_loader), len(done))

            for inputs, target in _batches(train_loader, len(done)):
                rate = optimizer.learning_rate
                try:
                    cost, output = step(*inputs, target)
                except _NotFinite as stop:
                    raise _not_finite(stop.args[0], history) from None

                values = {"loss": cost.item()} | measure(metrics, output, target)
                record = history.add_step(epoch, len(inputs[0]), values, rate, clock())
                means.add(values, len(inputs[0]))
                report.step(len(inputs[0]), means.values())
                if ends(on_step_end, record, due=record["step"] % (checkpoint_every or math.inf) == 0):
                    return history

            if not means.count:
                raise ArgumentError(restate("fit", f"no batches in epoch {epoch}", train_loader=train_loader))
            values = {} if validation is None else evaluate(model, validation, loss, metrics)
            values = means.values() | {f"validation_{name}": value for name, value in values.items()}
            record = history.add_epoch(values, clock())
            report.epoch_ends(record)
            if ends(on_epoch_end, record, due=True):
                return history
    return history


def _check(
    model: Module,
    optimizer: Optimizer,
    epochs: int,
    metrics: Mapping[str, Metric] | None,
    checkpoint: str | os.PathLike | None,
    checkpoint_every: int | None,
    resume: bool,
) -> None:
    def refuse(problem: str, fix: str = "", **arguments: Any) -> None:
        raise ArgumentError(restate("fit", problem, fix=fix, **arguments))

    if not isinstance(epochs, int) or epochs < 0:
        refuse("no such number of epochs", "pass an int ≥ 0", epochs=epochs)
    if checkpoint_every is not None and (not isinstance(checkpoint_every, int) or checkpoint_every < 1):
        refuse("no such number of steps", "pass an int ≥ 1", checkpoint_every=checkpoint_every)
    if checkpoint is None and (resume or checkpoint_every is not None):
        refuse("no file to save to or to resume from", "pass checkpoint=path", checkpoint=checkpoint)
    taken = [name for name in metrics or () if name in ("loss", *NOT_MEASURED)]
    if taken:
        refuse(f"the records use the name {taken[0]!r} themselves", "rename the metric", metrics=taken)
    own = set(model.parameters())
    if not any(p in own for p in optimizer.named_parameters().values()):
        fix = "build it over model.parameters() of this very model"
        refuse("the optimizer trains none of the model's parameters", fix, optimizer=optimizer)


def _begin(saved: Checkpoint | None, resume: bool, seed: int | None, report: Silent) -> History:
    """The history so far: that of the checkpoint, or an empty one."""
    if resume and saved.exists():
        history = saved.restore()
        report.say(f"resuming from {saved.path} after step {len(history.steps)}, epoch {len(history.epochs)} done")
        return history
    if resume:
        report.say(f"no checkpoint at {saved.path} yet: starting from the beginning")
    if seed is not None:
        manual_seed(seed)
    return History()


def _clock(seconds: float) -> Callable[[], float]:
    """The seconds since now, on top of those given."""
    start = time.perf_counter() - seconds
    return lambda: time.perf_counter() - start


def _length(loader: Any) -> int | None:
    return len(loader) if hasattr(loader, "__len__") else None


def _batches(loader: Iterable[Any], done: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """The batches of an epoch after the first `done`: a loader with a state knows them, any other begins anew."""
    skip = 0 if hasattr(loader, "state_dict") else done
    return map(unpack, itertools.islice(loader, skip, None))


class _NotFinite(Exception):
    """Ends a step: the loss, its only argument, is NaN or infinite."""


def _not_finite(cost: float, history: History) -> NonFiniteError:
    place = f"at step {len(history.steps) + 1}, in epoch {len(history.epochs) + 1}"
    problem = f"the loss is {cost} {place}; the weights are those before this step"
    fix = "try a smaller learning rate, clip_norm=1.0, or look for NaN in the data; stop_on_nan=False goes on"
    return NonFiniteError(restate("fit", problem, fix=fix))


def _farewell(history: History, saved: Checkpoint | None) -> str:
    place = f"interrupted after step {len(history.steps)}, with {len(history.epochs)} epochs done"
    return f"{place}; saved to {saved.path}: go on with resume=True" if saved else place
