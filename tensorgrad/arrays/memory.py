"""A pool of reusable buffers: fresh memory costs a page fault per 4 KiB, many times what writing to it costs.

Nothing is ever given back by hand. An array from `empty` is a view whose `.base` is its buffer, and so are all views
of it, so a buffer that nothing but the pool refers to is free; its reference count tells.
"""

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

ALIGNMENT = 64  # bytes: one cache line, and the widest vector there is
SMALLEST = 32 * 1024  # bytes: below, malloc reuses memory well by itself
FEW = SMALLEST // 16  # numbers that take less than that, complex ones too
LIMIT = 1024**3  # bytes that the pool holds at most, in use and free together
SWEEP = 4096  # arrays handed out until the pool drops the free buffers of sizes that weren't asked for meanwhile
LOOKS = range(4)  # of a size so many buffers are looked at before a new one is made, the one longest in use first


class Statistics(NamedTuple):
    """What the pool holds and how often it could help."""

    held_bytes: int
    buffers: int
    reused: int
    created: int


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array with whatever contents: C-contiguous, from 32 KiB on aligned to 64 bytes and in reused memory.

    >>> a = empty((64, 32, 28, 28), np.float32)
    >>> a.shape, a.dtype.name, a.ctypes.data % 64
    ((64, 32, 28, 28), 'float32', 0)
    """
    if _thread.arena is not None:
        return _thread.arena.take(shape, np.dtype(dtype))
    count = prod(shape)
    if count < FEW:  # as below, in half the time
        return np.empty(shape, dtype)
    dtype = np.dtype(dtype)
    size = count * dtype.itemsize
    if not SMALLEST <= size <= LIMIT // 4 or dtype.hasobject:
        return np.empty(shape, dtype)
    return _pool.take(shape, dtype, size)


_Start = ctypes.c_char * 0


def addresses(arrays: Iterable[np.ndarray]) -> list[int]:
    """Where each of some writable, contiguous arrays starts."""
    # A fifth of the time of `array.ctypes.data`: an optimizer asks it for three arrays of every parameter.
    return list(map(ctypes.addressof, map(_Start.from_buffer, arrays)))


def owned(array: np.ndarray, references: int | None = None) -> bool:
    """Whether nothing else refers to the memory of `array`, which one attribute of one object holds.

    So it is no view of an array that somebody has, and nobody has a view of it: it can change hands without a copy.
    A caller that holds the array in another way tells what `references` says there of one that nobody else has.
    """
    base = array.base
    if sys.getrefcount(array) != (_HELD if references is None else references):
        return False
    return base is None or (_pool.made(base) and _references((base, 0)) == _IN_USE)


def references(array: np.ndarray) -> int:
    """How often an array is referred to, as `owned` counts."""
    return sys.getrefcount(array)


class _Holder:
    __slots__ = ("array",)


def clear() -> None:
    """Let go of every buffer. Arrays in use keep their memory, which is freed with them."""
    _pool.clear()


def empty_cache() -> None:
    """Give back the memory that is kept for arrays to come, up to 1 GiB: `tg.empty_cache()`.

    Results lie in buffers of a pool, which takes them back when nothing refers to them any longer. It gives up by
    itself the free ones of a size that wasn't asked for while 4096 arrays were made. What compiled functions keep for
    their replays is freed by `CompiledFunction.clear`.

    >>> import tensorgrad as tg
    >>> x = tg.zeros(512, 512).relu()
    >>> del x
    >>> tg.empty_cache()
    """
    clear()


def statistics() -> Statistics:
    """What the pool holds now, and its counts of buffers reused and created since the last `clear`."""
    return _pool.statistics()


# A buffer with the position of its first aligned byte.
Slot = tuple[np.ndarray, int]


def _references(slot: Slot) -> int:
    return sys.getrefcount(slot[0])


def _new_slot(size: int) -> Slot:
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    return buffer, -buffer.ctypes.data % ALIGNMENT


# What `_references` reads when nothing but its slot refers to a buffer: measured, since interpreters count differently.
_IDLE = _references(_new_slot(1))


class _Pool:
    """Buffers by size class, in each class the one handed out longest ago first."""

    def __init__(self) -> None:
        # Reentrant: the garbage collector may run a finaliser that allocates while we hold it.
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._classes: dict[int, deque[Slot]] = {}
            self._held = self._reused = self._created = 0
            self._until_sweep, self._asked_for = SWEEP, set[int]()

    def statistics(self) -> Statistics:
        with self._lock:
            count = sum(len(slots) for slots in self._classes.values())
            return Statistics(self._held, count, self._reused, self._created)

    def take(self, shape: tuple[int, ...], dtype: np.dtype, size: int) -> np.ndarray:
        """An array of `size` bytes in a buffer that nobody uses; made under the lock, for it is what marks it used."""
        rounded = _size_class(size)
        with self._lock:
            # Taken out and put back, so that the dictionary keeps the class least recently used in front.
            slots = self._classes.pop(rounded, None)
            slots = self._classes[rounded] = deque() if slots is None else slots
            self._asked_for.add(rounded)
            self._until_sweep -= 1
            if not self._until_sweep:
                self._sweep()
            for _ in LOOKS:
                if not slots:
                    break
                slot = slots[0]
                slots.rotate(-1)
                if _references(slot) == _IDLE:
                    self._reused += 1
                    return np.ndarray(shape, dtype, *slot)
            self._created += 1
            self._make_room(rounded)
            slot = _new_slot(rounded)
            if self._held + rounded <= LIMIT:
                slots.append(slot)
                self._held += rounded
            return np.ndarray(shape, dtype, *slot)

    def slots(self) -> list[Slot]:
        """All buffers."""
        with self._lock:
            return [slot for slots in self._classes.values() for slot in slots]

    def made(self, buffer: object) -> bool:
        """Whether this is one of the pool's buffers."""
        if type(buffer) is not np.ndarray:
            return False
        with self._lock:
            slots = self._classes.get(buffer.nbytes - ALIGNMENT, ())
            return any(slot[0] is buffer for slot in slots)

    def _make_room(self, size: int) -> None:
        """Drop free buffers, of the classes least recently used first, until `size` more bytes fit."""
        for rounded, slots in list(self._classes.items()):
            for _ in range(len(slots)):
                if self._held + size <= LIMIT:
                    return
                if _references(slots[0]) == _IDLE:
                    slots.popleft()
                    self._held -= rounded
                else:
                    slots.rotate(-1)

    def _sweep(self) -> None:
        """Drop the free buffers of sizes that weren't asked for since the last sweep."""
        for rounded in [size for size in self._classes if size not in self._asked_for]:
            slots = self._classes[rounded]
            left = deque(slot for slot in slots if _references(slot) != _IDLE)
            self._held -= rounded * (len(slots) - len(left))
            self._classes[rounded] = left
            if not left:
                del self._classes[rounded]
        self._until_sweep, self._asked_for = SWEEP, set()

    def after_fork(self) -> None:
        # Another thread of the parent may have held the lock, its work half done: start anew.
        self.__init__()


