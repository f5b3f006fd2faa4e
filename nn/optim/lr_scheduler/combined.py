"""Schedulers that are made of others: one after another, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer
from tensorgrad.nn.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """The common base: several schedulers of one optimizer."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler], last_epoch: int) -> None:
        if not schedulers:
            raise ArgumentError(restate(self.name, "schedulers must hold one or more", schedulers=list(schedulers)))
        optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        for k, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                problem = f"schedulers[{k}] is ReduceLROnPlateau, whose step needs a metric"
                raise ArgumentError(restate(self.name, problem, fix="call its step beside this one's"))
            if scheduler.optimizer is not optimizer:
                problem = f"schedulers[{k}] belongs to another optimizer"
                raise ArgumentError(restate(self.name, problem, fix="make all of them with one optimizer"))
        self.optimizer, self._schedulers = checked_optimizer(self.name, optimizer), list(schedulers)
        self.last_epoch, self._step_count = last_epoch, 1

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer, with the states of the schedulers."""
        state = super().state_dict()
        return state | {"_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a scheduler of the same parts was. Raises ArgumentError for a state of others."""
        super().load_state_dict(state_dict)
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)

    def _loaded(self, state_dict: Any) -> dict[str, Any]:
        """The attributes of this one; the states of its parts are checked, too, before anything changes."""
        states = state_dict.get("_schedulers") if isinstance(state_dict, Mapping) else None
        if isinstance(states, list | tuple) and len(states) != len(self._schedulers):
            problem = f"the state is of {len(states)} schedulers, here are {len(self._schedulers)}"
            raise ArgumentError(restate(f"{self.name}.load_state_dict", problem))
        loaded = super()._loaded(state_dict)
        for scheduler, state in zip(self._schedulers, loaded.pop("_schedulers"), strict=True):
            scheduler._loaded(state)
        return loaded


class SequentialLR(_Combined):
    """One scheduler after another: the next takes over at each milestone, at its own epoch 0.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: of this optimizer, in their order.
        milestones: the epochs, rising, at which the next one takes over; one fewer than the schedulers.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: another number of milestones, or schedulers of another optimizer.

    >>> import tensorgrad as tg
    >>> from tensorgrad.nn.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=9), ExponentialLR(optimizer, gamma=0.5)]
    >>> scheduler, rates = SequentialLR(optimizer, parts, milestones=[2]), []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, schedulers, last_epoch + 1)
        if len(milestones) != len(schedulers) - 1:
            expected = f"{len(schedulers) - 1} milestones for {len(schedulers)} schedulers"
            problem = f"milestones must be one fewer than schedulers, got {len(milestones)}"
            raise ArgumentError(restate(self.name, problem, expected=expected, milestones=milestones))
        self._milestones = list(milestones)
        # The schedulers have made their first steps: back, and then that of the one that comes first.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        _undo(self._schedulers)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _step(self, epoch: int | None) -> None:
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        place = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[place]
        if place and self._milestones[place - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler._step(None)
        self._last_lr = scheduler.get_last_lr()


def _undo(schedulers: list[LRScheduler]) -> None:
    """Take back the first step of schedulers, and of those that they are made of."""
    for scheduler in schedulers:
        if isinstance(scheduler, _Combined):
            _undo(scheduler._schedulers)
        else:
            scheduler.last_epoch -= 1


class ChainedScheduler(_Combined):
    """Several schedulers at once: each multiplies the learning rate that the one before has left.

    Args:
        schedulers: of one optimizer.
        optimizer: that of the schedulers.

    Raises:
        ArgumentError: schedulers of different optimizers, or none.

    >>> import tensorgrad as tg
    >>> from tensorgrad.nn.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, factor=0.5), ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers, 0)
        self._last_lr = self._rates()

    def _step(self, epoch: int | None) -> None:
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        for scheduler in self._schedulers:
            scheduler._step(epoch)
        self._last_lr = self._rates()
