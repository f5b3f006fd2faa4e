"""The functions of formulas, as numba compiles them into loops: in arithmetic that LLVM vectorises, if there is.

Each takes numbers of one dtype, float32 or float64. The others are the C library's, one number at a time.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from tensorgrad.kernels.jit.dispatch import INLINE
from tensorgrad.kernels.simd.error_function import error_function
from tensorgrad.kernels.simd.exponential import exponential, exponential_less_one

# artanh r = r · (1 + r²/3 + r⁴/5 + …), for r up to 0.172 to the last digit of float64; the highest power first.
_ARTANH = tuple(1 / (2 * k + 1) for k in range(10, -1, -1))

_inlined = register_jitable(**INLINE)


@_inlined
def where(condition, x, y):
    """x or y; both are computed, so that the loop has no branch."""
    return x if condition else y


@_inlined
def maximum(x, y):
    """The larger, or NaN if there is one."""
    return x if x >= y or x != x else y


@_inlined
def minimum(x, y):
    """The smaller, or NaN if there is one."""
    return x if x <= y or x != x else y


@_inlined
def expm1(x):
    """eˣ − 1, exact near 0; above 1 nothing is lost by the subtraction."""
    one = type(x)(1)
    below = exponential_less_one(x if x < one else one)
    return below if x < one else exponential(x) - one


@_inlined
def elu(x, alpha):
    """x, or α(eˣ − 1) below 0; x itself at −0, which a product would make 0."""
    negative = alpha * exponential_less_one(x)
    return x if x >= 0 else negative


@_inlined
def tanh(x):
    """(e^(−2|x|) − 1)/(e^(−2|x|) + 1) with the sign of x, and x itself at ±0: a product would lose its sign."""
    power = exponential_less_one(-abs(x + x))
    size = -power / (power + type(x)(2))
    return size if x > 0 else (x if x == 0 else -size)


@_inlined
def softplus(x, beta):
    """ln(1 + e^(βx))/β as max(βx, 0) + ln(1 + e^(−|βx|)), which never overflows."""
    scaled = x * beta
    rectified = scaled if scaled > 0 else type(x)(0)
    return (rectified + _log_one_more(exponential(-abs(scaled)))) / beta


@_inlined
def _log_one_more(u):
    """ln(1 + u) for 0 ≤ u ≤ 1: 2 artanh(u/(2 + u)), and where 1 + u > √2 ln 2 + 2 artanh((u − 1)/(u + 3))."""
    one = type(u)(1)
    halved = u > type(one)(math.sqrt(2) - 1)
    above = u - one if halved else u
    below = u + type(one)(3) if halved else u + type(one)(2)
    base = type(one)(math.log(2)) if halved else type(one)(0)
    ratio = above / below
    square, series = ratio * ratio, type(one)(0)
    for coefficient in _ARTANH:
        series = series * square + type(one)(coefficient)
    return base + (ratio + ratio) * series


def _of_c(function: np.ufunc) -> Callable:
    """NumPy's scalar function, which numba compiles into a call of the C library."""
    return _inlined(lambda x: function(x))


_OF_C = (
    *(np.log, np.log1p, np.log2, np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan),
    *(np.sinh, np.cosh, np.arcsinh, np.arccosh, np.arctanh),
)  # fmt: skip
_OF_THE_PROCESSOR = np.sqrt, np.reciprocal, np.square, np.sign, np.floor, np.ceil

CALLS = frozenset(function.__name__ for function in _OF_C)
"""The functions that are calls of the C library: a loop with one isn't vectorized."""

FUNCTIONS: dict[str, Any] = {function.__name__: _of_c(function) for function in (*_OF_C, *_OF_THE_PROCESSOR)} | {
    **{"where": where, "maximum": maximum, "minimum": minimum, "abs": _inlined(lambda x: abs(x))},
    **{"exp": exponential, "expm1": expm1, "tanh": tanh, "erf": error_function, "elu": elu, "softplus": softplus},
}
"""The functions by the names that they have in formulas."""
