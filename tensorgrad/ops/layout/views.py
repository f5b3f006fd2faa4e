"""Views of a tensor: other shapes, parts along an axis, sliding windows. They share its memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, guard
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.formulas.symbolic import equation, words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.shapes import as_shape, broadcast_to, clone, reshape
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["broadcast_shapes", "broadcast_tensors", "chunk", "narrow", "ravel", "select", "unbind", "unflatten"]


class SlidingWindows(Op):
    """z[…, k, …, j] = x[…, k · step + j, …]: windows of one axis, which may overlap."""

    symbol, formula = "windows", lambda x, step, size: words("windows of", size, "elements of", x, ", every", step)
    derivatives = (lambda grad: words("Σ of", grad, "over the windows"),)
    aliases = True
    axis: int
    size: int
    step: int

    def forward(self, x):
        self.residuals = x.shape
        shape, strides = list(x.shape), list(x.strides)
        shape[self.axis] = (shape[self.axis] - self.size) // self.step + 1
        shape.append(self.size)
        strides.append(strides[self.axis])
        strides[self.axis] *= self.step
        view = kernels.arguments.restrided(x, shape, strides)
        return self.forward(kernels.copies.contiguous(x)) if view is None else view

    def backward_x(self, grad, residuals):
        return apply(AddWindows, grad, axis=self.axis, size=self.size, step=self.step, shape=residuals)


class AddWindows(Op):
    """z = 0, then each window of z += its x: the adjoint of reading windows."""

    symbol, formula = "windows +=", lambda x, z: equation(words(z, "[windows]"), x, "+=")
    derivatives = (lambda grad: words(grad, "[windows]"),)
    axis: int
    size: int
    step: int
    shape: tuple[int, ...]

    def forward(self, x):
        z = np.zeros(self.shape, x.dtype)
        reach = (x.shape[self.axis] - 1) * self.step + 1
        for j in range(self.size):
            z[(slice(None),) * self.axis + (slice(j, j + reach, self.step),)] += x[..., j]
        return z

    def backward_x(self, grad):
        return apply(SlidingWindows, grad, axis=self.axis, size=self.size, step=self.step)


def view(input: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """The elements of `input` in another shape and in the same memory; one size may be −1. `reshape` copies if it must.

    Raises:
        ShapeError: another number of elements, or a layout in memory that this shape can't be a view of.
        DTypeError: a dtype in place of sizes.

    >>> import tensorgrad as tg
    >>> x = tg.zeros(2, 3)
    >>> x.view(-1)[0] = 5.0
    >>> x
    tensor([[5., 0., 0.],
            [0., 0., 0.]])
    """
    x = as_tensor(input)
    if len(shape) == 1 and isinstance(shape[0], (type, str, np.dtype)):
        problem, fix = "bits can't be read as another dtype", "t.numpy().view(dtype) does; t.astype(dtype) converts"
        raise DTypeError(restate("view", problem, fix=fix, input=x, dtype=shape[0]))
    z = reshape(x, *shape)
    shared = z._aliases is not None and x._aliases is not None and z._aliases.sharers is x._aliases.sharers
    if z._data.size and not shared:
        problem, fix = f"a tensor with this layout in memory has no view of shape {z.shape}", "use reshape"
        raise ShapeError(restate("view", problem, fix=fix, input=x, shape=shape))
    return z


def reshape_as(input: TensorLike, other: TensorLike) -> Tensor:
    """`input` in the shape of `other`.

    >>> import tensorgrad as tg
    >>> tg.zeros(6).reshape_as(tg.zeros(2, 3)).shape
    (2, 3)
    """
    return reshape(input, as_tensor(other).shape)


def view_as(input: TensorLike, other: TensorLike) -> Tensor:
    """`input` viewed in the shape of `other`.

    >>> import tensorgrad as tg
    >>> tg.zeros(6).view_as(tg.zeros(2, 3)).shape
    (2, 3)
    """
    return view(input, as_tensor(other).shape)


def expand_as(input: TensorLike, other: TensorLike) -> Tensor:
    """`input` broadcast to the shape of `other`, without copying.

    >>> import tensorgrad as tg
    >>> tg.zeros(3).expand_as(tg.zeros(2, 3)).shape
    (2, 3)
    """
    return broadcast_to(input, as_tensor(other).shape)


def is_contiguous(input: TensorLike, memory_format: str = "contiguous_format") -> bool:
    """Whether the elements lie in memory one after the other, the last axis first.

    Args:
        memory_format: with `tg.channels_last` (`channels_last_3d`), whether the channels, axis 1, come first instead.

    >>> import tensorgrad as tg
    >>> x = tg.zeros(2, 3)
    >>> x.is_contiguous(), x.swapaxes(0, 1).is_contiguous()
    (True, False)
    """
    x = as_tensor(input)
    axes = {"channels_last": 4, "channels_last_3d": 5}.get(memory_format)
    if axes is None:
        return guard(_lies_in_order, x._data)
    return x.ndim == axes and is_contiguous(x.detach().moveaxis(1, -1))


def contiguous(input: TensorLike, memory_format: object = None) -> Tensor:
    """`input` itself if its elements lie in memory one after the other, else a copy for which that holds.

    Args:
        memory_format: accepted for PyTorch's scripts, and without effect.

    >>> import tensorgrad as tg
    >>> tg.zeros(2, 3).swapaxes(0, 1).contiguous().is_contiguous()
    True
    """
    x = as_tensor(input)
    return x if is_contiguous(x) else clone(x)


def _lies_in_order(x: np.ndarray) -> bool:
    return x.flags.c_contiguous


def ravel(input: TensorLike) -> Tensor:
    """All elements in a row, the last axis first. Shares the memory of a contiguous input.

    >>> import tensorgrad as tg
    >>> tg.ravel(tg.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return reshape(contiguous(input), -1)


@numpy_spellings
def select(input: TensorLike, dim: int, index: int) -> Tensor:
    """The part at one index of an axis, without that axis. Shares memory.

    Args:
        input: a tensor with an axis.
        dim: the axis.
        index: an int in [−n, n), for n elements along the axis.

    Raises:
        RangeError: an index or axis out of range.

    >>> import tensorgrad as tg
    >>> tg.select(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, 0)
    tensor([1., 3.])
    """
    x, dim = _along("select", input, dim)
    (k,) = as_tuple(index, 1, op="select", name="index")
    n = x.shape[dim]
    if not -n <= k < n:
        raise RangeError(restate("select", f"index must be in [{-n}, {n}), got {k}", input=x, dim=dim, index=index))
    if x.ndim == 1:  # NumPy's x[k] of a vector is a copy
        return reshape(x[k % n : k % n + 1], ())
    return x[(slice(None),) * dim + (k,)]


@numpy_spellings
def narrow(input: TensorLike, dim: int, start: int, length: int) -> Tensor:
    """The part of an axis from `start` on, `length` elements long. Shares memory.

    Args:
        input: a tensor with an axis.
        dim: the axis.
        start: the first index, counted from the end if negative.
        length: the number of elements, ≥ 0.

    Raises:
        RangeError: a start outside the axis, or a part that reaches beyond its end.

    >>> import tensorgrad as tg
    >>> tg.narrow(tg.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    x, dim = _along("narrow", input, dim)
    (first,), (count,) = [
        as_tuple(value, 1, op="narrow", name=name) for name, value in (("start", start), ("length", length))
    ]
    n = x.shape[dim]
    begin = first + n if first < 0 else first
    if not 0 <= begin <= n or count < 0 or begin + count > n:
        problem = f"start must be in [{-n}, {n}] and length in [0, {n} − start], got {first} and {count}"
        raise RangeError(restate("narrow", problem, input=x, dim=dim))
    return x[(slice(None),) * dim + (slice(begin, begin + count),)]


@numpy_spellings
def unbind(input: TensorLike, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts at each index of an axis, without that axis. They share memory.

    Args:
        input: a tensor with an axis.
        dim: the axis.

    >>> import tensorgrad as tg
    >>> tg.unbind(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    x, dim = _along("unbind", input, dim)
    return tuple([select(x, dim, k) for k in range(x.shape[dim])])


@numpy_spellings
def chunk(input: TensorLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Split an axis into at most `chunks` parts of one size; the last may be smaller. They share memory.

    Args:
        input: a tensor with an axis.
        chunks: the number of parts, > 0. There are fewer where ⌈n / chunks⌉ elements each need fewer.
        dim: the axis.

    Raises:
        ArgumentError: `chunks` isn't > 0.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.chunk(tg.zeros(5, 2), 2)]
    [(3, 2), (2, 2)]
    """
    x, dim = _along("chunk", input, dim)
    (parts,) = as_tuple(chunks, 1, op="chunk", name="chunks", minimum=1)
    n = x.shape[dim]
    size = -(-n // parts)
    starts = range(0, n, size) if n else [0] * parts
    return tuple([x[(slice(None),) * dim + (slice(start, start + size),)] for start in starts])


@numpy_spellings
def unflatten(input: TensorLike, dim: int, sizes: int | Sequence[int]) -> Tensor:
    """Split one axis into several, of the given sizes: the inverse of `flatten`. Shares memory if possible.

    Args:
        input: a tensor with an axis.
        dim: the axis.
        sizes: the sizes, whose product is that of the axis; one may be −1.

    Raises:
        ShapeError: sizes with another product.

    >>> import tensorgrad as tg
    >>> tg.unflatten(tg.zeros(2, 12), 1, (3, -1)).shape
    (2, 3, 4)
    """
    x, dim = _along("unflatten", input, dim)
    given, n = as_shape((sizes,)), x.shape[dim]
    known = math.prod([size for size in given if size != -1])
    free = given.count(-1)
    if not given or free > 1 or min(given) < -1 or (n != known if not free else not known or n % known):
        problem = f"sizes must have the product {n}, the size of the axis; one may be −1"
        raise ShapeError(restate("unflatten", problem, input=x, dim=dim, sizes=sizes))
    filled = [n // known if size == -1 else size for size in given]
    return reshape(x, (*x.shape[:dim], *filled, *x.shape[dim + 1 :]))


def unfold(input: TensorLike, dimension: int, size: int, step: int) -> Tensor:
    """Windows of an axis, side by side; a new last axis counts the elements of a window. Shares memory.

    Args:
        input: a tensor.
        dimension: the axis, of n elements; it counts the (n − size) / step + 1 windows in the result.
        size: the elements of a window, from 0 to n.
        step: the distance of two windows, > 0.

    Raises:
        ArgumentError: a size or step out of range.

    >>> import tensorgrad as tg
    >>> tg.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    x = as_tensor(input)
    axis = normalize_axis("unfold", x, dimension, "dimension")
    (length,) = as_tuple(size, 1, op="unfold", name="size", minimum=0)
    (stride,) = as_tuple(step, 1, op="unfold", name="step", minimum=1)
    n = x.shape[axis] if x.ndim else 1
    if length > n:
        problem = f"size must be at most {n}, the size of the axis, got {length}"
        raise ArgumentError(restate("unfold", problem, input=x, dimension=dimension, size=size))
    if not x.ndim:
        return reshape(x, (1,))[:length]
    if not length:  # n / step + 1 windows without elements
        return reshape(x[:0], (*x.shape[:axis], n // stride + 1, *x.shape[axis + 1 :], 0))
    return apply(SlidingWindows, x, axis=axis, size=length, step=stride)


def broadcast_tensors(*tensors: TensorLike) -> tuple[Tensor, ...]:
    """The tensors, each broadcast to the shape that they have together, without copying.

    Raises:
        ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> a, b = tg.broadcast_tensors(tg.zeros(3, 1), tg.zeros(4))
    >>> a.shape, b.shape
    ((3, 4), (3, 4))
    """
    xs = [as_tensor(x) for x in tensors]
    shape = broadcast_shapes(*[x.shape for x in xs])
    return tuple([broadcast_to(x, shape) for x in xs])


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape that tensors of these shapes have when they are broadcast together.

    Raises:
        ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> tg.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    sizes = [as_shape((shape,)) for shape in shapes]
    try:
        return np.broadcast_shapes(*sizes)
    except ValueError:
        given: dict[str, Any] = {f"shapes[{k}]": shape for k, shape in enumerate(sizes)}
        raise ShapeError(restate("broadcast_shapes", "the shapes don't broadcast", **given)) from None


def _along(call: str, input: TensorLike, dim: int) -> tuple[Tensor, int]:
    """The tensor, which must have an axis, and the axis."""
    x = as_tensor(input)
    axis = normalize_axis(call, x, dim, "dim")
    if not x.ndim:
        raise ShapeError(restate(call, "a scalar has no axes", fix="use t.reshape(1)", input=x, dim=dim))
    return x, axis
