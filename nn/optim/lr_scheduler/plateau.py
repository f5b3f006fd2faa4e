"""A scheduler that watches a metric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import mode
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler, Noted, checked_optimizer, per_group
from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.tensor import Tensor


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rate by `factor` when a metric has stopped to improve for more than `patience` epochs.

    Args:
        optimizer: see `LRScheduler`.
        mode: "min" where the metric is to fall, a loss; "max" where it is to rise, an accuracy.
        factor: for the learning rate, < 1.
        patience: how many epochs without an improvement are allowed.
        threshold: the least improvement that counts.
        threshold_mode: "rel", a share of the best value so far; or "abs".
        cooldown: how many epochs after a reduction aren't counted.
        min_lr: the least learning rate, or a list with one for each group.
        eps: a smaller reduction isn't made.

    Raises:
        ArgumentError: a factor that isn't below 1, another mode, or another number of `min_lr`.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    best: Any = Noted()
    num_bad_epochs: Any = Noted()

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        if not factor < 1:
            raise ArgumentError(restate(self.name, f"factor must be < 1, got {factor}", factor=factor))
        if mode not in ("min", "max"):
            raise ArgumentError(restate(self.name, f'mode must be "min" or "max", got {mode!r}', mode=mode))
        if threshold_mode not in ("rel", "abs"):
            problem = f'threshold_mode must be "rel" or "abs", got {threshold_mode!r}'
            raise ArgumentError(restate(self.name, problem, threshold_mode=threshold_mode))
        self.optimizer = checked_optimizer(self.name, optimizer)
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.min_lrs = per_group(self.name, "min_lr", optimizer, min_lr)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.best, self.num_bad_epochs, self.cooldown_counter = self.mode_worse, 0, 0
        self.last_epoch, self._last_lr = 0, self._rates()

    @property
    def mode_worse(self) -> float:
        """What every metric is better than."""
        return math.inf if self.mode == "min" else -math.inf

    @property
    def in_cooldown(self) -> bool:
        """Whether the epoch isn't counted."""
        return self.cooldown_counter > 0

    def is_better(self, a: float, best: float) -> bool:
        """Whether `a` improves on `best` by the threshold."""
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            return sign * a > sign * best * (1 + sign * self.threshold)
        return sign * a > sign * best + self.threshold

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Note the metric of an epoch, a number or a scalar tensor, and reduce the learning rate if it is time."""
        if mode.observers:
            host_call(self._note, metrics._data if isinstance(metrics, Tensor) else metrics, epoch, effect=True)
        else:
            self._note(metrics, epoch)

    def _note(self, metrics: Any, epoch: int | None) -> None:
        current = float(np.asarray(metrics._data) if isinstance(metrics, Tensor) else metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(self.min_lrs) != len(groups):  # a group was added
            if self.default_min_lr is None:
                problem = f"min_lr has {len(self.min_lrs)} values for {len(groups)} groups"
                raise ArgumentError(restate(self.name, problem, fix="set scheduler.min_lrs", min_lrs=self.min_lrs))
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate
