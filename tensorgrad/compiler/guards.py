"""What a function reads besides its arguments, written down at a recording and compared before each replay.

`Guards` starts at the function and walks, before it runs, over all that its code can reach: closure cells, globals,
defaults, attributes (by the names that occur in reached code), containers, classes, other functions. Values are kept
by identity; where another object stands in one's place later, plain values are compared by type and bits.
`surroundings.py` listens while the function runs, and makes sure that the walk has missed nothing.
"""

from __future__ import annotations

import collections
import decimal
import dis
import enum
import fractions
import functools
import logging
import operator
import pathlib
import random
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd import engine
from tensorgrad.autograd.engine import Variable
from tensorgrad.autograd.observer import Scope
from tensorgrad.compiler.exact import plain_key, same_plain
from tensorgrad.compiler.patches import PATCHES, watch

OBJECTS = 20_000
"""Objects that are walked over at most."""

ELEMENTS = 10_000
"""Elements and names that are compared before each replay at most."""

BYTES = 2**18
"""Bytes of ndarrays that are compared before each replay at most: Python may have read their numbers."""

TRUSTED = frozenset(("tensorgrad", "numpy", "numba")) | frozenset(
    (
        "abc", "bisect", "builtins", "cmath", "collections", "contextlib", "copy", "copyreg", "dataclasses", "decimal",
        "enum", "fractions", "functools", "heapq", "importlib", "inspect", "itertools", "keyword", "logging", "math",
        "numbers", "operator", "random", "re", "reprlib", "statistics", "string", "textwrap", "threading", "traceback",
        "types", "typing", "warnings", "weakref", "_collections_abc", "_weakrefset",
    )
)  # fmt: skip
"""Packages whose code isn't walked: its results follow from its arguments, or it prints, or it tells observers."""

DYNAMIC = frozenset(
    ("getattr", "hasattr", "setattr", "delattr", "vars", "dir", "attrgetter", "methodcaller", "__dict__")
)
"""Code that uses one of these may read any attribute, not only those whose names occur in it."""

CONSTRUCTORS = frozenset(("__init__", "__new__", "__post_init__"))
NEVER_RUN = frozenset(
    ("__repr__", "__str__", "__del__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__")
)

STATELESS = (
    np.dtype, np.ufunc, np.generic, int, float, complex, str, bytes, range, re.Pattern, decimal.Decimal,
    fractions.Fraction, pathlib.PurePath, types.CodeType, types.GenericAlias, types.UnionType, types.EllipsisType,
    types.NotImplementedType, types.WrapperDescriptorType, types.MethodWrapperType, types.MethodDescriptorType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, logging.Logger,
    operator.itemgetter, operator.attrgetter, operator.methodcaller, slice, Scope, engine.set_grad_enabled,
)  # fmt: skip

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)

WRAPPERS = (
    staticmethod, classmethod, property, functools.cached_property, functools.partialmethod,
    type(functools.lru_cache(lambda: None)),
)  # fmt: skip

_BASES_IN_C = frozenset((object, BaseException, Exception, dict, list, tuple, set, frozenset, types.SimpleNamespace))

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for each class that a `class` statement makes

_MISSING = object()


class Group:
    """Values that are read from one place: how to read them, and what was found.

    Attributes:
        path: what the place is called in messages, with {} for the name of an element where there are names.
        read: gives the values of now; it raises where one isn't there any longer.
    """

    __slots__ = ("expected", "names", "path", "read")

    def __init__(self, path: str, read: Callable[[], Sequence[Any]], names: Sequence[Any] = ()) -> None:
        self.path, self.read, self.names = path, read, names
        self.expected = read()

    def changed(self) -> str | None:
        """What isn't as it was; None if all is."""
        try:
            found = self.read()
        except Exception:  # it isn't there, or somebody's own code has raised
            return self.path.format("…")
        if len(found) != len(self.expected):
            return self.path.format("…")
        if all(map(is_, found, self.expected)):
            return None
        for k, (now, then) in enumerate(zip(found, self.expected, strict=True)):
            if not same_plain(now, then):
                return self.path.format(self.names[k] if k < len(self.names) else k)
        self.expected = found  # equal values in other objects: found at once the next time
        return None


