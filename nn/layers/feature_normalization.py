"""Layer, group, root-mean-square and local response normalization: layers without running statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.init import constant_
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter, new_parameter
from tensorgrad.ops.layers import normalization
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class Normalization(Module):
    """The common base: a weight that starts at 1 and a bias that starts at 0, if there are any."""

    weight: Parameter | None
    bias: Parameter | None = None

    def reset_parameters(self) -> None:
        """Reset to the initial values: weight 1, bias 0."""
        for parameter, value in ((self.weight, 1.0), (self.bias, 0.0)):
            if parameter is not None:
                constant_(parameter, value)


class LayerNorm(Normalization):
    """Layer normalization (`tg.layer_norm`) of x `(..., *normalized_shape)`, each example over its last axes.

    Args:
        normalized_shape: the sizes of the last axes; an int for one axis.
        eps: added to the variance, for stability.
        elementwise_affine: whether the layer has a `weight` and a `bias`, both of `normalized_shape`.
        bias: False leaves the `bias` out.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    Raises:
        ShapeError: an x that doesn't end with `normalized_shape`.

    >>> import tensorgrad as tg
    >>> tg.nn.LayerNorm(2)(tg.tensor([1.0, 3.0])).detach()
    tensor([-1.,  1.])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        self.normalized_shape = _as_shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        given = ("LayerNorm", self.normalized_shape, device, dtype)
        self.weight = new_parameter(*given) if elementwise_affine else None
        self.bias = new_parameter(*given) if elementwise_affine and bias else None
        self.reset_parameters()

    def forward(self, input: TensorLike) -> Tensor:
        """The normalized input."""
        return normalization.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Normalization):
    """Root-mean-square normalization (`tg.rms_norm`) of x `(..., *normalized_shape)`: no mean is subtracted.

    Args:
        normalized_shape: the sizes of the last axes; an int for one axis.
        eps: added to the mean of the squares; None for the smallest number that can be added to 1 in the x's dtype.
        elementwise_affine: whether the layer has a `weight` of `normalized_shape`.
        device: only the CPU.
        dtype: of the weight, a float dtype.

    Raises:
        ShapeError: an x that doesn't end with `normalized_shape`.

    >>> import tensorgrad as tg
    >>> tg.nn.RMSNorm(2)(tg.tensor([3.0, 4.0])).detach()
    tensor([0.8485, 1.1314])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        self.normalized_shape = _as_shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = new_parameter("RMSNorm", self.normalized_shape, device, dtype) if elementwise_affine else None
        self.reset_parameters()

    def forward(self, x: TensorLike) -> Tensor:
        """The normalized input."""
        return normalization.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Normalization):
    """Group normalization (`tg.group_norm`) of x `(N, C, ...)`, each example over groups of channels.

    Args:
        num_groups: the number of groups.
        num_channels: C, a multiple of it.
        eps: added to the variance, for stability.
        affine: whether the layer has a `weight` and a `bias`, both `(C,)`.
        device: only the CPU.
        dtype: of the parameters, a float dtype.
        bias: False leaves the `bias` out.

    Raises:
        ArgumentError: a number of groups that doesn't divide C.
        ShapeError: an x of another C, or with a single value per group.

    >>> import tensorgrad as tg
    >>> tg.nn.GroupNorm(2, 4)(tg.tensor([[1.0, 3.0, 5.0, 5.0]])).detach()
    tensor([[-1.,  1.,  0.,  0.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        (self.num_groups,) = as_tuple(num_groups, 1, op="GroupNorm", name="num_groups", minimum=1)
        (self.num_channels,) = as_tuple(num_channels, 1, op="GroupNorm", name="num_channels", minimum=0)
        if self.num_channels % self.num_groups:
            problem = f"num_groups must divide num_channels, got {num_groups} and {num_channels}"
            raise ArgumentError(restate("GroupNorm", problem, num_groups=num_groups, num_channels=num_channels))
        self.eps, self.affine = eps, affine
        given = ("GroupNorm", (self.num_channels,), device, dtype)
        self.weight = new_parameter(*given) if affine else None
        self.bias = new_parameter(*given) if affine and bias else None
        self.reset_parameters()

    def forward(self, input: TensorLike) -> Tensor:
        """The normalized input."""
        return normalization.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LocalResponseNorm(Module):
    """z = x / (k + α · mean of x² over neighbouring channels)^β, `F.local_response_norm`: x `(N, C, ...)`.

    Args:
        size: the number of channels.
        alpha: α.
        beta: β.
        k: the constant.

    >>> import tensorgrad as tg
    >>> tg.nn.LocalResponseNorm(2, alpha=2.0, beta=1.0)(tg.ones(1, 2, 1)).flatten()
    tensor([0.5   , 0.3333])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: TensorLike) -> Tensor:
        """The normalized input."""
        return normalization.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _as_shape(call: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    count = len(shape) if isinstance(shape, Sequence) else 1
    return as_tuple(shape, count, op=call, name="normalized_shape", minimum=0)
