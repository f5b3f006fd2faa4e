"""Smooth activation layers, and those that act along an axis. Each calls the function of the same name."""

from __future__ import annotations

from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn.layers.activations import InPlace
from tensorgrad.nn.module import Module
from tensorgrad.ops.elementwise import smooth
from tensorgrad.ops.layers import gates
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.softmax import softmax
from tensorgrad.tensor import Tensor


class SELU(InPlace):
    """z = λx where x > 0, else λα(eˣ − 1), `tg.selu`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.SELU()(tg.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The scaled exponential linear unit."""
        return smooth.selu(input)


class CELU(InPlace):
    """z = x where x > 0, else α(e^(x/α) − 1), `tg.celu`.

    Args:
        alpha: α, not 0.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.CELU(2.0)(tg.tensor([-1.0, 2.0]))
    tensor([-0.7869,  2.    ])
    """

    _settings_shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: TensorLike) -> Tensor:
        """The continuously differentiable exponential linear unit."""
        return smooth.celu(input, self.alpha)


class Mish(InPlace):
    """z = x · tanh(softplus(x)), `F.mish`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.Mish()(tg.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.944 ])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The input times tanh(softplus(input))."""
        return smooth.mish(input)


class LogSigmoid(Module):
    """z = ln σ(x), `F.logsigmoid`.

    >>> import tensorgrad as tg
    >>> tg.nn.LogSigmoid()(tg.tensor([0.0]))
    tensor([-0.6931])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The logarithm of the logistic function."""
        return smooth.logsigmoid(input)


class Softsign(Module):
    """z = x / (1 + |x|), `F.softsign`.

    >>> import tensorgrad as tg
    >>> tg.nn.Softsign()(tg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The input over 1 + |input|."""
        return smooth.softsign(input)


class Tanhshrink(Module):
    """z = x − tanh x, `F.tanhshrink`.

    >>> import tensorgrad as tg
    >>> tg.nn.Tanhshrink()(tg.tensor([-1.0, 2.0]))
    tensor([-0.2384,  1.036 ])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The input less its hyperbolic tangent."""
        return smooth.tanhshrink(input)


class GLU(Module):
    """z = a · σ(b), where a and b are the halves of x along `dim`, `F.glu`.

    Args:
        dim: the axis to halve; its size must be even.

    >>> import tensorgrad as tg
    >>> tg.nn.GLU()(tg.tensor([3.0, 0.0]))
    tensor([1.5])
    """

    _settings_shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: TensorLike) -> Tensor:
        """The first half, gated by the second."""
        return gates.glu(input, self.dim)


class Softmin(Module):
    """zᵢ = e^−xᵢ / Σⱼ e^−xⱼ along `dim`, `F.softmin`.

    Args:
        dim: the axis; None for axis 0 of inputs with 0, 1 or 3 axes, else axis 1.

    >>> import tensorgrad as tg
    >>> tg.nn.Softmin(dim=0)(tg.tensor([-1.0, 2.0]))
    tensor([0.9526, 0.0474])
    """

    _settings_shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, input: TensorLike) -> Tensor:
        """The probabilities."""
        return gates.softmin(input, self.dim)


class Softmax2d(Module):
    """The softmax over the channels of each pixel: x `(N, C, H, W)` or `(C, H, W)`.

    Raises:
        ShapeError: an x of another number of axes.

    >>> import tensorgrad as tg
    >>> tg.nn.Softmax2d()(tg.zeros(1, 2, 1, 1)).flatten()
    tensor([0.5, 0.5])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """The probabilities of the channels."""
        x = as_tensor(input)
        if x.ndim not in (3, 4):
            problem = f"input must be (N, C, H, W) or (C, H, W), got {x.shape}"
            raise ShapeError(restate("Softmax2d", problem, input=x))
        return softmax(x, -3)
