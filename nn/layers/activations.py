"""Activation layers. Each calls the function of the same name."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike


class InPlace(Module):
    """Layers whose PyTorch counterpart takes `inplace`: accepted and shown, but a result never overwrites its input."""

    inplace: bool = False

    def _shown(self, *settings: str) -> str:
        return ", ".join([*settings, "inplace=True"] if self.inplace else settings)


class ReLU(InPlace):
    """z = max(x, 0), `tg.relu`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.ReLU()(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def forward(self, x: TensorLike) -> tg.Tensor:
        """max(x, 0)."""
        return tg.relu(x)

    def extra_repr(self) -> str:
        """The setting."""
        return self._shown()


class LeakyReLU(InPlace):
    """z = x where x > 0, else negative_slope · x, `tg.leaky_relu`.

    Args:
        negative_slope: the slope below 0.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.LeakyReLU(0.1)(tg.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The input where x > 0, else negative_slope · x."""
        return tg.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """The settings."""
        return self._shown(f"negative_slope={self.negative_slope}")


class ELU(InPlace):
    """z = x where x > 0, else α(eˣ − 1), `tg.elu`.

    Args:
        alpha: α.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.ELU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The input where x > 0, else α(eˣ − 1)."""
        return tg.elu(x, self.alpha)

    def extra_repr(self) -> str:
        """The settings."""
        return self._shown(f"alpha={self.alpha}")


class GELU(Module):
    """z = x · Φ(x), `tg.gelu`.

    Args:
        approximate: "none", or "tanh" for the cheaper formula.

    >>> import tensorgrad as tg
    >>> tg.nn.GELU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: TensorLike) -> tg.Tensor:
        """x · Φ(x)."""
        return tg.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """The setting."""
        return f"approximate={self.approximate!r}"


class SiLU(InPlace):
    """z = x · σ(x), `tg.silu`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.SiLU()(tg.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def forward(self, x: TensorLike) -> tg.Tensor:
        """x · σ(x)."""
        return tg.silu(x)

    def extra_repr(self) -> str:
        """The setting."""
        return self._shown()


class Softplus(Module):
    """z = ln(1 + e^(βx)) / β, `tg.softplus`: exact everywhere, so PyTorch's `threshold` isn't needed.

    Args:
        beta: β, not 0; the larger it is, the closer the curve is to relu.

    >>> import tensorgrad as tg
    >>> tg.nn.Softplus()(tg.tensor([-1.0, 2.0]))
    tensor([0.3133, 2.1269])
    """

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def forward(self, x: TensorLike) -> tg.Tensor:
        """ln(1 + e^(βx)) / β."""
        return tg.softplus(x, self.beta)

    def extra_repr(self) -> str:
        """The setting."""
        return f"beta={self.beta}"


class Sigmoid(Module):
    """z = 1 / (1 + e⁻ˣ), `tg.sigmoid`.

    >>> import tensorgrad as tg
    >>> tg.nn.Sigmoid()(tg.tensor([-1.0, 2.0]))
    tensor([0.2689, 0.8808])
    """

    def forward(self, x: TensorLike) -> tg.Tensor:
        """1 / (1 + e⁻ˣ)."""
        return tg.sigmoid(x)


class Tanh(Module):
    """z = tanh x, `tg.tanh`.

    >>> import tensorgrad as tg
    >>> tg.nn.Tanh()(tg.tensor([-1.0, 2.0]))
    tensor([-0.7616,  0.964 ])
    """

    def forward(self, x: TensorLike) -> tg.Tensor:
        """Hyperbolic tangent of x."""
        return tg.tanh(x)


class Softmax(Module):
    """zᵢ = e^xᵢ / Σⱼ e^xⱼ along `dim`, `tg.softmax`.

    Args:
        dim: the axis, the last by default.

    >>> import tensorgrad as tg
    >>> tg.nn.Softmax()(tg.tensor([-1.0, 2.0]))
    tensor([0.0474, 0.9526])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The probabilities."""
        return tg.softmax(x, self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """zᵢ = xᵢ − ln Σⱼ e^xⱼ along `dim`, `tg.log_softmax`.

    Args:
        dim: the axis, the last by default.

    >>> import tensorgrad as tg
    >>> tg.nn.LogSoftmax()(tg.tensor([-1.0, 2.0]))
    tensor([-3.0486, -0.0486])
    """

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The logarithms of the probabilities."""
        return tg.log_softmax(x, self.dim)
