"""Channels and pixels in another order: sub-pixel convolution's shuffle, its inverse, and the shuffle of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad import windows
from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.shapes import clone

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: TensorLike, upscale_factor: int) -> Tensor:
    """Channels become pixels: `(..., C·r², H, W)` -> `(..., C, H·r, W·r)`.

    Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN, CVPR 2016.

    Args:
        input: at least three axes, any dtype.
        upscale_factor: r.

    Raises:
        ShapeError: fewer axes, or channels that aren't a multiple of r². ArgumentError, DTypeError: a bad factor.

    >>> import tensorgrad as tg
    >>> tg.pixel_shuffle(tg.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    x = as_tensor(input)
    (r,) = windows.as_tuple(upscale_factor, 1, op="pixel_shuffle", name="upscale_factor", minimum=1)
    if x.ndim < 3 or x.shape[-3] % (r * r):
        problem = f"input must be (..., C, H, W) with C a multiple of upscale_factor², {r * r}"
        raise ShapeError(restate("pixel_shuffle", problem, input=x, upscale_factor=r))
    *lead, channels, height, width = x.shape
    k, c = len(lead), channels // (r * r)
    # (..., C·r², H, W) -> (..., C, r, r, H, W) -> (..., C, H, r, W, r) -> (..., C, H·r, W·r)
    x = x.reshape(*lead, c, r, r, height, width).permute(*range(k), k, k + 3, k + 1, k + 4, k + 2)
    return clone(x).reshape(*lead, c, height * r, width * r)


def pixel_unshuffle(input: TensorLike, downscale_factor: int) -> Tensor:
    """Pixels become channels, the inverse of `pixel_shuffle`: `(..., C, H·r, W·r)` -> `(..., C·r², H, W)`.

    Args:
        input: at least three axes, any dtype.
        downscale_factor: r.

    Raises:
        ShapeError: fewer axes, or a height or width that isn't a multiple of r. ArgumentError, DTypeError: a bad
            factor.

    >>> import tensorgrad as tg
    >>> tg.pixel_unshuffle(tg.arange(4).reshape(1, 2, 2), 2).flatten()
    tensor([0, 1, 2, 3])
    """
    x = as_tensor(input)
    (r,) = windows.as_tuple(downscale_factor, 1, op="pixel_unshuffle", name="downscale_factor", minimum=1)
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        problem = f"input must be (..., C, H, W) with H and W multiples of downscale_factor, {r}"
        raise ShapeError(restate("pixel_unshuffle", problem, input=x, downscale_factor=r))
    *lead, channels, height, width = x.shape
    k, h, w = len(lead), height // r, width // r
    # (..., C, H·r, W·r) -> (..., C, H, r, W, r) -> (..., C, r, r, H, W) -> (..., C·r², H, W)
    x = x.reshape(*lead, channels, h, r, w, r).permute(*range(k), k, k + 2, k + 4, k + 1, k + 3)
    return clone(x).reshape(*lead, channels * r * r, h, w)


def channel_shuffle(input: TensorLike, groups: int) -> Tensor:
    """The channels of the groups in turn: `(N, C, ...)`, the channels (g, c) in the order (c, g).

    Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices, CVPR 2018.

    Args:
        input: `(N, C, ...)` with at least three axes, any dtype.
        groups: the number of groups.

    Raises:
        ShapeError: fewer axes, or channels that aren't a multiple of groups. ArgumentError, DTypeError: a bad number.

    >>> import tensorgrad as tg
    >>> tg.channel_shuffle(tg.arange(4).reshape(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    x = as_tensor(input)
    (groups,) = windows.as_tuple(groups, 1, op="channel_shuffle", name="groups", minimum=1)
    if x.ndim < 3 or x.shape[1] % groups:
        problem = f"input must be (N, C, ...) with C a multiple of groups, {groups}"
        raise ShapeError(restate("channel_shuffle", problem, input=x, groups=groups))
    count, channels, *size = x.shape
    # (N, g·c, ...) -> (N, g, c, ...) -> (N, c, g, ...) -> (N, C, ...)
    return clone(x.reshape(count, groups, channels // groups, *size).swapaxes(1, 2)).reshape(x.shape)
