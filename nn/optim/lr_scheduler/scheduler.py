"""What every scheduler has in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import mode, observers
from tensorgrad.errors import ArgumentError, DTypeError, describe, restate
from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.nn.optim.options import plain


class Noted:
    """An attribute that steps change. Observers are told when Python reads it: a compiled function can't rely on it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        for observer in observers():
            observer.engine_bypassed(f"{type(instance).__name__}.{self.name}", None)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value


class LRScheduler:
    """Base class of the schedulers: after each `step()` the optimizer's groups have another learning rate.

    A subclass sets its own attributes, calls `super().__init__(optimizer, last_epoch)` last, and defines `get_lr`,
    which finds the learning rates at `self.last_epoch`. PyTorch's order holds: `optimizer.step()`, then
    `scheduler.step()`.

    Args:
        optimizer: its groups' `lr` are numbers.
        last_epoch: the steps done before; −1 is a start, from which on the groups keep their first learning rate as
            `initial_lr`.

    Attributes:
        base_lrs: the first learning rate of each group.
        last_epoch: how many steps were done.

    Raises:
        DTypeError: no optimizer.
        ArgumentError: groups whose `lr` is a schedule; a `last_epoch` ≥ 0 for groups without `initial_lr`.

    >>> import tensorgrad as tg
    >>> class Halving(LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / 2**self.last_epoch for lr in self.base_lrs]
    >>> optimizer = tg.nn.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = Halving(optimizer)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), optimizer.param_groups[0]["lr"]
    ([0.25], 0.25)
    """

    last_epoch: Any = Noted()
    _last_lr: Any = Noted()
    _initial = False
    """Whether the constructor makes the first step, to epoch 0 or to the one that training goes on with."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(self.name, optimizer)
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                fix = f"set optimizer.param_groups[{k}]['initial_lr'], or start with last_epoch=-1 and load_state_dict"
                problem = f"group {k} has no 'initial_lr' to go on from"
                raise ArgumentError(restate(self.name, problem, fix=fix, last_epoch=last_epoch))
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    @property
    def name(self) -> str:
        """The scheduler's name in errors: its class."""
        return type(self).__name__

    def _compiled_reads(self) -> list[Any]:
        """What else decides which tensors a compiled function works on: it compares these before each replay."""
        return self.optimizer._compiled_reads()

    def get_lr(self) -> list[float]:
        """The learning rates of the groups at `self.last_epoch`; the groups still have those of the step before."""
        raise NotImplementedError(f"{self.name} must define get_lr(self)")

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups since the last step."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to `epoch`: set the learning rates of the optimizer's groups."""
        if self._step_count == 1 and self.optimizer._steps == 0 and not self._initial:
            fix = "call optimizer.step() first, or the first learning rate is never used"
            problem = "scheduler.step() is called before optimizer.step()"
            warnings.warn(restate(f"{self.name}.step", problem, fix=fix), UserWarning, stacklevel=2)
        if mode.observers:
            host_call(self._step, epoch, effect=True)
        else:
            self._step(epoch)

    def _step(self, epoch: int | None) -> None:
        self._step_count += 1
        self._update_lr(epoch)

    def _initial_step(self) -> None:
        self._step_count = 0
        self._initial = True
        try:
            self.step()
        finally:
            del self._initial

    def _update_lr(self, epoch: int | None = None) -> None:
        """Set the learning rates of the next epoch; or those of `epoch`, where they can be found without a history."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = getattr(self, "_get_closed_form_lr", None)
        self._set_lr(self.get_lr() if epoch is None or closed is None else closed())

    def _set_lr(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = plain(rate)
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        """The present learning rates of the groups."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer; functions aren't saved."""
        return {
            key: value for key, value in self.__dict__.items() if key != "optimizer" and not _holds_functions(value)
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a scheduler of the same settings was; the optimizer's state has the learning rates.

        Raises:
            DTypeError: no dict.
            ArgumentError: no state of such a scheduler. Nothing is changed then.
        """
        self.__dict__.update(self._loaded(state_dict))

    def _loaded(self, state_dict: Any) -> dict[str, Any]:
        """The attributes that a state sets: each is of the kind that it has here."""
        call, own = f"{self.name}.load_state_dict", self.state_dict()
        if not isinstance(state_dict, Mapping):
            raise DTypeError(restate(call, f"expected a dict, got {type(state_dict).__name__}"))
        if missing := set(own) - set(state_dict):
            problem = f"the state has no {', '.join(map(repr, sorted(missing)))}"
            raise ArgumentError(restate(call, problem, state_dict=sorted(map(str, state_dict))))
        unlike = [key for key in own if not _alike(state_dict[key], own[key])]
        if unlike:
            said = "; ".join(f"{key} is {describe(state_dict[key])}, here {describe(own[key])}" for key in unlike)
            raise ArgumentError(restate(call, f"the state is of another scheduler: {said}"))
        # What else a state may hold, such as PyTorch's `lr_lambdas`, replaces nothing that is here.
        return {k: x for k, x in state_dict.items() if k in own or (isinstance(k, str) and not hasattr(self, k))}

    def __repr__(self) -> str:
        return f"{self.name}(last_epoch={self.last_epoch}, lr={self._last_lr})"


def checked_optimizer(call: str, optimizer: Any) -> Optimizer:
    """Raise unless it is an optimizer whose learning rates are numbers."""
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(restate(call, f"expected an Optimizer, got {type(optimizer).__name__}", optimizer=optimizer))
    for group in optimizer.param_groups:
        if callable(group["lr"]):
            problem = "the optimizer's lr is a schedule already"
            raise ArgumentError(restate(call, problem, fix="make the optimizer with a number", lr=group["lr"]))
    return optimizer


def per_group(call: str, name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group: the same one, or a list that has as many."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        given: dict[str, Any] = {name: value}
        raise ArgumentError(restate(call, f"{name} must be one value, or one for each of the {count} groups", **given))
    return list(value)


def functions_per_group(call: str, optimizer: Optimizer, value: Any) -> list[Callable[[int], float]]:
    """A function of the epoch for each group."""
    functions = per_group(call, "lr_lambda", optimizer, value)
    for function in functions:
        if not callable(function):
            problem = "lr_lambda must be a function epoch -> factor, or a list of them"
            raise DTypeError(restate(call, problem, lr_lambda=value))
    return functions


def _holds_functions(value: Any) -> bool:
    return callable(value) or (isinstance(value, list) and any(callable(item) for item in value))


def _alike(saved: Any, here: Any) -> bool:
    """Whether a saved value is of the kind of the present one: a bool, a number, a word, or as many of them."""
    if isinstance(here, list | tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(here) and all(map(_alike, saved, here))
    if isinstance(here, bool):
        return isinstance(saved, bool)
    if isinstance(here, int | float):
        return isinstance(saved, int | float) and not isinstance(saved, bool) and saved == saved
    for kind in (str, Mapping):
        if isinstance(here, kind):
            return isinstance(saved, kind)
    return True  # a scheduler of the user's own, which knows what it keeps
