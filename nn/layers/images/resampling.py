"""Layers that change an image's size or the order of its pixels: no parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad.nn.module import Module
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.images.interpolation import interpolate
from tensorgrad.ops.images.patches import fold, unfold
from tensorgrad.ops.operands import TensorLike


class Upsample(Module):
    """A signal, image or volume in another size (`nn.functional.interpolate`): `(N, C, ...)` -> `(N, C, ...)`.

    Args:
        size: the new spatial size; one int, or one per axis. Give either this or `scale_factor`.
        scale_factor: the new size as a multiple of the old; one number, or one per axis.
        mode: "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area".
        align_corners: whether the centers of the corner pixels keep their places; for the linear and cubic modes.
        recompute_scale_factor: use the ratio of the rounded sizes in place of `scale_factor`.

    >>> import tensorgrad as tg
    >>> tg.nn.Upsample(scale_factor=2, mode="bilinear")(tg.zeros(1, 3, 8, 8)).shape
    (1, 3, 16, 16)
    """

    def __init__(
        self,
        size: Size | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        several = isinstance(scale_factor, (tuple, list))
        factor: Any = tuple(map(float, scale_factor)) if several else scale_factor  # type: ignore[arg-type]
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.scale_factor = float(factor) if factor and not several else factor
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The input in its new size."""
        sizes = self.size, self.scale_factor
        return interpolate(input, *sizes, self.mode, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        """The size or the scale factor, and the mode."""
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """An image in another size, each pixel that of the nearest one: `(N, C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        size: the new height and width; one int, or one per axis. Give either this or `scale_factor`.
        scale_factor: the new size as a multiple of the old; one number, or one per axis.

    >>> import tensorgrad as tg
    >>> tg.nn.UpsamplingNearest2d(scale_factor=2)(tg.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Size | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """An image in another size, its corner pixels kept: `(N, C, H, W)` -> `(N, C, OH, OW)`.

    Args:
        size: the new height and width; one int, or one per axis. Give either this or `scale_factor`.
        scale_factor: the new size as a multiple of the old; one number, or one per axis.

    >>> import tensorgrad as tg
    >>> tg.nn.UpsamplingBilinear2d(size=(1, 3))(tg.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1. , 1.5, 2. ]]]])
    """

    def __init__(self, size: Size | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """Channels become pixels (`tg.pixel_shuffle`): `(..., C·r², H, W)` -> `(..., C, H·r, W·r)`.

    Args:
        upscale_factor: r.

    >>> import tensorgrad as tg
    >>> tg.nn.PixelShuffle(2)(tg.zeros(1, 12, 4, 4)).shape
    (1, 3, 8, 8)
    """

    _settings_shown = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The shuffled input."""
        return tg.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(Module):
    """Pixels become channels (`tg.pixel_unshuffle`): `(..., C, H·r, W·r)` -> `(..., C·r², H, W)`.

    Args:
        downscale_factor: r.

    >>> import tensorgrad as tg
    >>> tg.nn.PixelUnshuffle(2)(tg.zeros(1, 3, 8, 8)).shape
    (1, 12, 4, 4)
    """

    _settings_shown = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = downscale_factor

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The shuffled input."""
        return tg.pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(Module):
    """The channels of the groups in turn (`tg.channel_shuffle`): `(N, C, ...)` -> `(N, C, ...)`.

    Args:
        groups: the number of groups.

    >>> import tensorgrad as tg
    >>> tg.nn.ChannelShuffle(2)(tg.arange(4).reshape(1, 4, 1)).flatten()
    tensor([0, 2, 1, 3])
    """

    _settings_shown = ("groups",)

    def __init__(self, groups: int) -> None:
        self.groups = groups

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The shuffled input."""
        return tg.channel_shuffle(input, self.groups)


class Unfold(Module):
    """The patches under a sliding window (`nn.functional.unfold`): `(N, C, H, W)` -> `(N, C·KH·KW, windows)`.

    Args:
        kernel_size: of the window; one int, or one per axis.
        dilation: from one pixel of the window to the next.
        padding: zeros on each side.
        stride: from one window to the next.

    >>> import tensorgrad as tg
    >>> tg.nn.Unfold(3, padding=1)(tg.zeros(1, 2, 4, 4)).shape
    (1, 18, 16)
    """

    _settings_shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> None:
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The patches of the input."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(Module):
    """Patches added up to an image (`nn.functional.fold`): `(N, C·KH·KW, windows)` -> `(N, C, H, W)`.

    Args:
        output_size: H and W; one int, or one per axis.
        kernel_size: of the window; one int, or one per axis.
        dilation: from one pixel of the window to the next.
        padding: zeros on each side of the image that the patches came from.
        stride: from one window to the next.

    >>> import tensorgrad as tg
    >>> tg.nn.Fold((4, 4), 2, stride=2)(tg.zeros(1, 12, 4)).shape
    (1, 3, 4, 4)
    """

    _settings_shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
    ) -> None:
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The image of the patches."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
