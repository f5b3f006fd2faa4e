"""Activation functions. Elementwise; all but relu and leaky_relu are smooth enough to be differentiated twice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays import few
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import mode
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.expression import Call, Choice, Constant, expression
from tensorgrad.formulas.symbolic import HALF, named
from tensorgrad.ops.elementwise.arithmetic import numbers
from tensorgrad.ops.elementwise.choice import maximum, where
from tensorgrad.ops.elementwise.elementwise import Elementwise, activation, in_formulas, unary
from tensorgrad.ops.elementwise.transcendental import erf, exp, expm1, log, tanh
from tensorgrad.ops.operands import HALF as FLOAT16, TensorLike, flag, floating, for_kernel, number, number_or_tensor

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus"]


ZEROS = {dtype: np.zeros((), dtype) for dtype in KERNEL_FLOATS}


def rectified(x: np.ndarray) -> np.ndarray:
    """The array max(x, 0)."""
    if x.size <= few.limit and (zero := ZEROS.get(x.dtype)) is not None:
        return np.maximum(x, zero)  # in this order −0 becomes 0, as in the kernel
    return kernels.pointwise.relu(x) if x.dtype in KERNEL_FLOATS else np.maximum(x, x.dtype.type(0))


class Relu(Elementwise):
    """Rectifier; the derivative at 0 is taken as 0. NaN is carried.

    Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010.

    >>> tg.relu(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    symbol = "relu"
    formula = lambda x: maximum(x, 0)
    derivative = lambda x: x > 0

    forward = staticmethod(rectified)  # type: ignore[assignment]

    def backward_x(self, grad, z):
        # The sign of z tells that of x, and z lives on in the next layer anyway; x would have to be kept.
        return apply(ReluGradient, grad, z.detach() if mode.recording else z)


class ReluGradient(Op):
    """z = 0 where y ≤ 0, else g: the gradient of the rectifier for its input, y being its output."""

    symbol = "⊙ [y > 0]"
    formula = lambda g, y: Choice(y > 0, g, expression(0))
    derivatives = (lambda y: y > 0, "")

    def forward(self, g, y):
        return relu_gradient(g, y)

    def backward_g(self, grad, y):
        return apply(ReluGradient, grad, y)


def relu_gradient(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The array that is 0 where y ≤ 0, else g."""
    return np.where(y <= 0, np.float16(0), g) if g.dtype.char == FLOAT16 else kernels.pointwise.relu_gradient(g, y)


class Sigmoid(Elementwise):
    """Logistic function.

    >>> tg.sigmoid(tg.tensor([-1e4, 0.0, 1e4]))
    tensor([0. , 0.5, 1. ])
    """

    symbol = "σ"
    formula = lambda x: 1 / (1 + exp(-x))
    derivative = lambda z: z * (1 - z)


sigmoid = unary(Sigmoid)

relu = activation(Relu, numbers)


def unless(condition, x):
    """x in a branch that isn't taken where the condition holds: 0 there, lest 0 · ∞ make a gradient NaN."""
    return Call("where", (condition, expression(0), x), x)


def nonpositive(x):
    """x in a branch that is taken where x ≤ 0: elsewhere 0, lest eˣ overflow in the branch that isn't taken."""
    return unless(x >= 0, x)


@named("Φ")
def normal_cdf(x):
    """The distribution function of the standard normal."""
    return HALF * (1 + erf(x * Constant(math.sqrt(0.5), "√½", r"\sqrt{\frac{1}{2}}")))


@named("φ")
def normal_pdf(x):
    """The density of the standard normal."""
    return Constant(1 / math.sqrt(2 * math.pi), "1/√(2π)", r"\frac{1}{\sqrt{2\pi}}") * exp(-(HALF * x**2))


class LeakyRelu(Elementwise):
    """Leaky rectifier."""

    symbol = "leaky relu"
    slope: float = 0.01
    formula = lambda x, slope: where(x > 0, x, slope * x)
    derivative = lambda x, slope: where(x <= 0, slope, 1)


class Elu(Elementwise):
    """Exponential linear unit."""

    symbol, numpy = "elu", lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))
    alpha: float = 1.0
    formula = lambda x, alpha: where(x > 0, x, alpha * expm1(x))
    derivative = lambda x, alpha: where(x > 0, 1, alpha * exp(nonpositive(x)))


