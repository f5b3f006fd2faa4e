"""What is measured, as plain data: every library gets the same sizes, the same weights and the same images."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Layer = tuple[Any, ...]
"""("conv", in, out, kernel, padding), ("linear", in, out), ("relu",), ("pool",) or ("flatten",)."""

LENET: list[Layer] = [
    *[("conv", 1, 6, 5, 2), ("relu",), ("pool",)],
    *[("conv", 6, 16, 5, 0), ("relu",), ("pool",)],
    *[("flatten",), ("linear", 400, 120), ("relu",), ("linear", 120, 84), ("relu",), ("linear", 84, 10)],
]
MNIST_CNN: list[Layer] = [
    *[("conv", 1, 32, 3, 1), ("relu",), ("pool",)],
    *[("conv", 32, 64, 3, 1), ("relu",), ("pool",)],
    *[("flatten",), ("linear", 3136, 128), ("relu",), ("linear", 128, 10)],
]
SMALL_VGG: list[Layer] = [
    *[("conv", 3, 32, 3, 1), ("relu",), ("conv", 32, 32, 3, 1), ("relu",), ("pool",)],
    *[("conv", 32, 64, 3, 1), ("relu",), ("conv", 64, 64, 3, 1), ("relu",), ("pool",)],
    *[("conv", 64, 128, 3, 1), ("relu",), ("conv", 128, 128, 3, 1), ("relu",), ("pool",)],
    *[("flatten",), ("linear", 2048, 256), ("relu",), ("linear", 256, 10)],
]
NETWORKS = {"LeNet-5": LENET, "MNIST CNN": MNIST_CNN, "small VGG": SMALL_VGG}
IMAGES = {"LeNet-5": (1, 28, 28), "MNIST CNN": (1, 28, 28), "small VGG": (3, 32, 32)}

LEARNING_RATE, MOMENTUM, CLASSES = 0.01, 0.9, 10

# in, out, size of the image, kernel, padding
CONVOLUTIONS = [
    (1, 32, 28, 3, 1),
    (3, 32, 32, 3, 1),
    (32, 64, 14, 3, 1),
    (32, 32, 32, 3, 1),
    (64, 64, 16, 3, 1),
    (128, 128, 8, 3, 1),
    (1, 6, 28, 5, 2),
    (6, 16, 14, 5, 0),
]
PARTS = ("forward", "input gradient", "weight gradient", "all three")


@dataclass(frozen=True)
class Case:
    """One thing to measure: a `kind` that libraries know how to prepare, with its options."""

    section: str
    name: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    flops: float = 0.0  # multiply-adds count as two; 0 where memory is the limit

    def as_dict(self) -> dict[str, Any]:
        """What a worker is sent."""
        return asdict(self)


def kernel_cases(batch: int = 64) -> list[Case]:
    """Convolutions, each alone; and layers, forward and backward."""
    cases = []
    for c, k, size, kernel, padding in CONVOLUTIONS:
        out = size + 2 * padding - kernel + 1
        flops = 2.0 * batch * k * out * out * c * kernel * kernel
        options = {"shape": (batch, c, size, size), "filters": (k, c, kernel, kernel), "padding": padding}
        for part in PARTS:
            name = f"{c}→{k} @{size} {kernel}×{kernel}, {part}"
            cases.append(
                Case("kernels", name, "conv", {**options, "part": part}, flops * (3 if part == PARTS[3] else 1))
            )
    maps = (batch, 32, 28, 28)
    layers = {
        "relu": {"shape": maps},
        "max pool 2×2": {"shape": maps},
        "batch norm": {"shape": maps},
        "linear 3136→128": {"shape": (batch, 3136), "out": 128},
        "cross-entropy": {"shape": (batch, CLASSES)},
    }
    for name, options in layers.items():
        cases.append(Case("layers", name, "layer", {"layer": name.split()[0], **options}))
    return cases


def step_cases(quick: bool = False) -> list[Case]:
    """Training steps: forward, cross-entropy, backward, SGD with momentum. And inference."""
    sizes = {"LeNet-5": (1, 8, 64, 256), "MNIST CNN": (1, 8, 64, 256), "small VGG": (64,) if quick else (1, 8, 64)}
    steps = [
        Case("steps", f"{net}, batch {n}", "step", {"net": net, "batch": n})
        for net, all_n in sizes.items()
        for n in all_n
    ]
    inference = [
        Case("inference", f"{net}, batch {n}", "inference", {"net": net, "batch": n})
        for net in ("LeNet-5", "MNIST CNN")
        for n in (1, 64)
    ]
    return steps + inference


def overhead_cases() -> list[Case]:
    """What an op costs that computes next to nothing: a chain of additions, per op."""
    return [
        Case("overhead", "x + y, recorded", "chain", {"length": 1000, "backward": False}),
        Case("overhead", "x + y, recorded, and backward", "chain", {"length": 1000, "backward": True}),
    ]


def parameters(net: str) -> list[np.ndarray]:
    """Weight and bias of each layer that has them, float32, from one seed."""
    rng, arrays = np.random.default_rng(0), []
    for kind, *sizes in NETWORKS[net]:
        if kind not in ("conv", "linear"):
            continue
        shape = (sizes[1], sizes[0], sizes[2], sizes[2]) if kind == "conv" else (sizes[1], sizes[0])
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        arrays += [rng.uniform(-bound, bound, s).astype(np.float32) for s in (shape, shape[:1])]
    return arrays


def batch(net: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `(N, C, H, W)` float32 and labels `(N,)` int64, from one seed."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((count, *IMAGES[net])).astype(np.float32), rng.integers(0, CLASSES, count)


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Normal float32 arrays from one seed."""
    rng = np.random.default_rng(2)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def labels(shape: tuple[int, int]) -> np.ndarray:
    """A class for each row, from one seed."""
    return np.random.default_rng(3).integers(0, shape[1], shape[0])
