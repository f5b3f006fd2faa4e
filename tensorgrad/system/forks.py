"""Let one thread at a time import, and delay forks while other threads hold locks that the child needs.

Python takes the lock of `package.module` before that of `package`, whose `__init__` imports `package.module`. Where two
threads begin with one of them each, they would block each other; Python notices that, and one of them fails with an
ImportError about a partially initialized module. So names that are imported at their first use wait for each other.

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
import sys
import threading
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from types import FrameType, ModuleType

_changed = threading.Condition()
_importing: Counter[int] = Counter()  # by thread, how many calls of `imported` it is inside of
_locks: list[AbstractContextManager] = []
_held = ExitStack()


def imported(name: str) -> ModuleType:
    """The module of that name, imported if necessary, while no other thread imports one here, and none forks.

    >>> imported("tensorgrad.kernels").__name__
    'tensorgrad.kernels'
    """
    _begin_import()
    try:
        return importlib.import_module(name)
    finally:
        _end_import()


def wait_for(*locks: AbstractContextManager) -> None:
    """Make forks wait for these locks, in this order: a thread that holds one must not wait for an earlier one."""
    _locks.extend(locks)


def _begin_import() -> None:
    with _changed:
        if not _runs_a_module(sys._getframe(2)):
            _changed.wait_for(_no_other_thread_imports)
        _importing[threading.get_ident()] += 1


def _end_import() -> None:
    with _changed:
        me = threading.get_ident()
        _importing[me] -= 1
        if not _importing[me]:
            del _importing[me]
            _changed.notify_all()


def _no_other_thread_imports() -> bool:
    return not _importing.keys() - {threading.get_ident()}


def _runs_a_module(frame: FrameType | None) -> bool:
    """Whether a module of the package is being imported around this frame: another thread may be waiting for it."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__", "").startswith("tensorgrad."):
            return True
        frame = frame.f_back
    return False


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
