"""Pseudo-inverses, ranks and least squares: what follows from the singular values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import apply, constant, guard
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, GraphError, ShapeError, restate
from tensorgrad.formulas.symbolic import function, transposed, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.linalg.factorizations import eigvalsh, svd, svdvals
from tensorgrad.ops.linalg.matrices import as_matrices, as_square, columns, from_lapack
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, flag, loses_gradient, pair
from tensorgrad.ops.ordering.sorting import sort

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["lstsq", "matrix_rank", "pinv", "pinverse"]


class PseudoInverse(Op):
    """z = x⁺, the Moore–Penrose inverse; singular values up to the cutoff count as 0.

    Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
    separate, SIAM J. Numer. Anal. 10, 1973.
    """

    name = "pinv"
    symbol, formula = "x⁺", lambda x: function("pinv")(x)
    derivatives = (lambda grad, z: words(-(transposed(z) @ grad @ transposed(z)), "+ what x can't reach"),)

    @from_lapack("the singular values of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x, cutoff):
        u, s, v = np.linalg.svd(x, full_matrices=False)
        large = s > cutoff[..., None]
        s = np.where(large, 1 / np.where(large, s, 1), 0)
        return np.swapaxes(v, -1, -2) * s[..., None, :] @ np.swapaxes(u, -1, -2)

    def backward_x(self, grad, x, z):
        zt, g = z.mT, grad.mT
        beyond_rows = g @ z @ zt - x @ (z @ (g @ z @ zt))  # (1 − x z) gᵀ z zᵀ
        beyond_columns = zt @ z @ g - ((zt @ z @ g) @ z) @ x  # zᵀ z gᵀ (1 − z x)
        return beyond_rows + beyond_columns - zt @ grad @ zt


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def pinv(
    A: TensorLike,
    *,
    atol: TensorLike | None = None,
    rtol: TensorLike | None = None,
    hermitian: bool = False,
    rcond: TensorLike | None = None,
) -> Tensor:
    """The Moore–Penrose inverses: `(..., M, N) -> (..., N, M)`.

    Args:
        A: matrices.
        atol: singular values up to it count as 0; by default 0.
        rtol: those up to rtol · the largest one too; by default max(M, N) · ε of the dtype, or 0 where atol is given.
        hermitian: the matrices are symmetric; only their lower triangles are read.
        rcond: the older name of rtol.

    Raises:
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.linalg.pinv(tg.tensor([[2.0], [0.0]]))
    tensor([[0.5, 0. ]])
    """
    hermitian = flag("pinv", "hermitian", hermitian)
    x = as_square("pinv", A) if hermitian else as_matrices("pinv", A)
    x = _symmetric(x) if hermitian else x
    s = svd(x.detach(), full_matrices=False).S  # to the bit as PseudoInverse computes them: rtol may be 1
    return apply(PseudoInverse, x, _cutoff("pinv", x, s, atol, rtol if rcond is None else rcond))


def pinverse(input: TensorLike, rcond: float = 1e-15) -> Tensor:
    """PyTorch's older `linalg.pinv`, with the relative tolerance `rcond`.

    >>> import tensorgrad as tg
    >>> tg.pinverse(tg.tensor([[2.0], [0.0]]))
    tensor([[0.5, 0. ]])
    """
    return pinv(input, rtol=rcond)


def _symmetric(x: Tensor) -> Tensor:
    """The symmetric matrix that the lower triangle says."""
    lower = where(constant(np.tri(x.shape[-1], dtype=bool)), x, 0.0)
    return lower + where(constant(np.tri(x.shape[-1], k=-1, dtype=bool)), x, 0.0).mT


def _cutoff(op: str, x: Tensor, s: Tensor, atol: Any, rtol: Any) -> Tensor:
    """The largest singular value that counts as 0, for each matrix."""
    for name, tolerance in (("atol", atol), ("rtol", rtol)):
        if loses_gradient(tolerance):
            given: dict[str, Any] = {name: tolerance}
            fix = f"pass {name}.detach()"
            raise GraphError(restate(op, f"no gradient can flow to {name}", fix=fix, **given))
    if rtol is None:
        some = atol is not None and guard(_is_some, as_tensor(atol)._data)
        rtol = 0.0 if some else max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    largest = s[..., 0] if s.shape[-1] else s.sum(-1)
    relative: Any = largest * astype(as_tensor(rtol), x.dtype)
    absolute = astype(as_tensor(0.0 if atol is None else atol), x.dtype)
    return where(relative > absolute, relative, absolute).detach()


def _is_some(tolerance: np.ndarray) -> bool:
    return bool((tolerance > 0).any())


def matrix_rank(
    A: TensorLike,
    *,
    atol: TensorLike | None = None,
    rtol: TensorLike | None = None,
    hermitian: bool = False,
    tol: TensorLike | None = None,
) -> Tensor:
    """How many singular values count: `(..., M, N) -> (...)`, int64. No gradient.

    Args:
        A: matrices.
        atol: singular values up to it count as 0; by default 0.
        rtol: those up to rtol · the largest one too; by default max(M, N) · ε of the dtype, or 0 where atol is given.
        hermitian: the matrices are symmetric; only their lower triangles are read.
        tol: the older name of atol, with rtol 0.

    Raises:
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.linalg.matrix_rank(tg.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    hermitian = flag("matrix_rank", "hermitian", hermitian)
    x = (as_square if hermitian else as_matrices)("matrix_rank", A).detach()
    if tol is not None:
        atol, rtol = tol, 0.0
    s = _magnitudes(eigvalsh(x)) if hermitian else svdvals(x)
    return (s > columns(_cutoff("matrix_rank", x, s, atol, rtol))).sum(-1)


def _magnitudes(eigenvalues: Tensor) -> Tensor:
    return sort(eigenvalues.abs(), -1, True).values


def lstsq(A: TensorLike, B: TensorLike, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X of least norm among those that minimize ‖A · X − B‖.

    Args:
        A: matrices `(..., M, N)`.
        B: right-hand sides `(..., M, K)`, or vectors `(..., M)`.
        rcond: singular values up to rcond · the largest one count as 0; by default max(M, N) · ε of the dtype.
        driver: "gelsy" (the default), "gels", "gelsd" or "gelss"; all take the same way here.

    Returns:
        A named tuple (solution, residuals, rank, singular_values). The squared residuals are empty for "gelsy", and
        unless M > N and all matrices have rank N; the rank is empty for "gels"; the singular values are empty but for
        "gelsd" and "gelss".

    Raises:
        ArgumentError: another driver.
        ShapeError: sizes that don't match.

    >>> import tensorgrad as tg
    >>> tg.linalg.lstsq(tg.tensor([[1.0], [1.0]]), tg.tensor([[1.0], [3.0]])).solution
    tensor([[2.]])
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ArgumentError(restate("lstsq", f'driver must be "gelsy", "gels", "gelsd" or "gelss", got {driver!r}'))
    a, b = pair(as_matrices("lstsq", A), B)
    is_vector = b.ndim == a.ndim - 1
    y = columns(b) if is_vector else b
    if y.ndim < 2 or y.shape[-2] != a.shape[-2]:
        raise ShapeError(restate("lstsq", f"B must have {a.shape[-2]} rows, as A", A=a, B=b))
    x = matmul(pinv(a, rtol=rcond), y)
    empty: Any = constant(np.zeros(0, a.dtype))
    rank: Any = matrix_rank(a, rtol=rcond)
    residuals = empty
    wanted = driver in ("gels", "gelsd", "gelss") and a.shape[-2] > a.shape[-1]
    if wanted and guard(_all_equal, rank._data, a.shape[-1]):
        rest = matmul(a, x) - y
        residuals = (rest * rest).sum(-2)
    s = svdvals(a.detach()) if driver in ("gelsd", "gelss") else empty
    rank = constant(np.zeros(0, np.int64)) if driver == "gels" else rank
    return LeastSquares(x.reshape(x.shape[:-1]) if is_vector else x, residuals, rank, s)


def _all_equal(values: np.ndarray, value: int) -> bool:
    return bool((values == value).all())
