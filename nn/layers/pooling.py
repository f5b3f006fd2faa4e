"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.pooling import AdaptiveSize

MAXIMA = {1: tg.max_pool1d, 2: tg.max_pool2d, 3: tg.max_pool3d}
MEANS: dict[int, Any] = {1: tg.avg_pool1d, 2: tg.avg_pool2d, 3: tg.avg_pool3d}
ADAPTIVE_MEANS = {1: tg.adaptive_avg_pool1d, 2: tg.adaptive_avg_pool2d, 3: tg.adaptive_avg_pool3d}


class MaxPooling(Module):
    """The common base of MaxPool1d, MaxPool2d and MaxPool3d."""

    rank: ClassVar[int]
    _settings_shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

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
        window = self.kernel_size, self.stride, self.padding, self.dilation
        return MAXIMA[self.rank](input, *window, self.ceil_mode, self.return_indices)


class MaxPool1d(MaxPooling):
    """The maximum of each window (`tg.max_pool1d`): x `(N, C, L)` -> `(N, C, OL)`. Arguments as in `MaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool1d(2)(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
    tensor([[[3., 2.]]])
    """

    rank = 1


class MaxPool2d(MaxPooling):
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

    rank = 2


class MaxPool3d(MaxPooling):
    """The maximum of each window (`tg.max_pool3d`): `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`. As `MaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxPool3d(2)(tg.zeros(1, 6, 8, 8, 8)).shape
    (1, 6, 4, 4, 4)
    """

    rank = 3


class MeanPooling(Module):
    """The common base of AvgPool1d, AvgPool2d and AvgPool3d."""

    rank: ClassVar[int]
    _settings_shown = ("kernel_size", "stride", "padding")

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
        settings: list[Any] = [self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad]
        if self.rank > 1:  # signals have no divisor_override
            settings.append(self.divisor_override)
        return MEANS[self.rank](input, *settings)


class AvgPool1d(MeanPooling):
    """The mean of each window (`tg.avg_pool1d`): x `(N, C, L)` -> `(N, C, OL)`. Arguments as in `AvgPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AvgPool1d(2)(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
    tensor([[[2., 1.]]])
    """

    rank = 1

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


class AvgPool2d(MeanPooling):
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

    rank = 2


class AvgPool3d(MeanPooling):
    """The mean of each window (`tg.avg_pool3d`): `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`. As `AvgPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AvgPool3d(2)(tg.zeros(1, 6, 8, 8, 8)).shape
    (1, 6, 4, 4, 4)
    """

    rank = 3


class AdaptiveMeanPooling(Module):
    """The common base of AdaptiveAvgPool1d, AdaptiveAvgPool2d and AdaptiveAvgPool3d."""

    rank: ClassVar[int]
    _settings_shown = ("output_size",)

    def __init__(self, output_size: AdaptiveSize) -> None:
        self.output_size = output_size

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The means."""
        return ADAPTIVE_MEANS[self.rank](input, self.output_size)


class AdaptiveAvgPool1d(AdaptiveMeanPooling):
    """Means over windows that tile the signal into `output_size` (`tg.adaptive_avg_pool1d`), whatever its length.

    x `(N, C, L)` or `(C, L)` -> `(N, C, OL)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool1d(1)(tg.tensor([[[1.0, 3.0, 2.0]]]))
    tensor([[[2.]]])
    """

    rank = 1


class AdaptiveAvgPool2d(AdaptiveMeanPooling):
    """Means over windows that tile the image into `output_size` (`tg.adaptive_avg_pool2d`), whatever its size.

    x `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool2d(1)(tg.zeros(2, 64, 7, 9)).shape
    (2, 64, 1, 1)
    """

    rank = 2


class AdaptiveAvgPool3d(AdaptiveMeanPooling):
    """Means over windows that tile the volume into `output_size` (`tg.adaptive_avg_pool3d`), whatever its size.

    input `(N, C, D, H, W)` or `(C, D, H, W)` -> `(N, C, OD, OH, OW)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveAvgPool3d((1, None, 3))(tg.zeros(2, 4, 5, 7, 9)).shape
    (2, 4, 1, 7, 3)
    """

    rank = 3
