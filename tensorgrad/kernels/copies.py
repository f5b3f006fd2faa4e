"""Copies between arrays of any layout: a kernel, so that they are shared by the threads and can be recorded."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.jit.dispatch import COMPILED, SMALL, chunks_for, kernel, run
from tensorgrad.kernels.jit.opaque import Opaque, memory_of

# Multiply-adds that take as long as an element that is copied, by a rough measurement.
WORK = 5

UNITS: dict[int, np.dtype[Any]] = {4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}
"""Per bytes of an element, what the kernel copies it as: the bits, whatever they mean."""

AXES = 4
"""The most axes that the kernel takes, after merging adjacent axes that run through memory in equal steps."""

SHORT = 16
"""Elements of a row that is worth a loop of its own."""


def contiguous(x: np.ndarray) -> np.ndarray:
    """A copy of `x` that is contiguous, writable, and of native byte order.

    >>> contiguous(np.arange(6.0).reshape(2, 3).T)
    array([[0., 3.],
           [1., 4.],
           [2., 5.]])
    """
    plan = _plan(x.shape, x.strides, None, x.itemsize) if _is_for_kernel(x, x.size) else None
    if plan is None and type(x) is np.ndarray and x.dtype.isnative:
        return x.copy()  # in a third of the time of the general way: most arrays are small
    if plan is None:
        return np.array(x, dtype=x.dtype.newbyteorder("="), order="C", copy=True, subok=False)
    z = memory.empty(x.shape, x.dtype)
    _copy(x, z, plan)
    return z


def concatenated(xs: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """The arrays of one dtype one after the other along an axis, as `np.concatenate` has them.

    >>> concatenated([np.ones((2, 1)), np.zeros((2, 2))], 1)
    array([[1., 0., 0.],
           [1., 0., 0.]])
    """
    plans = _joining(tuple([x.shape for x in xs]), tuple([x.strides for x in xs]), axis, xs[0].itemsize)
    size = sum([x.size for x in xs])
    if plans is None or not all([_is_for_kernel(x, size) and x.dtype == xs[0].dtype for x in xs]):
        return np.concatenate(xs, axis)
    z = memory.empty(plans.shape, xs[0].dtype)
    for x, part, plan in zip(xs, plans.parts, plans.copies, strict=True):
        if x.size:
            _copy(x, z[part], plan)
    return z


def copy(x: np.ndarray, target: np.ndarray) -> None:
    """Write the elements of `x`, broadcast, to an array of the same dtype.

    >>> z = np.zeros((2, 4))
    >>> copy(np.array([[1.0], [2.0]]), z[:, ::2])
    >>> z
    array([[1., 0., 1., 0.],
           [2., 0., 2., 0.]])
    """
    x = np.broadcast_to(x, target.shape)
    kernel = _is_for_kernel(x if type(target) is np.ndarray else target, target.size)
    plan = _plan(x.shape, x.strides, target.strides, x.itemsize) if kernel else None
    if plan is None or x.dtype != target.dtype:
        np.copyto(target, x)
    else:
        _copy(x, target, plan)


def _is_for_kernel(x: np.ndarray, size: int) -> bool:
    """Whether the kernel copies elements such as these, `size` in all, and sooner than NumPy would."""
    if x.itemsize not in UNITS or not x.dtype.isnative or not size:
        return False
    return type(x) is Opaque or (COMPILED and type(x) is np.ndarray and WORK * size >= SMALL and x.flags.aligned)


class _Plan(NamedTuple):
    """How elements are copied: the lengths of four axes and, per array, the steps along them in elements."""

    lengths: tuple[int, int, int, int]
    source: tuple[int, int, int, int]
    target: tuple[int, int, int, int]


class _Joining(NamedTuple):
    """The shape of what is joined, and per part its place and the plan of its copy."""

    shape: tuple[int, ...]
    parts: list[tuple[slice, ...]]
    copies: list[_Plan]


@lru_cache(maxsize=1024)
def _plan(
    shape: tuple[int, ...], source: tuple[int, ...], target: tuple[int, ...] | None, itemsize: int
) -> _Plan | None:
    """A plan for two arrays with these strides, None for a contiguous target; None where they have too many axes."""
    target = _contiguous_strides(shape, itemsize) if target is None else target
    if any(stride % itemsize for stride in (*source, *target)):
        return None
    axes: list[tuple[int, int, int]] = []
    for n, a, b in zip(shape, source, target, strict=True):
        if n == 1:
            continue
        last = axes[-1] if axes else None
        if last is not None and (last[1], last[2]) == (a * n, b * n):
            axes[-1] = last[0] * n, a, b
        else:
            axes.append((n, a, b))
    if len(axes) > AXES:
        return None
    if len(axes) > 1 and axes[-1][0] < SHORT:  # the longest axis innermost
        longest = max(range(len(axes)), key=lambda k: axes[k][0])
        axes.append(axes.pop(longest))
    lengths, steps, places = zip(*[(1, 0, 0)] * (AXES - len(axes)), *axes, strict=True)
    return _Plan(lengths, tuple([a // itemsize for a in steps]), tuple([b // itemsize for b in places]))


@lru_cache(maxsize=1024)
def _joining(
    shapes: tuple[tuple[int, ...], ...], strides: tuple[tuple[int, ...], ...], axis: int, itemsize: int
) -> _Joining | None:
    first, *others = shapes
    if any(len(s) != len(first) or s[:axis] != first[:axis] or s[axis + 1 :] != first[axis + 1 :] for s in others):
        return None  # NumPy says what is wrong
    shape = (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])
    parts, copies, start = [], [], 0
    for own, steps in zip(shapes, strides, strict=True):
        plan = _plan(own, steps, _contiguous_strides(shape, itemsize), itemsize)
        if plan is None:
            return None
        parts.append((*[slice(None)] * axis, slice(start, start := start + own[axis])))
        copies.append(plan)
    return _Joining(shape, parts, copies)


def _contiguous_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides, step = [], itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def _copy(source: Any, target: Any, plan: _Plan) -> None:
    unit = UNITS[source.itemsize]
    (x, at), (z, to) = memory_of(source, unit), memory_of(target, unit)
    rows = plan.lengths[0] * plan.lengths[1] * plan.lengths[2]
    run(_copy_kernel, (x, z, at, to, *plan), chunks_for(rows, WORK * source.size))


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of the kernel, for the warm-up."""
    x = np.ones((2, 2), dtype)
    plan = _plan(x.shape, x.T.strides, x.strides, x.itemsize)
    assert plan is not None
    yield "copy", lambda: _copy(x.T, np.empty_like(x), plan)


@kernel
def _copy_kernel(x, z, at, to, lengths, source, target, index, chunks):
    """z[to + Σ target · k] = x[at + Σ source · k], for k below the lengths."""
    rows, count = lengths[0] * lengths[1] * lengths[2], np.uint64(lengths[3])
    for row in range(rows * index // chunks, rows * (index + 1) // chunks):
        a, b, c = row // (lengths[1] * lengths[2]), row // lengths[2] % lengths[1], row % lengths[2]
        # Unsigned: an index that may be negative is looked at in each step. A negative step wraps around to the same.
        first = np.uint64(at + a * source[0] + b * source[1] + c * source[2])
        place = np.uint64(to + a * target[0] + b * target[1] + c * target[2])
        if source[3] == 1 and target[3] == 1:
            for k in range(count):
                z[place + k] = x[first + k]
        else:
            step, stride = np.uint64(source[3]), np.uint64(target[3])
            for k in range(count):
                z[place + k * stride] = x[first + k * step]
