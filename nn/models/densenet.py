"""DenseNet: Huang et al., Densely Connected Convolutional Networks, CVPR 2017."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad.nn import init
from tensorgrad.nn.layers import AvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, Sequential
from tensorgrad.nn.models.building import check_weights, he_initialized, joined
from tensorgrad.nn.module import Module


class DenseLayer(Module):
    """growth_rate feature maps from all those before: bn, relu, conv 1 × 1, bn, relu, conv 3 × 3.

    Args:
        num_input_features: the channels of all feature maps before.
        growth_rate: the channels that the layer adds.
        bn_size: the channels in between, in units of `growth_rate`.
        drop_rate: the probability of dropping an element of the result.
        memory_efficient: accepted; nothing is computed again in the backward pass.
    """

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        self.norm1 = BatchNorm2d(num_input_features)
        self.relu1 = ReLU(inplace=True)
        self.conv1 = Conv2d(num_input_features, bn_size * growth_rate, kernel_size=1, stride=1, bias=False)
        self.norm2 = BatchNorm2d(bn_size * growth_rate)
        self.relu2 = ReLU(inplace=True)
        self.conv2 = Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The new feature maps."""
        x = self.conv1(self.relu1(self.norm1(x)))
        x = self.conv2(self.relu2(self.norm2(x)))
        return tg.dropout(x, self.drop_rate, self.training) if self.drop_rate > 0 else x


class DenseBlock(Module):
    """Layers each of which sees the feature maps of all before; the result holds them all.

    Args:
        num_layers: the number of layers.
        num_input_features: the channels of x.
        bn_size: as in `DenseLayer`.
        growth_rate: as in `DenseLayer`.
        drop_rate: as in `DenseLayer`.
        memory_efficient: accepted.
    """

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        for k in range(num_layers):
            channels = num_input_features + k * growth_rate
            layer = DenseLayer(channels, growth_rate, bn_size, drop_rate, memory_efficient)
            self.register_module(f"denselayer{k + 1}", layer)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x `(N, C, H, W)` -> `(N, C + num_layers · growth_rate, H, W)`."""
        features = [x]
        for layer in self.children():
            features.append(layer(joined(features)))
        return joined(features)


def _transition(inputs: int, outputs: int) -> Sequential:
    """Halve the channels and the size."""
    return Sequential(
        {
            "norm": BatchNorm2d(inputs),
            "relu": ReLU(inplace=True),
            "conv": Conv2d(inputs, outputs, kernel_size=1, stride=1, bias=False),
            "pool": AvgPool2d(kernel_size=2, stride=2),
        }
    )


class DenseNet(Module):
    """Dense blocks with transitions between them: x `(N, 3, H, W)`, usually 224 × 224.

    Args:
        growth_rate: the channels that each layer adds.
        block_config: the number of layers in each block.
        num_init_features: the channels of the first convolution.
        bn_size: the channels inside a layer, in units of `growth_rate`.
        drop_rate: the probability of dropping an element of a layer's result.
        num_classes: the number of outputs.
        memory_efficient: accepted; nothing is computed again in the backward pass.

    >>> import tensorgrad as tg
    >>> net = DenseNet(8, (2, 2), 16, num_classes=10)
    >>> net.eval()(tg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        first: dict[str, Module] = {
            "conv0": Conv2d(3, num_init_features, kernel_size=7, stride=2, padding=3, bias=False),
            "norm0": BatchNorm2d(num_init_features),
            "relu0": ReLU(inplace=True),
            "pool0": MaxPool2d(kernel_size=3, stride=2, padding=1),
        }
        rates = bn_size, growth_rate, drop_rate, memory_efficient
        features, channels = _dense_features(first, num_init_features, block_config, *rates)
        self.features = features
        self.classifier = Linear(channels, num_classes)
        _initialize(self)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = tg.relu(self.features(x))
        return self.classifier(tg.flatten(tg.adaptive_avg_pool2d(x, 1), 1))


class DenseNetSmall(DenseNet):
    """DenseNet-BC for images of 32 × 32 pixels, such as CIFAR's: a first convolution that keeps the size.

    Args:
        growth_rate: the channels that each layer adds.
        block_config: the number of layers in each block; (16, 16, 16) is the paper's DenseNet-BC-100.
        bn_size: the channels inside a layer, in units of `growth_rate`.
        drop_rate: the probability of dropping an element of a layer's result.
        num_classes: the number of outputs.

    >>> import tensorgrad as tg
    >>> net = DenseNetSmall(8, (2, 2))
    >>> net.eval()(tg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """

    def __init__(
        self,
        growth_rate: int = 12,
        block_config: Sequence[int] = (16, 16, 16),
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 10,
    ) -> None:
        width = 2 * growth_rate
        first: dict[str, Module] = {"conv0": Conv2d(3, width, kernel_size=3, stride=1, padding=1, bias=False)}
        features, channels = _dense_features(first, width, block_config, bn_size, growth_rate, drop_rate, False)
        self.features = features
        self.classifier = Linear(channels, num_classes)
        _initialize(self)


def _dense_features(
    first: dict[str, Module],
    channels: int,
    block_config: Sequence[int],
    bn_size: int,
    growth_rate: int,
    drop_rate: float,
    memory_efficient: bool,
) -> tuple[Sequential, int]:
    """The first layers, dense blocks and transitions, and the number of channels at the end."""
    parts = dict(first)
    for k, count in enumerate(block_config, 1):
        block = DenseBlock(count, channels, bn_size, growth_rate, drop_rate, memory_efficient)
        parts[f"denseblock{k}"] = block
        channels += count * growth_rate
        if k < len(block_config):
            parts[f"transition{k}"] = _transition(channels, channels // 2)
            channels //= 2
    parts[f"norm{len(block_config) + 1}"] = BatchNorm2d(channels)
    return Sequential(parts), channels


def _initialize(net: DenseNet) -> None:
    he_initialized(net, mode="fan_in")
    assert net.classifier.bias is not None
    init.zeros_(net.classifier.bias)


def densenet121(*, weights: None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-121; keywords are those of `DenseNet`. `weights` must be None, and `progress` is accepted."""
    check_weights("densenet121", weights, kwargs)
    return DenseNet(32, (6, 12, 24, 16), 64, **kwargs)


def densenet169(*, weights: None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-169; arguments as in `densenet121`."""
    check_weights("densenet169", weights, kwargs)
    return DenseNet(32, (6, 12, 32, 32), 64, **kwargs)
