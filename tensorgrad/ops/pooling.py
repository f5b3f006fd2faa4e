"""Pooling: the maximum or the mean of each window, and adaptive means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.convolution import Size, planes, signals
from tensorgrad.ops.linear import Einsum
from tensorgrad.ops.operands import TensorLike, floating, for_kernel
from tensorgrad.ops.reductions import mean

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


def _plane(sizes: tuple, fill: object) -> tuple:
    """Sizes per spatial dimension, for kernels that know images only: (L,) -> (1, L)."""
    return sizes if len(sizes) == 2 else (fill, *sizes)


FILLS = (1, 1, (0, 0), 1)
"""Kernel, stride, padding and dilation of the axis that signals don't have."""


class MaxPool(Op):
    """z = the maximum of each window; a tie goes to the first, NaN is carried."""

    symbol, formula = "max pool", "z = max of each window"
    derivatives = ("∂L/∂x = ∂L/∂z, to the argmax",)
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    output: tuple[int, ...]

    def forward(self, x):
        windows, output = (self.kernel, self.stride, self.padding, self.dilation), self.output
        if len(output) == 1:
            windows, output = [_plane(sizes, fill) for sizes, fill in zip(windows, FILLS, strict=True)], (1, *output)
        z, indices = kernels.pooling.max_forward(planes(x), *windows, output_size=output)
        self.residuals = indices, x.shape[2:]
        return signals(z, len(self.kernel))

    def backward_x(self, grad, residuals):
        indices, size = residuals
        return apply(MaxUnpool, grad, indices=indices, size=size)


class MaxUnpool(Op):
    """z = 0, then each g is added where its maximum was found."""

    symbol, formula = "unpool", "z[argmax] += g"
    derivatives = ("∂L/∂g = ∂L/∂z at the argmax",)
    indices: np.ndarray
    size: tuple[int, ...]

    def forward(self, g):
        return signals(kernels.pooling.scatter(planes(g), self.indices, _plane(self.size, 1)), len(self.size))

    def backward_g(self, grad):
        return apply(MaxPick, grad, indices=self.indices, size=self.size)


class MaxPick(Op):
    """z = x at the places where another tensor's windows had their maxima."""

    symbol, formula = "pick", "z = x[argmax]"
    derivatives = ("∂L/∂x[argmax] += ∂L/∂z",)
    indices: np.ndarray
    size: tuple[int, ...]

    def forward(self, x):
        return signals(kernels.pooling.gather(planes(x), self.indices), len(self.size))

    def backward_x(self, grad):
        return apply(MaxUnpool, grad, indices=self.indices, size=self.size)


