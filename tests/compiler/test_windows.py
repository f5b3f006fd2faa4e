"""Networks of layers that slide, pad, resize and shuffle, compiled: the same bits, and replayed."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def decoder():
    """Images of 8×8 in 3 classes."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(2)),
        *(nn.Conv2d(2, 4, 3), nn.AdaptiveMaxPool2d(5), nn.Flatten(), nn.Linear(100, 3)),
    )


def volumes():
    """Volumes of 4×4×4 in 3 classes."""
    return nn.Sequential(
        *(nn.Conv3d(1, 4, 3, padding=1), nn.MaxPool3d(2), nn.ConvTranspose3d(4, 2, 2, 2)),
        *(nn.ReplicationPad3d(1), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(54, 3)),
    )


def losses(make, shape, compile):
    tg.manual_seed(0)
    model, rng = make(), np.random.default_rng(1)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = compile(step)
    found = []
    for _ in range(5):
        x, y = rng.standard_normal((4, *shape)).astype("f"), rng.integers(0, 3, 4)
        found.append(float(step(tg.tensor(x), tg.tensor(y))))
    return found, step


@pytest.mark.parametrize(("make", "shape"), [(decoder, (3, 8, 8)), (volumes, (1, 4, 4, 4))])
def test_a_compiled_step_is_the_plain_one(make, shape):
    expected, _ = losses(make, shape, lambda step: step)
    found, step = losses(make, shape, tg.compile)
    assert found == expected
    assert step.replays == 3
