"""Gradients that an optimizer's step has applied, to notice that `backward` adds to one: a forgotten `zero_grad()`.

A step marks one gradient of its parameters, with three of its numbers. Where `backward` adds to a gradient, it asks
for the mark: a sum that contains what a step has applied is marked in turn. Whoever writes into a gradient between the
step and `backward`, to set it to zero or to let it decay, changes the numbers, and the mark no longer counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tensorgrad.autograd.variable import Variable


class Applied(NamedTuple):
    """The mark of a gradient: whose step applied it, some of its numbers, and whether `backward` has added to it."""

    owner: object
    numbers: tuple[float, ...]
    added_to: bool


def mark(gradient: Variable, owner: object) -> bool:
    """Mark a gradient as applied by a step of `owner`, unless the three numbers are zeros. Returns whether it did."""
    numbers = _numbers(gradient._data)
    if not any(numbers):
        return False
    gradient._applied = Applied(owner, numbers, False)
    return True


def inherit(total: Variable, before: Variable) -> Variable:
    """The sum of `before` and a new gradient, marked where `before` is marked and unchanged since."""
    applied = getattr(before, "_applied", None)
    if applied is not None and applied.numbers == _numbers(before._data):
        total._applied = Applied(applied.owner, _numbers(total._data), True)
    return total


def is_added_to(gradient: Variable | None, owner: object) -> bool:
    """Whether the gradient contains one that a step of `owner` has applied before."""
    applied = getattr(gradient, "_applied", None)
    return applied is not None and applied.added_to and applied.owner is owner


def _numbers(array: np.ndarray) -> tuple[float, ...]:
    """The first, the middle and the last number."""
    size = array.size
    return (array.item(0), array.item(size // 2), array.item(size - 1)) if size else ()