class Averaging(Op):
    """How an averaging window moves, and what it divides by."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    output: tuple[int, ...]
    count_include_pad: bool
    divisor: int | None

    @property
    def windows(self) -> dict:
        """The parameters for the kernels, which know images only."""
        return {
            "kernel": _plane(self.kernel, 1),
            "stride": _plane(self.stride, 1),
            "padding": _plane(self.padding, (0, 0)),
            "count_include_pad": self.count_include_pad,
            "divisor_override": self.divisor,
        }


class AvgPool(Averaging):
    """z = the mean of each window."""

    symbol, formula = "avg pool", "z = mean of each window"
    derivatives = ("∂L/∂x = ∂L/∂z / n, to the whole window",)

    def forward(self, x):
        self.residuals = x.shape[2:]
        z = kernels.pooling.avg_forward(planes(x), output_size=_plane(self.output, 1), **self.windows)
        return signals(z, len(self.kernel))

    def backward_x(self, grad, residuals):
        return apply(AvgUnpool, grad, size=residuals, **self.params)


class AvgUnpool(Averaging):
    """z = each g, divided and spread over its window."""

    symbol, formula = "unpool", "z = Σ g / n over the windows"
    derivatives = ("∂L/∂g = mean of ∂L/∂z over each window",)
    size: tuple[int, ...]

    def forward(self, g):
        z = kernels.pooling.avg_backward(planes(g), _plane(self.size, 1), **self.windows)
        return signals(z, len(self.kernel))

    def backward_g(self, grad):
        params = {k: v for k, v in self.params.items() if k != "size"}
        return apply(AvgPool, grad, **params)


class AdaptiveAvgPool(Einsum):
    """z = the mean of each window, as a product with the weights of the means: one matrix for each axis."""

    symbol, formula = "adaptive avg pool", "z = mean of each window"


def max_pool1d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """`max_pool2d` along one axis: x `(N, C, L)` or `(C, L)`.

    >>> import tensorgrad as tg
    >>> tg.max_pool1d(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    tensor([[[3., 2.]]])
    """
    return _max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The maximum of each window; its gradient goes to where the maximum was found, the first of several.

    NaN is carried, and padding never wins, not even against −∞.

    Args:
        x: `(N, C, H, W)` or `(C, H, W)`, float32 or float64.
        kernel_size, padding, dilation: one int, or one per axis; padding at most half the kernel.
        stride: likewise; the kernel size if None.
        ceil_mode: let a last, incomplete window count.

    Returns:
        `(N, C, OH, OW)`, OH = ⌊(H + 2·padding − dilation·(KH − 1) − 1) / stride⌋ + 1, ⌈ ⌉ in ceil mode.

    Raises:
        ShapeError: the window doesn't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.max_pool2d(tg.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return _max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool1d(
    x: TensorLike,
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
    return _avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        x, kernel_size, stride, padding, ceil_mode: as in `max_pool2d`.
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
    return _avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_avg_pool1d(x: TensorLike, output_size: Size) -> Tensor:
    """`adaptive_avg_pool2d` along one axis: x `(N, C, L)` or `(C, L)`."""
    return _adaptive("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(x: TensorLike, output_size: Size) -> Tensor:
    """Means over windows that tile the image into `output_size`, whatever its size: window i covers ⌊iH/OH⌋ …
    ⌈(i+1)H/OH⌉.

    x `(N, C, H, W)` or `(C, H, W)` -> `(N, C, OH, OW)`. Raises ShapeError, ArgumentError, OutOfMemoryError.

    >>> import tensorgrad as tg
    >>> tg.adaptive_avg_pool2d(tg.arange(9.0).reshape(1, 1, 3, 3), 1)
    tensor([[[[4.]]]])
    """
    return _adaptive("adaptive_avg_pool2d", 2, x, output_size)


def _batched(op: str, rank: int, x: Tensor) -> tuple[Tensor, bool]:
    if x._data.ndim == rank + 2:
        return x, False
    if x.ndim != rank + 1:
        axes = "H, W" if rank == 2 else "L"
        expected = f"x (N, C, {axes}) or (C, {axes})"
        raise ShapeError(restate(op, "the wrong number of axes", expected=expected, x=x))
    return x.unsqueeze(0), True


def _max_pool(op, rank, x, kernel_size, stride, padding, dilation, ceil_mode):
    x, single = _batched(op, rank, for_kernel(op, x))
    z = apply(MaxPool, x, **_windows(op, rank, x._data.shape[2:], kernel_size, stride, padding, dilation, ceil_mode))
    return z.squeeze(0) if single else z


def _avg_pool(op, rank, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    x, single = _batched(op, rank, for_kernel(op, x))
    windows = _windows(op, rank, x._data.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    windows = {key: value for key, value in windows.items() if key != "dilation"}
    z = apply(AvgPool, x, **windows, count_include_pad=count_include_pad, divisor=divisor)
    return z.squeeze(0) if single else z


@windows.remembered
def _windows(op, rank, size, kernel_size, stride, padding, dilation, ceil_mode):
    kernel = windows.as_tuple(kernel_size, rank, op=op, name="kernel_size", minimum=1)
    stride = kernel if stride is None else windows.as_tuple(stride, rank, op=op, name="stride", minimum=1)
    sides = windows.as_tuple(padding, rank, op=op, name="padding", minimum=0)
    padding = tuple((side, side) for side in sides)
    dilation = windows.as_tuple(dilation, rank, op=op, name="dilation", minimum=1)
    output = windows.pool_output_size(size, kernel, stride, padding, dilation, ceil_mode, op=op)
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "output": output}


def _adaptive(op, rank, x, output_size):
    x, single = _batched(op, rank, floating(x))
    sizes = windows.as_tuple(output_size, rank, op=op, name="output_size", minimum=1)
    if 0 in x.shape[2:]:
        raise ShapeError(restate(op, "there is nothing to average", x=x, output_size=output_size))
    if set(sizes) == {1}:
        z = mean(x, tuple(range(2, x.ndim)), keepdims=True)
        return z.squeeze(0) if single else z
    check_memory(op, (*x.shape[:2], *sizes), x.dtype, x=x, output_size=output_size)
    for n, m in zip(x.shape[2:], sizes, strict=True):  # the weights of the means along one axis
        check_memory(op, (m, n), np.dtype(np.float64), x=x, output_size=output_size)
    means = [constant(_window_means(n, m).astype(x.dtype)) for n, m in zip(x.shape[2:], sizes, strict=True)]
    z = apply(AdaptiveAvgPool, x, *means, subscripts="nchw,ph,qw->ncpq" if rank == 2 else "ncl,ml->ncm")
    return z.squeeze(0) if single else z


def _window_means(size: int, count: int) -> np.ndarray:
    """(count, size): row i holds the weights of the mean over window i."""
    row, position = np.arange(count)[:, None], np.arange(size)
    start, end = row * size // count, -(-(row + 1) * size // count)
    return ((start <= position) & (position < end)) / (end - start)
