"""Elementwise loops, compiled from formulas: one pass over memory, whatever the formula is.

`formula_of` writes a loop's expression as a Python function of numbers, which numba compiles. Functions such as `exp`
are those of `simd.functions`. Each literal is converted to the arrays' dtype, since `1.0` would widen float32 to
float64.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from numba.extending import register_jitable

from tensorgrad.arrays import memory
from tensorgrad.formulas.loops import LOOPS, Loop
from tensorgrad.formulas.programs import program
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.jit.dispatch import COMPILED, INLINE, by_fallback, chunks_for, kernel, run
from tensorgrad.kernels.jit.views import between
from tensorgrad.kernels.simd.functions import FUNCTIONS

# Multiply-adds that take as long as one element, by a rough measurement.
WORK = 30


def compute(name: str, *arrays: np.ndarray, parameters: tuple[float, ...] = ()) -> np.ndarray:
    """The loop of that name over arrays that broadcast to one shape, all float32 or all float64; NaN propagates.

    Raises DTypeError for other dtypes and for mixtures.

    >>> import tensorgrad  # its ops define the loops
    >>> compute("sigmoid", np.array([-np.inf, 0.0, np.nan]))
    array([0. , 0.5, nan])
    >>> compute("sigmoid gradient", np.array([4.0]), np.array([0.5]))
    array([1.])
    """
    loop, chunk = compiled(name)
    shape = arrays[0].shape
    if len(arrays) > 1 and any([array.shape != shape for array in arrays]):
        shape = np.broadcast_shapes(*[array.shape for array in arrays])
        arrays = tuple([a if a.shape == shape else np.ascontiguousarray(np.broadcast_to(a, shape)) for a in arrays])
    arrays = floats(name, " ".join(loop.arrays), *arrays)
    # A formula without parameters takes one number that it doesn't use: see `formula_of`.
    scalars = tuple([arrays[0].dtype.type(value) for value in parameters or (0,)])
    if not COMPILED:
        return by_fallback(fallback.loop, loop, arrays, scalars)
    out = memory.empty(arrays[0].shape, arrays[0].dtype)
    flat = [array.reshape(-1) for array in (*arrays, out)]
    run(chunk, (*flat, scalars), chunks_for(out.size, WORK * out.size))
    return out


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones(2, dtype)
    for loop in [made() for made in LOOPS.values()]:
        arrays, parameters = [x] * len(loop.arrays), (1.0,) * len(loop.parameters)
        yield loop.name, partial(compute, loop.name, *arrays, parameters=parameters)


@cache
def compiled(name: str) -> tuple[Loop, Callable]:
    """The loop of that name, and its kernel."""
    return LOOPS[name](), kernel_of(LOOPS[name]())


def kernel_of(loop: Loop) -> Callable:
    """A kernel; its arguments are the arrays, the result, a tuple of parameters, and which chunk of how many."""
    return _OVER[len(loop.arrays)](formula_of(loop))


def formula_of(loop: Loop) -> Callable:
    """The loop's expression as a function of numbers: of an element of each array, and of the parameters."""
    symbols = (*loop.arrays, *(loop.parameters or ("unused",)))
    number = f"type({symbols[0]})({{!r}})".format
    return register_jitable(**INLINE)(program(loop.meaning, symbols, FUNCTIONS, number))


# Numba unrolls no loop over a list of arrays, so there is a function for each number of them.


def _over_one(formula: Callable) -> Callable:
    @kernel
    def chunk(x, z, parameters, index, chunks):
        start, end = z.size * index // chunks, z.size * (index + 1) // chunks
        x, z = between(x, start, end), between(z, start, end)
        for k in range(end - start):
            z[k] = formula(x[k], *parameters)

    return chunk


def _over_two(formula: Callable) -> Callable:
    @kernel
    def chunk(x, y, z, parameters, index, chunks):
        start, end = z.size * index // chunks, z.size * (index + 1) // chunks
        x, y, z = between(x, start, end), between(y, start, end), between(z, start, end)
        for k in range(end - start):
            z[k] = formula(x[k], y[k], *parameters)

    return chunk


def _over_three(formula: Callable) -> Callable:
    @kernel
    def chunk(w, x, y, z, parameters, index, chunks):
        start, end = z.size * index // chunks, z.size * (index + 1) // chunks
        w, x, y, z = between(w, start, end), between(x, start, end), between(y, start, end), between(z, start, end)
        for k in range(end - start):
            z[k] = formula(w[k], x[k], y[k], *parameters)

    return chunk


_OVER = {1: _over_one, 2: _over_two, 3: _over_three}
