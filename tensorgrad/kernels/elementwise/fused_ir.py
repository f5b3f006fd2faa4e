"""The description of a fused loop: its formulas, the arrays that they read, and the loop's layout in three axes.

The compiler describes a loop, `fused_codegen` writes its kernel, `fused_loops` runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from tensorgrad.kernels.elementwise import channels, loops
from tensorgrad.kernels.jit.dispatch import INLINE
from tensorgrad.kernels.simd.functions import CALLS

Shape = tuple[int, ...]

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


def function_of(name: str) -> Any:
    """The function of numbers that a formula's name stands for, as numba compiles it into a loop."""
    return ARITHMETIC.get(name) or channels.FORMULAS.get(name) or _formula(name)


@cache
def _formula(name: str) -> Callable[..., Any]:
    return loops.formula_of(loops.LOOPS[name]())


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
