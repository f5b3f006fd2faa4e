"""Shapes: reshape, transpose, join, slice, pad, repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.kernels.sampling.tables import taps
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.sizes import Number
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.images.padding import ConstantPad, MirrorPad
from tensorgrad.ops.joining import Concatenate
from tensorgrad.ops.layout.diagonals import Diagonal, Tril, Triu
from tensorgrad.ops.layout.repeats import Roll
from tensorgrad.ops.layout.views import SlidingWindows
from tensorgrad.ops.operands import Cast, Convert, Stack
from tensorgrad.ops.shapes import BroadcastTo, Clone, Flip, Reshape, Transpose


@exports(Clone)
def clone(g: Graph, call: Applied) -> str:
    """Nothing: values don't change."""
    return call.x


@exports(Cast, Convert)
def cast(g: Graph, call: Applied) -> str:
    """Cast."""
    return call.x if call.dtype == call.dtypes[0] else g.cast(call.x, call.dtype)


@exports(Reshape)
def reshape(g: Graph, call: Applied) -> str:
    """Reshape."""
    return call.x if call.shape == call.shapes[0] else g.reshape(call.x, call.shape)


@exports(Transpose)
def transpose(g: Graph, call: Applied) -> str:
    """Transpose."""
    rank = len(call.shape)
    return g.add("Transpose", call.x, perm=[a % rank for a in call.axes]) if rank else call.x


@exports(BroadcastTo)
def broadcast_to(g: Graph, call: Applied) -> str:
    """Expand."""
    return call.x if call.shape == call.shapes[0] else g.add("Expand", call.x, g.numbers(call.shape))


@exports(Concatenate)
def concatenate(g: Graph, call: Applied) -> str:
    """Concat."""
    return g.add("Concat", *call.inputs, axis=call.axis)


@exports(Stack)
def stack(g: Graph, call: Applied) -> str:
    """Concat along a new axis."""
    axis = call.axis % len(call.shape)
    new = [g.add("Unsqueeze", x, g.constant([axis], np.int64)) for x in call.inputs]
    return g.add("Concat", *new, axis=axis)


def sliced(
    g: Graph, x: str, starts: Sequence[Number], ends: Sequence[Number], axes: Sequence[int], steps: Sequence[int]
) -> str:
    """x[start:end:step] along each of the axes."""
    given = g.numbers(starts), g.numbers(ends), g.constant(list(axes), np.int64), g.constant(list(steps), np.int64)
    return g.add("Slice", x, *given)


FAR = 2**62


@exports(Flip)
def flip(g: Graph, call: Applied) -> str:
    """Slice with steps of −1."""
    axes = [a % len(call.shape) for a in call.axis]
    count = len(axes)
    return sliced(g, call.x, [-1] * count, [-FAR] * count, axes, [-1] * count) if axes else call.x


@exports(Roll)
def roll(g: Graph, call: Applied) -> str:
    """Two slices, joined the other way round."""
    x = call.x
    for shift, axis in zip(call.shifts, call.axis, strict=True):
        (n,) = call.static([call.shapes[0][axis]], "a rolled axis: its size")
        cut = n - shift % n if n else 0
        if cut % max(n, 1):
            parts = sliced(g, x, [cut], [FAR], [axis], [1]), sliced(g, x, [0], [cut], [axis], [1])
            x = g.add("Concat", *parts, axis=axis)
    return x


@exports(ConstantPad)
def constant_pad(g: Graph, call: Applied) -> str:
    """Pad."""
    before, after = zip(*call.widths, strict=True)
    widths = call.static([*before, *after], "its widths")
    return g.add("Pad", call.x, g.numbers(widths), g.constant(call.value, call.dtype))


@exports(MirrorPad)
def mirror_pad(g: Graph, call: Applied) -> str:
    """Pad in the modes that ONNX has, else a Gather along each axis."""
    axes, rank = call.op.axes, len(call.shape)  # type: ignore[attr-defined]
    first = rank - len(axes)
    modes = {"reflect": "reflect", "replicate": "edge"}
    if {axis.kind for axis in axes} <= {*modes} and len({axis.kind for axis in axes}) == 1:
        before = [0] * first + [axis.before for axis in axes]
        after = [0] * first + [axis.length - axis.size - axis.before for axis in axes]
        return g.add("Pad", call.x, g.numbers([*before, *after]), mode=modes[axes[0].kind])
    x = call.x
    for position, axis in enumerate(axes, first):
        sources = taps(axis, np.dtype(np.float32)).source
        if len(sources) != 1:
            raise NotInOnnx(f"padding {axis.kind}")
        x = g.add("Gather", x, g.constant(sources[0].astype(np.int64)), axis=position)
    return x


@exports(SlidingWindows)
def sliding_windows(g: Graph, call: Applied) -> str:
    """A Gather of the elements of each window, whose axis goes to the end."""
    axis, rank = call.axis % len(call.shapes[0]), len(call.shape)
    (count,) = call.static([call.shape[axis]], "the number of windows")
    places = np.arange(count)[:, None] * call.step + np.arange(call.size)
    z = g.add("Gather", call.x, g.constant(places, np.int64), axis=axis)
    order = [a for a in range(rank) if a != axis + 1]
    return g.add("Transpose", z, perm=[*order, axis + 1])


@exports(Tril, Triu)
def triangle(g: Graph, call: Applied) -> str:
    """Trilu."""
    return g.add("Trilu", call.x, g.constant(call.diagonal, np.int64), upper=int(type(call.op) is Triu))


@exports(Diagonal)
def diagonal(g: Graph, call: Applied) -> str:
    """GatherElements along the second axis, at the row's number and the offset."""
    first, second = (a % len(call.shapes[0]) for a in call.axes)
    rank = len(call.shapes[0])
    order = [a for a in range(rank) if a not in (first, second)] + [first, second]
    (length,) = call.static(call.shape[-1:], "its length")
    x = g.add("Transpose", call.x, perm=order)
    row = max(-call.offset, 0)
    x = sliced(g, x, [row], [row + length], [rank - 2], [1])
    places = g.constant(np.arange(length)[:, None] + max(call.offset, 0), np.int64)
    z = g.add("GatherElements", x, g.add("Expand", places, g.numbers([*call.shape, 1])), axis=rank - 1)
    return g.add("Squeeze", z, g.constant([rank - 1], np.int64))
