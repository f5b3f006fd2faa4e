"""`np.linalg` on tensors: `np.linalg.solve(t, u)`, `np.linalg.norm(t)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.interop.functions.arguments import UNSET, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops.linalg import determinants, equations, factorizations, least_squares, norms, products
from tensorgrad.ops.operands import as_tensor

if TYPE_CHECKING:
    pass


@answers(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """`np.linalg.norm`."""
    return norms.norm(x, ord, axis, keepdims)


@answers(np.linalg.inv)
def inv(a):
    """`np.linalg.inv`."""
    return equations.inv(a)


@answers(np.linalg.solve)
def solve(a, b):
    """`np.linalg.solve`: only a b of one axis is a vector."""
    x, y = as_tensor(a), as_tensor(b)
    return equations.solve(x, y.reshape((1,) * (x.ndim - y.ndim) + y.shape) if y.ndim > 1 else y)


@answers(np.linalg.det)
def det(a):
    """`np.linalg.det`."""
    return determinants.det(a)


@answers(np.linalg.slogdet)
def slogdet(a):
    """`np.linalg.slogdet`."""
    return determinants.slogdet(a)


@answers(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    """`np.linalg.cholesky`."""
    return factorizations.cholesky(a, upper=upper)


@answers(np.linalg.qr)
def qr(a, mode="reduced"):
    """`np.linalg.qr`; its mode "raw" isn't supported."""
    found = factorizations.qr(a, mode)
    return found.R if mode == "r" else found


@answers(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """`np.linalg.svd`."""
    refuse("np.linalg.svd", hermitian=hermitian or None)
    return factorizations.svd(a, full_matrices) if compute_uv else factorizations.svdvals(a)


@answers(np.linalg.eigh)
def eigh(a, UPLO="L"):
    """`np.linalg.eigh`."""
    return factorizations.eigh(a, UPLO)


@answers(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):
    """`np.linalg.eigvalsh`."""
    return factorizations.eigvalsh(a, UPLO)


@answers(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=UNSET):
    """`np.linalg.pinv`: without a tolerance 1e-15, as NumPy's; with rtol=None max(M, N) · ε."""
    if rtol is UNSET:
        rtol = 1e-15 if rcond is None else rcond
    return least_squares.pinv(a, rtol=rtol, hermitian=hermitian)


@answers(np.linalg.matrix_rank)
def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    """`np.linalg.matrix_rank`."""
    return least_squares.matrix_rank(A, tol=tol, rtol=rtol, hermitian=hermitian)


@answers(np.linalg.matrix_power)
def matrix_power(a, n):
    """`np.linalg.matrix_power`."""
    return products.matrix_power(a, n)


@answers(np.linalg.multi_dot)
def multi_dot(arrays, *, out=None):
    """`np.linalg.multi_dot`."""
    refuse("np.linalg.multi_dot", out=out)
    return products.multi_dot(arrays)


@answers(np.linalg.cond)
def cond(x, p=None):
    """`np.linalg.cond`."""
    return norms.cond(x, p)
