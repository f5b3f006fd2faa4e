"""Poolings beside the usual two: adaptive and fractional maxima, unpooling, powers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.images import adaptive, fractional, unpooling
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.pooling import AdaptiveSize

ADAPTIVE_MAXIMA = {
    1: adaptive.adaptive_max_pool1d,
    2: adaptive.adaptive_max_pool2d,
    3: adaptive.adaptive_max_pool3d,
}
UNPOOLINGS = {1: unpooling.max_unpool1d, 2: unpooling.max_unpool2d, 3: unpooling.max_unpool3d}
POWER_MEANS = {1: adaptive.lp_pool1d, 2: adaptive.lp_pool2d, 3: adaptive.lp_pool3d}


class AdaptiveMaxPooling(Module):
    """The common base of AdaptiveMaxPool1d, AdaptiveMaxPool2d and AdaptiveMaxPool3d."""

    rank: ClassVar[int]
    _settings_shown = ("output_size",)

    def __init__(self, output_size: AdaptiveSize, return_indices: bool = False) -> None:
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return ADAPTIVE_MAXIMA[self.rank](input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(AdaptiveMaxPooling):
    """Maxima over windows that tile the signal into `output_size`, whatever its length: `(N, C, L)` -> `(N, C, OL)`.

    Arguments as in `AdaptiveMaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveMaxPool1d(1)(tg.tensor([[[1.0, 3.0, 2.0]]]))
    tensor([[[3.]]])
    """

    rank = 1


class AdaptiveMaxPool2d(AdaptiveMaxPooling):
    """Maxima over windows that tile the image into `output_size`, whatever its size.

    `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        output_size: OH and OW; one int, or one per axis; None keeps the size of an axis.
        return_indices: return `(maxima, indices)`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveMaxPool2d((3, None))(tg.zeros(2, 64, 7, 9)).shape
    (2, 64, 3, 9)
    """

    rank = 2


class AdaptiveMaxPool3d(AdaptiveMaxPooling):
    """Maxima over windows that tile the volume into `output_size`: `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`.

    Arguments as in `AdaptiveMaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.AdaptiveMaxPool3d(2)(tg.zeros(2, 4, 5, 7, 9)).shape
    (2, 4, 2, 2, 2)
    """

    rank = 3


class FractionalMaxPool(Module):
    """What the layers of both ranks share."""

    rank: ClassVar[int]
    _random_samples: tg.Tensor | None

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: fractional.Ratio | None = None,
        return_indices: bool = False,
        _random_samples: tg.Tensor | None = None,
    ) -> None:
        sizes = fractional.fractional_sizes(type(self).__name__, self.rank, kernel_size, output_size, output_ratio)
        self.kernel_size, self.output_size, self.output_ratio = sizes
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def _settings(self) -> tuple[Any, ...]:
        sizes = (self.kernel_size, self.output_size, self.output_ratio)
        return (*sizes, self.return_indices, self._random_samples)


class FractionalMaxPool2d(FractionalMaxPool):
    """Maxima over windows at random places, for an output of any size (`nn.functional.fractional_max_pool2d`).

    `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        kernel_size: one int, or one per axis.
        output_size: OH and OW; one int, or one per axis. Either this or `output_ratio` is given.
        output_ratio: OH / H and OW / W, in (0, 1); one number, or one per axis.
        return_indices: return `(maxima, indices)`.
        _random_samples: the random numbers `(N, C, 2)` of every call; by default each call draws its own.

    Graham, Fractional Max-Pooling, 2014, arXiv 1412.6071.

    >>> import tensorgrad as tg
    >>> tg.nn.FractionalMaxPool2d(2, output_ratio=0.7)(tg.zeros(2, 64, 10, 20)).shape
    (2, 64, 7, 14)
    """

    rank = 2

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return fractional.fractional_max_pool2d(input, *self._settings())


class FractionalMaxPool3d(FractionalMaxPool):
    """The same over volumes: `(N, C, D, H, W)` -> `(N, C, OD, OH, OW)`. Arguments as in `FractionalMaxPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.FractionalMaxPool3d(2, output_size=(2, 3, 4))(tg.zeros(2, 4, 5, 7, 9)).shape
    (2, 4, 2, 3, 4)
    """

    rank = 3

    def forward(self, input: TensorLike) -> Any:
        """The maxima, or `(maxima, indices)`."""
        return fractional.fractional_max_pool3d(input, *self._settings())


class MaxUnpooling(Module):
    """The common base: the maxima of a pooling back at their places."""

    rank: ClassVar[int]
    _settings_shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        op = type(self).__name__
        arguments = windows.pooling_arguments(op, self.rank, kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding, _ = arguments

    def forward(
        self, input: TensorLike, indices: TensorLike, output_size: Sequence[int] | None = None
    ) -> tg.Tensor:  # fmt: skip
        """The maxima `input` at the places `indices`, of the layer with `return_indices=True`, on zeros.

        `output_size` is the size before the pooling, spatial or whole, where several have the same pooled size.
        """
        return UNPOOLINGS[self.rank](input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(MaxUnpooling):
    """The maxima of `MaxPool1d(..., return_indices=True)` back at their places. Arguments as in `MaxUnpool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxUnpool1d(2)(*tg.nn.MaxPool1d(2, return_indices=True)(tg.tensor([[[1.0, 3.0, 4.0, 2.0]]])))
    tensor([[[0., 3., 4., 0.]]])
    """

    rank = 1


class MaxUnpool2d(MaxUnpooling):
    """The maxima of `MaxPool2d(..., return_indices=True)` back at their places (`nn.functional.max_unpool2d`).

    Args:
        kernel_size: that of the pooling; one int, or one per axis.
        stride: that of the pooling; the kernel size if None.
        padding: that of the pooling.

    >>> import tensorgrad as tg
    >>> maxima, places = tg.nn.MaxPool2d(2, return_indices=True)(tg.zeros(1, 3, 5, 8))
    >>> tg.nn.MaxUnpool2d(2)(maxima, places, output_size=(5, 8)).shape
    (1, 3, 5, 8)
    """

    rank = 2


class MaxUnpool3d(MaxUnpooling):
    """The maxima of `MaxPool3d(..., return_indices=True)` back at their places. Arguments as in `MaxUnpool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.MaxUnpool3d(2)(*tg.nn.MaxPool3d(2, return_indices=True)(tg.zeros(1, 3, 4, 4, 4))).shape
    (1, 3, 4, 4, 4)
    """

    rank = 3


class PowerPooling(Module):
    """The common base of LPPool1d, LPPool2d and LPPool3d."""

    rank: ClassVar[int]
    _settings_shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> None:  # fmt: skip
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The norms."""
        return POWER_MEANS[self.rank](input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(PowerPooling):
    """The p-norm of each window (`nn.functional.lp_pool1d`): `(N, C, L)` -> `(N, C, OL)`. Arguments as in `LPPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LPPool1d(2, 2)(tg.tensor([[[3.0, 4.0]]]))
    tensor([[[5.]]])
    """

    rank = 1


class LPPool2d(PowerPooling):
    """The p-norm of each window (`nn.functional.lp_pool2d`): `(N, C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        norm_type: p; 1 gives the sum, ∞ the largest absolute value.
        kernel_size: one int, or one per axis.
        stride: from one window to the next; the kernel size if None.
        ceil_mode: include a last, incomplete window.

    >>> import tensorgrad as tg
    >>> tg.nn.LPPool2d(2, 2)(tg.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    rank = 2


class LPPool3d(PowerPooling):
    """The p-norm of each window (`nn.functional.lp_pool3d`): volumes. Arguments as in `LPPool2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LPPool3d(2, 2)(tg.ones(1, 3, 4, 4, 4)).shape
    (1, 3, 2, 2, 2)
    """

    rank = 3