class Guards:
    """All that a function can read besides the tensors among its arguments, as it is now.

    Args:
        function: where the walk starts.
        arguments: objects among the arguments of a call that aren't tensors, nor plain values.
        ran: the code that a call has run, where that is known: all else counts for nothing.

    Attributes:
        problem: why not everything could be followed; None if it could.
        codes: the code that the walk found.
        tensors: those that it found, by identity.
        generators: of random numbers.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Iterable[Any] = (), ran: Container[types.CodeType] | None = None
    ) -> None:
        watch()
        walk = _Walk(ran)
        walk.reach_patches()
        walk.reach(function, getattr(function, "__name__", type(function).__name__))
        for argument in arguments:
            walk.reach(argument, f"an argument ({type(argument).__name__})")
        self._often: list[Group] = []
        self._seldom: list[Group] = []
        try:
            walk.run()
            self._often, self._seldom = walk.groups()
        except Exception as error:  # of code of somebody's own, such as __iter__
            walk.refuse(f"what it reads can't be followed: {type(error).__name__}: {error}")
        self.codes, self.tensors, self.generators = walk.codes, walk.tensors, walk.generators
        self.problem = walk.problem
        self._configuration = engine.configuration()

    def changed(self) -> str | None:
        """What isn't as it was, in words; None where a recording of then still holds."""
        for group in self._often:
            # As at the beginning of Group.changed, without the call: this runs before each replay.
            try:
                found = group.read()
            except Exception:  # it isn't there, or somebody's own code has raised
                return group.changed()
            expected = group.expected
            if (len(found) != len(expected) or not all(map(is_, found, expected))) and (what := group.changed()):
                return what
        if self._configuration != (now := engine.configuration()):
            for group in self._seldom:
                if what := group.changed():
                    return what
            self._configuration = now
        return None


def changed_by(before: Guards, ran: Guards) -> str | None:
    """What a call has changed of that which its own code reads, given the guards of before and of the code it ran."""
    read = {group.path for group in (*ran._often, *ran._seldom)}
    for group in (*before._often, *before._seldom):
        if group.path in read and (what := group.changed()):
            return what
    return None


class _Holder(NamedTuple):
    """A namespace of which the names that occur in code are followed.

    Attributes:
        names: those that count in any case, such as the globals that code loads.
        attributes: whether the names of attributes count too.
        all: whether all its names do.
        absence: whether it matters that a name isn't there.
    """

    mapping: Mapping[str, Any]
    path: str
    names: set[str]
    attributes: bool = True
    all: bool = False
    absence: bool = False


