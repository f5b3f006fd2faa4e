"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device, check_memory
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor, flag
from tensorgrad.ops.reductions import sum as total
from tensorgrad.ops.shapes import clone, reshape
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal", "trace", "tril", "tril_indices", "triu", "triu_indices",
]  # fmt: skip


class Diagonal(Op):
    """z = a diagonal of two axes of x, as the last axis."""

    symbol, formula = "diagonal", lambda x: words("diagonal of", x)
    derivatives = (lambda grad: words(grad, "on the diagonal, 0 elsewhere"),)
    aliases = True
    offset: int
    axes: tuple[int, int]

    def forward(self, x):
        self.residuals = x.shape
        return _diagonal(x, self.offset, self.axes)

    def backward_x(self, grad, residuals):
        return apply(EmbedDiagonal, grad, offset=self.offset, axes=self.axes, shape=residuals)


class EmbedDiagonal(Op):
    """z = 0, with the last axis of x on a diagonal: the adjoint of reading it."""

    symbol, formula = "diagonal =", lambda x, z: words("0, diagonal of", z, "=", x)
    derivatives = (lambda grad: words("diagonal of", grad),)
    offset: int
    axes: tuple[int, int]
    shape: tuple[int, ...]

    def forward(self, x):
        z = np.zeros(self.shape, x.dtype)
        _diagonal(z, self.offset, self.axes)[...] = x
        return z

    def backward_x(self, grad):
        return apply(Diagonal, grad, offset=self.offset, axes=self.axes)


def _diagonal(x: np.ndarray, offset: int, axes: tuple[int, int]) -> np.ndarray:
    """A view of the diagonal, as writable as x."""
    view = np.diagonal(x, offset, *axes)
    if x.flags.writeable:
        view.flags.writeable = True
    return view


class Tril(Op):
    """z = x, with zeros above a diagonal."""

    symbol, formula = "tril", lambda x: words(x, ", 0 above the diagonal")
    derivatives = (lambda grad: words(grad, ", 0 above the diagonal"),)
    diagonal: int

    def forward(self, x):
        return np.tril(x, self.diagonal)

    def backward_x(self, grad):
        return apply(Tril, grad, diagonal=self.diagonal)


class Triu(Op):
    """z = x, with zeros below a diagonal."""

    symbol, formula = "triu", lambda x: words(x, ", 0 below the diagonal")
    derivatives = (lambda grad: words(grad, ", 0 below the diagonal"),)
    diagonal: int

    def forward(self, x):
        return np.triu(x, self.diagonal)

    def backward_x(self, grad):
        return apply(Triu, grad, diagonal=self.diagonal)


