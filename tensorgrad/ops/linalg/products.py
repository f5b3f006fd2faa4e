"""Products of matrices and vectors that are made of others: kron, cross, powers, chains."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.arithmetic import pow
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.joining import concatenate, stack
from tensorgrad.ops.linalg.added_products import operands_of
from tensorgrad.ops.linalg.equations import inv
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, in_one_dtype, number, pair
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["block_diag", "cross", "kron", "matrix_power", "vander", "vdot"]


def vdot(input: TensorLike, other: TensorLike) -> Tensor:
    """Σ x · y of two vectors.

    Args:
        input: a vector `(N,)`.
        other: a vector `(N,)`.

    Raises:
        ShapeError: anything but two vectors of one length.

    >>> import tensorgrad as tg
    >>> tg.vdot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    x, y = operands_of("vdot", input, other, (1, 1), ("input", "other"))
    return matmul(x, y)


def kron(input: TensorLike, other: TensorLike) -> Tensor:
    """The Kronecker product: each element of `input` times the whole of `other`.

    Args:
        input: a tensor of any shape; missing axes are added in front.
        other: a tensor of any shape.

    >>> import tensorgrad as tg
    >>> tg.kron(tg.tensor([1.0, 2.0]), tg.tensor([[1.0, 10.0]]))
    tensor([[ 1., 10.,  2., 20.]])
    """
    x, y = pair(input, other)
    ndim = max(x.ndim, y.ndim)
    a, b = [(1,) * (ndim - t.ndim) + t.shape for t in (x, y)]
    # (a₀, 1, a₁, 1, …) · (1, b₀, 1, b₁, …) -> (a₀ · b₀, a₁ · b₁, …)
    left = x.reshape(tuple(n for m in a for n in (m, 1)))
    right = y.reshape(tuple(n for m in b for n in (1, m)))
    return (left * right).reshape(tuple(m * n for m, n in zip(a, b, strict=True)))


@numpy_spellings
def cross(input: TensorLike, other: TensorLike, dim: int | None = None) -> Tensor:
    """The cross product of vectors of three elements, with broadcasting.

    Args:
        input: vectors.
        other: vectors.
        dim: the axis of the three elements; None takes the first axis of that length.

    Raises:
        ShapeError: an axis that isn't of length 3.
        RangeError: an axis that the vectors don't have.

    >>> import tensorgrad as tg
    >>> tg.cross(tg.tensor([1.0, 0.0, 0.0]), tg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    x, y = pair(input, other)
    with restated("cross", input=x, other=y):
        shape = np.broadcast_shapes(x.shape, y.shape)
    if dim is None and 3 not in shape:
        raise ShapeError(restate("cross", "an axis must have length 3", input=x, other=y))
    return linalg_cross(x, y, dim=shape.index(3) if dim is None else dim)


@numpy_spellings
def linalg_cross(input: TensorLike, other: TensorLike, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of three elements, with broadcasting.

    Args:
        input: vectors.
        other: vectors of as many axes.
        dim: the axis of the three elements.

    Raises:
        ShapeError: an axis that isn't of length 3.
        RangeError: an axis that the vectors don't have.

    >>> import tensorgrad as tg
    >>> tg.linalg.cross(tg.tensor([1.0, 0.0, 0.0]), tg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    x, y = pair(input, other)
    if x.ndim != y.ndim:
        raise ShapeError(restate("cross", "input and other must have as many axes", input=x, other=y))
    axis = normalize_axis("cross", x, dim, "dim")
    if not x.ndim or x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ShapeError(restate("cross", f"axis {axis} must have length 3", input=x, other=y))
    lead = (slice(None),) * axis
    a, b = [[t[(*lead, k)] for k in range(3)] for t in (x, y)]
    return stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis)


@numpy_spellings
def vecdot(x: TensorLike, y: TensorLike, *, dim: int = -1) -> Tensor:
    """Σ x · y along an axis, with broadcasting.

    Args:
        x: vectors.
        y: vectors.
        dim: the axis of the vectors' elements.

    >>> import tensorgrad as tg
    >>> tg.linalg.vecdot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return (as_tensor(x) * y).sum(dim)


