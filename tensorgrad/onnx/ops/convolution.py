"""Windows over the spatial axes with ONNX's paddings, and convolution."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal, NamedTuple

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.ops.shapes import padded
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import LARGEST, check_size
from tensorgrad.onnx.table import Ints, op

AutoPad = Literal["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


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
        slack = self.size + self.before + self.after - self.reach
        if slack < 0:
            raise OnnxError(f"a window of {self.reach} doesn't fit into {slack + self.reach} values")
        count = (-(-slack // self.stride) if ceil_mode else slack // self.stride) + 1
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
    sizes, by, dilation = x.shape[2:], strides or (1,) * rank, dilations or (1,) * rank
    given = tuple(pads or (0,) * (2 * rank)) if auto_pad == "NOTSET" else (0,) * (2 * rank)
    if not len(sizes) == len(by) == len(dilation) == rank == len(given) / 2:
        raise OnnxError(f"a window of {rank} axes over {x.shape} needs {rank} strides, dilations and pairs of pads")
    if not all(1 <= n <= LARGEST for n in (*kernel, *by, *dilation)) or not all(0 <= n <= LARGEST for n in given):
        raise OnnxError("kernel sizes, strides and dilations must be at least 1, pads at least 0")
    axes = [Axis(*each) for each in zip(sizes, kernel, by, dilation, given[:rank], given[rank:], strict=True)]
    if auto_pad.startswith("SAME"):
        axes = [_same(axis, auto_pad == "SAME_UPPER") for axis in axes]
    return axes


def _same(axis: Axis, upper: bool) -> Axis:
    """Padded so that there are ⌈size / stride⌉ positions; an odd value more goes to the end, or to the beginning."""
    total = max((-(-axis.size // axis.stride) - 1) * axis.stride + axis.reach - axis.size, 0)
    less, more = total // 2, total - total // 2
    return axis._replace(before=less if upper else more, after=more if upper else less)


def check_window(what: str, x: Any, channels: int, axes: list[Axis], ceil_mode: bool = False) -> None:
    """Refuse results of more bytes than a file may ask for."""
    check_size(what, [*x.shape[:2], *(a.size + a.before + a.after for a in axes)], x.dtype.itemsize)
    check_size(what, [x.shape[0], channels, *(a.count(ceil_mode) for a in axes)], x.dtype.itemsize)


def _cut(axis: Axis, size: int, wanted: int, upper: bool) -> Axis:
    """Padded so that of `size` results `wanted` are left: of an odd number the end loses more, or the beginning."""
    half = max(size - wanted, 0) // 2
    rest = size - wanted - half
    return axis._replace(before=half, after=rest) if upper or rest < 0 else axis._replace(before=rest, after=half)


def of_rank(what: str, rank: int, table: dict[int, Any]) -> Any:
    """The function for so many spatial axes."""
    if rank not in table:
        raise OnnxError(f"{what} over {rank} spatial axes: 1, 2 or 3 are known")
    return table[rank]


def with_pads(x: Any, axes: list[Axis], value: Any = 0) -> Any:
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
    check_window("Conv", x, w.shape[0], axes)
    padding = tuple(a.before for a in axes)
    if any(a.before != a.after for a in axes):
        x, padding = with_pads(x, axes), (0,) * len(axes)
    convolve = of_rank("Conv", len(axes), CONVOLUTIONS)
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
    transpose = of_rank("ConvTranspose", len(axes), TRANSPOSED)
    stride, dilation = tuple(a.stride for a in axes), tuple(a.dilation for a in axes)
    small = all(e < max(a.stride, a.dilation) for e, a in zip(extra, axes, strict=True))
    if small and all(a.before == a.after >= 0 for a in axes):
        return transpose(x, w, b, stride, tuple(a.before for a in axes), tuple(extra), group, dilation)
    z = transpose(x, w, None, stride, 0, 0, group, dilation)
    ends = [*(-a.before for a in axes), 0, 0, *(e - a.after for e, a in zip(extra, axes, strict=True))]
    z = padded(z, [0, 0, *ends], "constant", 0)
    return z if b is None else z + b.reshape(-1, *[1] * len(axes))
