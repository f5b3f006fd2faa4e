"""How processes exchange arrays through memory that they share: each writes its own, and adds up what all have written.

A core that writes to a cache line which another has read waits until that one has given it up, and the farther apart
the two cores are, the longer. So what is written goes past the caches. docs/distributed.md has figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numba import carray

from tensorgrad.arrays.memory import addresses
from tensorgrad.kernels.fallback.exchange import LINE, portions
from tensorgrad.kernels.jit.dispatch import helper, kernel, run
from tensorgrad.kernels.jit.views import pointer
from tensorgrad.kernels.simd import streams

Arrays = Sequence[np.ndarray]
"""C-contiguous and writable arrays of one dtype, float32 or float64."""


def write(arrays: Arrays, portion: np.ndarray, shared: np.ndarray) -> None:
    """Write a portion of the arrays for the other processes.

    Args:
        arrays: what is exchanged.
        portion: which pieces of them, and where each is written: see `fallback.exchange.portions`.
        shared: the memory that the others read, from the beginning of a cache line on.
    """
    run(_write, (np.array(addresses(arrays)), portion, shared), 1)


def add(arrays: Arrays, written: Arrays, rank: int, portion: np.ndarray, out: Arrays, factor: float) -> None:
    """Add up what all processes have written, in the order of their ranks, times a factor.

    Args:
        arrays: what this process has written a portion of.
        written: what the processes have written, in the order of their ranks.
        rank: that of this process.
        portion: as for `write`.
        out: where the results go: the arrays themselves, or others; no two of them overlap.
        factor: what each sum is multiplied by.
    """
    places = np.array([addresses(arrays), addresses(out)])
    run(_add, (places, portion, np.array(addresses(written)), rank, written[0].dtype.type(factor), written[0]), 1)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Small calls of the kernels, for the warm-up."""
    x, (portion,) = np.ones(3, dtype), portions((3,), 16, np.dtype(dtype).itemsize)
    shared = np.empty(128, dtype)
    shared = shared[-shared.ctypes.data % LINE // shared.itemsize :]
    yield "write", lambda: write([x], portion, shared)
    yield "add", lambda: add([x], [shared, shared], 0, portion, [x], 0.5)


@kernel
def _write(places, portion, shared, index, chunks):
    for which, offset, start, size in portion:
        streams.copied(_elements(places[which], offset, size, shared), 0, shared, start, size)


@kernel
def _add(places, portion, sources, rank, factor, like, index, chunks):
    for which, offset, start, size in portion:
        z = _elements(places[1, which], offset, size, like)
        if len(sources) > 2:
            x, y = _elements(sources[0], start, size, like), _elements(sources[1], start, size, like)
        else:  # of two numbers the order doesn't matter, and our own are in a cache
            x, y = _elements(places[0, which], offset, size, like), _elements(sources[1 - rank], start, size, like)
        if len(sources) == 2 and places[0, which] == places[1, which]:
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
