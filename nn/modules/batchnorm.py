"""PyTorch's `torch.nn.modules.batchnorm`: the batch norms, and the base class by which scripts find them."""

from tensorgrad.nn.layers.normalization import (
    BatchNorm as _BatchNorm,
    BatchNorm1d as BatchNorm1d,
    BatchNorm2d as BatchNorm2d,
    BatchNorm3d as BatchNorm3d,
)

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "_BatchNorm"]
