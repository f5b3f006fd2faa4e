"""What a file may ask for. A model that is read from an untrusted file can't ask for more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tensorgrad.onnx.reading.errors import OnnxError

FILE_BYTES = 2**31
"""The size of a file, and of all data that it names, unless `load` is told otherwise."""

RESULT_BYTES = 2**32
"""The size of one result whose shape is written in the file, or computed."""

STEPS = 1_000_000
"""How many nodes one forward pass runs, loops included."""

LARGEST = 2**31
"""The largest size, stride, padding or repetition that a node may state."""


def check_broadcast(what: str, *shapes: tuple[int, ...], itemsize: int = 8) -> None:
    """Refuse a result of operands of these shapes, which are broadcast, before it is allocated."""
    if math.prod(map(math.prod, shapes)) * itemsize > RESULT_BYTES:
        check_size(what, np.broadcast_shapes(*shapes), itemsize)


def check_size(what: str, shape: Sequence[int], itemsize: int = 4) -> None:
    """Refuse a result before it is allocated.

    >>> check_size("Tile", (10**8, 10**8))
    Traceback (most recent call last):
    tensorgrad.onnx.reading.errors.OnnxError: Tile: a result of shape (100000000, 100000000) exceeds 4,294,967,296 bytes
    """
    if any(n < 0 for n in shape) or math.prod(shape) * itemsize > RESULT_BYTES:
        raise OnnxError(f"{what}: a result of shape {tuple(shape)} exceeds {RESULT_BYTES:,} bytes")
