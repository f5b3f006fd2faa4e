"""Names of the library that somebody has bound anew: `tg.tanh = mine`.

Guards don't walk over the library's code, so each of its modules tells of such a change itself, as `nn.Module` does of
its attributes. That costs nothing until a name is bound.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from tensorgrad.autograd.configuration import reconfigured

ABSENT = object()
"""Stands for a name that doesn't exist now, or didn't at the first look."""

PATCHES: dict[str, Any] = {}
"""The present value of each name that has changed since the first look, by module and name."""

_originals: dict[str, Any] = {}


class _Telling(types.ModuleType):
    """A module that notes in `PATCHES` which of its names are bound from outside."""

    def __setattr__(self, name: str, value: Any) -> None:
        before = vars(self).get(name, ABSENT)
        super().__setattr__(name, value)
        if not (before is ABSENT and isinstance(value, types.ModuleType)):  # else it was imported
            _note(f"{self.__name__}.{name}", before, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # joblib and Dask pickle functions of __main__ with the modules they name, and know modules by their type.
        return importlib.import_module, (self.__name__,)

    def __delattr__(self, name: str) -> None:
        before = vars(self).get(name, ABSENT)
        super().__delattr__(name)
        _note(f"{self.__name__}.{name}", before, ABSENT)


def watch() -> None:
    """Let all modules of the library that are loaded tell of changes from now on."""
    for name, module in list(sys.modules.items()):
        # Each recording looks at the thousands of modules that are loaded: the cheapest condition comes first.
        ours = name.startswith("tensorgrad") and name.partition(".")[0] == "tensorgrad"
        if ours and type(module) is types.ModuleType:
            module.__class__ = _Telling


def _note(path: str, before: Any, now: Any) -> None:
    if now is _originals.setdefault(path, before):
        PATCHES.pop(path, None)
    else:
        PATCHES[path] = now
    reconfigured()
