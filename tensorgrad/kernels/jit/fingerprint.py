"""A digest of a function: two functions with the same digest compile to the same machine code.

Its name and line aren't enough: all closures of a factory share both. So the digest covers the code, the values that
the function closes over, its defaults, and the globals that it reads, each followed into the functions among them.
"""

import hashlib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

# Globals of files in this folder aren't followed: the cache's key covers the files themselves.
WATCHED = Path(__file__).parent.parent  # `kernels`


def identity(function: Callable) -> str:
    """The digest of a Python function or of a compiled one.

    >>> def scaled(factor):
    ...     return lambda x: x * factor
    >>> identity(scaled(2)) == identity(scaled(2))
    True
    >>> identity(scaled(2)) == identity(scaled(3))
    False
    """
    return hashlib.sha256(repr(_parts(function, {})).encode()).hexdigest()


def _parts(value: Any, known: dict[int, int]) -> tuple:
    """Nested tuples of strings, numbers and bytes that describe a value.

    `known` numbers the functions that were described before, by their id.
    """
    kind = type(value).__qualname__
    if isinstance(value, Dispatcher):
        options = {key: sorted(x) if isinstance(x, set) else x for key, x in value.targetoptions.items()}
        return kind, sorted(map(repr, options.items())), _parts(value.py_func, known)
    if isinstance(value, types.FunctionType):
        return kind, *_of_function(value, known)
    if isinstance(value, types.CodeType):
        return kind, value.co_code, value.co_names, value.co_varnames, _each(value.co_consts, known)
    if isinstance(value, tuple | list):
        return kind, *_each(value, known)
    if isinstance(value, set | frozenset):
        return kind, sorted(map(repr, _each(value, known)))
    if isinstance(value, np.ndarray):
        return kind, value.dtype.str, value.shape, value.tobytes()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic | np.dtype):
        return kind, repr(value)
    if isinstance(value, types.ModuleType):
        return kind, value.__name__
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc):
        return kind, getattr(value, "__module__", None), getattr(value, "__qualname__", value.__name__)
    if hasattr(value, "_defn"):  # an intrinsic of numba
        return kind, _parts(value._defn, known)
    return kind, dumps(value)


def _each(values: Any, known: dict[int, int]) -> tuple:
    return tuple([_parts(value, known) for value in values])


def _of_function(function: types.FunctionType, known: dict[int, int]) -> Iterator[Any]:
    yield function.__module__
    yield function.__qualname__
    if id(function) in known:  # it calls itself, perhaps through others
        yield known[id(function)]
        return
    known[id(function)] = len(known)
    yield _parts(function.__code__, known)
    yield _each([cell.cell_contents for cell in function.__closure__ or ()], known)
    yield _each(function.__defaults__ or (), known)
    if not Path(function.__code__.co_filename).is_relative_to(WATCHED):
        names = sorted(_names(function.__code__) & set(function.__globals__))
        yield tuple([(name, _parts(function.__globals__[name], known)) for name in names])


def _names(code: types.CodeType) -> set[str]:
    """The names that a function looks up, those of functions within it included."""
    inner = [_names(x) for x in code.co_consts if isinstance(x, types.CodeType)]
    return set(code.co_names).union(*inner)
