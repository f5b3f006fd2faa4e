"""Networks that tests draw, explain and train: small ones of the textbooks, and a deep one with skip connections."""

import numpy as np

import tensorgrad as tg
from tensorgrad import nn


class LeNet5(nn.Module):
    """For images (N, 1, 28, 28), ten classes. LeCun et al., 1998; with relu and max pooling, as it is taught now."""

    def __init__(self):
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        # (N, 1, 28, 28) -> (N, 6, 14, 14) -> (N, 16, 5, 5) -> (N, 400) -> (N, 10)
        x = tg.max_pool2d(self.conv1(x).relu(), 2)
        x = tg.max_pool2d(self.conv2(x).relu(), 2)
        x = self.fc1(tg.flatten(x, 1)).relu()
        return self.fc3(self.fc2(x).relu())


class BasicBlock(nn.Module):
    """relu(x + F(x)) with two 3×3 convolutions in F; x goes through a 1×1 convolution where its shape has to change."""

    def __init__(self, channels_in, channels_out, stride):
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = None
        if stride != 1 or channels_in != channels_out:
            shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels_out))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        h = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(h)) + shortcut).relu()


class ResNet18(nn.Module):
    """For images (N, 3, H, W). He et al., Deep Residual Learning, CVPR 2016; its first stage has `width` channels."""

    def __init__(self, width=64, classes=10):
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage in range(4):
            out, stride = width * 2**stage, 1 if stage == 0 else 2
            blocks = nn.Sequential(BasicBlock(channels, out, stride), BasicBlock(out, out, 1))
            setattr(self, f"layer{stage + 1}", blocks)
            channels = out
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = tg.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class SigmoidNetwork(nn.Module):
    """Four layers with sigmoids between: the network that nobody could train, for its first layer's gradient vanishes.

    Hochreiter, Untersuchungen zu dynamischen neuronalen Netzen, 1991.
    """

    def __init__(self, inputs=64, width=32, classes=10):
        self.layer1 = nn.Linear(inputs, width)
        self.layer2 = nn.Linear(width, width)
        self.layer3 = nn.Linear(width, width)
        self.layer4 = nn.Linear(width, classes)

    def forward(self, x):
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x).sigmoid()
        return self.layer4(x)


def loss_of(network, shape, classes=10, seed=0):
    """The cross-entropy of a network, freshly initialised, on random inputs of this shape."""
    rng = np.random.default_rng(seed)
    x = tg.Tensor(rng.standard_normal(shape).astype(np.float32), name="x")
    y = tg.Tensor(rng.integers(0, classes, shape[0]), name="y")
    return nn.cross_entropy(network(x), y)