def matrix_power(input: TensorLike, n: int) -> Tensor:
    """Square matrices `(..., N, N)` to an integer power; that of the inverse for a negative n.

    Args:
        input: square matrices.
        n: the power.

    Raises:
        ShapeError: matrices that aren't square.
        DTypeError: a power that isn't an int.
        ArgumentError: a negative power of a singular matrix.

    >>> import tensorgrad as tg
    >>> tg.matrix_power(tg.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    x = as_tensor(input)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(restate("matrix_power", "input must be square, (..., N, N)", input=x))
    try:
        power = operator.index(n)
    except TypeError:
        raise DTypeError(restate("matrix_power", f"n must be an int, got {type(n).__name__}", n=n)) from None
    x = inv(x) if power < 0 else x
    if power == 0:
        return x * 0 + constant(np.eye(x.shape[-1], dtype=x.dtype))
    if power in (1, -1):
        return x.clone() if power == 1 else x
    z, square, rest = None, x, max(power, -power)
    while True:  # the squares whose powers of two add up to n
        if rest & 1:
            z = square if z is None else matmul(z, square)
        rest >>= 1
        if not rest:
            return z  # type: ignore[return-value]
        square = matmul(square, square)


def multi_dot(tensors: Any) -> Tensor:
    """The product of two matrices or more, in the order that takes the fewest multiplications.

    Args:
        tensors: matrices; the first and the last may be vectors.

    Raises:
        ShapeError: fewer than two tensors, others than matrices, or sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.linalg.multi_dot([tg.tensor([1.0, 2.0]), tg.tensor([[1.0], [1.0]]), tg.tensor([[3.0]])])
    tensor([9.])
    """
    xs: list[Any] = in_one_dtype(list(tensors))
    if len(xs) < 2:
        raise ShapeError(restate("multi_dot", f"there must be two tensors or more, got {len(xs)}"))
    given: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)}
    if any(x.ndim != 2 for x in xs[1:-1]) or any(x.ndim not in (1, 2) for x in (xs[0], xs[-1])):
        raise ShapeError(restate("multi_dot", "the tensors must be matrices; the ends may be vectors", **given))
    is_row, is_column = xs[0].ndim == 1, xs[-1].ndim == 1
    xs[0] = xs[0].reshape((1, -1)) if is_row else xs[0]
    xs[-1] = xs[-1].reshape((-1, 1)) if is_column else xs[-1]
    if any(a.shape[1] != b.shape[0] for a, b in itertools.pairwise(xs)):
        raise ShapeError(restate("multi_dot", "the inner sizes must match", **given))
    z = _in_best_order(xs)
    return z.reshape(z.shape[is_row : 2 - is_column])


def _in_best_order(xs: list[Tensor]) -> Tensor:
    """Cormen and others, Introduction to Algorithms, section 15.2: the split with the lowest cost of each stretch."""
    sizes = [x.shape[0] for x in xs] + [xs[-1].shape[1]]
    cost: dict[tuple[int, int], tuple[int, int]] = {(k, k): (0, k) for k in range(len(xs))}
    for length in range(1, len(xs)):
        for first in range(len(xs) - length):
            last = first + length
            cost[first, last] = min(
                (cost[first, k][0] + cost[k + 1, last][0] + sizes[first] * sizes[k + 1] * sizes[last + 1], k)
                for k in range(first, last)
            )

    return _product(xs, cost, 0, len(xs) - 1)


def _product(xs: list[Tensor], cost: dict[tuple[int, int], tuple[int, int]], first: int, last: int) -> Tensor:
    """The product of a stretch of the chain."""
    if first == last:
        return xs[first]
    k = cost[first, last][1]
    return matmul(_product(xs, cost, first, k), _product(xs, cost, k + 1, last))


def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix of a vector: its powers in columns, the highest first unless `increasing`.

    Args:
        x: a vector `(M,)`.
        N: how many columns; None for M.
        increasing: the power 0 first.

    Raises:
        ShapeError: anything but a vector.

    >>> import tensorgrad as tg
    >>> tg.vander(tg.tensor([2.0, 3.0]), 3)
    tensor([[4., 2., 1.],
            [9., 3., 1.]])
    """
    v = as_tensor(x)
    if v.ndim != 1:
        raise ShapeError(restate("vander", "x must have one axis", x=v))
    return _powers("vander", v, N, flag("vander", "increasing", increasing))


