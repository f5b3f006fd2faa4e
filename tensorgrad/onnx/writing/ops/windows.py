"""Convolution and pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.sizes import Size
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.convolution import Convolution, ConvolutionGradInput
from tensorgrad.ops.images.patches import Fold, Unfold
from tensorgrad.ops.images.transposed import TransposedConvolution
from tensorgrad.ops.images.unpooling import PutPixels
from tensorgrad.ops.indexing import PickPixels
from tensorgrad.ops.pooling import AdaptiveAvgPool, AvgPool, MaxPool, MaxPoolIndices
from tensorgrad.windows import Window


def _attributes(window: Window) -> dict[str, Any]:
    if any(isinstance(n, Size) for sizes in (window.kernel, window.stride, window.size) for n in sizes):
        raise NotInOnnx("its windows depend on the size of the batch")
    before, after = zip(*window.padding, strict=True)
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": [*before, *after]}


@exports(Convolution)
def convolution(g: Graph, call: Applied) -> str:
    """Conv."""
    window: Window = call.window
    return g.add("Conv", *call.inputs, dilations=window.dilation, group=window.groups, **_attributes(window))


@exports(TransposedConvolution, ConvolutionGradInput)
def transposed(g: Graph, call: Applied) -> str:
    """ConvTranspose: its window is that of the convolution whose gradient it is."""
    window: Window = call.window
    axes = zip(window.size, window.output, window.kernel, window.stride, window.dilation, window.padding, strict=True)
    extra = [n - ((m - 1) * s + d * (k - 1) + 1 - sum(p)) for n, m, k, s, d, p in axes]
    given = {**_attributes(window), "dilations": window.dilation, "group": window.groups}
    return g.add("ConvTranspose", *call.inputs, output_padding=extra if any(extra) else None, **given)


def _up_to_the_last(window: Window) -> dict[str, Any]:
    """The attributes of a window whose last position may hang over the end: the padding reaches as far."""
    given = _attributes(window)
    reaches = [(k - 1) * d + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    ends = [
        max(after, (m - 1) * s + reach - n - before)
        for n, m, s, reach, (before, after) in zip(
            window.size, window.output, window.stride, reaches, window.padding, strict=True
        )
    ]
    return {**given, "pads": [*window.before, *ends]}


@exports(MaxPool)
def max_pool(g: Graph, call: Applied) -> str:
    """MaxPool."""
    return g.add("MaxPool", call.x, dilations=call.window.dilation, **_up_to_the_last(call.window))


@exports(MaxPoolIndices)
def max_pool_indices(g: Graph, call: Applied) -> str:
    """MaxPool's places, which count in all planes, in one plane."""
    _, places = g.add("MaxPool", call.x, outputs=2, dilations=call.window.dilation, **_up_to_the_last(call.window))
    return g.add("Mod", places, g.constant(math.prod(call.window.size), np.int64))


@exports(AvgPool)
def avg_pool(g: Graph, call: Applied) -> str:
    """AveragePool; another divisor scales it."""
    window: Window = call.window
    if call.divisor is not None:
        z = g.add("AveragePool", call.x, count_include_pad=1, **_up_to_the_last(window))
        return g.add("Mul", z, g.constant(math.prod(window.kernel) / call.divisor, call.dtype))
    x, given, pads = call.x, _up_to_the_last(window), _attributes(window)["pads"]
    if not call.count_include_pad or not any(pads):
        return g.add("AveragePool", x, count_include_pad=0, **given)
    if given["pads"] == pads:
        return g.add("AveragePool", x, count_include_pad=1, **given)
    # Written out, the padding counts, and what the last window has beyond it doesn't.
    rank = len(window.kernel)
    x = g.add("Pad", x, g.numbers([0, 0, *pads[:rank], 0, 0, *pads[rank:]]))
    given["pads"] = [n - m for n, m in zip(given["pads"], pads, strict=True)]
    return g.add("AveragePool", x, count_include_pad=0, **given)


@exports(AdaptiveAvgPool)
def adaptive_avg_pool(g: Graph, call: Applied) -> str:
    """AveragePool where all windows are alike, else the product with the weights of the means."""
    sizes, counts = (
        call.static(call.shapes[0][2:], "its windows"),
        call.static(call.shape[2:], "its windows"),
    )
    if all(n % m == 0 for n, m in zip(sizes, counts, strict=True)):
        steps = [n // m for n, m in zip(sizes, counts, strict=True)]
        return g.add("AveragePool", call.x, kernel_shape=steps, strides=steps)
    return g.add("Einsum", *call.inputs, equation=call.subscripts)


@exports(PickPixels)
def pick_pixels(g: Graph, call: Applied) -> str:
    """GatherElements over the pixels of each plane."""
    planes = g.reshape(call.x, [*call.shapes[0][:2], math.prod(call.static(call.shapes[0][2:], "its pixels"))])
    places = g.reshape(call.inputs[1], [*call.shapes[1][:2], math.prod(call.static(call.shapes[1][2:], "its pixels"))])
    return g.reshape(g.add("GatherElements", planes, places, axis=2), call.shape)


@exports(PutPixels)
def put_pixels(g: Graph, call: Applied) -> str:
    """ScatterElements into planes of zeros."""
    pixels = math.prod(call.static(call.shape[2:], "its pixels"))
    zeros = g.add("Expand", g.constant(0, call.dtype), g.numbers([*call.shape[:2], pixels]))
    count = math.prod(call.static(call.shapes[0][2:], "its pixels"))
    flat, places = (g.reshape(x, [*call.shapes[0][:2], count]) for x in call.inputs)
    return g.reshape(g.add("ScatterElements", zeros, places, flat, axis=2), call.shape)


@exports(Unfold)
def unfold(g: Graph, call: Applied) -> str:
    """Along each axis a Gather of the pixels under each tap at each position."""
    window: Window = call.window
    given = _attributes(window)["pads"]
    rank, x = len(window.kernel), call.x
    if any(given):
        x = g.add("Pad", x, g.numbers([0, 0, *given[:rank], 0, 0, *given[rank:]]))
    for axis in range(rank):  # (N, C, …, H, …) -> (N, C, …, KH, OH, …)
        taps = np.arange(window.kernel[axis])[:, None] * window.dilation[axis]
        places = taps + np.arange(window.output[axis]) * window.stride[axis]
        x = g.add("Gather", x, g.constant(places, np.int64), axis=2 + 2 * axis)
    order = [0, 1, *(2 + 2 * a for a in range(rank)), *(3 + 2 * a for a in range(rank))]
    return g.reshape(g.add("Transpose", x, perm=order), call.shape)


@exports(Fold)
def fold(g: Graph, call: Applied) -> str:
    """Col2Im."""
    window: Window = call.window
    given = _attributes(window)
    sizes, kernel = g.constant(window.size, np.int64), g.constant(window.kernel, np.int64)
    return g.add("Col2Im", call.x, sizes, kernel, pads=given["pads"], strides=window.stride, dilations=window.dilation)
