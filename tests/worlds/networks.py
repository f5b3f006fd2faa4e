"""Generated networks, and losses with targets that suit them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from worlds.choices import CLASSES, chance, floats, pick

ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus]


class Net(nn.Module):
    """A chain of layers with a shared one, and a skip connection around the shared one."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        layers: list[nn.Module] = []
        if len(shape) == 3 and chance(rng, 0.8):
            layers, size = convolutions(rng, shape)
        self.body = nn.Sequential(*layers, nn.Flatten())
        width = int(pick(rng, [2, 8, 24, 40]))
        self.inner = nn.Linear(size, width, bias=chance(rng, 0.7))
        self.norm = nn.BatchNorm1d(width) if chance(rng, 0.3) else None
        self.activation = pick(rng, ACTIVATIONS)()
        self.dropout = nn.Dropout(float(pick(rng, [0.2, 0.5]))) if chance(rng, 0.4) else None
        self.shared = nn.Linear(width, width) if chance(rng, 0.4) else None
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(rng.integers(3))])
        self.output = nn.Linear(width, CLASSES)
        self.factor = 1.0
        self.extras = {"shift": 0.0}

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = self.inner(self.body(x))
        x = x if self.norm is None else self.norm(x)
        x = self.activation(x)
        x = x if self.dropout is None else self.dropout(x)
        if self.shared is not None:
            x = x + self.shared(self.shared(x).relu())
        for block in self.blocks:
            x = block(x).tanh()
        return self.output(x) * self.factor + self.extras["shift"]


def convolutions(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[list[nn.Module], int]:
    """Some layers for images (C, H, W), and how many numbers they leave of one."""
    layers: list[nn.Module] = []
    for _ in range(rng.integers(1, 3)):
        filters, stride = int(pick(rng, [2, 3, 8])), int(pick(rng, [1, 1, 1, 2]))
        kernel = int(pick(rng, [1, 2, 3]))
        groups = 2 if shape[0] % 2 == 0 and filters % 2 == 0 and chance(rng, 0.3) else 1
        settings = {"stride": stride, "padding": kernel // 2, "groups": groups, "bias": chance(rng, 0.7)}
        layers.append(nn.Conv2d(shape[0], filters, kernel, **settings))
        if chance(rng, 0.3):
            layers.append(nn.BatchNorm2d(filters, momentum=pick(rng, [0.1, 0.5, None])))
        order = [pick(rng, [nn.ReLU, *ACTIVATIONS])(), pick(rng, [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Identity()])]
        layers += order if chance(rng, 0.5) else order[::-1]
        if chance(rng, 0.2):
            layers.append(nn.Dropout(0.25))
        with tg.no_grad():
            shape = nn.Sequential(*layers).eval()(tg.zeros(1, *FIRST_SHAPE)).shape[1:]
        if min(shape[1:]) < 4:
            break
    return layers, int(np.prod(shape))


FIRST_SHAPE = (2, 9, 8)


def _labels(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, CLASSES, count)


def _probabilities(rng: np.random.Generator, count: int) -> np.ndarray:
    t = rng.random((count, CLASSES)).astype(np.float32)
    return t / t.sum(1, keepdims=True)


def _bits(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2, (count, CLASSES)).astype(np.float32)


def _numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    return floats(rng, (count, CLASSES))


def _signs(rng: np.random.Generator, count: int) -> np.ndarray:
    return _bits(rng, count) * 2 - 1


def loss_of(rng: np.random.Generator) -> tuple[Callable, Callable]:
    """A loss with every option, and what draws targets for so many rows."""
    kind = pick(
        rng,
        [
            "plain",
            "plain",
            "plain",
            "plain",
            "options",
            "options",
            "nll",
            "soft",
            "mse",
            "l1",
            "bce",
            "logits",
            "margin",
        ],
    )
    reduction = pick(rng, ["mean", "mean", "sum", "none"])
    more: dict[str, Any] = {"reduction": reduction}
    if kind in ("options", "nll"):
        more["ignore_index"] = int(pick(rng, [-100, -1, 0, 2, CLASSES - 1]))
    weight = tg.tensor(rng.random(CLASSES).astype(np.float32) + 0.5) if kind != "plain" and chance(rng, 0.5) else None
    if kind in ("plain", "options", "nll", "soft") and weight is not None:
        more["weight"] = weight
    if kind in ("options", "soft") and chance(rng, 0.5):
        more["label_smoothing"] = 0.1
    losses: dict[str, tuple[Callable, Callable]] = {
        "plain": (nn.cross_entropy, _labels),
        "options": (nn.cross_entropy, _labels),
        "nll": (lambda z, y, **how: nn.nll_loss(tg.log_softmax(z, axis=1), y, **how), _labels),
        "soft": (nn.cross_entropy, _probabilities),
        "mse": (nn.mse_loss, _numbers),
        "l1": (nn.l1_loss, _numbers),
        "bce": (lambda z, t, **how: nn.binary_cross_entropy(z.sigmoid(), t, **how), _bits),
        "logits": (nn.binary_cross_entropy_with_logits, _bits),
        "margin": (nn.soft_margin_loss, _signs),
    }
    function, targets = losses[kind]

    def loss(z: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        return function(z, y, **more)

    return loss, targets
