"""Writing by index: replacing elements, and combining what comes to each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.ops.indexing import array_shape, expanded, is_array, one_that_varies, side_by_side, whole
from tensorgrad.onnx.writing.sizes import Number, Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.indexing import SetItem
from tensorgrad.ops.selection.combine import AddAt, MaximumAt, MinimumAt, MultiplyAt

WAYS = {AddAt: "add", MultiplyAt: "mul", MaximumAt: "max", MinimumAt: "min"}
"""ONNX's name of each way to combine values with elements."""


@exports(*WAYS)
def combined(g: Graph, call: Applied) -> str:
    """ScatterElements or ScatterND with a reduction."""
    return scattered(g, call, whole(call.index, len(call.shapes[0])), WAYS[type(call.op)])  # type: ignore[index]


@exports(SetItem)
def setitem(g: Graph, call: Applied) -> str:
    """Slices and numbers: the value, padded to the shape of x, where a mask says so. Arrays: `scattered`."""
    shape, parts = call.shapes[0], whole(call.index, len(call.shapes[0]))
    if any(p is None or is_array(p) for p in parts):
        return scattered(g, call, parts, None)
    before, after, inner, mask = list[int](), list[int](), list[Any](), np.ones([1] * len(shape), bool)
    for axis, (part, n) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(n, Size):
            if part not in (slice(None), slice(None, None, 1)):
                raise NotInOnnx("an assignment to a part of the batch")
            inner.append(n)
            before.append(0)
            after.append(0)
            continue
        chosen = range(n)[part if isinstance(part, slice) else slice(int(part), int(part) + 1 or None)]
        if chosen.step != 1:
            raise NotInOnnx("an assignment to an index with steps")
        first, last = (chosen.start, chosen.stop) if len(chosen) else (0, 0)
        before.append(first)
        after.append(n - last)
        inner.append(last - first)
        here = ((np.arange(n) >= first) & (np.arange(n) < last)).reshape(-1, *[1] * (len(shape) - axis - 1))
        mask = mask & here
    value = call.inputs[1]
    kept = [k for k, p in enumerate(parts) if isinstance(p, slice)]
    value = g.add("Expand", value, g.numbers([inner[k] for k in kept]))
    value = g.reshape(value, inner) if len(kept) != len(parts) else value
    value = g.add("Pad", value, g.numbers([*before, *after]))
    return g.add("Where", g.constant(mask), value, call.x)


def scattered(g: Graph, call: Applied, parts: list[Any], way: str | None) -> str:
    """x, with values at an index of arrays: replaced, or combined in a way.

    ScatterElements where the arrays count along all axes but one, or one array stands beside whole axes; ScatterND
    where arrays stand in front.
    """
    arrays = [k for k, p in enumerate(parts) if is_array(p)]
    others = [p for p in parts if not is_array(p)]
    if not arrays or any(not isinstance(p, slice) or p not in (slice(None), slice(None, None, 1)) for p in others):
        raise NotInOnnx("an assignment to an index of this kind")
    x, shape = call.x, call.shapes[0]
    axis = one_that_varies(call, parts)
    if axis is not None:
        target = _broadcast([array_shape(call, p) for p in parts])
        places = expanded(g, call, parts[axis], target)
        return g.add("ScatterElements", x, places, _updates(g, call, target), axis=axis, reduction=way)
    if len(arrays) == 1:
        alone, part = arrays[0], parts[arrays[0]]
        if len(length := array_shape(call, part)) == 1:  # x[:, k] = v
            target = (*shape[:alone], *length, *shape[alone + 1 :])
            column = g.reshape(expanded(g, call, part, length), [-1, *[1] * (len(shape) - alone - 1)])
            column = g.add("Expand", column, g.numbers(target))
            return g.add("ScatterElements", x, column, _updates(g, call, target), axis=alone, reduction=way)
    if arrays != list(range(len(arrays))):
        raise NotInOnnx("an assignment to an index of arrays behind whole axes")
    front = _broadcast([array_shape(call, parts[k]) for k in arrays])
    updates = _updates(g, call, (*front, *shape[len(arrays) :]))
    return g.add("ScatterND", x, side_by_side(g, call, [parts[k] for k in arrays], front), updates, reduction=way)


def _updates(g: Graph, call: Applied, shape: tuple[Number, ...]) -> str:
    """The values, broadcast to a shape."""
    values = call.inputs[1]
    return values if call.shapes[1] == shape else g.add("Expand", values, g.numbers(shape))


def _broadcast(shapes: list[tuple[Number, ...]]) -> tuple[Number, ...]:
    """The shape that arrays of these shapes have together."""
    rank = max(map(len, shapes))
    columns = zip(*((*[1] * (rank - len(shape)), *shape) for shape in shapes), strict=True)
    return tuple(next((n for n in column if n != 1), 1) for column in columns)
