"""The inverse of max pooling with indices: the maxima back at their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import kernels, windows
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import equation, words
from tensorgrad.ops.indexing import PickPixels
from tensorgrad.ops.operands import TensorLike, as_tensor, for_kernel

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

Size = Any


class PutPixels(Op):
    """z = 0, then z = x at the places k, in each channel; of equal places the last one counts."""

    symbol, formula = "unpool", lambda z, x: equation(words(z, "[k]"), x)
    derivatives = (lambda grad: words(grad, "[k]"),)
    size: tuple[int, ...]

    def forward(self, x, k):
        return kernels.selection.put(x, k, self.size)

    def backward_x(self, grad, k):
        return apply(PickPixels, grad, k)


def max_unpool1d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """`max_unpool2d` along one axis: input and indices `(N, C, L)` or `(C, L)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.max_unpool1d(tg.tensor([[[3.0, 2.0]]]), tg.tensor([[[1, 2]]]), 2)
    tensor([[[0., 3., 2., 0.]]])
    """
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """The maxima of `max_pool2d(..., return_indices=True)` back at their places, with zeros between them.

    Args:
        input: the maxima `(N, C, H, W)` or `(C, H, W)`; float32 or float64.
        indices: their places, integers of the same shape.
        kernel_size: that of the pooling; one int, or one per axis.
        stride: that of the pooling; the kernel size if None.
        padding: that of the pooling.
        output_size: the size before the pooling, spatial or whole; several have the same pooled size. By default
            (H − 1)·stride − 2·padding + kernel_size.

    Returns:
        `(N, C, OH, OW)`.

    Raises:
        ShapeError: indices of another shape. ArgumentError: an output size that the pooling doesn't turn into H.
        RangeError: an index outside the output. DTypeError: indices that aren't integers.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> maxima, places = tg.max_pool2d(tg.arange(8.0).reshape(1, 1, 2, 4), 2, return_indices=True)
    >>> F.max_unpool2d(maxima, places, 2)
    tensor([[[[0., 0., 0., 0.],
              [0., 5., 0., 7.]]]])
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """`max_unpool2d` over volumes: input and indices `(N, C, D, H, W)` or `(C, D, H, W)`.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.max_unpool3d(tg.ones(1, 1, 1, 1, 1), tg.tensor([[[[[7]]]]]), 2).flatten()
    tensor([0., 0., 0., 0., 0., 0., 0., 1.])
    """
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _unpool(op, rank, x, indices, kernel_size, stride, padding, output_size):
    x, k = for_kernel(op, x), as_tensor(indices)
    given = {"input": x, "indices": k}
    windows.check_axes(op, rank, x._data.shape)
    if k.shape != x.shape:
        raise ShapeError(restate(op, "indices must have the shape of input", **given))
    if k.dtype.kind not in "iu":
        raise DTypeError(restate(op, "indices must be integers", fix="pass those of the max pooling", **given))
    moves = windows.pooling_arguments(op, rank, kernel_size, stride, padding)[:3]
    size = tuple([(n - 1) * s - 2 * p + m for n, m, s, p in zip(x.shape[-rank:], *moves, strict=True)])
    if output_size is not None:
        size = _checked_size(op, rank, output_size, size, moves[1])
    if min(size) < 1:
        raise ShapeError(restate(op, f"the output would be of size {size}", **given))
    batch, where = (x, k) if x.ndim == rank + 2 else (x.unsqueeze(0), k.unsqueeze(0))
    z = apply(PutPixels, batch, where, size=size)
    return z if batch is x else z.squeeze(0)


def _checked_size(op, rank, output_size, usual, stride):
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else output_size
    if isinstance(given, tuple) and len(given) in (rank + 1, rank + 2):
        given = given[-rank:]
    size = windows.as_tuple(given, rank, op=op, name="output_size", minimum=1)
    if any(not n - s < m < n + s for m, n, s in zip(size, usual, stride, strict=True)):
        problem = f"output_size must lie less than a stride, {stride}, from {usual}, got {size}"
        raise ArgumentError(restate(op, problem, output_size=output_size))
    return size
