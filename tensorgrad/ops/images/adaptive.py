"""Adaptive max pooling, and power-average pooling: poolings made of others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.elementwise.activations import relu
from tensorgrad.ops.elementwise.arithmetic import abs
from tensorgrad.ops.elementwise.rounding import sign
from tensorgrad.ops.operands import TensorLike, flag, for_kernel, number
from tensorgrad.ops.pooling import AdaptiveSize, adaptive_sizes, max_pool, mean_pool, picked, pooled_maxima

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class AdaptiveMaxIndices(Op):
    """z = where the maximum of each adaptive window lies: its place among the pixels of the channel."""

    symbol, formula = "argmax pool", lambda: words("argmax of each window")
    size: tuple[int, ...]

    def forward(self, x):
        return kernels.adaptive.max_indices(x, self.size)


def adaptive_max_pool1d(input: TensorLike, output_size: AdaptiveSize, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` along one axis: input `(N, C, L)` or `(C, L)` -> `(N, C, OL)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.adaptive_max_pool1d(tg.tensor([[[1.0, 3.0, 2.0, 0.0, 4.0]]]), 2)
    tensor([[[3., 4.]]])
    """
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: TensorLike, output_size: AdaptiveSize, return_indices: bool = False) -> Any:
    """Maxima over windows that cover an image of any size, for an output of the given size.

    Window i covers the rows from ⌊i · H/OH⌋ to ⌈(i + 1) · H/OH⌉ − 1, and likewise for columns.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`; float32 or float64, integers become float32.
        output_size: OH and OW; one int, or one per axis; None keeps the size of an axis.
        return_indices: return `(maxima, indices)`; indices are places h · W + w in the channel, int64.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ShapeError: an input with another number of axes, or without pixels. ArgumentError: an output size below 1.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.adaptive_max_pool2d(tg.arange(9.0).reshape(1, 1, 3, 3), (1, None))
    tensor([[[[6., 7., 8.]]]])
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: TensorLike, output_size: AdaptiveSize, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)` -> `(N, C, OD, OH, OW)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.adaptive_max_pool3d(tg.zeros(2, 3, 4, 5, 6), (2, None, 1)).shape
    (2, 3, 2, 5, 1)
    """
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _adaptive_max(op, rank, x, output_size, return_indices):
    x, return_indices = for_kernel(op, x), flag(op, "return_indices", return_indices)
    shape = x._data.shape
    windows.check_axes(op, rank, shape)
    sizes = adaptive_sizes(op, rank, shape, output_size)
    if 0 in shape[-rank:]:
        raise ShapeError(restate(op, "input must have at least one pixel", input=x, output_size=output_size))
    batch = x if len(shape) == rank + 2 else x.unsqueeze(0)
    check_memory(op, (*batch.shape[:2], *sizes), x.dtype, input=x, output_size=output_size)
    if not any(n % m for n, m in zip(shape[-rank:], sizes, strict=True)):
        kernel = tuple([n // m for n, m in zip(shape[-rank:], sizes, strict=True)])
        return pooled_maxima(x, batch, windows.pooling(op, rank, shape, kernel, None, 0, 1, False), return_indices)
    z, indices = picked(x, batch, apply(AdaptiveMaxIndices, batch, size=sizes))
    return (z, indices) if return_indices else z


def lp_pool1d(
    input: TensorLike, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """`lp_pool2d` along one axis: input `(N, C, L)` or `(C, L)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.lp_pool1d(tg.tensor([[[3.0, 4.0]]]), 2, 2)
    tensor([[[5.]]])
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: TensorLike, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window, (Σ xᵖ)^(1/p): Sermanet et al., Convolutional Neural Networks Applied to House Numbers.

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`; float32 or float64.
        norm_type: p; 1 gives the sum, ∞ the largest absolute value.
        kernel_size: one int, or one per axis.
        stride: from one window to the next; one int, or one per axis; the kernel size if None.
        ceil_mode: let a last, incomplete window count.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ShapeError: the window doesn't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.lp_pool2d(tg.ones(1, 1, 4, 4), 2, 2)
    tensor([[[[2., 2.],
              [2., 2.]]]])
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: TensorLike, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """`lp_pool2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.lp_pool3d(tg.ones(1, 1, 2, 2, 2), 3, 2)
    tensor([[[[[2.]]]]])
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(op, rank, x, norm_type, kernel_size, stride, ceil_mode):
    p = number(op, "norm_type", norm_type)
    if p == 0:
        raise ArgumentError(restate(op, "norm_type must not be 0", norm_type=norm_type))
    x, ceil_mode = for_kernel(op, x), flag(op, "ceil_mode", ceil_mode)
    if math.isinf(p):
        largest = max_pool(op, rank, abs(x) if p > 0 else -abs(x), kernel_size, stride, 0, 1, ceil_mode, False)
        return largest if p > 0 else -largest
    mean = mean_pool(op, rank, x**p, kernel_size, stride, 0, ceil_mode, True, None)
    size = math.prod(windows.as_tuple(kernel_size, rank, op=op, name="kernel_size"))
    return (sign(mean) * relu(abs(mean)) * size) ** (1 / p)