def diagonal(input: TensorLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of two axes, as the last axis of the result; the other axes are batches. Shares memory.

    Args:
        input: a tensor with two axes or more.
        offset: above the main diagonal if > 0, below if < 0.
        dim1: the axis of rows.
        dim2: the axis of columns, another one.

    Raises:
        ArgumentError: twice the same axis.

    >>> import tensorgrad as tg
    >>> tg.diagonal(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 4.])
    """
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(restate("diagonal", "input must have two axes or more", input=x))
    axes = normalize_axis("diagonal", x, dim1, "dim1"), normalize_axis("diagonal", x, dim2, "dim2")
    if axes[0] == axes[1]:
        raise ArgumentError(restate("diagonal", "dim1 and dim2 must be two axes", input=x, dim1=dim1, dim2=dim2))
    return apply(Diagonal, x, offset=_offset("diagonal", offset), axes=axes)


def diag_embed(input: TensorLike, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of `input` on a diagonal, and zeros elsewhere: `(..., N)` -> `(..., N, N)`.

    Args:
        input: a tensor with an axis.
        offset: above the main diagonal if > 0, below if < 0; the matrices have |offset| more rows and columns.
        dim1: where the axis of rows stands in the result.
        dim2: where the axis of columns stands in the result.

    Raises:
        ArgumentError: twice the same axis.

    >>> import tensorgrad as tg
    >>> tg.diag_embed(tg.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    x, k = as_tensor(input), _offset("diag_embed", offset)
    if not x.ndim:
        raise ShapeError(restate("diag_embed", "input must have an axis", input=x))
    ndim = x.ndim + 1
    axes = (
        normalize_axis("diag_embed", x, dim1, "dim1", ndim=ndim),
        normalize_axis("diag_embed", x, dim2, "dim2", ndim=ndim),
    )
    if axes[0] == axes[1]:
        raise ArgumentError(restate("diag_embed", "dim1 and dim2 must be two axes", input=x, dim1=dim1, dim2=dim2))
    n, batches = x.shape[-1] + abs(k), iter(x.shape[:-1])
    shape = tuple([n if axis in axes else next(batches) for axis in range(ndim)])
    return apply(EmbedDiagonal, x, offset=k, axes=axes, shape=shape)


def diagflat(input: TensorLike, offset: int = 0) -> Tensor:
    """A matrix with all elements of `input` in a row on a diagonal, and zeros elsewhere.

    Args:
        input: a tensor of any shape.
        offset: above the main diagonal if > 0, below if < 0.

    >>> import tensorgrad as tg
    >>> tg.diagflat(tg.tensor([[1, 2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(reshape(input, -1), offset)


def diag(input: TensorLike, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    Args:
        input: a matrix or a vector.
        diagonal: above the main diagonal if > 0, below if < 0.

    Raises:
        ShapeError: neither a matrix nor a vector.

    >>> import tensorgrad as tg
    >>> tg.diag(tg.tensor([[1.0, 2.0], [3.0, 4.0]])), tg.diag(tg.tensor([1, 2]))
    (tensor([1., 4.]), tensor([[1, 0],
            [0, 2]]))
    """
    x = as_tensor(input)
    if x.ndim not in (1, 2):
        fix = "tg.diagonal takes batches of matrices, tg.diag_embed batches of vectors"
        raise ShapeError(restate("diag", "input must be a vector or a matrix", fix=fix, input=x))
    if x.ndim == 1:
        return diag_embed(x, diagonal)
    return clone(apply(Diagonal, x, offset=_offset("diag", diagonal), axes=(0, 1)))


def trace(input: TensorLike) -> Tensor:
    """The sum of the diagonal of a matrix.

    Raises:
        ShapeError: no matrix.

    >>> import tensorgrad as tg
    >>> tg.trace(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    x = as_tensor(input)
    if x.ndim != 2:
        fix = "tg.diagonal(x, dim1=-2, dim2=-1) takes batches; sum over its last axis"
        raise ShapeError(restate("trace", "input must be a matrix", fix=fix, input=x))
    return total(diagonal(x))


def tril(input: TensorLike, diagonal: int = 0) -> Tensor:
    """The lower triangles of matrices `(..., M, N)`, with zeros above the diagonal.

    Args:
        input: a tensor with two axes or more.
        diagonal: the last diagonal to keep: 0 the main one, above it if > 0, below if < 0.

    Raises:
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.tril(tg.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return apply(Tril, _matrices("tril", input), diagonal=_offset("tril", diagonal, "diagonal"))


def triu(input: TensorLike, diagonal: int = 0) -> Tensor:
    """The upper triangles of matrices `(..., M, N)`, with zeros below the diagonal.

    Args:
        input: a tensor with two axes or more.
        diagonal: the first diagonal to keep: 0 the main one, above it if > 0, below if < 0.

    Raises:
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.triu(tg.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return apply(Triu, _matrices("triu", input), diagonal=_offset("triu", diagonal, "diagonal"))


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DTypeLike = "int64",
    device: Any = None,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """The positions of the lower triangle of a matrix: rows and columns as a tensor `(2, K)`.

    Args:
        row: the number of rows.
        col: the number of columns.
        offset: the last diagonal of the triangle.
        dtype: the dtype of the result.
        device: "cpu", the only one.
        layout: accepted for PyTorch's scripts, and without effect.
        pin_memory: likewise.

    >>> import tensorgrad as tg
    >>> tg.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    flag("tril_indices", "pin_memory", pin_memory)
    return _indices("tril_indices", np.tril_indices, row, col, offset, dtype, device)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DTypeLike = "int64",
    device: Any = None,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """The positions of the upper triangle of a matrix: rows and columns as a tensor `(2, K)`.

    Args:
        row: the number of rows.
        col: the number of columns.
        offset: the first diagonal of the triangle.
        dtype: the dtype of the result.
        device: "cpu", the only one.
        layout: accepted for PyTorch's scripts, and without effect.
        pin_memory: likewise.

    >>> import tensorgrad as tg
    >>> tg.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    flag("triu_indices", "pin_memory", pin_memory)
    return _indices("triu_indices", np.triu_indices, row, col, offset, dtype, device)


def _indices(call: str, function, row: int, col: int, offset: int, dtype: DTypeLike, device: Any) -> Tensor:
    if device is not None:
        check_device(call, device)
    (rows,), (columns,) = [
        as_tuple(value, 1, op=call, name=name, minimum=0) for name, value in (("row", row), ("col", col))
    ]
    check_memory(call, (rows, columns), np.dtype(np.bool_), row=row, col=col)
    places = function(rows, _offset(call, offset), columns)
    return constant(np.array(places, as_dtype(call, dtype)))


def _offset(call: str, value: int, name: str = "offset") -> int:
    return as_tuple(value, 1, op=call, name=name)[0]


def _matrices(call: str, input: TensorLike) -> Tensor:
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(restate(call, "input must have two axes or more", input=x))
    return x
