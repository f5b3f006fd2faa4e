"""Activation functions but relu, element by element: one pass for the values, and one for the gradients.

Each is written once as a formula for a number, and once as its derivative, in terms of x or of the value z, whichever
is cheaper; `_values` and `_products` make the pieces. A formula takes the number, `one` of its dtype, since a literal
would widen float32 to float64, and a parameter, which may be unused.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from tensorgrad.arrays import memory
from tensorgrad.kernels import reference
from tensorgrad.kernels.jit.dispatch import (
    COMPILED,
    INLINE,
    as_contiguous,
    by_reference,
    check_float,
    chunks_for,
    kernel,
    run,
)
from tensorgrad.kernels.simd.error_function import error_function
from tensorgrad.kernels.simd.exponential import exponential, exponential_less_one

# Multiply-adds that take as long as one element, by a rough measurement.
WORK = 30


def activation(function: str, x: np.ndarray, parameter: float = 0.0) -> np.ndarray:
    """f(x) for each element, float32 or float64, any shape; NaN is carried. `function` is a key of `FUNCTIONS`.

    >>> activation("sigmoid", np.array([-np.inf, 0.0, np.nan]))
    array([0. , 0.5, nan])
    """
    z = memory.empty(x.shape, check_float(function, x=x))
    if not COMPILED:
        return by_reference(reference.activation, function, x, parameter)
    return _run(FUNCTIONS[function].values, z, parameter, x)


def activation_gradient(function: str, g: np.ndarray, y: np.ndarray, parameter: float = 0.0) -> np.ndarray:
    """g · f′ for each element, arrays of one shape and dtype; y is x or f(x): see `FUNCTIONS`.

    >>> activation_gradient("sigmoid", np.array([4.0]), np.array([0.5]))
    array([1.])
    """
    dx = memory.empty(y.shape, check_float(function, g=g, y=y))
    if not COMPILED:
        return by_reference(reference.activation_gradient, function, g, y, parameter)
    return _run(FUNCTIONS[function].products, dx, parameter, g, y)


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x = np.ones(2, dtype)
    for name in FUNCTIONS:
        yield name, lambda name=name: activation(name, x)
        yield f"{name} gradient", lambda name=name: activation_gradient(name, x, x)


class _Function(NamedTuple):
    values: Callable
    products: Callable


def _run(kernel: Callable, out: np.ndarray, parameter: float, *arrays: np.ndarray) -> np.ndarray:
    flat = [as_contiguous(array).reshape(-1) for array in (*arrays, out)]
    run(kernel, (*flat, out.dtype.type(parameter)), chunks_for(out.size, WORK * out.size))
    return out


def _values(formula: Callable) -> Callable:
    """The kernel of z = f(x)."""

    @kernel
    def share(x, z, parameter, index, chunks):
        start, end = x.size * index // chunks, x.size * (index + 1) // chunks
        source, target, one = x[start:end], z[start:end], x.dtype.type(1)
        for k in range(end - start):
            target[k] = formula(source[k], one, parameter)

    return share


def _products(derivative: Callable) -> Callable:
    """The kernel of dx = g · f′(y)."""

    @kernel
    def share(g, y, dx, parameter, index, chunks):
        start, end = g.size * index // chunks, g.size * (index + 1) // chunks
        upstream, source, target, one = g[start:end], y[start:end], dx[start:end], g.dtype.type(1)
        for k in range(end - start):
            target[k] = upstream[k] * derivative(source[k], one, parameter)

    return share


# artanh r = r · (1 + r²/3 + r⁴/5 + …), for r up to 0.172 to the last digit of float64; the highest power first.
_ARTANH = tuple(1 / (2 * k + 1) for k in range(10, -1, -1))

_formula = register_jitable(**INLINE)


@_formula
def _sigmoid(x, one, _):
    return one / (one + exponential(-x))


@_formula
def _sigmoid_slope(z, one, _):
    return z * (one - z)


@_formula
def _tanh(x, one, _):
    # (e^−2|x| − 1) / (e^−2|x| + 1) with the sign of x
    power = exponential_less_one(-abs(x + x))
    size = -power / (power + (one + one))
    # x itself at ±0: a product would lose its sign.
    return size if x > 0 else (x if x == 0 else -size)


@_formula
def _tanh_slope(z, one, _):
    return one - z * z


@_formula
def _silu(x, one, _):
    return x / (one + exponential(-x))


@_formula
def _silu_slope(x, one, _):
    s = one / (one + exponential(-x))
    return s * (one + x * (one - s))


@_formula
def _elu(x, one, alpha):
    negative = alpha * exponential_less_one(x)
    return x if x >= 0 else negative


@_formula
def _elu_slope(x, one, alpha):
    negative = alpha * exponential(x)
    return one if x > 0 else negative


@_formula
def _leaky_relu(x, one, slope):
    return x if x > 0 else slope * x


@_formula
def _leaky_relu_slope(x, one, slope):
    return slope if x <= 0 else one


@_formula
def _gelu(x, one, _):
    return x * _normal_distribution(x)


@_formula
def _gelu_slope(x, one, _):
    density = exponential(x * x * type(one)(-0.5)) * type(one)(1 / math.sqrt(2 * math.pi))
    return _normal_distribution(x) + x * density


@_formula
def _normal_distribution(x):
    return (type(x)(1) + error_function(x * type(x)(math.sqrt(0.5)))) * type(x)(0.5)


@_formula
def _softplus(x, one, beta):
    scaled = x * beta
    rectified = scaled if scaled > 0 else one - one
    return (rectified + _log_one_more(exponential(-abs(scaled)), one)) / beta


@_formula
def _log_one_more(u, one):
    """ln(1 + u) for 0 ≤ u ≤ 1: 2 artanh(u/(2 + u)), and where 1 + u > √2 ln 2 + 2 artanh((u − 1)/(u + 3))."""
    halved = u > type(one)(math.sqrt(2) - 1)
    above = u - one if halved else u
    below = u + type(one)(3) if halved else u + type(one)(2)
    base = type(one)(math.log(2)) if halved else type(one)(0)
    ratio = above / below
    square, series = ratio * ratio, type(one)(0)
    for coefficient in _ARTANH:
        series = series * square + type(one)(coefficient)
    return base + (ratio + ratio) * series


@_formula
def _softplus_slope(x, one, beta):
    return one / (one + exponential(-(x * beta)))


FUNCTIONS = {
    "sigmoid": _Function(_values(_sigmoid), _products(_sigmoid_slope)),  # y is f(x)
    "tanh": _Function(_values(_tanh), _products(_tanh_slope)),  # y is f(x)
    "silu": _Function(_values(_silu), _products(_silu_slope)),
    "gelu": _Function(_values(_gelu), _products(_gelu_slope)),
    "elu": _Function(_values(_elu), _products(_elu_slope)),
    "leaky_relu": _Function(_values(_leaky_relu), _products(_leaky_relu_slope)),
    "softplus": _Function(_values(_softplus), _products(_softplus_slope)),
}
"""The functions there are. The y of `activation_gradient` is x, where nothing else is said."""
