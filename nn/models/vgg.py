"""VGG: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad.nn.layers import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, ReLU, Sequential
from tensorgrad.nn.models.building import check_weights, he_initialized
from tensorgrad.nn.module import Module

CONFIGURATIONS: dict[str, tuple[int | str, ...]] = {
    "A": (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "B": (64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "D": (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M", *(512,) * 3, "M"),
    "E": (64, 64, "M", 128, 128, "M", *(256,) * 4, "M", *(512,) * 4, "M", *(512,) * 4, "M"),
}
"""The channels of the 3 × 3 convolutions, and "M" for max pooling; the paper's names."""


class VGG(Module):
    """Stacks of 3 × 3 convolutions with max pooling between, and three linear layers: x `(N, 3, H, W)`, usually 224.

    Args:
        features: the convolutions, from `make_layers`, with 512 channels at the end.
        num_classes: the number of outputs.
        init_weights: He's initial values, and small weights for the linear layers; False leaves the layers' own.
        dropout: the probability of dropping an output of the first two linear layers.
    """

    def __init__(
        self, features: Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        self.features = features
        self.avgpool = AdaptiveAvgPool2d((7, 7))
        self.classifier = Sequential(
            Linear(512 * 7 * 7, 4096),
            ReLU(True),
            Dropout(p=dropout),
            Linear(4096, 4096),
            ReLU(True),
            Dropout(p=dropout),
            Linear(4096, num_classes),
        )
        if init_weights:
            he_initialized(self, linear_std=0.01, bias=True)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = self.avgpool(self.features(x))
        return self.classifier(tg.flatten(x, 1))


def make_layers(cfg: Sequence[int | str], batch_norm: bool = False) -> Sequential:
    """The convolutions of a VGG.

    Args:
        cfg: the channels of each convolution, and "M" for max pooling.
        batch_norm: normalize after each convolution.

    >>> make_layers((8, "M"), batch_norm=True)
    Sequential(
      (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
      (2): ReLU(inplace=True)
      (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    )
    """
    layers: list[Module] = []
    channels = 3
    for width in cfg:
        if isinstance(width, str):
            layers.append(MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(Conv2d(channels, width, kernel_size=3, padding=1))
        layers += [BatchNorm2d(width), ReLU(inplace=True)] if batch_norm else [ReLU(inplace=True)]
        channels = width
    return Sequential(*layers)


def _vgg(name: str, cfg: str, batch_norm: bool, weights: None, kwargs: dict[str, Any]) -> VGG:
    check_weights(name, weights, kwargs)
    return VGG(make_layers(CONFIGURATIONS[cfg], batch_norm), **kwargs)


def vgg11(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11, configuration A; keywords are those of `VGG`. `weights` must be None, and `progress` is accepted."""
    return _vgg("vgg11", "A", False, weights, kwargs)


def vgg11_bn(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11 with batch normalization; arguments as in `vgg11`."""
    return _vgg("vgg11_bn", "A", True, weights, kwargs)


def vgg13(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13, configuration B; arguments as in `vgg11`."""
    return _vgg("vgg13", "B", False, weights, kwargs)


def vgg13_bn(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13 with batch normalization; arguments as in `vgg11`."""
    return _vgg("vgg13_bn", "B", True, weights, kwargs)


def vgg16(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16, configuration D; arguments as in `vgg11`."""
    return _vgg("vgg16", "D", False, weights, kwargs)


def vgg16_bn(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16 with batch normalization; arguments as in `vgg11`."""
    return _vgg("vgg16_bn", "D", True, weights, kwargs)


def vgg19(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19, configuration E; arguments as in `vgg11`."""
    return _vgg("vgg19", "E", False, weights, kwargs)


def vgg19_bn(*, weights: None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19 with batch normalization; arguments as in `vgg11`."""
    return _vgg("vgg19_bn", "E", True, weights, kwargs)
