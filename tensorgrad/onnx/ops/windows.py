"""Windows over the spatial axes: convolution and pooling, with ONNX's paddings."""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal, NamedTuple

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.ops.shapes import numbers, padded
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import LARGEST, check_size
from tensorgrad.onnx.table import Host, Ints, Outputs, op

AutoPad = Literal["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
UNPOOLS = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}


class Axis(NamedTuple):
    """A window along one spatial axis of `size` values, in ONNX's terms."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self) -> int:
        """How many values the window spans."""
        return (self.kernel - 1) * self.dilation + 1

    def count(self, ceil_mode: bool) -> int:
        """How many positions the window takes; a last one that begins behind the values and their padding isn't one."""
        room = self.size + self.before + self.after - self.reach
        if room < 0:
            raise OnnxError(f"a window of {self.reach} doesn't fit into {room + self.reach} values")
        count = (-(-room // self.stride) if ceil_mode else room // self.stride) + 1
        beyond = ceil_mode and (count - 1) * self.stride >= self.size + self.before
        return count - 1 if beyond else count


def window_axes(
    x: Any,
    kernel: Sequence[int],
    strides: Ints | None,
    dilations: Ints | None,
    pads: Ints | None,
    auto_pad: str,
) -> list[Axis]:
    """The window along each spatial axis of x; `auto_pad` is worked out."""
    rank = len(kernel)
    sizes, by, spread = x.shape[2:], strides or (1,) * rank, dilations or (1,) * rank
    given = tuple(pads or (0,) * (2 * rank)) if auto_pad == "NOTSET" else (0,) * (2 * rank)
    if not len(sizes) == len(by) == len(spread) == rank == len(given) / 2:
        raise OnnxError(f"a window of {rank} axes over {x.shape} needs {rank} strides, dilations and pairs of pads")
    if not all(1 <= n <= LARGEST for n in (*kernel, *by, *spread)) or not all(0 <= n <= LARGEST for n in given):
        raise OnnxError("kernel sizes, strides and dilations must be at least 1, pads at least 0")
    axes = [Axis(*each) for each in zip(sizes, kernel, by, spread, given[:rank], given[rank:], strict=True)]
    if auto_pad.startswith("SAME"):
        axes = [_same(axis, auto_pad == "SAME_UPPER") for axis in axes]
    return axes


def _same(axis: Axis, upper: bool) -> Axis:
    """Padded so that there are ⌈size / stride⌉ positions; an odd value more goes to the end, or to the beginning."""
    total = max((-(-axis.size // axis.stride) - 1) * axis.stride + axis.reach - axis.size, 0)
    less, more = total // 2, total - total // 2
    return axis._replace(before=less if upper else more, after=more if upper else less)


def _checked(what: str, x: Any, channels: int, axes: list[Axis], ceil_mode: bool = False) -> None:
    check_size(what, [*x.shape[:2], *(a.size + a.before + a.after for a in axes)], x.dtype.itemsize)
    check_size(what, [x.shape[0], channels, *(a.count(ceil_mode) for a in axes)], x.dtype.itemsize)


def _cut(axis: Axis, size: int, wanted: int, upper: bool) -> Axis:
    """Padded so that of `size` results `wanted` are left: of an odd number the end loses more, or the beginning."""
    half = max(size - wanted, 0) // 2
    rest = size - wanted - half
    return axis._replace(before=half, after=rest) if upper or rest < 0 else axis._replace(before=rest, after=half)


def _rank(what: str, rank: int, table: dict[int, Any]) -> Any:
    if rank not in table:
        raise OnnxError(f"{what} over {rank} spatial axes: 1, 2 or 3 are known")
    return table[rank]


def _padded(x: Any, axes: list[Axis], value: Any = 0) -> Any:
    """x with its paddings written out."""
    if not any(a.before or a.after for a in axes):
        return x
    return padded(x, [0, 0, *(a.before for a in axes), 0, 0, *(a.after for a in axes)], "constant", value)


# ------------------------------------------------------------------------------------------------------- convolution


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of tensors in half precision, computed in single precision: there is no kernel for them."""

    @wraps(function)
    def wide(*tensors: Any, **options: Any) -> Any:
        dtype = tensors[0].dtype
        if dtype != np.float16:
            return function(*tensors, **options)
        return function(*(t if t is None else t.to(tg.float32) for t in tensors), **options).to(dtype)

    return wide


@op("Conv")
@_in_float32
def conv(
    x,
    w,
    b=None,
    *,
    kernel_shape: Ints | None = None,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    auto_pad: AutoPad = "NOTSET",
    group: int = 1,
):
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise OnnxError(f"Conv: kernel_shape {kernel_shape} isn't that of the weights {w.shape}")
    axes = window_axes(x, w.shape[2:], strides, dilations, pads, auto_pad)
    _checked("Conv", x, w.shape[0], axes)
    padding = tuple(a.before for a in axes)
    if any(a.before != a.after for a in axes):
        x, padding = _padded(x, axes), (0,) * len(axes)
    convolve = _rank("Conv", len(axes), CONVOLUTIONS)
    return convolve(x, w, b, tuple(a.stride for a in axes), padding, tuple(a.dilation for a in axes), group)


@op("ConvTranspose")
@_in_float32
def conv_transpose(
    x,
    w,
    b=None,
    *,
    kernel_shape: Ints | None = None,
    strides: Ints | None = None,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    auto_pad: AutoPad = "NOTSET",
    group: int = 1,
):
    axes = window_axes(x, w.shape[2:], strides, dilations, pads if output_shape is None else None, "NOTSET")
    extra = output_padding or (0,) * len(axes)
    if len(extra) != len(axes) or not all(0 <= n <= LARGEST for n in extra):
        raise OnnxError(f"ConvTranspose: output_padding {extra} doesn't fit {len(axes)} axes")
    whole = [(a.size - 1) * a.stride + a.reach + e for a, e in zip(axes, extra, strict=True)]
    if output_shape is not None or auto_pad.startswith("SAME"):
        wanted = output_shape[-len(axes) :] if output_shape is not None else [a.size * a.stride for a in axes]
        axes = [_cut(a, n, m, auto_pad == "SAME_UPPER") for a, n, m in zip(axes, whole, wanted, strict=True)]
    check_size("ConvTranspose", [x.shape[0], w.shape[1] * group, *whole], x.dtype.itemsize)
    transpose = _rank("ConvTranspose", len(axes), TRANSPOSED)
    stride, dilation = tuple(a.stride for a in axes), tuple(a.dilation for a in axes)
    small = all(e < max(a.stride, a.dilation) for e, a in zip(extra, axes, strict=True))
    if small and all(a.before == a.after >= 0 for a in axes):
        return transpose(x, w, b, stride, tuple(a.before for a in axes), tuple(extra), group, dilation)
    z = transpose(x, w, None, stride, 0, 0, group, dilation)
    ends = [*(-a.before for a in axes), 0, 0, *(e - a.after for e, a in zip(extra, axes, strict=True))]
    z = padded(z, [0, 0, *ends], "constant", 0)
    return z if b is None else z + b.reshape(-1, *[1] * len(axes))


# ----------------------------------------------------------------------------------------------------------- pooling


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
    _checked("MaxPool", x, x.shape[1], axes, bool(ceil_mode))
    pool = _rank("MaxPool", len(axes), MAX_POOLS)
    kernel, stride, dilation = (tuple(a[k] for a in axes) for k in (1, 2, 3))
    if all(a.before == a.after <= a.kernel // 2 for a in axes) and not ceil_mode and outputs == 1:
        return pool(x, kernel, stride, tuple(a.before for a in axes), dilation).to(x.dtype)
    wide = _reaching_the_last(axes, bool(ceil_mode))
    lowest = -math.inf if is_float(x.dtype) else int(np.iinfo(x.dtype).min)
    y = _padded(x, wide, lowest)
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
    y = _padded(x, _reaching_the_last(axes, ceil_mode))
    if all(d == 1 for d in dilation):
        return _rank("pooling", len(axes), AVG_POOLS)(y, kernel, stride) * math.prod(kernel)
    ones = tg.ones(1, 1, *kernel, dtype=x.dtype)
    z = _rank("pooling", len(axes), CONVOLUTIONS)(y.reshape(-1, 1, *y.shape[2:]), ones, None, stride, 0, dilation)
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
    _checked("AveragePool", x, x.shape[1], axes, bool(ceil_mode))
    plain = all(a.before == a.after <= a.kernel // 2 and a.dilation == 1 for a in axes)
    if plain and not ceil_mode:
        pool = _rank("AveragePool", len(axes), AVG_POOLS)
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
    _checked("LpPool", x, x.shape[1], axes, bool(ceil_mode))
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
    by, spread, around = strides or (1,) * rank, dilations or (1,) * rank, pads or (0,) * (2 * rank)
    before, after = around[:rank], around[rank:]
    wide = [n + b + a for n, b, a in zip(image, before, after, strict=True)]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(wide, block, spread, by, strict=True)]
    channels = x.shape[1] // math.prod(block)
    check_size("Col2Im", [x.shape[0], channels, *wide], x.dtype.itemsize)
    # Each tap of the block at each position adds to one pixel. (N, C·k, L) -> (N, C, pixels)
    taps = np.indices(block).reshape(rank, -1, 1) * np.reshape(spread, (rank, 1, 1))
    starts = np.indices(counts).reshape(rank, 1, -1) * np.reshape(by, (rank, 1, 1))
    pixels = np.ravel_multi_index(list(taps + starts), wide).reshape(-1)
    z = tg.zeros(x.shape[0], channels, math.prod(wide), dtype=x.dtype)
    z = z.index_add(2, tg.tensor(pixels), x.reshape(x.shape[0], channels, -1)).reshape(x.shape[0], channels, *wide)
    return padded(z, [0, 0, *(-b for b in before), 0, 0, *(-a for a in after)], "constant", 0)
