"""One loop for several elementwise functions: their formulas, one after the other, in one pass over memory.

Operands are whole arrays, or one number per channel, image or plane, or a row: whatever NumPy's rule broadcasts. The
pass may end in sums per channel. The results have the bits of the single functions.

- A formula may be computed with fused multiply-adds, within itself only. So its operands are *fenced*: `_fence` XORs an
  operand's bits with a 0 whose value LLVM can't know. Then LLVM can't contract an operand and the formula that computed
  it into one fused multiply-add.
- Sums are taken by the function of `channels` that the single kernels call, plane by plane, while the plane that the
  loop has written is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import as_contiguous
from tensorgrad.kernels.elementwise import channels, loops
from tensorgrad.kernels.jit.dispatch import INLINE, chunks_for, is_recording, kernel, partition_of, run
from tensorgrad.kernels.jit.generated import execute
from tensorgrad.kernels.jit.opaque import constant
from tensorgrad.kernels.jit.partition import Access, Partition
from tensorgrad.kernels.jit.views import between
from tensorgrad.kernels.simd.functions import CALLS

Shape = tuple[int, ...]

# Multiply-adds that take as long as one element of one link, by a rough measurement.
WORK = 20

# Pixels from which on a loop over planes takes no longer than one over all elements.
PLANE = 16

_exactly = register_jitable(**INLINE | {"fastmath": False})  # an inlined function has its caller's flags otherwise

# Ops that NumPy computes when they aren't fused. Each is one operation without fastmath, so that a loop rounds as NumPy
# does.
ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": _exactly(lambda x, y: x + y),
    "subtract": _exactly(lambda x, y: x - y),
    "multiply": _exactly(lambda x, y: x * y),
    "divide": _exactly(lambda x, y: x / y),
    "divide by": _exactly(lambda x, count: x / count),
    "negative": _exactly(lambda x: -x),
    "square": _exactly(lambda x: x * x),
    "sqrt": _exactly(lambda x: np.sqrt(x)),
    "abs": _exactly(lambda x: abs(x)),
}


class Link(NamedTuple):
    """A function in a loop.

    Attributes:
        formula: its name: in ARITHMETIC, in `channels.FORMULAS`, or that of a loop of `formulas.loops`.
        operands: the indices of its operands, among the arrays of the loop and then the results of the links before.
        parameters: the values of the formula's parameters.
    """

    formula: str
    operands: tuple[int, ...]
    parameters: tuple[float, ...] = ()


class FusedLoop(NamedTuple):
    """Several links in one loop.

    Attributes:
        shape: of the results.
        operands: the shape of each array, with as many axes, each of length 1 or of the shape's length.
        links: in their order.
        written: the indices of the results that are written to memory, counted as for operands.
        sums: ends of the loop: the name of a function in `channels.SUMS`, and the indices of its operands.
        over: the index of an array that the first written result overwrites, since nobody reads that array later.
    """

    shape: Shape
    operands: tuple[Shape, ...]
    links: tuple[Link, ...]
    written: tuple[int, ...]
    sums: tuple[tuple[str, tuple[int, ...]], ...] = ()
    over: int | None = None


def can_fuse(formula: str) -> bool:
    """Whether a formula can be a link.

    A formula that calls the C library can't, since the whole loop would no longer be vectorized.
    """
    if formula in ARITHMETIC or formula in channels.FORMULAS:
        return True
    return formula in loops.LOOPS and CALLS.isdisjoint(_formula(formula).__code__.co_names)


@lru_cache(maxsize=4096)
def layout(shape: Shape, operands: tuple[Shape, ...], by_channel: bool) -> tuple[Shape, tuple[Shape, ...]] | None:
    """The shape (A, B, P) and those of the operands in three axes; None if they need more.

    Adjacent axes along which the same operands are broadcast become one. With `by_channel` B is the axis 1.

    >>> layout((8, 16, 5, 5), ((8, 16, 5, 5), (1, 16, 1, 1)), by_channel=False)
    ((8, 16, 25), ((8, 16, 25), (1, 16, 1)))
    >>> layout((8, 5, 5), ((8, 5, 5), (1, 5, 5)), by_channel=False)
    ((1, 8, 25), ((1, 8, 25), (1, 1, 25)))
    """
    # (length, kind): the kind says which operands aren't broadcast along the axis; neighbours of one kind are joined.
    axes: list[tuple[int, tuple]] = []
    for axis, length in enumerate(shape):
        # By channel axis 0, axis 1 and the others are kinds of their own.
        kind = *[operand[axis] == length for operand in operands], min(axis, 2) if by_channel else 0
        if axes and axes[-1][1] == kind:
            axes[-1] = axes[-1][0] * length, kind
        elif length > 1 or (by_channel and axis < 2):
            axes.append((length, kind))
    missing = [(1, (False,) * (len(operands) + 1))] * (3 - len(axes))
    axes = axes + missing if by_channel else missing + axes
    if len(axes) > 3:
        return None
    lengths = tuple([length for length, _ in axes])
    return lengths, tuple([tuple([n if kind[k] else 1 for n, kind in axes]) for k in range(len(operands))])


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
        run(plan.kernel, (*flat, plan.shape, numbers, 0), chunks)  # 0: for `_fence`
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


class _Structure(NamedTuple):
    """The key of a loop's kernel: what its source depends on, so all but sizes and the values of parameters.

    Attributes:
        varies: per array, along which of the axes (A, B, P) it isn't broadcast.
        links: the name of each formula, its operands, and its number of parameters.
        written, sums, over: of the loop.
        flat: whether there is one plane, which the threads share.
    """

    varies: tuple[tuple[bool, ...], ...]
    links: tuple[tuple[str, tuple[int, ...], int], ...]
    written: tuple[int, ...]
    sums: tuple[tuple[str, tuple[int, ...]], ...]
    flat: bool
    over: int | None

    @property
    def fresh(self) -> tuple[int, ...]:
        """The results that are written to memory of their own."""
        return self.written[self.over is not None :]


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
    made = _kernel_of(_Structure(varies, links, loop.written, loop.sums, flat, loop.over))
    partition = None if flat or loop.sums else Partition(shape[0], tuple(range(shape[1] + 1)))
    return _Plan(shape, operands, sums, made, units, work, partition)


@lru_cache(maxsize=4096)
def _bounds(partition: Partition) -> tuple[int, np.ndarray]:
    return partition.length, constant(np.array(partition.starts))


# ------------------------------------------------------------------------------------------------------------- kernels
#
# The source for tanh(scale · x), x of shape (A, B, P), scale (1, B, 1):
#
#     for _ in range(unit, end):
#         first, last = band * length, min(size, (band + 1) * length)
#         for b in range(starts[cut], starts[cut + 1]):
#             plane = a * shape[1] + b
#             at, to = plane * size + first, plane * size + last
#             x0_ = between(x0, at, to)
#             x1_ = x1[b]
#             z3_ = between(z3, at, to)
#             for k in range(last - first):
#                 v0 = x0_[k]
#                 v1 = x1_
#                 v2 = f2(v0, v1)
#                 v3 = f3(fence(v2, zero >> 3), numbers[0])
#                 z3_[k] = v3
#         (then the next cut, band and a)
#
# x0, x1: arrays, x0_, x1_: what the plane needs of them. f2, f3: formulas, numbered after the arrays; v2, v3: their
# results for an element; z3, z3_: the memory of one that is written. s0, …: sums. numbers: parameters of formulas.


@cache
def _kernel_of(structure: _Structure) -> Callable[..., None]:
    """The kernel. Its arguments: arrays, results, sums, the shape, parameters, 0, the bounds of a partition (see
    `jit.partition`) if there is one, the chunk's index and the number of chunks.
    """
    count, sums = len(structure.varies), _sums(structure)
    formulas = {f"f{k}": _function(name) for k, (name, *_) in enumerate(structure.links, count)}
    formulas |= {f"sum{k}": channels.SUMS[name][0] for k, (name, _) in enumerate(structure.sums)}
    arguments = [*(f"x{k}" for k in range(count)), *(f"z{k}" for k in structure.fresh), *sums]
    partition_arguments = "" if structure.flat or structure.sums else "length, starts, "
    lines = [
        f"def make({', '.join(formulas)}):",
        f"    def loop({', '.join(arguments)}, shape, numbers, zero, {partition_arguments}index, chunks):",
        "        apart()",
        "        size = shape[2]",
        *_indented(_planes(structure, _plane(structure)), 2),
        "    return loop",
    ]
    # Under the name of this file the compiled kernel is kept beside the others; its closure tells it from them.
    space: dict[str, Any] = {"__name__": __name__, "np": np, "between": between, "fence": _fence, "apart": _apart}
    execute("\n".join(lines), __file__, space)
    return kernel(space["make"](*formulas.values()))


def _indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line for line in lines]


def _sums(structure: _Structure) -> list[str]:
    return [f"s{k}" for k in range(sum(len(channels.SUMS[name][1]) for name, _ in structure.sums))]


def _scratch(structure: _Structure) -> list[int]:
    """The results that are summed, but not written: a plane of each is kept."""
    summed = dict.fromkeys(k for _, operands in structure.sums for k in operands if k >= len(structure.varies))
    return [k for k in summed if k not in structure.written]


def _planes(structure: _Structure, plane: list[str]) -> list[str]:
    """The loop over planes (a, b)."""
    if structure.flat:
        return [
            "a = b = 0",
            "first, last = size * index // chunks, size * (index + 1) // chunks",
            *plane,
        ]
    if not structure.sums:
        return [
            "length = length or size",
            "bands, cuts = (size + length - 1) // length, len(starts) - 1",
            "units = shape[0] * bands * cuts",
            "unit, end = units * index // chunks, units * (index + 1) // chunks",
            "a, band, cut = unit // (bands * cuts), unit // cuts % bands, unit % cuts",
            "for _ in range(unit, end):",
            "    first, last = band * length, min(size, (band + 1) * length)",
            "    for b in range(starts[cut], starts[cut + 1]):",
            *_indented(plane, 2),
            "    cut += 1",
            "    if cut == cuts:",
            "        cut, band = 0, band + 1",
            "        if band == bands:",
            "            band, a = 0, a + 1",
        ]
    sums = _sums(structure)
    return [
        "first, last = 0, size",
        *[f"z{k}_ = np.empty(size, x0.dtype)" for k in _scratch(structure)],
        "for b in range(shape[1] * index // chunks, shape[1] * (index + 1) // chunks):",
        *[f"    {x}_all = 0.0" for x in sums],
        "    for a in range(shape[0]):",
        *_indented(plane, 2),
        *[f"    {x}[b] = {x}_all" for x in sums],
    ]


def _plane(structure: _Structure) -> list[str]:
    """The loop over the elements of a plane, then its sums."""
    count, places = len(structure.varies), {(False, False): "0", (True, False): "a", (False, True): "b"}
    lines = ["plane = a * shape[1] + b", "at, to = plane * size + first, plane * size + last"]
    for k, (by_a, by_b, by_element) in enumerate(structure.varies):
        place = places.get((by_a, by_b), "plane")
        if not by_element:
            lines.append(f"x{k}_ = x{k}[{place}]")
        elif place == "plane":
            lines.append(f"x{k}_ = between(x{k}, at, to)")
        else:
            lines.append(f"x{k}_ = between(x{k}, {place} * size + first, {place} * size + last)")
    lines += [f"z{k}_ = between(z{k}, at, to)" for k in structure.fresh]
    if structure.over is not None:
        lines.append(f"z{structure.written[0]}_ = x{structure.over}_")
    lines += ["for k in range(last - first):", *_indented(_element(structure))]
    names = iter(_sums(structure))
    for k, (name, operands) in enumerate(structure.sums):
        values = ", ".join([f"{'x' if j < count else 'z'}{j}_" for j in operands])
        sums = [next(names) for _ in channels.SUMS[name][1]]
        lines.append(f"{', '.join([f'{x}_now' for x in sums])} = sum{k}({values})")
        lines += [f"{x}_all += {x}_now" for x in sums]
    return lines


def _element(structure: _Structure) -> list[str]:
    """The formulas for one element, each link's after those that it uses."""
    count, used = len(structure.varies), 0
    lines = [f"v{k} = x{k}_{'[k]' if varies[2] else ''}" for k, varies in enumerate(structure.varies)]
    for k, (name, operands, parameters) in enumerate(structure.links, count):
        exact = name in ARITHMETIC or name in channels.EXACT
        values = [f"v{j}" if exact else f"fence(v{j}, zero >> {k})" for j in operands]
        values += [f"numbers[{j}]" for j in range(used, used + parameters)]
        # A formula of `loops` without parameters takes a number that it doesn't use.
        values += ["numbers[0]"] * (_function(name).__code__.co_argcount - len(values))
        used += parameters
        lines.append(f"v{k} = f{k}({', '.join(values)})")
    return lines + [f"z{k}_[k] = v{k}" for k in (*structure.written, *_scratch(structure))]


def _function(name: str) -> Any:
    return ARITHMETIC.get(name) or channels.FORMULAS.get(name) or _formula(name)


@cache
def _formula(name: str) -> Callable[..., Any]:
    return loops.formula_of(loops.LOOPS[name]())


@intrinsic
def _fence(typing, value, zero):
    """The value, its bits XORed with those of `zero`, which is 0, but unknown to LLVM."""

    def emit(context, builder, signature, arguments):
        number, pattern = arguments
        bits = ir.IntType(32 if signature.return_type == types.float32 else 64)
        pattern = builder.trunc(pattern, bits) if bits.width == 32 else pattern
        return builder.bitcast(builder.xor(builder.bitcast(number, bits), pattern), number.type)

    return value(value, types.int64), emit


@intrinsic
def _apart(typing):
    """Tell LLVM that the arrays among the arguments don't overlap (noalias): else it compares their addresses."""

    def emit(context, builder, signature, arguments):
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType) and argument.name.startswith(("arg.x", "arg.z", "arg.s")):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), emit
