"""Padding and interpolation in one pass: each new element is a weighted sum of a few old ones, axis by axis.

    z[p, a, b, c] = Σ_{i,j,k} u[i, a] · v[j, b] · w[k, c] · x[p, at(i, a), at(j, b), at(k, c)]

A new row is first summed from old rows, over whole rows, and then read by the taps of the last axis; one with the taps
of the row above is a copy of it. The gradient is the same with transposed tables.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import fallback
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, chunks_for, helper, kernel, run
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.kernels.sampling.tables import Axis, Taps, taps
from tensorgrad.windows import Sizes

# Multiply-adds that a tap of an element takes as long as; a rough measurement.
WORK = 4

NOTHING = Axis("replicate", 1, 1)


def resample(x: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    """x with its last axes, up to three, resampled as `axes` say. float32 or float64.

    Raises `ShapeError`, `DTypeError`.

    >>> resample(np.array([[1.0, 2.0]]), (Axis("linear", 2, 4),))
    array([[1.  , 1.25, 1.75, 2.  ]])
    """
    (x,) = floats("resample", "x", x)
    plan = _plan(x.shape, axes, x.dtype)
    if not COMPILED:
        return by_fallback(fallback.resample, x, plan.taps[3 - len(axes) :])
    z = memory.empty(plan.output, x.dtype)
    arguments = (x.reshape(plan.flat_input), z.reshape(plan.flat_output), *[array for t in plan.taps for array in t])
    run(_resample_kernel, arguments, chunks_for(plan.rows, plan.work))
    return z


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x = np.ones((2, 2), dtype)
    yield "resample", lambda: resample(x, (Axis("linear", 2, 4),))


class Plan(NamedTuple):
    """All that follows from the shape and the axes."""

    output: Sizes
    flat_input: Sizes  # (planes, D, H, W)
    flat_output: Sizes
    taps: tuple[Taps, ...]  # of three axes
    rows: int
    work: int


@planned
def _plan(shape: Sizes, axes: tuple[Axis, ...], dtype: np.dtype) -> Plan:
    lead, sizes = shape[: len(shape) - len(axes)], tuple([axis.size for axis in axes])
    if shape != (*lead, *sizes) or not 1 <= len(axes) <= 3:
        raise ShapeError(restate("resample", f"the last axes of x must be {sizes}", x=shape))
    three = (NOTHING,) * (3 - len(axes)) + axes
    count = tuple([axis.length for axis in three])
    output = (*lead, *[axis.length for axis in axes])
    tables = tuple([taps(axis, dtype) for axis in three])
    rows = prod(lead) * count[0] * count[1]
    work = WORK * rows * (count[2] * len(tables[2].source) + three[2].size)
    return Plan(output, (prod(lead), *[a.size for a in three]), (prod(lead), *count), tables, rows, work)


@helper
def _same_column(places, weights, b):
    """Whether row b is read by the same taps as the row before it, as where rows are repeated."""
    same = True
    for j in range(len(places)):
        same &= places[j, b] == places[j, b - 1] and weights[j, b] == weights[j, b - 1]
    return same


@kernel
def _resample_kernel(x, z, depth_at, depth_by, row_at, row_by, at, by, index, chunks):
    (planes, depth, height, width), (_, layers, rows, columns) = x.shape, z.shape
    # The last element stands for what isn't there.
    row, total = np.zeros(width + 1, x.dtype), planes * layers * rows
    first = total * index // chunks
    p, a, b = first // (layers * rows), first // rows % layers, first % rows - 1
    for unit in range(first, total * (index + 1) // chunks):
        b += 1
        if b == rows:
            a, b = a + 1, 0
        if a == layers:
            p, a = p + 1, 0
        target = z[p, a, b]
        if b > 0 and unit > first and _same_column(row_at, row_by, b):
            above = z[p, a, b - 1]
            for q in range(columns):
                target[q] = above[q]
            continue
        for q in range(width):
            row[q] = 0
        empty = True
        for i in range(len(depth_at)):
            for j in range(len(row_at)):
                d, h = depth_at[i, a], row_at[j, b]
                if d < depth and h < height:
                    factor, source = depth_by[i, a] * row_by[j, b], x[p, d, h]
                    if empty:
                        for q in range(width):
                            row[q] = factor * source[q]
                    else:
                        for q in range(width):
                            row[q] += factor * source[q]
                    empty = False
        for k in range(len(at)):
            places, weights = at[k], by[k]
            if k == 0:
                for q in range(columns):
                    target[q] = weights[q] * row[places[q]]
            else:
                for q in range(columns):
                    target[q] += weights[q] * row[places[q]]
