"""NumPy's spellings of arguments that PyTorch, whose names tensorgrad uses, calls otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from tensorgrad.errors import ArgumentError, restate

F = TypeVar("F", bound=Callable[..., Any])

SPELLINGS = {
    "axis": ("dim", "dims"),
    "axes": ("dims", "dim"),
    "keepdims": ("keepdim",),
    "ddof": ("correction",),
    "a": ("input",),
    "x": ("input",),
    "x1": ("input",),
    "x2": ("other",),
    "y": ("other",),
    "a_min": ("min",),
    "a_max": ("max",),
    "indices": ("index",),
    "shape": ("size", "shape"),
}
"""NumPy's name of an argument -> PyTorch's names, of which a function has at most one."""


def numpy_spellings(function: F) -> F:
    """Let `function`, whose arguments have PyTorch's names, be called with NumPy's names too.

    Raises:
        ArgumentError: an argument given under both names.

    >>> import tensorgrad as tg
    >>> @numpy_spellings
    ... def total(input, dim=None, keepdim=False):
    ...     return tg.tensor(input).data.sum(dim, keepdims=keepdim)
    >>> total([[1, 2], [3, 4]], axis=1)
    array([3, 7])
    """
    parameters = inspect.signature(function).parameters
    known = {
        numpy: torch
        for numpy, names in SPELLINGS.items()
        if numpy not in parameters
        for torch in names
        if torch in parameters
    }

    @wraps(function)
    def called(*arguments: Any, **keywords: Any) -> Any:
        if not keywords:
            return function(*arguments)
        for numpy in known.keys() & keywords.keys():
            torch = known[numpy]
            if torch in keywords:
                fix = f"pass {torch} alone"
                raise ArgumentError(restate(function.__name__, f"{torch} and {numpy} are the same argument", fix=fix))
            keywords[torch] = keywords.pop(numpy)
        return function(*arguments, **keywords)

    return cast(F, called)


def one_or_several(op: str, several: tuple, name: str, one: Any) -> tuple:
    """The arguments of `f(x, 1, 0)`, `f(x, (1, 0))` or `f(x, name=(1, 0))` as a tuple.

    Raises:
        ArgumentError: `one` is given by its name, and `several` too.

    >>> one_or_several("permute", (1, 0), "dims", None), one_or_several("permute", (), "dims", (1, 0))
    ((1, 0), ((1, 0),))
    """
    if one is None:
        return several
    if several:
        raise ArgumentError(restate(op, f"{name} is given twice", fix=f"pass {name} alone"))
    return (one,)
