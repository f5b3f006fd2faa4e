"""Delay forks while other threads hold locks that the child needs.

A fork copies only the calling thread, but all locks: a lock held by another thread stays locked in the child forever.
So a fork waits until no other thread imports a module (Python holds a lock for each module that is being imported), and
until the locks registered here are free.

Fork hooks run in the reverse order of registration. `logging` registers one that takes its lock, which imports and
compilation may need. So `logging` is imported before our hooks are registered: a fork then waits for imports before it
holds that lock.
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
    """The module of that name, imported if necessary, while no thread forks.

    >>> imported("tensorgrad.kernels").__name__
    'tensorgrad.kernels'
    """
    _count_imports(1)
    try:
        return importlib.import_module(name)
    finally:
        _count_imports(-1)


def wait_for(*locks: AbstractContextManager) -> None:
    """Make forks wait for these locks, in this order: a thread that holds one must not wait for an earlier one."""
    _locks.extend(locks)


def _count_imports(change: int) -> None:
    global _imports
    with _changed:
        _imports += change
        _mine.imports += change
        _changed.notify_all()


def _no_other_thread_imports() -> bool:
    return _imports == _mine.imports


def _before_fork() -> None:
    global _held
    # An import may need a lock, and a thread with a lock may import: so never hold locks while waiting for imports.
    while True:
        with _changed:
            _changed.wait_for(_no_other_thread_imports)
        held = ExitStack()
        for lock in (*_locks, _changed):
            held.enter_context(lock)
        if _no_other_thread_imports():
            _held = held
            return
        held.close()


def _after_fork() -> None:
    _held.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
