"""Linear, the fully connected layer, and Identity."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import restated
from tensorgrad.nn import init
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.linear import linear
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

T = TypeVar("T")


class Linear(Module):
    """A fully connected layer, z = x · wᵀ + b: x `(..., in_features)` -> `(..., out_features)`.

    Args:
        in_features: the size of the last axis of x.
        out_features: the size of the last axis of z.
        bias: whether the layer has a bias b.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    `weight` `(out_features, in_features)` and `bias` `(out_features,)` start uniform on ±1/√in_features.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.Linear(10, 10)
    >>> layer, sum(p.numel() for p in layer.parameters())
    (Linear(in_features=10, out_features=10, bias=True), 110)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: DTypeLike = None
    ) -> None:
        (self.in_features,) = as_tuple(in_features, 1, op="Linear", name="in_features", minimum=0)
        (self.out_features,) = as_tuple(out_features, 1, op="Linear", name="out_features", minimum=0)
        with restated("Linear", in_features=in_features, out_features=out_features):
            self.weight = new_parameter("Linear", (self.out_features, self.in_features), device, dtype)
            self.bias = new_parameter("Linear", (self.out_features,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw new initial values, from `generator` or the package's generator."""
        reset_affine(self, generator)

    def forward(self, input: TensorLike) -> Tensor:
        """x · wᵀ + b."""
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def reset_affine(layer: Any, generator: np.random.Generator | None) -> None:
    """PyTorch's default for layers with a weight and a bias: both uniform on ±1/√fan_in."""
    init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        bound = 1 / math.sqrt(max(init.fans("bias", layer.weight)[0], 1))
        init.uniform_(layer.bias, -bound, bound, generator)


def reset_uniform(layer: Module, size: int) -> None:
    """All parameters of a layer uniform on ±1/√size."""
    bound = 1 / math.sqrt(size)
    for parameter in layer.parameters():
        init.uniform_(parameter, -bound, bound)


class Identity(Module):
    """A layer that returns its input; the arguments of the constructor are accepted and ignored.

    >>> import tensorgrad as tg
    >>> tg.nn.Identity()(tg.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: T) -> T:
        """The input itself."""
        return input
