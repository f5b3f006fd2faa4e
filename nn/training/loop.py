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
from tensorgrad.autograd.engine import guard
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.module import Module
from tensorgrad.nn.optim import NonFiniteError, Optimizer, clip_grad_norm_
from tensorgrad.nn.training.callbacks.base import Callbacks, Training, asks_to_end
from tensorgrad.nn.training.checkpoint import Checkpoint
from tensorgrad.nn.training.evaluation import evaluated, unpack
from tensorgrad.nn.training.history import NOT_MEASURED, History, Record
from tensorgrad.nn.training.interrupt import deferred
from tensorgrad.nn.training.processes import Processes, processes_of
from tensorgrad.nn.training.progress import Silent, reporter
from tensorgrad.nn.training.tally import Measure, Tally
from tensorgrad.nn.training.weights import weighted as by_weight
from tensorgrad.tensor import Tensor

OnEnd = Callable[[Record], bool | None]
"""A function of the record of a step or epoch; it returns True to end the training."""


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the training between two steps. `history` has the records so far."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: Module,
    train_loader: Iterable[Any],
    *,
    loss: Callable[..., Tensor],
    optimizer: Optimizer,
    epochs: int,
    validation: Iterable[Any] | None = None,
    metrics: Mapping[str, Measure] | None = None,
    clip_norm: float | None = None,
    on_step_end: OnEnd | None = None,
    on_epoch_end: OnEnd | None = None,
    callbacks: Iterable[Any] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    seed: int | None = None,
    progress: bool | Literal["bar"] = True,
    stop_on_nan: bool = True,
    compile: bool = False,
    weighted: bool = False,
) -> History:
    """Train a model: per batch zero the gradients, forward, loss, backward, step; per epoch validate and save.

    With an `nn.DistributedDataParallel` all processes call `fit`. Records are of all processes together, and the same
    in all of them; rank 0 alone reports progress and saves. See docs/distributed.md.

    Args:
        model: the network; `fit` leaves it in training mode.
        train_loader: batches (x, target), or (x1, x2, ..., target) for a model of several inputs; iterated once per
            epoch. `set_epoch` of its sampler is called, if it has one.
        loss: a function (output, target) -> scalar tensor, the mean over the batch.
        optimizer: over the model's parameters.
        epochs: the number of epochs in all, including those before a resume.
        validation: a loader to `evaluate` on after each epoch.
        metrics: by name, metrics of `nn.metrics`, or functions (output, target) -> the mean over a batch; by default
            the accuracy, if targets are class indices.
        clip_norm: the bound for the norm of all gradients together, see `clip_grad_norm_`.
        on_step_end: called with the record of each step; returning True ends the training.
        on_epoch_end: called with the record of each epoch; returning True ends the training.
        callbacks: objects whose methods `on_step_end`, `on_epoch_end`, … are called, see `Callback`; such as those of
            `tg.callbacks`.
        checkpoint: a file to save to after each epoch, and when training ends early.
        checkpoint_every: save after every `checkpoint_every` steps too.
        resume: resume from the checkpoint, if there is one. Weights, records (except `seconds`) and random numbers are
            then the same to the bit as without the interruption, if model, optimizer and loader are built alike. A
            loader without `state_dict` must yield the same batches again.
        seed: the seed of the package's random generator, set unless resuming.
        progress: True for a bar per epoch on a terminal or in a notebook and a line per epoch elsewhere; "bar" for one
            bar for the whole training, which leaves no lines, and nothing elsewhere; False for nothing.
        stop_on_nan: raise when the loss is NaN or infinite, before the weights are changed.
        compile: compile the step with `tg.compile`: the same training, faster.
        weighted: batches end with a weight per example, (x, target, weight), those of `validation` too. The loss is
            the mean of the weights times the examples' losses; so it must take `reduction="none"`.

    Returns:
        The history of all steps and epochs.

    Raises:
        ArgumentError: an argument out of range, an optimizer of another model, a callback without such a method, or a
            loader without batches.
        NonFiniteError: the loss is NaN or infinite.
        CheckpointError: the checkpoint is damaged, or belongs to another model, optimizer or loader; nothing was
            changed.
        StorageError: the checkpoint can't be read or written.
        TrainingInterrupted: Ctrl-C, a KeyboardInterrupt. The step was finished and the checkpoint, if any, saved.

    >>> import tensorgrad as tg
    >>> w = tg.nn.Linear(1, 1)
    >>> data = [(tg.tensor([[x]]), tg.tensor([[3 * x + 1]])) for x in (-1.0, 0.0, 1.0)]
    >>> sgd = tg.nn.optim.SGD(w.parameters(), lr=0.1)
    >>> history = fit(w, data, loss=tg.nn.mse_loss, optimizer=sgd, epochs=100, progress=False)
    >>> round(w.weight.item(), 3), round(w.bias.item(), 3), len(history.steps)
    (3.0, 1.0, 300)
    """
    _check(model, optimizer, epochs, metrics, checkpoint, checkpoint_every, resume)
    processes = processes_of(model)
    observers, tally = Callbacks(callbacks, processes.rank), Tally("fit", metrics, numbers_only=True)
    more = {"callbacks": observers, "tally": tally}
    state = Checkpoint(checkpoint or "", model, optimizer, train_loader, more, processes)
    saved = None if checkpoint is None else state
    objective, told = (by_weight(loss), 2) if weighted else (loss, 1)  # what the loss is told besides the output
    report = reporter(progress if processes.rank == 0 else False)
    history = _begin(saved, resume, seed, report, observers, processes)
    training = Training(model, optimizer, history, validation is not None)
    clock = _clock(history.seconds)
    model.train()

    def step(*batch: Tensor) -> tuple[Tensor, Tensor]:
        optimizer.zero_grad()
        output = model(*batch[:-told])
        cost = objective(output, *batch[-told:])
        mean = processes.cost(cost, len(batch[0]))
        if stop_on_nan and not guard(np.isfinite, mean._data):
            raise _NotFinite(mean.item())
        cost.backward()
        if clip_norm is not None:
            clip_grad_norm_(optimizer.named_parameters().values(), clip_norm)
        optimizer.step()
        return mean, output.detach()

    step = tg.compile(step) if compile else step

    def ends(callback: OnEnd | None, tell: Callable[[Record], bool], record: Record, due: bool) -> bool:
        """After a step or epoch: call back, save if due or if training ends here; return whether it ends."""
        end = True  # if a callback raises
        try:
            end = any([callback is not None and asks_to_end(callback(record)), tell(record)])
            for path in training.requested():
                state.at(path).save(history)
        finally:
            end, interrupted = processes.anywhere(end, ctrl_c.requested)
            if saved and (due or end or interrupted):
                saved.save(history)
        if interrupted:
            raise TrainingInterrupted(_farewell(history, saved), history)
        return end

    with deferred() as ctrl_c, closing(report), observers.belong_to(training):
        for epoch in range(len(history.epochs) + 1, epochs + 1):
            done = history.current_epoch()
            tally.begin(done)
            report.epoch_begins(epoch, epochs, _length(train_loader), len(done))
            _set_epoch(train_loader, epoch - 1)

            for inputs, targets in _batches(train_loader, len(done), weighted):
                rate = optimizer.learning_rate
                try:
                    cost, output = step(*inputs, *targets)
                except _NotFinite as stop:
                    raise _not_finite(stop.args[0], history) from None

                batch = {"loss": cost.item()}, output, targets[0], len(inputs[0])
                values, size, seconds = tally.add_together(processes, *batch, clock())
                record = history.add_step(epoch, size, values, rate, seconds)
                report.step(size, tally.values())
                due = record["step"] % (checkpoint_every or math.inf) == 0
                if ends(on_step_end, observers.on_step_end, record, due):
                    return history

            if not tally.count:
                problem = f"train_loader yielded no batches in epoch {epoch}"
                raise ArgumentError(restate("fit", problem, train_loader=train_loader))
            values, seconds = tally.values(), history.seconds if processes.size > 1 else clock()
            if validation is not None:
                processes.share_buffers()
                found = evaluated(model, validation, loss, metrics, weighted)
                seconds = found.merge(processes, clock())
                values |= {f"validation_{name}": value for name, value in found.values().items()}
            record = history.add_epoch(values, seconds)
            report.epoch_ends(record)
            if ends(on_epoch_end, observers.on_epoch_end, record, due=True):
                return history
    return history


