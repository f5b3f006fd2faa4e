"""How arrays lie in memory that processes share, and NumPy in place of the kernels that write and add them up there."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

LINE = 64
"""Bytes of a cache line. Each piece begins with one: only whole lines go past the caches at full speed."""

WHICH, OFFSET, START, SIZE = range(4)
"""Columns of a portion: of a piece the number of its array, its place there and among what is exchanged, and its size,
in elements."""


@lru_cache
def portions(sizes: tuple[int, ...], most: int, itemsize: int) -> tuple[np.ndarray, ...]:
    """Arrays of these sizes in portions of at most `most` elements, that are exchanged one after the other.

    Returns:
        Portions `(pieces, 4)`: see `WHICH`.

    >>> [portion.tolist() for portion in portions((3, 40), 32, 8)]
    [[[0, 0, 0, 3], [1, 0, 8, 24]], [[1, 24, 0, 16]]]
    """
    line = LINE // itemsize
    found: list[list[tuple[int, int, int, int]]] = [[]]
    start = 0
    for which, size in enumerate(sizes):
        offset = 0
        while offset < size:
            if start == most:
                found.append([])
                start = 0
            count = min(size - offset, most - start)
            found[-1].append((which, offset, start, count))
            offset, start = offset + count, start + -(-count // line) * line
    return tuple([np.array(pieces, np.int64).reshape(-1, 4) for pieces in found])


def write(arrays: Sequence[np.ndarray], portion: np.ndarray, shared: np.ndarray) -> None:
    """Write a portion of the arrays, as `kernels.exchange.write`, of any dtype."""
    for which, offset, start, size in portion.tolist():
        shared[start : start + size] = arrays[which].reshape(-1)[offset : offset + size]


def combine(
    written: Sequence[np.ndarray], portion: np.ndarray, out: Sequence[np.ndarray], operation: np.ufunc, factor: float
) -> None:
    """Combine what all processes have written, as `kernels.exchange.add` adds it up, of any dtype."""
    for which, offset, start, size in portion.tolist():
        z = out[which].reshape(-1)[offset : offset + size]
        first, *others = [x[start : start + size] for x in written]
        z[...] = first
        for other in others:
            operation(z, other, out=z)
        if factor != 1:
            np.multiply(z, z.dtype.type(factor), out=z)
