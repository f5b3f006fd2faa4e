"""What a fork must wait for, so that the child can go on.

A fork copies only the thread that asks for it, but the locks of all: one that another thread held stays locked in the
child for ever. So a fork waits until no thread imports a module at its first use (Python holds a lock for each module
that is being imported), and until the locks that modules have registered are free.

Hooks run last to first. `logging` has one that takes its lock, which whoever imports or compiles may need: so it is
imported here, before our own hooks are registered, that a fork may wait for us before it holds that lock.
"""

import importlib
import logging  # noqa: F401
import os
import threading
from contextlib import AbstractContextManager, ExitStack
from types import ModuleType


class _Thread(threading.local):
    imports = 0


_changed = threading.Condition()
_imports = 0
_mine = _Thread()
_locks: list[AbstractContextManager] = []
_held = ExitStack()


def imported(name: str) -> ModuleType:
    """The module of that name, imported if need be, while no thread forks.

    >>> imported("tensorgrad.kernels").__name__
    'tensorgrad.kernels'
    """
    _count_imports(1)
    try:
        return importlib.import_module(name)
    finally:
        _count_imports(-1)


def wait_for(*locks: AbstractContextManager) -> None:
    """Let forks wait for these locks, in this order: no thread may wait for one while it holds one that comes later."""
    _locks.extend(locks)


def _count_imports(change: int) -> None:
    global _imports
    with _changed:
        _imports += change
        _mine.imports += change
        _changed.notify_all()


def _nobody_else_imports() -> bool:
    return _imports == _mine.imports


def _before_fork() -> None:
    global _held
    # An import may need a lock, and who holds a lock may import: so the one isn't kept while the other is waited for.
    while True:
        with _changed:
            _changed.wait_for(_nobody_else_imports)
        held = ExitStack()
        for lock in (*_locks, _changed):
            held.enter_context(lock)
        if _nobody_else_imports():
            _held = held
            return
        held.close()


def _after_fork() -> None:
    _held.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
