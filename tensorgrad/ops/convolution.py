"""Convolution: a closed trio of ops, each linear in both inputs, whose derivatives are made of one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorgrad import kernels, windows
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ShapeError
from tensorgrad.formulas.symbolic import equation, function, infix, summed, words
from tensorgrad.ops.operands import TensorLike, alike, astype, floating, floating_pair, for_kernel
from tensorgrad.windows import Window

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["conv1d", "conv2d", "conv3d"]

Size = int | Sequence[int]


class Windowed(Op):
    """An op over windows: its gradients are made with the same window."""

    window: Window

    def on_images(self, kernel, *arrays, **settings):
        """Call a kernel, which knows no signals: a signal is an image of one row."""
        if len(self.window.kernel) > 1:
            return kernel(*arrays, self.window, **settings)
        # (N, C, L) -> (N, C, 1, L)
        images = [x[:, :, None] if x is not None and x.ndim == 3 else x for x in arrays]
        return signal(kernel(*images, self.window.image, **settings))


def signal(image):
    """One row of images as signals, (N, C, 1, L) -> (N, C, L), for each array of a tuple."""
    return tuple([signal(x) for x in image]) if isinstance(image, tuple) else image[:, :, 0]


def convolution_kernels(window):
    """The module of kernels for windows of so many dimensions."""
    return kernels.convolution3d if len(window.kernel) == 3 else kernels.convolution


class Convolution(Windowed):
    """z = x ∗ w + b: a sliding dot product, not flipped."""

    symbol, formula = "∗", lambda x, w, b: infix(x, "∗", w) + b
    derivatives = (
        lambda grad, w: infix(grad, "∗ᵀ", w),
        lambda grad, x: words("Σ patches of", x, "·", grad),
        lambda grad: summed(grad),
    )

    def forward(self, x, w, b=None):
        return self.on_images(convolution_kernels(self.window).forward, x, w, b)

    def backward_x(self, grad, w):
        return apply(ConvolutionGradInput, grad, w, window=self.window)

    def backward_w(self, grad, x):
        return apply(ConvolutionGradWeight, x, grad, window=self.window)

    def backward_b(self, grad):
        return apply(ChannelSum, grad)


class ConvolutionGradInput(Windowed):
    """z = g ∗ᵀ w: the gradient of a convolution for its input, which is the transposed convolution."""

    symbol, formula = "∗ᵀ", lambda g, w: infix(g, "∗ᵀ", w)
    derivatives = (lambda grad, w: infix(grad, "∗", w), lambda grad, g: words("Σ patches of", grad, "·", g))

    def forward(self, g, w):
        return self.on_images(convolution_kernels(self.window).grad_input, g, w)

    def backward_g(self, grad, w):
        return apply(Convolution, grad, w, window=self.window)

    def backward_w(self, grad, g):
        return apply(ConvolutionGradWeight, grad, g, window=self.window)


class ConvolutionGradWeight(Windowed):
    """z = Σ patches of x · g: the gradient of a convolution for its weights."""

    symbol, formula = "∗ʷ", lambda x, g: summed(function("patches")(x) * g)
    derivatives = (lambda grad, g: infix(g, "∗ᵀ", grad), lambda grad, x: infix(x, "∗", grad))

    def forward(self, x, g):
        return self.on_images(convolution_kernels(self.window).grad_weight, x, g)

    def backward_x(self, grad, g):
        return apply(ConvolutionGradInput, g, grad, window=self.window)

    def backward_g(self, grad, x):
        return apply(Convolution, x, grad, window=self.window)


class ChannelSum(Op):
    """z = Σ x over images and pixels: the gradient of a bias, which is added everywhere."""

    symbol, formula = "Σ", lambda z, x: equation(words(z, "[k]"), summed(words(x, "[n, k, p, q]")))
    derivatives = (lambda grad: words(grad, "everywhere"),)

    def forward(self, x):
        self.residuals = x.shape
        return kernels.pointwise.channel_sums(x)

    def backward_x(self, grad, residuals):
        # (K,) -> (1, K, 1, ...) -> (N, K, OH, OW)
        return grad.reshape(1, -1, *[1] * (len(residuals) - 2)).expand(*residuals)


def conv1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """1-D convolution: `conv2d` along one axis. x `(N, C, L)` or `(C, L)`, weight `(K, C/groups, KL)` -> `(N, K, OL)`.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([[[0.0, 0, 1, 1, 1, 0, 1, 0, 0, 0]]])
    >>> tg.conv1d(x, tg.tensor([[[-1.0, 1, -1]]])).flatten()
    tensor([-1.,  0., -1.,  0., -2.,  1., -1.,  0.])
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution, the sliding dot product of deep learning (not flipped).

    z[n, k, p, q] = b[k] + Σ_{c, i, j} w[k, c, i, j] · x[n, c, p·stride + i·dilation − top, q·stride + j·dilation −
    left], x being 0 outside. LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998; sizes as in
    Dumoulin and Visin, arXiv:1603.07285.

    Args:
        input: images `(N, C, H, W)`, or one image `(C, H, W)`; float32 or float64.
        weight: filters `(K, C/groups, KH, KW)`.
        bias: `(K,)` or None.
        stride: from one window to the next; one int, or one per axis.
        padding: one int, one per axis, "valid" (none) or "same" (the output keeps the size; stride 1 only).
        dilation: from one pixel of the window to the next; one int, or one per axis.
        groups: cut the channels into groups that don't see each other.

    Returns:
        `(N, K, OH, OW)` with OH = ⌊(H + padding − dilation·(KH − 1) − 1) / stride⌋ + 1.

    Raises:
        ShapeError: channels, groups or sizes that don't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.conv2d(tg.ones(1, 3, 32, 32), tg.ones(6, 3, 5, 5)).shape
    (1, 6, 28, 28)
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """3-D convolution: `conv2d` over volumes. Arguments and errors as there, with three numbers per size.

    Args:
        input: volumes `(N, C, D, H, W)`, or one `(C, D, H, W)`; float32 or float64.
        weight: filters `(K, C/groups, KD, KH, KW)`.
        bias: `(K,)` or None.
        stride: from one window to the next; one int, or one per axis.
        padding: one int, one per axis, "valid" (none) or "same" (the output keeps the size; stride 1 only).
        dilation: from one voxel of the window to the next; one int, or one per axis.
        groups: cut the channels into groups that don't see each other.

    Returns:
        `(N, K, OD, OH, OW)`.

    Raises:
        ShapeError: channels, groups or sizes that don't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.conv3d(tg.ones(1, 3, 8, 16, 16), tg.ones(6, 3, 3, 3, 3), padding=1).shape
    (1, 6, 8, 16, 16)
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _convolve(op, rank, x, weight, bias, stride, padding, dilation, groups):
    x, weight, bias = of_one_dtype(op, x, weight, bias)
    shape = x._data.shape
    biases = None if bias is None else bias._data.shape
    try:
        window = windows.convolution(op, rank, shape, weight._data.shape, biases, stride, padding, dilation, groups)
    except ShapeError:
        windows.check_channels(op, rank, x, weight, bias, groups)  # the same text, with the names of the tensors
        raise
    return of_batch(Convolution, rank, x, weight, bias, window)


def of_one_dtype(op, x, weight, bias):
    """Input, weight and bias as tensors of one dtype that kernels take."""
    if alike(x, weight, bias):
        return x, weight, bias
    x, weight = floating_pair(x, weight)
    x = for_kernel(op, x)
    bias = None if bias is None else floating(bias)
    return x, weight, bias if bias is None or alike(x, bias) else astype(bias, x._data.dtype)


def of_batch(convolution, rank, x, weight, bias, window):
    """A convolution of x, which is a batch, or its only image."""
    batch = x if x._data.ndim == rank + 2 else x.unsqueeze(0)
    operands = (batch, weight) if bias is None else (batch, weight, bias)
    z = apply(convolution, *operands, window=window)
    return z if batch is x else z.squeeze(0)
