"""Random numbers of a batch: they depend on the epoch's seed and the batch's number, not on who computes the batch.

So random transforms give the same batches with 0, 1 and 4 workers. While a batch is computed, the package's generator
has a state made from (seed, number); afterwards it has its former state again. A transform with a generator of its own
draws from a third one, made from that generator's state and (seed, number).
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tensorgrad.arrays.random import default_generator


class _Current(threading.local):
    batch: tuple[int, ...] | None = None  # what the numbers of the batch in progress depend on
    streams: dict[int, np.random.Generator] = {}


_current = _Current()


@contextmanager
def batch_seed(batch: tuple[int, ...] | None) -> Iterator[None]:
    """Within, random transforms draw numbers that depend on `batch`, a tuple of ints ≥ 0; None changes nothing."""
    if batch is None:
        yield
        return
    bits = default_generator().bit_generator
    before, outer = bits.state, (_current.batch, _current.streams)
    bits.state = np.random.PCG64(np.random.SeedSequence(batch)).state
    _current.batch, _current.streams = batch, {}
    try:
        yield
    finally:
        bits.state = before
        _current.batch, _current.streams = outer


def stream(generator: np.random.Generator | None) -> np.random.Generator:
    """The generator to draw from: the package's for None; inside a loader's batch one that belongs to the batch."""
    if generator is None or generator is default_generator():
        return default_generator()
    if _current.batch is None:
        return generator
    if id(generator) not in _current.streams:
        # The copy is drawn from, so the generator's state is the same in all workers and in all batches.
        key = int(copy.deepcopy(generator).integers(1 << 62))
        _current.streams[id(generator)] = np.random.default_rng((*_current.batch, key))
    return _current.streams[id(generator)]
