"""NumPy's ufuncs on tensors, `np.sin(t)` and `t + array`, and their methods, `np.add.reduce(t)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.interop.functions import reductions
from tensorgrad.interop.functions.arguments import UNSET, refuse
from tensorgrad.ops import linear
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise import (
    angles,
    arithmetic,
    choice,
    closeness,
    comparison,
    floating,
    logarithms,
    rounding,
    transcendental,
)
from tensorgrad.ops.operands import as_tensor

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: arithmetic.add,
    np.subtract: arithmetic.subtract,
    np.multiply: arithmetic.multiply,
    np.divide: arithmetic.divide,
    np.floor_divide: arithmetic.floor_divide,
    np.remainder: arithmetic.remainder,
    np.power: arithmetic.pow,
    np.negative: arithmetic.negative,
    np.absolute: arithmetic.abs,
    np.sign: rounding.sign,
    np.floor: rounding.floor,
    np.ceil: rounding.ceil,
    np.rint: rounding.round,
    np.maximum: choice.maximum,
    np.minimum: choice.minimum,
    np.square: arithmetic.square,
    np.exp: transcendental.exp,
    np.expm1: transcendental.expm1,
    np.log: transcendental.log,
    np.log1p: transcendental.log1p,
    np.log2: transcendental.log2,
    np.log10: logarithms.log10,
    np.exp2: logarithms.exp2,
    np.logaddexp: logarithms.logaddexp,
    np.logaddexp2: logarithms.logaddexp2,
    np.trunc: rounding.trunc,
    np.hypot: angles.hypot,
    np.arctan2: angles.atan2,
    np.isinf: closeness.isinf,
    np.logical_xor: closeness.logical_xor,
    np.sqrt: transcendental.sqrt,
    np.reciprocal: transcendental.reciprocal,
    np.sin: transcendental.sin,
    np.cos: transcendental.cos,
    np.tan: transcendental.tan,
    np.arcsin: transcendental.arcsin,
    np.arccos: transcendental.arccos,
    np.arctan: transcendental.arctan,
    np.sinh: transcendental.sinh,
    np.cosh: transcendental.cosh,
    np.tanh: transcendental.tanh,
    np.arcsinh: transcendental.arcsinh,
    np.arccosh: transcendental.arccosh,
    np.arctanh: transcendental.arctanh,
    np.equal: comparison.eq,
    np.not_equal: comparison.not_equal,
    np.less: comparison.less,
    np.less_equal: comparison.less_equal,
    np.greater: comparison.greater,
    np.greater_equal: comparison.greater_equal,
    np.logical_not: comparison.logical_not,
    np.logical_and: comparison.logical_and,
    np.logical_or: comparison.logical_or,
    np.bitwise_and: comparison.bitwise_and,
    np.bitwise_or: comparison.bitwise_or,
    np.bitwise_xor: comparison.bitwise_xor,
    np.invert: comparison.bitwise_not,
    np.isnan: comparison.isnan,
    np.isfinite: comparison.isfinite,
    np.matmul: linear.matmul,
    np.fmod: floating.fmod,
    np.fmax: floating.fmax,
    np.fmin: floating.fmin,
    np.copysign: floating.copysign,
    np.heaviside: floating.heaviside,
    np.signbit: floating.signbit,
    np.float_power: floating.float_power,
    **dict.fromkeys((np.deg2rad, np.radians), floating.deg2rad),
    **dict.fromkeys((np.rad2deg, np.degrees), floating.rad2deg),
}
"""The implementation for tensors by ufunc."""


def accumulate_sum(a, axis=0, dtype=None, out=None):
    """`np.add.accumulate`: along one axis; None is accepted for a tensor with one axis."""
    x = as_tensor(a)
    axis = 0 if axis is None and x.ndim == 1 else axis
    return reductions.cumsum(x, normalize_axis("np.add.accumulate", x, axis), dtype, out)


def _reduction(whole: Callable[..., Any]) -> Callable[..., Any]:
    """`ufunc.reduce`, implemented by a reduction of whole tensors; along the first axis by default."""
    known = inspect.signature(whole).parameters

    def reduce(a, axis=0, dtype=None, out=None, keepdims=False, initial=UNSET, where=UNSET):
        given = {"dtype": dtype, "initial": UNSET if initial is None else initial}
        given = {name: value for name, value in given.items() if value is not None and value is not UNSET}
        refuse(f"np.{whole.__name__}", **{name: value for name, value in given.items() if name not in known})
        return whole(a, axis=axis, out=out, keepdims=keepdims, where=where, **given)

    return reduce


UFUNC_METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {
    (np.add, "reduce"): _reduction(reductions.sum),
    (np.multiply, "reduce"): _reduction(reductions.prod),
    (np.maximum, "reduce"): _reduction(reductions.max),
    (np.minimum, "reduce"): _reduction(reductions.min),
    (np.logical_and, "reduce"): _reduction(reductions.all),
    (np.logical_or, "reduce"): _reduction(reductions.any),
    (np.add, "accumulate"): accumulate_sum,
}
"""The implementation for tensors by ufunc and method."""
