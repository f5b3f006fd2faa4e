"""The kernel of a fused loop: its source, written for the links of the loop and for what is broadcast.

The source for tanh(scale · x), x of shape (A, B, P), scale (1, B, 1):

    for _ in range(unit, end):
        first, last = band * length, min(size, (band + 1) * length)
        for b in range(starts[cut], starts[cut + 1]):
            plane = a * shape[1] + b
            at, to = plane * size + first, plane * size + last
            x0_ = between(x0, at, to)
            x1_ = x1[b]
            z3_ = between(z3, at, to)
            for k in range(last - first):
                v0 = x0_[k]
                v1 = x1_
                v2 = f2(v0, v1)
                v3 = f3(fence(v2, zero >> 3), numbers[0])
                z3_[k] = v3
        (then the next cut, band and a)

x0, x1: arrays, x0_, x1_: what the plane needs of them. f2, f3: formulas, numbered after the arrays; v2, v3: their
results for an element; z3, z3_: the memory of one that is written. s0, …: sums. numbers: parameters of formulas.

A formula may be computed with fused multiply-adds, within itself only. So its operands are *fenced*: `_fence` XORs an
operand's bits with a 0 whose value LLVM can't know. Then LLVM can't contract an operand and the formula that computed
it into one fused multiply-add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.elementwise import channels
from tensorgrad.kernels.elementwise.fused_ir import ARITHMETIC, function_of
from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.jit.generated import execute
from tensorgrad.kernels.jit.views import between


class Structure(NamedTuple):
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


@cache
def kernel_of(structure: Structure) -> Callable[..., None]:
    """The kernel. Its arguments: arrays, results, sums, the shape, parameters, 0, the bounds of a partition (see
    `jit.partition`) if there is one, the chunk's index and the number of chunks.
    """
    count, sums = len(structure.varies), _sums(structure)
    formulas = {f"f{k}": function_of(name) for k, (name, *_) in enumerate(structure.links, count)}
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


def _sums(structure: Structure) -> list[str]:
    return [f"s{k}" for k in range(sum(len(channels.SUMS[name][1]) for name, _ in structure.sums))]


def _scratch(structure: Structure) -> list[int]:
    """The results that are summed, but not written: a plane of each is kept."""
    summed = dict.fromkeys(k for _, operands in structure.sums for k in operands if k >= len(structure.varies))
    return [k for k in summed if k not in structure.written]


def _planes(structure: Structure, plane: list[str]) -> list[str]:
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


def _plane(structure: Structure) -> list[str]:
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


def _element(structure: Structure) -> list[str]:
    """The formulas for one element, each link's after those that it uses."""
    count, used = len(structure.varies), 0
    lines = [f"v{k} = x{k}_{'[k]' if varies[2] else ''}" for k, varies in enumerate(structure.varies)]
    for k, (name, operands, parameters) in enumerate(structure.links, count):
        exact = name in ARITHMETIC or name in channels.EXACT
        values = [f"v{j}" if exact else f"fence(v{j}, zero >> {k})" for j in operands]
        values += [f"numbers[{j}]" for j in range(used, used + parameters)]
        # A formula of `loops` without parameters takes a number that it doesn't use.
        values += ["numbers[0]"] * (function_of(name).__code__.co_argcount - len(values))
        used += parameters
        lines.append(f"v{k} = f{k}({', '.join(values)})")
    return lines + [f"z{k}_[k] = v{k}" for k in (*structure.written, *_scratch(structure))]


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
