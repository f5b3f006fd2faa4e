"""Bilinear, a product of two inputs, and Unflatten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn.layers.linear import reset_uniform
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.layers.bilinear import bilinear
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class Bilinear(Module):
    """z_k = xᵀ · W_k · y + b_k, `tg.bilinear`: x `(..., in1_features)`, y `(..., in2_features)`.

    Args:
        in1_features: the size of the last axis of x.
        in2_features: the size of the last axis of y.
        out_features: the size of the last axis of z.
        bias: whether the layer has a bias b.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    `weight` `(out_features, in1_features, in2_features)` and `bias` start uniform on ±1/√in1_features.

    >>> import tensorgrad as tg
    >>> tg.nn.Bilinear(2, 3, 4)(tg.zeros(5, 2), tg.zeros(5, 3)).shape
    (5, 4)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        call = "Bilinear"
        (self.in1_features,) = as_tuple(in1_features, 1, op=call, name="in1_features", minimum=1)
        (self.in2_features,) = as_tuple(in2_features, 1, op=call, name="in2_features", minimum=0)
        (self.out_features,) = as_tuple(out_features, 1, op=call, name="out_features", minimum=0)
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = new_parameter(call, shape, device, dtype)
        self.bias = new_parameter(call, shape[:1], device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        reset_uniform(self, self.in1_features)

    def forward(self, input1: TensorLike, input2: TensorLike) -> Tensor:
        """The product."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{sizes}, out_features={self.out_features}, bias={self.bias is not None}"


class Unflatten(Module):
    """Split one axis into several: the inverse of Flatten.

    Args:
        dim: the axis.
        unflattened_size: the sizes of the new axes, of which one may be −1.

    Raises:
        ShapeError: sizes whose product isn't the axis's size.

    >>> import tensorgrad as tg
    >>> tg.nn.Unflatten(1, (3, 4, 4))(tg.zeros(2, 48)).shape
    (2, 3, 4, 4)
    """

    _settings_shown = ("dim", "unflattened_size")

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = dim
        count = len(unflattened_size)
        sizes = as_tuple(tuple(unflattened_size), count, op="Unflatten", name="unflattened_size", minimum=-1)
        self.unflattened_size = sizes

    def forward(self, input: TensorLike) -> Tensor:
        """The input with more axes."""
        x = as_tensor(input)
        axis, sizes = normalize_axis("Unflatten", x, self.dim, "dim"), list(self.unflattened_size)
        if sizes.count(-1) == 1:
            others = -math.prod(sizes)
            sizes[sizes.index(-1)] = x.shape[axis] // others if others else 0
        if -1 in sizes or math.prod(sizes) != x.shape[axis]:
            problem = f"the product of {self.unflattened_size} must be {x.shape[axis]}, the size of the axis {self.dim}"
            raise ShapeError(restate("Unflatten", problem, input=x))
        return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])
