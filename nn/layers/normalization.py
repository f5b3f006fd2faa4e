"""Batch normalization layers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import tensorgrad as tg
from tensorgrad.autograd.engine import host_call
from tensorgrad.errors import ShapeError, restate, restated
from tensorgrad.nn import init
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.windows import as_tuple


class BatchNorm(Module):
    """The common base of BatchNorm1d and BatchNorm2d."""

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
    ) -> None:
        (self.num_features,) = as_tuple(num_features, 1, op=type(self).__name__, name="num_features", minimum=1)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        size = self.num_features
        with restated(type(self).__name__, num_features=num_features):
            self.weight = Parameter(np.ones(size, np.float32)) if affine else None
            self.bias = Parameter(np.zeros(size, np.float32)) if affine else None
            self.register_buffer("running_mean", np.zeros(size, np.float32) if track_running_stats else None)
            self.register_buffer("running_var", np.ones(size, np.float32) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Reset the running statistics: mean 0, variance 1, no batches."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                init.constant_(buffer, value)

    def reset_parameters(self) -> None:
        """Reset to the initial values: weight 1, bias 0, and the running statistics."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                init.constant_(parameter, value)

    def forward(self, x: TensorLike) -> tg.Tensor:
        """The normalized input."""
        x = floating(x)
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            problem = f"x must be {' or '.join(self.axes.values())} with C = {self.num_features}, got {x.shape}"
            raise ShapeError(restate(type(self).__name__, problem, x=x))
        learning = self.training and x.size > 0  # an empty batch has no statistics
        batches = self.num_batches_tracked if self.training else None
        momentum = self.momentum
        if momentum is None:
            # The plain average over all batches: the k-th has the weight 1/k.
            momentum = 0.0 if batches is None else 1 / (batches.item() + 1)
        z = tg.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, learning, momentum, self.eps)
        if batches is not None:
            host_call(_count, batches, effect=True)
        return z

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


@tg.no_grad()
def _count(batches: tg.Tensor) -> None:
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

    Raises:
        ShapeError: an x with other axes or channels; in training, a single value per channel.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.BatchNorm2d(3)
    >>> layer(tg.randn(8, 3, 4, 4)).shape, layer.num_batches_tracked.item()
    ((8, 3, 4, 4), 1)
    """

    axes = {4: "(N, C, H, W)"}
