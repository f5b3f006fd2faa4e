"""Watches a function while it is recorded: does it depend on anything that the guards don't compare?"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import event as events

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.observer import Observer
from tensorgrad.compiler.guards.guards import Guards
from tensorgrad.compiler.guards.kinds import GENERATORS
from tensorgrad.compiler.guards.trust import is_library

OUTSIDE = frozenset(
    (
        "time", "_time", "posix", "nt", "os", "io", "_io", "socket", "_socket", "select", "_datetime", "datetime",
        "_thread", "_uuid", "_posixsubprocess",
    )
)  # fmt: skip
"""Modules in C whose functions read or change the world outside the program."""

OUTSIDE_BUILTINS = frozenset(("open", "input", "eval", "exec", "globals", "__import__", "id", "hash"))

COMPILERS = ("numba", "llvmlite")
LIBRARIES = ("tensorgrad", "numpy", *COMPILERS)

COMPILES = "numba:compiler_lock"
"""Numba's event while it compiles a function, or loads one from the cache."""

SETS_A_SEED = "tensorgrad.arrays.random", "manual_seed"


class _Compiling(events.Listener):
    """Stops the profiler of this thread while numba compiles: compiling takes three times as long under a profiler.

    The compiler's own code doesn't belong to the call that is recorded.
    """

    def __init__(self, profiler: Callable[[types.FrameType, str, Any], None]) -> None:
        self._profiler = profiler
        self._thread = threading.get_ident()
        self._depth = 0

    def on_start(self, event: object) -> None:
        """A thread begins to compile; functions that it calls are compiled in turn."""
        if threading.get_ident() == self._thread:
            self._depth += 1
            sys.setprofile(None)

    def on_end(self, event: object) -> None:
        """A thread is done with one function."""
        if threading.get_ident() == self._thread:
            self._depth -= 1
            if not self._depth:
                sys.setprofile(self._profiler)


