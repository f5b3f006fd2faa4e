"""All that code can reach: a traversal of objects, of the code of functions, and of the names that the code uses.

The traversal starts at a function, before it runs. It follows closure cells, globals, defaults, attributes (by the
names that occur in reached code), containers, classes and other functions. `surroundings.py` checks, while the function
runs, that nothing was missed.
"""

from __future__ import annotations

import collections
import enum
import functools
import operator
import sys
import types
import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.compiler.guards.code_names import codes_in, names_in
from tensorgrad.compiler.guards.exact import plain_key
from tensorgrad.compiler.guards.kinds import GENERATORS, STATELESS, WRAPPERS
from tensorgrad.compiler.guards.namespaces import Namespace, Namespaces
from tensorgrad.compiler.guards.patches import PATCHES
from tensorgrad.compiler.guards.snapshot import Snapshot, all_of
from tensorgrad.compiler.guards.trust import is_followed, is_library, is_stream, is_trusted, tells_of_changes

OBJECTS = 20_000
"""Objects that are visited at most."""

ELEMENTS = 10_000
"""Elements and names that are compared before each replay at most."""

BYTES = 2**18
"""Bytes of ndarrays that are compared before each replay at most: Python may have read their numbers."""

DYNAMIC = frozenset(
    ("getattr", "hasattr", "setattr", "delattr", "vars", "dir", "attrgetter", "methodcaller", "__dict__")
)
"""Code that uses one of these may read any attribute, not only those whose names occur in it."""

_MISSING = object()


