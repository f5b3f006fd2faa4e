"""Reading by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.ops.shapes import FAR, sliced
from tensorgrad.onnx.writing.sizes import Counting, Number, Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.onnx.writing.trace import Ref
from tensorgrad.ops.indexing import GetItem, OneHot
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


def is_array(part: Any) -> bool:
    """Whether a part of an index is an array."""
    return isinstance(part, np.ndarray | Ref | Counting | list)


def whole(index: Any, rank: int) -> list[Any]:
    """The index with its ellipsis, and what lacks at its end, written out."""
    parts = list(index) if isinstance(index, tuple) and not is_array(index) else [index]
    taken = sum(1 for p in parts if p is not None and p is not Ellipsis)
    if Ellipsis not in [p if p is Ellipsis else 0 for p in parts]:
        parts.append(Ellipsis)
    at = next(k for k, p in enumerate(parts) if p is Ellipsis)
    return parts[:at] + [slice(None)] * (rank - taken) + parts[at + 1 :]


@exports(GetItem)
def getitem(g: Graph, call: Applied) -> str:
    """Slice for slices and numbers, Gather for an array, GatherElements or GatherND for several."""
    parts, rank = whole(call.index, len(call.shapes[0])), len(call.shapes[0])
    arrays = [p for p in parts if is_array(p)]
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
    arrays = [k for k, p in enumerate(parts) if is_array(p)]
    others = [p for p in parts if not is_array(p)]
    plain = all(isinstance(p, slice) and p in (slice(None), slice(None, None, 1)) for p in others)
    if len(arrays) == 1 and plain:
        return g.add("Gather", call.x, index_array(g, call, parts[arrays[0]]), axis=arrays[0])
    along = one_that_varies(call, parts)
    if along is not None:
        return g.add("GatherElements", call.x, expanded(g, call, parts[along], call.shape), axis=along)
    if plain and arrays == list(range(len(arrays))):
        return _gather_nd(g, call, [parts[k] for k in arrays])
    raise NotInOnnx("an index of this kind")


def one_that_varies(call: Applied, parts: list[Any]) -> int | None:
    """The axis along which an index of arrays names other places, if along all others it counts."""
    rank = len(parts)
    if not all(map(is_array, parts)):
        return None
    moving = [k for k, p in enumerate(parts) if not _is_count(p, k, rank)]
    if len(moving) != 1 or len(array_shape(call, parts[moving[0]])) != rank:
        return None
    return moving[0]


def _is_count(part: Any, axis: int, rank: int) -> bool:
    """Whether it is 0, 1, … along that axis."""
    if isinstance(part, Counting):
        return part.axis == axis and part.ndim == rank and part.start == 0
    if not isinstance(part, np.ndarray) or part.ndim != rank or part.shape[axis] != part.size:
        return False
    return np.array_equal(part.reshape(-1), np.arange(part.size))


def array_shape(call: Applied, part: Any) -> tuple[Number, ...]:
    """The shape of an array of an index."""
    if isinstance(part, Counting):
        return tuple(part.size if axis == part.axis else 1 for axis in range(part.ndim))
    if isinstance(part, Ref):
        return call.reference_shapes[part.number]
    return np.shape(part)


def index_array(g: Graph, call: Applied, part: Any) -> str:
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
    tail = len(call.shapes[0]) - len(arrays)
    return g.add("GatherND", call.x, side_by_side(g, call, arrays, call.shape[: len(call.shape) - tail]))


def side_by_side(g: Graph, call: Applied, arrays: list[Any], shape: tuple[Number, ...]) -> str:
    """The arrays of an index, broadcast to a shape, along a new last axis."""
    last = g.constant([len(shape)], np.int64)
    columns = [g.add("Unsqueeze", expanded(g, call, part, shape), last) for part in arrays]
    return g.add("Concat", *columns, axis=len(shape))


def expanded(g: Graph, call: Applied, part: Any, shape: tuple[Number, ...]) -> str:
    """An array of an index as int64, broadcast to a shape."""
    name = index_array(g, call, part)
    name = g.cast(name, np.dtype(np.int64)) if isinstance(part, Ref) else name
    return name if array_shape(call, part) == shape else g.add("Expand", name, g.numbers(shape))
