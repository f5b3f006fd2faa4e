"""AlexNet: Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014; and a small one."""

from __future__ import annotations

from typing import Any

import tensorgrad as tg
from tensorgrad.nn.layers import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, ReLU, Sequential
from tensorgrad.nn.models.building import check_weights
from tensorgrad.nn.module import Module


class AlexNet(Module):
    """Five convolutions and three linear layers: x `(N, 3, H, W)`, H and W at least 63, usually 224.

    Args:
        num_classes: the number of outputs.
        dropout: the probability of dropping an input of the first two linear layers.

    >>> import tensorgrad as tg
    >>> net = AlexNet(num_classes=10)
    >>> net.features[0], net.classifier[-1]
    (Conv2d(3, 64, kernel_size=(11, 11), stride=(4, 4), padding=(2, 2)), Linear(in_features=4096, out_features=10, bias=True))
    """  # noqa: E501

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        self.features = Sequential(
            Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(64, 192, kernel_size=5, padding=2),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(192, 384, kernel_size=3, padding=1),
            ReLU(inplace=True),
            Conv2d(384, 256, kernel_size=3, padding=1),
            ReLU(inplace=True),
            Conv2d(256, 256, kernel_size=3, padding=1),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = AdaptiveAvgPool2d((6, 6))
        self.classifier = Sequential(
            Dropout(p=dropout),
            Linear(256 * 6 * 6, 4096),
            ReLU(inplace=True),
            Dropout(p=dropout),
            Linear(4096, 4096),
            ReLU(inplace=True),
            Linear(4096, num_classes),
        )

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = self.avgpool(self.features(x))
        return self.classifier(tg.flatten(x, 1))


class AlexNetSmall(Module):
    """AlexNet for images of 32 × 32 pixels, such as CIFAR's: the same convolutions, one linear layer.

    Args:
        num_classes: the number of outputs.

    >>> import tensorgrad as tg
    >>> AlexNetSmall()(tg.zeros(2, 3, 32, 32)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10) -> None:
        self.features = Sequential(
            Conv2d(3, 64, kernel_size=11, stride=4, padding=5),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=2, stride=2),
            Conv2d(64, 192, kernel_size=5, padding=2),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=2, stride=2),
            Conv2d(192, 384, kernel_size=3, padding=1),
            ReLU(inplace=True),
            Conv2d(384, 256, kernel_size=3, padding=1),
            ReLU(inplace=True),
            Conv2d(256, 256, kernel_size=3, padding=1),
            ReLU(inplace=True),
            MaxPool2d(kernel_size=2, stride=2),
        )
        self.classifier = Linear(256, num_classes)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        return self.classifier(tg.flatten(self.features(x), 1))


def alexnet(*, weights: None = None, progress: bool = True, **kwargs: Any) -> AlexNet:
    """An `AlexNet`; keywords are its arguments. `weights` must be None, and `progress` is accepted."""
    check_weights("alexnet", weights, kwargs)
    return AlexNet(**kwargs)