def linalg_vander(x: TensorLike, N: int | None = None) -> Tensor:
    """Vandermonde matrices: the powers 0, 1, … of vectors `(..., M)` in columns `(..., M, N)`.

    Args:
        x: vectors; a number counts as a vector of one element.
        N: how many columns; None for M.

    >>> import tensorgrad as tg
    >>> tg.linalg.vander(tg.tensor([2.0, 3.0]))
    tensor([[1., 2.],
            [1., 3.]])
    """
    v = as_tensor(x)
    return _powers("vander", v if v.ndim else v.reshape(1), N, increasing=True)


def _powers(op: str, x: Tensor, N: int | None, increasing: bool) -> Tensor:
    count = x.shape[-1] if N is None else int(number(op, "N", N))
    if count < 0:
        raise ArgumentError(restate(op, f"N must be ≥ 0, got {count}", x=x))
    check_memory(op, (*x.shape, count), x.dtype, x=x, N=count)
    exponents = np.arange(count, dtype=x.dtype)
    return pow(x.reshape((*x.shape, 1)), constant(exponents if increasing else exponents[::-1].copy()))


def block_diag(*tensors: TensorLike) -> Tensor:
    """A matrix with the given ones along its diagonal, and zeros elsewhere.

    Args:
        tensors: matrices; a vector counts as a row, a number as a 1×1 matrix.

    Raises:
        ShapeError: a tensor with more than two axes, or no tensor.

    >>> import tensorgrad as tg
    >>> tg.block_diag(tg.tensor([[1.0, 2.0]]), tg.tensor(3.0))
    tensor([[1., 2., 0.],
            [0., 0., 3.]])
    """
    xs = in_one_dtype(tensors) if tensors else []
    if not xs or any(x.ndim > 2 for x in xs):
        given: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)}
        raise ShapeError(restate("block_diag", "there must be tensors with at most two axes", **given))
    blocks = [x if x.ndim == 2 else x.reshape((1, -1)) for x in xs]
    width, left, strips = sum(b.shape[1] for b in blocks), 0, []
    check_memory("block_diag", (sum(b.shape[0] for b in blocks), width), blocks[0].dtype)
    for b in blocks:
        height, right = b.shape[0], width - left - b.shape[1]
        zeros: list[Any] = [constant(np.zeros((height, n), b.dtype)) for n in (left, right)]
        strips.append(concatenate([zeros[0], b, zeros[1]], 1))
        left += b.shape[1]
    return concatenate(strips, 0)


@numpy_spellings
def diagonal(A: TensorLike, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, `(..., M, N) -> (..., K)`.

    Args:
        A: a tensor with two axes or more.
        offset: which diagonal: above the main one, or below it if negative.
        dim1: the axis of the rows.
        dim2: the axis of the columns.

    Raises:
        ArgumentError: one axis given twice.
        RangeError: an axis that A doesn't have.

    >>> import tensorgrad as tg
    >>> tg.linalg.diagonal(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    tensor([2.])
    """
    x: Any = as_tensor(A)
    row, column = normalize_axis("diagonal", x, dim1, "dim1"), normalize_axis("diagonal", x, dim2, "dim2")
    if row == column or x.ndim < 2:
        raise ArgumentError(restate("diagonal", "dim1 and dim2 must be two different axes", A=x, dim1=dim1, dim2=dim2))
    others = tuple(a for a in range(x.ndim) if a not in (row, column))
    matrices = x.permute((*others, row, column))
    down, right = max(-offset, 0), max(offset, 0)
    k = np.arange(max(min(x.shape[row] - down, x.shape[column] - right), 0))
    return getitem(matrices, (..., k + down, k + right))
