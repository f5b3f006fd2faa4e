"""What is measured, as data: every library builds the same thing from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmarks.layers import Layer, Shape, flops, without_dropout
from benchmarks.networks import MNIST, NETWORKS, PLAIN, conv

# (in channels, out channels, side of the image, kernel size, padding)
CONVOLUTIONS = (
    (1, 32, 28, 3, 1),
    (3, 32, 32, 3, 1),
    (32, 64, 14, 3, 1),
    (32, 32, 32, 3, 1),
    (64, 64, 16, 3, 1),
    (128, 128, 8, 3, 1),
    (1, 6, 28, 5, 2),
    (6, 16, 14, 5, 0),
)
# What a convolution is measured in, and how many times the arithmetic of its forward each takes.
PARTS = {"forward": 1, "input gradient": 1, "weight gradient": 1, "with both": 3}
BATCH = 64

# The convolutions that networks are made of besides: (what it is, layer, shape of the input).
SHAPES: tuple[tuple[str, Layer, Shape], ...] = (
    ("3×3 stride 2 3→32@64", conv(3, 32, stride=2), (32, 3, 64, 64)),
    ("3×3 stride 2 16→32@32", conv(16, 32, stride=2), (32, 16, 32, 32)),
    ("3×3 stride 2 32→64@16", conv(32, 64, stride=2), (32, 32, 16, 16)),
    ("7×7 stride 2 3→64@96", conv(3, 64, 7, stride=2), (8, 3, 96, 96)),
    ("10×4 stride 2 1→64@49×10", conv(1, 64, (10, 4), stride=2, padding=(5, 1)), (32, 1, 49, 10)),
    ("depthwise 3×3 64@32", conv(64, 64, groups=64), (32, 64, 32, 32)),
    ("depthwise 3×3 128@16", conv(128, 128, groups=128), (32, 128, 16, 16)),
    ("depthwise 5×5 96@16", conv(96, 96, 5, groups=96), (32, 96, 16, 16)),
    ("depthwise 3×3 stride 2 64@32", conv(64, 64, groups=64, stride=2), (32, 64, 32, 32)),
    ("depthwise 3×3 stride 2 144@16", conv(144, 144, groups=144, stride=2), (32, 144, 16, 16)),
    ("3×3 in 4 groups 64→64@16", conv(64, 64, groups=4), (32, 64, 16, 16)),
    ("1×1 16→96@32", conv(16, 96, 1), (32, 16, 32, 32)),
    ("1×1 144→24@16", conv(144, 24, 1), (32, 144, 16, 16)),
    ("1×1 stride 2 32→64@16", conv(32, 64, 1, stride=2), (32, 32, 16, 16)),
    ("transposed 4×4 stride 2 64→32@16", ("transposed", 64, 32, 4, {"stride": 2, "padding": 1}), (16, 64, 16, 16)),
    ("transposed 2×2 stride 2 64→32@16", ("transposed", 64, 32, 2, {"stride": 2}), (16, 64, 16, 16)),
    ("1-D 7 1→64@1000", conv(1, 64, 7), (32, 1, 1000)),
    ("1-D 5 64→128@500", conv(64, 128, 5), (32, 64, 500)),
    ("1-D 3 dilation 8 32→32@1000", conv(32, 32, dilation=8), (8, 32, 1000)),
    ("3×3 dilation 2 32→32@32", conv(32, 32, dilation=2), (32, 32, 32, 32)),
)

# Layers by their class in PyTorch: (what it is, class, arguments, options, shape of the input).
MODULES: tuple[tuple[str, str, tuple, dict[str, Any], tuple[int, ...]], ...] = (
    ("conv 3×3×3 16→32@8×16×16", "Conv3d", (16, 32, 3), {"padding": 1}, (4, 16, 8, 16, 16)),
    ("max pool 2×2×2 16@8×32×32", "MaxPool3d", (2,), {}, (4, 16, 8, 32, 32)),
    ("adaptive max pool 7×7 32@30", "AdaptiveMaxPool2d", (7,), {}, (16, 32, 30, 30)),
    ("reflection pad 32@28", "ReflectionPad2d", (2,), {}, (16, 32, 28, 28)),
    ("bilinear ×2 32@28", "Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, (16, 32, 28, 28)),
    ("bicubic ×2 32@28", "Upsample", (), {"scale_factor": 2, "mode": "bicubic"}, (16, 32, 28, 28)),
    ("patches 3×3 32@28", "Unfold", (3,), {"padding": 1}, (16, 32, 28, 28)),
    ("pixel shuffle 32@28", "PixelShuffle", (2,), {}, (16, 32, 28, 28)),
)


@dataclass(frozen=True)
class Case:
    """One cell's work: `kind` is the method of a library that prepares it, from `params`."""

    section: str
    name: str
    part: str
    kind: str
    params: dict[str, Any] = field(hash=False)
    flops: int = 0
    """Operations of direct arithmetic, where they are what limits it."""
    repeats: int = 1
    """How many ops one call does: the report shows the time of one."""
    without: tuple[str, ...] = ()
    """Peers that are left out, since they would take too long."""
    quick: bool = True
    """A quick run measures it too."""
    fresh: bool = False
    """Each library measures it in a process of its own, whose peak memory is this case's."""
    counts: bool = True
    """Means over the networks count it: once per network."""
    close: float = 1e-3
    """How far the libraries' numbers may lie apart, as a part of them."""

    @cached_property
    def key(self) -> str:
        return f"{self.section}: {self.name}, {self.part}"