@lru_cache(maxsize=4096)
def _size_class(size: int) -> int:
    """`size` rounded up to one of eight steps per power of two: little is wasted, and near sizes share buffers."""
    step = 1 << max(size.bit_length() - 4, 0)
    return -(-size // step) * step


_pool = _Pool()


class ArenaFull(Exception):
    """An arena would hold more than it may."""


class Arena:
    """Memory that stays where it is for as long as the arena is: for arrays that are made again at the same places."""

    def __init__(self, limit: int) -> None:
        self._pool, self._limit = _Pool(), limit

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """As `empty`. Raises `ArenaFull`."""
        array = self._pool.take(shape, dtype, max(prod(shape) * dtype.itemsize, 1))
        if self._pool.statistics().held_bytes > self._limit:
            raise ArenaFull
        return array

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return self._pool.statistics().held_bytes

    def buffers(self) -> list[tuple[int, int]]:
        """Where each buffer begins, and how many bytes it has."""
        return [(buffer.ctypes.data + start, buffer.nbytes - start) for buffer, start in self._pool.slots()]

    def fill(self, byte: int) -> None:
        """Overwrite everything."""
        for buffer, _ in self._pool.slots():
            buffer.fill(byte)


class _Thread(threading.local):
    arena: Arena | None = None


_thread = _Thread()


@contextmanager
def drawn_from(arena: Arena) -> Iterator[None]:
    """Within, in this thread, `empty` takes its memory from the arena."""
    before, _thread.arena = _thread.arena, arena
    try:
        yield
    finally:
        _thread.arena = before


def _measured() -> tuple[int, int]:
    """What `owned` reads for an array of the pool that one attribute holds."""
    holder = _Holder()
    holder.array = empty((SMALLEST,), np.uint8)

    def look(array: np.ndarray) -> tuple[int, int]:
        base = array.base
        return sys.getrefcount(array), _references((base, 0))

    return look(holder.array)


_HELD, _IN_USE = _measured()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.after_fork)
