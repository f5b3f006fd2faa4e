"""NumPy's functions of each element that aren't ufuncs: `np.clip(t, 0, 1)`, `np.where(c, t, 0)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.interop.functions.arguments import UNSET, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import shapes
from tensorgrad.ops.elementwise import choice, floating as floats, rounding, special
from tensorgrad.ops.operands import as_tensor

if TYPE_CHECKING:
    pass


@answers(np.clip)
def clip(a, a_min=UNSET, a_max=UNSET, out=None, *, min=UNSET, max=UNSET, **options):
    """`np.clip`."""
    refuse("np.clip", out=out, **options)
    given = {"a_min": a_min, "a_max": a_max, "min": min, "max": max}
    given = {name: value for name, value in given.items() if value is not UNSET}
    if not {*given} <= {"min", "max"} and {*given} != {"a_min", "a_max"}:
        problem = "the bounds must be a_min and a_max together, or one or both of min and max"
        raise ArgumentError(restate("np.clip", problem, a=a, **given))
    low, high = (given.get(f"a_{name}", given.get(name)) for name in ("min", "max"))
    return shapes.clone(a) if low is None and high is None else choice.clip(a, low, high)


@answers(np.where)
def where(condition, x=UNSET, y=UNSET, /):
    """`np.where`; with the condition alone, the positions where it is true."""
    if x is UNSET and y is UNSET:
        return np.nonzero(as_tensor(condition)._data)
    return choice.where(condition, x, y)


@answers(np.round, np.around)
def round(a, decimals=0, out=None):
    """`np.round`."""
    refuse("np.round", out=out)
    return rounding.round(a, decimals=decimals)


@answers(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """`np.nan_to_num`; always a new tensor."""
    return floats.nan_to_num(x, nan, posinf, neginf)


@answers(np.sinc)
def sinc(x):
    """`np.sinc`."""
    return special.sinc(x)