class Traversal:
    """Follows references from object to object, code to names, and names to objects, until nothing new is found."""

    def __init__(self, ran: Container[types.CodeType] | None) -> None:
        self._ran = ran
        self.problem: str | None = None
        self.codes: set[types.CodeType] = set()
        self.tensors: dict[int, Variable] = {}
        self.generators: list[Any] = []
        self._known: dict[int, Any] = {}
        self._pending: list[tuple[Any, str]] = []
        self._spaces = Namespaces(self._known)
        self._each_replay: list[Snapshot] = []
        self._when_reconfigured: list[Snapshot] = []
        self._functions: list[types.FunctionType] = []
        self._cells: list[tuple[types.CellType, str]] = []
        self._bytes = 0

    def refuse(self, problem: str) -> None:
        """Note why something can't be followed; the first reason counts."""
        self.problem = self.problem or problem

    def reach(self, value: Any, path: str) -> None:
        """Visit a value later, once."""
        if id(value) in self._known:
            return
        if plain_key(value) is None:
            self._known[id(value)] = value
            self._pending.append((value, path))
        elif isinstance(value, enum.Enum):
            self._spaces.follow_class(type(value))

    def reach_patches(self) -> None:
        """Follow what replaces functions of the library, which its code and others' may call."""
        self._when_reconfigured.append(
            Snapshot("a patched name of the library ({})", all_of(PATCHES), [*PATCHES, *PATCHES])
        )
        for path, value in list(PATCHES.items()):
            self.reach(value, path)

    def run(self) -> None:
        """Follow references until nothing new is found."""
        while self._pending or self._reach_named():
            if len(self._known) > OBJECTS:
                self.refuse(f"it can reach more than {OBJECTS:,} objects")
                return
            value, path = self._pending.pop()
            self._visit(value, path)

    def _reach_named(self) -> bool:
        """Reach what namespaces hold under names found since the last time. Returns whether there was anything."""
        for value, path in self._spaces.new_values():
            self.reach(value, path)
        return bool(self._pending)

    def snapshots(self) -> tuple[list[Snapshot], list[Snapshot]]:
        """The snapshots to compare before each replay, and those only after a reconfiguration of the engine."""
        often = [self._own(), *self._each_replay, *self._spaces.snapshots()]
        if sum(len(snapshot.expected) for snapshot in often) > ELEMENTS:
            largest = max(often, key=lambda snapshot: len(snapshot.expected))
            self.refuse(
                f"{largest.path.format('…')} and all else that it can read have more than {ELEMENTS:,} elements"
            )
        return often, self._when_reconfigured

    def _own(self) -> Snapshot:
        """The closure cells, code and defaults of the functions."""
        functions, cells = self._functions, [cell for cell, _ in self._cells]
        names = [name for _, name in self._cells] + [
            f"the code or the defaults of {f.__name__}" for f in functions for _ in range(3)
        ]

        def read() -> list[Any]:
            found = [cell.cell_contents for cell in cells]
            for f in functions:
                found += f.__code__, f.__defaults__, f.__kwdefaults__
            return found

        return Snapshot("{}", read, names)

    # -------------------------------------------------------------------------------------------------- kinds of values

    def _visit(self, value: Any, path: str) -> None:
        kinds: Any
        visit: Callable[[Any, Any, str], None]
        for kinds, visit in self._VISITS:
            if isinstance(value, kinds):
                visit(self, value, path)
                return
        self._visit_object(value, path)

    def _visit_stateless(self, value: Any, path: str) -> None:
        if isinstance(value, (operator.attrgetter, operator.methodcaller)):
            self._spaces.dynamic = True
        self._spaces.follow_class(type(value))

    def _visit_tensor(self, value: Variable, path: str) -> None:
        self.tensors[id(value)] = value
        # Whoever changes one of these calls `reconfigured()`.
        self._when_reconfigured.append(Snapshot(path, lambda: _kind_of(value)))

    def _visit_array(self, value: np.ndarray, path: str) -> None:
        self._bytes += value.nbytes
        if self._bytes > BYTES or value.dtype.hasobject:
            fix = "make it a tensor once (tg.tensor), or pass it as an argument"
            self.refuse(f"Python can read the numbers of the ndarray {path} {value.shape}: {fix}")
        else:
            self._each_replay.append(Snapshot(path, lambda: (value.dtype, value.shape, value.tobytes())))

    def _visit_generator(self, value: Any, path: str) -> None:
        self.generators.append(value)
        self._spaces.follow_class(type(value))

    def _visit_function(self, value: types.FunctionType, path: str) -> None:
        self._spaces.follow(Namespace(vars(value), f"{path}.{{}}", set()))
        if self._ran is not None and value.__code__ not in self._ran:
            return
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                self.reach(cell.cell_contents, name)
                self._cells.append((cell, name))
            except ValueError:  # the cell is still empty
                self._each_replay.append(Snapshot(name, functools.partial(_content, cell)))
        for part in (value.__defaults__, value.__kwdefaults__):
            self.reach(part, f"a default of {path}")
        self.reach(getattr(value, "__wrapped__", None), path)
        if not is_library(value.__globals__):
            self._functions.append(value)
            self._read_code(value)
        elif value.__closure__:  # a library's function, which works on what it closes over
            self._read_code(value, globals=False)

    def _read_code(self, function: types.FunctionType, globals: bool = True) -> None:
        """Note the names that the code of a function uses."""
        for code in codes_in(function.__code__):
            if self._ran is not None and code not in self._ran:
                continue
            self.codes.add(code)
            found = names_in(code)
            self._spaces.attributes |= found.attributes
            if globals:
                self._spaces.dynamic |= not DYNAMIC.isdisjoint(found.globals | found.attributes)
                names = set(found.globals)
                self._spaces.follow(
                    Namespace(function.__globals__, "the global {}", names, attributes=False, absence=True)
                )
                for name in found.modules:
                    self.reach(sys.modules.get(name), name)

    def _visit_method(self, value: types.MethodType, path: str) -> None:
        self.reach(value.__self__, path)
        self.reach(value.__func__, path)

    def _visit_builtin(self, value: types.BuiltinFunctionType, path: str) -> None:
        if not isinstance(value.__self__, types.ModuleType):
            self.reach(value.__self__, path)

    def _visit_partial(self, value: functools.partial, path: str) -> None:
        for part in (value.func, value.args, value.keywords):
            self.reach(part, path)

    def _visit_wrapper(self, value: Any, path: str) -> None:
        """Follow what a wrapper of a function holds, such as a property or a static method."""
        for name in ("__func__", "__wrapped__", "func", "fget", "fset", "fdel"):
            self.reach(getattr(value, name, None), path)

    def _visit_module(self, value: types.ModuleType, path: str) -> None:
        if not is_trusted(value.__name__):
            self._spaces.follow(Namespace(vars(value), f"{value.__name__}.{{}}", set()))

    def _visit_class(self, value: type, path: str) -> None:
        self._spaces.follow_class(value, constructors=True)
        self._spaces.follow_class(type(value))

    def _visit_mapping(self, value: Mapping[Any, Any], path: str) -> None:
        self._each_replay.append(Snapshot(f"{path}[{{!r}}]", all_of(value), [*value, *value]))
        for key, part in value.items():
            self.reach(key, path)
            self.reach(part, f"{path}[{key!r}]" if plain_key(key) is not None else path)
        self._visit_rest(value, path)

    def _visit_sequence(self, value: Any, path: str) -> None:
        if not isinstance(value, (tuple, frozenset)):
            self._each_replay.append(Snapshot(f"{path}[{{}}]", functools.partial(tuple, value)))
        for k, part in enumerate(value):
            self.reach(part, f"{path}[{k}]")
        self._visit_rest(value, path)

    def _visit_bytes(self, value: bytearray, path: str) -> None:
        self._each_replay.append(Snapshot(path, lambda: (bytes(value),)))

    def _visit_reference(self, value: weakref.ref, path: str) -> None:
        self._each_replay.append(Snapshot(path, lambda: (value(),)))
        self.reach(value(), path)

    def _visit_rest(self, value: Any, path: str) -> None:
        """Follow what a container holds besides its elements."""
        if isinstance(value, collections.defaultdict):
            self.reach(value.default_factory, path)
        if not is_trusted(type(value).__module__):
            self._follow_members(value, path)

    def _visit_object(self, value: Any, path: str) -> None:
        """Anything else."""
        kind = type(value)
        if kind.__name__ in ("lock", "RLock") or kind is object or hasattr(kind, "__get__"):
            self._spaces.follow_class(kind)
        elif kind.__module__ == "typing" or kind.__module__.startswith("numba"):
            pass
        elif not all(map(is_followed, kind.__mro__)) or is_stream(kind):
            self.refuse(f"{path} is of type {kind.__name__}, whose state can't be followed")
        elif hasattr(kind, "_compiled_reads"):
            reads = value._compiled_reads
            self._each_replay.append(Snapshot(f"{path}[{{}}]", reads))
            for part in reads():
                self.reach(part, path)
            self._follow_members(value, path, all=False)
        elif tells_of_changes(kind):
            self._visit_telling(value, path)
        else:
            self._follow_members(value, path, all=is_trusted(kind.__module__))

    def _follow_members(self, value: Any, path: str, all: bool = False) -> None:
        kind = type(value)
        self._spaces.follow_class(kind)
        if isinstance(attributes := getattr(value, "__dict__", None), dict):
            self._spaces.follow(Namespace(attributes, f"{path}.{{}}", set(), all=all, absence=True))
        if slots := [name for base in kind.__mro__ for name in _slots(base)]:
            self._each_replay.append(
                Snapshot(f"{path}.{{}}", lambda: [getattr(value, name, _MISSING) for name in slots], slots)
            )
            for name in slots:
                self.reach(getattr(value, name, None), f"{path}.{name}")

    def _visit_telling(self, value: Any, path: str) -> None:
        """An object that calls `reconfigured()` whenever one of its attributes changes."""
        self._spaces.follow_class(type(value))
        attributes = vars(value)
        self._when_reconfigured.append(Snapshot(f"{path}.{{}}", all_of(attributes), [*attributes, *attributes]))
        for name, part in list(attributes.items()):
            if name not in type(value)._told:
                self.reach(part, f"{path}.{name}")
            elif part:
                self._when_reconfigured.append(Snapshot(f"{path}.{name}", all_of(part)))

    _VISITS = (
        (Variable, _visit_tensor),
        (np.ndarray, _visit_array),
        (GENERATORS, _visit_generator),
        (STATELESS, _visit_stateless),
        (types.FunctionType, _visit_function),
        (types.MethodType, _visit_method),
        (types.BuiltinFunctionType, _visit_builtin),
        (functools.partial, _visit_partial),
        (WRAPPERS, _visit_wrapper),
        (types.ModuleType, _visit_module),
        (type, _visit_class),
        ((dict, types.MappingProxyType), _visit_mapping),
        ((list, tuple, set, frozenset, collections.deque), _visit_sequence),
        (bytearray, _visit_bytes),
        (weakref.ref, _visit_reference),
    )


def _kind_of(tensor: Variable) -> tuple:
    hooks = bool(tensor._hooks), bool(getattr(tensor, "_after_backward", None))
    return tensor._requires_grad, tensor._data.dtype, tensor._data.shape, tensor._node is None, *hooks


def _slots(cls: type) -> Sequence[str]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _content(cell: types.CellType) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
