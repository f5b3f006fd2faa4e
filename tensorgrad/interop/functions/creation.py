"""NumPy's functions that make a tensor like another: `np.zeros_like(t)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import as_dtype, is_float
from tensorgrad.errors import GraphError, restate
from tensorgrad.interop.functions.arguments import cast, in_fortran_order, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import shapes
from tensorgrad.ops.operands import as_tensor, loses_gradient

if TYPE_CHECKING:
    pass


@answers(np.zeros_like)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.zeros_like`."""
    return _like("np.zeros_like", a, 0, dtype, order, shape, device)


@answers(np.ones_like)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.ones_like`."""
    return _like("np.ones_like", a, 1, dtype, order, shape, device)


@answers(np.empty_like)
def empty_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.empty_like`, filled with zeros."""
    return _like("np.empty_like", a, 0, dtype, order, shape, device)


@answers(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.full_like`; a gradient flows to `fill_value` if it requires one."""
    return _like("np.full_like", a, fill_value, dtype, order, shape, device)


def _like(call, a, value, dtype, order, shape, device):
    refuse(call, device=None if device == "cpu" else device)
    x = as_tensor(a)
    sizes = x.shape if shape is None else shapes.as_shape((shape,))
    kind = as_dtype(call, x.dtype if dtype is None else dtype)
    if loses_gradient(value) and not is_float(kind):
        problem = f"{kind} has no gradients, so the gradient of the value would be lost"
        raise GraphError(restate(call, problem, fix="pass a float dtype, or t.detach()", a=x))
    z = cast(value, kind)
    z = shapes.clone(shapes.broadcast_to(z, sizes))
    return z.T.clone().T if in_fortran_order(call, order, "CKA") else z
