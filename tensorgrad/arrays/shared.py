"""Arrays in memory that processes share: what one writes, the processes forked after that read."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def shared(array: np.ndarray) -> np.ndarray:
    """A copy of the array in shared memory, or the array itself where it lies there already.

    >>> copy = shared(np.arange(3.0))
    >>> copy.tolist(), is_shared(copy), is_shared(np.arange(3.0))
    ([0.0, 1.0, 2.0], True, False)
    """
    if is_shared(array):
        return array
    copy = np.frombuffer(mmap.mmap(-1, max(array.nbytes, 1)), array.dtype, array.size).reshape(array.shape)
    copy[...] = array
    return copy


def is_shared(array: np.ndarray) -> bool:
    """Whether the array lies in memory that `shared` made."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return isinstance(owner.obj if isinstance(owner, memoryview) else owner, mmap.mmap)
