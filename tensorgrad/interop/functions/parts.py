"""NumPy's functions that read parts of a tensor: `np.take(t, [0, 2])`, `np.diag(t)`, `np.tril(t)`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ShapeError, restate
from tensorgrad.interop.functions.arguments import refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import indexing
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise import choice
from tensorgrad.ops.linalg import products
from tensorgrad.ops.operands import as_tensor, astype

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


@answers(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    """`np.take`."""
    refuse("np.take", out=out, mode=None if mode == "raise" else mode)
    x = as_tensor(a)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, normalize_axis("np.take", x, axis))
    k = indices if isinstance(indices, (Variable, np.ndarray)) else np.asarray(indices)
    k = k.astype(np.int64) if k.dtype.kind == "b" else k  # positions, never a mask
    return indexing.getitem(x, (slice(None),) * axis + (k,))


@answers(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    """`np.take_along_axis`."""
    x, k = as_tensor(arr), as_tensor(indices)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis("np.take_along_axis", x, axis)
    return indexing.along("np.take_along_axis", x, axis, _beside(x, k, axis))


def _beside(x: Tensor, k: Tensor, axis: int) -> Tensor:
    """The indices broadcast to the sizes of x outside the axis."""
    if k.ndim != x.ndim or not x.ndim:
        return k
    return k.broadcast_to((*x.shape[:axis], k.shape[axis], *x.shape[axis + 1 :]))


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
    return choice.where(constant(np.tri(*x.shape[-2:], k=k, dtype=bool)), x, 0)


@answers(np.triu)
def triu(m, k=0):
    """`np.triu`: zeros below the diagonal k."""
    x = as_tensor(m)
    return choice.where(constant(~np.tri(*x.shape[-2:], k=k - 1, dtype=bool)), x, 0)
