"""One pass over memory: the rectifier and its gradient, and sums over all but the channels."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.elementwise.channels import plane_sum, rectified, rectified_gradient
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run, status_set
from tensorgrad.kernels.jit.views import between, flattened

# Multiply-adds that take as long as an element that passes by, by a rough measurement.
WORK = 5


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0) for each element, float32 or float64; NaN is carried. Any shape.

    >>> relu(np.array([-1.0, 2.0, np.nan]))
    array([ 0.,  2., nan])
    """
    (x,) = floats("relu", "x", x)
    if not COMPILED:
        return by_fallback(fallback.relu, x)
    z, size = memory.empty(x.shape, x.dtype), x.size
    run(_relu_kernel, (x.ravel(), z.ravel()), chunks_for(size, WORK * size))
    return z


def relu_gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
    """0 where z ≤ 0, else g, at NaN too. Arrays of one shape and dtype, float32 or float64.

    >>> relu_gradient(np.array([5.0, 7.0]), np.array([0.0, 2.0]))
    array([0., 7.])
    """
    g, z = floats("relu_gradient", "g z", g, z)
    if not COMPILED:
        return by_fallback(fallback.relu_gradient, g, z)
    x, size = memory.empty(g.shape, g.dtype), g.size
    run(_relu_gradient_kernel, (g.ravel(), z.ravel(), x.ravel()), chunks_for(size, WORK * size))
    return x


def channel_sums(x: np.ndarray) -> np.ndarray:
    """The sum over images and pixels, x `(N, C, ...)` -> `(C,)`, float32 or float64; each channel summed in float64.

    >>> channel_sums(np.ones((2, 3, 4, 4)))
    array([32., 32., 32.])
    """
    (x,) = floats("channel_sums", "x", x)
    if not COMPILED:
        return by_fallback(fallback.channel_sums, x)
    (count, channels), size = x.shape[:2], x.size
    sums = memory.empty((channels,), x.dtype)
    # (N, C, ...) -> (N, C, pixels)
    planes = x.reshape(count, channels, -1 if size else 0)
    run(sums_kernel, (planes, sums), chunks_for(channels, WORK * size))
    return sums


def clear(x: np.ndarray) -> None:
    """Fill a contiguous array with zeros. NumPy does it as fast, but a kernel can be recorded with those around it."""
    run(_clear_kernel, (x.reshape(-1),), 1)


def is_finite(values: np.ndarray) -> bool:
    """Whether all numbers of a contiguous array are finite.

    >>> is_finite(np.array([1.0, np.inf]))
    False
    """
    return not status_set(not_finite(values))


def not_finite(values: np.ndarray) -> np.ndarray:
    """A status flag `(1,)`, set where a number of a contiguous array isn't finite."""
    flags = memory.empty((1,), np.int64)
    run(_finite_kernel, (values.reshape(-1), flags), 1)
    return flags


@helper
def finite(values):
    """Whether all numbers are finite: 0 times another one is NaN."""
    total, zero, numbers = values.dtype.type(0), values.dtype.type(0), flattened(values)
    for k in range(numbers.size):
        total += zero * numbers[k]
    return total == zero


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones((2, 2, 2), dtype)
    yield "relu", lambda: relu(x)
    yield "relu_gradient", lambda: relu_gradient(x, x)
    yield "channel_sums", lambda: channel_sums(x)
    yield "clear", lambda: clear(x)
    yield "is_finite", lambda: is_finite(x)


@kernel
def _finite_kernel(values, flags, index, chunks):
    flags[0] = 0 if finite(values) else 1


@kernel
def _clear_kernel(x, index, chunks):
    x[:] = 0


@kernel
def _relu_kernel(x, z, index, chunks):
    start, end = x.size * index // chunks, x.size * (index + 1) // chunks
    source, target = between(x, start, end), between(z, start, end)
    for k in range(end - start):
        target[k] = rectified(source[k])


@kernel
def _relu_gradient_kernel(g, z, x, index, chunks):
    start, end = x.size * index // chunks, x.size * (index + 1) // chunks
    upstream, output, target = between(g, start, end), between(z, start, end), between(x, start, end)
    for k in range(end - start):
        # Both are read before one is chosen: a read under a condition isn't vectorised.
        target[k] = rectified_gradient(upstream[k], output[k])


@kernel
def sums_kernel(x, sums, index, chunks):
    """sums (C,) += the sums of x (N, C, pixels)."""
    for c in range(len(sums) * index // chunks, len(sums) * (index + 1) // chunks):
        whole = 0.0
        for n in range(len(x)):
            whole += plane_sum(x[n, c])
        sums[c] = whole
