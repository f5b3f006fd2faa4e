"""Which tensors share memory, and which of its values backward still needs.

An in-place change writes the memory itself, so all tensors that share it see the new values. Two classes keep track:
`Version` tells whether a value saved for backward has changed since, and `Aliases` gives all tensors of the memory the
same history.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from tensorgrad.autograd.places import address, bounds
from tensorgrad.system.forks import wait_for

if TYPE_CHECKING:
    from tensorgrad.autograd.node import Node
    from tensorgrad.autograd.variable import Variable

# Reentrant: the garbage collector may run a finalizer that makes tensors while we hold it.
_lock = threading.RLock()
wait_for(_lock)


# ------------------------------------------------------------------------------------------------------------ versions


class Version:
    """The values of a memory between two changes. A tensor refers to the present version, a saved value to its own.

    Attributes:
        current: whether the memory still holds these values.
        copy: the memory's bytes as they were, and the address of the first; None if the change kept no copy.
        owner: the object that owns the memory, if the user has it as an ndarray: other tensors may be made around it.
    """

    # Defaults of the class, without an `__init__`: most recorded ops make a version, and few versions ever change.
    current: bool = True
    copy: tuple[np.ndarray, int] | None = None
    owner: Any = None

    def value(self, array: np.ndarray) -> np.ndarray | None:
        """The values of `array`, a part of the memory, in this version; None if they are lost."""
        if self.current or not array.size:
            return array
        if self.copy is None:
            return None
        memory, low = self.copy
        start, end = bounds(array)
        if start < low or end > low + memory.size:  # a change through another tensor of the owner has kept only its own
            return None
        return np.ndarray(array.shape, array.dtype, memory, address(array) - low, array.strides)


class _Unasked(Version):
    """What a tensor around a user's array holds until somebody asks for its version."""

    current = False


UNASKED = _Unasked()

# The present version of each memory that a user holds as an array, by the identity of its owner, which it keeps alive.
# Dead references are dropped when there are more than `_most_owners`.
_of_owners: dict[int, ref[Version]] = {}
_most_owners = 1024


def version_of(x: Variable) -> Version:
    """The present version of the memory of `x`: all tensors that share it hold the same one.

    A tensor made around an ndarray may refer to an earlier version: a change through another tensor of that array
    doesn't find it.
    """
    version = x._version
    if version is None or not version.current:
        with _lock:
            version = x._version
            if version is None and x._aliases is None:  # nobody shares its memory: the usual case
                version = x._version = Version()
            elif version is None or not version.current:
                owner = None if version is None else _owner_of(x._data) if version is UNASKED else version.owner
                version = x._version = Version() if owner is None else _present(owner)
                for tensor in sharers(x) if x._aliases is not None else ():
                    tensor._version = version
    return version


def note_array(x: Variable) -> None:
    """A user holds the memory of `x` as an ndarray: all tensors around it, or views of it, share its version."""
    version = x._version
    if version is UNASKED or (version is not None and version.owner is not None):
        return
    if version is None and x._aliases is None:
        x._version = UNASKED
        return
    with _lock:
        version = x._version
        if version is None:
            for tensor in sharers(x):
                tensor._version = UNASKED
        elif _known(owner := _owner_of(x._data)) is None:
            version.owner = owner
            _of_owners[id(owner)] = ref(version)


def _owner_of(array: np.ndarray) -> Any:
    """The object that owns the memory of `array`: the end of its chain of bases, an ndarray or anything else."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def _present(owner: Any) -> Version:
    """The present version of the memory of `owner`."""
    version = _known(owner)
    return _next(owner) if version is None else version


def _known(owner: Any) -> Version | None:
    """The present version of the memory of `owner`, if there is one."""
    reference = _of_owners.get(id(owner))
    version = None if reference is None else reference()
    return version if version is not None and version.current else None


def _next(owner: Any) -> Version:
    """A new version of the memory of `owner`."""
    global _most_owners
    version = Version()
    version.owner = owner
    _of_owners[id(owner)] = ref(version)
    if len(_of_owners) > _most_owners:
        for key, reference in list(_of_owners.items()):
            if reference() is None:
                _of_owners.pop(key, None)
        _most_owners = max(1024, 2 * len(_of_owners))
    return version


def begin_version(x: Variable, keep: bool) -> bool:
    """Begin a new version: the memory of `x` is about to be written, so values saved from it are out of date.

    With `keep`, the old bytes are copied if something saved them, so that backward still finds them.

    Returns:
        Whether a copy was taken.
    """
    version = x._version
    if version is None:  # nothing was saved since the last change
        return False
    if version is UNASKED:
        owner = x._data if x._data.base is None else _owner_of(x._data)
        if id(owner) not in _of_owners or _known(owner) is None:  # no tensor around this array had a value saved
            return False
    if not version.current:
        version = version_of(x)
    if version.owner is not None and sys.getrefcount(version) <= _ONE_NAME + 1:  # only x refers to it
        return False
    following = None if version.owner is None else UNASKED
    if x._aliases is None and not keep:  # the same as below in fewer calls, for a parameter without views
        x._version, version.current = following, False
        return False
    for tensor in sharers(x):
        tensor._version = following
    try:
        # The other references to the version are saved values, or other tensors of the owner.
        if keep and sys.getrefcount(version) > _ONE_NAME:
            version.copy = _bytes_of(x._data if x._aliases is None else x._aliases.array)
    finally:
        version.current = False
    return version.copy is not None


def _names_of_one() -> int:
    version = Version()
    return sys.getrefcount(version)


# What `sys.getrefcount` reads for an object that one local variable holds and nothing else.
_ONE_NAME = _names_of_one()


class _Bytes:
    """Memory by its address, for NumPy."""

    def __init__(self, low: int, count: int) -> None:
        self.__array_interface__ = {"data": (low, True), "shape": (count,), "typestr": "|u1", "version": 3}


def _bytes_of(array: np.ndarray) -> tuple[np.ndarray, int]:
    """A copy of the bytes from an array's first to its last, whatever its strides; and the address of the first."""
    low, high = bounds(array)
    return np.array(_Bytes(low, high - low)), low


