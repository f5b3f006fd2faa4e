"""What holds in one thread: whether ops are recorded, and who observes them."""

import functools
import inspect
import threading
import types
from collections.abc import Callable, Generator, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any, TypeVar, overload

import numpy as np

from tensorgrad.autograd.observer import Observer, Scope
from tensorgrad.errors import ArgumentError, DTypeError, describe, restate
from tensorgrad.system.forks import wait_for

F = TypeVar("F", bound=Callable[..., Any])
O = TypeVar("O", bound=Observer)


class Mode(threading.local):
    """What holds in one thread."""

    recording = True
    observers: tuple[Observer, ...] = ()


mode = Mode()
"""Of this thread: whether ops are recorded, and who observes it."""

# How many blocks that change the mode any thread is in: of `set_grad_enabled`, and of `observe`. While there is none,
# `apply` doesn't ask for the mode of its own thread, which takes ten times as long.
blocks = 0
watched = 0
_counting = threading.RLock()
wait_for(_counting)


def _count_blocks(change: int) -> None:
    global blocks
    with _counting:
        blocks += change


def _count_watched(change: int) -> None:
    global watched
    with _counting:
        watched += change


class set_grad_enabled(ContextDecorator):
    """Whether ops of this thread are recorded, as a context manager or a decorator; restored on the way out.

    Args:
        enabled: True to record, False not to.

    Raises:
        ArgumentError: anything else.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.set_grad_enabled(False):
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        if not isinstance(enabled, (bool, np.bool_)):
            problem = f"enabled must be True or False, got {describe(enabled)}"
            raise ArgumentError(restate("set_grad_enabled", problem))
        self.enabled = bool(enabled)
        self._before: list[bool] = []

    def __enter__(self) -> None:
        _count_blocks(1)
        self._before.append(mode.recording)
        mode.recording = self.enabled

    def __exit__(self, *exc: object) -> None:
        mode.recording = self._before.pop()
        _count_blocks(-1)

    def __call__(self, function: F) -> F:
        """`function` in this mode. One that pauses, a generator or coroutine, is in it only while its own code runs."""
        if inspect.isasyncgenfunction(function):
            fix = "put `with tg.no_grad():` around what computes between two yields"
            raise DTypeError(restate(_mode_name(self.enabled), "an async generator can't be decorated", fix=fix))
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                return (yield from _in_steps(function(*args, **kwargs), self.enabled))

            return generate  # type: ignore[return-value]
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def work(*args: Any, **kwargs: Any) -> Any:
                return await _in_steps(function(*args, **kwargs), self.enabled)

            return work  # type: ignore[return-value]
        if isinstance(function, type):  # functools.wraps copies attributes that a class may keep as descriptors

            def make(*args: Any, **kwargs: Any) -> Any:
                return function(*args, **kwargs)

            make.__module__, make.__name__, make.__doc__ = function.__module__, function.__name__, function.__doc__
            return super().__call__(make)  # type: ignore[return-value]
        return super().__call__(function)

    def _recreate_cm(self) -> "set_grad_enabled":
        # A decorated function may run in several threads at once; each call needs its own stack.
        return set_grad_enabled(self.enabled)


def _mode_name(enabled: bool) -> str:
    return "enable_grad" if enabled else "no_grad"


@types.coroutine
def _in_steps(routine: Any, enabled: bool) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine; `enabled` holds from where it goes on to where it pauses, and not in its caller."""
    go_on, value = routine.send, None
    while True:
        try:
            with set_grad_enabled(enabled):
                paused_with = go_on(value)
        except StopIteration as end:
            return end.value
        try:
            go_on, value = routine.send, (yield paused_with)
        except GeneratorExit:
            with set_grad_enabled(enabled):
                routine.close()
            raise
        except BaseException as error:
            go_on, value = routine.throw, error


def _mode_of(enabled: bool, function: Any) -> Any:
    """The context manager and decorator of a mode; where it's written without parentheses, the decorated function."""
    if function is None:
        return set_grad_enabled(enabled)
    if not callable(function):
        problem = f"expected a function to decorate, or no argument, got {describe(function)}"
        raise ArgumentError(restate(_mode_name(enabled), problem, fix="tg.set_grad_enabled(…) takes a bool"))
    return set_grad_enabled(enabled)(function)


@overload
def no_grad(function: None = None) -> set_grad_enabled: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: Any = None) -> Any:
    """Record nothing inside, in this thread: `with tg.no_grad(): ...`, `@tg.no_grad()` or `@tg.no_grad`.

    Args:
        function: what is decorated without parentheses.

    Raises:
        ArgumentError: an argument that can't be called.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.no_grad():
    ...     (w * 2).requires_grad
    False
    """
    return _mode_of(False, function)


def inference_mode(mode: bool | Callable[..., Any] = True) -> Any:
    """Record nothing inside, in this thread: `no_grad` under PyTorch's other name, with its parentheses or without.

    Args:
        mode: False records again; a function is decorated.

    Raises:
        ArgumentError: neither a bool nor a function.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.inference_mode():
    ...     (w * 2).requires_grad
    False
    """
    if callable(mode):
        return set_grad_enabled(False)(mode)
    if not isinstance(mode, (bool, np.bool_)):
        problem = f"mode must be True, False or a function to decorate, got {describe(mode)}"
        raise ArgumentError(restate("inference_mode", problem))
    return set_grad_enabled(not mode)


@overload
def enable_grad(function: None = None) -> set_grad_enabled: ...
@overload
def enable_grad(function: F) -> F: ...
def enable_grad(function: Any = None) -> Any:
    """Record again inside a `no_grad` block, in this thread.

    Args:
        function: what is decorated, where it is written without parentheses: `@tg.enable_grad`.

    Raises:
        ArgumentError: an argument that can't be called.

    >>> import tensorgrad as tg
    >>> w = tg.ones(3, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * 2).requires_grad
    True
    """
    return _mode_of(True, function)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are being recorded.

    >>> import tensorgrad as tg
    >>> tg.is_grad_enabled()
    True
    """
    return mode.recording


def observers() -> tuple[Observer, ...]:
    """The observers of this thread. An event is reported by calling its method on each of them."""
    return mode.observers


class scope:
    """Tell the observers when the code inside begins and ends, also if it raises."""

    __slots__ = ("_scope",)

    def __init__(self, path: str, kind: str, owner: Any = None) -> None:
        self._scope = Scope(path, kind, owner)

    def __enter__(self) -> None:
        for observer in mode.observers:
            observer.scope_entered(self._scope)

    def __exit__(self, *exc: object) -> None:
        for observer in mode.observers:
            observer.scope_left(self._scope)


@contextmanager
def observe(observer: O) -> Iterator[O]:
    """Tell `observer` of everything that the engine does in this thread, backward passes included.

    Args:
        observer: an object whose class derives from `Observer`; the context manager returns it.

    Raises:
        DTypeError: an object whose class doesn't derive from `Observer`.

    >>> import tensorgrad as tg
    >>> class Count(tg.Observer):
    ...     ops = 0
    ...     def op_applied(self, op, inputs, output):
    ...         self.ops += 1
    >>> with tg.observe(Count()) as count:
    ...     _ = tg.ones(3) * 2 + 1
    >>> count.ops
    2
    """
    if not isinstance(observer, Observer):
        fix = "derive its class from tg.Observer, and override the events that it needs"
        raise DTypeError(restate("observe", "expected an Observer", fix=fix, observer=observer))
    before = mode.observers
    _count_watched(1)
    mode.observers = (*before, observer)
    try:
        yield observer
    finally:
        mode.observers = before
        _count_watched(-1)
