"""Training steps of the usual networks are captured, random masks and running statistics included; the bits stay."""

import numpy as np
import pytest
from compiling import assert_same, captures, numbers, poison
from networks import BasicBlock

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays.random import default_generator
from tensorgrad.compiler.capture import HostCall


def normed(layer, channels, activation=nn.ReLU):
    norm = nn.BatchNorm1d if isinstance(layer, nn.Conv1d) else nn.BatchNorm2d
    return [layer, norm(channels), activation()]


def readme():
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


def demo():
    return nn.Sequential(
        *normed(nn.Conv2d(1, 16, 3, padding=1), 16), nn.MaxPool2d(2), *normed(nn.Conv2d(16, 32, 3, padding=1), 32),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10),
    )  # fmt: skip


def residual():
    stem = normed(nn.Conv2d(3, 16, 3, padding=1, bias=False), 16)
    blocks = BasicBlock(16, 16, 1), BasicBlock(16, 32, 2), BasicBlock(32, 32, 1)
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def mobile():
    depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False)
    return nn.Sequential(
        *normed(nn.Conv2d(3, 32, 1, bias=False), 32, nn.ReLU6), *normed(depthwise, 32, nn.ReLU6),
        nn.Conv2d(32, 8, 1, bias=False), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip


def vgg():
    first = *normed(nn.Conv2d(3, 8, 3, padding=1), 8), *normed(nn.Conv2d(8, 8, 3, padding=1), 8)
    rest = nn.Linear(8 * 64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)
    return nn.Sequential(*first, nn.MaxPool2d(2), nn.Dropout(0.2), nn.Flatten(), *rest)


def mlp():
    hidden = nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 128), nn.SiLU(), nn.Dropout(0.5)
    return nn.Sequential(*hidden, nn.Linear(128, 10))


def series():
    layers = *normed(nn.Conv1d(1, 16, 7, padding=3), 16), nn.MaxPool1d(2), *normed(nn.Conv1d(16, 16, 5, padding=2), 16)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 10))


NETWORKS = {
    "README": (readme, (32, 1, 8, 8)),
    "demo": (demo, (32, 1, 8, 8)),
    "residual": (residual, (4, 3, 16, 16)),
    "depthwise": (mobile, (4, 3, 16, 16)),
    "VGG": (vgg, (4, 3, 16, 16)),
    "MLP": (mlp, (64, 64)),
    "1-D": (series, (8, 1, 100)),
}


def trained(make, shape, wrapped):
    """All that can be seen of six steps, and the function."""
    tg.manual_seed(0)
    model, rng = make(), np.random.default_rng(0)
    sgd = nn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    @wrapped
    def step(x, y):
        sgd.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss

    seen = []
    for k in range(6):
        x, y = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0])
        x[0] *= np.nan if k == 5 else 1
        seen.append([numbers(step(x, y)), *map(numbers, model.parameters()), *map(numbers, model.buffers())])
        seen.append(default_generator().bit_generator.state["state"]["state"])
        if wrapped is tg.compile and k > 2:
            poison(step)
    return seen, step


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_is_captured(name):
    (plain, _), (compiled, step) = (trained(*NETWORKS[name], wrapped) for wrapped in (lambda f: f, tg.compile))
    assert_same(plain, compiled)
    assert (step.replays, step.problems) == (4, [])
    (captured,) = captures(step)
    hosts = [unit for unit in captured._units if isinstance(unit, HostCall)]
    launches = sum(len(unit._table) for unit in captured._units if not isinstance(unit, HostCall))
    assert launches > 2 * len(hosts), [unit.outputs for unit in hosts]
