"""Which launches of a command list need no barrier between them: those that cut their work in the same way.

A thread that has done its chunk of a launch waits for the others, since the next launch may read what they write. It
needn't where each chunk of the next launch reads what the same chunk has written, and no other memory that the launch
changes: a convolution, then what follows elementwise. Such launches are one *chain*: a thread does its chunk of all of
them, and what it has just written is still in its own cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.jit.opaque import extent

Range = tuple[int, int]
"""An array's memory: the address where it begins, and that behind its end."""


class Partition(NamedTuple):
    """How the chunks of a launch share out arrays (N, K, P): images, bands of a plane's elements, ranges of planes.

    The units (n, band, j), j fastest, are shared out evenly and in order. A unit is the elements from band · length to
    (band + 1) · length of the planes from starts[j] to starts[j + 1]. `size` is P; where planes are whole, both are 0.
    """

    images: int
    starts: tuple[int, ...]
    size: int = 0
    length: int = 0

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it shares out arrays of this shape (N, K, P)."""
        images, planes, size = shape
        return (images, planes) == (self.images, self.starts[-1]) and self.size in (0, size)

    def among(self, chunks: int) -> Partition:
        """The same for so many chunks: of whole planes only those where a chunk begins, so equal ones are told."""
        if self.length or not self.images:
            return self
        cuts = len(self.starts) - 1
        units = [self.images * cuts * index // chunks for index in range(chunks + 1)]
        return Partition(1, tuple([unit // cuts * self.starts[-1] + self.starts[unit % cuts] for unit in units]))


class Access(NamedTuple):
    """What a launch of several chunks does to its arrays; those that aren't named are only read.

    Attributes:
        partition: how the chunks share out the arrays `own`: each reads and writes its own part alone.
        own: these arrays.
        written: the arrays that the launch writes, in `own` or not.
    """

    partition: Partition
    own: tuple
    written: tuple


class Memory(NamedTuple):
    """The memory of a launch: what it may read, what it may write, and what its chunks share out by a partition."""

    read: frozenset[Range]
    written: frozenset[Range]
    partition: Partition | None = None
    own: frozenset[Range] = frozenset()


def memory_of(
    arrays: Iterable[np.ndarray], access: Access | None = None, own: Iterable = (), written: Iterable = ()
) -> Memory:
    """The memory of a launch with these arguments: without an `access` it may write all of them."""
    ranges = _ranges(arrays)
    if access is None:
        return Memory(ranges, ranges)
    return Memory(ranges, _ranges(written), access.partition, _ranges(own))


def _ranges(arrays: Iterable[np.ndarray]) -> frozenset[Range]:
    found = []
    for x in arrays:
        count, first = extent(x.shape, x.strides, x.itemsize)
        begin = x.ctypes.data - first * x.itemsize
        found.append((begin, begin + count * x.itemsize))
    return frozenset(found)


def follows(launch: Memory, chain: Sequence[Memory]) -> bool:
    """Whether a chunk of this launch may run when the same chunk of all launches of a chain has run, and no other."""
    return launch.partition is not None and all(
        before.partition == launch.partition
        and apart(launch.read, before.written, before.own & launch.own)
        and apart(launch.written, before.read | before.written, before.own & launch.own)
        for before in chain
    )


def apart(ranges: Iterable[Range], others: Iterable[Range], allowed: Iterable[Range] = ()) -> bool:
    """Whether no range overlaps one of the others; the ranges `allowed` may be equal."""
    return not any(
        begin < end and start < stop and not (one == other and one in allowed)
        for one in ranges
        for other in others
        for begin, stop, start, end in [(*one, *other)]
    )