def kernels() -> Iterator[Case]:
    for c, k, side, size, padding in CONVOLUTIONS:
        out = side + 2 * padding - size + 1
        forward = 2 * BATCH * k * out * out * c * size * size
        shapes = {"x": (BATCH, c, side, side), "w": (k, c, size, size), "padding": padding}
        for part, times in PARTS.items():
            params = {**shapes, "part": part}
            once = part in ("forward", "with both")
            yield Case("kernels", conv_name(c, k, side, size), part, "conv", params, forward * times, quick=once)
    yield from _layers()
    for name, module, arguments, options, x in MODULES:
        params = {"name": module, "arguments": arguments, "options": options, "x": x}
        yield Case("kernels", name, "and backward", "module", params)
    for name in ("sgd", "adam"):
        params = {"network": MNIST, "x": NETWORKS["MNIST CNN"].shape(), "rule": name}
        yield Case("kernels", f"{name} of the MNIST CNN", "update", "update", params)


def conv_name(c: int, k: int, side: int, size: int) -> str:
    return f"conv {size}×{size} {c}→{k}@{side}"


def _layers() -> Iterator[Case]:
    image = (BATCH, 32, 28, 28)
    for name, layer, x in (
        ("max pool 2×2 32@28", ("maxpool", 2), image),
        ("relu 32@28", ("relu",), image),
        ("batch norm 32@28", ("batchnorm", 32), image),
        ("linear 3136→128", ("linear", 3136, 128), (BATCH, 3136)),
        ("linear 400→120", ("linear", 400, 120), (BATCH, 400)),
    ):
        yield _layer("kernels", name, "and backward", layer, x)
    yield Case("kernels", "cross-entropy 10", "and backward", "loss", {"x": (BATCH, 10)})
    yield Case("kernels", "cross-entropy 1000", "and backward", "loss", {"x": (BATCH, 1000)})
    yield Case("kernels", "matmul 512×512×512", "forward", "matmul", {"n": 512}, 2 * 512**3)


def _layer(section: str, name: str, part: str, layer: Layer, x: Shape) -> Case:
    backward = part != "forward"
    params = {"layer": layer, "x": x, "backward": backward}
    return Case(section, name, part, "layer", params, flops([layer], x) * (3 if backward else 1))


SHAPE_PARTS = ("forward", "and backward")


def convolutions() -> Iterator[Case]:
    for name, layer, x in SHAPES:
        for part in SHAPE_PARTS:
            yield _layer("convolutions", name, part, layer, x)


LONG = ("compiled", "tinygrad")
"""Peers that compile for a long time."""
SETTINGS = ("kept", "channels_last", "bf16")
"""PyTorch's settings, measured at each network's own batch size."""


def steps() -> Iterator[Case]:
    for name, network in NETWORKS.items():
        for batch in sorted({network.batch, *network.batches}):
            yield step(name, batch)


def step(name: str, batch: int) -> Case:
    """Forward, loss, zero_grad, backward, SGD with momentum."""
    network, own = NETWORKS[name], batch == NETWORKS[name].batch
    x = network.shape(batch)
    # The first layer's input needs no gradient.
    work = 3 * flops(network.layers, x) - flops(network.layers[:1], x)
    without = () if own else SETTINGS if batch == 1 else (*LONG, *SETTINGS)
    return Case(
        "steps",
        name,
        f"batch {batch}",
        "step",
        {"layers": network.layers, "x": x, "loss": network.loss},
        work,
        without=without if name in PLAIN else ("tinygrad", "mygrad"),
        quick=own,
        fresh=True,
        counts=own,
        close=1e-4,
    )


def inference() -> Iterator[Case]:
    """The forward pass in evaluation mode; at batch 1 above all."""
    for name, network in NETWORKS.items():
        for batch in (1, 64) if name in ("LeNet-5", "MNIST CNN") else (1,):
            x = network.shape(batch)
            params = {"layers": network.layers, "x": x}
            yield Case(
                "inference",
                name,
                f"batch {batch}",
                "inference",
                params,
                flops(network.layers, x),
                without=() if name in PLAIN and batch == 1 else ("compiled",),
                quick=batch == 1,
                counts=batch == 1,
                close=1e-4,
            )


def alike(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a case without dropout, so that all libraries compute the same numbers."""
    return params | {"layers": without_dropout(params["layers"])} if "layers" in params else params


def overhead() -> Iterator[Case]:
    """Long chains of ops on tensors so small that the engine is all that costs."""
    length = 1000
    for op, shape in (("add", (1,)), ("add", (8, 8)), ("relu", (8, 8)), ("linear", (8, 8))):
        for part in ("forward", "and backward"):
            params = {"op": op, "shape": shape, "length": length, "backward": part != "forward"}
            yield Case("overhead", f"{op} {shape}", part, "chain", params, repeats=length)


CASES = {
    "kernels": kernels,
    "convolutions": convolutions,
    "steps": steps,
    "inference": inference,
    "overhead": overhead,
}
OF_NETWORKS = ("steps", "inference")
"""The sections whose cases are networks."""
