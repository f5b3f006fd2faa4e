"""Rounding towards zero."""

from __future__ import annotations

import numpy as np

from tensorgrad.formulas.symbolic import function
from tensorgrad.ops.elementwise.arithmetic import Flat
from tensorgrad.ops.elementwise.elementwise import Elementwise, Unary, unary
from tensorgrad.ops.operands import as_tensor

__all__ = ["fix", "trunc"]


class Trunc(Flat, Elementwise):
    """Integer part of x: rounds towards zero.

    >>> tg.trunc(tg.tensor([1.7, -1.7]))
    tensor([ 1., -1.])
    """

    symbol, numpy = "trunc", np.trunc
    formula = lambda x: function("trunc")(x)


trunc: Unary = unary(Trunc, as_tensor)
fix = trunc
