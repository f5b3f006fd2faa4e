"""Averages of weights: stochastic weight averaging (SWA) and exponential moving averages (EMA)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import mode, no_grad
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers.normalization import BatchNorm
from tensorgrad.nn.module import Module
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, per_group
from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.nn.optim.options import whole_fraction
from tensorgrad.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Any]
"""(average so far, present weights, how many were averaged) -> the new average."""
MultiAverage = Callable[[list[Tensor], list[Tensor], Any], None]
"""The same for lists, the averages changed in place."""


def get_swa_avg_fn() -> Average:
    """a + (w − a) / (n + 1): the mean of all weights.

    >>> import tensorgrad as tg
    >>> get_swa_avg_fn()(tg.tensor([1.0]), tg.tensor([4.0]), 2)
    tensor([2.])
    """

    def average(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (current - averaged) / (int(num_averaged) + 1)

    return average


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """decay · a + (1 − decay) · w: an average in which older weights count less and less.

    Raises ArgumentError for a decay outside [0, 1].

    >>> import tensorgrad as tg
    >>> get_ema_avg_fn(0.75)(tg.tensor([1.0]), tg.tensor([5.0]), 2)
    tensor([2.])
    """
    whole_fraction("get_ema_avg_fn", decay=decay)

    def average(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return decay * averaged + (1 - decay) * current

    return average


def get_swa_multi_avg_fn() -> MultiAverage:
    """`get_swa_avg_fn` for lists of tensors, in place."""
    return _of_each(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """`get_ema_avg_fn` for lists of tensors, in place."""
    whole_fraction("get_ema_multi_avg_fn", decay=decay)
    return _of_each(get_ema_avg_fn(decay))


def _of_each(average: Average) -> MultiAverage:
    @no_grad()
    def averages(averaged: list[Tensor], current: list[Tensor], num_averaged: Any) -> None:
        for a, w in zip(averaged, current, strict=True):
            _write(a, average(a, w, num_averaged))

    return averages


class AveragedModel(Module):
    """A copy of a model whose weights are an average of those that the model has had.

    Args:
        model: the model; the copy is its `module`.
        device: None or "cpu".
        avg_fn: how an average moves on; by default `get_swa_avg_fn()`.
        multi_avg_fn: the same for all tensors at once, in place, such as `get_ema_multi_avg_fn(0.999)`.
        use_buffers: average the buffers, too; else they are those of the model at the last update.

    Raises:
        ArgumentError: both `avg_fn` and `multi_avg_fn`, or another device.

    Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018; exponential averages:
    Polyak and Juditsky, 1992.

    >>> import tensorgrad as tg
    >>> model = tg.nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model)
    >>> for w in (1.0, 2.0, 6.0):
    ...     _ = tg.nn.init.constant_(model.weight, w)
    ...     averaged.update_parameters(model)
    >>> averaged(tg.ones(1, 1)).item(), averaged.n_averaged.item()
    (3.0, 3)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError(restate("AveragedModel", "pass avg_fn or multi_avg_fn, not both"))
        _check_device("AveragedModel", device)
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", np.zeros((), np.int64))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the model of averaged weights says."""
        return self.module(*inputs, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present weights of `model` into the average; the first time they are copied."""
        own, others = _state_of(self.module, self.use_buffers), _state_of(model, self.use_buffers)
        if mode.observers:
            changed = (*self.module.parameters(), *self.module.buffers(), self.n_averaged)
            host_call(self._update, changed, own, others, model, effect=True)
        else:
            self._update((), own, others, model)

    @no_grad()
    def _update(self, _changed: tuple[Tensor, ...], own: tuple, others: tuple, model: Module) -> None:
        count = self.n_averaged.item()
        if count == 0:
            for a, w in zip(own, others, strict=True):
                _write(a, w)
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn([a.detach() for a in own], [w.detach() for w in others], self.n_averaged)
        else:
            average = self.avg_fn or get_swa_avg_fn()
            for a, w in zip(own, others, strict=True):
                _write(a, average(a.detach(), w.detach(), self.n_averaged))
        if not self.use_buffers:
            for a, w in zip(self.module.buffers(), model.buffers(), strict=True):
                _write(a, w)
        self.n_averaged[...] = count + 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Find the running statistics of a model's batch norms anew: averages over all batches of a loader.

    Averaged weights need it: their activations have other statistics than those of the weights that were averaged.

    Args:
        loader: batches, or lists and tuples whose first part is the batch.
        model: the model; it's in training mode meanwhile.
        device: None or "cpu".

    >>> import tensorgrad as tg
    >>> layer = tg.nn.BatchNorm1d(1)
    >>> update_bn([tg.tensor([[1.0], [3.0]]), tg.tensor([[2.0], [6.0]])], layer)
    >>> layer.running_mean.item(), layer.num_batches_tracked.item(), layer.momentum
    (3.0, 2, 0.1)
    """
    _check_device("update_bn", device)
    layers = [layer for layer in model.modules() if isinstance(layer, BatchNorm)]
    if not layers:
        return
    modes = [(module, module.training) for module in model.modules()]
    momenta = [(layer, layer.momentum) for layer in layers]
    try:
        model.train()
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None
        for batch in loader:
            model(batch[0] if isinstance(batch, list | tuple) else batch)
    finally:
        for layer, momentum in momenta:
            layer.momentum = momentum
        for module, training in modes:
            module.training = training


class SWALR(LRScheduler):
    """From the present learning rate to that of weight averaging in `anneal_epochs` epochs, where it stays.

    Args:
        optimizer: see `LRScheduler`.
        swa_lr: the learning rate at the end, or a list with one for each group.
        anneal_epochs: how many epochs, ≥ 0.
        anneal_strategy: "cos" or "linear".
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: another strategy, or a negative number of epochs.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler, rates = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear"), []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self.name, optimizer)
        if anneal_strategy not in ("cos", "linear"):
            problem = f'anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}'
            raise ArgumentError(restate(self.name, problem, anneal_strategy=anneal_strategy))
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            problem = f"anneal_epochs must be an int ≥ 0, got {anneal_epochs!r}"
            raise ArgumentError(restate(self.name, problem, anneal_epochs=anneal_epochs))
        rates = per_group(self.name, "swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The present learning rates, moved on towards the last ones."""
        step = max(self._step_count - 1, int(self.anneal_epochs == 0))
        before, now = self._progress(step - 1), self._progress(step)
        rates = []
        for group in self.optimizer.param_groups:
            last = group["swa_lr"]
            # Where it began, by where it is.
            first = last if before == 1 else (group["lr"] - before * last) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates

    def _progress(self, step: int) -> float:
        """From 0 to 1."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self.anneal_strategy == "cos" else t


def _state_of(model: Module, use_buffers: bool) -> tuple[Tensor, ...]:
    """What is averaged."""
    return (*model.parameters(), *model.buffers()) if use_buffers else tuple(model.parameters())


def _write(tensor: Tensor, values: Any) -> None:
    """Overwrite in place, in the tensor's own dtype."""
    tensor[...] = values.astype(tensor.dtype) if values.dtype != tensor.dtype else values


def _check_device(call: str, device: Any) -> None:
    if device is not None and str(device) != "cpu":
        raise ArgumentError(restate(call, f"device must be None or 'cpu', got {device!r}", device=device))
