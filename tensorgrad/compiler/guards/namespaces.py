"""Namespaces that code uses, modules' globals, attributes of objects, members of classes: which names are followed."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tensorgrad.compiler.guards.kinds import WRAPPERS
from tensorgrad.compiler.guards.snapshot import Snapshot, all_of
from tensorgrad.compiler.guards.trust import is_trusted

CONSTRUCTORS = frozenset(("__init__", "__new__", "__post_init__"))
NEVER_RUN = frozenset(
    ("__repr__", "__str__", "__del__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__")
)


class Namespace(NamedTuple):
    """A namespace. Names in it are followed if code mentions them.

    Attributes:
        names: those that are always followed, such as the globals that code loads.
        attributes: whether names of attributes in reached code are followed too.
        all: whether all its names are followed.
        absence: whether a name that is absent now must stay absent.
    """

    mapping: Mapping[str, Any]
    path: str
    names: set[str]
    attributes: bool = True
    all: bool = False
    absence: bool = False


class Namespaces:
    """The namespaces of one traversal.

    Attributes:
        attributes: the names that reached code uses.
        dynamic: whether reached code may use any name.
    """

    def __init__(self, known: dict[int, Any]) -> None:
        self.attributes: set[str] = set()
        self.dynamic = False
        self._known = known  # the objects of the traversal by identity, kept alive: a mapping isn't visited by itself
        self._namespaces: dict[int, Namespace] = {}
        self._resolved: dict[int, set[str]] = {}

    def follow(self, namespace: Namespace, owner: Any = None) -> None:
        """Follow the names of a namespace; `owner` is the class where the mapping is only a view of it."""
        key = id(namespace.mapping if owner is None else owner)
        self._known.setdefault(key, namespace.mapping if owner is None else owner)
        known = self._namespaces.setdefault(key, namespace)
        known.names.update(namespace.names)
        if namespace.attributes and not known.attributes:
            self._namespaces[key] = known._replace(attributes=True)

    def follow_class(self, cls: type, constructors: bool = False) -> None:
        """The members of a class that code names, and those that Python calls by itself."""
        for base in cls.__mro__:
            members = vars(base)
            if not is_trusted(base.__module__):
                special = {name for name, member in members.items() if _is_special(name, member, constructors)}
                self.follow(Namespace(members, f"{base.__name__}.{{}}", special), base)
                self.dynamic |= "__getattr__" in members or "__getattribute__" in members

    def _whole(self, namespace: Namespace) -> bool:
        return namespace.all or (self.dynamic and namespace.attributes)

    def _wanted(self, namespace: Namespace) -> set[str]:
        return namespace.names | self.attributes if namespace.attributes else namespace.names

    def _names(self, namespace: Namespace) -> list[str]:
        """The names of a namespace that are followed and exist, in its order."""
        if self._whole(namespace):
            return list(namespace.mapping)
        wanted = self._wanted(namespace)
        return [name for name in list(namespace.mapping) if name in wanted]

    def new_values(self) -> Iterator[tuple[Any, str]]:
        """What namespaces hold under names found since the last time: each value, and its path."""
        for key, namespace in list(self._namespaces.items()):
            done = self._resolved.setdefault(key, set())
            for name in self._names(namespace):
                if name not in done:
                    done.add(name)
                    yield namespace.mapping[name], namespace.path.format(name)

    def snapshots(self) -> list[Snapshot]:
        """One for each namespace whose names are followed."""
        found = [self._snapshot_of(namespace) for namespace in self._namespaces.values()]
        return [snapshot for snapshot in found if snapshot is not None]

    def _snapshot_of(self, namespace: Namespace) -> Snapshot | None:
        mapping, names = namespace.mapping, self._names(namespace)
        if self._whole(namespace):
            return Snapshot(namespace.path, all_of(mapping), [*names, *names])
        absent = frozenset(self._wanted(namespace).difference(names)) if namespace.absence else frozenset()
        return Snapshot(namespace.path, _reader(mapping, names, absent), names) if names or absent else None


def _is_special(name: str, member: Any, constructors: bool) -> bool:
    """Whether Python may call a member of a class without its name in the code."""
    if name == "forward":
        return True
    if not (name.startswith("__") and name.endswith("__")) or name in NEVER_RUN:
        return False
    callable_ = isinstance(member, (types.FunctionType, *WRAPPERS))
    return callable_ and (constructors or name not in CONSTRUCTORS)


def _reader(mapping: Mapping[str, Any], names: Sequence[str], absent: frozenset[str]) -> Callable[[], Sequence[Any]]:
    """A function that returns the values of the names, and raises if one is missing or an absent one exists."""
    get = operator.itemgetter(*names, names[0]) if names else None  # a tuple of one, too
    free = mapping.keys().isdisjoint

    def read() -> Sequence[Any]:
        if absent and not free(absent):
            raise LookupError
        return () if get is None else get(mapping)

    return read
