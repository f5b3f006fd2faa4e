"""U-Net: Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015.

With padded convolutions and batch normalization; the names of parameters are those of A. Milesi's well-known PyTorch
implementation.
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.layers import BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, ReLU, Sequential, Upsample
from tensorgrad.nn.module import Module
from tensorgrad.ops.images.padding import pad


class DoubleConv(Module):
    """Twice: 3 × 3 convolution, batch normalization, relu.

    Args:
        in_channels: the channels of x.
        out_channels: the channels of z.
        mid_channels: the channels in between; `out_channels` by default.
    """

    def __init__(self, in_channels: int, out_channels: int, mid_channels: int | None = None) -> None:
        middle = mid_channels or out_channels
        self.double_conv = Sequential(
            Conv2d(in_channels, middle, kernel_size=3, padding=1, bias=False),
            BatchNorm2d(middle),
            ReLU(inplace=True),
            Conv2d(middle, out_channels, kernel_size=3, padding=1, bias=False),
            BatchNorm2d(out_channels),
            ReLU(inplace=True),
        )

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x `(N, in, H, W)` -> `(N, out, H, W)`."""
        return self.double_conv(x)


class Down(Module):
    """Halve the size by max pooling, then `DoubleConv`.

    Args:
        in_channels: the channels of x.
        out_channels: the channels of z.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.maxpool_conv = Sequential(MaxPool2d(2), DoubleConv(in_channels, out_channels))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x `(N, in, H, W)` -> `(N, out, H/2, W/2)`."""
        return self.maxpool_conv(x)


class Up(Module):
    """Double the size, join the feature maps of the same size from the way down, then `DoubleConv`.

    Args:
        in_channels: the channels of both together.
        out_channels: the channels of z.
        bilinear: interpolate, instead of a transposed convolution that halves the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, bilinear: bool = True) -> None:
        self.up: Module = (
            Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            if bilinear
            else ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        )
        self.conv = DoubleConv(in_channels, out_channels, in_channels // 2 if bilinear else None)

    def forward(self, x1: tg.Tensor, x2: tg.Tensor) -> tg.Tensor:
        """x1 from below, x2 `(N, C, H, W)` from the way down -> `(N, out, H, W)`."""
        x1 = self.up(x1)
        (rows, columns) = (x2.shape[k] - x1.shape[k] for k in (2, 3))
        x1 = pad(x1, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return self.conv(tg.cat([x2, x1], 1))


class OutConv(Module):
    """A 1 × 1 convolution: the logits of each pixel.

    Args:
        in_channels: the channels of x.
        out_channels: the number of classes.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.conv = Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits."""
        return self.conv(x)


class UNet(Module):
    """A class for each pixel: x `(N, n_channels, H, W)` -> `(N, n_classes, H, W)`, H and W at least 16.

    Args:
        n_channels: the channels of the images.
        n_classes: the number of classes.
        bilinear: interpolate on the way up, instead of transposed convolutions.
        width: the channels of the first feature maps, 64 in the paper; a smaller number makes a smaller network.

    >>> import tensorgrad as tg
    >>> UNet(1, 2, width=4).eval()(tg.zeros(1, 1, 20, 30)).shape
    (1, 2, 20, 30)
    """

    def __init__(self, n_channels: int, n_classes: int, bilinear: bool = False, width: int = 64) -> None:
        self.n_channels, self.n_classes, self.bilinear = n_channels, n_classes, bilinear
        factor = 2 if bilinear else 1
        self.inc = DoubleConv(n_channels, width)
        self.down1 = Down(width, 2 * width)
        self.down2 = Down(2 * width, 4 * width)
        self.down3 = Down(4 * width, 8 * width)
        self.down4 = Down(8 * width, 16 * width // factor)
        self.up1 = Up(16 * width, 8 * width // factor, bilinear)
        self.up2 = Up(8 * width, 4 * width // factor, bilinear)
        self.up3 = Up(4 * width, 2 * width // factor, bilinear)
        self.up4 = Up(2 * width, width, bilinear)
        self.outc = OutConv(width, n_classes)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits of each pixel."""
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.up1(self.down4(x4), x4)
        x = self.up2(x, x3)
        x = self.up3(x, x2)
        return self.outc(self.up4(x, x1))
