"""Products that are added to something: addmm and its kin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, number, pair

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]


def _added(op: str, input: TensorLike, product: Tensor, beta: float, alpha: float) -> Tensor:
    """beta · input + alpha · product; an input under the factor 0 isn't read, so that its NaN doesn't count."""
    a, b = number(op, "alpha", alpha), number(op, "beta", beta)
    product = product if a == 1 else product * a
    x = as_tensor(input)
    tail = product.shape[product.ndim - x.ndim :]
    if x.ndim > product.ndim or any(n not in (1, m) for n, m in zip(x.shape, tail, strict=True)):
        raise ShapeError(restate(op, f"input must broadcast to {product.shape}, the product's shape", input=x))
    if b == 0:
        return product
    return (x if b == 1 else x * b) + product


def operands_of(op: str, first: TensorLike, second: TensorLike, axes: tuple[int, int], names: tuple[str, str]) -> Any:
    x, y = pair(first, second)
    if (x.ndim, y.ndim) != axes:
        given: dict[str, Any] = dict(zip(names, (x, y), strict=True))
        problem = f"{names[0]} must have {axes[0]} axes and {names[1]} {axes[1]}, got {x.ndim} and {y.ndim}"
        raise ShapeError(restate(op, problem, **given))
    return x, y


def addmm(input: TensorLike, mat1: TensorLike, mat2: TensorLike, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · mat1 · mat2.

    Args:
        input: broadcasts to `(N, P)`.
        mat1: a matrix `(N, M)`.
        mat2: a matrix `(M, P)`.
        beta: the factor of input; with 0 its values don't matter.
        alpha: the factor of the product.

    Raises:
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.addmm(tg.tensor([1.0, 2.0]), tg.tensor([[1.0, 1.0]]), tg.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[2., 3.]])
    """
    x, y = operands_of("addmm", mat1, mat2, (2, 2), ("mat1", "mat2"))
    return _added("addmm", input, matmul(x, y), beta, alpha)


def addmv(input: TensorLike, mat: TensorLike, vec: TensorLike, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · mat · vec.

    Args:
        input: broadcasts to `(N,)`.
        mat: a matrix `(N, M)`.
        vec: a vector `(M,)`.
        beta: the factor of input; with 0 its values don't matter.
        alpha: the factor of the product.

    Raises:
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.addmv(tg.tensor([1.0]), tg.tensor([[1.0, 2.0]]), tg.tensor([3.0, 4.0]))
    tensor([12.])
    """
    x, y = operands_of("addmv", mat, vec, (2, 1), ("mat", "vec"))
    return _added("addmv", input, matmul(x, y), beta, alpha)


def addr(input: TensorLike, vec1: TensorLike, vec2: TensorLike, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · vec1 · vec2ᵀ.

    Args:
        input: broadcasts to `(N, M)`.
        vec1: a vector `(N,)`.
        vec2: a vector `(M,)`.
        beta: the factor of input; with 0 its values don't matter.
        alpha: the factor of the product.

    Raises:
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.addr(tg.tensor(1.0), tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[4., 5.],
            [7., 9.]])
    """
    x, y = operands_of("addr", vec1, vec2, (1, 1), ("vec1", "vec2"))
    if x.dtype == y.dtype == as_tensor(input).dtype == np.bool_:  # "and" and "or" of bools: a factor counts as one
        beta, alpha = bool(beta), bool(alpha)
    return _added("addr", input, x.reshape((-1, 1)) * y, beta, alpha)


def baddbmm(input: TensorLike, batch1: TensorLike, batch2: TensorLike, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · batch1 · batch2, matrix by matrix.

    Args:
        input: broadcasts to `(B, N, P)`.
        batch1: matrices `(B, N, M)`.
        batch2: matrices `(B, M, P)`.
        beta: the factor of input; with 0 its values don't matter.
        alpha: the factor of the products.

    Raises:
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.baddbmm(tg.tensor(1.0), tg.tensor([[[2.0]]]), tg.tensor([[[3.0]]]))
    tensor([[[7.]]])
    """
    x, y = _batches("baddbmm", batch1, batch2)
    return _added("baddbmm", input, matmul(x, y), beta, alpha)


def addbmm(input: TensorLike, batch1: TensorLike, batch2: TensorLike, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · Σ batch1 · batch2, over the batch.

    Args:
        input: broadcasts to `(N, P)`.
        batch1: matrices `(B, N, M)`.
        batch2: matrices `(B, M, P)`.
        beta: the factor of input; with 0 its values don't matter.
        alpha: the factor of the sum.

    Raises:
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.addbmm(tg.tensor(1.0), tg.tensor([[[2.0]], [[1.0]]]), tg.tensor([[[3.0]], [[1.0]]]))
    tensor([[8.]])
    """
    x, y = _batches("addbmm", batch1, batch2)
    return _added("addbmm", input, matmul(x, y).sum(0), beta, alpha)


def _batches(op: str, first: TensorLike, second: TensorLike) -> tuple[Tensor, Tensor]:
    x, y = operands_of(op, first, second, (3, 3), ("batch1", "batch2"))
    if x.shape[0] != y.shape[0]:
        raise ShapeError(restate(op, "batch1 and batch2 must hold as many matrices", batch1=x, batch2=y))
    return x, y
