"""NumPy's products of tensors: `np.dot(t, u)`, `np.einsum("ij,jk", t, u)`, `np.cross(t, u)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.interop.functions.arguments import cast, in_dtype, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import linear, shapes
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.linalg import products
from tensorgrad.ops.operands import as_tensor

if TYPE_CHECKING:
    pass


@answers(np.einsum)
def einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    """`np.einsum`, in both forms: subscripts as text, or a list of axes after each operand and one for the result."""
    refuse("np.einsum", out=out)
    subscripts, *xs = operands if isinstance(operands[0], str) else linear.as_equation("np.einsum", operands)
    return in_dtype(linear.einsum(subscripts, *[cast(x, dtype) for x in xs]), dtype)


@answers(np.dot)
def dot(a, b, out=None):
    """`np.dot`: over the last axis of a and the last but one of b."""
    refuse("np.dot", out=out)
    x, y = as_tensor(a), as_tensor(b)
    if not x.ndim or not y.ndim:
        return x * y
    return linear.matmul(x, y) if y.ndim <= 2 else tensordot(x, y, ([-1], [-2]))


@answers(np.inner)
def inner(a, b, /):
    """`np.inner`: over the last axis of both."""
    x, y = as_tensor(a), as_tensor(b)
    return tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y


@answers(np.outer)
def outer(a, b, out=None):
    """`np.outer`: of both flattened."""
    refuse("np.outer", out=out)
    return as_tensor(a).reshape(-1, 1) * as_tensor(b).reshape(-1)


@answers(np.vdot)
def vdot(a, b, /):
    """`np.vdot`: of both flattened."""
    return linear.matmul(as_tensor(a).reshape(-1), as_tensor(b).reshape(-1))


@answers(np.tensordot)
def tensordot(a, b, axes=2):
    """`np.tensordot`: over the last axes of a and the first of b, or over those listed."""
    x, y = as_tensor(a), as_tensor(b)
    if isinstance(axes, Sequence) and len(axes) != 2:
        raise ArgumentError(restate("np.tensordot", "axes must be an int or two lists of ints", a=x, b=y, axes=axes))
    if not isinstance(axes, Sequence):
        (count,) = shapes.as_shape((axes,))
        axes = range(-count, 0), range(count)
    left, right = axes
    left, right = [
        [normalize_axis("np.tensordot", t, k, "axes") for k in (of if isinstance(of, Sequence) else [of])]
        for t, of in ((x, left), (y, right))
    ]
    if [x.shape[k] for k in left] != [y.shape[k] for k in right]:
        raise ShapeError(restate("np.tensordot", "the axes to sum over must have equal sizes", a=x, b=y, axes=axes))
    free, kept = ([k for k in range(t.ndim) if k not in summed] for t, summed in ((x, left), (y, right)))
    free, kept = list(free), list(kept)
    count = int(np.prod([x.shape[k] for k in left], dtype=int))
    rows = x.permute((*free, *left)).reshape(int(np.prod([x.shape[k] for k in free], dtype=int)), count)
    columns = y.permute((*right, *kept)).reshape(count, int(np.prod([y.shape[k] for k in kept], dtype=int)))
    return linear.matmul(rows, columns).reshape((*[x.shape[k] for k in free], *[y.shape[k] for k in kept]))


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
