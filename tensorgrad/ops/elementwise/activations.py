"""Activation functions. Elementwise; all but relu and leaky_relu are smooth enough to be differentiated twice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.ops.elementwise.activation import activation_gradient
from tensorgrad.ops.elementwise.arithmetic import where
from tensorgrad.ops.elementwise.transcendental import erf, exp, expm1
from tensorgrad.ops.operands import TensorLike, floating, for_kernel, number_or_tensor, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus"]


class Relu(Op):
    """z = max(x, 0); the derivative at 0 is taken as 0. NaN is carried, and the gradient passes there."""

    symbol, formula = "relu", "z = max(x, 0)"
    derivatives = ("∂z/∂x = [x > 0]",)

    def forward(self, x):
        return rectified(x)

    def backward_x(self, grad, z):
        # The sign of z tells that of x, and z lives on in the next layer anyway; x would have to be kept.
        return apply(ReluGradient, grad, z.detach())


class ReluGradient(Op):
    """z = 0 where y ≤ 0, else g: the gradient of the rectifier for its input, y being its output."""

    symbol, formula = "⊙ [y > 0]", "z = g if y > 0 else 0"
    derivatives = ("∂z/∂g = [y > 0]", "")

    def forward(self, g, y):
        return relu_gradient(g, y)

    def backward_g(self, grad, y):
        return apply(ReluGradient, grad, y)


def rectified(x: np.ndarray) -> np.ndarray:
    """The array max(x, 0)."""
    return np.maximum(x, 0) if x.dtype == np.float16 else kernels.pointwise.relu(x)


def relu_gradient(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The array that is 0 where y ≤ 0, else g."""
    return np.where(y <= 0, np.float16(0), g) if g.dtype == np.float16 else kernels.pointwise.relu_gradient(g, y)


class LeakyRelu(Op):
    """z = x where x > 0, else slope · x."""

    symbol, formula = "leaky relu", "z = x if x > 0 else slope · x"
    derivatives = ("∂z/∂x = 1 if x > 0 else slope",)
    slope: float

    @widened
    def forward(self, x):
        return kernels.activations.activation("leaky_relu", x, self.slope)

    def backward_x(self, grad, x):
        if not is_grad_enabled():
            return activation_gradient("leaky_relu", grad, x, self.slope)
        return where(x <= 0, grad * self.slope, grad)


class Elu(Op):
    """z = x where x > 0, else α(eˣ − 1)."""

    symbol, formula = "elu", "z = x if x > 0 else α(eˣ − 1)"
    derivatives = ("∂z/∂x = 1 if x > 0 else α·eˣ",)
    alpha: float

    @widened
    def forward(self, x):
        return kernels.activations.activation("elu", x, self.alpha)

    def backward_x(self, grad, x):
        if not is_grad_enabled():
            return activation_gradient("elu", grad, x, self.alpha)
        return grad * where(x > 0, 1.0, exp(x.clip(high=0)) * self.alpha)


class Sigmoid(Op):
    """z = 1 / (1 + e⁻ˣ)."""

    symbol, formula = "σ", "z = 1 / (1 + e⁻ˣ)"
    derivatives = ("∂z/∂x = z(1 − z)",)

    @widened
    def forward(self, x):
        return kernels.activations.activation("sigmoid", x)

    def backward_x(self, grad, z):
        if not is_grad_enabled():
            return activation_gradient("sigmoid", grad, z)
        return grad * (z * (1 - z))


class Softplus(Op):
    """z = ln(1 + e^(βx)) / β."""

    symbol, formula = "softplus", "z = ln(1 + e^(βx)) / β"
    derivatives = ("∂z/∂x = σ(βx)",)
    beta: float

    @widened
    def forward(self, x):
        return kernels.activations.activation("softplus", x, self.beta)

    def backward_x(self, grad, x):
        if not is_grad_enabled():
            return activation_gradient("softplus", grad, x, self.beta)
        return grad * sigmoid(x * self.beta)


class Silu(Op):
    """z = x · σ(x)."""

    symbol, formula = "silu", "z = x · σ(x)"
    derivatives = ("∂z/∂x = σ(x)(1 + x(1 − σ(x)))",)

    @widened
    def forward(self, x):
        return kernels.activations.activation("silu", x)

    def backward_x(self, grad, x):
        if not is_grad_enabled():
            return activation_gradient("silu", grad, x)
        s = sigmoid(x)
        return grad * (s * (1 + x * (1 - s)))


