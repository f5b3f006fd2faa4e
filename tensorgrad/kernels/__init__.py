"""The numba rooms: ndarrays in, ndarrays out, each kernel beside a plain NumPy twin (`kernels.twins`).

A room is imported when it is first used, since numba takes longer to import than the rest of tensorgrad.

>>> import numpy as np
>>> from tensorgrad import kernels
>>> x, w = np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 3, 3), np.float32)
>>> kernels.convolution.forward(x, w, None)
array([[[[9., 9.],
         [9., 9.]]]], dtype=float32)
"""

import time
from collections.abc import Iterator
from types import ModuleType

from tensorgrad.forks import imported

ROOMS = (
    "convolution",
    "winograd",
    "columns",
    "sparse",
    "matmul",
    "linear",
    "pooling",
    "rectified_pooling",
    "pooled_convolution",
    "pointwise",
    "folds",
    "activations",
    "softmax",
    "losses",
    "normalization",
    "updates",
    "special",
    "launches",
)


def __getattr__(name: str) -> ModuleType:
    if name in (*ROOMS, "runtime", "sums", "twins"):
        return imported(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def warmup() -> Iterator[tuple[str, float]]:
    """Compile every kernel ahead, or load it from the cache, for float32 and float64, serial and parallel.

    Yields `(name, seconds)` after each kernel, so that a caller can show how far it is.
    """
    runtime = imported(f"{__name__}.runtime")
    if not runtime.COMPILED:
        return
    for room in ROOMS:
        for dtype in ("float32", "float64"):
            for name, call in imported(f"{__name__}.{room}").samples(dtype):
                start = time.perf_counter()
                with runtime.every_variant():
                    call()
                yield f"{room}.{name} {dtype}", time.perf_counter() - start
