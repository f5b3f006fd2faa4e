"""Layers of transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers.convolution import Filters
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.operands import TensorLike, as_tensor

TRANSPOSED = {1: tg.conv_transpose1d, 2: tg.conv_transpose2d, 3: tg.conv_transpose3d}


class TransposedConvolution(Filters):
    """The common base of ConvTranspose1d, 2d and 3d."""

    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        op = type(self).__name__
        self._set_sizes(in_channels, out_channels, kernel_size, groups)
        moves = windows.transposed_arguments(op, self.rank, stride, padding, output_padding, dilation)
        self.stride, self.padding, self.output_padding, self.dilation = moves
        if padding_mode != "zeros":
            problem = f"padding_mode must be 'zeros' for a transposed convolution, got {padding_mode!r}"
            raise ArgumentError(restate(op, problem, padding_mode=padding_mode))
        self.padding_mode = padding_mode
        self._check_groups()
        self._make_parameters(self.in_channels, self.out_channels, bias, device, dtype)

    def forward(self, input: TensorLike, output_size: Sequence[int] | None = None) -> tg.Tensor:
        """The larger images of input.

        Args:
            input: `(N, C, ...)` or `(C, ...)`.
            output_size: the size of the result, spatial or whole, in place of `output_padding`: a stride larger than 1
                leaves a choice.

        Raises:
            ArgumentError: a size that no `output_padding` gives.
        """
        x, extra = as_tensor(input), self.output_padding
        if output_size is not None:
            extra = self._output_padding(x, output_size)
        transposed = TRANSPOSED[self.rank]
        return transposed(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )  # fmt: skip

    def _output_padding(self, x: tg.Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        op, wanted = type(self).__name__, tuple(output_size)
        wanted = wanted[-self.rank :] if len(wanted) == x.ndim else wanted
        wanted = windows.as_tuple(wanted, self.rank, op=op, name="output_size", minimum=1)
        axes = zip(x.shape[-self.rank :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = tuple([(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in axes])
        most = tuple([n + s - 1 for n, s in zip(least, self.stride, strict=True)])
        if any(not n <= m <= end for n, m, end in zip(least, wanted, most, strict=True)):
            problem = f"output_size must be from {least} to {most}, got {wanted}"
            raise ArgumentError(restate(op, problem, input=x, output_size=output_size))
        return tuple([m - n for n, m in zip(least, wanted, strict=True)])


class ConvTranspose1d(TransposedConvolution):
    """1-D transposed convolution (`tg.conv_transpose1d`): `(N, C, L)` or `(C, L)` -> `(N, K, OL)`.

    Arguments as in `ConvTranspose2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.ConvTranspose1d(3, 8, 4, stride=2, padding=1)(tg.zeros(2, 3, 10)).shape
    (2, 8, 20)
    """

    rank = 1


class ConvTranspose2d(TransposedConvolution):
    """2-D transposed convolution (`tg.conv_transpose2d`): feature maps `(N, C, H, W)` or `(C, H, W)` -> larger images.

    Args:
        in_channels: C.
        out_channels: K, the number of channels of the result.
        kernel_size: one int, or one per axis.
        stride: from the filter of one pixel to that of the next; one int, or one per axis.
        padding: so many rows and columns are cut off on each side; one int, or one per axis.
        output_padding: so many rows and columns are added after the last; smaller than stride or dilation.
        groups: the number of groups of channels that are convolved independently.
        bias: whether each channel of the result has a bias.
        dilation: the distance between the taps of the kernel; one int, or one per axis.
        padding_mode: "zeros".
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    `weight` `(C, K/groups, KH, KW)` and `bias` `(K,)` start uniform on ±1/√(K/groups · KH · KW).

    Raises:
        ArgumentError: a size out of range, groups that don't divide the channels, another padding_mode.
        DTypeError: a size that isn't an int.
        ShapeError: when called, an input with other axes or channels.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.ConvTranspose2d(6, 3, 3, stride=2, padding=1)
    >>> layer(tg.zeros(1, 6, 7, 7)).shape, layer(tg.zeros(1, 6, 7, 7), output_size=(14, 14)).shape
    ((1, 3, 13, 13), (1, 3, 14, 14))
    """

    rank = 2


class ConvTranspose3d(TransposedConvolution):
    """3-D transposed convolution (`tg.conv_transpose3d`): `(N, C, D, H, W)` or `(C, D, H, W)` -> larger volumes.

    Arguments as in `ConvTranspose2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.ConvTranspose3d(3, 2, 2, stride=2)(tg.zeros(1, 3, 2, 4, 4)).shape
    (1, 2, 4, 8, 8)
    """

    rank = 3
