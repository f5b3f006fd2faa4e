"""Residual networks for CIFAR's 32 × 32 pixels: He et al., Deep Residual Learning, CVPR 2016, section 4.2.

The names of parameters are those of Y. Idelbayev's well-known PyTorch implementation.
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import init
from tensorgrad.nn.layers import BatchNorm2d, Conv2d, Linear, Sequential
from tensorgrad.nn.models.building import check_option
from tensorgrad.nn.models.resnet import conv3x3
from tensorgrad.nn.module import Module
from tensorgrad.ops.images.padding import pad


class PaddedShortcut(Module):
    """The paper's option A: every second pixel, and zeros for the additional channels. No parameters.

    Args:
        channels: the channels to add, half of them before the first.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x `(N, C, H, W)` -> `(N, C + channels, H/2, W/2)`."""
        before = self.channels // 2
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.channels - before))


class CifarBlock(Module):
    """z = relu(shortcut(x) + bn(conv(relu(bn(conv(x)))))), with 3 × 3 convolutions.

    Args:
        in_planes: the channels of x.
        planes: the channels of z.
        stride: of the first convolution.
        option: where shapes differ, "A" pads x with zeros, "B" convolves it.
    """

    def __init__(self, in_planes: int, planes: int, stride: int = 1, option: str = "A") -> None:
        self.conv1 = conv3x3(in_planes, planes, stride)
        self.bn1 = BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = BatchNorm2d(planes)
        self.shortcut: Module = Sequential()
        if stride != 1 or in_planes != planes:
            if option == "A":
                self.shortcut = PaddedShortcut(planes - in_planes)
            else:
                convolution = Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False)
                self.shortcut = Sequential(convolution, BatchNorm2d(planes))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The sum, rectified."""
        z = tg.relu(self.bn1(self.conv1(x)))
        z = self.bn2(self.conv2(z))
        return tg.relu(z + self.shortcut(x))


class CifarResNet(Module):
    """Three stages of 16, 32 and 64 channels: x `(N, 3, 32, 32)`; 6n + 2 layers for n blocks in a stage.

    Args:
        num_blocks: n.
        num_classes: the number of outputs.
        option: the shortcut connections where shapes differ: "A" without parameters, as in the paper, or "B",
            a convolution.

    Raises:
        ArgumentError: another option.

    >>> import tensorgrad as tg
    >>> net = CifarResNet(1)
    >>> net(tg.zeros(2, 3, 32, 32)).shape, type(net.layer2[0].shortcut).__name__
    ((2, 10), 'PaddedShortcut')
    """

    def __init__(self, num_blocks: int, num_classes: int = 10, option: str = "A") -> None:
        check_option("CifarResNet", "option", option, ("A", "B"))
        self.conv1 = conv3x3(3, 16)
        self.bn1 = BatchNorm2d(16)
        self.layer1 = _stage(16, 16, num_blocks, 1, option)
        self.layer2 = _stage(16, 32, num_blocks, 2, option)
        self.layer3 = _stage(32, 64, num_blocks, 2, option)
        self.linear = Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d | Linear):
                init.kaiming_normal_(module.weight)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = tg.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(tg.flatten(tg.adaptive_avg_pool2d(x, 1), 1))


def _stage(in_planes: int, planes: int, blocks: int, stride: int, option: str) -> Sequential:
    first = CifarBlock(in_planes, planes, stride, option)
    return Sequential(first, *(CifarBlock(planes, planes, 1, option) for _ in range(1, blocks)))


def resnet20(num_classes: int = 10, option: str = "A") -> CifarResNet:
    """ResNet-20 for CIFAR, 0.27 million parameters; arguments as in `CifarResNet`."""
    return CifarResNet(3, num_classes, option)


def resnet32(num_classes: int = 10, option: str = "A") -> CifarResNet:
    """ResNet-32 for CIFAR, 0.46 million parameters; arguments as in `CifarResNet`."""
    return CifarResNet(5, num_classes, option)


def resnet44(num_classes: int = 10, option: str = "A") -> CifarResNet:
    """ResNet-44 for CIFAR, 0.66 million parameters; arguments as in `CifarResNet`."""
    return CifarResNet(7, num_classes, option)


def resnet56(num_classes: int = 10, option: str = "A") -> CifarResNet:
    """ResNet-56 for CIFAR, 0.85 million parameters; arguments as in `CifarResNet`."""
    return CifarResNet(9, num_classes, option)
