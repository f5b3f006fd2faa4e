"""The patches of an image as columns, and columns added up to an image: PyTorch's `unfold` and `fold`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ShapeError, restate
from tensorgrad.formulas.symbolic import summed, words
from tensorgrad.ops.convolution import Size, Windowed
from tensorgrad.ops.operands import TensorLike, as_tensor, widened
from tensorgrad.windows import Window

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class Unfold(Windowed):
    """z = the patches of x, one column each."""

    symbol, formula = "unfold", lambda x: words("patches of", x)
    derivatives = (lambda grad: words(summed(grad), "over the patches"),)

    def forward(self, x):
        # (N, C, H, W) -> (N, C, KH, KW, OH, OW) -> (N, C · KH · KW, OH · OW)
        patches, window = kernels.patches.unfold(x, self.window), self.window
        return patches.reshape(len(x), x.shape[1] * math.prod(window.kernel), math.prod(window.output))

    def backward_x(self, grad):
        return apply(Fold, grad, window=self.window)


class Fold(Windowed):
    """z = the sum of the patches, each where it lies."""

    symbol, formula = "fold", lambda x: words(summed("patches"), "of", x)
    derivatives = (lambda grad: words("patches of", grad),)

    @widened
    def forward(self, x):
        window = self.window
        channels = x.shape[1] // math.prod(window.kernel)
        return kernels.patches.fold(x.reshape(len(x), channels, *window.kernel, *window.output), window)

    def backward_x(self, grad):
        return apply(Unfold, grad, window=self.window)


def unfold(input: TensorLike, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """The patches under a sliding window, one column each (im2col).

    Args:
        input: images `(N, C, H, W)`, or one `(C, H, W)`.
        kernel_size: of the window; one int, or one per axis.
        dilation: from one pixel of the window to the next.
        padding: zeros on each side.
        stride: from one window to the next.

    Returns:
        `(N, C·KH·KW, L)`, L = OH·OW windows.

    Raises:
        ShapeError: the window doesn't fit. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.unfold(tg.arange(6.0).reshape(1, 1, 2, 3), (2, 2))[0]
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    x = as_tensor(input)
    windows.check_axes("unfold", 2, x._data.shape)
    window = _window("unfold", x.shape[-2:], kernel_size, dilation, padding, stride)
    if x.shape[-3] < 1:
        raise ShapeError(restate("unfold", "input must have a channel", input=x))
    columns = (x.shape[-3] * math.prod(window.kernel), math.prod(window.output))
    check_memory("unfold", (*x.shape[:-3], *columns), x.dtype, input=x, kernel_size=kernel_size)
    z = apply(Unfold, x if x.ndim == 4 else x.unsqueeze(0), window=window)
    return z if x.ndim == 4 else z.squeeze(0)


def fold(
    input: TensorLike,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """Patches, one column each, added up to an image: the adjoint of `unfold` (col2im).

    Args:
        input: `(N, C·KH·KW, L)` or `(C·KH·KW, L)`.
        output_size: H and W; one int, or one per axis.
        kernel_size: of the window; one int, or one per axis.
        dilation: from one pixel of the window to the next.
        padding: zeros on each side of the image that `unfold` took the patches from.
        stride: from one window to the next.

    Returns:
        `(N, C, H, W)`.

    Raises:
        ShapeError: columns of another length or number. ArgumentError, DTypeError: a bad argument.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.fold(tg.ones(1, 4, 2), (2, 3), (2, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    x = as_tensor(input)
    size = windows.as_tuple(output_size, 2, op="fold", name="output_size", minimum=1)
    window = _window("fold", size, kernel_size, dilation, padding, stride)
    taps, count = math.prod(window.kernel), math.prod(window.output)
    if x.ndim not in (2, 3) or x.shape[-2] < 1 or x.shape[-2] % taps or x.shape[-1] != count:
        problem = f"input must be (N, C · {taps}, {count}): a row per pixel of the window, a column per window"
        raise ShapeError(restate("fold", problem, input=x, output_size=size, kernel_size=window.kernel))
    z = apply(Fold, x if x.ndim == 3 else x.unsqueeze(0), window=window)
    return z if x.ndim == 3 else z.squeeze(0)


def _window(op: str, size: tuple[int, ...], kernel_size: Size, dilation: Size, padding: Size, stride: Size) -> Window:
    kernel, steps, sides, gaps = windows.pooling_arguments(op, 2, kernel_size, stride, padding, dilation)
    return Window.fitting(op, size, kernel, steps, tuple([(side, side) for side in sides]), gaps)
