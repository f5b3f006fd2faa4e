"""Batch and instance normalization layers, which know the number of channels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd.engine import host_call
from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn import init
from tensorgrad.nn.layers.feature_normalization import Normalization
from tensorgrad.nn.parameter import new_parameter, new_state
from tensorgrad.ops.layers.normalization import instance_norm
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.windows import as_tuple


class ChannelNorm(Normalization):
    """The common base of batch and instance norm: parameters and running statistics per channel."""

    axes: ClassVar[dict[int, str]]
    """The shapes that the layer accepts, by their number of axes."""
    running_mean: tg.Tensor | None
    running_var: tg.Tensor | None
    num_batches_tracked: tg.Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        call = type(self).__name__
        (self.num_features,) = as_tuple(num_features, 1, op=call, name="num_features", minimum=1)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        shape, where = (self.num_features,), (device, dtype)
        self.weight = new_parameter(call, shape, *where) if affine else None
        self.bias = new_parameter(call, shape, *where) if affine and bias else None
        self.register_buffer("running_mean", new_state(call, shape, *where) if track_running_stats else None)
        self.register_buffer("running_var", new_state(call, shape, *where) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Reset the running statistics: mean 0, variance 1, no batches."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                init.constant_(buffer, value)

    def reset_parameters(self) -> None:
        """Reset to the initial values: weight 1, bias 0, and the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _checked(self, input: TensorLike) -> tuple[tg.Tensor, tuple[int, ...]]:
        """The input as a batch, and the input's shape."""
        x = floating(input)
        shape, whole = x.shape, max(self.axes)
        if x.ndim == whole - 1 and x.ndim in self.axes and self.axes[x.ndim].startswith("(C"):
            x = x.reshape(1, *shape)
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            problem = f"x must be {' or '.join(self.axes.values())} with C = {self.num_features}, got {shape}"
            raise ShapeError(restate(type(self).__name__, problem, x=input))
        return x, shape


class BatchNorm(ChannelNorm):
    """The common base of BatchNorm1d, BatchNorm2d and BatchNorm3d."""

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The normalized input."""
        x, _ = self._checked(input)
        learning = self.training and x.numel() > 0  # an empty batch has no statistics
        statistics = (self.running_mean, self.running_var)
        z = tg.batch_norm(x, *statistics, self.weight, self.bias, learning, self._momentum(), self.eps)
        if self.training and self.num_batches_tracked is not None:
            host_call(count_batch, self.num_batches_tracked, effect=True)
        return z

    def _momentum(self) -> float:
        """The weight of the next batch in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        # The plain average over all batches: the k-th has the weight 1/k.
        batches = self.num_batches_tracked if self.training else None
        return 0.0 if batches is None else 1 / (batches.item() + 1)


@tg.no_grad()
def count_batch(batches: tg.Tensor) -> None:
    """Add 1 to the number of batches: a host call."""
    batches += 1


class BatchNorm1d(BatchNorm):
    """Batch normalization (`tg.batch_norm`) of x `(N, C)` or `(N, C, L)`; arguments as in `BatchNorm2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.BatchNorm1d(1)(tg.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.],
            [ 1.]])
    """

    axes = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(BatchNorm):
    """Batch normalization (`tg.batch_norm`) of x `(N, C, H, W)`, each channel over the batch and all pixels.

    Args:
        num_features: C.
        eps: added to the variance, for stability.
        momentum: the weight of the latest batch in the running statistics; None for the average over all batches.
        affine: whether the layer has a `weight` (initially 1) and a `bias` (initially 0), both `(C,)`.
        track_running_stats: whether the layer keeps `running_mean`, `running_var` and `num_batches_tracked` for
            evaluation; otherwise evaluation uses the statistics of the batch too.
        device: only the CPU.
        dtype: of the parameters and statistics, a float dtype.
        bias: False leaves the `bias` out.

    Raises:
        ShapeError: an x with other axes or channels; in training, a single value per channel.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.BatchNorm2d(3)
    >>> layer(tg.randn(8, 3, 4, 4)).shape, layer.num_batches_tracked.item()
    ((8, 3, 4, 4), 1)
    """

    axes = {4: "(N, C, H, W)"}


class BatchNorm3d(BatchNorm):
    """Batch normalization (`tg.batch_norm`) of x `(N, C, D, H, W)`; arguments as in `BatchNorm2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.BatchNorm3d(2)(tg.randn(2, 2, 3, 4, 4)).shape
    (2, 2, 3, 4, 4)
    """

    axes = {5: "(N, C, D, H, W)"}


class InstanceNorm(ChannelNorm):
    """The common base of InstanceNorm1d, InstanceNorm2d and InstanceNorm3d."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The normalized input."""
        x, shape = self._checked(input)
        statistics = (self.running_mean, self.running_var)
        own = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        z = instance_norm(x, *statistics, self.weight, self.bias, own, momentum, self.eps)
        return z if z.shape == shape else z.reshape(shape)


class InstanceNorm1d(InstanceNorm):
    """Instance normalization (`tg.instance_norm`) of x `(N, C, L)` or `(C, L)`; arguments as in `InstanceNorm2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.InstanceNorm1d(2)(tg.tensor([[1.0, 3.0], [5.0, 5.0]]))
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """

    axes = {2: "(C, L)", 3: "(N, C, L)"}


class InstanceNorm2d(InstanceNorm):
    """Instance normalization (`tg.instance_norm`) of x `(N, C, H, W)` or `(C, H, W)`: each channel of each example.

    Args:
        num_features: C.
        eps: added to the variance, for stability.
        momentum: the weight of the latest batch in the running statistics.
        affine: whether the layer has a `weight` (initially 1) and a `bias` (initially 0), both `(C,)`.
        track_running_stats: whether the layer keeps `running_mean` and `running_var`, and normalizes by them in
            evaluation.
        device: only the CPU.
        dtype: of the parameters and statistics, a float dtype.
        bias: False leaves the `bias` out.

    Raises:
        ShapeError: an x with other axes or channels, or with a single value per channel.

    >>> import tensorgrad as tg
    >>> tg.nn.InstanceNorm2d(3)(tg.randn(8, 3, 4, 4)).shape
    (8, 3, 4, 4)
    """

    axes = {3: "(C, H, W)", 4: "(N, C, H, W)"}


class InstanceNorm3d(InstanceNorm):
    """Instance normalization (`tg.instance_norm`) of x `(N, C, D, H, W)` or `(C, D, H, W)`; see `InstanceNorm2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.InstanceNorm3d(2)(tg.randn(2, 2, 3, 4, 4)).shape
    (2, 2, 3, 4, 4)
    """

    axes = {4: "(C, D, H, W)", 5: "(N, C, D, H, W)"}
