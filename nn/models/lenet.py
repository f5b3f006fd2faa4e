"""LeNet-5: LeCun et al., Gradient-based learning applied to document recognition, Proceedings of the IEEE 86, 1998."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.layers import Conv2d, Linear
from tensorgrad.nn.models.building import check_option
from tensorgrad.nn.module import Module


class LeNet(Module):
    """Two convolutions with max pooling and three linear layers, with relu: x `(N, in_channels, size, size)`.

    Args:
        num_classes: the number of outputs.
        in_channels: 1 for grey images, 3 for colour.
        size: 32, LeCun's, or 28, MNIST's, which the first convolution pads to 32.

    Names of parameters: conv1, conv2, fc1, fc2, fc3, as in PyTorch's tutorial.

    Raises:
        ArgumentError: another size.

    >>> import tensorgrad as tg
    >>> LeNet()(tg.zeros(2, 1, 32, 32)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, size: int = 32) -> None:
        check_option("LeNet", "size", size, (28, 32))
        self.conv1 = Conv2d(in_channels, 6, 5, padding=(32 - size) // 2)
        self.conv2 = Conv2d(6, 16, 5)
        self.fc1 = Linear(16 * 5 * 5, 120)
        self.fc2 = Linear(120, 84)
        self.fc3 = Linear(84, num_classes)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = tg.max_pool2d(tg.relu(self.conv1(x)), 2)
        x = tg.max_pool2d(tg.relu(self.conv2(x)), 2)
        x = tg.relu(self.fc1(tg.flatten(x, 1)))
        return self.fc3(tg.relu(self.fc2(x)))
