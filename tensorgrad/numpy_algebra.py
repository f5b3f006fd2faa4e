"""NumPy's functions on tensors, continued: linear algebra, sorting, statistics, and parts of arrays.

As in `numpy_functions`, each has the signature of the NumPy function that it implements.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, ShapeError, restate, restated
from tensorgrad.numpy_functions import _cast_to_float, _unset, answers, refuse, sum as summed
from tensorgrad.ops import indexing, joining, operands
from tensorgrad.ops.axes import normalize_axes, normalize_axis
from tensorgrad.ops.elementwise import arithmetic, floating, special
from tensorgrad.ops.linalg import determinants, equations, factorizations, least_squares, norms, products
from tensorgrad.ops.operands import as_tensor, astype
from tensorgrad.ops.ordering import quantiles, sorting
from tensorgrad.ops.reductions import sum as total
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.statistics import cumulative, moments

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

# ------------------------------------------------------------------------------------------------------ linear algebra


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
def pinv(a, rcond=None, hermitian=False, *, rtol=_unset):
    """`np.linalg.pinv`: without a tolerance 1e-15, as NumPy's; with rtol=None max(M, N) · ε."""
    if rtol is _unset:
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


@answers(np.kron)
def kron(a, b):
    """`np.kron`."""
    return products.kron(a, b)


