"""Infinities and NaN are values here, as in PyTorch: NumPy's functions give no warnings of them."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


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


def quiet(function: F, arguments: int | None = None) -> F:
    """Decorator: `function(*arguments)` without warnings, whatever the settings around it.

    `arguments` is how many every call passes, for a function that can't be asked.

    >>> quiet(np.log)(np.zeros(1))
    array([-inf])
    """
    return _CALLING.get(arguments or _arguments_of(function), _calling)(function)  # type: ignore[return-value]


def _arguments_of(function: Any) -> int | None:
    """How many arguments every call passes; None if that differs."""
    if isinstance(function, np.ufunc):
        return function.nin
    if not isinstance(function, FunctionType) or function.__defaults__:
        return None
    code = function.__code__
    return None if code.co_kwonlyargcount or code.co_flags & VARIADIC else code.co_argcount


def is_quiet(function: Any) -> bool:
    """Whether `function` comes from `quiet`; what it calls is its `__wrapped__`."""
    return getattr(function, "__code__", None) in _CODES


def _calling(function: Any) -> Any:
    @wraps(function)
    def quietly(*arguments: Any) -> Any:
        token = _set(_IGNORE)
        try:
            return function(*arguments)
        finally:
            _reset(token)

    return quietly


# Nearly every op calls a function of one or two arguments: as many names as arguments save a tuple for each call.


def _calling_one(function: Any) -> Any:
    @wraps(function)
    def quietly(x: np.ndarray) -> np.ndarray:
        token = _set(_IGNORE)
        try:
            return function(x)
        finally:
            _reset(token)

    return quietly


def _calling_two(function: Any) -> Any:
    @wraps(function)
    def quietly(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        token = _set(_IGNORE)
        try:
            return function(x, y)
        finally:
            _reset(token)

    return quietly


_CALLING: dict[int | None, Callable[..., Any]] = {1: _calling_one, 2: _calling_two}
_CODES = frozenset(calling(np.add).__code__ for calling in (_calling, *_CALLING.values()))
