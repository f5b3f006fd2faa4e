"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.ops.shapes import FAR, sliced
from tensorgrad.onnx.writing.sizes import Counting, Number, Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.onnx.writing.trace import Ref
from tensorgrad.ops.indexing import GetItem, OneHot, SetItem
from tensorgrad.ops.layers.embedding import Embedding
from tensorgrad.ops.ordering.taking import TakeAlong


@exports(Embedding)
def embedding(g: Graph, call: Applied) -> str:
    """Gather."""
    return g.add("Gather", *call.inputs, axis=0)


@exports(TakeAlong)
def take_along(g: Graph, call: Applied) -> str:
    """GatherElements."""
    return g.add("GatherElements", *call.inputs, axis=call.axis)


@exports(OneHot)
def one_hot(g: Graph, call: Applied) -> str:
    """OneHot."""
    values = g.constant([0, 1], np.int64)
    return g.add("OneHot", call.x, g.constant([call.num_classes], np.int64), values, axis=-1)


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray | Ref | Counting | list)


def _whole(index: Any, rank: int) -> list[Any]:
    """The index with its ellipsis, and what lacks at its end, written out."""
    parts = list(index) if isinstance(index, tuple) and not _is_array(index) else [index]
    taken = sum(1 for p in parts if p is not None and p is not Ellipsis)
    if Ellipsis not in [p if p is Ellipsis else 0 for p in parts]:
        parts.append(Ellipsis)
    at = next(k for k, p in enumerate(parts) if p is Ellipsis)
    return parts[:at] + [slice(None)] * (rank - taken) + parts[at + 1 :]


@exports(GetItem)
def getitem(g: Graph, call: Applied) -> str:
    """Slice for slices and numbers, Gather for an array, GatherElements or GatherND for several."""
    parts, rank = _whole(call.index, len(call.shapes[0])), len(call.shapes[0])
    arrays = [p for p in parts if _is_array(p)]
    if arrays:
        return _by_arrays(g, call, parts)
    x, axis = call.x, 0
    starts, ends, axes, steps, dropped = list[Any](), list[Any](), list[int](), list[int](), list[int]()
    for part in parts:
        if part is None:
            continue
        if isinstance(part, slice):
            if part != slice(None) and part != slice(None, None, 1):
                step = 1 if part.step is None else part.step
                starts.append((0 if step > 0 else -1) if part.start is None else part.start)
                ends.append((FAR if step > 0 else -FAR) if part.stop is None else part.stop)
                axes.append(axis)
                steps.append(step)
        else:
            number = part if isinstance(part, Size) else int(part)
            starts.append(number)
            ends.append(_after(number))
            axes.append(axis)
            steps.append(1)
            dropped.append(axis)
        axis += 1
    if axes:
        x = sliced(g, x, starts, ends, axes, steps)
    if dropped:
        x = g.add("Squeeze", x, g.constant(dropped, np.int64))
    new = _new_axes(parts)
    assert axis == rank
    return g.add("Unsqueeze", x, g.constant(new, np.int64)) if new else x


def _after(number: Number) -> Number:
    """The end of a slice that holds one element; −1 is the last."""
    if isinstance(number, Size):
        return number._replace(offset=number.offset + 1)
    return FAR if number == -1 else number + 1


def _new_axes(parts: list[Any]) -> list[int]:
    """Where the result has axes that the index adds."""
    kept = [p for p in parts if p is None or isinstance(p, slice)]
    return [k for k, p in enumerate(kept) if p is None]


def _by_arrays(g: Graph, call: Applied, parts: list[Any]) -> str:
    if any(p is None for p in parts):
        raise NotInOnnx("an array beside None in an index")
    arrays = [k for k, p in enumerate(parts) if _is_array(p)]
    others = [p for p in parts if not _is_array(p)]
    whole = all(isinstance(p, slice) and p in (slice(None), slice(None, None, 1)) for p in others)
    if len(arrays) == 1 and whole:
        return g.add("Gather", call.x, _places(g, call, parts[arrays[0]]), axis=arrays[0])
    along = _one_that_varies(call, parts)
    if along is not None:
        return g.add("GatherElements", call.x, _places(g, call, parts[along]), axis=along)
    if whole and arrays == list(range(len(arrays))):
        return _gather_nd(g, call, [parts[k] for k in arrays])
    raise NotInOnnx("an index of this kind")


def _one_that_varies(call: Applied, parts: list[Any]) -> int | None:
    """The axis along which an index of arrays reads elsewhere, if along all others it reads in order."""
    rank = len(parts)
    if not all(map(_is_array, parts)) or len(call.shape) != rank:
        return None
    moving = [k for k, p in enumerate(parts) if not _is_count(p, k, rank)]
    if len(moving) != 1 or _rank(call, parts[moving[0]]) != rank:
        return None
    return moving[0]


def _is_count(part: Any, axis: int, rank: int) -> bool:
    """Whether it is 0, 1, … along that axis."""
    if isinstance(part, Counting):
        return part.axis == axis and part.ndim == rank and part.start == 0
    if not isinstance(part, np.ndarray) or part.ndim != rank or part.shape[axis] != part.size:
        return False
    return np.array_equal(part.reshape(-1), np.arange(part.size))


def _rank(call: Applied, part: Any) -> int:
    if isinstance(part, Counting):
        return part.ndim
    if isinstance(part, Ref):
        return len(call.reference_shapes[part.number])
    return np.ndim(part)


def _places(g: Graph, call: Applied, part: Any) -> str:
    """The name of an array of an index."""
    if isinstance(part, Ref):
        return call.references[part.number]
    if isinstance(part, Counting):
        first, last = g.constant(part.start, np.int64), g.add("Squeeze", g.size(part.size))
        counted = g.add("Range", first, g.add("Add", last, first) if part.start else last, g.constant(1, np.int64))
        shape = [1] * part.ndim
        shape[part.axis] = -1
        return g.add("Reshape", counted, g.constant(shape, np.int64)) if part.ndim != 1 else counted
    array = np.asarray(part)
    if array.dtype == np.bool_:
        raise NotInOnnx("a mask as an index, which selects as many elements as it has ones")
    return g.constant(array, np.int64)


def _gather_nd(g: Graph, call: Applied, arrays: list[Any]) -> str:
    """GatherND: the arrays, broadcast, side by side along a last axis."""
    tail = len(call.shapes[0]) - len(arrays)
    shape = call.shape[: len(call.shape) - tail]
    target, columns = g.numbers(shape), []
    for part in arrays:
        places = g.cast(_places(g, call, part), np.dtype(np.int64)) if isinstance(part, Ref) else _places(g, call, part)
        full = g.add("Expand", places, target)
        columns.append(g.add("Unsqueeze", full, g.constant([len(shape)], np.int64)))
    return g.add("GatherND", call.x, g.add("Concat", *columns, axis=len(shape)))


@exports(SetItem)
def setitem(g: Graph, call: Applied) -> str:
    """Slices and numbers: the value, padded to the shape of x, where a mask says so."""
    shape, parts = call.shapes[0], _whole(call.index, len(call.shapes[0]))
    if any(p is None or _is_array(p) for p in parts):
        raise NotInOnnx("an assignment to an index of arrays")
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