class _Walk:
    """Follows references from object to object, code to names, and names to objects, until nothing new is found."""

    def __init__(self, ran: Container[types.CodeType] | None) -> None:
        self._ran = ran
        self.problem: str | None = None
        self.codes: set[types.CodeType] = set()
        self.tensors: dict[int, Variable] = {}
        self.generators: list[Any] = []
        self._attributes: set[str] = set()  # the names that reached code uses
        self._dynamic = False
        self._known: dict[int, Any] = {}
        self._todo: list[tuple[Any, str]] = []
        self._holders: dict[int, _Holder] = {}
        self._resolved: dict[int, set[str]] = {}
        self._often: list[Group] = []
        self._seldom: list[Group] = []
        self._functions: list[types.FunctionType] = []
        self._cells: list[tuple[types.CellType, str]] = []
        self._bytes = 0

    def refuse(self, problem: str) -> None:
        """Note the first thing that can't be followed."""
        self.problem = self.problem or problem

    def reach(self, value: Any, path: str) -> None:
        """Have a look at a value later, once."""
        if id(value) in self._known:
            return
        if plain_key(value) is None:
            self._known[id(value)] = value
            self._todo.append((value, path))
        elif isinstance(value, enum.Enum):
            self._hold_class(type(value))

    def reach_patches(self) -> None:
        """Hold what stands in the place of the library's own functions, which its code and others' may call."""
        self._seldom.append(Group("a patched name of the library ({})", _all_of(PATCHES), [*PATCHES, *PATCHES]))
        for path, value in list(PATCHES.items()):
            self.reach(value, path)

    def run(self) -> None:
        """Walk."""
        while self._todo or self._resolve():
            if len(self._known) > OBJECTS:
                self.refuse(f"it can reach more than {OBJECTS:,} objects")
                return
            value, path = self._todo.pop()
            self._visit(value, path)

    def groups(self) -> tuple[list[Group], list[Group]]:
        """What to compare before each replay, and what only when the engine says that something was changed."""
        spaces = [group for holder in self._holders.values() if (group := self._group_of(holder)) is not None]
        often = [self._own(), *self._often, *spaces]
        if sum(len(group.expected) for group in often) > ELEMENTS:
            largest = max(often, key=lambda group: len(group.expected))
            self.refuse(
                f"{largest.path.format('…')} and all else that it can read have more than {ELEMENTS:,} elements"
            )
        return often, self._seldom

    def _own(self) -> Group:
        """What functions close over, their code and their defaults."""
        functions, cells = self._functions, [cell for cell, _ in self._cells]
        names = [name for _, name in self._cells] + [
            f"the code or the defaults of {f.__name__}" for f in functions for _ in range(3)
        ]

        def read() -> list[Any]:
            found = [cell.cell_contents for cell in cells]
            for f in functions:
                found += f.__code__, f.__defaults__, f.__kwdefaults__
            return found

        return Group("{}", read, names)

    # ------------------------------------------------------------------------------------------------------ namespaces

    def _hold(self, holder: _Holder, owner: Any = None) -> None:
        """Follow the names of a namespace; `owner` says whose it is, where the mapping itself is but a view."""
        key = id(holder.mapping if owner is None else owner)
        self._known.setdefault(key, holder.mapping if owner is None else owner)
        known = self._holders.setdefault(key, holder)
        known.names.update(holder.names)
        if holder.attributes and not known.attributes:
            self._holders[key] = known._replace(attributes=True)

    def _hold_class(self, cls: type, constructors: bool = False) -> None:
        """The members of a class that code names, and those that Python calls by itself."""
        for base in cls.__mro__:
            members = vars(base)
            if not is_trusted(base.__module__):
                special = {name for name, member in members.items() if _is_special(name, member, constructors)}
                self._hold(_Holder(members, f"{base.__name__}.{{}}", special), base)
                self._dynamic |= "__getattr__" in members or "__getattribute__" in members

    def _whole(self, holder: _Holder) -> bool:
        return holder.all or (self._dynamic and holder.attributes)

    def _wanted(self, holder: _Holder) -> set[str]:
        return holder.names | self._attributes if holder.attributes else holder.names

    def _names(self, holder: _Holder) -> list[str]:
        """The names of a namespace that count and are there, in its order."""
        if self._whole(holder):
            return list(holder.mapping)
        wanted = self._wanted(holder)
        return [name for name in list(holder.mapping) if name in wanted]

    def _resolve(self) -> bool:
        """Reach what namespaces hold under names that have come up since. Whether there was anything."""
        for key, holder in list(self._holders.items()):
            done = self._resolved.setdefault(key, set())
            for name in self._names(holder):
                if name not in done:
                    done.add(name)
                    self.reach(holder.mapping[name], holder.path.format(name))
        return bool(self._todo)

    def _group_of(self, holder: _Holder) -> Group | None:
        mapping, names = holder.mapping, self._names(holder)
        if self._whole(holder):
            return Group(holder.path, _all_of(mapping), [*names, *names])
        absent = frozenset(self._wanted(holder).difference(names)) if holder.absence else frozenset()
        return Group(holder.path, _reader(mapping, names, absent), names) if names or absent else None

    # -------------------------------------------------------------------------------------------------- kinds of values

    def _visit(self, value: Any, path: str) -> None:
        for kinds, visit in self._VISITS:
            if isinstance(value, kinds):
                visit(self, value, path)
                return
        self._visit_object(value, path)

    def _visit_stateless(self, value: Any, path: str) -> None:
        if isinstance(value, (operator.attrgetter, operator.methodcaller)):
            self._dynamic = True
        self._hold_class(type(value))

    def _visit_tensor(self, value: Variable, path: str) -> None:
        self.tensors[id(value)] = value
        # A change of what the engine takes for granted calls `engine.reconfigured()`.
        self._seldom.append(Group(path, lambda: _kind_of(value)))

    def _visit_array(self, value: np.ndarray, path: str) -> None:
        self._bytes += value.nbytes
        if self._bytes > BYTES or value.dtype.hasobject:
            fix = "make it a tensor once (tg.tensor), or pass it as an argument"
            self.refuse(f"Python can read the numbers of the ndarray {path} {value.shape}: {fix}")
        else:
            self._often.append(Group(path, lambda: (value.dtype, value.shape, value.tobytes())))

    def _visit_generator(self, value: Any, path: str) -> None:
        self.generators.append(value)
        self._hold_class(type(value))

    def _visit_function(self, value: types.FunctionType, path: str) -> None:
        self._hold(_Holder(vars(value), f"{path}.{{}}", set()))
        if self._ran is not None and value.__code__ not in self._ran:
            return
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                self.reach(cell.cell_contents, name)
                self._cells.append((cell, name))
            except ValueError:  # nothing in it yet
                self._often.append(Group(name, functools.partial(_content, cell)))
        for part in (value.__defaults__, value.__kwdefaults__):
            self.reach(part, f"a default of {path}")
        self.reach(getattr(value, "__wrapped__", None), path)
        if not is_library(value.__globals__):
            self._functions.append(value)
            self._read_code(value)
        elif value.__closure__:  # a library's function, which works on what it closes over
            self._read_code(value, globals=False)

    def _read_code(self, function: types.FunctionType, globals: bool = True) -> None:
        """The names that the code of a function uses."""
        for code in _codes_in(function.__code__):
            if self._ran is not None and code not in self._ran:
                continue
            self.codes.add(code)
            found = names_in(code)
            self._attributes |= found.attributes
            if globals:
                self._dynamic |= not DYNAMIC.isdisjoint(found.globals | found.attributes)
                names = set(found.globals)
                self._hold(_Holder(function.__globals__, "the global {}", names, attributes=False, absence=True))
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
        """What wraps a function, as the members of a class do."""
        for name in ("__func__", "__wrapped__", "func", "fget", "fset", "fdel"):
            self.reach(getattr(value, name, None), path)

    def _visit_module(self, value: types.ModuleType, path: str) -> None:
        if not is_trusted(value.__name__):
            self._hold(_Holder(vars(value), f"{value.__name__}.{{}}", set()))

    def _visit_class(self, value: type, path: str) -> None:
        self._hold_class(value, constructors=True)
        self._hold_class(type(value))

    def _visit_mapping(self, value: Mapping[Any, Any], path: str) -> None:
        self._often.append(Group(f"{path}[{{!r}}]", _all_of(value), [*value, *value]))
        for key, part in value.items():
            self.reach(key, path)
            self.reach(part, f"{path}[{key!r}]" if plain_key(key) is not None else path)
        self._visit_rest(value, path)

    def _visit_sequence(self, value: Any, path: str) -> None:
        if not isinstance(value, (tuple, frozenset)):
            self._often.append(Group(f"{path}[{{}}]", functools.partial(tuple, value)))
        for k, part in enumerate(value):
            self.reach(part, f"{path}[{k}]")
        self._visit_rest(value, path)

    def _visit_bytes(self, value: bytearray, path: str) -> None:
        self._often.append(Group(path, lambda: (bytes(value),)))

    def _visit_reference(self, value: weakref.ref, path: str) -> None:
        self._often.append(Group(path, lambda: (value(),)))
        self.reach(value(), path)

    def _visit_rest(self, value: Any, path: str) -> None:
        """What a container has besides its elements."""
        if isinstance(value, collections.defaultdict):
            self.reach(value.default_factory, path)
        if not is_trusted(type(value).__module__):
            self._hold_members(value, path)

    def _visit_object(self, value: Any, path: str) -> None:
        """Anything else."""
        kind = type(value)
        if kind.__name__ in ("lock", "RLock") or kind is object or hasattr(kind, "__get__"):
            self._hold_class(kind)
        elif kind.__module__ == "typing" or kind.__module__.startswith("numba"):
            pass
        elif not all(map(_is_followed, kind.__mro__)) or _is_stream(kind):
            self.refuse(f"{path} is of type {kind.__name__}, whose state can't be followed")
        elif hasattr(kind, "_compiled_reads"):
            reads = value._compiled_reads
            self._often.append(Group(f"{path}[{{}}]", reads))
            for part in reads():
                self.reach(part, path)
            self._hold_members(value, path, all=False)
        elif tells_of_changes(kind):
            self._visit_telling(value, path)
        else:
            self._hold_members(value, path, all=is_trusted(kind.__module__))

    def _hold_members(self, value: Any, path: str, all: bool = False) -> None:
        kind = type(value)
        self._hold_class(kind)
        if isinstance(attributes := getattr(value, "__dict__", None), dict):
            self._hold(_Holder(attributes, f"{path}.{{}}", set(), all=all, absence=True))
        if slots := [name for base in kind.__mro__ for name in _slots(base)]:
            self._often.append(Group(f"{path}.{{}}", lambda: [getattr(value, name, _MISSING) for name in slots], slots))
            for name in slots:
                self.reach(getattr(value, name, None), f"{path}.{name}")

    def _visit_telling(self, value: Any, path: str) -> None:
        """An object that calls `engine.reconfigured()` whenever one of its attributes changes."""
        self._hold_class(type(value))
        attributes = vars(value)
        self._seldom.append(Group(f"{path}.{{}}", _all_of(attributes), [*attributes, *attributes]))
        for name, part in list(attributes.items()):
            if name not in type(value)._told:
                self.reach(part, f"{path}.{name}")
            elif part:
                self._seldom.append(Group(f"{path}.{name}", _all_of(part)))

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
    return tensor._requires_grad, tensor._data.dtype, tensor._data.shape, tensor._node is None, bool(tensor._hooks)


