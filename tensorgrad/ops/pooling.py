"""Pooling: the maximum or the mean of each window, and adaptive means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.errors import ShapeError, restate
from tensorgrad.formulas.symbolic import LOSS, equation, partial, summed, words
from tensorgrad.ops.convolution import Size, Windowed
from tensorgrad.ops.indexing import PickPixels
from tensorgrad.ops.linear import Einsum
from tensorgrad.ops.operands import TensorLike, flag, floating, for_kernel
from tensorgrad.ops.reductions import mean

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]

AdaptiveSize = int | None | Sequence[int | None]


def pooling_kernels(window):
    """The module of max pooling kernels for windows of so many dimensions."""
    return kernels.pooling3d if len(window.kernel) == 3 else kernels.pooling


def averaging_kernels(window):
    """The module of average pooling kernels for windows of so many dimensions."""
    return kernels.pooling3d if len(window.kernel) == 3 else kernels.average_pooling


class MaxPool(Windowed):
    """z = the maximum of each window; a tie goes to the first, NaN is carried."""

    symbol, formula = "max pool", lambda x: words("max of", x, "over each window")
    derivatives = (lambda grad: words(grad, ", to the argmax"),)

    def forward(self, x):
        z, self.residuals = self.on_images(pooling_kernels(self.window).max_forward, x)
        return z

    def backward_x(self, grad, residuals):
        return apply(MaxUnpool, grad, indices=residuals, window=self.window)


class MaxPoolIndices(Windowed):
    """z = where the maximum of each window lies: its place among the pixels of the channel."""

    symbol, formula = "argmax pool", lambda: words("argmax of each window")

    def forward(self, x):
        return self.on_images(pooling_kernels(self.window).max_forward, x)[1].astype(np.int64)


class MaxUnpool(Windowed):
    """z = 0, then each g is added where its maximum was found."""

    symbol, formula = "unpool", lambda z, g: equation(words(z, "[argmax]"), g, "+=")
    derivatives = (lambda grad: words(grad, "at the argmax"),)
    indices: np.ndarray

    def forward(self, g):
        return self.on_images(pooling_kernels(self.window).scatter, g, self.indices)

    def backward_g(self, grad):
        return apply(MaxPick, grad, indices=self.indices, window=self.window)


class MaxPick(Windowed):
    """z = x at the places where another tensor's windows had their maxima."""

    symbol, formula = "pick", lambda x: words(x, "[argmax]")
    derivatives = (lambda grad, x: equation(words(partial(LOSS, x), "[argmax]"), grad, "+="),)
    indices: np.ndarray

    def forward(self, x):
        return self.on_images(pooling_kernels(self.window).gather, x, self.indices)

    def backward_x(self, grad):
        return apply(MaxUnpool, grad, indices=self.indices, window=self.window)


class Averaging(Windowed):
    """The parameters of the two ops below: whether pixels of the padding count, or a divisor for all windows."""

    count_include_pad: bool
    divisor: int | None


class AvgPool(Averaging):
    """z = the mean of each window."""

    symbol, formula = "avg pool", lambda: words("mean of each window")
    derivatives = (lambda grad, n: words(grad, "/", n, ", to the whole window"),)

    def forward(self, x):
        kernel = averaging_kernels(self.window).avg_forward
        return self.on_images(kernel, x, count_include_pad=self.count_include_pad, divisor=self.divisor)

    def backward_x(self, grad):
        return apply(AvgUnpool, grad, **self.params)


class AvgUnpool(Averaging):
    """z = Σ g / divisor over the windows that hold the pixel."""

    symbol, formula = "unpool", lambda g, n: words(summed(g / n), "over the windows")
    derivatives = (lambda grad: words("mean of", grad, "over each window"),)

    def forward(self, g):
        kernel = averaging_kernels(self.window).avg_backward
        return self.on_images(kernel, g, count_include_pad=self.count_include_pad, divisor=self.divisor)

    def backward_g(self, grad):
        return apply(AvgPool, grad, **self.params)