class Softplus(Elementwise):
    """A smooth relu."""

    symbol, numpy = "softplus", lambda x, beta: np.logaddexp(x * beta, 0) / beta
    beta: float = 1.0
    formula = lambda x, beta: log(1 + exp(beta * x)) / beta
    derivative = lambda x, beta: sigmoid(beta * x)


class Silu(Elementwise):
    """Also called swish.

    Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units, Neural Networks 107, 2018.

    >>> tg.silu(tg.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    symbol = "silu"
    formula = lambda x: x * sigmoid(x)
    derivative = lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))


class Gelu(Elementwise):
    """Gaussian error linear unit."""

    symbol = "gelu"
    formula = lambda x: x * normal_cdf(x)
    derivative = lambda x: normal_cdf(x) + x * normal_pdf(x)


silu = activation(Silu)


@in_formulas(LeakyRelu)
def leaky_relu(input: TensorLike, negative_slope: TensorLike = 0.01, inplace: bool = False) -> Tensor:
    """Leaky rectifier, with the slope `negative_slope` below 0. `inplace` is accepted, and the result is a new tensor.

    A slope that is a tensor broadcasts against x and is differentiated in too: the parametric rectifier (PReLU) of He
    et al., Delving Deep into Rectifiers, ICCV 2015.

    Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013.

    >>> tg.leaky_relu(tg.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    if inplace is not False and inplace is not True:
        flag("leaky_relu", "inplace", inplace)
    x = floating(input)
    slope = number_or_tensor("leaky_relu", "negative_slope", negative_slope, x)
    if isinstance(slope, float):
        return apply(LeakyRelu, x, slope=slope)
    return where(x > 0, x, slope * where(x > 0, 0.0, x))  # no 0 · ∞ in the slope's gradient


@in_formulas(Elu)
def elu(input: TensorLike, alpha: TensorLike = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit. An α that is a tensor broadcasts, and is differentiated in too.

    `inplace` is accepted, and the result is a new tensor.

    Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by ELUs, ICLR 2016.

    >>> tg.elu(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    if inplace is not False and inplace is not True:
        flag("elu", "inplace", inplace)
    x = floating(input)
    alpha = number_or_tensor("elu", "alpha", alpha, x)
    if isinstance(alpha, float):
        return apply(Elu, x, alpha=alpha)
    return where(x >= 0, x, alpha * expm1(where(x > 0, 0.0, x)))


@in_formulas(Gelu)
def gelu(input: TensorLike, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, with Φ the distribution function of the standard normal and φ its density.

    `approximate="tanh"` takes ½x(1 + tanh(√(2/π)(x + 0.044715x³))) instead; other words raise ArgumentError.
    Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415.

    >>> tg.gelu(tg.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    x = floating(input)
    if isinstance(approximate, str) and approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    if not isinstance(approximate, str) or approximate != "none":
        raise ArgumentError(restate("gelu", 'approximate must be "none" or "tanh"', approximate=approximate))
    return apply(Gelu, for_kernel("gelu", x))


@in_formulas(Softplus)
def softplus(input: TensorLike, beta: TensorLike = 1.0, threshold: float = 20.0) -> Tensor:
    """A smooth relu, exact for large |x| too. A tensor β is differentiated in too.

    Where β · x is above `threshold`, PyTorch takes x itself. The default is so high that the two agree to rounding, and
    the exact function is taken everywhere; a lower threshold is followed.

    >>> tg.softplus(tg.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """
    x = floating(input)
    beta = number_or_tensor("softplus", "beta", beta, x)
    smooth = apply(Softplus, x, beta=beta) if isinstance(beta, float) else apply(Softplus, x * beta, beta=1.0) / beta
    threshold = number("softplus", "threshold", threshold)
    return smooth if threshold >= 20 else where(x * beta > threshold, x, smooth)
