"""Functions that NumPy lacks. Elementwise."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import reference
from tensorgrad.kernels.jit.dispatch import COMPILED, as_contiguous, by_reference, check_float, chunks_for, kernel, run
from tensorgrad.kernels.simd.error_function import error_function

# Multiply-adds that one erf costs, by a rough measurement: for the choice between serial and parallel.
ERF_WORK = 40


def erf(x: np.ndarray) -> np.ndarray:
    """`2/√π ∫₀ˣ e^(−t²) dt` for each element, float32 or float64; NaN is carried. Any shape.

    >>> erf(np.array([0.0, 0.5, np.inf]))
    array([0.        , 0.52049988, 1.        ])
    """
    z = memory.empty(x.shape, check_float("erf", x=x))
    if not COMPILED:
        return by_reference(reference.erf, x)
    run(_erf_kernel, (as_contiguous(x).reshape(-1), z.reshape(-1)), chunks_for(x.size, x.size * ERF_WORK))
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones(2, dtype)
    yield "erf", lambda: erf(x)


@kernel
def _erf_kernel(x, z, index, chunks):
    start, end = len(x) * index // chunks, len(x) * (index + 1) // chunks
    source, target = x[start:end], z[start:end]
    for k in range(end - start):
        target[k] = error_function(source[k])
