"""NumPy's reductions of tensors: `np.sum(t)`, `np.mean(t)`, `np.argmax(t)`, `np.cumsum(t)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.interop.functions.arguments import UNSET, cast, cast_to_float, in_dtype, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import reductions
from tensorgrad.ops.axes import normalize_axes
from tensorgrad.ops.elementwise import arithmetic, choice
from tensorgrad.ops.operands import as_tensor, floating, number
from tensorgrad.ops.reduce import dispersion, extremes

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


def _given(value: Any, default: Any) -> Any:
    return default if value is UNSET else value


def _masked(call: str, x: Tensor, where: Any, neutral: float | None) -> Tensor:
    """x with the neutral element where `where` is False; x itself if there is no mask."""
    if where is UNSET or where is True:
        return x
    if neutral is None:
        problem = "where needs initial, since this reduction has no neutral element"
        raise ArgumentError(restate(call, problem, fix="pass initial, the value of masked elements", x=x))
    return choice.where(where, x, neutral)


def _over(op: type[Op], call: str, x: Tensor, axis: Any, keepdims: Any, **more: Any) -> Tensor:
    """A reduction over NumPy's axes: an empty tuple names none."""
    return apply(op, x, axis=normalize_axes(call, x, axis), keepdims=bool(_given(keepdims, False)), **more)


@answers(np.sum)
def sum(a, axis=None, dtype=None, out=None, keepdims=UNSET, initial=UNSET, where=UNSET):
    """`np.sum`."""
    refuse("np.sum", out=out)
    x = _masked("np.sum", cast(a, dtype), where, 0)
    z = _over(reductions.Sum, "np.sum", x, axis, keepdims)
    return in_dtype(z if initial is UNSET else z + initial, dtype)


@answers(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=UNSET, initial=UNSET, where=UNSET):
    """`np.prod`."""
    refuse("np.prod", out=out)
    x = _masked("np.prod", cast(a, dtype), where, 1)
    z = _over(reductions.Prod, "np.prod", x, axis, keepdims)
    return in_dtype(z if initial is UNSET else z * initial, dtype)


@answers(np.max, np.amax)
def max(a, axis=None, out=None, keepdims=UNSET, initial=UNSET, where=UNSET):
    """`np.max`."""
    return _extreme("np.max", extremes.Max, choice.maximum, a, axis, out, keepdims, initial, where)


@answers(np.min, np.amin)
def min(a, axis=None, out=None, keepdims=UNSET, initial=UNSET, where=UNSET):
    """`np.min`."""
    return _extreme("np.min", extremes.Min, choice.minimum, a, axis, out, keepdims, initial, where)


def _extreme(call, op, of_two, a, axis, out, keepdims, initial, where):
    refuse(call, out=out)
    x = _masked(call, as_tensor(a), where, None if initial is UNSET else initial)
    if initial is UNSET:
        return _over(op, call, x, axis, keepdims)
    axes = normalize_axes(call, x, axis)
    if 0 in [x.shape[k] for k in axes]:
        kept = _over(reductions.Sum, call, x, axes, keepdims)  # zeros of the right shape: the sum of no elements
        return arithmetic.add(kept.astype(x.dtype), initial)
    return of_two(_over(op, call, x, axes, keepdims), initial)


@answers(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=UNSET, *, where=UNSET):
    """`np.mean`."""
    refuse("np.mean", out=out)
    x = floating(cast_to_float("np.mean", a, dtype))
    if where is UNSET or where is True:
        return _over(reductions.Mean, "np.mean", x, axis, keepdims)
    counts = sum(choice.where(where, np.ones(x.shape, np.int64), 0), axis, keepdims=keepdims)
    return sum(_masked("np.mean", x, where, 0), axis, keepdims=keepdims) / counts


@answers(np.var)
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=UNSET, *, where=UNSET, mean=UNSET, correction=UNSET):
    """`np.var`."""
    return _variance_or_deviation(
        "np.var", dispersion.Var, a, axis, dtype, out, ddof, keepdims, where, mean, correction
    )


@answers(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=UNSET, *, where=UNSET, mean=UNSET, correction=UNSET):
    """`np.std`."""
    return _variance_or_deviation(
        "np.std", dispersion.Std, a, axis, dtype, out, ddof, keepdims, where, mean, correction
    )


def _variance_or_deviation(call, op, a, axis, dtype, out, ddof, keepdims, where, mean, correction):
    refuse(call, out=out, where=None if where is True else where, mean=mean)
    if correction is not UNSET and ddof != 0:
        raise ArgumentError(restate(call, "pass either ddof or correction", ddof=ddof, correction=correction))
    ddof = number(call, "ddof", _given(correction, ddof))
    return _over(op, call, floating(cast_to_float(call, a, dtype)), axis, keepdims, ddof=ddof)


@answers(np.all)
def all(a, axis=None, out=None, keepdims=UNSET, *, where=UNSET):
    """`np.all`."""
    refuse("np.all", out=out)
    x = _masked("np.all", as_tensor(a) != 0, where, True)
    return _over(reductions.All, "np.all", x, axis, keepdims)


@answers(np.any)
def any(a, axis=None, out=None, keepdims=UNSET, *, where=UNSET):
    """`np.any`."""
    refuse("np.any", out=out)
    x = _masked("np.any", as_tensor(a) != 0, where, False)
    return _over(reductions.Any, "np.any", x, axis, keepdims)


@answers(np.argmax)
def argmax(a, axis=None, out=None, *, keepdims=UNSET):
    """`np.argmax`."""
    return _position("argmax", a, axis, out, keepdims)


@answers(np.argmin)
def argmin(a, axis=None, out=None, *, keepdims=UNSET):
    """`np.argmin`."""
    return _position("argmin", a, axis, out, keepdims)


def _position(name, a, axis, out, keepdims):
    refuse(f"np.{name}", out=out)
    x, keepdims = as_tensor(a), bool(_given(keepdims, False))
    return getattr(extremes, name)(x, axis, keepdims)


@answers(np.cumsum)
def cumsum(a, axis=None, dtype=None, out=None):
    """`np.cumsum`: of the flattened tensor by default."""
    refuse("np.cumsum", out=out)
    x = cast(a, dtype)
    x, axis = (x.reshape(-1), 0) if axis is None or not x.ndim else (x, axis)
    return in_dtype(reductions.cumsum(x, axis), dtype)
