"""erf for the innermost loops of kernels, by the rational approximations of `error_coefficients`.

The C library's erf is a call per element, which LLVM can't vectorize. Here both approximations are computed and one is
chosen, without a branch, so the loop around becomes vector instructions.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from tensorgrad.kernels.jit.dispatch import INLINE
from tensorgrad.kernels.simd.error_coefficients import FAR, FURTHEST, NEAR
from tensorgrad.kernels.simd.exponential import exponential


def error_function(x: float) -> float:
    """2/√π ∫₀ˣ e^(−t²) dt within 4 ulp, for a float32 or float64 in a kernel; NaN propagates.

    Outside a kernel it calls the C library's erf.

    >>> error_function(0.5)
    0.5204998778130465
    """
    return math.erf(x)


def _formula(dtype: type[np.floating]) -> Callable[[float], float]:
    """erf for one dtype: each constant has it, since a Python number would widen float32 to float64."""
    one, furthest = dtype(1), dtype(FURTHEST)
    t, u, p, q = (_polynomial(dtype, coefficients) for coefficients in (*NEAR, *FAR))

    def compute(x):
        size = abs(x)
        size = furthest if size > furthest else size  # else the polynomials overflow: ∞/∞ is NaN
        square = size * size
        near = x * t(square) / u(square)
        far = one - exponential(-square) * p(size) / q(size)
        far = far if x > 0 else -far
        return near if size < one else far

    return compute


def _polynomial(dtype: type[np.floating], coefficients: tuple[float, ...]) -> Callable[[float], float]:
    """The polynomial with these coefficients, the highest power first, by Horner's rule."""
    leading, *rest = (dtype(coefficient) for coefficient in coefficients)
    others = tuple(rest)

    @register_jitable(**INLINE)
    def evaluate(x):
        total = leading
        for coefficient in others:
            total = total * x + coefficient
        return total

    return evaluate


_OPTIONS: Any = INLINE
_FORMULAS = {types.float32: _formula(np.float32), types.float64: _formula(np.float64)}


@overload(error_function, jit_options=_OPTIONS)
def _(x):
    return _FORMULAS.get(x)