def is_trusted(module: Any) -> bool:
    """Whether code of this module is a library's of which results follow from arguments, or which tells of changes."""
    return isinstance(module, str) and (module.partition(".")[0] in TRUSTED or module.startswith("namedtuple_"))


def is_library(space: dict[str, Any]) -> bool:
    """Whether code with these globals is such a library's, and not a user's that bears its name: an example's."""
    name = space.get("__name__")
    return is_trusted(name) and (name not in sys.modules or vars(sys.modules[name]) is space)


def tells_of_changes(kind: type) -> bool:
    """Whether objects of this class call `engine.reconfigured()` when an attribute changes."""
    owner = next((base for base in kind.__mro__ if "_told" in vars(base)), None)
    return owner is not None and all(
        getattr(kind, name) is vars(owner)[name] for name in ("__setattr__", "__delattr__")
    )


def _is_special(name: str, member: Any, constructors: bool) -> bool:
    """Whether Python may call a member of a class without its name in the code."""
    if name == "forward":
        return True
    if not (name.startswith("__") and name.endswith("__")) or name in NEVER_RUN:
        return False
    callable_ = isinstance(member, (types.FunctionType, *WRAPPERS))
    return callable_ and (constructors or name not in CONSTRUCTORS)


def _is_followed(base: type) -> bool:
    """Whether what a class adds to an object's state lies in attributes."""
    made_by_python = any("__dict__" in vars(cls) or "__slots__" in vars(cls) for cls in base.__mro__)
    return base in _BASES_IN_C or (bool(base.__flags__ & _HEAP_TYPE) and made_by_python and base is not threading.local)


