"""A pool of reusable buffers: fresh memory costs a page fault per 4 KiB, many times what writing to it costs.

Buffers are never released explicitly. An array from `empty` is a view whose `.base` is its buffer, as are all views of
it. So a buffer is free when its reference count says that only the pool refers to it.
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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

ALIGNMENT = 64  # bytes: one cache line, and the widest vector there is
SMALLEST = 32 * 1024  # bytes: smaller arrays come from malloc, which reuses memory well itself
FEW = SMALLEST // 16  # fewer elements than this take less than SMALLEST bytes in any dtype, complex included
LIMIT = 1024**3  # the most bytes in the pool, in use and free together
SWEEP = 4096  # the number of arrays until the pool drops free buffers of sizes that weren't requested meanwhile
TRIES = 4  # buffers of a size that are checked before a new one is allocated: so many of the newest, and of the oldest


class Statistics(NamedTuple):
    """The size of the pool, and how often it reused a buffer."""

    held_bytes: int
    buffers: int
    reused: int
    created: int


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An uninitialized array, C-contiguous; from 32 KiB on it is aligned to 64 bytes and in reused memory.

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
    """The addresses of writable, contiguous arrays."""
    # This takes a fifth of the time of `array.ctypes.data`; an optimizer needs it for three arrays per parameter.
    buffers: Iterable[Any] = arrays
    return list(map(ctypes.addressof, map(_Start.from_buffer, buffers)))


def owned(array: np.ndarray, references: int | None = None) -> bool:
    """Whether an array with a single reference, an attribute of one object, also has its memory to itself.

    Then it isn't a view of another array in use, and has no views: it can be donated instead of copied. A caller that
    refers to the array in another way passes `references`, the count there for an array with no other reference.
    """
    base = array.base
    if sys.getrefcount(array) != (_HELD if references is None else references):
        return False
    return base is None or (_pool.made(base) and _references((base, 0)) == _IN_USE)


def references(array: np.ndarray) -> int:
    """The reference count of an array, as `owned` counts."""
    return sys.getrefcount(array)


class _Holder:
    __slots__ = ("array",)
    array: np.ndarray


def clear() -> None:
    """Drop all buffers. Arrays in use keep their memory, which is freed with them."""
    _pool.clear()


def empty_cache() -> None:
    """Free the memory that is cached for further arrays, up to 1 GiB: `tg.empty_cache()`.

    The memory of results comes from a pool of buffers, which are reused when nothing refers to them any longer. The
    pool itself frees buffers of sizes that weren't requested while 4096 arrays were made. `CompiledFunction.clear`
    frees the memory that compiled functions keep for their replays.

    >>> import tensorgrad as tg
    >>> x = tg.zeros(512, 512).relu()
    >>> del x
    >>> tg.empty_cache()
    """
    clear()


def statistics() -> Statistics:
    """The current size of the pool, and the numbers of buffers reused and created since the last `clear`."""
    return _pool.statistics()


# A buffer with the position of its first aligned byte.
Slot = tuple[np.ndarray, int]


def _references(slot: tuple[object, int]) -> int:
    return sys.getrefcount(slot[0])


def _new_slot(size: int) -> Slot:
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    return buffer, -buffer.ctypes.data % ALIGNMENT


# The result of `_references` when only the slot refers to a buffer: measured, since interpreters count differently.
_IDLE = _references(_new_slot(1))


class _Pool:
    """Buffers by size class; in each class the one taken last is last.

    A free buffer that was in use a moment ago is still in a cache; an old one must come from memory. So the newest are
    checked first, and then the oldest, which are moved to the end: in time all buffers have their turn.

    Args:
        tries: how many of the newest buffers are checked, and how many of the oldest.
    """

    def __init__(self, tries: int = TRIES) -> None:
        self._tries = tries
        self.start_anew()

    def start_anew(self) -> None:
        """Begin with an unlocked lock and no buffers, as a forked child must: the parent may have held the lock."""
        # Reentrant: the garbage collector may run a finalizer that allocates while the lock is held.
        self._lock = threading.RLock()
        self._taking = False
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._classes: dict[int, deque[Slot]] = {}
            self._held = self._reused = self._created = 0
            self._until_sweep, self._requested = SWEEP, set[int]()

    def statistics(self) -> Statistics:
        with self._lock:
            count = sum(len(slots) for slots in self._classes.values())
            return Statistics(self._held, count, self._reused, self._created)

    def take(self, shape: tuple[int, ...], dtype: np.dtype, size: int) -> np.ndarray:
        """An array of `size` bytes in a free buffer; made under the lock, since its reference makes the buffer used."""
        rounded = _size_class(size)
        with self._lock:
            if self._taking:  # by a finalizer or a signal handler, amid a call of this thread: no buffer is taken twice
                return np.ndarray(shape, dtype, *_new_slot(rounded))
            self._taking = True
            try:
                return self._take(shape, dtype, rounded)
            finally:
                self._taking = False

    def _take(self, shape: tuple[int, ...], dtype: np.dtype, rounded: int) -> np.ndarray:
        # Popped and inserted again, so that the class used longest ago is first in the dictionary.
        slots = self._classes.pop(rounded, None)
        slots = self._classes[rounded] = deque() if slots is None else slots
        self._requested.add(rounded)
        self._until_sweep -= 1
        if not self._until_sweep:
            self._sweep()
        for k in range(1, min(self._tries, len(slots)) + 1):
            slot = slots[-k]
            if sys.getrefcount(slot[0]) == _IDLE:  # as _references, without the call
                self._reused += 1
                if k > 1:
                    del slots[-k]
                    slots.append(slot)
                return np.ndarray(shape, dtype, *slot)
        for _ in range(min(self._tries, len(slots) - self._tries)):
            slot = slots[0]
            slots.rotate(-1)
            if sys.getrefcount(slot[0]) == _IDLE:
                self._reused += 1
                return np.ndarray(shape, dtype, *slot)
        self._created += 1
        self._evict(rounded)
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
        """Whether `buffer` is one of the pool's buffers."""
        if type(buffer) is not np.ndarray:
            return False
        with self._lock:
            for slot in self._classes.get(buffer.nbytes - ALIGNMENT, ()):
                if slot[0] is buffer:
                    return True
        return False

    def _evict(self, size: int) -> None:
        """Drop free buffers, of the classes used longest ago first, until `size` more bytes fit."""
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
        """Drop the free buffers of sizes that weren't requested since the last sweep."""
        for rounded in [size for size in self._classes if size not in self._requested]:
            slots = self._classes[rounded]
            left = deque(slot for slot in slots if _references(slot) != _IDLE)
            self._held -= rounded * (len(slots) - len(left))
            self._classes[rounded] = left
            if not left:
                del self._classes[rounded]
        self._until_sweep, self._requested = SWEEP, set()


