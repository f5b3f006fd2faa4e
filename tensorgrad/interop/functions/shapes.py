"""NumPy's functions of a tensor's shape: `np.reshape(t, (2, 3))`, `np.transpose(t)`, `np.shape(t)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.interop.functions.arguments import in_fortran_order
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import shapes
from tensorgrad.ops.axes import normalize_axes
from tensorgrad.ops.layout import views
from tensorgrad.ops.operands import as_tensor

if TYPE_CHECKING:
    pass


@answers(np.shape)
def shape(a):
    """`np.shape`."""
    return as_tensor(a).shape


@answers(np.ndim)
def ndim(a):
    """`np.ndim`."""
    return as_tensor(a).ndim


@answers(np.size)
def size(a, axis=None):
    """`np.size`."""
    return np.size(as_tensor(a)._data, axis)


@answers(np.reshape)
def reshape(a, /, shape, order="C", *, copy=None):
    """`np.reshape`."""
    x, sizes = as_tensor(a), shapes.as_shape((shape,))
    by_columns = in_fortran_order("np.reshape", order, "C")
    z = x.T.reshape(sizes[::-1]).T if by_columns else x.reshape(sizes)
    if copy is False and x._data.size and not np.shares_memory(z._data, x._data):
        problem = "copy=False, but this shape needs a copy"
        raise ArgumentError(restate("np.reshape", problem, fix="omit copy", x=x, shape=shape))
    return z.clone() if copy else z


@answers(np.ravel)
def ravel(a, order="C"):
    """`np.ravel`."""
    x = as_tensor(a)
    return views.ravel(x.T if in_fortran_order("np.ravel", order, "C") else x)


@answers(np.transpose)
def transpose(a, axes=None):
    """`np.transpose`."""
    return shapes.reverse_axes(a) if axes is None else shapes.permute(a, axes)


@answers(np.swapaxes)
def swapaxes(a, axis1, axis2):
    """`np.swapaxes`."""
    return shapes.swapaxes(a, axis1, axis2)


@answers(np.moveaxis)
def moveaxis(a, source, destination):
    """`np.moveaxis`."""
    return shapes.movedim(a, source, destination)


@answers(np.squeeze)
def squeeze(a, axis=None):
    """`np.squeeze`."""
    x = as_tensor(a)
    if axis is not None and any(x.shape[k] != 1 for k in normalize_axes("np.squeeze", x, axis) if x.ndim):
        raise ShapeError(restate("np.squeeze", "the axes to squeeze must have length 1", a=x, axis=axis))
    return shapes.squeeze(x, axis)


@answers(np.expand_dims)
def expand_dims(a, axis):
    """`np.expand_dims`."""
    return shapes.unsqueeze(a, axis)


@answers(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    """`np.broadcast_to`."""
    return shapes.broadcast_to(array, shape)


@answers(np.flip)
def flip(m, axis=None):
    """`np.flip`."""
    x = as_tensor(m)
    return apply(shapes.FlippedView, x, axis=normalize_axes("np.flip", x, axis))


@answers(np.copy)
def copy(a, order="K", subok=False):
    """`np.copy`."""
    if in_fortran_order("np.copy", order, "CKA"):
        return shapes.clone(as_tensor(a).T).T
    return shapes.clone(a)
