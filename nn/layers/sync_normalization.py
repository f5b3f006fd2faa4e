"""Batch normalization by the statistics of all processes that train together."""

from __future__ import annotations

from typing import Any

from tensorgrad.autograd.engine import host_call
from tensorgrad.distributed.normalization import sync_batch_norm
from tensorgrad.distributed.world import world
from tensorgrad.errors import DTypeError, restate
from tensorgrad.nn.layers.normalization import BatchNorm, count_batch
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class SyncBatchNorm(BatchNorm):
    """Batch normalization of x `(N, C, ...)` by the statistics of the batches of all processes together.

    In training every process normalizes by the mean and variance of the whole batch, as one process with that batch
    would. In evaluation, and in a process by itself, it is `BatchNorm2d`. See docs/distributed.md.

    Args:
        num_features: C.
        eps: added to the variance, for stability.
        momentum: the weight of the latest batch in the running statistics; None for the average over all batches.
        affine: whether the layer has a `weight` (initially 1) and a `bias` (initially 0), both `(C,)`.
        track_running_stats: whether the layer keeps `running_mean`, `running_var` and `num_batches_tracked`.
        device: only the CPU.
        dtype: of the parameters and statistics, a float dtype.
        bias: False leaves the `bias` out.

    Raises:
        ShapeError: an x with other axes or channels; in training, a single value per channel in all processes.

    >>> import tensorgrad as tg
    >>> tg.nn.SyncBatchNorm(3)(tg.randn(8, 3, 4, 4)).shape
    (8, 3, 4, 4)
    """

    axes = {2: "(N, C)", 3: "(N, C, L)", 4: "(N, C, H, W)", 5: "(N, C, D, H, W)"}

    def forward(self, input: TensorLike) -> Tensor:
        """The normalized input."""
        if not self.training or world().size == 1:
            return super().forward(input)
        x, _ = self._checked(input)
        statistics = (self.running_mean, self.running_var)
        z = sync_batch_norm(x, *statistics, self.weight, self.bias, self._momentum(), self.eps)
        if self.num_batches_tracked is not None:
            host_call(count_batch, self.num_batches_tracked, effect=True)
        return z

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with a `SyncBatchNorm` in place of each `BatchNorm1d`, `2d` and `3d`.

        Args:
            module: the network, changed in place; where it is a batch norm itself, the result is a new layer. Their
                parameters and buffers are kept, so an optimizer may be made before or after.
            process_group: accepted.

        Raises:
            DTypeError: no Module.

        >>> import tensorgrad as tg
        >>> tg.nn.SyncBatchNorm.convert_sync_batchnorm(tg.nn.Sequential(tg.nn.BatchNorm2d(3)))
        Sequential(
          (0): SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
        )
        """
        if not isinstance(module, Module):
            problem = f"expected a Module, got {type(module).__name__}"
            raise DTypeError(restate("convert_sync_batchnorm", problem, module=module))
        if isinstance(module, BatchNorm) and not isinstance(module, cls):
            return cls._of(module)
        for parent in [*module.modules()]:
            for name, child in parent.named_children():
                if isinstance(child, BatchNorm) and not isinstance(child, cls):
                    setattr(parent, name, cls._of(child))
        return module

    @classmethod
    def _of(cls, layer: BatchNorm) -> SyncBatchNorm:
        """A layer with the settings, parameters and buffers of another one."""
        new = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(new, name, getattr(layer, name))
        new.training = layer.training
        return new
