"""Pooling."""

import math
from typing import Any

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.ops.convolution import CONVOLUTIONS, AutoPad, Axis, check_window, of_rank, window_axes, with_pads
from tensorgrad.onnx.ops.shapes import numbers, padded
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.table import Host, Ints, Outputs, op

MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@op("MaxPool")
def max_pool(
    x,
    *,
    kernel_shape: Ints,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    auto_pad: AutoPad = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
    outputs: Outputs,
):
    axes = window_axes(x, kernel_shape, strides, dilations, pads, auto_pad)
    check_window("MaxPool", x, x.shape[1], axes, bool(ceil_mode))
    pool = of_rank("MaxPool", len(axes), MAX_POOLS)
    kernel, stride, dilation = (tuple(a[k] for a in axes) for k in (1, 2, 3))
    if all(a.before == a.after <= a.kernel // 2 for a in axes) and not ceil_mode and outputs == 1:
        return pool(x, kernel, stride, tuple(a.before for a in axes), dilation).to(x.dtype)
    wide = _reaching_the_last(axes, bool(ceil_mode))
    lowest = -math.inf if is_float(x.dtype) else int(np.iinfo(x.dtype).min)
    y = with_pads(x, wide, lowest)
    if outputs == 1:
        return pool(y, kernel, stride, 0, dilation).to(x.dtype)
    z, places = pool(y, kernel, stride, 0, dilation, return_indices=True)
    return z.to(x.dtype), _flat_places(places.numpy(), x.shape, wide, bool(storage_order))


def _reaching_the_last(axes: list[Axis], ceil_mode: bool) -> list[Axis]:
    """Padded up to the end of the last window, so that the positions are those of a whole number of strides."""
    ends = [(a.count(ceil_mode) - 1) * a.stride + a.reach - a.size - a.before for a in axes]
    return [a._replace(after=max(end, 0)) if ceil_mode else a for a, end in zip(axes, ends, strict=True)]


def _flat_places(places: np.ndarray, shape: tuple[int, ...], axes: list[Axis], column_major: bool) -> np.ndarray:
    """Places in one padded plane as places in the whole of x."""
    n, c, *spatial = shape
    found = np.unravel_index(places, [a.size + a.before + a.after for a in axes])
    inside = [np.clip(f - a.before, 0, a.size - 1) for f, a in zip(found, axes, strict=True)]
    flat = np.ravel_multi_index(inside, spatial, order="F" if column_major else "C")
    planes = np.arange(n * c).reshape(n, c, *[1] * len(spatial))
    return (planes * math.prod(spatial) + flat).astype(np.int64)


def window_sums(x: Any, axes: list[Axis], ceil_mode: bool) -> Any:
    """The sum of x over each window; padding counts as 0."""
    kernel, stride, dilation = (tuple(a[k] for a in axes) for k in (1, 2, 3))
    y = with_pads(x, _reaching_the_last(axes, ceil_mode))
    if all(d == 1 for d in dilation):
        return of_rank("pooling", len(axes), AVG_POOLS)(y, kernel, stride) * math.prod(kernel)
    ones = tg.ones(1, 1, *kernel, dtype=x.dtype)
    z = of_rank("pooling", len(axes), CONVOLUTIONS)(y.reshape(-1, 1, *y.shape[2:]), ones, None, stride, 0, dilation)
    return z.reshape(*x.shape[:2], *z.shape[2:])


def window_counts(axes: list[Axis], ceil_mode: bool, with_padding: bool) -> np.ndarray:
    """How many values lie in each window, with the stated padding or without."""
    counts = np.ones((), np.float64)
    for a in axes:
        low, high = (0, a.size + a.before + a.after) if with_padding else (a.before, a.before + a.size)
        taps = np.arange(a.count(ceil_mode))[:, None] * a.stride + np.arange(a.kernel) * a.dilation
        counts = np.multiply.outer(counts, ((taps >= low) & (taps < high)).sum(1))
    return counts


@op("AveragePool")
def average_pool(
    x,
    *,
    kernel_shape: Ints,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    auto_pad: AutoPad = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
):
    axes = window_axes(x, kernel_shape, strides, dilations, pads, auto_pad)
    check_window("AveragePool", x, x.shape[1], axes, bool(ceil_mode))
    plain = all(a.before == a.after <= a.kernel // 2 and a.dilation == 1 for a in axes)
    if plain and not ceil_mode:
        pool = of_rank("AveragePool", len(axes), AVG_POOLS)
        kernel, stride, padding = (tuple(a[k] for a in axes) for k in (1, 2, 4))
        return pool(x, kernel, stride, padding, False, bool(count_include_pad))
    counts = window_counts(axes, bool(ceil_mode), bool(count_include_pad))
    return window_sums(x, axes, bool(ceil_mode)) / tg.tensor(counts, dtype=x.dtype)


@op("LpPool")
def lp_pool(
    x,
    *,
    kernel_shape: Ints,
    p: int | float = 2,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    auto_pad: AutoPad = "NOTSET",
    ceil_mode: int = 0,
):
    axes = window_axes(x, kernel_shape, strides, dilations, pads, auto_pad)
    check_window("LpPool", x, x.shape[1], axes, bool(ceil_mode))
    return window_sums(tg.abs(x) ** p, axes, bool(ceil_mode)) ** (1 / p)


def _spatial(x: Any) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


@op("GlobalAveragePool")
def global_average_pool(x):
    return x.mean(_spatial(x), True)


@op("GlobalMaxPool")
def global_max_pool(x):
    return x.amax(_spatial(x), True)


@op("GlobalLpPool")
def global_lp_pool(x, *, p: int | float = 2):
    return (tg.abs(x) ** p).sum(_spatial(x), True) ** (1 / p)


@op("MaxUnpool")
def max_unpool(
    x,
    places: Host,
    output_shape: Host | None = None,
    *,
    kernel_shape: Ints,
    strides: Ints | None = None,
    pads: Ints | None = None,
):
    rank = len(kernel_shape)
    by, around = strides or (1,) * rank, pads or (0,) * (2 * rank)
    sizes = [(n - 1) * s + k - around[a] - around[rank + a]
             for a, (n, s, k) in enumerate(zip(x.shape[2:], by, kernel_shape, strict=True))]  # fmt: skip
    whole = [*x.shape[:2], *sizes]
    target = whole if output_shape is None else numbers(output_shape)
    check_size("MaxUnpool", target, x.dtype.itemsize)
    if places.size and (places.min() < 0 or places.max() >= math.prod(whole)):
        raise OnnxError(f"MaxUnpool: places {places.min()} to {places.max()} lie outside of {whole}")
    # Places count in the whole without output_shape; there they are put into the larger output.
    flat = places if output_shape is None else np.ravel_multi_index(np.unravel_index(places, whole), target)
    return (
        tg.zeros(math.prod(target), dtype=x.dtype)
        .scatter(0, tg.tensor(flat.reshape(-1)), x.reshape(-1))
        .reshape(*target)
    )


@op("Col2Im")
def col2im(
    x,
    image_shape: Host,
    block_shape: Host,
    *,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
):
    image, block = numbers(image_shape), numbers(block_shape)
    rank = len(image)
    by, dilation, around = strides or (1,) * rank, dilations or (1,) * rank, pads or (0,) * (2 * rank)
    before, after = around[:rank], around[rank:]
    wide = [n + b + a for n, b, a in zip(image, before, after, strict=True)]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(wide, block, dilation, by, strict=True)]
    channels = x.shape[1] // math.prod(block)
    check_size("Col2Im", [x.shape[0], channels, *wide], x.dtype.itemsize)
    # Each tap of the block at each position adds to one pixel. (N, C·k, L) -> (N, C, pixels)
    taps = np.indices(block).reshape(rank, -1, 1) * np.reshape(dilation, (rank, 1, 1))
    starts = np.indices(counts).reshape(rank, 1, -1) * np.reshape(by, (rank, 1, 1))
    pixels = np.ravel_multi_index(list(taps + starts), wide).reshape(-1)
    z = tg.zeros(x.shape[0], channels, math.prod(wide), dtype=x.dtype)
    z = z.index_add(2, tg.tensor(pixels), x.reshape(x.shape[0], channels, -1)).reshape(x.shape[0], channels, *wide)
    return padded(z, [0, 0, *(-b for b in before), 0, 0, *(-a for a in after)], "constant", 0)
