"""Shapes: reshape, transpose, slice, join, repeat, pad."""

import math
from typing import Any, Literal

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.table import Host, Ints, Outputs, op


def numbers(values: Host) -> list[int]:
    """The whole numbers of an input that is a list."""
    return [int(n) for n in values.reshape(-1)]


@op("Identity")
def identity(x: Any):
    return x


@op("Shape")
def shape(x, *, start: int = 0, end: int | None = None):
    return np.array(x.shape[start:end], np.int64)


@op("Size")
def size(x):
    return np.array(math.prod(x.shape), np.int64)


@op("Reshape")
def reshape_to(x, *, shape: Ints):
    return reshape(x, np.array(shape, np.int64))


@op("Reshape", since=5)
def reshape(x, shape: Host, *, allowzero: int = 0):
    sizes = numbers(shape)
    if not allowzero:
        if any(n == 0 for n in sizes[x.ndim :]):
            raise OnnxError(f"Reshape of {x.shape} to {sizes}: a 0 keeps a size that isn't there")
        sizes = [n or x.shape[a] for a, n in enumerate(sizes)]
    elif -1 in sizes and 0 in sizes:
        raise OnnxError(f"Reshape of {x.shape} to {sizes}: with allowzero, -1 beside 0 is undetermined")
    return x.reshape(*sizes)


@op("Flatten")
def flatten(x, *, axis: int = 1):
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@op("Transpose")
def transpose(x, *, perm: Ints | None = None):
    return x.permute(tuple(reversed(range(x.ndim))) if perm is None else perm)


@op("Squeeze")
def squeeze_axes(x, *, axes: Ints | None = None):
    return squeeze(x, None if axes is None else np.array(axes, np.int64))


@op("Squeeze", since=13)
def squeeze(x, axes: Host | None = None):
    if axes is None:
        return x.squeeze()
    places = {axis_of(a, x.ndim) for a in numbers(axes)}
    if any(x.shape[a] != 1 for a in places):
        raise OnnxError(f"Squeeze of {x.shape} along {sorted(places)}: these axes must have size 1")
    return x.reshape(*[n for a, n in enumerate(x.shape) if a not in places])


@op("Unsqueeze")
def unsqueeze_axes(x, *, axes: Ints):
    return unsqueeze(x, np.array(axes, np.int64))


@op("Unsqueeze", since=13)
def unsqueeze(x, axes: Host):
    rank = x.ndim + axes.size
    places = {axis_of(a, rank) for a in numbers(axes)}
    if len(places) != axes.size:
        raise OnnxError(f"Unsqueeze: axes {numbers(axes)} repeat")
    sizes = iter(x.shape)
    return x.reshape(*[1 if a in places else next(sizes) for a in range(rank)])


def axis_of(axis: int, rank: int) -> int:
    """The axis, counted from the front."""
    if not -rank <= axis < max(rank, 1):
        raise OnnxError(f"axis {axis} isn't one of {rank}")
    return axis % max(rank, 1)


@op("Concat")
def concat(*xs, axis: int = 1):
    return tg.cat(list(xs), axis)


@op("Split")
def split_by_attribute(x, sizes: Host | None = None, *, split: Ints | None = None, axis: int = 0, outputs: Outputs):
    return split_by_input(x, sizes if split is None else np.array(split, np.int64), axis=axis, outputs=outputs)


@op("Split", since=13)
def split_by_input(x, split: Host | None = None, *, axis: int = 0, num_outputs: int | None = None, outputs: Outputs):
    if split is not None:
        return tg.split(x, numbers(split), axis)
    count, length = num_outputs or outputs, x.shape[axis]
    part = -(-length // count)
    return tg.split(x, [max(0, min(part, length - k * part)) for k in range(count)], axis)


@op("Slice")
def slice_by_attributes(x, *, starts: Ints, ends: Ints, axes: Ints | None = None):
    return slices(x, np.array(starts), np.array(ends), None if axes is None else np.array(axes))


@op("Slice", since=10)
def slices(x, starts: Host, ends: Host, axes: Host | None = None, steps: Host | None = None):
    along = range(starts.size) if axes is None else numbers(axes)
    by = [1] * starts.size if steps is None else numbers(steps)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, numbers(starts), numbers(ends), by, strict=True):
        n = x.shape[axis_of(axis, x.ndim)]
        # In a step down, a start before the first value is the first, and an end before it takes the first with it.
        start = max(start + n, 0) if step < 0 and start < 0 else start
        index[axis_of(axis, x.ndim)] = slice(start, None if step < 0 and end < -n else end, step)
    return x[tuple(index)]


@op("Expand")
def expand(x, shape: Host):
    sizes = np.broadcast_shapes(x.shape, tuple(numbers(shape)))
    check_size("Expand", sizes, x.dtype.itemsize)
    return x.broadcast_to(sizes)


@op("Tile")
def tile_one_axis(x, tiles: Host, axis: Host):
    repeats = np.ones(x.ndim, np.int64)
    repeats[int(axis.reshape(()))] = int(tiles.reshape(()))
    return tile(x, repeats)


@op("Tile", since=6)
def tile(x, repeats: Host):
    times = numbers(repeats)
    check_size("Tile", [n * t for n, t in zip(x.shape, times, strict=True)], x.dtype.itemsize)
    return x.tile(times)


# ----------------------------------------------------------------------------------------------------------- padding

Mode = Literal["constant", "reflect", "edge"]
WRAPPED = Literal["constant", "reflect", "edge", "wrap"]