def _check(
    model: Module,
    optimizer: Optimizer,
    epochs: int,
    metrics: Mapping[str, Measure] | None,
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
    resume: bool,
) -> None:
    def refuse(problem: str, fix: str = "", **arguments: Any) -> None:
        raise ArgumentError(restate("fit", problem, fix=fix, **arguments))

    if not isinstance(epochs, int | np.integer) or epochs < 0:
        refuse(f"epochs must be an int ≥ 0, got {epochs!r}", epochs=epochs)
    if checkpoint_every is not None and (not isinstance(checkpoint_every, int | np.integer) or checkpoint_every < 1):
        problem = f"checkpoint_every must be an int ≥ 1, got {checkpoint_every!r}"
        refuse(problem, checkpoint_every=checkpoint_every)
    if checkpoint is None and (resume or checkpoint_every is not None):
        refuse("resume and checkpoint_every need a file", "pass checkpoint=path", checkpoint=checkpoint)
    taken = [name for name in metrics or () if name in ("loss", *NOT_MEASURED)]
    if taken:
        refuse(f"the name {taken[0]!r} in metrics is an entry of every record", "rename the metric", metrics=taken)
    own = set(model.parameters())
    if not any(p in own for p in optimizer.named_parameters().values()):
        fix = "build the optimizer with model.parameters() of this model"
        refuse("optimizer has none of the model's parameters", fix, optimizer=optimizer)


