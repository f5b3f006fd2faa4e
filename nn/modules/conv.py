"""PyTorch's `torch.nn.modules.conv`: the convolutions, and the base class by which scripts find them."""

from tensorgrad.nn.layers.convolution import (
    Conv1d as Conv1d,
    Conv2d as Conv2d,
    Conv3d as Conv3d,
    Convolution as _ConvNd,
)

__all__ = ["Conv1d", "Conv2d", "Conv3d", "_ConvNd"]