@op("Pad")
def pad_by_paddings(x, *, paddings: Ints, mode: Mode = "constant", value: float = 0.0):
    return padded(x, list(paddings), mode, value)


@op("Pad", since=2)
def pad_by_attributes(x, *, pads: Ints, mode: Mode = "constant", value: float = 0.0):
    return padded(x, list(pads), mode, value)


@op("Pad", since=11)
def pad(x, pads: Host, constant_value: Host | None = None, axes: Host | None = None, *, mode: WRAPPED = "constant"):
    value = 0 if constant_value is None or not constant_value.size else constant_value.reshape(-1)[0].item()
    widths = numbers(pads)
    if axes is not None:
        along, count = [axis_of(a, x.ndim) for a in numbers(axes)], axes.size
        if len(widths) != 2 * count:
            raise OnnxError(f"Pad: {count} axes need {2 * count} pads, got {len(widths)}")
        full = [0] * (2 * x.ndim)
        for k, axis in enumerate(along):
            full[axis], full[x.ndim + axis] = widths[k], widths[count + k]
        widths = full
    return padded(x, widths, mode, value)


def padded(x: Any, pads: list[int], mode: str, value: Any) -> Any:
    """x with `pads[a]` more values before and `pads[ndim + a]` after the axis a; negative ones are cut off."""
    if len(pads) != 2 * x.ndim:
        raise OnnxError(f"Pad: {x.ndim} axes need {2 * x.ndim} pads, got {len(pads)}")
    before, after = pads[: x.ndim], pads[x.ndim :]
    sizes = [n + b + a for n, b, a in zip(x.shape, before, after, strict=True)]
    check_size("Pad", sizes, x.dtype.itemsize)
    cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, b, a in zip(x.shape, before, after, strict=True))
    x = x[cut] if any(p < 0 for p in pads) else x
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    if mode != "constant":
        for axis, (b, a) in enumerate(widths):
            if b or a:
                x = x.index_select(axis, tg.tensor(_sources(x.shape[axis], b, a, mode)))
        return x
    return F.pad(x, [w for pair in reversed(widths) for w in pair], value=value)


def _sources(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """Along an axis of n values, which of them each padded value repeats."""
    places = np.arange(-before, n + after)
    if n == 0:
        raise OnnxError(f"Pad: nothing can be repeated of an empty axis, mode {mode}")
    if mode == "edge":
        return places.clip(0, n - 1)
    if mode == "wrap":
        return places % n
    period = max(2 * (n - 1), 1)
    places = places % period
    return np.minimum(places, period - places) if n > 1 else places * 0


# ------------------------------------------------------------------------------------------------ blocks and triangles


@op("DepthToSpace")
def depth_to_space(x, *, blocksize: int, mode: Literal["DCR", "CRD"] = "DCR"):
    n, c, *spatial = x.shape
    k, rank = blocksize, len(spatial)
    depth = c // k**rank
    blocks, blocked = [k] * rank, [2 + a for a in range(rank)]
    if mode == "DCR":  # (N, b…, C, H, W) -> (N, C, H, b, W, b)
        y, order = x.reshape(n, *blocks, depth, *spatial), [0, rank + 1]
        pairs = [(rank + 2 + a, 1 + a) for a in range(rank)]
    else:  # (N, C, b…, H, W)
        y, order = x.reshape(n, depth, *blocks, *spatial), [0, 1]
        pairs = [(rank + 2 + a, b) for a, b in enumerate(blocked)]
    return y.permute(*order, *[axis for pair in pairs for axis in pair]).reshape(n, depth, *[m * k for m in spatial])


@op("SpaceToDepth")
def space_to_depth(x, *, blocksize: int, mode: Literal["DCR", "CRD"] = "DCR"):
    n, c, *spatial = x.shape
    k, rank = blocksize, len(spatial)
    # (N, C, H·b, W·b) -> (N, C, H, b, W, b)
    y = x.reshape(n, c, *[size for m in spatial for size in (m // k, k)])
    inner, outer = [3 + 2 * a for a in range(rank)], [2 + 2 * a for a in range(rank)]
    order = [0, *inner, 1, *outer] if mode == "DCR" else [0, 1, *inner, *outer]
    return y.permute(*order).reshape(n, c * k**rank, *[m // k for m in spatial])


@op("Trilu")
def trilu(x, k: Host | None = None, *, upper: int = 1):
    diagonal = 0 if k is None else int(k.reshape(()))
    return (tg.triu if upper else tg.tril)(x, diagonal)


@op("ReverseSequence")
def reverse_sequence(x, sequence_lens: Host, *, time_axis: int = 0, batch_axis: int = 1):
    steps, rows = np.arange(x.shape[time_axis]), x.shape[batch_axis]
    lengths = sequence_lens.reshape(-1, 1)
    places = np.where(steps < lengths, lengths - 1 - steps, steps)  # (rows, steps)
    y = x.movedim((batch_axis, time_axis), (0, 1))
    return y[np.arange(rows)[:, None], places].movedim((0, 1), (batch_axis, time_axis))


@op("CenterCropPad")
def center_crop_pad(x, shape: Host, *, axes: Ints | None = None):
    along = range(x.ndim) if axes is None else [axis_of(a, x.ndim) for a in axes]
    before, after = [0] * x.ndim, [0] * x.ndim
    for axis, wanted in zip(along, numbers(shape), strict=True):
        change = wanted - x.shape[axis]
        before[axis] = change // 2 if change >= 0 else -(-change // 2)
        after[axis] = change - before[axis]
    return padded(x, before + after, "constant", 0)
