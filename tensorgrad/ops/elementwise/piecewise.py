"""Activation functions that are piecewise linear: clipped, shrunk, with a slope below 0. The derivative jumps at kinks.

At a kink the derivative is the one PyTorch takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import apply, host_call
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.expression import Call, expression
from tensorgrad.ops.elementwise.activations import leaky_relu, unless
from tensorgrad.ops.elementwise.arithmetic import abs
from tensorgrad.ops.elementwise.choice import maximum, minimum, where
from tensorgrad.ops.elementwise.elementwise import Elementwise, activation, in_formulas
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, flag, floating, number
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["hardshrink", "prelu", "rrelu", "threshold"]


class Hardtanh(Elementwise):
    """z = min(max(x, low), high)."""

    symbol = "hardtanh"
    low: float = -1.0
    high: float = 1.0
    formula = lambda x, low, high: minimum(maximum(x, low), high)
    derivative = lambda x, low, high: where(x <= low, 0, where(x >= high, 0, 1))


class Hardsigmoid(Elementwise):
    """A piecewise linear sigmoid.

    Courbariaux, Bengio and David, BinaryConnect, NeurIPS 2015.

    >>> tg.nn.functional.hardsigmoid(tg.tensor([-4.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75])
    """

    symbol = "hardsigmoid"
    formula = lambda x: minimum(maximum(x + 3, 0), 6) / 6  # type: ignore[operator]
    derivative = lambda x: where(x <= -3, 0, where(x >= 3, 0, 1)) / 6  # type: ignore[operator]


class Hardswish(Elementwise):
    """silu with a piecewise linear sigmoid.

    Howard et al., Searching for MobileNetV3, ICCV 2019.

    >>> tg.nn.functional.hardswish(tg.tensor([-4.0, 1.0, 4.0]))
    tensor([-0.    ,  0.6667,  4.    ])
    """

    symbol = "hardswish"
    formula = lambda x: x * minimum(maximum(x + 3, 0), 6) / 6
    derivative = lambda x: where(x <= -3, 0, where(x >= 3, 1, unless(abs(x) >= 3, x) / 3 + 0.5))  # type: ignore[operator]


class Threshold(Elementwise):
    """z = x above the threshold, else a value."""

    symbol = "threshold"
    limit: float
    value: float
    formula = lambda x, limit, value: where(x <= limit, value, x)
    derivative = lambda x, limit: where(x <= limit, 0, 1)


class Hardshrink(Elementwise):
    """z = x where |x| > λ, else 0."""

    symbol = "hardshrink"
    lambd: float = 0.5
    formula = lambda x, lambd: where(abs(x) <= lambd, 0, x)
    derivative = lambda x, lambd: where(abs(x) <= lambd, 0, 1)


def signed_zero(x):
    """0 with the sign of x, and NaN at NaN; x must be finite. Formulas show it as 0."""
    return Call("signed zero", (x,), expression(0), 0 * x)


class Softshrink(Elementwise):
    """z = x moved towards 0 by λ, and 0 where |x| ≤ λ."""

    symbol = "softshrink"
    lambd: float = 0.5
    formula = lambda x, lambd: where(x > lambd, x - lambd, where(x < -lambd, x + lambd, signed_zero(x)))
    derivative = lambda x, lambd: where(abs(x) <= lambd, 0, 1)


class Prelu(Elementwise):
    """z = x above 0, else w · x."""

    symbol = "prelu"
    formula = lambda x, w: where(x > 0, x, w * x)
    derivatives = (lambda x, w: where(x > 0, 1, w), lambda x: where(x > 0, 0, x))


hardsigmoid, hardswish = activation(Hardsigmoid), activation(Hardswish)


@in_formulas(Hardtanh)
def hardtanh(input: TensorLike, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """The input clipped to [min_val, max_val]; the derivative is 0 at the bounds too.

    Args:
        input: floats of any shape.
        min_val: the lower bound.
        max_val: the upper bound, not below `min_val`.
        inplace: accepted; the input isn't overwritten.

    Raises:
        ArgumentError: `min_val` above `max_val`.

    >>> tg.nn.functional.hardtanh(tg.tensor([-2.0, 0.5, 2.0]))
    tensor([-1. ,  0.5,  1. ])
    """
    if inplace is not False and inplace is not True:
        flag("hardtanh", "inplace", inplace)
    return _clipped("hardtanh", floating(input), min_val, max_val)


@numpy_spellings
def relu6(input: TensorLike, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6): a rectifier with a bound, for arithmetic in few bits. Same shape as the input.

    Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010. `inplace` is accepted; the input isn't
    overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.functional.relu6(tg.tensor([-2.0, 0.5, 8.0]))
    tensor([0. , 0.5, 6. ])
    """
    if inplace is not False and inplace is not True:
        flag("relu6", "inplace", inplace)
    return _clipped("relu6", floating(input), 0.0, 6.0)


def _clipped(call: str, x: Tensor, min_val: float, max_val: float) -> Tensor:
    low, high = number(call, "min_val", min_val), number(call, "max_val", max_val)
    if not low <= high:
        problem = f"min_val must be at most max_val, got {low} and {high}"
        raise ArgumentError(restate(call, problem, input=x, min_val=min_val, max_val=max_val))
    return apply(Hardtanh, x, low=float(low), high=float(high))


@in_formulas(Threshold)
def threshold(input: TensorLike, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """The input where it is above `threshold`, else `value`; the derivative is 1 or 0.

    Args:
        input: floats of any shape.
        threshold: the bound.
        value: the result where the input is at most the bound.
        inplace: accepted; the input isn't overwritten.

    >>> tg.threshold(tg.tensor([-1.0, 0.5, 2.0]), 0.5, -9.0)
    tensor([-9., -9.,  2.])
    """
    flag("threshold", "inplace", inplace)
    limit, value = number("threshold", "threshold", threshold), number("threshold", "value", value)
    return apply(Threshold, floating(input), limit=float(limit), value=float(value))


@in_formulas(Hardshrink)
def hardshrink(input: TensorLike, lambd: float = 0.5) -> Tensor:
    """The input where its magnitude is above λ, else 0.

    Args:
        input: floats of any shape.
        lambd: λ.

    >>> tg.hardshrink(tg.tensor([-2.0, 0.3, 0.7]))
    tensor([-2. ,  0. ,  0.7])
    """
    return apply(Hardshrink, floating(input), lambd=float(number("hardshrink", "lambd", lambd)))


@in_formulas(Softshrink)
def softshrink(input: TensorLike, lambd: float = 0.5) -> Tensor:
    """The input moved towards 0 by λ, and 0 where its magnitude is at most λ: the proximal operator of λ|x|.

    Args:
        input: floats of any shape.
        lambd: λ ≥ 0.

    Raises:
        ArgumentError: a negative λ.

    >>> tg.nn.functional.softshrink(tg.tensor([-2.0, 0.25, 0.75]))
    tensor([-1.5 ,  0.  ,  0.25])
    """
    lambd = number("softshrink", "lambd", lambd)
    if not lambd >= 0:
        raise ArgumentError(restate("softshrink", f"lambd must be ≥ 0, got {lambd}", input=input, lambd=lambd))
    return apply(Softshrink, floating(input), lambd=float(lambd))


@in_formulas(Prelu)
def prelu(input: TensorLike, weight: TensorLike) -> Tensor:
    """The parametric rectifier: a slope below 0 that is learned, one for all channels or one for each.

    He et al., Delving Deep into Rectifiers, ICCV 2015.

    Args:
        input: floats `(N, C, ...)`, or of any shape with one slope.
        weight: w, a scalar, `(1,)` or `(C,)`.

    Raises:
        ShapeError: a weight of another shape.

    >>> tg.prelu(tg.tensor([[-1.0, -1.0], [2.0, -2.0]]), tg.tensor([0.1, 0.5]))
    tensor([[-0.1, -0.5],
            [ 2. , -1. ]])
    """
    x, w = floating(input), as_tensor(weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if w.shape not in ((), (1,), (channels,)):
        problem = f"weight must be a scalar, (1,) or (C,) = ({channels},), got {w.shape}"
        raise ShapeError(restate("prelu", problem, input=x, weight=w))
    w = w if w.dtype == x.dtype else astype(w, x.dtype)
    if w.ndim:
        # (C,) -> (C, 1, ...), beside (N, C, ...)
        w = w.reshape(()) if w.shape == (1,) else w.reshape(-1, *[1] * (x.ndim - 2))
    return apply(Prelu, x, w)


@numpy_spellings
def rrelu(
    input: TensorLike,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Tensor:
    """The randomized rectifier: below 0 a slope that is uniform on [lower, upper] in training, else their mean.

    Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network, arXiv:1505.00853.

    Args:
        input: floats of any shape.
        lower: the smallest slope.
        upper: the largest slope, not below `lower`.
        training: draw one slope per element.
        inplace: accepted; the input isn't overwritten.
        generator: the source of random numbers, by default the package's generator.

    Raises:
        ArgumentError: `lower` above `upper`.

    >>> import tensorgrad as tg
    >>> tg.rrelu(tg.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5,  2. ])
    """
    x, generator = floating(input), checked_generator("rrelu", generator)
    training, inplace = flag("rrelu", "training", training), flag("rrelu", "inplace", inplace)
    low, high = number("rrelu", "lower", lower), number("rrelu", "upper", upper)
    if not low <= high:
        problem = f"lower must be at most upper, got {low} and {high}"
        raise ArgumentError(restate("rrelu", problem, input=x, lower=lower, upper=upper))
    if not training:
        return leaky_relu(x, (low + high) / 2)
    return apply(Prelu, x, as_tensor(host_call(_slopes, generator, x.shape, x.dtype, low, high)))


def _slopes(generator: np.random.Generator, shape: tuple, dtype: np.dtype, low: float, high: float) -> np.ndarray:
    return np.asarray(generator.uniform(low, high, shape), dtype)
