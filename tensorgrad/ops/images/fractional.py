"""Fractional max pooling: windows at random places, for sizes that no stride gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, RangeError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, for_kernel, number
from tensorgrad.ops.pooling import picked

Ratio = float | Sequence[float]


class FractionalMaxIndices(Op):
    """z = where the maximum of each window lies; the channel's random numbers u say where its windows lie."""

    symbol, formula = "argmax pool", lambda: words("argmax of each window")
    window: tuple[int, ...]
    size: tuple[int, ...]

    def forward(self, x, u):
        if not ((u >= 0) & (u < 1)).all():
            raise RangeError(restate("fractional_max_pool", "random samples must lie in [0, 1)", _random_samples=u))
        return kernels.adaptive.fractional_indices(x, u, self.window, self.size)


def fractional_max_pool2d(
    input: TensorLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: TensorLike | None = None,
) -> Any:
    """The maximum of each window; windows lie a fractional step α apart on average, and each channel draws where.

    Window i of OH along an axis of H pixels starts at ⌊(i + u) α⌋ − ⌊u α⌋, α = (H − KH) / (OH − 1), the last one at
    H − KH; u is uniform in [0, 1), one number for each channel and axis.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`; float32 or float64, integers become float32.
        kernel_size: KH and KW; one int, or one per axis.
        output_size: OH and OW; one int, or one per axis. Either this or `output_ratio` is given.
        output_ratio: OH / H and OW / W, between 0 and 1; one number, or one per axis.
        return_indices: return `(maxima, indices)`; indices are places h · W + w in the channel, int64.
        _random_samples: the numbers u, `(N, C, 2)`; W takes the first, H the second. Of a longer first axis the first
            N count. By default the numbers are drawn.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ArgumentError: not exactly one of `output_size` and `output_ratio`, or one out of range.
        ShapeError: OH + KH − 1 > H, an input with another number of axes, samples of another shape.
        RangeError: samples outside [0, 1).

    Graham, Fractional Max-Pooling, 2014, arXiv 1412.6071.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.fractional_max_pool2d(tg.arange(25.0).reshape(1, 1, 5, 5), 2, output_size=2)
    tensor([[[[ 6.,  9.],
              [21., 24.]]]])
    """
    options = (kernel_size, output_size, output_ratio, return_indices, _random_samples)
    return _fractional_max("fractional_max_pool2d", 2, input, *options)


def fractional_max_pool3d(
    input: TensorLike,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: TensorLike | None = None,
) -> Any:
    """`fractional_max_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)`; samples are `(N, C, 3)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.fractional_max_pool3d(tg.zeros(2, 3, 6, 7, 8), 2, output_ratio=0.5).shape
    (2, 3, 3, 3, 4)
    """
    options = (kernel_size, output_size, output_ratio, return_indices, _random_samples)
    return _fractional_max("fractional_max_pool3d", 3, input, *options)


def _fractional_max(op, rank, x, kernel_size, output_size, output_ratio, return_indices, samples):
    x, return_indices = for_kernel(op, x), flag(op, "return_indices", return_indices)
    shape = x._data.shape
    windows.check_axes(op, rank, shape)
    window, sizes, ratios = fractional_sizes(op, rank, kernel_size, output_size, output_ratio)
    if ratios is not None:
        sizes = tuple([int(n * ratio) for n, ratio in zip(shape[-rank:], ratios, strict=True)])
    if any(m < 1 or m + k - 1 > n for n, k, m in zip(shape[-rank:], window, sizes, strict=True)):
        problem = (
            f"output size {sizes} + kernel size {window} − 1 must be at most the size of the input, and at least 1"
        )
        raise ShapeError(restate(op, problem, input=x, output_size=output_size, output_ratio=output_ratio))
    batch = x if len(shape) == rank + 2 else x.unsqueeze(0)
    u = _samples(op, samples, (*batch.shape[:2], rank), batch)
    z, indices = picked(x, batch, apply(FractionalMaxIndices, batch, u, window=window, size=sizes))
    return (z, indices) if return_indices else z


def fractional_sizes(op, rank, kernel_size, output_size, output_ratio):
    """The kernel size, and the output sizes or ratios that were given, checked; the other is None."""
    window = windows.as_tuple(kernel_size, rank, op=op, name="kernel_size", minimum=1)
    if (output_size is None) == (output_ratio is None):
        given = {"output_size": output_size, "output_ratio": output_ratio}
        raise ArgumentError(restate(op, "exactly one of output_size and output_ratio must be given", **given))
    if output_size is not None:
        return window, windows.as_tuple(output_size, rank, op=op, name="output_size", minimum=1), None
    ratios = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * rank
    ratios = tuple([number(op, "output_ratio", ratio) for ratio in ratios])
    if len(ratios) != rank or not all(0 < ratio < 1 for ratio in ratios):
        problem = f"output_ratio must be one number in (0, 1), or {rank}"
        raise ArgumentError(restate(op, problem, output_ratio=output_ratio))
    return window, None, ratios


def _samples(op, samples, shape, x):
    """The random numbers of each channel and axis, the last axis first for images, as PyTorch takes them."""
    if samples is None:
        return as_tensor(host_call(_draw, checked_generator(op, None), shape, x.dtype))
    samples = as_tensor(samples)[: shape[0]]
    if samples.shape != shape:
        raise ShapeError(restate(op, f"_random_samples must be of shape {shape}", _random_samples=samples))
    samples = samples.detach().astype(x.dtype)
    return samples.flip(-1) if shape[-1] == 2 else samples


def _draw(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return generator.random(shape, dtype)