@lru_cache(maxsize=4096)
def _size_class(size: int) -> int:
    """`size` rounded up to one of eight steps per power of two: similar sizes share buffers, and little is wasted."""
    step = 1 << max(size.bit_length() - 4, 0)
    return -(-size // step) * step


_pool = _Pool()


class ArenaFull(Exception):
    """An arena would exceed its limit."""


class Arena:
    """Memory at fixed addresses for the life of the arena, for arrays that are made again at the same addresses."""

    def __init__(self, limit: int) -> None:
        self._pool, self._limit = _Pool(tries=sys.maxsize), limit

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """As `empty`. Raises `ArenaFull`."""
        array = self._pool.take(shape, dtype, max(prod(shape) * dtype.itemsize, 1))
        if self._pool.statistics().held_bytes > self._limit:
            raise ArenaFull
        return array

    @property
    def nbytes(self) -> int:
        """The size of the arena in bytes."""
        return self._pool.statistics().held_bytes

    def buffers(self) -> list[tuple[int, int]]:
        """The address and the size in bytes of each buffer."""
        return [(buffer.ctypes.data + start, buffer.nbytes - start) for buffer, start in self._pool.slots()]

    def fill(self, byte: int) -> None:
        """Overwrite all buffers."""
        for buffer, _ in self._pool.slots():
            buffer.fill(byte)


class _Thread(threading.local):
    arena: Arena | None = None


_thread = _Thread()


@contextmanager
def drawn_from(arena: Arena) -> Iterator[None]:
    """Within, `empty` takes its memory from the arena, in this thread."""
    before, _thread.arena = _thread.arena, arena
    try:
        yield
    finally:
        _thread.arena = before


def _measured() -> tuple[int, int]:
    """The reference counts that `owned` reads for an array of the pool with a single reference, an attribute."""
    holder = _Holder()
    holder.array = empty((SMALLEST,), np.uint8)

    def counts(array: np.ndarray) -> tuple[int, int]:
        base = array.base
        return sys.getrefcount(array), _references((base, 0))

    return counts(holder.array)


_HELD, _IN_USE = _measured()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.start_anew)
