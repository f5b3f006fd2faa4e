"""Hyper-parameters: checked, and as plain Python values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate


def non_negative(call: str, **values: Any) -> None:
    """Raise ArgumentError unless each value is a finite number ≥ 0."""
    _require(call, "a finite number ≥ 0", lambda value: 0 <= value < math.inf, values)


def fraction(call: str, **values: Any) -> None:
    """Raise ArgumentError unless each value is a number in [0, 1)."""
    _require(call, "a number in [0, 1)", lambda value: 0 <= value < 1, values)


def whole_fraction(call: str, **values: Any) -> None:
    """Raise ArgumentError unless each value is a number in [0, 1]."""
    _require(call, "a number in [0, 1]", lambda value: 0 <= value <= 1, values)


def two_fractions(call: str, betas: Any) -> None:
    """Raise ArgumentError unless `betas` is a pair of numbers in [0, 1)."""
    if not isinstance(betas, tuple) or len(betas) != 2:
        raise ArgumentError(restate(call, "betas must be two numbers in [0, 1)", betas=betas))
    fraction(call, beta1=betas[0], beta2=betas[1])


def refuse_differentiable(call: str, differentiable: bool) -> None:
    """Raise ArgumentError where gradients are to flow through the steps of an optimizer."""
    if differentiable:
        fix = "write the update with tensors, w = w - lr * g, for the gradient to flow through it"
        problem = "differentiable must be False: steps change the weights in place"
        raise ArgumentError(restate(call, problem, fix=fix, differentiable=differentiable))


def plain(value: Any) -> Any:
    """NumPy scalars as Python numbers, which never widen an array; lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def storable(value: Any) -> Any:
    """An option as JSON can hold it."""
    if callable(value):
        return repr(value)
    return list(value) if isinstance(value, tuple) else value


def _require(call: str, kind: str, is_valid: Callable[[float], bool], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not is_valid(value):
            raise ArgumentError(restate(call, f"{name} must be {kind}", **{name: value}))
