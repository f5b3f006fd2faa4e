"""Reductions, places of extremes, running sums and products."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.sizes import Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.linalg.norms import Norm
from tensorgrad.ops.reduce.dispersion import Dispersion, Std
from tensorgrad.ops.reduce.extremes import ArgMax, ArgMin, Max, Min, Pick
from tensorgrad.ops.reductions import All, Any, CumSum, DivideByCount, LogSumExp, Mean, Prod, Sum
from tensorgrad.ops.softmax import LogSoftmax, Softmax
from tensorgrad.ops.statistics.cumulative import CumProd

NAMES: dict[type[Op], str] = {
    Sum: "ReduceSum",
    Mean: "ReduceMean",
    Prod: "ReduceProd",
    Max: "ReduceMax",
    Min: "ReduceMin",
}
NAMES |= {LogSumExp: "ReduceLogSumExp"}


def reduced(g: Graph, name: str, x: str, axes: tuple[int, ...], keep: bool) -> str:
    """A reduction; over no axis it changes nothing."""
    return g.add(name, x, g.constant(list(axes), np.int64), keepdims=int(keep), noop_with_empty_axes=1)


@exports(Sum, Mean, Prod, Max, Min, LogSumExp)
def reduction(g: Graph, call: Applied) -> str:
    """The reduction of that name, in the dtype of the result."""
    x = call.x if call.dtypes[0] == call.dtype else g.cast(call.x, call.dtype)
    if not call.axis:
        return x
    return reduced(g, NAMES[type(call.op)], x, call.axis, call.keepdims)


@exports(All, Any)
def truth(g: Graph, call: Applied) -> str:
    """The smallest, or the largest, of 0 and 1."""
    x = call.x if call.dtypes[0] == np.bool_ else g.cast(call.x, np.dtype(np.bool_))
    name = "ReduceMin" if type(call.op) is All else "ReduceMax"
    x = g.cast(x, np.dtype(np.int32))
    return g.cast(reduced(g, name, x, call.axis, call.keepdims) if call.axis else x, np.dtype(np.bool_))


@exports(DivideByCount)
def divide_by_count(g: Graph, call: Applied) -> str:
    """Div, and Expand."""
    if isinstance(call.count, Size):
        raise NotInOnnx("a division by the size of the batch")
    z = g.add("Div", call.x, g.constant(call.count, call.dtype))
    return z if call.shape == call.shapes[0] else g.add("Expand", z, g.numbers(call.shape))


@exports(Dispersion)
def dispersion(g: Graph, call: Applied) -> str:
    """The mean of the squared distance from the mean, over n − ddof."""
    count = math.prod(call.static([call.shapes[0][a] for a in call.axis], "variances over axes that"))
    centred = g.add("Sub", call.x, reduced(g, "ReduceMean", call.x, call.axis, True))
    squares = reduced(g, "ReduceSumSquare", centred, call.axis, call.keepdims)
    variance = g.add("Div", squares, g.constant(max(count - call.ddof, 0), call.dtype))
    return g.add("Sqrt", variance) if isinstance(call.op, Std) else variance


@exports(Norm)
def norm(g: Graph, call: Applied) -> str:
    """ReduceL1, ReduceL2, or (Σ |x|ᵖ)^(1/p)."""
    if call.p in (1, 2):
        return reduced(g, f"ReduceL{int(call.p)}", call.x, call.axis, call.keepdims)
    size = g.add("Abs", call.x)
    if math.isinf(call.p):
        return reduced(g, "ReduceMax" if call.p > 0 else "ReduceMin", size, call.axis, call.keepdims)
    if call.p == 0:
        raise NotInOnnx("the number of elements that aren't 0")
    power = reduced(g, "ReduceSum", g.add("Pow", size, g.constant(call.p, call.dtype)), call.axis, call.keepdims)
    return g.add("Pow", power, g.constant(1 / call.p, call.dtype))


@exports(ArgMax, ArgMin)
def position(g: Graph, call: Applied) -> str:
    """ArgMax or ArgMin."""
    name, x, axis = "ArgMax" if type(call.op) is ArgMax else "ArgMin", call.x, call.axis
    if call.dtypes[0] == np.bool_:
        x = g.cast(x, np.dtype(np.int32))
    if axis is None:
        if call.keepdims:
            raise NotInOnnx("keepdim without dim")
        return g.add(name, g.add("Reshape", x, g.constant([-1], np.int64)), axis=0, keepdims=0)
    return g.add(name, x, axis=axis, keepdims=int(call.keepdims))


@exports(Pick)
def pick(g: Graph, call: Applied) -> str:
    """GatherElements of one element."""
    x, k = call.inputs
    if not call.shapes[0]:
        return x
    axis = g.constant([call.axis % len(call.shapes[0])], np.int64)
    k = k if call.keepdims else g.add("Unsqueeze", k, axis)
    z = g.add("GatherElements", x, k, axis=call.axis)
    return z if call.keepdims else g.add("Squeeze", z, axis)


@exports(CumSum)
def cumsum(g: Graph, call: Applied) -> str:
    """CumSum."""
    x = call.x if call.dtypes[0] == call.dtype else g.cast(call.x, call.dtype)
    return g.add("CumSum", x, g.constant(call.axis, np.int64))


@exports(CumProd)
def cumprod(g: Graph, call: Applied) -> str:
    """Products of 2, 4, 8 … neighbours: each time z is multiplied by z, moved along by as many elements."""
    z = call.x if call.dtypes[0] == call.dtype else g.cast(call.x, call.dtype)
    (n,) = call.static([call.shape[call.axis]], "a cumulative product: its length")
    distance, axis, one = 1, g.constant([call.axis], np.int64), g.constant(1, call.dtype)
    while distance < n:
        widths = g.constant([distance, -distance], np.int64)  # 1 enters in front, as much is cut off at the end
        z = g.add("Mul", z, g.add("Pad", z, widths, one, axis))
        distance *= 2
    return z


@exports(Softmax, LogSoftmax)
def softmax(g: Graph, call: Applied) -> str:
    """Softmax or LogSoftmax."""
    return g.add(type(call.op).__name__, call.x, axis=call.axis)
