"""Sums over any axes of an array of any layout, accumulated in float64, for all reductions.

NumPy sums pairwise along the innermost axis of memory only. Along other axes it adds row by row in the array's dtype,
where the sum of 60,000 float32 numbers near 1000 has an error of 1e-3. Here each sum runs in float64, in blocks whose
sums are then added, so the order depends on shape and layout alone, not on the number of threads.

Up to FEW elements NumPy computes the sum, in float64, so that numba needn't be loaded; above, the kernels in `columns`.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays import memory
from tensorgrad.arrays.quiet import quiet

FEW = 2048
"""The number of elements up to which NumPy adds in less time than a kernel.

It gains a microsecond, and a captured step loses 30: it has to call back into Python.
"""

LINE, ROWS = 1 << 14, 1 << 12
"""Contiguous elements, and rows, per block: so few that float32 numbers of like size are summed exactly in float64."""

TERMS, PART = 1 << 12, 1 << 10
"""Matrix products of more than TERMS terms are summed in parts of PART terms, so that rounding errors stay small."""

FLOAT16, FLOAT32, FLOAT64 = [np.dtype(t) for t in (np.float16, np.float32, np.float64)]

_add_up: Any = np.add.reduce  # Any: its annotations accept only a literal True or False as `keepdims`


def total(
    x: np.ndarray,
    axes: tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
    divisor: int = 1,
    squares: bool = False,
    dtype: np.dtype | None = None,
) -> np.ndarray:
    """Σ x / divisor over `axes`, or Σ x² / divisor with `squares`, computed in float64 and rounded once, to `dtype`.

    Args:
        x: float16, float32 or float64, of any layout.
        axes: the axes to sum over, ≥ 0, each once; None for all.
        keepdims: keep the reduced axes with length 1.
        divisor: what the sum is divided by: the number of elements for a mean.
        squares: sum the squares of x.
        dtype: the dtype of the result, by default that of x.

    The error doesn't grow with the number of elements: one rounding to the dtype, and at most 1e-12 of Σ |x|.

    >>> total(np.full((100000, 2), 0.1, np.float32), (0,))
    array([10000., 10000.], dtype=float32)
    """
    axes = tuple(range(x.ndim)) if axes is None else axes
    dtype = x.dtype if dtype is None else dtype
    # NumPy also where each sum has one term: there is nothing to add.
    if x.size <= FEW or math.prod([x.shape[a] for a in axes]) == 1:
        return _by_numpy(x, axes, keepdims, divisor, squares, dtype)
    if not kernels.dispatch.COMPILED:
        return kernels.dispatch.by_fallback(_by_numpy, x, axes, keepdims, divisor, squares, dtype)
    z = _by_kernel(x.astype(FLOAT32) if x.dtype == FLOAT16 else x, axes, divisor, squares, dtype)
    return z.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else z


@quiet
def _by_numpy(
    x: np.ndarray, axes: tuple[int, ...], keepdims: bool, divisor: int, squares: bool, dtype: np.dtype
) -> np.ndarray:
    x = np.square(x, dtype=FLOAT64) if squares else x
    z = _add_up(x, axes, FLOAT64, keepdims=keepdims)
    return np.asarray(z if divisor == 1 else z / divisor, dtype, order="C")


def product_in_parts(
    product: Callable[[np.ndarray, np.ndarray], np.ndarray], a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """a `(..., M, K)` · b `(..., K, N)` -> `(..., M, N)` for a large K: products of parts of K, summed in float64.

    >>> product_in_parts(np.matmul, np.ones((1, 10000)), np.ones((10000, 1)))
    array([[10000.]])
    """
    z = np.zeros((), FLOAT64)
    for start in range(0, a.shape[-1], PART):
        z = z + product(a[..., start : start + PART], b[..., start : start + PART, :])
    return z.astype(a.dtype)


# -------------------------------------------------------------------------------------------------------- by the kernel


class Step(NamedTuple):
    """A pass over memory: x (outer, length, inner) -> z (outer, blocks, inner).

    z[o, k, i] is the sum over rows k · block to (k + 1) · block of x[o, :, i].
    """

    outer: int
    length: int
    inner: int
    block: int
    blocks: int


def _by_kernel(x: np.ndarray, axes: tuple[int, ...], divisor: int, squares: bool, dtype: np.dtype) -> np.ndarray:
    """`total` for many elements, without `keepdims`."""
    if x.flags.c_contiguous:
        kept, steps = _plan(x.shape, axes)
        return _folded(x, steps, 1, divisor, squares, dtype).reshape(kept)
    x, repeats = _without_repeats(x, axes)
    # The kernel takes contiguous arrays. Most layouts become contiguous without a copy if the axes are put in the order
    # of memory, the largest stride first, and summed axes of negative stride are reversed: order doesn't change a sum.
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))
    forwards = tuple([slice(None, None, -1 if x.strides[a] < 0 and a in axes else None) for a in order])
    kept, steps = _plan(tuple([x.shape[a] for a in order]), tuple([k for k, a in enumerate(order) if a in axes]))
    z = _folded(x.transpose(order)[forwards], steps, repeats, divisor, squares, dtype).reshape(kept)
    # Kept axes: in the order of memory -> in the order of x
    return np.asarray(z.transpose(np.argsort([a for a in order if a not in axes])), order="C")


def _folded(x: np.ndarray, steps: list[Step], factor: int, divisor: int, squares: bool, dtype: np.dtype) -> np.ndarray:
    """factor · Σ x / divisor (Σ x² with `squares`) by these passes; in float64 until the last one rounds to `dtype`."""
    z, scale, precision = kernels.arguments.as_contiguous(x), (1.0, 1.0), FLOAT64
    for step in steps:
        x = z.reshape(step.outer, step.length, step.inner)
        if step is steps[-1]:
            scale, precision = (float(factor), float(divisor)), FLOAT32 if dtype == FLOAT16 else dtype
        z = memory.empty((step.outer, step.blocks, step.inner), precision)
        kernels.columns.fold(x, z, step.block, *scale, squares)
        squares = False  # the next pass sums these sums
    return z if z.dtype == dtype else _half(z)


@quiet
def _half(x: np.ndarray) -> np.ndarray:
    """x in float16; ∞, without a warning, where it overflows."""
    return x.astype(FLOAT16)


def _without_repeats(x: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """x with length 1 along those of `axes` where it is broadcast (stride 0); and how often each element counts."""
    if 0 not in x.strides:
        return x, 1
    repeated = [a in axes and x.strides[a] == 0 for a in range(x.ndim)]
    count = math.prod([n for n, again in zip(x.shape, repeated, strict=True) if again])
    return x[tuple([slice(0, 1) if again else slice(None) for again in repeated])], count


@lru_cache(maxsize=4096)
def _plan(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[tuple[int, ...], list[Step]]:
    """The shape of a contiguous array without `axes`, and the passes that sum over them."""
    # Adjacent axes that are both summed, or both kept, are merged.
    lengths: list[int] = []
    kinds: list[bool] = []
    for a, n in enumerate(shape):
        kind = a in axes
        if kinds and kinds[-1] == kind:
            lengths[-1] *= n
        else:
            lengths.append(n)
            kinds.append(kind)
    steps = []
    while True in kinds:
        # The longest summed axis first: that leaves the smallest array for the next pass.
        k = max((n, k) for k, n in enumerate(lengths) if kinds[k])[1]
        outer, count, inner = math.prod(lengths[:k]), lengths[k], math.prod(lengths[k + 1 :])
        block = LINE if inner == 1 else ROWS
        blocks = -(-count // block)
        steps.append(Step(outer, count, inner, block, blocks))
        lengths[k], kinds[k] = blocks, blocks > 1
    return tuple([n for a, n in enumerate(shape) if a not in axes]), steps
