"""How processes exchange arrays through memory that they share: each writes its own, and adds up what all have written.

A core that writes to a cache line which another has read waits until that one has given it up: for 250 kB 0.1 ms, where
the two cores are far apart. So what is written goes past the caches, in 5 µs, and is read from memory in 13.
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


def write(arrays: Arrays, portion: np.ndarray, shared: np.ndarray, factor: float, out: Arrays) -> None:
    """Write arrays · factor, in what is exchanged at once and in `out`.

    Args:
        arrays: C-contiguous and writable, of the dtype of `shared`.
        portion: what is written of them: see `fallback.exchange.portions`.
        shared: begins with a cache line; is as long as a portion can be.
        factor: of a sum 1.
        out: arrays like those; may be the same.
    """
    places = np.array([addresses(arrays), addresses(out)])
    run(_write, (places, portion, shared.dtype.type(factor), shared), 1)


def add(written: Sequence[np.ndarray], own: int, portion: np.ndarray, out: Arrays) -> None:
    """Write to `out` the sum of what processes have written, in their order. What is our `own` already stands there."""
    run(_add, (np.array(addresses(out)), portion, np.array(addresses(written)), own, written[0]), 1)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Small calls of the kernels, for the warm-up."""
    x, (portion,) = np.ones(3, dtype), portions((3,), 16, np.dtype(dtype).itemsize)
    shared = np.empty(128, dtype)
    shared = shared[-shared.ctypes.data % LINE // shared.itemsize :]
    yield "write", lambda: write([x], portion, shared, 0.5, [x])
    yield "add", lambda: add([shared, shared], 0, portion, [x])


@kernel
def _write(places, portion, factor, shared, index, chunks):
    for which, offset, start, size in portion:
        x = _elements(places[0, which], offset, size, shared)
        z = _elements(places[1, which], offset, size, shared)
        streams.scaled(x, 0, factor, shared, start, z, 0, size)


@kernel
def _add(places, portion, sources, own, like, index, chunks):
    for which, offset, start, size in portion:
        z = _elements(places[which], offset, size, like)
        # What this process wrote went past its own cache, too; of two numbers the order doesn't matter.
        if len(sources) == 2:
            x = _elements(sources[1 - own], start, size, like)
            for k in range(size):
                z[k] += x[k]
            continue
        x, y = _elements(sources[0], start, size, like), _elements(sources[1], start, size, like)
        for k in range(size):
            z[k] = x[k] + y[k]
        for other in range(2, len(sources)):
            x = _elements(sources[other], start, size, like)
            for k in range(size):
                z[k] += x[k]


@helper
def _elements(address, start, size, like):
    """So many elements from `start` on of what begins at an address, of the dtype of `like`."""
    return carray(pointer(address + start * like.itemsize, like), size)
