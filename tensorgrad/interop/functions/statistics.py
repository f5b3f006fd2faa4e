"""NumPy's statistics of tensors: `np.cov(t)`, `np.nanmean(t)`, `np.cumprod(t)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.interop.functions.arguments import UNSET, cast_to_float, refuse
from tensorgrad.interop.functions.reductions import sum
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import joining, reductions
from tensorgrad.ops.elementwise import choice
from tensorgrad.ops.operands import as_tensor, floating
from tensorgrad.ops.statistics import cumulative, moments

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


@answers(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=UNSET, initial=UNSET, where=UNSET):
    """`np.nansum`."""
    refuse("np.nansum", out=out)
    x = as_tensor(a)
    x = choice.where(x != x, 0.0, x) if x.dtype.kind == "f" else x
    return sum(x, axis, dtype, None, keepdims, initial, where)


@answers(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=UNSET, *, where=UNSET):
    """`np.nanmean`: an element where `where` is False is left out as a NaN is."""
    refuse("np.nanmean", out=out)
    x = floating(cast_to_float("np.nanmean", a, dtype))
    x = x if where is UNSET or where is True else choice.where(where, x, float("nan"))
    return moments.nanmean(x, axis, False if keepdims is UNSET else keepdims)


@answers(np.count_nonzero)
def count_nonzero(a, axis=None, *, keepdims=False):
    """`np.count_nonzero`."""
    return reductions.sum(as_tensor(a) != 0, axis, keepdims)


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
            x = cast_to_float(call, given, dtype)
            rows.append(x.reshape((1, -1)) if x.ndim < 2 else x if rowvar else x.mT)
    return rows[0] if len(rows) == 1 else joining.concatenate(rows, 0)


@answers(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """`np.trapezoid`."""
    return moments.trapezoid(y, x, dx=dx, dim=axis)
