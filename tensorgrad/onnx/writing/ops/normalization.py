"""Normalizations."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.ops.reductions import reduced
from tensorgrad.onnx.writing.sizes import Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.layers.row_normalization import GroupNorm, InstanceNorm, LayerNorm, RmsNorm
from tensorgrad.ops.normalization import BatchNorm, ScaleAndShift, Scaling


@exports(ScaleAndShift)
def scale_and_shift(g: Graph, call: Applied) -> str:
    """BatchNormalization, where the scale is w/√(v + ε); else (x − c) · w + b."""
    x, mean, scale, bias = call.inputs
    made = call.made_by.get(scale)
    if made is not None and isinstance(made.op, Scaling):
        weight, var = made.inputs
        return g.add("BatchNormalization", x, weight, bias, mean, var, epsilon=float(made.op.eps))
    mean, scale, bias = (_per_channel(g, t, len(call.shape)) for t in (mean, scale, bias))
    return g.add("Add", g.add("Mul", g.add("Sub", x, mean), scale), bias)


def _per_channel(g: Graph, x: str, rank: int) -> str:
    """(C,) -> (C, 1, …), beside (N, C, …)."""
    return x if rank == 2 else g.reshape(x, [-1, *[1] * (rank - 2)])


@exports(BatchNorm)
def batch_norm(g: Graph, call: Applied) -> str:
    """The statistics of the batch, reduced from it."""
    x, weight, bias = call.inputs
    rank = len(call.shape)
    axes = (0, *range(2, rank))
    scaled = _standardized(g, x, axes, call.eps, call.dtype)
    return g.add("Add", g.add("Mul", scaled, _per_channel(g, weight, rank)), _per_channel(g, bias, rank))


def _standardized(g: Graph, x: str, axes: tuple[int, ...], eps: float, dtype: np.dtype, centred: bool = True) -> str:
    """(x − μ)/√(σ² + ε) over the axes; without a mean x/√(mean of x² + ε)."""
    x = g.add("Sub", x, reduced(g, "ReduceMean", x, axes, True)) if centred else x
    squares = reduced(g, "ReduceMean", g.add("Mul", x, x), axes, True)
    return g.add("Div", x, g.add("Sqrt", g.add("Add", squares, g.constant(eps, dtype))))


def _last_axes(call: Applied) -> int:
    """Where the axes begin that are normalized together: behind it are as many elements as weights."""
    shape, count = call.shapes[0], call.rows.blocks
    for first in range(len(shape) - 1, -1, -1):
        sizes = shape[first:]
        if not any(isinstance(n, Size) for n in sizes) and math.prod(sizes) == count:  # type: ignore[arg-type]
            return first
    raise NotInOnnx("its rows depend on the size of the batch")


@exports(LayerNorm)
def layer_norm(g: Graph, call: Applied) -> str:
    """LayerNormalization."""
    first = _last_axes(call)
    x, *weights = call.inputs
    if first < len(call.shape) - 1:
        weights = [g.reshape(w, call.shapes[0][first:]) for w in weights]
    return g.add("LayerNormalization", x, *weights, axis=first - len(call.shape), epsilon=call.eps)


@exports(RmsNorm)
def rms_norm(g: Graph, call: Applied) -> str:
    """x/√(mean of x² + ε) · w."""
    first = _last_axes(call)
    x, weight = call.inputs
    if first < len(call.shape) - 1:
        weight = g.reshape(weight, call.shapes[0][first:])
    axes = tuple(range(first, len(call.shape)))
    return g.add("Mul", _standardized(g, x, axes, call.eps, call.dtype, False), weight)


@exports(InstanceNorm)
def instance_norm(g: Graph, call: Applied) -> str:
    """InstanceNormalization."""
    return g.add("InstanceNormalization", *call.inputs, epsilon=call.eps)


@exports(GroupNorm)
def group_norm(g: Graph, call: Applied) -> str:
    """InstanceNormalization of the groups as channels, then a weight for each channel."""
    x, weight, bias = call.inputs
    groups, rank = call.rows.groups, len(call.shape)
    rows = g.add("Reshape", x, g.constant([0, groups, -1], np.int64))
    ones, zeros = (g.constant(np.full(groups, value), call.dtype) for value in (1, 0))
    normal = g.reshape(g.add("InstanceNormalization", rows, ones, zeros, epsilon=call.eps), call.shape)
    return g.add("Add", g.add("Mul", normal, _per_channel(g, weight, rank)), _per_channel(g, bias, rank))
