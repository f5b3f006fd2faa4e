"""What a recording is made of: steps on named arrays, and the guards among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np

from tensorgrad.autograd.op import Op


def identifier(function: Callable[..., Any]) -> str:
    """What a function is called in source: its name without what no identifier holds; that of its type if it has none.

    >>> identifier(lambda x: x), identifier(np.sum)
    ('lambda', 'sum')
    """
    return re.sub(r"\W", "", getattr(function, "__name__", type(function).__name__)).strip("_") or "function"


class Step(NamedTuple):
    """One computation: an op's forward, or the function of a host call."""

    function: type[Op] | Callable[..., Any]
    settings: dict[Any, Any]
    """An op's parameters, or a function's arguments by position, that aren't arrays."""
    inputs: tuple[str, ...]
    """The names of the arrays that it takes."""
    arrays: dict[Any, str]
    """Those that are arrays made by earlier steps, by name; the key is (key, k) for the element k of a tuple."""
    outputs: tuple[str, ...]
    """The names of its results: of an op the output, then the arrays in its `residuals`."""
    parts: tuple[int | None, ...] = ()
    """The positions of these in the residuals; None if the residuals are the array itself."""
    scalar: bool = False
    """Whether an op's output has no axes: NumPy may return a scalar for that."""

    @property
    def op(self) -> type[Op] | None:
        """The op, unless it is a host call."""
        return cast("type[Op]", self.function) if isinstance(self.function, type) else None

    @property
    def once(self) -> bool:
        """Whether it runs exactly once in each call, wanted or not: a host call, or an op that isn't repeatable."""
        return self.op is None or not self.op.repeatable

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of all arrays that it reads."""
        return (*self.inputs, *self.arrays.values())


class Given(NamedTuple):
    """Stands among an effect's arguments for a tensor argument of the call, which differs from call to call."""

    number: int


class Kind(NamedTuple):
    """The shape and the dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class GuardFailed(Exception):
    """A condition turned out otherwise than at the recording."""


def check_guard(condition: Callable[..., Any], found: bool, *arguments: Any) -> None:
    """Raise `GuardFailed` unless the condition turns out as it did."""
    if bool(condition(*arguments)) is not found:
        raise GuardFailed
