"""Exponentials, logarithms, roots, and the trigonometric and hyperbolic functions. Elementwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.ops.elementwise.activation import activation_gradient
from tensorgrad.ops.operands import TensorLike, floating, for_kernel, quiet, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "reciprocal",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]


class Exp(Op):
    """z = eˣ."""

    symbol, formula = "eˣ", "z = eˣ"
    derivatives = ("∂z/∂x = z",)

    @quiet
    def forward(self, x):
        return np.exp(x)

    def backward_x(self, grad, z):
        return grad * z


class Expm1(Op):
    """z = eˣ − 1."""

    symbol, formula = "eˣ−1", "z = eˣ − 1"
    derivatives = ("∂z/∂x = z + 1",)

    @quiet
    def forward(self, x):
        return np.expm1(x)

    def backward_x(self, grad, z):
        return grad * (z + 1)


class Log(Op):
    """z = ln x."""

    symbol, formula = "ln", "z = ln x"
    derivatives = ("∂z/∂x = 1/x",)

    @quiet
    def forward(self, x):
        return np.log(x)

    def backward_x(self, grad, x):
        return grad / x


class Log1p(Op):
    """z = ln(1 + x)."""

    symbol, formula = "ln(1+x)", "z = ln(1 + x)"
    derivatives = ("∂z/∂x = 1/(1 + x)",)

    @quiet
    def forward(self, x):
        return np.log1p(x)

    def backward_x(self, grad, x):
        return grad / (x + 1)


class Log2(Op):
    """z = log₂ x."""

    symbol, formula = "log₂", "z = log₂ x"
    derivatives = ("∂z/∂x = 1/(x · ln 2)",)

    @quiet
    def forward(self, x):
        return np.log2(x)

    def backward_x(self, grad, x):
        return grad / (x * math.log(2))


class Sqrt(Op):
    """z = √x."""

    symbol, formula = "√", "z = √x"
    derivatives = ("∂z/∂x = 1/(2z)",)

    @quiet
    def forward(self, x):
        return np.sqrt(x)

    def backward_x(self, grad, z):
        return grad / (2 * z)


class Reciprocal(Op):
    """z = 1/x."""

    symbol, formula = "1/x", "z = 1/x"
    derivatives = ("∂z/∂x = −z²",)

    @quiet
    def forward(self, x):
        return np.reciprocal(x)

    def backward_x(self, grad, z):
        return -grad * z * z


class Sin(Op):
    """z = sin x."""

    symbol, formula = "sin", "z = sin x"
    derivatives = ("∂z/∂x = cos x",)

    @quiet
    def forward(self, x):
        return np.sin(x)

    def backward_x(self, grad, x):
        return grad * cos(x)


class Cos(Op):
    """z = cos x."""

    symbol, formula = "cos", "z = cos x"
    derivatives = ("∂z/∂x = −sin x",)

    @quiet
    def forward(self, x):
        return np.cos(x)

    def backward_x(self, grad, x):
        return -grad * sin(x)


class Tan(Op):
    """z = tan x."""

    symbol, formula = "tan", "z = tan x"
    derivatives = ("∂z/∂x = 1 + z²",)

    @quiet
    def forward(self, x):
        return np.tan(x)

    def backward_x(self, grad, z):
        return grad * (1 + z * z)


class Arcsin(Op):
    """z = arcsin x."""

    symbol, formula = "arcsin", "z = arcsin x"
    derivatives = ("∂z/∂x = 1/√(1 − x²)",)

    @quiet
    def forward(self, x):
        return np.arcsin(x)

    def backward_x(self, grad, x):
        return grad / sqrt(1 - x * x)


class Arccos(Op):
    """z = arccos x."""

    symbol, formula = "arccos", "z = arccos x"
    derivatives = ("∂z/∂x = −1/√(1 − x²)",)

    @quiet
    def forward(self, x):
        return np.arccos(x)

    def backward_x(self, grad, x):
        return -grad / sqrt(1 - x * x)


class Arctan(Op):
    """z = arctan x."""

    symbol, formula = "arctan", "z = arctan x"
    derivatives = ("∂z/∂x = 1/(1 + x²)",)

    @quiet
    def forward(self, x):
        return np.arctan(x)

    def backward_x(self, grad, x):
        return grad / (1 + x * x)


class Sinh(Op):
    """z = sinh x."""

    symbol, formula = "sinh", "z = sinh x"
    derivatives = ("∂z/∂x = cosh x",)

    @quiet
    def forward(self, x):
        return np.sinh(x)

    def backward_x(self, grad, x):
        return grad * cosh(x)


class Cosh(Op):
    """z = cosh x."""

    symbol, formula = "cosh", "z = cosh x"
    derivatives = ("∂z/∂x = sinh x",)

    @quiet
    def forward(self, x):
        return np.cosh(x)

    def backward_x(self, grad, x):
        return grad * sinh(x)


class Tanh(Op):
    """z = tanh x."""

    symbol, formula = "tanh", "z = tanh x"
    derivatives = ("∂z/∂x = 1 − z²",)

    @widened
    def forward(self, x):
        return kernels.activations.activation("tanh", x)

    def backward_x(self, grad, z):
        if not is_grad_enabled():
            return activation_gradient("tanh", grad, z)
        return grad * (1 - z * z)


class Arcsinh(Op):
    """z = arcsinh x."""

    symbol, formula = "arcsinh", "z = arcsinh x"
    derivatives = ("∂z/∂x = 1/√(x² + 1)",)

    @quiet
    def forward(self, x):
        return np.arcsinh(x)

    def backward_x(self, grad, x):
        return grad / sqrt(x * x + 1)


class Arccosh(Op):
    """z = arccosh x."""

    symbol, formula = "arccosh", "z = arccosh x"
    derivatives = ("∂z/∂x = 1/√(x² − 1)",)

    @quiet
    def forward(self, x):
        return np.arccosh(x)

    def backward_x(self, grad, x):
        return grad / sqrt(x * x - 1)


class Arctanh(Op):
    """z = arctanh x."""

    symbol, formula = "arctanh", "z = arctanh x"
    derivatives = ("∂z/∂x = 1/(1 − x²)",)

    @quiet
    def forward(self, x):
        return np.arctanh(x)

    def backward_x(self, grad, x):
        return grad / (1 - x * x)


class Erf(Op):
    """z = 2/√π ∫₀ˣ e^(−t²) dt."""

    symbol, formula = "erf", "z = 2/√π ∫₀ˣ e^(−t²) dt"
    derivatives = ("∂z/∂x = 2/√π · e^(−x²)",)

    @quiet
    def forward(self, x):
        return kernels.special.erf(x)

    def backward_x(self, grad, x):
        return grad * (2 / math.sqrt(math.pi) * exp(-x * x))


def exp(x: TensorLike) -> Tensor:
    """z = eˣ. ∂z/∂x = z.

    >>> import tensorgrad as tg
    >>> tg.exp(tg.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """
    return apply(Exp, floating(x))


def expm1(x: TensorLike) -> Tensor:
    """z = eˣ − 1, exact near 0. ∂z/∂x = z + 1.

    >>> import tensorgrad as tg
    >>> tg.expm1(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.7183])
    """
    return apply(Expm1, floating(x))


def log(x: TensorLike) -> Tensor:
    """z = ln x; −inf at 0, NaN below. ∂z/∂x = 1/x.

    >>> import tensorgrad as tg
    >>> tg.log(tg.tensor([1.0, 2.0]))
    tensor([0.    , 0.6931])
    """
    return apply(Log, floating(x))


def log1p(x: TensorLike) -> Tensor:
    """z = ln(1 + x), exact near 0. ∂z/∂x = 1/(1 + x).

    >>> import tensorgrad as tg
    >>> tg.log1p(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.6931])
    """
    return apply(Log1p, floating(x))


def log2(x: TensorLike) -> Tensor:
    """z = log₂ x; −inf at 0, NaN below. ∂z/∂x = 1/(x · ln 2).

    >>> import tensorgrad as tg
    >>> tg.log2(tg.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return apply(Log2, floating(x))


def sqrt(x: TensorLike) -> Tensor:
    """z = √x; NaN below 0, an infinite slope at 0. ∂z/∂x = 1/(2z).

    >>> import tensorgrad as tg
    >>> tg.sqrt(tg.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return apply(Sqrt, floating(x))


def reciprocal(x: TensorLike) -> Tensor:
    """z = 1/x. ∂z/∂x = −z².

    >>> import tensorgrad as tg
    >>> tg.reciprocal(tg.tensor([2.0, 4.0]))
    tensor([0.5 , 0.25])
    """
    return apply(Reciprocal, floating(x))


def sin(x: TensorLike) -> Tensor:
    """z = sin x, x in radians. ∂z/∂x = cos x.

    >>> import tensorgrad as tg
    >>> tg.sin(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8415])
    """
    return apply(Sin, floating(x))


def cos(x: TensorLike) -> Tensor:
    """z = cos x, x in radians. ∂z/∂x = −sin x.

    >>> import tensorgrad as tg
    >>> tg.cos(tg.tensor([0.0, 1.0]))
    tensor([1.    , 0.5403])
    """
    return apply(Cos, floating(x))


def tan(x: TensorLike) -> Tensor:
    """z = tan x, x in radians. ∂z/∂x = 1 + z².

    >>> import tensorgrad as tg
    >>> tg.tan(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.5574])
    """
    return apply(Tan, floating(x))


def arcsin(x: TensorLike) -> Tensor:
    """z = arcsin x in radians; NaN outside [−1, 1]. ∂z/∂x = 1/√(1 − x²).

    >>> import tensorgrad as tg
    >>> tg.arcsin(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.5708])
    """
    return apply(Arcsin, floating(x))


def arccos(x: TensorLike) -> Tensor:
    """z = arccos x in radians; NaN outside [−1, 1]. ∂z/∂x = −1/√(1 − x²).

    >>> import tensorgrad as tg
    >>> tg.arccos(tg.tensor([0.0, 1.0]))
    tensor([1.5708, 0.    ])
    """
    return apply(Arccos, floating(x))


def arctan(x: TensorLike) -> Tensor:
    """z = arctan x in radians. ∂z/∂x = 1/(1 + x²).

    >>> import tensorgrad as tg
    >>> tg.arctan(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7854])
    """
    return apply(Arctan, floating(x))


def sinh(x: TensorLike) -> Tensor:
    """z = sinh x. ∂z/∂x = cosh x.

    >>> import tensorgrad as tg
    >>> tg.sinh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 1.1752])
    """
    return apply(Sinh, floating(x))


def cosh(x: TensorLike) -> Tensor:
    """z = cosh x. ∂z/∂x = sinh x.

    >>> import tensorgrad as tg
    >>> tg.cosh(tg.tensor([0.0, 1.0]))
    tensor([1.    , 1.5431])
    """
    return apply(Cosh, floating(x))


def tanh(x: TensorLike) -> Tensor:
    """z = tanh x. ∂z/∂x = 1 − z².

    >>> import tensorgrad as tg
    >>> tg.tanh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7616])
    """
    return apply(Tanh, floating(x))


def arcsinh(x: TensorLike) -> Tensor:
    """z = arcsinh x. ∂z/∂x = 1/√(x² + 1).

    >>> import tensorgrad as tg
    >>> tg.arcsinh(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8814])
    """
    return apply(Arcsinh, floating(x))


def arccosh(x: TensorLike) -> Tensor:
    """z = arccosh x; NaN below 1. ∂z/∂x = 1/√(x² − 1).

    >>> import tensorgrad as tg
    >>> tg.arccosh(tg.tensor([1.0, 2.0]))
    tensor([0.   , 1.317])
    """
    return apply(Arccosh, floating(x))


def arctanh(x: TensorLike) -> Tensor:
    """z = arctanh x; NaN outside [−1, 1]. ∂z/∂x = 1/(1 − x²).

    >>> import tensorgrad as tg
    >>> tg.arctanh(tg.tensor([0.0, 0.5]))
    tensor([0.    , 0.5493])
    """
    return apply(Arctanh, floating(x))


def erf(x: TensorLike) -> Tensor:
    """z = 2/√π ∫₀ˣ e^(−t²) dt, the error function. ∂z/∂x = 2/√π · e^(−x²).

    >>> import tensorgrad as tg
    >>> tg.erf(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8427])
    """
    return apply(Erf, for_kernel("erf", x))