def _is_stream(kind: type) -> bool:
    """Whether reading from an object uses it up, by code that isn't Python's."""
    step = getattr(kind, "__next__", None)
    return step is not None and not isinstance(step, types.FunctionType)


def _slots(cls: type) -> Sequence[str]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _content(cell: types.CellType) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _all_of(mapping: Mapping[Any, Any]) -> Callable[[], Sequence[Any]]:
    return lambda: [*mapping, *mapping.values()]


def _reader(mapping: Mapping[str, Any], names: Sequence[str], absent: frozenset[str]) -> Callable[[], Sequence[Any]]:
    """A function that gives what stands under the names, and raises if one isn't there or an absent one is."""
    get = operator.itemgetter(*names, names[0]) if names else None  # a tuple of one, too
    free = mapping.keys().isdisjoint

    def read() -> Sequence[Any]:
        if absent and not free(absent):
            raise LookupError
        return () if get is None else get(mapping)

    return read


class Names(NamedTuple):
    """The names that code uses, without those of functions within it."""

    globals: frozenset[str]
    attributes: frozenset[str]
    modules: frozenset[str]


@functools.lru_cache(4096)
def names_in(code: types.CodeType) -> Names:
    """The names that code uses."""
    found: dict[str, set[str]] = {"globals": set(), "attributes": set(), "modules": set()}
    for instruction in dis.get_instructions(code):
        if (kind := _kind_of_name(instruction.opname)) is not None:
            found[kind].add(instruction.argval)
    # `case Point(x=0)` keeps its names in a tuple.
    texts = {text for value in code.co_consts if type(value) is tuple for text in value if type(text) is str}
    return Names(frozenset(found["globals"]), frozenset(found["attributes"] | texts), frozenset(found["modules"]))


def _codes_in(code: types.CodeType) -> Iterable[types.CodeType]:
    """The code itself, and that of functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes_in(constant)


def _kind_of_name(opname: str) -> str | None:
    if opname == "IMPORT_NAME":
        return "modules"
    if opname.endswith(("_GLOBAL", "_NAME")):
        return "globals"
    return "attributes" if opname.endswith(("_ATTR", "_METHOD")) or opname == "IMPORT_FROM" else None
