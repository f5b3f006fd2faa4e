"""Cosine annealing, with and without restarts."""

from __future__ import annotations

import math

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler
from tensorgrad.nn.optim.optimizer import Optimizer


def half_wave(low: float, high: float, progress: float) -> float:
    """From high to low along half a cosine: low + ½ (high − low)(1 + cos(π · progress)).

    >>> half_wave(0.0, 1.0, 0.0), half_wave(0.0, 1.0, 1.0)
    (1.0, 0.0)
    """
    return low + (high - low) * (1 + math.cos(math.pi * progress)) / 2


class CosineAnnealingLR(LRScheduler):
    """lr(t) = eta_min + ½ (lr(0) − eta_min)(1 + cos(π t / T_max)): down to eta_min at T_max, and up again after it.

    It follows from lr(t − 1), so that it can be chained.

    Args:
        optimizer: see `LRScheduler`.
        T_max: half of the period, in epochs.
        eta_min: the least learning rate.
        last_epoch: see `LRScheduler`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017, without the restarts.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> round(scheduler.get_last_lr()[0], 4)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The present learning rates, moved on along the cosine."""
        if self._initial:
            return self._rates()
        t, period = self.last_epoch, self.T_max
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - period) % (2 * period) == 0:  # from the bottom, where no factor leads upwards
            rise = (1 - math.cos(math.pi / period)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(self._rates(), self.base_lrs, strict=True)]
        ratio = (1 + math.cos(math.pi * t / period)) / (1 + math.cos(math.pi * (t - 1) / period))
        return [self.eta_min + ratio * (lr - self.eta_min) for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        return [half_wave(self.eta_min, lr, self.last_epoch / self.T_max) for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr(t) = eta_min + ½ (lr(0) − eta_min)(1 + cos(π T_cur / T_i)): down to eta_min, and then a restart at lr(0).

    Args:
        optimizer: see `LRScheduler`.
        T_0: epochs until the first restart.
        T_mult: by what T_i, the epochs until the next restart, grows at each.
        eta_min: the least learning rate.
        last_epoch: see `LRScheduler`.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017.

    >>> import tensorgrad as tg
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> scheduler.step(2.5)  # epochs may be fractions: 0.5 of 2 after the restart
    >>> round(scheduler.get_last_lr()[0], 4)
    0.8536
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                problem = f"{name} must be an int ≥ 1, got {value!r}"
                raise ArgumentError(restate(self.name, problem, T_0=T_0, T_mult=T_mult))
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.T_i, self.T_cur = T_0, float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rates T_cur epochs after the last restart."""
        return [half_wave(self.eta_min, lr, self.T_cur / self.T_i) for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:  # type: ignore[override]
        """Go on to the next epoch, or to `epoch`, which may be a fraction: after each batch `epoch + batch / batches`.

        Raises:
            ArgumentError: a negative epoch.
        """
        if epoch is not None and epoch < 0:
            raise ArgumentError(restate(f"{self.name}.step", f"epoch must be ≥ 0, got {epoch}", epoch=epoch))
        self._step_count += epoch is not None  # whoever counts epochs may step before the optimizer does
        super().step(epoch)  # type: ignore[arg-type]

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        else:
            self._place(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr())

    def _place(self, epoch: float) -> None:
        """How long ago the last restart was, and how long it is until the next one."""
        self.T_cur, self.T_i = epoch, self.T_0
        while self.T_mult > 1 and self.T_cur >= self.T_i:
            self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        self.T_cur %= self.T_i
