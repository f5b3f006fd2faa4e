"""Linear algebra under PyTorch's older names, `tg.svd(x)` for `tg.linalg.svd(x)`, with their own arguments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.axes import Axes, normalize_axes
from tensorgrad.ops.linalg import factorizations
from tensorgrad.ops.linalg.factorizations import QR, svdvals
from tensorgrad.ops.linalg.matrices import as_matrices
from tensorgrad.ops.linalg.norms import matrix_norm, p_norm
from tensorgrad.ops.operands import TensorLike, astype, flag, floating, number
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cholesky", "norm", "qr", "svd"]


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


@numpy_spellings
def norm(
    input: TensorLike,
    p: float | str | None = "fro",
    dim: Axes = None,
    keepdim: bool = False,
    out: None = None,
    dtype: DTypeLike = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over axes: the norm of order p. The derivative at 0 is taken as 0.

    Args:
        input: a tensor of any shape.
        p: the order; "fro" and 2 are √Σx². ∞ is the largest |x|, −∞ the smallest, 0 the number of x ≠ 0. "nuc" is the
            sum of the singular values of matrices, whose two axes are `dim`.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.
        out: must be None.
        dtype: the dtype to compute in, by default that of the input.

    Raises:
        ArgumentError: another order, or `out`. ShapeError: "nuc" of other than two axes; ±∞ of no elements.

    >>> import tensorgrad as tg
    >>> tg.norm(tg.tensor([[3.0, 4.0], [6.0, 8.0]]), dim=1)
    tensor([ 5., 10.])
    """
    if out is not None:
        raise ArgumentError(restate("norm", "the result can't be written into `out`", fix="t.copy_(result)"))
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise ArgumentError(restate("norm", f'p must be a number, "fro" or "nuc", got {p!r}', input=input))
    x = floating(input if dtype is None else astype(input, dtype))
    if isinstance(p, str) and p == "nuc":
        axes = normalize_axes("norm", x, dim)
        if len(axes) != 2:
            problem = f'dim must be two axes for p="nuc", a norm of matrices, got {len(axes)}'
            raise ShapeError(restate("norm", problem, input=x, dim=dim))
        return matrix_norm(x, "nuc", (axes[0], axes[1]), keepdim)
    order = float(number("norm", "p", 2 if p is None or isinstance(p, str) else p))
    if math.isinf(order) and 0 in [x.shape[a] for a in normalize_axes("norm", x, dim)]:
        raise ShapeError(restate("norm", f"an order of {order} needs an element", input=x, dim=dim))
    return p_norm("norm", x, order, dim, keepdim)
