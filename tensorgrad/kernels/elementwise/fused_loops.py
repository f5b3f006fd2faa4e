"""One loop for several elementwise functions: their formulas, one after the other, in one pass over memory.

Operands are whole arrays, or one number per channel, image or plane, or a row: whatever NumPy's rule broadcasts. The
pass may end in sums per channel. The results have the bits of the single functions: `fused_codegen` keeps LLVM from
mixing two formulas, and sums are taken by the function of `channels` that the single kernels call, plane by plane,
while the plane that the loop has written is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import as_contiguous
from tensorgrad.kernels.elementwise import channels
from tensorgrad.kernels.elementwise.fused_codegen import Structure, kernel_of
from tensorgrad.kernels.elementwise.fused_ir import FusedLoop, Link, Shape, layout
from tensorgrad.kernels.jit.dispatch import chunks_for, is_recording, partition_of, run
from tensorgrad.kernels.jit.opaque import constant
from tensorgrad.kernels.jit.partition import Access, Partition

# Multiply-adds that take as long as one element of one link, by a rough measurement.
WORK = 20

# Pixels from which on a loop over planes takes no longer than one over all elements.
PLANE = 16


def compute(loop: FusedLoop, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The results that are written, then the sums, of arrays of one dtype, float32 or float64.

    >>> links = Link("multiply", (0, 1)), Link("relu", (2,))
    >>> compute(FusedLoop((3,), ((3,), (1,)), links, (3,)), np.array([1.0, -2.0, 3.0]), np.array([2.0]))
    (array([2., 0., 6.]),)
    """
    plan = _plan(loop)
    dtype = arrays[0].dtype
    inputs = [as_contiguous(x).reshape(-1) for x in arrays]
    outputs = [memory.empty(loop.shape, dtype) for _ in loop.written[loop.over is not None :]]
    sums = [memory.empty((plan.shape[1],), kind or dtype) for kind in plan.sums]
    numbers = tuple([dtype.type(x) for link in loop.links for x in link.parameters]) or (dtype.type(0),)
    flat = *inputs, *[x.reshape(-1) for x in outputs], *sums
    if loop.over is not None:
        outputs.insert(0, inputs[loop.over].reshape(loop.shape))
    chunks = chunks_for(plan.units, plan.work)
    if plan.partition is None:
        run(plan.kernel, (*flat, plan.shape, numbers, 0), chunks)  # 0: for `fused_codegen._fence`
        return *outputs, *sums
    partition, access = plan.partition, None
    if is_recording():
        whole = [x for x, shape in zip(inputs, plan.operands, strict=True) if shape == plan.shape]
        partition, chunks = _as_shared_out(whole, plan, chunks)
        access = Access(partition, (*whole, *outputs), tuple(outputs))
    run(plan.kernel, (*flat, plan.shape, numbers, 0, *_bounds(partition)), chunks, access)
    return tuple(outputs)


def _as_shared_out(arrays: Iterable[Any], plan: _Plan, chunks: int) -> tuple[Partition, int]:
    """The partition by which one of the inputs was made, so that no thread waits for another; else the plan's own."""
    found = [partition_of(x) for x in arrays]
    assert plan.partition is not None
    return next((x for x in found if x is not None and x[0].fits(plan.shape)), (plan.partition, chunks))


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of some kernels, for the warm-up: those of networks with batch normalization and rectifiers."""
    shape, one = (2, 2, 2), (1, 2, 1)
    x, c, norm, relu = np.ones(shape, dtype), np.ones(2, dtype), Link("scale and shift", (0, 1, 2, 3)), "relu gradient"
    chain = FusedLoop(shape, (shape, one, one, one), (norm, Link("relu", (4,))), (5,))
    yield "batch norm, relu", lambda: compute(chain, x, c, c, c)
    yield "batch norm, relu in place", lambda: compute(chain._replace(over=0), x, c, c, c)
    links = norm, Link("add", (5, 4)), Link("relu", (6,))
    residual = FusedLoop(shape, (shape, one, one, one, shape), links, (7,))
    yield "batch norm, add, relu", lambda: compute(residual, x, c, c, c, x)
    yield "batch norm, add, relu in place", lambda: compute(residual._replace(over=0), x, c, c, c, x.copy())
    sums = "sum and product", (4, 2, 3)
    back = FusedLoop(shape, (shape, shape, shape, one), (Link(relu, (0, 1)),), (4,), (sums,))
    yield "relu gradient, sums", lambda: compute(back, x, x, x, np.ones(2))


class _Plan(NamedTuple):
    """What a loop does: the shapes in three axes, the dtypes of its sums, its kernel, and how it is cut into chunks.

    Without sums, and where operands are one number per plane, it is cut as a `partition` says.
    """

    shape: Shape
    operands: tuple[Shape, ...]
    sums: tuple[Any, ...]
    kernel: Callable[..., None]
    units: int
    work: int
    partition: Partition | None


@lru_cache(maxsize=4096)
def _plan(loop: FusedLoop) -> _Plan:
    # What has made the memory that the loop takes is shared out by images and planes.
    by_planes = loop.over is not None and prod(loop.shape[2:]) >= PLANE
    found = layout(loop.shape, loop.operands, bool(loop.sums) or by_planes)
    if found is None and by_planes:
        found = layout(loop.shape, loop.operands, False)
    if found is None:
        raise ValueError(f"no loop over three axes does this: {loop}")
    shape, operands = found
    flat = shape[0] * shape[1] == 1 and not loop.sums
    varies = tuple([tuple([n > 1 for n in operand]) for operand in operands])
    links = tuple([(link.formula, link.operands, len(link.parameters)) for link in loop.links])
    sums = tuple([kind for name, _ in loop.sums for kind in channels.SUMS[name][1]])
    units = shape[1] if loop.sums else shape[2] if flat else shape[0] * shape[1]
    work = prod(shape) * sum(WORK * (len(link.operands) > 2) + WORK for link in loop.links)
    made = kernel_of(Structure(varies, links, loop.written, loop.sums, flat, loop.over))
    partition = None if flat or loop.sums else Partition(shape[0], tuple(range(shape[1] + 1)))
    return _Plan(shape, operands, sums, made, units, work, partition)


@lru_cache(maxsize=4096)
def _bounds(partition: Partition) -> tuple[int, np.ndarray]:
    return partition.length, constant(np.array(partition.starts))
