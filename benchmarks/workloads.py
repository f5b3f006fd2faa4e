"""What is measured, as data: every library builds the same thing from it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

# Layers: ("conv", C, K, kernel size, padding), ("relu",), ("maxpool", size), ("batchnorm", C), ("flatten",),
# ("linear", in, out).
LENET = (
    *(("conv", 1, 6, 5, 2), ("relu",), ("maxpool", 2)),
    *(("conv", 6, 16, 5, 0), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 400, 120), ("relu",), ("linear", 120, 84), ("relu",), ("linear", 84, 10)),
)
MNIST = (
    *(("conv", 1, 32, 3, 1), ("relu",), ("maxpool", 2)),
    *(("conv", 32, 64, 3, 1), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 3136, 128), ("relu",), ("linear", 128, 10)),
)
VGG = (
    *(("conv", 3, 32, 3, 1), ("relu",), ("conv", 32, 32, 3, 1), ("relu",), ("maxpool", 2)),
    *(("conv", 32, 64, 3, 1), ("relu",), ("conv", 64, 64, 3, 1), ("relu",), ("maxpool", 2)),
    *(("conv", 64, 128, 3, 1), ("relu",), ("conv", 128, 128, 3, 1), ("relu",), ("maxpool", 2)),
    *(("flatten",), ("linear", 2048, 256), ("relu",), ("linear", 256, 10)),
)
NETWORKS = {"LeNet-5": (LENET, (1, 28, 28)), "MNIST CNN": (MNIST, (1, 28, 28)), "small VGG": (VGG, (3, 32, 32))}

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

# Layers by their class in PyTorch: (what it is, class, arguments, options, shape of the input).
MODULES: tuple[tuple[str, str, tuple, dict[str, Any], tuple[int, ...]], ...] = (
    ("transposed 4×4 64→32@16", "ConvTranspose2d", (64, 32, 4), {"stride": 2, "padding": 1}, (16, 64, 16, 16)),
    ("depthwise 3×3 64@32", "Conv2d", (64, 64, 3), {"padding": 1, "groups": 64}, (16, 64, 32, 32)),
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
    slow_too: bool = False
    """Peers that compile for long do it too."""
    always: bool = False
    """In a quick run too every peer does it, not PyTorch alone."""

    @property
    def key(self) -> str:
        return f"{self.section}: {self.name}, {self.part}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def kernels() -> Iterator[Case]:
    for c, k, side, size, padding in CONVOLUTIONS:
        out = side + 2 * padding - size + 1
        flops = 2 * BATCH * k * out * out * c * size * size
        shapes = {"x": (BATCH, c, side, side), "w": (k, c, size, size), "padding": padding}
        for part, times in PARTS.items():
            params = {**shapes, "part": part}
            yield Case("kernels", conv_name(c, k, side, size), part, "conv", params, flops * times)
    yield from _layers()
    for name, module, arguments, options, x in MODULES:
        params = {"name": module, "arguments": arguments, "options": options, "x": x}
        yield Case("kernels", name, "and backward", "module", params)
    for name in ("sgd", "adam"):
        params = {"network": MNIST, "rule": name}
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
        flops = 3 * 2 * BATCH * prod(layer[1:]) if layer[0] == "linear" else 0
        yield Case("kernels", name, "and backward", "layer", {"layer": layer, "x": x}, flops)
    yield Case("kernels", "cross-entropy 10", "and backward", "loss", {"x": (BATCH, 10)})
    yield Case("kernels", "cross-entropy 1000", "and backward", "loss", {"x": (BATCH, 1000)})
    yield Case("kernels", "matmul 512×512×512", "forward", "matmul", {"n": 512}, 2 * 512**3)


def steps() -> Iterator[Case]:
    for network in NETWORKS:
        for batch in (1, 8, 64, 256) if network != "small VGG" else (64,):
            yield step(network, batch)
    for network in ("LeNet-5", "MNIST CNN"):
        for batch in (1, 64):
            layers, shape = NETWORKS[network]
            params = {"layers": layers, "x": (batch, *shape)}
            flops, chosen = network_flops(network, batch), {"slow_too": batch == 1}
            yield Case("steps", network, f"inference, batch {batch}", "inference", params, flops, **chosen)


def step(network: str, batch: int) -> Case:
    """Forward, cross-entropy, zero_grad, backward, SGD with momentum."""
    layers, shape = NETWORKS[network]
    params = {"layers": layers, "x": (batch, *shape)}
    # The first layer's input needs no gradient.
    flops = 3 * network_flops(network, batch) - network_flops(network, batch, only_first=True)
    chosen = {"slow_too": batch in (1, 64), "always": batch == 64 and network == "MNIST CNN"}
    return Case("steps", network, f"training, batch {batch}", "step", params, flops, **chosen)


def network_flops(network: str, batch: int, only_first: bool = False) -> int:
    """Multiplications and additions of a network's forward, direct."""
    layers, (_, side, _) = NETWORKS[network]
    total = 0
    for kind, *sizes in layers:
        if kind == "conv":
            c, k, size, padding = sizes
            side += 2 * padding - size + 1
            total += 2 * batch * k * side * side * c * size * size
        elif kind == "maxpool":
            side //= sizes[0]
        elif kind == "linear":
            total += 2 * batch * sizes[0] * sizes[1]
        if only_first:
            break
    return total


def overhead() -> Iterator[Case]:
    """Long chains of ops on tensors so small that the engine is all that costs."""
    length = 1000
    for op, shape in (("add", (1,)), ("add", (8, 8)), ("relu", (8, 8)), ("linear", (8, 8))):
        for part in ("forward", "and backward"):
            params = {"op": op, "shape": shape, "length": length, "backward": part != "forward"}
            yield Case("overhead", f"{op} {shape}", part, "chain", params, repeats=length)


CASES = {"kernels": kernels, "steps": steps, "overhead": overhead}
