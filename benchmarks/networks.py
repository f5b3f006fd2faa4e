"""The networks whose steps are measured, in the layer language of `layers`."""

from dataclasses import dataclass
from itertools import pairwise

from benchmarks.layers import Layer, Shape

Layers = tuple[Layer, ...]


@dataclass(frozen=True)
class Network:
    """A network, and how it is trained.

    Args:
        layers: see `benchmarks.layers`.
        sample: the shape of one sample of its input.
        batch: samples per training step.
        loss: "cross-entropy", against a class per sample or per pixel, or "mse", against random numbers.
        batches: further batch sizes that are measured; means over networks count `batch` alone.
    """

    layers: Layers
    sample: Shape
    batch: int
    loss: str = "cross-entropy"
    batches: Shape = ()

    def shape(self, batch: int | None = None) -> Shape:
        """The shape of the input; of `batch` samples, if given."""
        return (batch or self.batch, *self.sample)


def conv(c: int, k: int, size: int | Shape = 3, **options) -> Layer:
    """A convolution that keeps the size of the image at stride 1, unless `padding` says otherwise."""
    if isinstance(size, int):
        options.setdefault("padding", (size - 1) * options.get("dilation", 1) // 2)
    return ("conv", c, k, size, options)


def normalized(c: int, k: int, size: int | Shape = 3, activation: str = "relu", **options) -> Layers:
    """Convolution, batch norm, activation if there is one."""
    layers = (conv(c, k, size, bias=False, **options), ("batchnorm", k))
    return (*layers, (activation,)) if activation else layers


def depthwise(c: int, size: int = 3, activation: str = "relu", **options) -> Layers:
    """A filter for each channel, batch norm, activation."""
    return normalized(c, c, size, activation, groups=c, **options)


HEAD = (("average",), ("flatten",))
"""Before the last linear layer."""


# ------------------------------------------------------------------------------------------ without batch normalization

LENET = (
    *(("conv", 1, 6, 5, {"padding": 2}), ("relu",), ("maxpool", 2)),
    *(("conv", 6, 16, 5), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 400, 120), ("relu",), ("linear", 120, 84), ("relu",), ("linear", 84, 10)),
)
MNIST = (
    *(conv(1, 32), ("relu",), ("maxpool", 2)),
    *(conv(32, 64), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 3136, 128), ("relu",), ("linear", 128, 10)),
)
SMALL_VGG = (
    *(conv(3, 32), ("relu",), conv(32, 32), ("relu",), ("maxpool", 2)),
    *(conv(32, 64), ("relu",), conv(64, 64), ("relu",), ("maxpool", 2)),
    *(conv(64, 128), ("relu",), conv(128, 128), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 2048, 256), ("relu",), ("linear", 256, 10)),
)
MLP = (
    *(("linear", 784, 512), ("relu",), ("dropout", 0.2)),
    *(("linear", 512, 512), ("relu",), ("dropout", 0.2)),
    ("linear", 512, 10),
)


def autoencoder(channels: Shape) -> Layers:
    """Strided convolutions down to the code, transposed ones back up, numbers from 0 to 1."""
    down = [(conv(c, k, stride=2), ("relu",)) for c, k in pairwise(channels)]
    up = [(("transposed", c, k, 4, {"stride": 2, "padding": 1}), ("relu",)) for c, k in pairwise(channels[::-1])]
    return (*sum(down, ()), *sum(up, ())[:-1], ("sigmoid",))


def wavenet(channels: int, dilations: Shape, classes: int) -> Layers:
    """Gated, dilated convolutions in residual blocks (van den Oord et al., 2016), without the skip connections."""

    def block(dilation: int) -> Layer:
        wide = {"dilation": dilation}
        filters, gate = ((conv(channels, channels, **wide), (kind,)) for kind in ("tanh", "sigmoid"))
        return ("sum", (), (("product", filters, gate), conv(channels, channels, 1)))

    end = (("relu",), conv(channels, channels, 1), ("relu",), conv(channels, classes, 1))
    return (conv(1, channels), *map(block, dilations), *end)


# --------------------------------------------------------------------------------------------- with batch normalization


def resnet(channels: Shape, blocks: int) -> Layers:
    """He et al., 2016, section 4.2; where shapes differ the shortcut is a 1×1 convolution (their option B)."""

    def block(c: int, k: int, stride: int) -> Layers:
        branch = (*normalized(c, k, stride=stride), *normalized(k, k, activation=""))
        shortcut = () if c == k else normalized(c, k, 1, activation="", stride=stride)
        return (("sum", branch, shortcut), ("relu",))

    layers, c = normalized(3, channels[0]), channels[0]
    for k in channels:
        for _ in range(blocks):
            layers, c = (*layers, *block(c, k, 1 if c == k else 2)), k
    return (*layers, *HEAD, ("linear", c, 10))


def ds_cnn(channels: int, blocks: int) -> Layers:
    """Zhang et al., Hello Edge, 2017: keywords from 49 times × 10 coefficients."""
    first = normalized(1, channels, (10, 4), stride=2, padding=(5, 1))
    block = (*depthwise(channels), *normalized(channels, channels, 1))
    return (*first, *block * blocks, *HEAD, ("dropout", 0.2), ("linear", channels, 12))