# ------------------------------------------------------------------------------------------------------------- aliases


class _Sharers(list):
    """Weak references to the tensors of one memory. Dead ones are dropped when there are more than `limit`."""

    __slots__ = ("limit",)
    limit: int


class Aliases:
    """The tensors that share a memory and its history: a tensor, and its views.

    `detach()` begins another history over the same memory.

    Attributes:
        array: the whole; the others are views of it.
        node: made the present values of the whole; None if it has no history (or is a leaf).
        sharers: all tensors of the memory, those of other histories too.
        origins: the histories that this one was detached from, directly or through others.
        explicit: whether the user called `detach()`; False where `no_grad()` began the history.
    """

    __slots__ = ("__weakref__", "array", "explicit", "node", "origins", "sharers")

    def __init__(
        self, array: np.ndarray, node: Node | None, sharers: _Sharers, origins: tuple[ref, ...] = (), explicit=True
    ) -> None:
        self.array = array
        self.node = node
        self.sharers = sharers
        self.origins = origins
        self.explicit = explicit

    def comes_from(self, other: Aliases) -> bool:
        """Whether this history was detached from the other: what changes there is a constant here."""
        return any(origin() is other for origin in self.origins)


def add_view(view: Variable, x: Variable) -> None:
    """`view` shares the memory and the history of `x`."""
    view._aliases = aliases = x._aliases or _begin_aliases(x)
    _join(view, x, aliases.sharers)


def add_detached(alias: Variable, x: Variable, explicit: bool = True) -> None:
    """`alias` shares the memory of `x`, and begins a history of its own."""
    aliases = x._aliases or _begin_aliases(x)
    origins = (*aliases.origins, ref(aliases))
    alias._aliases = Aliases(alias._data, None, aliases.sharers, origins, explicit)
    _join(alias, x, aliases.sharers)


def add_stranger(tensor: Variable, x: Variable) -> None:
    """`tensor` shares the memory of `x`. How their histories are related isn't known: neither may change recorded."""
    aliases = x._aliases or _begin_aliases(x)
    tensor._aliases = Aliases(tensor._data, tensor._node, aliases.sharers, explicit=False)
    _join(tensor, x, aliases.sharers)


def _begin_aliases(x: Variable) -> Aliases:
    with _lock:
        if x._aliases is None:
            sharers = _Sharers((ref(x),))
            sharers.limit = 32
            x._aliases = Aliases(x._data, x._node, sharers)
        return x._aliases


def _join(tensor: Variable, x: Variable, sharers: _Sharers) -> None:
    sharers.append(ref(tensor))
    # Only now: `version_of` in another thread may just have given a version to all tensors that it found.
    if x._version is not None:
        tensor._version = x._version
    if len(sharers) > sharers.limit:
        with _lock:  # appending needs none
            known = len(sharers)
            sharers += [reference for reference in sharers[:known] if reference() is not None]
            del sharers[:known]
            sharers.limit = max(32, 2 * len(sharers))


def sharers(x: Variable) -> Iterator[Variable]:
    """The living tensors that share the memory of `x`, itself first."""
    yield x
    aliases = x._aliases
    if aliases is None:
        return
    for reference in aliases.sharers.copy():
        tensor = reference()
        if tensor is None or tensor is x or tensor._aliases is None:
            continue
        if tensor._aliases.sharers is aliases.sharers:  # else its data has been replaced since
            yield tensor


def leave(x: Variable) -> None:
    """Note that `x` is about to get another array, and no longer shares the memory of the old one."""
    begin_version(x, keep=False)
    x._aliases = x._version = None
