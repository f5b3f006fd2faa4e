"""Ops that join and split tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import Stack, TensorLike, as_tensor, in_one_dtype
from tensorgrad.ops.shapes import as_shape
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cat", "concat", "concatenate", "split", "stack"]

MANY = 100_000
"""Elements that two threads join sooner than NumPy does."""


class Concatenate(Op):
    """z = the inputs, one after the other along an axis."""

    symbol, formula = "concat", lambda xs: fenced("[", xs, "]")
    derivatives = (lambda grad: words("its part of", grad),)
    axis: int

    def forward(self, *xs):
        self.residuals = np.cumsum([0] + [x.shape[self.axis] for x in xs]).tolist()
        if type(xs[0]) is np.ndarray and sum([x.size for x in xs]) < MANY:
            return np.concatenate(xs, self.axis)
        return kernels.copies.concatenated(xs, self.axis)

    def backward_xs(self, grad, i, residuals):
        part = slice(residuals[i], residuals[i + 1])
        return grad[(slice(None),) * self.axis + (part,)]


@numpy_spellings
def cat(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Concatenate tensors along an axis; their other sizes must be equal. Also called `concat` and `concatenate`.

    As in PyTorch an empty vector beside tensors with more axes is left out.

    Args:
        tensors: one tensor or more.
        dim: the axis to concatenate along.

    Raises:
        ShapeError: no tensors, or other sizes that differ.
        DTypeError: `tensors` isn't a sequence.

    >>> import tensorgrad as tg
    >>> tg.cat([tg.tensor([1.0]), tg.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    if isinstance(dim, Variable):
        fix = "put the tensors into one list: tg.cat([x, y])"
        raise ArgumentError(restate("cat", "dim must be one int, got a tensor", fix=fix, tensors=tensors, dim=dim))
    xs = _several("cat", tensors)
    if any(x.ndim > 1 for x in xs):
        xs = [x for x in xs if x._data.shape != (0,)]
    arguments: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)} | {"dim": dim}
    if any(x.ndim != xs[0].ndim for x in xs):
        raise ShapeError(restate("cat", "the tensors must have the same number of axes", **arguments))
    axis = normalize_axis("cat", xs[0], dim)
    if xs[0].ndim == 0:
        raise ShapeError(restate("cat", "scalars have no axes", fix="use tg.stack", **arguments))
    return apply(Concatenate, *xs, axis=axis)


concat = concatenate = cat


def _several(op: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    """The arguments of concatenate and stack as one or more tensors of one dtype. Raises DTypeError, ShapeError."""
    if not isinstance(tensors, Iterable) or isinstance(tensors, (str, bytes)) or not getattr(tensors, "ndim", 1):
        problem = f"tensors must be a list or tuple of tensors, got {type(tensors).__name__}"
        raise DTypeError(restate(op, problem, tensors=tensors))
    xs = in_one_dtype(list(tensors))
    if not xs:
        raise ShapeError(restate(op, "tensors must have at least one entry", tensors=tensors))
    return xs


@numpy_spellings
def stack(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Stack tensors of the same shape along a new axis.

    Args:
        tensors: at least one.
        dim: where the new axis stands in the result.

    Raises:
        ShapeError: no tensors, or tensors of different shapes.
        RangeError: an axis that the result doesn't have.

    >>> import tensorgrad as tg
    >>> tg.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    xs = _several("stack", tensors)
    if any(x.shape != xs[0].shape for x in xs):
        arguments: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)}
        raise ShapeError(restate("stack", "the tensors must have the same shape", **arguments))
    return apply(Stack, *xs, axis=normalize_axis("stack", xs[0], dim, ndim=xs[0].ndim + 1))


@numpy_spellings
def split(tensor: TensorLike, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Split a tensor along an axis into parts of one size (the last may be smaller), or of several sizes.

    NumPy's `np.split` takes the number of parts, or where they begin.

    Args:
        tensor: a tensor with an axis.
        split_size_or_sections: one size for all parts; or the size of each, with the sum of the axis.
        dim: the axis to split.

    Raises:
        ShapeError: sizes with another sum, or a scalar.
        ArgumentError: one size that isn't > 0.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.split(tg.zeros(5, 2), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    x = as_tensor(tensor)
    axis = normalize_axis("split", x, dim)
    if x.ndim == 0:
        raise ShapeError(restate("split", "a scalar can't be split", tensor=x))
    n, given = x.shape[axis], split_size_or_sections
    sizes = as_shape((given,))
    if hasattr(given, "__index__") and not getattr(given, "ndim", 0):
        (size,) = sizes
        if size < 0 or (size == 0 and n):
            problem = f"split_size_or_sections must be > 0, got {size}"
            raise ArgumentError(restate("split", problem, tensor=x, split_size_or_sections=size))
        sizes = tuple([min(size, n - start) for start in range(0, n, size or 1)]) or (0,)
    if sum(sizes) != n or min(sizes, default=0) < 0:
        problem = f"sizes must be ≥ 0 and sum to {n}, the size of the axis"
        raise ShapeError(restate("split", problem, tensor=x, split_size_or_sections=given, dim=dim))
    ends = np.cumsum(sizes).tolist()
    lead = (slice(None),) * axis
    return tuple(x[(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


def split_method(
    input: TensorLike, split_size: int | Sequence[int], dim: int = 0, *, axis: int | None = None
) -> tuple[Tensor, ...]:
    """`tg.split` as a method, where PyTorch calls the sizes `split_size`."""
    return split(input, split_size, dim if axis is None else axis)
