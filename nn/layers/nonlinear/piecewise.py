"""Piecewise linear activation layers. Each calls the function of the same name."""

from __future__ import annotations

from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.init import constant_
from tensorgrad.nn.layers.activations import InPlace
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.elementwise import piecewise
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class Hardtanh(InPlace):
    """z = min(max(x, min_val), max_val), `F.hardtanh`.

    Args:
        min_val: the lower bound.
        max_val: the upper bound.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.Hardtanh()(tg.tensor([-2.0, 0.5]))
    tensor([-1. ,  0.5])
    """

    _settings_shown: tuple[str, ...] = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not min_val < max_val:
            problem = f"min_val must be below max_val, got {min_val} and {max_val}"
            raise ArgumentError(restate(type(self).__name__, problem, min_val=min_val, max_val=max_val))
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: TensorLike) -> Tensor:
        """The clipped input."""
        return piecewise.hardtanh(input, self.min_val, self.max_val)


class ReLU6(Hardtanh):
    """z = min(max(x, 0), 6), `F.relu6`. `inplace` is accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.ReLU6()(tg.tensor([-2.0, 8.0]))
    tensor([0., 6.])
    """

    _settings_shown = ()

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class Hardsigmoid(InPlace):
    """z = min(max(x + 3, 0), 6) / 6, `F.hardsigmoid`. `inplace` is accepted, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.Hardsigmoid()(tg.tensor([-4.0, 1.5]))
    tensor([0.  , 0.75])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """Min(max(x + 3, 0), 6) / 6."""
        return piecewise.hardsigmoid(input)

    def extra_repr(self) -> str:
        """Nothing: PyTorch doesn't show `inplace` here."""
        return ""


class Hardswish(InPlace):
    """z = x · min(max(x + 3, 0), 6) / 6, `F.hardswish`. `inplace` is accepted, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.Hardswish()(tg.tensor([-4.0, 4.0]))
    tensor([-0.,  4.])
    """

    def forward(self, input: TensorLike) -> Tensor:
        """Element by element, z = x · min(max(x + 3, 0), 6) / 6."""
        return piecewise.hardswish(input)

    def extra_repr(self) -> str:
        """Nothing: PyTorch doesn't show `inplace` here."""
        return ""


class Threshold(InPlace):
    """z = x where x > threshold, else value, `F.threshold`.

    Args:
        threshold: the bound.
        value: the result where x is at most the bound.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.Threshold(0.5, -9.0)(tg.tensor([0.5, 2.0]))
    tensor([-9.,  2.])
    """

    _settings_shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: TensorLike) -> Tensor:
        """The input above the threshold, else the value."""
        return piecewise.threshold(input, self.threshold, self.value)


class Hardshrink(Module):
    """z = x where |x| > λ, else 0, `F.hardshrink`.

    Args:
        lambd: λ.

    >>> import tensorgrad as tg
    >>> tg.nn.Hardshrink()(tg.tensor([-2.0, 0.3, 0.7]))
    tensor([-2. ,  0. ,  0.7])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, input: TensorLike) -> Tensor:
        """The shrunk input."""
        return piecewise.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The settings."""
        return str(self.lambd)


class Softshrink(Module):
    """z = x moved towards 0 by λ, and 0 where |x| ≤ λ, `F.softshrink`.

    Args:
        lambd: λ ≥ 0.

    >>> import tensorgrad as tg
    >>> tg.nn.Softshrink()(tg.tensor([-2.0, 0.3, 0.7]))
    tensor([-1.5,  0. ,  0.2])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, input: TensorLike) -> Tensor:
        """The shrunk input."""
        return piecewise.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The settings."""
        return str(self.lambd)


class PReLU(Module):
    """z = x where x > 0, else w · x, with learned slopes w, `tg.prelu`.

    He et al., Delving Deep into Rectifiers, ICCV 2015.

    Args:
        num_parameters: 1 slope for all channels, or C for one each; x is `(N, C, ...)`.
        init: the initial slope.
        device: only the CPU.
        dtype: of the slopes.

    `weight` is `(num_parameters,)`.

    >>> import tensorgrad as tg
    >>> tg.nn.PReLU()(tg.tensor([-2.0, 2.0])).detach()
    tensor([-0.5,  2. ])
    """

    _settings_shown = ("num_parameters",)

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: DTypeLike = None
    ) -> None:
        (self.num_parameters,) = as_tuple(num_parameters, 1, op="PReLU", name="num_parameters", minimum=1)
        self.init = init
        self.weight = new_parameter("PReLU", (self.num_parameters,), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset the slopes to `init`."""
        constant_(self.weight, self.init)

    def forward(self, input: TensorLike) -> Tensor:
        """The input above 0, else w · input."""
        return piecewise.prelu(input, self.weight)


class RReLU(InPlace):
    """z = x where x > 0, else a slope times x, `tg.rrelu`: random in training, the mean of the bounds in evaluation.

    Args:
        lower: the smallest slope.
        upper: the largest slope.
        inplace: accepted and shown, but the input isn't overwritten.

    >>> import tensorgrad as tg
    >>> tg.nn.RReLU(0.25, 0.75).eval()(tg.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    _settings_shown = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: TensorLike) -> Tensor:
        """The rectified input."""
        return piecewise.rrelu(input, self.lower, self.upper, self.training)
