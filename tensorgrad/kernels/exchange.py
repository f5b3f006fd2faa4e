"""How processes exchange arrays through memory that they share: each writes its own, and adds up what all have written.

A core that writes to a cache line which another has read waits until that one has given it up, and the farther apart
the two cores are, the longer. So what is written goes past the caches. docs/distributed.md has figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numba import carray

from tensorgrad.arrays.memory import addresses
from tensorgrad.kernels.fallback.exchange import LINE, portions
from tensorgrad.kernels.jit.dispatch import helper, kernel, run
from tensorgrad.kernels.jit.views import pointer
from tensorgrad.kernels.simd import streams

Arrays = Sequence[np.ndarray]
"""C-contiguous and writable arrays of one dtype, float32 or float64."""


class Table(NamedTuple):
    """Where what is exchanged lies. The arrays must outlive it."""

    own: np.ndarray
    """The addresses of the arrays that this process writes for the others."""
    out: np.ndarray
    """The addresses of the arrays that get the results: the same, or others, no two of which overlap."""

    @classmethod
    def of(cls, arrays: Arrays, out: Arrays) -> Table:
        """The table of these arrays."""
        return cls(np.array(addresses(arrays)), np.array(addresses(out)))


def write(table: Table, portion: np.ndarray, shared: np.ndarray) -> None:
    """Write a portion of the arrays for the other processes.

    Args:
        table: what is exchanged.
        portion: which pieces of it, and where each is written: see `fallback.exchange.portions`.
        shared: the memory that the others read, from the beginning of a cache line on.
    """
    run(_write, (table.own, portion, shared), 1)


def add(table: Table, written: Arrays, rank: int, portion: np.ndarray, factor: float) -> None:
    """Add up what all processes have written, in the order of their ranks, times a factor.

    Args:
        table: what is exchanged.
        written: what the processes have written, in the order of their ranks.
        rank: that of this process.
        portion: as for `write`.
        factor: what each sum is multiplied by.
    """
    like = written[0]
    run(_add, (*table, portion, np.array(addresses(written)), rank, like.dtype.type(factor), like), 1)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Small calls of the kernels, for the warm-up."""
    x, (portion,) = np.ones(3, dtype), portions((3,), 16, np.dtype(dtype).itemsize)
    shared = np.empty(128, dtype)
    shared = shared[-shared.ctypes.data % LINE // shared.itemsize :]
    yield "write", lambda: write(Table.of([x], [x]), portion, shared)
    yield "add", lambda: add(Table.of([x], [x]), [shared, shared], 0, portion, 0.5)


@kernel
def _write(own, portion, shared, index, chunks):
    for which, offset, start, size in portion:
        streams.copied(_elements(own[which], offset, size, shared), 0, shared, start, size)


@kernel
def _add(own, out, portion, sources, rank, factor, like, index, chunks):
    for which, offset, start, size in portion:
        z = _elements(out[which], offset, size, like)
        if len(sources) > 2:
            x, y = _elements(sources[0], start, size, like), _elements(sources[1], start, size, like)
        else:  # of two numbers the order doesn't matter, and our own are in a cache
            x, y = _elements(own[which], offset, size, like), _elements(sources[1 - rank], start, size, like)
        if len(sources) == 2 and own[which] == out[which]:
            for k in range(size):  # as below; LLVM makes vectors only where it knows that z is x, or isn't
                z[k] = (z[k] + y[k]) * factor
            continue
        last = factor if len(sources) == 2 else like.dtype.type(1)
        for k in range(size):
            z[k] = (x[k] + y[k]) * last
        for other in range(2, len(sources)):
            y = _elements(sources[other], start, size, like)
            last = factor if other == len(sources) - 1 else like.dtype.type(1)
            for k in range(size):
                z[k] = (z[k] + y[k]) * last


@helper
def _elements(address, start, size, like):
    """So many elements from `start` on of what begins at an address, of the dtype of `like`."""
    return carray(pointer(address + start * like.itemsize, like), size)