@answers(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """`np.cross` of vectors of three elements."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = as_tensor(a), as_tensor(b)
    x, y = x.swapaxes(axisa, -1), y.swapaxes(axisb, -1)
    ndim = max(x.ndim, y.ndim)
    x, y = [t.reshape((1,) * (ndim - t.ndim) + t.shape) for t in (x, y)]
    return products.linalg_cross(x, y).swapaxes(-1, axisc)


# ------------------------------------------------------------------------------------------------------------- sorting


@answers(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    """`np.sort`: always stable; along the flattened tensor for None."""
    refuse("np.sort", order=order)
    x = as_tensor(a)
    return sorting.sort(x.reshape(-1) if axis is None else x, -1 if axis is None else axis).values


@answers(np.argsort)
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    """`np.argsort`: always stable; along the flattened tensor for None."""
    refuse("np.argsort", order=order)
    x = as_tensor(a)
    return sorting.argsort(x.reshape(-1) if axis is None else x, -1 if axis is None else axis)


@answers(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """`np.median`: the mean of the two middle elements, where there are two."""
    return quantile(a, 0.5, axis, out, overwrite_input, "linear", keepdims)


@answers(np.quantile)
def quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    interpolation=None,
):
    """`np.quantile`, for its five methods that PyTorch has too."""
    refuse("np.quantile", out=out, weights=weights, interpolation=interpolation)
    x = as_tensor(a)
    x = x if x.dtype.kind == "f" else astype(x, np.float64)
    if not isinstance(axis, tuple):
        return quantiles.quantile(x, q, axis, keepdims, interpolation=method)
    axes = normalize_axes("np.quantile", x, axis)
    rest = [k for k in range(x.ndim) if k not in axes]
    count = math.prod(x.shape[k] for k in axes)
    rows = x.permute((*rest, *axes)).reshape((*[x.shape[k] for k in rest], count))
    z = quantiles.quantile(rows, q, -1, interpolation=method)
    if not keepdims:
        return z
    kept = [1 if k in axes else n for k, n in enumerate(x.shape)]
    return z.reshape((*np.shape(q), *kept))


# ---------------------------------------------------------------------------------------------------------- statistics


@answers(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=_unset, initial=_unset, where=_unset):
    """`np.nansum`."""
    refuse("np.nansum", out=out)
    x = as_tensor(a)
    x = arithmetic.where(x != x, 0.0, x) if x.dtype.kind == "f" else x
    return summed(x, axis, dtype, None, keepdims, initial, where)


@answers(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=_unset, *, where=_unset):
    """`np.nanmean`: an element where `where` is False is left out as a NaN is."""
    refuse("np.nanmean", out=out)
    x = operands.floating(_cast_to_float("np.nanmean", a, dtype))
    x = x if where is _unset or where is True else arithmetic.where(where, x, float("nan"))
    return moments.nanmean(x, axis, False if keepdims is _unset else keepdims)


@answers(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    """`np.count_nonzero`."""
    return total(as_tensor(a) != 0, axis, keepdims)


@answers(np.cumprod)
def cumprod(a, axis=None, dtype=None, out=None):
    """`np.cumprod`: along the flattened tensor for None."""
    refuse("np.cumprod", out=out)
    x = as_tensor(a)
    return cumulative.cumprod(x.reshape(-1) if axis is None else x, 0 if axis is None else axis, dtype=dtype)


@answers(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """`np.cov`."""
    correction = (0 if bias else 1) if ddof is None else ddof
    if correction != int(correction):
        raise ArgumentError(restate("np.cov", f"ddof must be a whole number, got {ddof}", m=m, ddof=ddof))
    rows = _variables("np.cov", m, y, rowvar, dtype)
    return moments.cov(rows, correction=correction, fweights=fweights, aweights=aweights)


@answers(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """`np.corrcoef`."""
    return moments.corrcoef(_variables("np.corrcoef", x, y, rowvar, dtype))


def _variables(call: str, m: Any, y: Any, rowvar: bool, dtype: Any) -> Tensor:
    """The variables in rows."""
    rows: list[Any] = []
    for given in (m, y):
        if given is not None:
            x = _cast_to_float(call, given, dtype)
            rows.append(x.reshape((1, -1)) if x.ndim < 2 else x if rowvar else x.mT)
    return rows[0] if len(rows) == 1 else joining.concatenate(rows, 0)


@answers(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """`np.trapezoid`."""
    return moments.trapezoid(y, x, dx=dx, dim=axis)


@answers(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """`np.nan_to_num`; always a new tensor."""
    return floating.nan_to_num(x, nan, posinf, neginf)


@answers(np.sinc)
def sinc(x):
    """`np.sinc`."""
    return special.sinc(x)


# ---------------------------------------------------------------------------------------------------- parts and repeats


@answers(np.tile)
def tile(A, reps):
    """`np.tile`."""
    x = as_tensor(A)
    counts = tuple(map(operator.index, reps if np.ndim(reps) else (reps,)))
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    # (n, …) -> (1, n, …), repeated along the new axes -> (count · n, …)
    rows = x.reshape(tuple(k for n in shape for k in (1, n)))
    wide = broadcast_to(rows, [k for pair in zip(counts, shape, strict=True) for k in pair])
    return wide.reshape(tuple(c * n for c, n in zip(counts, shape, strict=True)))


@answers(np.repeat)
def repeat(a, repeats, axis=None):
    """`np.repeat`."""
    x = as_tensor(a)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, normalize_axis("np.repeat", x, axis))
    with restated("np.repeat", a=x, repeats=repeats, axis=axis):
        places = np.repeat(np.arange(x.shape[axis]), repeats)
    return indexing.getitem(x, (slice(None),) * axis + (places,))


@answers(np.roll)
def roll(a, shift, axis=None):
    """`np.roll`."""
    x = as_tensor(a)
    if axis is None:
        return roll(x.reshape(-1), shift, 0).reshape(x.shape)
    pairs = np.broadcast(shift, axis)
    for step, k in [(int(s), operator.index(k)) for s, k in pairs]:
        k = normalize_axis("np.roll", x, k)
        n = x.shape[k]
        lead, cut = (slice(None),) * k, n - step % n if n else 0
        x = joining.concatenate([x[(*lead, slice(cut, None))], x[(*lead, slice(cut))]], k)
    return x


@answers(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    """`np.diagonal`."""
    return products.diagonal(a, offset=operator.index(offset), dim1=axis1, dim2=axis2)


@answers(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """`np.trace`."""
    refuse("np.trace", out=out)
    x = as_tensor(a) if dtype is None else astype(a, dtype)
    return products.diagonal(x, offset=operator.index(offset), dim1=axis1, dim2=axis2).sum(-1)


@answers(np.diag)
def diag(v, k=0):
    """`np.diag`: the diagonal of a matrix, or a matrix around a vector."""
    x, k = as_tensor(v), operator.index(k)
    if x.ndim == 2:
        return products.diagonal(x, offset=k)
    if x.ndim != 1:
        raise ShapeError(restate("np.diag", "v must have one axis or two", v=x))
    n = x.shape[0] + (k if k > 0 else -k)
    places = np.arange(x.shape[0])
    zeros = constant(np.zeros((n, n), x.dtype))
    return indexing.setitem(zeros, (places + max(-k, 0), places + max(k, 0)), x)


@answers(np.tril)
def tril(m, k=0):
    """`np.tril`: zeros above the diagonal k."""
    x = as_tensor(m)
    return arithmetic.where(constant(np.tri(*x.shape[-2:], k=k, dtype=bool)), x, 0)


@answers(np.triu)
def triu(m, k=0):
    """`np.triu`: zeros below the diagonal k."""
    x = as_tensor(m)
    return arithmetic.where(constant(~np.tri(*x.shape[-2:], k=k - 1, dtype=bool)), x, 0)
