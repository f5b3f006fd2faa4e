"""Cholesky, QR, singular value and symmetric eigenvalue decompositions, by LAPACK.

An op has one output: the factors of each matrix stand in one row, side by side, and are read out of it by slices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, GraphError, restate
from tensorgrad.formulas.symbolic import function, transposed, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.joining import concatenate
from tensorgrad.ops.linalg.equations import Solve
from tensorgrad.ops.linalg.matrices import as_matrices, as_square, columns, from_lapack, identity, masked, rows
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, flag, loses_gradient

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals"]

Shape = tuple[int, ...]


class QR(NamedTuple):
    """A = Q · R."""

    Q: Tensor
    R: Tensor


class SVD(NamedTuple):
    """A = U · diag(S) · Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class Eigh(NamedTuple):
    """A = Q · diag(L) · Qᵀ: eigenvalues, and eigenvectors in columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _pack(lead: Shape, *factors: np.ndarray) -> np.ndarray:
    """The factors of each matrix in one row."""
    return np.concatenate([f.reshape((*lead, math.prod(f.shape[len(lead) :]))) for f in factors], -1)


def _unpack(z: Tensor, *shapes: Shape) -> list[Tensor]:
    """The factors out of the rows."""
    found, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        found.append(z[..., start:end].reshape((*z.shape[:-1], *shape)))
        start = end
    return found


def symmetrized(x: np.ndarray) -> np.ndarray:
    """(x + xᵀ) / 2: gradients of symmetric matrices are those of moving both of two elements that mirror each other."""
    return (x + np.swapaxes(x, -1, -2)) / 2


class Cholesky(Op):
    """z = the lower triangle of which z · zᵀ = x. Murray, Differentiation of the Cholesky decomposition, 2016."""

    symbol, formula = "chol", lambda x: function("cholesky")(x)
    derivatives = (lambda grad, z: words("Murray's rule for", transposed(z) @ grad),)

    @from_lapack("A must be positive definite; a matrix isn't")
    def forward(self, x):
        return np.linalg.cholesky(x)

    def forward_again(self, x):
        return self.forward(symmetrized(x))

    def backward_x(self, grad, z):
        n = z.shape[-1]
        middle = masked(z.mT @ grad, np.tri(n) - np.eye(n) / 2)
        middle = middle + masked(middle, np.tri(n, k=-1)).mT + masked(middle, np.eye(n))  # symmetric, a whole diagonal
        inverse = apply(Solve, z, identity(z))
        return (inverse.mT @ middle @ inverse) / 2.0


class QRFactors(Op):
    """z = the factors of x = q · r, side by side, for at least as many rows as columns.

    Walter and Lehmann, Algorithmic differentiation of linear algebra functions with application in optimum experimental
    design, 2010.
    """

    name = "qr"
    symbol, formula = "QR", lambda x: function("qr")(x)
    derivatives = (lambda grad: words("the rule of QR for", grad),)

    @from_lapack("A couldn't be factorized")
    def forward(self, x):
        self.residuals = x.shape[-2:]
        return _pack(x.shape[:-2], *np.linalg.qr(x))

    def backward_x(self, grad, z, residuals):
        m, n = residuals
        (q, r), (gq, gr) = [_unpack(t, (m, n), (n, n)) for t in (z, grad)]
        upper = masked(gr @ r.mT - q.mT @ gq, np.tri(n).T)
        symmetric = upper + masked(upper, np.tri(n, k=-1).T).mT
        return apply(Solve, r, (gq + q @ symmetric).mT).mT


class SVDFactors(Op):
    """z = the factors of x = u · diag(s) · v, side by side.

    Townsend, Differentiating the singular value decomposition, 2016.
    """

    name = "svd"
    symbol, formula = "SVD", lambda x: function("svd")(x)
    derivatives = (lambda grad: words("the rule of the SVD for", grad),)

    @from_lapack("the singular values of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x):
        self.residuals = x.shape[-2:]
        return _pack(x.shape[:-2], *np.linalg.svd(x, full_matrices=False))

    def backward_x(self, grad, z, residuals):
        m, n = residuals
        k = min(m, n)
        (u, s, v), (gu, gs, gv) = [_unpack(t, (m, k), (k,), (k, n)) for t in (z, grad)]
        diagonal = constant(np.eye(k, dtype=bool))
        gaps = where(diagonal, 1.0, rows(s * s) - columns(s * s))
        left, right = u.mT @ gu, v @ gv.mT
        inner = (left - left.mT) / gaps * rows(s) + columns(s) * ((right - right.mT) / gaps)
        found = u @ (inner + where(diagonal, rows(gs), 0.0)) @ v
        if m > k:  # the part of gu outside of the columns of u
            found = found + ((gu - u @ left) / rows(s)) @ v
        if n > k:
            found = found + u @ ((gv - right.mT @ v) / columns(s))
        return found


class SingularValues(Op):
    """z = the singular values of x, the largest first."""

    name = "svdvals"
    symbol, formula = "σ", lambda x: function("svdvals")(x)
    derivatives = (lambda grad: words("u · diag(", grad, ") · v"),)

    @from_lapack("the singular values of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x):
        return np.linalg.svd(x, compute_uv=False)

    def backward_x(self, grad, x):
        u, _, v = svd(x, full_matrices=False)
        return (u * rows(grad)) @ v


class EighFactors(Op):
    """z = the eigenvalues and eigenvectors of a symmetric x, side by side. Giles, An extended collection …, 2008."""

    name = "eigh"
    symbol, formula = "eigh", lambda x: function("eigh")(x)
    derivatives = (lambda grad: words("the rule of eigenvectors for", grad),)
    UPLO: str

    @from_lapack("the eigenvalues of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x):
        self.residuals = x.shape[-1]
        return _pack(x.shape[:-2], *np.linalg.eigh(x, self.UPLO))

    def forward_again(self, x):
        return self.forward(symmetrized(x))

    def backward_x(self, grad, z, residuals):
        n = residuals
        (values, q), (gv, gq) = [_unpack(t, (n,), (n, n)) for t in (z, grad)]
        diagonal = constant(np.eye(n, dtype=bool))
        gaps = where(diagonal, 1.0, rows(values) - columns(values))
        inner = q.mT @ gq
        return q @ where(diagonal, rows(gv), (inner - inner.mT) / 2.0 / gaps) @ q.mT


class Eigenvalues(Op):
    """z = the eigenvalues of a symmetric x, the smallest first."""

    name = "eigvalsh"
    symbol, formula = "λ", lambda x: function("eigvalsh")(x)
    derivatives = (lambda grad: words("q · diag(", grad, ") · qᵀ"),)
    UPLO: str

    @from_lapack("the eigenvalues of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x):
        return np.linalg.eigvalsh(x, self.UPLO)

    def forward_again(self, x):
        return self.forward(symmetrized(x))

    def backward_x(self, grad, x):
        q = eigh(x, self.UPLO).eigenvectors
        return (q * rows(grad)) @ q.mT


def cholesky(A: TensorLike, *, upper: bool = False) -> Tensor:
    """The lower triangle L of which L · Lᵀ = A, for symmetric positive definite matrices `(..., N, N)`.

    Args:
        A: matrices; only their lower triangles are read (for `upper` the upper ones).
        upper: return Lᵀ.

    Raises:
        ArgumentError: a matrix that isn't positive definite.
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.cholesky(tg.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    x = as_square("cholesky", A)
    return apply(Cholesky, x.mT).mT if flag("cholesky", "upper", upper) else apply(Cholesky, x)


def qr(A: TensorLike, mode: str = "reduced") -> QR:
    """A = Q · R with orthonormal columns Q and an upper triangle R, for matrices `(..., M, N)`, K = min(M, N).

    Args:
        A: matrices; where N > M, the first M columns must be independent for a gradient.
        mode: "reduced" gives Q `(..., M, K)` and R `(..., K, N)`; "complete" gives Q `(..., M, M)` and R `(..., M, N)`;
            "r" gives an empty Q and the reduced R.

    Returns:
        A named tuple (Q, R).

    Raises:
        ArgumentError: another mode.
        GraphError: a gradient for "complete" where M > N, which isn't unique.

    >>> import tensorgrad as tg
    >>> q, r = tg.linalg.qr(tg.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> q @ r
    tensor([[3., 1.],
            [4., 2.]])
    """
    x = as_matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(restate("qr", f'mode must be "reduced", "complete" or "r", got {mode!r}', A=x))
    m, n = x.shape[-2:]
    if mode == "complete" and m > n:
        if loses_gradient(x):
            fix = 'use mode="reduced", or A.detach()'
            raise GraphError(restate("qr", "the columns of Q beyond those of A have no gradient", fix=fix, A=x))
        return QR(*_unpack(apply(CompleteQR, x), (m, m), (m, n)))
    q, r = _unpack(apply(QRFactors, x[..., : min(m, n)]), (m, min(m, n)), (min(m, n), min(m, n)))
    if n > m:
        r = concatenate([r, matmul(q.mT, x[..., m:])], -1)
    return QR(constant(np.zeros(0, x.dtype)) if mode == "r" else q, r)


class CompleteQR(Op):
    """z = the square q, and r with rows of zeros, side by side."""

    name = "complete_qr"
    symbol, formula = "QR", lambda x: function("qr")(x)

    @from_lapack("A couldn't be factorized")
    def forward(self, x):
        return _pack(x.shape[:-2], *np.linalg.qr(x, "complete"))


class CompleteSVD(Op):
    """z = the factors with square u and v, side by side."""

    name = "complete_svd"
    symbol, formula = "SVD", lambda x: function("svd")(x)

    @from_lapack("the singular values of A weren't found: a matrix holds NaN or ±∞")
    def forward(self, x):
        return _pack(x.shape[:-2], *np.linalg.svd(x))


def svd(A: TensorLike, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """A = U · diag(S) · Vh for matrices `(..., M, N)`, K = min(M, N); S falls.

    The gradient is that of a function that doesn't depend on the signs of singular vectors, and needs distinct singular
    values; where only they matter, use `svdvals`.

    Args:
        A: matrices.
        full_matrices: U `(..., M, M)` and Vh `(..., N, N)`; False gives `(..., M, K)` and `(..., K, N)`.
        driver: must be None: it chooses among CUDA's routines.

    Returns:
        A named tuple (U, S, Vh).

    Raises:
        ArgumentError: a driver.
        GraphError: a gradient with `full_matrices` where M ≠ N, which isn't unique.

    >>> import tensorgrad as tg
    >>> tg.linalg.svd(tg.tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    x = as_matrices("svd", A)
    if driver is not None:
        raise ArgumentError(restate("svd", f"driver must be None on a CPU, got {driver!r}", A=x))
    m, n = x.shape[-2:]
    if not flag("svd", "full_matrices", full_matrices) or m == n:
        return SVD(*_unpack(apply(SVDFactors, x), (m, min(m, n)), (min(m, n),), (min(m, n), n)))
    if loses_gradient(x):
        fix = "pass full_matrices=False, or A.detach()"
        raise GraphError(restate("svd", "the singular vectors beyond min(M, N) have no gradient", fix=fix, A=x))
    return SVD(*_unpack(apply(CompleteSVD, x), (m, m), (min(m, n),), (n, n)))


def svdvals(A: TensorLike, *, driver: str | None = None) -> Tensor:
    """The singular values of matrices, the largest first: `(..., M, N) -> (..., min(M, N))`.

    Args:
        A: matrices.
        driver: must be None: it chooses among CUDA's routines.

    Raises:
        ArgumentError: a driver.
        ShapeError: fewer than two axes.

    >>> import tensorgrad as tg
    >>> tg.linalg.svdvals(tg.tensor([[0.0, 2.0], [1.0, 0.0]]))
    tensor([2., 1.])
    """
    x = as_matrices("svdvals", A)
    if driver is not None:
        raise ArgumentError(restate("svdvals", f"driver must be None on a CPU, got {driver!r}", A=x))
    return apply(SingularValues, x)


def eigh(A: TensorLike, UPLO: str = "L") -> Eigh:
    """The eigenvalues, the smallest first, and eigenvectors of symmetric matrices `(..., N, N)`.

    The gradient is that of a function that doesn't depend on the signs of eigenvectors, and needs distinct eigenvalues;
    where only they matter, use `eigvalsh`.

    Args:
        A: symmetric matrices, of which one triangle is read.
        UPLO: which one, "L" or "U".

    Returns:
        A named tuple (eigenvalues, eigenvectors), the vectors in columns.

    Raises:
        ArgumentError: another UPLO.
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.eigh(tg.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    x = as_square("eigh", A)
    z = apply(EighFactors, x, UPLO=_triangle("eigh", UPLO))
    return Eigh(*_unpack(z, x.shape[-1:], x.shape[-2:]))


def eigvalsh(A: TensorLike, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, the smallest first: `(..., N, N) -> (..., N)`.

    Args:
        A: symmetric matrices, of which one triangle is read.
        UPLO: which one, "L" or "U".

    Raises:
        ArgumentError: another UPLO.
        ShapeError: matrices that aren't square.

    >>> import tensorgrad as tg
    >>> tg.linalg.eigvalsh(tg.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return apply(Eigenvalues, as_square("eigvalsh", A), UPLO=_triangle("eigvalsh", UPLO))


def _triangle(op: str, UPLO: str) -> str:
    if UPLO not in ("L", "U", "l", "u"):
        raise ArgumentError(restate(op, f'UPLO must be "L" or "U", got {UPLO!r}'))
    return UPLO.upper()