SUBSCRIPTS = {1: "ncl,ml->ncm", 2: "nchw,ph,qw->ncpq", 3: "ncdhw,od,ph,qw->ncopq"}


class AdaptiveAvgPool(Einsum):
    """z = the mean of each window, as a product with the weights of the means: one matrix for each axis."""

    symbol, formula = "adaptive avg pool", lambda xs: words("mean of each window")


def max_pool1d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool2d` along one axis: x `(N, C, L)` or `(C, L)`.

    >>> import tensorgrad as tg
    >>> tg.max_pool1d(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    tensor([[[3., 2.]]])
    """
    return max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window; its gradient goes to where the maximum was found, the first of several.

    NaN is carried, and padding never wins, not even against −∞.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`, float32 or float64.
        kernel_size: one int, or one per axis.
        stride: from one window to the next; one int, or one per axis; the kernel size if None.
        padding: on both sides; one int, or one per axis; at most half the kernel.
        dilation: from one pixel of the window to the next; one int, or one per axis.
        ceil_mode: let a last, incomplete window count.
        return_indices: return `(maxima, indices)`; indices are places h · W + w in the channel, int64.

    Returns:
        `(N, C, OH, OW)`, OH = ⌊(H + 2·padding − dilation·(KH − 1) − 1) / stride⌋ + 1, ⌈ ⌉ in ceil mode.

    Raises:
        ShapeError: the window doesn't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.max_pool2d(tg.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)`; indices are places (d · H + h) · W + w.

    >>> import tensorgrad as tg
    >>> tg.max_pool3d(tg.arange(8.0).reshape(1, 1, 2, 2, 2), 2).item()
    7.0
    """
    return max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """`avg_pool2d` along one axis: x `(N, C, L)` or `(C, L)`.

    >>> import tensorgrad as tg
    >>> tg.avg_pool1d(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    tensor([[[2., 1.]]])
    """
    return mean_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`, float32 or float64.
        kernel_size: one int, or one per axis.
        stride: from one window to the next; one int, or one per axis; the kernel size if None.
        padding: on both sides; one int, or one per axis; at most half the kernel.
        ceil_mode: let a last, incomplete window count.
        count_include_pad: divide by the window's size, padding included; else by the pixels that are there.
        divisor_override: divide by this instead.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ShapeError: the window doesn't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.avg_pool2d(tg.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
    return mean_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """`avg_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)`.

    >>> import tensorgrad as tg
    >>> tg.avg_pool3d(tg.arange(8.0).reshape(1, 1, 2, 2, 2), 2).item()
    3.5
    """
    return mean_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def adaptive_avg_pool1d(input: TensorLike, output_size: AdaptiveSize) -> Tensor:
    """`adaptive_avg_pool2d` along one axis: x `(N, C, L)` or `(C, L)` -> `(N, C, OL)`. Raises as that does.

    >>> import tensorgrad as tg
    >>> tg.adaptive_avg_pool1d(tg.tensor([[[1.0, 2, 3, 4]]]), 2)
    tensor([[[1.5, 3.5]]])
    """
    return adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: TensorLike, output_size: AdaptiveSize) -> Tensor:
    """Means over windows that cover an image of any size, for an output of the given size.

    Window i covers the rows from ⌊i · H/OH⌋ to ⌈(i + 1) · H/OH⌉ − 1, and likewise for columns.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`; integers become float32.
        output_size: OH and OW; one int, or one per axis; None keeps the size of an axis.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ShapeError: x has another number of axes, or no pixels.
        ArgumentError: an output size below 1.
        OutOfMemoryError: the output doesn't fit into memory.

    >>> import tensorgrad as tg
    >>> tg.adaptive_avg_pool2d(tg.arange(9.0).reshape(1, 1, 3, 3), 1)
    tensor([[[[4.]]]])
    """
    return adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: TensorLike, output_size: AdaptiveSize) -> Tensor:
    """`adaptive_avg_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)` -> `(N, C, OD, OH, OW)`.

    >>> import tensorgrad as tg
    >>> tg.adaptive_avg_pool3d(tg.zeros(2, 3, 4, 5, 6), (2, None, 1)).shape
    (2, 3, 2, 5, 1)
    """
    return adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def max_pool(op, rank, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    x = for_kernel(op, x)
    ceil_mode, return_indices = flag(op, "ceil_mode", ceil_mode), flag(op, "return_indices", return_indices)
    window = windows.pooling(op, rank, x._data.shape, kernel_size, stride, padding, dilation, ceil_mode)
    batch = x if x._data.ndim == rank + 2 else x.unsqueeze(0)
    return pooled_maxima(x, batch, window, return_indices)


def pooled_maxima(x, batch, window, return_indices):
    """The maxima of the windows, or `(maxima, indices)`; x is the batch, or its only image."""
    if not return_indices:
        z = apply(MaxPool, batch, window=window)
        return z if batch is x else z.squeeze(0)
    return picked(x, batch, apply(MaxPoolIndices, batch, window=window))


def picked(x: Tensor, batch: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels at the indices, and these; x is the batch, or its only image."""
    z = apply(PickPixels, batch, indices)
    return (z, indices) if batch is x else (z.squeeze(0), indices.squeeze(0))


def mean_pool(op, rank, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    x, ceil_mode = for_kernel(op, x), flag(op, "ceil_mode", ceil_mode)
    count_include_pad = flag(op, "count_include_pad", count_include_pad)
    window = windows.pooling(op, rank, x._data.shape, kernel_size, stride, padding, 1, ceil_mode)
    batch = x if x._data.ndim == rank + 2 else x.unsqueeze(0)
    z = apply(AvgPool, batch, window=window, count_include_pad=count_include_pad, divisor=divisor)
    return z if batch is x else z.squeeze(0)


def adaptive_avg_pool(op: str, rank: int, x: TensorLike, output_size: AdaptiveSize) -> Tensor:
    """Means over windows that tile x, of so many spatial axes."""
    x = floating(x)
    windows.check_axes(op, rank, x._data.shape)
    sizes = adaptive_sizes(op, rank, x._data.shape, output_size)
    batch = x if x._data.ndim == rank + 2 else x.unsqueeze(0)
    if 0 in batch.shape[2:]:
        raise ShapeError(restate(op, "x must have at least one pixel", x=x, output_size=output_size))
    if set(sizes) == {1}:
        z = mean(batch, tuple(range(2, rank + 2)), True)
    else:
        check_memory(op, (*batch.shape[:2], *sizes), x.dtype, x=x, output_size=output_size)
        for n, m in zip(batch.shape[2:], sizes, strict=True):  # the weights of the means along one axis
            check_memory(op, (m, n), np.dtype(np.float64), x=x, output_size=output_size)
        means = [constant(_means(n, m).astype(x.dtype)) for n, m in zip(batch.shape[2:], sizes, strict=True)]
        z = apply(AdaptiveAvgPool, batch, *means, subscripts=SUBSCRIPTS[rank])
    return z if batch is x else z.squeeze(0)


def adaptive_sizes(op: str, rank: int, shape: tuple[int, ...], output_size: Any) -> tuple[int, ...]:
    """The output size of an adaptive pooling; None stands for the size of the input."""
    given = (None,) * rank if output_size is None else output_size
    if isinstance(given, (tuple, list)) and len(given) == rank:
        # An empty axis is refused by the caller, with its own words.
        given = tuple([max(n, 1) if m is None else m for n, m in zip(shape[-rank:], given, strict=True)])
    return windows.as_tuple(given, rank, op=op, name="output_size", minimum=1)


def _means(size: int, count: int) -> np.ndarray:
    """(count, size): row i holds the weights of the mean over window i."""
    weights = np.zeros((count, size))
    for row, window in zip(weights, windows.tiling(size, count), strict=True):
        row[window.start : window.stop] = 1 / len(window)
    return weights
