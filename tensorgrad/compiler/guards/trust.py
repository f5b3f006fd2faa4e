"""Which code and which objects needn't be followed: their results follow from arguments, or they tell of changes."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any, Generic

TRUSTED = frozenset(("tensorgrad", "numpy", "numba")) | frozenset(
    (
        "abc", "bisect", "builtins", "cmath", "collections", "contextlib", "copy", "copyreg", "dataclasses", "decimal",
        "enum", "fractions", "functools", "heapq", "importlib", "inspect", "itertools", "keyword", "logging", "math",
        "numbers", "operator", "random", "re", "reprlib", "statistics", "string", "textwrap", "threading", "traceback",
        "types", "typing", "warnings", "weakref", "_collections_abc", "_weakrefset",
    )
)  # fmt: skip
"""Packages whose code isn't followed: its results follow from its arguments, or it prints, or it tells observers."""

_BASES_IN_C = frozenset(
    (object, BaseException, Exception, dict, list, tuple, set, frozenset, types.SimpleNamespace, Generic)
)

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for each class that a `class` statement makes


def is_trusted(module: Any) -> bool:
    """Whether the module is of a library whose results follow from arguments, or which tells of changes."""
    return isinstance(module, str) and (module.partition(".")[0] in TRUSTED or module.startswith("namedtuple_"))


def is_library(space: dict[str, Any]) -> bool:
    """Whether code with these globals is of such a library, not of a user's module with the same name."""
    name = space.get("__name__")
    return is_trusted(name) and (name not in sys.modules or vars(sys.modules[name]) is space)


def tells_of_changes(kind: type) -> bool:
    """Whether objects of this class call `reconfigured()` when an attribute changes."""
    owner = next((base for base in kind.__mro__ if "_told" in vars(base)), None)
    return owner is not None and all(
        getattr(kind, name) is vars(owner)[name] for name in ("__setattr__", "__delattr__")
    )


def is_followed(base: type) -> bool:
    """Whether all state that a class adds to an object lies in its attributes."""
    made_by_python = any("__dict__" in vars(cls) or "__slots__" in vars(cls) for cls in base.__mro__)
    return base in _BASES_IN_C or (bool(base.__flags__ & _HEAP_TYPE) and made_by_python and base is not threading.local)


def is_stream(kind: type) -> bool:
    """Whether reading from an object uses it up, by code that isn't written in Python."""
    step = getattr(kind, "__next__", None)
    return step is not None and not isinstance(step, types.FunctionType)
