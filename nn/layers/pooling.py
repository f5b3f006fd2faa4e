"""Pooling layers."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.operands import TensorLike


class MaxPool1d(Module):
    """The maximum of each window (`tg.max_pool1d`): x `(N, C, L)` -> `(N, C, OL)`. Arguments as in `MaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool1d(2)(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
    tensor([[[3., 2.]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The maxima."""
        return tg.max_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(MaxPool1d):
    """The maximum of each window (`tg.max_pool2d`): x `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`. No parameters.

    Args:
        kernel_size: one int, or one per axis.
        stride: one int, or one per axis; the kernel size if None.
        padding: one int, or one per axis; at most half the kernel size.
        dilation: the distance between the elements of a window; one int, or one per axis.
        ceil_mode: include a last, incomplete window.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool2d(2)(tg.zeros(1, 6, 28, 28)).shape
    (1, 6, 14, 14)
    """

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The maxima."""
        return tg.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool1d(Module):
    """The mean of each window (`tg.avg_pool1d`): x `(N, C, L)` -> `(N, C, OL)`. Arguments as in `AvgPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AvgPool1d(2)(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
    tensor([[[2., 1.]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        arguments = windows.pooling_arguments("AvgPool1d", 1, kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding, _ = arguments
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window (`tg.avg_pool2d`): x `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        kernel_size: one int, or one per axis.
        stride: one int, or one per axis; the kernel size if None.
        padding: one int, or one per axis; at most half the kernel size.
        ceil_mode: include a last, incomplete window.
        count_include_pad: divide by the size of the window with padding; else by the number of pixels in it.
        divisor_override: divide by this number instead.

    >>> import tensorgrad as tg
    >>> tg.nn.AvgPool2d(2)(tg.zeros(1, 6, 28, 28)).shape
    (1, 6, 14, 14)
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The means."""
        counting = self.count_include_pad, self.divisor_override
        return tg.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, *counting)

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool1d(Module):
    """Means over windows that tile the signal into `output_size` (`tg.adaptive_avg_pool1d`), whatever its length.

    x `(N, C, L)` or `(C, L)` -> `(N, C, OL)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool1d(1)(tg.tensor([[[1.0, 3.0, 2.0]]]))
    tensor([[[2.]]])
    """

    def __init__(self, output_size: Size) -> None:
        self.output_size = output_size

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.adaptive_avg_pool1d(x, self.output_size)

    def extra_repr(self) -> str:
        """The size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(AdaptiveAvgPool1d):
    """Means over windows that tile the image into `output_size` (`tg.adaptive_avg_pool2d`), whatever its size.

    x `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool2d(1)(tg.zeros(2, 64, 7, 9)).shape
    (2, 64, 1, 1)
    """

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.adaptive_avg_pool2d(x, self.output_size)
