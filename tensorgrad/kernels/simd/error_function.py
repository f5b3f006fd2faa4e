"""erf in arithmetic that LLVM turns into vectors, for the innermost loops of kernels.

The rational approximations of S. Moshier's Cephes library (ndtr.c), after W. J. Cody, Rational Chebyshev Approximations
for the Error Function, Mathematics of Computation 23, 1969: x · T(x²)/U(x²) below 1, 1 − e^(−x²) · P(x)/Q(x) above.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from tensorgrad.kernels.jit.dispatch import INLINE
from tensorgrad.kernels.simd.exponential import exponential

# The coefficients of the highest power first.
_T = (
    9.60497373987051638749,
    90.0260197203842689217,
    2232.00534594684319226,
    7003.32514112805075473,
    55592.3013010394962768,
)
_U = (
    1.0,
    33.5617141647503099647,
    521.357949780152679795,
    4594.32382970980127987,
    22629.0000613890934246,
    49267.3942608635921086,
)
_P = (
    2.46196981473530512524e-10,
    0.564189564831068821977,
    7.46321056442269912687,
    48.6371970985681366614,
    196.520832956077098242,
    526.445194995477358631,
    934.528527171957607540,
    1027.55188689515710272,
    557.535335369399327526,
)
_Q = (
    1.0,
    13.2281951154744992508,
    86.7072140885989742329,
    354.937778887819891062,
    975.708501743205489753,
    1823.90916687909736289,
    2246.33760818710981792,
    1656.66309194161350182,
    557.535340817727675546,
)


def error_function(x: float) -> float:
    """2/√π ∫₀ˣ e^(−t²) dt within 4 ulp, for a float32 or float64 in a kernel; NaN propagates.

    Outside a kernel it calls the C library's erf.

    >>> error_function(0.5)
    0.5204998778130465
    """
    return math.erf(x)


def _formula(dtype: type[np.floating]) -> Callable[[float], float]:
    one, furthest = dtype(1), dtype(7)  # where erf is 1 to the last digit
    t, u, p, q = (_polynomial(dtype, coefficients) for coefficients in (_T, _U, _P, _Q))

    def compute(x):
        size = abs(x)
        size = furthest if size > furthest else size
        square = size * size
        near = x * t(square) / u(square)
        far = one - exponential(-square) * p(size) / q(size)
        far = far if x > 0 else -far
        return near if size < one else far

    return compute


def _polynomial(dtype: type[np.floating], coefficients: tuple[float, ...]) -> Callable[[float], float]:
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
