"""The numba kernels, functions of ndarrays; each has a fallback in plain NumPy (`kernels.fallback`).

A module of kernels is imported at its first use, since importing numba takes longer than the rest of tensorgrad.

>>> import numpy as np
>>> from tensorgrad import kernels
>>> kernels.pointwise.relu(np.array([-1.0, 2.0]))
array([0., 2.])
"""

import time
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

from tensorgrad.system.forks import imported
from tensorgrad.system.lazy import load

# The modules with kernels, by the last part of their names.
MODULES = {
    name.rpartition(".")[2]: f"{__name__}.{name}"
    for name in (
        "conv.convolution",
        "conv.winograd",
        "conv.col2im",
        "conv.groups.depthwise",
        "conv.sparse",
        "linalg.matmul",
        "linalg.linear",
        "pool.pooling",
        "pool.average_pooling",
        "pool.rectified_pooling",
        "pool.selection",
        "pool.adaptive",
        "conv.pooled_convolution",
        "elementwise.pointwise",
        "reduce.columns",
        "elementwise.loops",
        "elementwise.fused_loops",
        "elementwise.softmax",
        "elementwise.losses",
        "elementwise.normalization",
        "elementwise.row_normalization",
        "sampling.separable",
        "sampling.weighted",
        "sampling.bilinear",
        "sampling.row_sums",
        "copies",
        "optim",
        "exchange",
        "jit.command_list",
    )
}
OTHERS = {
    "dispatch": f"{__name__}.jit.dispatch",
    "arguments": f"{__name__}.arguments",
    "sums": f"{__name__}.reduce.sums",
    "fallback": f"{__name__}.fallback",
    "fused_ir": f"{__name__}.elementwise.fused_ir",
    "convolution3d": f"{__name__}.conv.convolution3d",
    "patches": f"{__name__}.conv.patches",
    "pooling3d": f"{__name__}.pool.pooling3d",
}


def __getattr__(name: str) -> ModuleType:
    return load(globals(), name, MODULES | OTHERS)


Samples = Callable[[str], Iterable[tuple[str, Callable[[], object]]]]
"""A function of a dtype that gives small calls of kernels, each with its name."""


def warmup(**others: Samples) -> Iterator[tuple[str, float]]:
    """Compile every kernel ahead of time, or load it from the cache, for float32 and float64, serial and parallel.

    Args:
        others: samples of kernels that modules above this one have made, by the name of the module.

    Yields:
        `(name, seconds)` after each kernel, so that a caller can show the progress.
    """
    dispatch = imported(f"{__name__}.jit.dispatch")
    if not dispatch.COMPILED:
        return
    every = {name: imported(path).samples for name, path in MODULES.items()} | others
    for module, samples in every.items():
        for dtype in ("float32", "float64"):
            for name, call in samples(dtype):
                start = time.perf_counter()
                with dispatch.every_variant():
                    call()
                yield f"{module}.{name} {dtype}", time.perf_counter() - start
