"""Training steps of the usual networks are captured, random masks and running statistics included; the bits stay."""

import numpy as np
import pytest
from compiling import assert_same, captures, numbers, poison
from networks import BasicBlock

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.compiler.capture import HostCall
from tensorgrad.nn import functional as F


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


class Joined(nn.Module):
    """What `inner` makes of the input, beside the input."""

    def __init__(self, *inner):
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x):
        return tg.cat([x, self.inner(x)], 1)


class Gated(nn.Module):
    """Channels weighted by what the sizes of their means tell."""

    def __init__(self, channels):
        super().__init__()
        layers = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 4, 1), nn.SiLU(), nn.Conv2d(4, channels, 1), nn.Sigmoid()
        self.gate = nn.Sequential(*layers)

    def forward(self, x):
        return x * self.gate(x)


def dense():
    first, second = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(12, 4, 3, padding=1, bias=False)
    branches = [Joined(nn.BatchNorm2d(c), nn.ReLU(), layer) for c, layer in ((8, first), (12, second))]
    end = nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 64, 10)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *branches, *end)


def unet():
    down = nn.MaxPool2d(2), *normed(nn.Conv2d(8, 16, 3, padding=1), 16), nn.Upsample(scale_factor=2)
    return nn.Sequential(*normed(nn.Conv2d(3, 8, 3, padding=1), 8), Joined(*down), nn.Conv2d(24, 10, 1))


def squeezed():
    layers = *normed(nn.Conv2d(3, 16, 3, padding=1), 16, nn.SiLU), Gated(16), nn.Conv2d(16, 8, 1, stride=2)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


NETWORKS = {
    "README": (readme, (32, 1, 8, 8)),
    "demo": (demo, (32, 1, 8, 8)),
    "residual": (residual, (4, 3, 16, 16)),
    "depthwise": (mobile, (4, 3, 16, 16)),
    "VGG": (vgg, (4, 3, 16, 16)),
    "MLP": (mlp, (64, 64)),
    "1-D": (series, (8, 1, 100)),
    "dense": (dense, (4, 3, 16, 16)),
    "U-Net": (unet, (4, 3, 16, 16)),
    "squeezed": (squeezed, (4, 3, 16, 16)),
}

BY_PYTHON = ("mask", "dropout", "mean", "sum", "linear", "matmul")
"""What begins the names of arrays that host calls may return: random masks, and NumPy's sums of few numbers."""


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
        x = rng.standard_normal(shape).astype(np.float32)
        y = rng.integers(0, 10, (shape[0], *shape[2:]) if make is unet else shape[0])
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
    assert_launches(step)


def assert_launches(function):
    """All that a function computes is launches, but for what Python has to do."""
    (captured,) = captures(function)
    hosts = [unit for unit in captured._units if isinstance(unit, HostCall)]
    names = [name for unit in hosts for name, _ in unit.outputs]
    assert [name for name in names if not name.startswith(BY_PYTHON)] == []
    assert sum(len(unit._table) for unit in captured._units if not isinstance(unit, HostCall)) > 2 * len(hosts)


def state_of_the_generator(array):
    return array * (default_generator().bit_generator.state["state"]["state"] % 7)


def look_at_the_generator(x):
    """A user's host call, which finds the generator as it is after the first mask and before the second."""
    return wrap(host_call(state_of_the_generator, x._data))


def noisy(generator, array):
    return array + generator.random(array.shape, array.dtype)


def noisy_by_python(x):
    """Draws in its turn, after the first mask and before the second: so the second is drawn after it."""
    return wrap(host_call(noisy, default_generator(), x._data))


@pytest.mark.parametrize(
    ("between", "order"),
    [
        (lambda x: x, [True, True, False]),
        (look_at_the_generator, [True, False] * 3),
        (noisy_by_python, [True, False] * 3),
        (lambda x: x + tg.randn(30, 40), [True, True, True, False]),
    ],
    ids=["masks", "a look between", "a draw between", "noise"],
)
def test_random_numbers_are_drawn_before_all_launches(between, order):
    """No parallel region ends for a mask; the generator's numbers go to the same masks as without compile."""
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    w = [tg.tensor(rng.standard_normal((40, 40)).astype(np.float32)) for _ in range(3)]

    def network(x):
        h = F.dropout((x @ w[0]).relu(), 0.4)
        return (F.dropout(between(h @ w[1]).relu(), 0.3) @ w[2]).relu()

    compiled = tg.compile(network)
    inputs = [tg.tensor(rng.standard_normal((30, 40)).astype(np.float32)) for _ in range(4)]
    state = default_generator().bit_generator.state
    expected = [numbers(network(x)) for x in inputs]
    default_generator().bit_generator.state = state
    assert_same(expected, [numbers(compiled(x)) for x in inputs])
    (captured,) = captures(compiled)
    assert [isinstance(unit, HostCall) for unit in captured._units] == order


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_is_captured(name):
    make, shape = NETWORKS[name]
    tg.manual_seed(0)
    model, rng = make().eval(), np.random.default_rng(0)
    for buffer in model.buffers():
        if buffer.dtype == np.float32:
            buffer.data[...] = rng.uniform(0.5, 2, buffer.shape)
    compiled = tg.compile(model)
    with tg.no_grad():
        for k in range(6):
            x = tg.tensor(rng.standard_normal((1, *shape[1:])).astype(np.float32))
            assert_same(numbers(model(x)), numbers(compiled(x)))
            if k > 2:
                poison(compiled)
    assert_launches(compiled)