class Gelu(Op):
    """z = x · Φ(x), Φ the distribution function of the standard normal."""

    symbol, formula = "gelu", "z = x · Φ(x)"
    derivatives = ("∂z/∂x = Φ(x) + x · φ(x)",)

    @widened
    def forward(self, x):
        return kernels.activations.activation("gelu", x)

    def backward_x(self, grad, x):
        if not is_grad_enabled():
            return activation_gradient("gelu", grad, x)
        cumulative = 0.5 * (1 + erf(x * math.sqrt(0.5)))
        density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return grad * (cumulative + x * density)


def relu(x: TensorLike) -> Tensor:
    """z = max(x, 0); ∂z/∂x = [x > 0]. NaN is carried.

    Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010.

    >>> import tensorgrad as tg
    >>> tg.relu(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply(Relu, floating(x))


def leaky_relu(x: TensorLike, negative_slope: TensorLike = 0.01) -> Tensor:
    """z = x where x > 0, else negative_slope · x.

    A slope that is a tensor broadcasts against x and is differentiated in too: the parametric rectifier (PReLU) of He
    et al., Delving Deep into Rectifiers, ICCV 2015.

    Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013.

    >>> import tensorgrad as tg
    >>> tg.leaky_relu(tg.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    x = floating(x)
    slope = number_or_tensor("leaky_relu", "negative_slope", negative_slope, x)
    if isinstance(slope, float):
        return apply(LeakyRelu, x, slope=slope)
    return where(x > 0, x, slope * where(x > 0, 0.0, x))  # no 0 · ∞ in the slope's gradient


def elu(x: TensorLike, alpha: TensorLike = 1.0) -> Tensor:
    """z = x where x > 0, else α(eˣ − 1). An α that is a tensor broadcasts, and is differentiated in too.

    Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by ELUs, ICLR 2016.

    >>> import tensorgrad as tg
    >>> tg.elu(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    x = floating(x)
    alpha = number_or_tensor("elu", "alpha", alpha, x)
    if isinstance(alpha, float):
        return apply(Elu, x, alpha=alpha)
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x)))


def gelu(x: TensorLike, approximate: str = "none") -> Tensor:
    """z = x · Φ(x), Φ the distribution function of the standard normal.

    `approximate="tanh"` takes ½x(1 + tanh(√(2/π)(x + 0.044715x³))) instead; other words raise ArgumentError.
    Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415.

    >>> import tensorgrad as tg
    >>> tg.gelu(tg.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    x = floating(x)
    if isinstance(approximate, str) and approximate == "tanh":
        return 0.5 * x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)).tanh())
    if not isinstance(approximate, str) or approximate != "none":
        raise ArgumentError(
            restate("gelu", "unknown approximation", expected='"none" or "tanh"', approximate=approximate)
        )
    return apply(Gelu, for_kernel("gelu", x))


def silu(x: TensorLike) -> Tensor:
    """z = x · σ(x), also called swish.

    Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units, Neural Networks 107, 2018.

    >>> import tensorgrad as tg
    >>> tg.silu(tg.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return apply(Silu, floating(x))


def softplus(x: TensorLike, beta: TensorLike = 1.0) -> Tensor:
    """z = ln(1 + e^(βx)) / β, a smooth relu; exact for large |x| too. A tensor β is differentiated in too.

    >>> import tensorgrad as tg
    >>> tg.softplus(tg.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """
    x = floating(x)
    beta = number_or_tensor("softplus", "beta", beta, x)
    return apply(Softplus, x, beta=beta) if isinstance(beta, float) else apply(Softplus, x * beta, beta=1.0) / beta


def sigmoid(x: TensorLike) -> Tensor:
    """z = 1 / (1 + e⁻ˣ); ∂z/∂x = z(1 − z).

    >>> import tensorgrad as tg
    >>> tg.sigmoid(tg.tensor([-1e4, 0.0, 1e4]))
    tensor([0. , 0.5, 1. ])
    """
    return apply(Sigmoid, floating(x))
