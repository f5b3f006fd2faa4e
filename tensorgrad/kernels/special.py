"""Functions that NumPy lacks. Elementwise."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad import memory
from tensorgrad.kernels import twins
from tensorgrad.kernels.error_function import error_function
from tensorgrad.kernels.runtime import COMPILED, by_reference, check_float, piece, pieces_for, ready, run

# Multiply-adds that one erf costs, by a rough measurement: for the choice between serial and parallel.
ERF_WORK = 40


def erf(x: np.ndarray) -> np.ndarray:
    """`2/√π ∫₀ˣ e^(−t²) dt` for each element, float32 or float64; NaN is carried. Any shape.

    >>> erf(np.array([0.0, 0.5, np.inf]))
    array([0.        , 0.52049988, 1.        ])
    """
    z = memory.empty(x.shape, check_float("erf", x=x))
    if not COMPILED:
        return by_reference(twins.erf, x)
    run(_erf_piece, (ready(x).reshape(-1), z.reshape(-1)), pieces_for(x.size, x.size * ERF_WORK))
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones(2, dtype)
    yield "erf", lambda: erf(x)


@piece
def _erf_piece(x, z, index, pieces):
    start, end = len(x) * index // pieces, len(x) * (index + 1) // pieces
    source, target = x[start:end], z[start:end]
    for k in range(end - start):
        target[k] = error_function(source[k])