def _begin(
    saved: Checkpoint | None,
    resume: bool,
    seed: int | None,
    report: Silent,
    observers: Callbacks,
    processes: Processes,
) -> History:
    """The history so far: that of the checkpoint when resuming, else an empty one."""
    if resume and saved is not None:
        if saved.exists():
            history = saved.restore()
            report.say(f"resuming from {saved.path} after step {len(history.steps)}, epoch {len(history.epochs)} done")
            if news := observers.news():
                report.say(news)
            return history
        report.say(f"no checkpoint at {saved.path} yet: starting from the beginning")
    if seed is not None:
        processes.seed(seed)
    return History()


def _clock(seconds: float) -> Callable[[], float]:
    """A function that returns `seconds` plus the seconds since this call."""
    start = time.perf_counter() - seconds
    return lambda: time.perf_counter() - start


def _length(loader: Any) -> int | None:
    return len(loader) if hasattr(loader, "__len__") else None


def _set_epoch(loader: Any, epoch: int) -> None:
    """Tell the sampler, if its order depends on the epoch: `DistributedSampler`."""
    sampler: Any = getattr(loader, "sampler", None)
    if hasattr(sampler, "set_epoch"):
        sampler.set_epoch(epoch)


def _batches(
    loader: Iterable[Any], done: int, weighted: bool
) -> Iterator[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
    """The batches of an epoch after the first `done`: a loader with a state resumes by itself, others are advanced."""
    skip = 0 if hasattr(loader, "state_dict") else done
    return (unpack(batch, weighted) for batch in itertools.islice(loader, skip, None))


class _NotFinite(Exception):
    """Ends a step. The argument is the loss, which is NaN or infinite."""


def _not_finite(cost: float, history: History) -> NonFiniteError:
    place = f"at step {len(history.steps) + 1}, in epoch {len(history.epochs) + 1}"
    problem = f"the loss is {cost} {place}; the weights are those before this step"
    fix = "try a smaller learning rate, clip_norm=1.0, or look for NaN in the data; stop_on_nan=False continues"
    return NonFiniteError(restate("fit", problem, fix=fix))


def _farewell(history: History, saved: Checkpoint | None) -> str:
    place = f"interrupted after step {len(history.steps)}, with {len(history.epochs)} epochs done"
    return f"{place}; saved to {saved.path}: resume with resume=True" if saved else place