def inverted(c: int, k: int, size: int, stride: int, expansion: int, activation: str, squeeze: int = 0) -> Layers:
    """MobileNetV2's block: wider by a 1×1 convolution, a filter per channel, back; a sum where shapes agree.

    With `squeeze`, EfficientNet's: channels are weighted by what `squeeze` numbers tell of their means.
    """
    wide = c * expansion
    gate = (("average",), conv(wide, squeeze, 1), ("silu",), conv(squeeze, wide, 1), ("sigmoid",))
    branch = (
        *(normalized(c, wide, 1, activation) if expansion > 1 else ()),
        *depthwise(wide, size, activation, stride=stride),
        *((("product", (), gate),) if squeeze else ()),
        *normalized(wide, k, 1, activation=""),
    )
    return (("sum", (), branch),) if c == k and stride == 1 else branch


def mobilenet() -> Layers:
    """Sandler et al., 2018, for 32×32 pixels."""
    layers, c = normalized(3, 16, activation="relu6"), 16
    for k, repeats, stride, expansion in ((16, 1, 1, 1), (24, 2, 1, 6), (32, 2, 2, 6), (64, 2, 2, 6)):
        for repeat in range(repeats):
            layers += inverted(c, k, 3, stride if repeat == 0 else 1, expansion, "relu6")
            c = k
    return (*layers, *normalized(c, 256, 1, "relu6"), *HEAD, ("linear", 256, 10))


def efficientnet() -> Layers:
    """Blocks as in Tan and Le, 2019, for 32×32 pixels: SiLU, squeeze-and-excitation."""
    layers, c = normalized(3, 16, activation="silu"), 16
    for k, repeats, size, stride, expansion in ((16, 1, 3, 1, 1), (24, 2, 3, 2, 4), (40, 2, 5, 2, 4), (80, 2, 3, 1, 4)):
        for repeat in range(repeats):
            layers += inverted(c, k, size, stride if repeat == 0 else 1, expansion, "silu", squeeze=c // 4)
            c = k
    return (*layers, *normalized(c, 160, 1, "silu"), *HEAD, ("linear", 160, 10))


def densenet(growth: int, blocks: Shape) -> Layers:
    """Huang et al., 2017: each layer sees the channels of all before it."""
    c = 2 * growth
    layers: Layers = (conv(3, c, bias=False),)
    for index, count in enumerate(blocks):
        if index:
            half = conv(c, c // 2, 1, bias=False)
            layers, c = (*layers, ("batchnorm", c), ("relu",), half, ("avgpool", 2)), c // 2
        for _ in range(count):
            branch = (("batchnorm", c), ("relu",), conv(c, growth, bias=False))
            layers, c = (*layers, ("concat", (), branch)), c + growth
    return (*layers, ("batchnorm", c), ("relu",), *HEAD, ("linear", c, 10))


def vgg_with_dropout() -> Layers:
    pairs = ((3, 32), (32, 64), (64, 128))
    stages = [(*normalized(c, k), *normalized(k, k), ("maxpool", 2)) for c, k in pairs]
    end = (("flatten",), ("linear", 2048, 256), ("relu",), ("dropout", 0.5), ("linear", 256, 10))
    return (*sum(stages, ()), *end)


def series() -> Layers:
    """For series, as Wang et al., 2017: kernels of 7, 5 and 3, with max pooling."""
    stages = [(*normalized(c, k, size), ("maxpool", 2)) for c, k, size in ((1, 64, 7), (64, 128, 5), (128, 64, 3))]
    return (*sum(stages, ()), *HEAD, ("linear", 64, 10))


def unet(channels: Shape, classes: int) -> Layers:
    """Ronneberger et al., 2015: down by max pooling, up by repeated pixels, each level joined with its own."""

    def level(c: int, k: int, *deeper: int) -> Layers:
        layers = (*normalized(c, k), *normalized(k, k))
        if not deeper:
            return layers
        inside = (("maxpool", 2), *level(k, *deeper), ("upsample", 2))
        return (*layers, ("concat", (), inside), *normalized(k + deeper[0], k), *normalized(k, k))

    return (*level(1, *channels), conv(channels[0], classes, 1))


IMAGE = (3, 32, 32)
NETWORKS = {
    "LeNet-5": Network(LENET, (1, 28, 28), 64, batches=(1, 8, 256)),
    "MNIST CNN": Network(MNIST, (1, 28, 28), 64, batches=(1, 8, 256)),
    "small VGG": Network(SMALL_VGG, IMAGE, 64),
    "ResNet-20": Network(resnet((16, 32, 64), 3), IMAGE, 32),
    "DS-CNN": Network(ds_cnn(64, 4), (1, 49, 10), 32),
    "MobileNetV2": Network(mobilenet(), IMAGE, 32),
    "1-D CNN": Network(series(), (1, 1000), 32),
    "VGG-BN": Network(vgg_with_dropout(), IMAGE, 32),
    "MLP": Network(MLP, (784,), 64),
    "U-Net": Network(unet((16, 32, 64), 2), (1, 64, 64), 8),
    "autoencoder": Network(autoencoder((3, 16, 32, 64)), IMAGE, 32, loss="mse"),
    "DenseNet": Network(densenet(12, (4, 4, 4)), IMAGE, 32),
    "EfficientNet": Network(efficientnet(), IMAGE, 32),
    "WaveNet": Network(wavenet(32, (1, 2, 4, 8, 16, 32, 64, 128), 64), (1, 1024), 8),
}
PLAIN = ("LeNet-5", "MNIST CNN", "small VGG")
"""Convolution, relu, max pooling, linear layers alone: what every library does in a bearable time."""
