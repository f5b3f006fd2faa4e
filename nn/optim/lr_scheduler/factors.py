"""Schedulers that multiply: the learning rate at epoch t is the first one times a factor.

Each but LambdaLR multiplies the present learning rate, so that several can be chained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler, functions_per_group
from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.nn.optim.schedules import step_decay

Factor = Callable[[int], float]
"""A factor as a function of the epoch."""


class _OfFunctions(LRScheduler):
    """The common base of schedulers with a function of one's own for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = functions_per_group(self.name, optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)


class LambdaLR(_OfFunctions):
    """lr(t) = lr(0) · f(t), with a function f of one's own.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: f, or a list with a function for each group.
        last_epoch: see `LRScheduler`.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> LambdaLR(optimizer, lambda t: 1 / (t + 2)).get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list[float]:
        """The first learning rates times the functions' values."""
        return [lr * f(self.last_epoch) for lr, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_OfFunctions):
    """lr(t) = lr(t − 1) · f(t), with a function f of one's own.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: f, or a list with a function for each group.
        last_epoch: see `LRScheduler`.
    """

    def get_lr(self) -> list[float]:
        """The present learning rates times the functions' values; the first ones at the start."""
        if self._initial:
            return self._rates()
        return [lr * f(self.last_epoch) for lr, f in zip(self._rates(), self.lr_lambdas, strict=True)]


class _Multiplied(LRScheduler):
    """lr(t) = lr(t − 1) · ratio(t), which is lr(0) · factor(t) unless something else changes the learning rate too."""

    def factor(self, t: int) -> float:
        """The factor for the first learning rate at epoch t."""
        raise NotImplementedError

    def ratio(self, t: int) -> float:
        """factor(t) / factor(t − 1), for t > 0."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """The present learning rates times the ratio."""
        change = self.ratio(self.last_epoch) if self.last_epoch else self._first()
        return [lr * change for lr in self._rates()]

    def _first(self) -> float:
        return self.factor(0)

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * self.factor(self.last_epoch) for lr in self.base_lrs]


class StepLR(_Multiplied):
    """lr(t) = lr(0) · γ^⌊t / step_size⌋: a factor γ every so many epochs.

    Args:
        optimizer: see `LRScheduler`.
        step_size: how many epochs, > 0.
        gamma: γ.
        last_epoch: see `LRScheduler`.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler, rates = StepLR(optimizer, step_size=2, gamma=0.5), []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        _check_count(self.name, "step_size", step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """γ^⌊t / step_size⌋"""
        return step_decay(1.0, self.step_size, self.gamma)(t)

    def ratio(self, t: int) -> float:
        """γ every `step_size` epochs."""
        return 1.0 if t % self.step_size else self.gamma


class MultiStepLR(_Multiplied):
    """lr(t) = lr(0) · γ^(number of milestones ≤ t): a factor γ at each milestone.

    Args:
        optimizer: see `LRScheduler`.
        milestones: epochs; one that stands there twice counts twice.
        gamma: γ.
        last_epoch: see `LRScheduler`.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _loaded(self, state_dict: Any) -> dict[str, Any]:
        """As that of all schedulers; JSON has made words of the milestones' numbers."""
        loaded = super()._loaded(state_dict)
        try:
            milestones = Counter({int(t): int(count) for t, count in loaded["milestones"].items()})
        except (TypeError, ValueError, OverflowError):
            problem = "milestones must be counts by epoch"
            call, saved = f"{self.name}.load_state_dict", loaded["milestones"]
            raise ArgumentError(restate(call, problem, milestones=saved)) from None
        return loaded | {"milestones": milestones}

    def factor(self, t: int) -> float:
        """γ^(number of milestones ≤ t)"""
        return self.gamma ** sum(count for milestone, count in self.milestones.items() if milestone <= t)

    def ratio(self, t: int) -> float:
        """γ at a milestone."""
        return self.gamma ** self.milestones[t]

    def _first(self) -> float:
        return self.ratio(0)


class ConstantLR(_Multiplied):
    """lr(t) = lr(0) · factor for t < total_iters, then lr(0).

    Args:
        optimizer: see `LRScheduler`.
        factor: in [0, 1].
        total_iters: how many epochs.
        last_epoch: see `LRScheduler`.
    """

    factor: Any  # PyTorch's name of the number, which here hides the function of that name

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentError(restate(self.name, f"factor must be in [0, 1], got {factor}", factor=factor))
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self, t: int) -> float:
        """1 / factor at epoch `total_iters`."""
        return 1.0 / self.factor if t == self.total_iters else 1.0

    def _first(self) -> float:
        return self.factor

    def _get_closed_form_lr(self) -> list[float]:
        return [lr * (self.factor if self.last_epoch < self.total_iters else 1.0) for lr in self.base_lrs]


class LinearLR(_Multiplied):
    """lr(t) = lr(0) · (start + (end − start) · min(t, total_iters) / total_iters): a warm-up.

    Args:
        optimizer: see `LRScheduler`.
        start_factor: the factor at first, in (0, 1].
        end_factor: the factor from `total_iters` on, in [0, 1].
        total_iters: how many epochs lie between.
        last_epoch: see `LRScheduler`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            problem = f"start_factor must be in (0, 1], got {start_factor}"
            raise ArgumentError(restate(self.name, problem, start_factor=start_factor))
        if not 0 <= end_factor <= 1:
            problem = f"end_factor must be in [0, 1], got {end_factor}"
            raise ArgumentError(restate(self.name, problem, end_factor=end_factor))
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """From start to end in equal steps."""
        change = self.end_factor - self.start_factor
        return self.start_factor + change * min(self.total_iters, t) / self.total_iters

    def ratio(self, t: int) -> float:
        """The quotient of two of the steps; 1 from `total_iters` on."""
        if self._initial or t > self.total_iters:
            return 1.0
        change = self.end_factor - self.start_factor
        return 1.0 + change / (self.total_iters * self.start_factor + (t - 1) * change)


class ExponentialLR(_Multiplied):
    """lr(t) = lr(0) · γᵗ.

    Args:
        optimizer: see `LRScheduler`.
        gamma: γ.
        last_epoch: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """γᵗ"""
        return self.gamma**t

    def ratio(self, t: int) -> float:
        """γ, but at the start."""
        return 1.0 if self._initial else self.gamma


class PolynomialLR(_Multiplied):
    """lr(t) = lr(0) · (1 − min(t, total_iters) / total_iters)^power.

    Args:
        optimizer: see `LRScheduler`.
        total_iters: after how many epochs the learning rate is 0.
        power: 1 for a straight line.
        last_epoch: see `LRScheduler`.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """(1 − t / total_iters)^power"""
        return (1.0 - min(self.total_iters, t) / self.total_iters) ** self.power

    def ratio(self, t: int) -> float:
        """The quotient of two factors; 1 after `total_iters`."""
        if self._initial or t > self.total_iters:
            return 1.0
        return ((1.0 - t / self.total_iters) / (1.0 - (t - 1) / self.total_iters)) ** self.power


def _check_count(call: str, name: str, value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise ArgumentError(restate(call, f"{name} must be an int ≥ 1, got {value!r}", **{name: value}))
