"""Schedulers that go up and down, and move the momentum against the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.lr_scheduler.cosine import half_wave
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, per_group
from tensorgrad.nn.optim.optimizer import Optimizer


class _MomentumCycle(LRScheduler):
    """The common base: sets the momentum of SGD, or β₁ of Adam."""

    cycle_momentum: bool

    def _prepare_momentum(self, optimizer: Optimizer, low: Any, high: Any, last_epoch: int) -> None:
        """Check that there is a momentum, and begin with the high one."""
        if not {"momentum", "betas"} & set(optimizer.defaults):
            problem = f"cycle_momentum needs an optimizer with momentum or betas, got {optimizer.name}"
            raise ArgumentError(restate(self.name, problem, fix="pass cycle_momentum=False"))
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = per_group(self.name, "base_momentum", optimizer, low)
        self.max_momentums = per_group(self.name, "max_momentum", optimizer, high)
        if last_epoch == -1:
            self.optimizer = optimizer
            self._set_momentum(self.max_momentums)

    def _set_momentum(self, values: list[float]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            if self.use_beta1:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value


class OneCycleLR(_MomentumCycle):
    """Up from max_lr / div_factor to max_lr, and down to a much smaller learning rate; a step for each batch.

    From lr(0) = max_lr / div_factor it rises in the first `pct_start` of the steps, then falls to
    lr(0) / final_div_factor. With `three_phase` it falls to lr(0) as fast as it rose, and from there to the end. The
    momentum goes from max_momentum to base_momentum while the learning rate rises, and back while it falls.

    Args:
        optimizer: see `LRScheduler`.
        max_lr: the largest learning rate, or a list with one for each group.
        total_steps: the number of steps; or
        epochs: the number of epochs, and
        steps_per_epoch: how many steps each of them has.
        pct_start: the share of the steps in which the learning rate rises, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: move the momentum, or β₁, too.
        base_momentum: the least momentum, or one for each group.
        max_momentum: the largest momentum, or one for each group.
        div_factor: max_lr / lr(0).
        final_div_factor: lr(0) / the last learning rate.
        three_phase: see above.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: neither `total_steps` nor `epochs` and `steps_per_epoch`; another strategy; more steps than said.

    Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2018,
    arXiv 1708.07120.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> scheduler, rates = OneCycleLR(optimizer, 1.0, total_steps=6, pct_start=0.5, anneal_strategy="linear"), []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(lr, 3) for lr in rates]
    [0.04, 0.52, 1.0, 0.667, 0.333]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self.name, optimizer)
        self.total_steps = self._count(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ArgumentError(restate(self.name, f"pct_start must be in [0, 1], got {pct_start}"))
        if anneal_strategy not in ("cos", "linear"):
            problem = f'anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}'
            raise ArgumentError(restate(self.name, problem, anneal_strategy=anneal_strategy))
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        rise = float(pct_start * self.total_steps)
        # Where each phase ends, and between which of first, largest and last learning rate it leads.
        ends = [rise - 1, 2 * rise - 2, self.total_steps - 1] if three_phase else [rise - 1, self.total_steps - 1]
        self._phases = list(zip(ends, ("up", "down", "out") if three_phase else ("up", "all"), strict=True))
        highest = per_group(self.name, "max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"], group["max_lr"] = high / div_factor, high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            self._prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _count(self, total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
        given: dict[str, Any] = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        given = given if total_steps is None else {"total_steps": total_steps}
        for name, value in given.items():
            if not isinstance(value, int) or value < 1:
                problem = f"{name} must be an int ≥ 1, got {value!r}"
                fix = "pass total_steps, or epochs and steps_per_epoch"
                raise ArgumentError(restate(self.name, problem, fix=fix, **given))
        return math.prod(value for value in given.values())

    def get_lr(self) -> list[float]:
        """The learning rates at the present step; the momentum is set, too."""
        t = self.last_epoch
        if t > self.total_steps:
            problem = f"step {t} of {self.total_steps}"
            raise ArgumentError(restate(f"{self.name}.step", problem, fix="make it with more total_steps"))
        number = next((k for k, (end, _) in enumerate(self._phases) if t <= end), len(self._phases) - 1)
        start = self._phases[number - 1][0] if number else 0.0
        end, phase = self._phases[number]
        progress = (t - start) / (end - start)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([self._momentum(phase, low, high, progress) for low, high in pairs])
        places = {"up": ("initial_lr", "max_lr"), "down": ("max_lr", "initial_lr"), "out": ("initial_lr", "min_lr")}
        first, last = places.get(phase, ("max_lr", "min_lr"))
        return [self._between(group[first], group[last], progress) for group in self.optimizer.param_groups]

    def _momentum(self, phase: str, low: float, high: float, progress: float) -> float:
        if phase == "out":
            return high
        return self._between(high, low, progress) if phase == "up" else self._between(low, high, progress)

    def _between(self, first: float, last: float, progress: float) -> float:
        """From the first value to the last."""
        return half_wave(last, first, progress) if self.anneal_strategy == "cos" else first + (last - first) * progress


class CyclicLR(_MomentumCycle):
    """Up from base_lr to max_lr and down again, in straight lines, over and over; a step for each batch.

    Args:
        optimizer: see `LRScheduler`.
        base_lr: the least learning rate, or a list with one for each group.
        max_lr: the largest learning rate, or one for each group.
        step_size_up: how many steps up.
        step_size_down: how many steps down; by default as many.
        mode: "triangular"; "triangular2", where each cycle is half as high as the one before; or "exp_range", where
            the height is scaled by gamma^step.
        gamma: for "exp_range".
        scale_fn: a function of one's own in place of the mode: of the cycle, counted from 1, or of the step.
        scale_mode: "cycle" or "iterations": of which of them `scale_fn` is a function.
        cycle_momentum: move the momentum, or β₁, against the learning rate.
        base_momentum: the least momentum, or one for each group.
        max_momentum: the largest momentum, or one for each group.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: another mode, or an optimizer without momentum.

    Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> scheduler, rates = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2), []
    >>> for _ in range(6):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self.name, optimizer)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            problem = f'mode must be "triangular", "triangular2" or "exp_range", got {mode!r}'
            raise ArgumentError(restate(self.name, problem, mode=mode))
        lowest = per_group(self.name, "base_lr", optimizer, base_lr)
        self.max_lrs = per_group(self.name, "max_lr", optimizer, max_lr)
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lowest, strict=True):
                group["lr"] = low
        if cycle_momentum:
            self._prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def state_dict(self) -> dict[str, Any]:
        """The state as of any scheduler, without a `scale_fn` of the user's: loading keeps the present one."""
        return {key: value for key, value in super().state_dict().items() if key != "_scale_fn_custom"}

    def scale_fn(self, x: float) -> float:
        """The factor for the height of a cycle, of the cycle's number or of the step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[float]:
        """The learning rates at the present step; the momentum is set, too."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1.0 + self.last_epoch / self.total_size - cycle
        up = place <= self.step_ratio
        height = place / self.step_ratio if up else (place - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([high - (high - low) * height for low, high in pairs])
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]
