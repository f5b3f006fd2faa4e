"""Infinities and NaN are values here, as in PyTorch: NumPy's functions give no warnings of them."""

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _found() -> tuple[ContextVar, Any]:
    """NumPy's context variable for floating-point errors, and its value while `np.errstate` ignores all of them."""
    before = copy_context()
    with np.errstate(all="ignore"):
        inside = copy_context()
    ((variable, value),) = [(key, x) for key, x in inside.items() if key not in before or before[key] is not x]
    return variable, value


# `np.errstate` makes the same value again for each block, which takes three times as long, in nearly every op.
_variable, _IGNORE = _found()
_set, _reset = _variable.set, _variable.reset


def quiet(function: F) -> F:
    """Decorator: `function(*arguments)` without warnings, whatever the settings around it.

    >>> quiet(np.log)(np.zeros(1))
    array([-inf])
    """

    @wraps(function)
    def quietly(*arguments: Any) -> Any:
        token = _set(_IGNORE)
        try:
            return function(*arguments)
        finally:
            _reset(token)

    return quietly  # type: ignore[return-value]
