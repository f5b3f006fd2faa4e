"""Convolution layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, restate, restated
from tensorgrad.nn.layers.linear import reset_affine
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.images.padding import pad
from tensorgrad.ops.operands import TensorLike, floating

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
CONVOLUTIONS = {1: tg.conv1d, 2: tg.conv2d, 3: tg.conv3d}


class Filters(Module):
    """The common base of convolutions and transposed convolutions: channels in groups, filters and biases."""

    rank: ClassVar[int]
    output_padding: tuple[int, ...] = ()
    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]

    def _set_sizes(self, in_channels: int, out_channels: int, kernel_size: Size, groups: int) -> None:
        op = type(self).__name__
        (self.in_channels,) = windows.as_tuple(in_channels, 1, op=op, name="in_channels", minimum=1)
        (self.out_channels,) = windows.as_tuple(out_channels, 1, op=op, name="out_channels", minimum=1)
        (self.groups,) = windows.as_tuple(groups, 1, op=op, name="groups", minimum=1)
        self.kernel_size = windows.as_tuple(kernel_size, self.rank, op=op, name="kernel_size", minimum=1)

    def _check_groups(self) -> None:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            channels = {name: getattr(self, name) for name in ("in_channels", "out_channels", "groups")}
            problem = "in_channels and out_channels must be multiples of groups"
            raise ArgumentError(restate(type(self).__name__, problem, **channels))

    def _make_parameters(self, first: int, second: int, bias: bool, device: Any, dtype: DTypeLike) -> None:
        """`weight` of so many filters, or channels, and channels in each; `bias` of one number per output channel."""
        op = type(self).__name__
        sizes = {name: getattr(self, name) for name in ("in_channels", "out_channels", "kernel_size")}
        with restated(op, **sizes):
            self.weight = new_parameter(op, (first, second // self.groups, *self.kernel_size), device, dtype)
            self.bias = new_parameter(op, (self.out_channels,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw new initial values, from `generator` or the package's generator."""
        reset_affine(self, generator)

    def extra_repr(self) -> str:
        """The settings that aren't the defaults, as PyTorch shows them."""
        ones, zeros = (1,) * self.rank, (0,) * self.rank
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != zeros else ""
        text += f", dilation={self.dilation}" if self.dilation != ones else ""
        text += f", output_padding={self.output_padding}" if any(self.output_padding) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + (", bias=False" if self.bias is None else "")


class Convolution(Filters):
    """The common base of Conv1d, Conv2d and Conv3d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        op = type(self).__name__
        self._set_sizes(in_channels, out_channels, kernel_size, groups)
        moves = windows.convolution_arguments(op, self.kernel_size, stride, padding, dilation)
        self.stride, self._frame, self.dilation = moves
        self.padding = padding if isinstance(padding, str) else tuple(before for before, _ in self._frame)
        self._check_groups()
        if padding_mode not in PADDING_MODES:
            problem = f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}"
            raise ArgumentError(restate(op, problem, padding_mode=padding_mode))
        self.padding_mode = padding_mode
        self._make_parameters(self.out_channels, self.in_channels, bias, device, dtype)

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The feature maps of x."""
        padding: Size | str = self.padding
        if self.padding_mode != "zeros":
            widths = [width for pair in reversed(self._frame) for width in pair]
            # (..., H, W) -> (..., H + before + after, W + before + after)
            input, padding = pad(floating(input), widths, self.padding_mode), 0
        convolve = CONVOLUTIONS[self.rank]
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The settings that aren't the defaults, as PyTorch shows them."""
        return super().extra_repr() + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class Conv1d(Convolution):
    """1-D convolution (`tg.conv1d`): x `(N, C, L)` or `(C, L)` -> `(N, K, OL)`. Arguments as in `Conv2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.Conv1d(3, 8, kernel_size=3, padding="same")(tg.zeros(2, 3, 10)).shape
    (2, 8, 10)
    """

    rank = 1


class Conv2d(Convolution):
    """2-D convolution (`tg.conv2d`): images x `(N, C, H, W)` or `(C, H, W)` -> feature maps `(N, K, OH, OW)`.

    Args:
        in_channels: C.
        out_channels: K, the number of filters.
        kernel_size: one int, or one per axis.
        stride: one int, or one per axis.
        padding: one int, one per axis, "valid" (none) or "same" (the output keeps the size; stride 1 only).
        dilation: the distance between the taps of the kernel; one int, or one per axis.
        groups: the number of groups of channels that are convolved independently.
        bias: whether each filter has a bias.
        padding_mode: the values of the padding: "zeros", "reflect" (mirrored without the edge), "replicate" (the edge
            repeated) or "circular" (the opposite end).
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    `weight` `(K, C/groups, KH, KW)` and `bias` `(K,)` start uniform on ±1/√(C/groups · KH · KW).

    Raises:
        ArgumentError: a size out of range, groups that don't divide the channels, another padding_mode.
        DTypeError: a size that isn't an int.
        ShapeError: when called, an x with other axes or channels.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.Conv2d(3, 6, 5)
    >>> layer, sum(p.numel() for p in layer.parameters())
    (Conv2d(3, 6, kernel_size=(5, 5), stride=(1, 1)), 456)
    >>> layer(tg.zeros(1, 3, 32, 32)).shape
    (1, 6, 28, 28)
    """

    rank = 2


class Conv3d(Convolution):
    """3-D convolution (`tg.conv3d`): x `(N, C, D, H, W)` or `(C, D, H, W)` -> `(N, K, OD, OH, OW)`.

    Arguments as in `Conv2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.Conv3d(3, 8, kernel_size=(1, 3, 3), padding="same")(tg.zeros(2, 3, 4, 8, 8)).shape
    (2, 8, 4, 8, 8)
    """

    rank = 3
