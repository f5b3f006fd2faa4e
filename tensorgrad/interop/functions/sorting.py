"""NumPy's functions that sort a tensor: `np.sort(t)`, `np.median(t)`, `np.quantile(t, 0.9)`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.interop.functions.arguments import refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops.axes import normalize_axes
from tensorgrad.ops.operands import as_tensor, astype
from tensorgrad.ops.ordering import quantiles, sorting

if TYPE_CHECKING:
    pass


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