class Surroundings(Observer):
    """A context and an observer of one recorded call.

    Attributes:
        ran: the code that the call has run.
        problem: something that the call depends on and no guard compares; None if there is none.
    """

    def __init__(self, guards: Guards) -> None:
        self.problem: str | None = None
        self.ran: set[types.CodeType] = set()
        self._codes = guards.codes
        self._trusted: dict[int, tuple[bool, dict]] = {}  # by the identity of globals, which are held
        self._generators = {id(g): g for g in (default_generator(), *guards.generators)}
        self._states: dict[int, Any] = {}
        self._others: tuple = ()
        self._before: Any = None
        self._imports = 0  # imports in progress
        self._in_host_call = False
        self._collects = True
        self._compiling = _Compiling(self._ran)

    def __enter__(self) -> Surroundings:
        self._states = {key: _state(generator) for key, generator in self._generators.items()}
        self._others = random.getstate(), np.random.get_state(legacy=False)
        # Finalizers of unrelated objects are no part of the call.
        self._collects = gc.isenabled()
        gc.disable()
        events.register(COMPILES, self._compiling)
        self._before = sys.getprofile()
        sys.setprofile(self._ran)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(self._before)
        events.unregister(COMPILES, self._compiling)
        if self._collects:
            gc.enable()
        for generator in self._generators.values():
            self._check(generator)
        if random.getstate() != self._others[0] or not _alike(np.random.get_state(legacy=False), self._others[1]):
            self._refuse_numbers()

    def refuse(self, problem: str) -> None:
        """Note a problem; the first one counts."""
        self.problem = self.problem or problem

    # ------------------------------------------------------------------------------------------------------------ code

    def _ran(self, frame: types.FrameType, event: str, argument: Any) -> None:
        """Profiler callback: Python runs a function, or calls one in C; see `sys.setprofile`."""
        module = frame.f_globals.get("__name__")
        if module == "importlib._bootstrap" and frame.f_code.co_name == "_find_and_load":
            self._imports += {"call": 1, "return": -1}.get(event, 0)
        if self._imports or self._in_host_call or event not in ("call", "c_call"):
            return  # a module is loaded once; a host call is made in each replay
        if module is None and frame.f_back is None:
            return  # numba's machine code, in a frame that numba made
        if event == "call":
            self.ran.add(frame.f_code)
        space = frame.f_globals
        if id(space) not in self._trusted:
            self._trusted[id(space)] = is_library(space), space
        trusted, _ = self._trusted[id(space)]
        (self._library_ran if trusted else self._user_ran)(frame, argument if event == "c_call" else None)

    def _library_ran(self, frame: types.FrameType, called: Any) -> None:
        module = frame.f_globals["__name__"]
        asks_the_system = called is os.urandom and not _serves_a_library(frame)
        if asks_the_system or (called is None and (module, frame.f_code.co_name) == SETS_A_SEED):
            self._refuse_numbers()
        own_cache = module.startswith("tensorgrad.kernels.")
        if called is open and module.startswith(("tensorgrad.", "numpy.")) and not own_cache:
            self.refuse("it reads or writes a file")

    def _user_ran(self, frame: types.FrameType, called: Any) -> None:
        known = frame.f_code in self._codes if called is None else not _is_outside(called)
        if known or _serves_a_library(frame) or _serves_a_library(frame.f_back, COMPILERS):
            return
        if called is None:
            module = frame.f_globals.get("__name__")
            self.refuse(f"it runs {frame.f_code.co_qualname} of {module}, which can't be followed")
        else:
            self.refuse(f"it calls {called.__qualname__}(), which depends on more than its arguments")

    # -------------------------------------------------------------------------------------------------- random numbers

    def host_call_started(self, function: Callable, arguments: tuple) -> None:
        """A host call is about to run: what it draws, a replay draws too."""
        self._in_host_call = True
        for generator in _generators_of(function, arguments):
            if id(generator) in self._states:
                self._check(generator)
            else:
                self.refuse("it makes a generator of random numbers in each call; make it once, outside")

    def host_call_finished(self, function: Callable, arguments: tuple, result: Any, effect: bool) -> None:
        """The host call has returned: note the states of its generators."""
        self._in_host_call = False
        for generator in _generators_of(function, arguments):
            self._generators[id(generator)] = generator
            self._states[id(generator)] = _state(generator)

    def _check(self, generator: Any) -> None:
        if not _alike(_state(generator), self._states[id(generator)]):
            self._refuse_numbers()

    def _refuse_numbers(self) -> None:
        self.refuse("it draws random numbers by itself, or sets a seed; tg.rand, tg.randn, … are followed")


def _serves_a_library(frame: types.FrameType | None, libraries: tuple[str, ...] = LIBRARIES) -> bool:
    """Whether one of the libraries called Python's standard library: for a lock, for example.

    Code that a compiler calls isn't part of the recorded call either: the standard library may be patched.
    """
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package not in sys.stdlib_module_names:
            return package in libraries
        frame = frame.f_back
    return False


def _is_outside(function: Any) -> bool:
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", "")
    if module == "builtins":
        return name in OUTSIDE_BUILTINS
    owner = getattr(function, "__self__", None)
    if module is None and owner is not None and not isinstance(owner, types.ModuleType):
        module = (owner if isinstance(owner, type) else type(owner)).__module__
        return module in OUTSIDE and name not in ("acquire", "release", "__enter__", "__exit__")
    return module in OUTSIDE


def _generators_of(function: Callable, arguments: tuple) -> list[Any]:
    return [x for x in (*arguments, getattr(function, "__self__", None)) if isinstance(x, GENERATORS)]


def _state(generator: Any) -> Any:
    if isinstance(generator, random.SystemRandom):
        return None  # it calls os.urandom, which the profiler reports
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.get_state(legacy=False) if isinstance(generator, np.random.RandomState) else generator.getstate()


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_alike(value, other[key]) for key, value in one.items())
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
