"""Activation layers. Each calls the function of the same name."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike


class InPlace(Module):
    """Layers whose PyTorch counterpart takes `inplace`: accepted and shown, but a result never overwrites its input."""

    inplace: bool = False

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The settings, and `inplace` if it is set."""
        settings = super().extra_repr()
        return settings + (", " if settings else "") + "inplace=True" if self.inplace else settings


class ReLU(InPlace):
    """z = max(x, 0), `tg.relu`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.ReLU()(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """max(x, 0)."""
        return tg.relu(input)


class LeakyReLU(InPlace):
    """z = x where x > 0, else negative_slope · x, `tg.leaky_relu`.

    Args:
        negative_slope: the slope below 0.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.LeakyReLU(0.1)(tg.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    _settings_shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The input where x > 0, else negative_slope · x."""
        return tg.leaky_relu(input, self.negative_slope)


class ELU(InPlace):
    """z = x where x > 0, else α(eˣ − 1), `tg.elu`.

    Args:
        alpha: α.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.ELU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """

    _settings_shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The input where x > 0, else α(eˣ − 1)."""
        return tg.elu(input, self.alpha)


class GELU(Module):
    """z = x · Φ(x), `tg.gelu`.

    Args:
        approximate: "none", or "tanh" for the cheaper formula.

    >>> import tensorgrad as tg
    >>> tg.nn.GELU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    _settings_shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, input: TensorLike) -> tg.Tensor:
        """x · Φ(x)."""
        return tg.gelu(input, self.approximate)


class SiLU(InPlace):
    """z = x · σ(x), `tg.silu`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.SiLU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """x · σ(x)."""
        return tg.silu(input)


class Softplus(Module):
    """z = ln(1 + e^(βx)) / β, `tg.softplus`.

    Args:
        beta: β, not 0; the larger it is, the closer the curve is to relu.
        threshold: where βx is above it, the result is x; the default is so high that this changes nothing.

    >>> import tensorgrad as tg
    >>> tg.nn.Softplus()(tg.tensor([-1.0, 2.0]))
    tensor([0.3133, 2.1269])
    """

    _settings_shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, input: TensorLike) -> tg.Tensor:
        """ln(1 + e^(βx)) / β."""
        return tg.softplus(input, self.beta, self.threshold)


class Sigmoid(Module):
    """z = 1 / (1 + e⁻ˣ), `tg.sigmoid`.

    >>> import tensorgrad as tg
    >>> tg.nn.Sigmoid()(tg.tensor([-1.0, 2.0]))
    tensor([0.2689, 0.8808])
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """1 / (1 + e⁻ˣ)."""
        return tg.sigmoid(input)


class Tanh(Module):
    """z = tanh x, `tg.tanh`.

    >>> import tensorgrad as tg
    >>> tg.nn.Tanh()(tg.tensor([-1.0, 2.0]))
    tensor([-0.7616,  0.964 ])
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """Hyperbolic tangent of x."""
        return tg.tanh(input)


class Softmax(Module):
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ along `dim`, `tg.softmax`.

    Args:
        dim: the axis; without it a warning says which one is taken.

    >>> import tensorgrad as tg
    >>> tg.nn.Softmax(dim=0)(tg.tensor([-1.0, 2.0]))
    tensor([0.0474, 0.9526])
    """

    _settings_shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The probabilities."""
        return tg.softmax(input, self.dim)


class LogSoftmax(Softmax):
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ along `dim`, `tg.log_softmax`.

    Args:
        dim: the axis; without it a warning says which one is taken.

    >>> import tensorgrad as tg
    >>> tg.nn.LogSoftmax(dim=0)(tg.tensor([-1.0, 2.0]))
    tensor([-3.0486, -0.0486])
    """

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The logarithms of the probabilities."""
        return tg.log_softmax(input, self.dim)
