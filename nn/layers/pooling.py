"""Pooling layers."""

from __future__ import annotations

from typing import Any

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.pooling import AdaptiveSize


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
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return tg.max_pool1d(input, *self._settings())

    def _settings(self) -> tuple[Any, ...]:
        return (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)

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
        return_indices: return `(maxima, indices)`, for `MaxUnpool2d`.
        ceil_mode: include a last, incomplete window.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool2d(2)(tg.zeros(1, 6, 28, 28)).shape
    (1, 6, 14, 14)
    """

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return tg.max_pool2d(input, *self._settings())


class MaxPool3d(MaxPool1d):
    """The maximum of each window (`tg.max_pool3d`): `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`. As `MaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool3d(2)(tg.zeros(1, 6, 8, 8, 8)).shape
    (1, 6, 4, 4, 4)
    """

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return tg.max_pool3d(input, *self._settings())


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

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

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

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        counting = self.count_include_pad, self.divisor_override
        return tg.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, *counting)

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool3d(AvgPool2d):
    """The mean of each window (`tg.avg_pool3d`): `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`. As `AvgPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AvgPool3d(2)(tg.zeros(1, 6, 8, 8, 8)).shape
    (1, 6, 4, 4, 4)
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        counting = self.count_include_pad, self.divisor_override
        return tg.avg_pool3d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, *counting)


class AdaptiveAvgPool1d(Module):
    """Means over windows that tile the signal into `output_size` (`tg.adaptive_avg_pool1d`), whatever its length.

    x `(N, C, L)` or `(C, L)` -> `(N, C, OL)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool1d(1)(tg.tensor([[[1.0, 3.0, 2.0]]]))
    tensor([[[2.]]])
    """

    def __init__(self, output_size: AdaptiveSize) -> None:
        self.output_size = output_size

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.adaptive_avg_pool1d(input, self.output_size)

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

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(AdaptiveAvgPool1d):
    """Means over windows that tile the volume into `output_size` (`tg.adaptive_avg_pool3d`), whatever its size.

    input `(N, C, D, H, W)` or `(C, D, H, W)` -> `(N, C, OD, OH, OW)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool3d((1, None, 3))(tg.zeros(2, 4, 5, 7, 9)).shape
    (2, 4, 1, 7, 3)
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        return tg.adaptive_avg_pool3d(input, self.output_size)
