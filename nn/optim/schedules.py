"""Learning-rate schedules: functions `step -> lr`, where `step` counts the steps done, from 0.

Any function will do: `SGD(params, lr=lambda step: 0.1 / (1 + step))`. Those here are frozen dataclasses, so that they
can be printed, compared and pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.options import non_negative, plain

Schedule = Callable[[int], float]


class _Checked:
    """Checks the fields of a schedule by their names."""

    fewest: ClassVar[int] = 1
    """The least number of steps that has a meaning."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field, value in vars(self).items():
            object.__setattr__(self, field, value := plain(value))
            if field in ("lr", "minimum", "gamma"):
                non_negative(name, **{field: value})
            elif field in ("schedule", "schedules"):
                _check_schedules(name, value if isinstance(value, tuple) else (value,))
            elif field in ("every", "steps") and (not isinstance(value, int) or value < self.fewest):
                raise ArgumentError(restate(name, f"{field} must be an int ≥ {self.fewest}", **{field: value}))


def _check_schedules(call: str, schedules: tuple[Schedule, ...]) -> None:
    for schedule in schedules:
        if not callable(schedule):
            fix = f"optim.SGD(parameters, lr={call}(...)); a constant rate is optim.constant(0.1)"
            problem = "schedule must be a function step -> lr"
            raise ArgumentError(restate(call, problem, fix=fix, schedule=schedule))


@dataclass(frozen=True)
class constant(_Checked):
    """lr(t) = lr.

    >>> constant(0.1)(1000)
    0.1
    """

    lr: float

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        return self.lr


@dataclass(frozen=True)
class step_decay(_Checked):
    """lr(t) = lr · γ^⌊t / every⌋: a factor γ every so many steps. PyTorch's StepLR.

    >>> [step_decay(1.0, every=2, gamma=0.5)(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    lr: float
    every: int
    gamma: float = 0.1

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        return self.lr * self.gamma ** (step // self.every)


@dataclass(frozen=True)
class exponential(_Checked):
    """lr(t) = lr · γᵗ. PyTorch's ExponentialLR.

    >>> [exponential(1.0, gamma=0.5)(t) for t in range(3)]
    [1.0, 0.5, 0.25]
    """

    lr: float
    gamma: float

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        return self.lr * self.gamma**step


@dataclass(frozen=True)
class cosine(_Checked):
    """lr(t) = minimum + (lr − minimum) (1 + cos(π t / steps)) / 2, and the minimum from `steps` on.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017, without the restarts.
    PyTorch's CosineAnnealingLR up to `steps`.

    >>> [round(cosine(1.0, steps=4)(t), 3) for t in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    lr: float
    steps: int
    minimum: float = 0.0

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        progress = min(step / self.steps, 1.0)
        return self.minimum + (self.lr - self.minimum) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class warm_up(_Checked):
    """lr(t) = schedule(0) · (t + 1) / (steps + 1) for t < steps, then schedule(t − steps); of 0 steps the schedule.

    Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.2. PyTorch's LinearLR, start_factor 1 / (steps + 1).

    >>> [warm_up(constant(1.0), steps=3)(t) for t in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    schedule: Schedule
    steps: int
    fewest: ClassVar[int] = 0

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        if step < self.steps:
            return self.schedule(0) * (step + 1) / (self.steps + 1)
        return self.schedule(step - self.steps)


@dataclass(frozen=True)
class join(_Checked):
    """One schedule after another: the next takes over at each boundary, counting from 0 there. PyTorch's SequentialLR.

    >>> [join([constant(1.0), exponential(0.5, 0.5)], [2])(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.25, 0.125]
    """

    schedules: tuple[Schedule, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        rising = all(a < b for a, b in zip((0, *self.boundaries), self.boundaries, strict=False))
        if len(self.schedules) != len(self.boundaries) + 1 or not rising:
            problem, expected = "the boundaries don't fit", "rising steps > 0, one fewer than the schedules"
            raise ArgumentError(restate("join", problem, expected=expected, **vars(self)))

    def __call__(self, step: int) -> float:
        """The learning rate after `step` steps."""
        passed = sum(step >= boundary for boundary in self.boundaries)
        start = self.boundaries[passed - 1] if passed else 0
        return self.schedules[passed](step - start)
