"""Transposed convolution: the gradient of a convolution for its input, as an op of its own with a bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad import windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply
from tensorgrad.formulas.symbolic import infix, summed, words
from tensorgrad.ops.convolution import (
    ChannelSum,
    Convolution,
    ConvolutionGradWeight,
    Size,
    Windowed,
    convolution_kernels,
    of_batch,
    of_one_dtype,
)
from tensorgrad.ops.operands import TensorLike

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


class TransposedConvolution(Windowed):
    """z = x ∗ᵀ w + b: each element of x puts a filter, scaled by it, into z."""

    symbol, formula = "∗ᵀ", lambda x, w, b: infix(x, "∗ᵀ", w) + b
    derivatives = (
        lambda grad, w: infix(grad, "∗", w),
        lambda grad, x: words("Σ patches of", grad, "·", x),
        lambda grad: summed(grad),
    )

    def forward(self, x, w, b=None):
        kernel = convolution_kernels(self.window).grad_input
        return self.on_images(kernel, x, w, bias=b)

    def backward_x(self, grad, w):
        return apply(Convolution, grad, w, window=self.window)

    def backward_w(self, grad, x):
        return apply(ConvolutionGradWeight, grad, x, window=self.window)

    def backward_b(self, grad):
        return apply(ChannelSum, grad)


def conv_transpose1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`conv_transpose2d` along one axis: input `(N, C, L)` or `(C, L)`, weight `(C, K/groups, KL)` -> `(N, K, OL)`.

    >>> import tensorgrad as tg
    >>> tg.conv_transpose1d(tg.tensor([[[1.0, 2.0]]]), tg.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[[ 1., 10.,  2., 20.]]])
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """2-D transposed convolution: the gradient of `conv2d` for its input, which goes from a small image to a large one.

    z[n, k, h, w] = b[k] + Σ x[n, c, p, q] · w[c, k, i, j] over all p, q, i, j with h = p·stride + i·dilation − padding
    and w = q·stride + j·dilation − padding. Zeiler et al., Deconvolutional Networks, CVPR 2010; sizes as in Dumoulin
    and Visin, arXiv:1603.07285.

    Args:
        input: images `(N, C, H, W)`, or one image `(C, H, W)`; float32 or float64.
        weight: filters `(C, K/groups, KH, KW)`.
        bias: `(K,)` or None.
        stride: from the filter of one pixel to that of the next; one int, or one per axis.
        padding: so many rows and columns are cut off on each side; one int, or one per axis.
        output_padding: so many rows and columns are added after the last; smaller than stride or dilation.
        groups: cut the channels into groups that don't see each other.
        dilation: from one pixel of the filter to the next; one int, or one per axis.

    Returns:
        `(N, K, OH, OW)` with OH = (H − 1)·stride − 2·padding + dilation·(KH − 1) + output_padding + 1.

    Raises:
        ShapeError: channels, groups or sizes that don't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.conv_transpose2d(tg.ones(1, 6, 7, 7), tg.ones(6, 3, 4, 4), stride=2, padding=1).shape
    (1, 3, 14, 14)
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """`conv_transpose2d` over volumes: input `(N, C, D, H, W)` or `(C, D, H, W)`, weight `(C, K/groups, KD, KH, KW)`.

    >>> import tensorgrad as tg
    >>> tg.conv_transpose3d(tg.ones(1, 2, 3, 4, 5), tg.ones(2, 1, 2, 2, 2), stride=2).shape
    (1, 1, 6, 8, 10)
    """
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _transposed(op, rank, x, weight, bias, stride, padding, output_padding, groups, dilation):
    x, weight, bias = of_one_dtype(op, x, weight, bias)
    shape = x._data.shape
    biases = None if bias is None else bias._data.shape
    moves = (stride, padding, output_padding, groups, dilation)
    window = windows.transposed_convolution(op, rank, shape, weight._data.shape, biases, *moves)
    size = (*shape[: -rank - 1], weight._data.shape[1] * window.groups, *window.size)
    check_memory(op, size, x.dtype, input=x, weight=weight, stride=stride, dilation=dilation)
    return of_batch(TransposedConvolution, rank, x, weight, bias, window)
