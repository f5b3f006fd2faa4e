"""Factorizations under PyTorch's older names, `tg.svd(x)` for `tg.linalg.svd(x)`, with their own arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.ops.linalg import factorizations
from tensorgrad.ops.linalg.factorizations import QR, svdvals
from tensorgrad.ops.linalg.matrices import as_matrices
from tensorgrad.ops.operands import TensorLike, flag

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cholesky", "qr", "svd"]


class OlderSVD(NamedTuple):
    """What `svd` returns: V, and not its transpose."""

    U: Tensor
    S: Tensor
    V: Tensor


def cholesky(input: TensorLike, upper: bool = False) -> Tensor:
    """The lower triangle L of which L · Lᵀ = A, for symmetric positive definite matrices `(..., N, N)`.

    Args:
        input: matrices; only their lower triangles are read (for `upper` the upper ones).
        upper: return Lᵀ.

    Raises:
        ArgumentError: a matrix that isn't positive definite.
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.cholesky(tg.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    return factorizations.cholesky(input, upper=flag("cholesky", "upper", upper))


def qr(input: TensorLike, some: bool = True) -> QR:
    """A = Q · R with orthonormal columns Q and an upper triangle R, for matrices `(..., M, N)`, K = min(M, N).

    Args:
        input: matrices.
        some: Q `(..., M, K)` and R `(..., K, N)`; False gives Q `(..., M, M)` and R `(..., M, N)`.

    Returns:
        A named tuple (Q, R).

    Raises:
        GraphError: a gradient for `some=False` where M > N, which isn't unique.

    >>> import tensorgrad as tg
    >>> q, r = tg.qr(tg.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> q @ r
    tensor([[3., 1.],
            [4., 2.]])
    """
    return factorizations.qr(input, "reduced" if flag("qr", "some", some) else "complete")


def svd(input: TensorLike, some: bool = True, compute_uv: bool = True) -> OlderSVD:
    """A = U · diag(S) · Vᵀ for matrices `(..., M, N)`, K = min(M, N); S falls.

    Args:
        input: matrices.
        some: U `(..., M, K)` and V `(..., N, K)`; False gives U `(..., M, M)` and V `(..., N, N)`.
        compute_uv: compute the singular vectors; without it U `(..., M, M)` and V `(..., N, N)` are zeros.

    Returns:
        A named tuple (U, S, V).

    Raises:
        GraphError: a gradient for `some=False` where M ≠ N, which isn't unique.

    >>> import tensorgrad as tg
    >>> tg.svd(tg.tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    some = flag("svd", "some", some)
    if flag("svd", "compute_uv", compute_uv):
        u, s, vh = factorizations.svd(input, full_matrices=not some)
        return OlderSVD(u, s, vh.mT)
    x = as_matrices("svd", input)
    u, v = [constant(np.zeros((*x.shape[:-2], n, n), x.dtype)) for n in x.shape[-2:]]
    return OlderSVD(u, svdvals(x), v)
