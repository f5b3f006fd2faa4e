"""Convolution: a closed trio of ops, each linear in both inputs, whose derivatives are made of one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.operands import TensorLike, floating, floating_pair, for_kernel

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["conv1d", "conv2d"]

Size = int | Sequence[int]


def planes(array: np.ndarray) -> np.ndarray:
    """Signals as images of one row: (N, C, L) -> (N, C, 1, L)."""
    return array[:, :, None] if array.ndim == 3 else array


def signals(array: np.ndarray, rank: int) -> np.ndarray:
    """And back: (N, C, 1, L) -> (N, C, L)."""
    return array[:, :, 0] if rank == 1 else array


class Window(Op):
    """How a convolution's window moves: per spatial dimension a stride, a (before, after) padding and a dilation."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def motion(self) -> dict:
        """The parameters, to hand on to the other two of the trio."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def plane_motion(self) -> tuple:
        """The parameters for the kernels, which know images only."""
        if len(self.stride) == 2:
            return self.stride, self.padding, self.dilation, self.groups
        return (1, *self.stride), ((0, 0), *self.padding), (1, *self.dilation), self.groups


class Convolution(Window):
    """z = x ∗ w + b: a sliding dot product, not flipped."""

    symbol, formula = "∗", "z = x ∗ w + b"
    derivatives = ("∂L/∂x = ∂L/∂z spread by w", "∂L/∂w = Σ patches of x · ∂L/∂z", "∂L/∂b = Σ ∂L/∂z")

    def forward(self, x, w, b=None):
        self.residuals = x.shape[2:], w.shape[2:]
        z = kernels.convolution.forward(planes(x), planes(w), b, *self.plane_motion)
        return signals(z, len(self.stride))

    def backward_x(self, grad, w, residuals):
        return apply(ConvolutionGradInput, grad, w, size=residuals[0], **self.motion)

    def backward_w(self, grad, x, residuals):
        return apply(ConvolutionGradWeight, x, grad, size=residuals[1], **self.motion)

    def backward_b(self, grad):
        return apply(ChannelSum, grad)


class ConvolutionGradInput(Window):
    """z = g spread by w: the gradient of a convolution for its input, which is the transposed convolution."""

    symbol, formula = "∗ᵀ", "z = g ∗ᵀ w"
    derivatives = ("∂L/∂g = ∂L/∂z ∗ w", "∂L/∂w = Σ patches of ∂L/∂z · g")
    size: tuple[int, ...]

    def forward(self, g, w):
        self.residuals = w.shape[2:]
        size = self.size if len(self.size) == 2 else (1, *self.size)
        z = kernels.convolution.grad_input(planes(g), planes(w), size, *self.plane_motion)
        return signals(z, len(self.stride))

    def backward_g(self, grad, w):
        return apply(Convolution, grad, w, **self.motion)

    def backward_w(self, grad, g, residuals):
        return apply(ConvolutionGradWeight, grad, g, size=residuals, **self.motion)


class ConvolutionGradWeight(Window):
    """z = Σ patches of x · g: the gradient of a convolution for its weights."""

    symbol, formula = "∗ʷ", "z = Σ patches(x) · g"
    derivatives = ("∂L/∂x = g spread by ∂L/∂z", "∂L/∂g = x ∗ ∂L/∂z")
    size: tuple[int, ...]

    def forward(self, x, g):
        self.residuals = x.shape[2:]
        size = self.size if len(self.size) == 2 else (1, *self.size)
        z = kernels.convolution.grad_weight(planes(x), planes(g), size, *self.plane_motion)
        return signals(z, len(self.stride))

    def backward_x(self, grad, g, residuals):
        return apply(ConvolutionGradInput, g, grad, size=residuals, **self.motion)

    def backward_g(self, grad, x):
        return apply(Convolution, x, grad, **self.motion)


class ChannelSum(Op):
    """z = Σ x over images and pixels: the gradient of a bias, which is added everywhere."""

    symbol, formula = "Σ", "z[k] = Σ x[n, k, p, q]"
    derivatives = ("∂L/∂x = ∂L/∂z everywhere",)

    def forward(self, x):
        self.residuals = x.shape
        return kernels.pointwise.channel_sums(x)

    def backward_x(self, grad, residuals):
        # (K,) -> (1, K, 1, ...) -> (N, K, OH, OW)
        return grad.reshape(1, -1, *[1] * (len(residuals) - 2)).expand(*residuals)


def conv1d(
    x: TensorLike,
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
    return _convolve("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: TensorLike,
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
        x: images `(N, C, H, W)`, or one image `(C, H, W)`; float32 or float64.
        weight: filters `(K, C/groups, KH, KW)`.
        bias: `(K,)` or None.
        stride, dilation: one int, or one per axis.
        padding: one int, one per axis, "valid" (none) or "same" (the output keeps the size; stride 1 only).
        groups: cut the channels into groups that don't see each other.

    Returns:
        `(N, K, OH, OW)` with OH = ⌊(H + padding − dilation·(KH − 1) − 1) / stride⌋ + 1.

    Raises:
        ShapeError: channels, groups or sizes that don't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad as tg
    >>> tg.conv2d(tg.ones(1, 3, 32, 32), tg.ones(6, 3, 5, 5)).shape
    (1, 6, 28, 28)
    """
    return _convolve("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def _convolve(op, rank, x, weight, bias, stride, padding, dilation, groups):
    x, weight = floating_pair(x, weight)
    x = for_kernel(op, x)
    if bias is not None:
        bias = floating(bias)
        bias = bias if bias._data.dtype == x._data.dtype else bias.astype(x.dtype)
    shapes = x._data.shape, weight._data.shape, None if bias is None else bias._data.shape
    motion = _checked_motion(op, rank, *shapes, stride, padding, dilation, groups)
    if motion is None:
        raise _misfit(op, rank, x, weight, bias, groups)
    batched = len(shapes[0]) == rank + 2
    batch = x if batched else x.unsqueeze(0)
    z = apply(Convolution, *((batch, weight) if bias is None else (batch, weight, bias)), **motion)
    return z if batched else z.squeeze(0)


@windows.remembered
def _checked_motion(op, rank, image, filters, bias, stride, padding, dilation, groups):
    """The parameters of the op, or None where the arrays don't fit together: `_misfit` says why."""
    (groups,) = windows.as_tuple(groups, 1, op=op, name="groups", minimum=1)
    if len(image) not in (rank + 1, rank + 2) or len(filters) != rank + 2:
        return None
    if image[-rank - 1] != filters[1] * groups or filters[0] % groups or (bias is not None and bias != filters[:1]):
        return None
    stride = windows.as_tuple(stride, rank, op=op, name="stride", minimum=1)
    dilation = windows.as_tuple(dilation, rank, op=op, name="dilation", minimum=1)
    padding = windows.conv_padding(padding, filters[2:], stride, dilation, op=op)
    windows.conv_output_size(image[-rank:], filters[2:], stride, padding, dilation, op=op)
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _misfit(op: str, rank: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> ShapeError:
    """What to raise for arrays that don't fit together."""
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias}) | {"groups": groups}
    if x.ndim not in (rank + 1, rank + 2) or weight.ndim != rank + 2:
        axes, kernel = (", H, W", ", KH, KW") if rank == 2 else (", L", ", KL")
        expected = f"x (N, C{axes}) or (C{axes}), weight (K, C/groups{kernel})"
        return ShapeError(restate(op, "the wrong number of axes", expected=expected, **given))
    channels, filters = x.shape[-rank - 1], weight.shape[0]
    if channels != weight.shape[1] * groups or filters % groups:
        problem = f"x has {channels} channels, the filters take {weight.shape[1]} in each of {groups} group(s)"
        expected = "x.shape[1] == weight.shape[1] · groups, and weight.shape[0] a multiple of groups"
        return ShapeError(restate(op, problem, expected=expected, **given))
    return ShapeError(restate(op, "one bias per filter is needed", expected=f"bias of shape ({filters},)", **given))
