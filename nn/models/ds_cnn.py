"""DS-CNN, depthwise separable convolutions for keyword spotting: Zhang et al., Hello Edge, 2017."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.layers import BatchNorm2d, Conv2d, Dropout, Linear, Sequential
from tensorgrad.nn.module import Module


class SeparableBlock(Module):
    """A 3 × 3 filter for each channel, then a 1 × 1 convolution, each with batch normalization and relu.

    Args:
        in_channels: the channels of x.
        out_channels: the channels of z.
        stride: of the 3 × 3 convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        self.depthwise = Conv2d(in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False)
        self.bn1 = BatchNorm2d(in_channels)
        self.pointwise = Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = BatchNorm2d(out_channels)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x `(N, in, H, W)` -> `(N, out, H/stride, W/stride)`."""
        x = tg.relu(self.bn1(self.depthwise(x)))
        return tg.relu(self.bn2(self.pointwise(x)))


class DSCNN(Module):
    """A convolution over time and frequency, separable blocks, the mean over both, and a linear layer.

    Args:
        num_classes: the number of outputs, 12 for the keywords of Speech Commands.
        in_channels: the channels of x `(N, in_channels, T, F)`: 1 for spectra or MFCCs of 49 times × 10.
        channels: the channels of all blocks: 64, 172 and 276 in the paper's small, medium and large network.
        num_blocks: the number of separable blocks.
        kernel_size: of the first convolution.
        stride: of the first convolution.
        dropout: the probability of dropping an input of the linear layer.

    Names of parameters: conv, bn, blocks.i.depthwise, blocks.i.bn1, blocks.i.pointwise, blocks.i.bn2, fc.

    >>> import tensorgrad as tg
    >>> DSCNN()(tg.zeros(2, 1, 49, 10)).shape
    (2, 12)
    """

    def __init__(
        self,
        num_classes: int = 12,
        in_channels: int = 1,
        channels: int = 64,
        num_blocks: int = 4,
        kernel_size: tuple[int, int] = (10, 4),
        stride: tuple[int, int] = (2, 2),
        dropout: float = 0.2,
    ) -> None:
        padding = (kernel_size[0] // 2, kernel_size[1] // 2)
        self.conv = Conv2d(in_channels, channels, kernel_size, stride, padding, bias=False)
        self.bn = BatchNorm2d(channels)
        self.blocks = Sequential(*(SeparableBlock(channels, channels) for _ in range(num_blocks)))
        self.dropout = Dropout(dropout)
        self.fc = Linear(channels, num_classes)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = self.blocks(tg.relu(self.bn(self.conv(x))))
        return self.fc(self.dropout(tg.flatten(tg.adaptive_avg_pool2d(x, 1), 1)))
