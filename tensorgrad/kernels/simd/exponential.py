"""eˣ in arithmetic that LLVM turns into vectors: a loop over the C library's takes six times as long.

Written for the innermost loops of kernels, element by element, in the dtype of the element. The method is W. Cody and
W. Waite's (Software Manual for the Elementary Functions, 1980, chapter 6), the split of ln 2 that of S. Moshier's
Cephes library: x = n · ln 2 + r with |r| ≤ ½ ln 2, so eˣ = 2ⁿ · eʳ, where eʳ is a short polynomial.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

from tensorgrad.kernels.jit.dispatch import INLINE, helper

# No reordering of sums, since rounding to an integer relies on cancellation; fused multiply-adds are allowed.
_OPTIONS: Any = INLINE | {"fastmath": {"contract"}}


def exponential(x: float) -> float:
    """eˣ within 2 ulp, 1 with fused multiply-adds, for a float32 or float64 in a kernel; NaN propagates.

    Denormal results are rounded like others; overflow gives inf, and −inf gives 0.

    Outside a kernel it calls NumPy's exp.

    >>> exponential(np.array([0.0, 1.0, -np.inf]))
    array([1.        , 2.71828183, 0.        ])
    """
    return np.exp(x)


def exponential_less_one(x: float) -> float:
    """eˣ − 1 for x ≤ 0, without the cancellation of eˣ near 0.

    Outside a kernel it calls NumPy's expm1.

    >>> exponential_less_one(np.array([0.0, -1.0, -np.inf]))
    array([ 0.        , -0.63212056, -1.        ])
    """
    return np.expm1(x)


class _Formulas(NamedTuple):
    exponential: Callable[[float], float]
    exponential_less_one: Callable[[float], float]


def _formulas(
    dtype: type[np.floating], lowest: float, highest: float, ln2: tuple[float, float], degree: int
) -> _Formulas:
    """Both functions for one dtype.

    Args:
        dtype: float32 or float64.
        lowest: eˣ is 0 below.
        highest: eˣ is inf above.
        ln2: ln 2 in two parts; the product of the first and n is exact.
        degree: of the Taylor series for eʳ, whose error is less than a tenth of an ulp.
    """
    # The constants in the dtype itself: a literal would widen float32 to float64.
    low, high, per_ln2, half, one, vanishing = (
        dtype(value) for value in (lowest, highest, 1 / math.log(2), 0.5, 1, -80)
    )
    ln2_head, ln2_tail = (dtype(part) for part in ln2)
    # So large that a sum with it has no fractional bits: it is rounded to an integer.
    rounder = dtype(1.5 / np.finfo(dtype).eps)
    leading, *others = (dtype(1 / math.factorial(k)) for k in range(degree, 0, -1))
    coefficients = tuple(others)

    @register_jitable(**_OPTIONS)
    def reduced(x):
        """n, r, and (eʳ − 1)/r."""
        n = (x * per_ln2 + rounder) - rounder
        r = (x - n * ln2_head) - n * ln2_tail
        series = leading
        for coefficient in coefficients:
            series = series * r + coefficient
        return n, r, series

    def exponential(x):
        # This form of the bounds keeps NaN; an infinity would give ∞ − ∞ below.
        x = low if x < low else x
        x = high if x > high else x
        n, r, series = reduced(x)
        # In two factors, since 2ⁿ may be out of range where eˣ isn't.
        m = (n * half + rounder) - rounder
        return (series * r + one) * _power_of_two(m + rounder) * _power_of_two((n - m) + rounder)

    def exponential_less_one(x):
        x = vanishing if x < vanishing else x
        n, r, series = reduced(x)
        power = _power_of_two(n + rounder)
        return power * (series * r) + (power - one)

    return _Formulas(exponential, exponential_less_one)


@intrinsic
def _power_of_two(typing, shifted):
    """2ⁿ for an integer n in the range of exponents, given n + `rounder`, whose lowest bits are n."""

    def emit(context, builder, signature, values):
        digits, bias = (23, 127) if shifted == types.float32 else (52, 1023)
        integer = ir.IntType(shifted.bitwidth)
        exponent = builder.shl(builder.bitcast(values[0], integer), integer(digits))
        return builder.bitcast(builder.add(exponent, integer(bias << digits)), values[0].type)

    return shifted(shifted), emit


_FORMULAS = {
    types.float32: _formulas(np.float32, -104.0, 89.0, (0.693359375, -2.12194440e-4), 7),
    types.float64: _formulas(np.float64, -746.0, 710.0, (0.693145751953125, 1.42860682030941723212e-6), 13),
}


@overload(exponential, jit_options=_OPTIONS)
def _(x):
    return _FORMULAS[x].exponential if x in _FORMULAS else None


@overload(exponential_less_one, jit_options=_OPTIONS)
def _(x):
    return _FORMULAS[x].exponential_less_one if x in _FORMULAS else None


@intrinsic
def _maximum(typing, a, b):
    """The larger of two floats of one dtype, or NaN if one is NaN, in a form whose reduction LLVM vectorizes."""

    def emit(context, builder, signature, values):
        scalar = values[0].type
        function = builder.module.declare_intrinsic("llvm.maximum", [scalar], ir.FunctionType(scalar, [scalar] * 2))
        return builder.call(function, values)

    return a(a, a), emit


@helper
def exponentials(row, out):
    """The parts of a softmax: writes e^(rowⱼ − max row) to out, and returns max row and the sum of out.

    The largest exponent is 0, so nothing overflows, and the sum is at least 1. A NaN in the row reaches all of it.

    >>> from tensorgrad.kernels.jit.dispatch import kernel
    >>> row, out = np.array([1e4, 1e4]), np.empty(2)
    >>> kernel(lambda row, out: exponentials(row, out))(row, out), out
    ((10000.0, 2.0), array([1., 1.]))
    """
    largest, total = row.dtype.type(-np.inf), 0.0
    for j in range(row.size):
        largest = _maximum(largest, row[j])
    for j in range(row.size):
        out[j] = exponential(row[j] - largest)
    # Not in the loop above, which isn't vectorized where row and out are close in memory: the sum would then be rounded
    # in another order.
    for j in range(row.size):
        total += out[j]
    return largest, row.dtype.type(total)
