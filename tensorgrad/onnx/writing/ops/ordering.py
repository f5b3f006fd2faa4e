"""Sorting, and medians."""

from __future__ import annotations

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.sizes import Number, Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.ordering.sorting import ArgMedian, ArgSort, MedianOfAll


@exports(ArgSort)
def argsort(g: Graph, call: Applied) -> str:
    """TopK of all; of equal elements the first comes first."""
    (n,) = call.static([call.shapes[0][call.axis]], "a sorted axis: its size")
    count = g.constant([n], np.int64)
    return g.add("TopK", call.x, count, outputs=2, axis=call.axis, largest=int(call.descending), sorted=1)[1]


@exports(ArgMedian)
def argmedian(g: Graph, call: Applied) -> str:
    """The last of the smaller half, by TopK; the first NaN if there is any."""
    return _place_of_median(g, call, call.axis % len(call.shapes[0]))


@exports(MedianOfAll)
def median_of_all(g: Graph, call: Applied) -> str:
    """The element at the place of the median."""
    place = _place_of_median(g, call, 0)
    return g.add("Squeeze", g.add("Gather", call.x, place, axis=0), g.constant([0], np.int64))


def _place_of_median(g: Graph, call: Applied, axis: int) -> str:
    """The place of the median along an axis, which is kept with length 1."""
    if call.ignore_nan:
        raise NotInOnnx("ONNX orders no NaN: a median of the other elements")
    size = call.shapes[0][axis]
    if size == 0:
        raise NotInOnnx("the median of no element")
    half = _half(g, size)
    ordered = g.add("TopK", call.x, half, outputs=2, axis=axis, largest=0, sorted=1)[1]
    last, axes = g.constant([-1], np.int64), g.constant([axis], np.int64)
    place = g.add("Slice", ordered, last, g.constant([2**62], np.int64), axes)
    if not is_float(call.dtypes[0]):
        return place
    nan = g.cast(g.add("IsNaN", call.x), np.dtype(np.int32))
    has_nan = g.cast(g.add("ReduceMax", nan, axes, keepdims=1), np.dtype(np.bool_))
    return g.add("Where", has_nan, g.add("ArgMax", nan, axis=axis, keepdims=1), place)


def _half(g: Graph, size: Number) -> str:
    """(n + 1) div 2, as a vector of one number."""
    if not isinstance(size, Size):
        return g.constant([(size + 1) // 2], np.int64)
    more = g.add("Add", g.size(size), g.constant([1], np.int64))
    return g.add("Div", more, g.constant([2], np.int64))
