"""Residual networks for ImageNet: He et al., Deep Residual Learning for Image Recognition, CVPR 2016.

The variants are those of PyTorch's `torchvision`: in a bottleneck block the 3 × 3 convolution has the stride.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn import init
from tensorgrad.nn.layers import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, Sequential
from tensorgrad.nn.models.building import check_weights, he_initialized
from tensorgrad.nn.module import Module

Norm = Callable[[int], Module]


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> Conv2d:
    """A 3 × 3 convolution without bias that keeps the size."""
    return Conv2d(in_planes, out_planes, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> Conv2d:
    """A 1 × 1 convolution without bias."""
    return Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(Module):
    """z = relu(x + bn(conv(relu(bn(conv(x)))))), with 3 × 3 convolutions.

    Args:
        inplanes: the channels of x.
        planes: the channels of z.
        stride: of the first convolution.
        downsample: makes x fit, if it doesn't.
        groups: must be 1.
        base_width: must be 64.
        dilation: must be 1.
        norm_layer: makes a normalization of a number of channels; `BatchNorm2d` by default.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        if groups != 1 or base_width != 64 or dilation > 1:
            problem = "groups must be 1, base_width 64 and dilation 1"
            sizes: dict[str, Any] = {"groups": groups, "base_width": base_width, "dilation": dilation}
            raise ArgumentError(restate("BasicBlock", problem, fix="use Bottleneck blocks", **sizes))
        norm = norm_layer or BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The sum, rectified."""
        z = self.relu(self.bn1(self.conv1(x)))
        z = self.bn2(self.conv2(z))
        return self.relu(z + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(Module):
    """As `BasicBlock` with convolutions 1 × 1, 3 × 3 and 1 × 1, and 4 · planes output channels.

    Args:
        inplanes: the channels of x.
        planes: the channels of the 3 × 3 convolution, for groups = 1 and base_width = 64.
        stride: of the 3 × 3 convolution.
        downsample: makes x fit, if it doesn't.
        groups: of the 3 × 3 convolution.
        base_width: the channels of a group for planes = 64.
        dilation: of the 3 × 3 convolution.
        norm_layer: makes a normalization of a number of channels; `BatchNorm2d` by default.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        norm = norm_layer or BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The sum, rectified."""
        z = self.relu(self.bn1(self.conv1(x)))
        z = self.relu(self.bn2(self.conv2(z)))
        z = self.bn3(self.conv3(z))
        return self.relu(z + (x if self.downsample is None else self.downsample(x)))


class ResNet(Module):
    """A residual network: x `(N, 3, H, W)`, usually 224 × 224.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: the number of blocks in each of the four stages.
        num_classes: the number of outputs.
        zero_init_residual: start each block as the identity: Goyal et al., Accurate, Large Minibatch SGD, 2017.
        groups: of the 3 × 3 convolutions of bottlenecks.
        width_per_group: the channels of a group in the first stage.
        replace_stride_with_dilation: for the last three stages, whether dilation takes the place of the stride.
        norm_layer: makes a normalization of a number of channels; `BatchNorm2d` by default.

    Raises:
        ArgumentError: a `replace_stride_with_dilation` that hasn't three elements.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        dilate = (False, False, False) if replace_stride_with_dilation is None else tuple(replace_stride_with_dilation)
        if len(dilate) != 3:
            problem = f"replace_stride_with_dilation must be None or three bools, got {len(dilate)}"
            raise ArgumentError(restate("ResNet", problem, replace_stride_with_dilation=dilate))
        self._norm_layer: Norm = norm_layer or BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = 64, 1, groups, width_per_group
        self.conv1 = Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(64)
        self.relu = ReLU(inplace=True)
        self.maxpool = MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.fc = Linear(512 * block.expansion, num_classes)
        he_initialized(self)
        if zero_init_residual:
            for module in self.modules():
                last = getattr(module, "bn3" if isinstance(module, Bottleneck) else "bn2", None)
                if isinstance(module, BasicBlock | Bottleneck) and getattr(last, "weight", None) is not None:
                    init.zeros_(last.weight)  # type: ignore[union-attr]

    def _make_layer(self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False) -> Sequential:
        before, downsample, out = self.dilation, None, planes * block.expansion
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        if stride != 1 or self.inplanes != out:
            downsample = Sequential(conv1x1(self.inplanes, out, stride), self._norm_layer(out))
        sizes = self.groups, self.base_width
        made = [block(self.inplanes, planes, stride, downsample, *sizes, before, self._norm_layer)]
        self.inplanes = out
        made += [block(out, planes, 1, None, *sizes, self.dilation, self._norm_layer) for _ in range(1, blocks)]
        return Sequential(*made)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(tg.flatten(self.avgpool(x), 1))


def _resnet(name: str, block: Any, layers: Sequence[int], weights: None, kwargs: dict[str, Any]) -> ResNet:
    check_weights(name, weights, kwargs)
    return ResNet(block, layers, **kwargs)


def resnet18(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-18; keywords are those of `ResNet`. `weights` must be None, and `progress` is accepted.

    >>> import tensorgrad as tg
    >>> net = resnet18(num_classes=10)
    >>> net.eval()(tg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """
    return _resnet("resnet18", BasicBlock, (2, 2, 2, 2), weights, kwargs)


def resnet34(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-34; arguments as in `resnet18`."""
    return _resnet("resnet34", BasicBlock, (3, 4, 6, 3), weights, kwargs)


def resnet50(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-50; arguments as in `resnet18`."""
    return _resnet("resnet50", Bottleneck, (3, 4, 6, 3), weights, kwargs)


def resnet101(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-101; arguments as in `resnet18`."""
    return _resnet("resnet101", Bottleneck, (3, 4, 23, 3), weights, kwargs)


def resnet152(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-152; arguments as in `resnet18`."""
    return _resnet("resnet152", Bottleneck, (3, 8, 36, 3), weights, kwargs)


def resnext50_32x4d(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt-50 32×4d: Xie et al., Aggregated Residual Transformations, CVPR 2017; arguments as in `resnet18`."""
    return _resnet("resnext50_32x4d", Bottleneck, (3, 4, 6, 3), weights, {"groups": 32, "width_per_group": 4, **kwargs})


def wide_resnet50_2(*, weights: None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Wide ResNet-50-2: Zagoruyko and Komodakis, Wide Residual Networks, 2016; arguments as in `resnet18`."""
    return _resnet("wide_resnet50_2", Bottleneck, (3, 4, 6, 3), weights, {"width_per_group": 128, **kwargs})
