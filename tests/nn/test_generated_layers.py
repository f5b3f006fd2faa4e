"""Layers with random options, a few of each kind, beside PyTorch's: `tests/generated_layers.py` runs hundreds."""

import numpy as np
import pytest
from generated_layers import KINDS, build, run

import tensorgrad as tg
from tensorgrad import nn


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", KINDS)
def test_generated_layers_agree_with_pytorch(name):
    run(name, 12, pytest.importorskip("torch"))


REPLAYED = [
    ("GroupNorm(2, 4)", (3, 4, 3, 3)),
    ("InstanceNorm2d(4, affine=True, track_running_stats=True)", (3, 4, 3, 3)),
    ("LayerNorm(4)", (3, 4)),
    ("RMSNorm(4)", (3, 4)),
    ("BatchNorm3d(4)", (3, 4, 2, 2, 2)),
    ("LocalResponseNorm(3)", (3, 4, 3, 3)),
    ("PReLU(4)", (3, 4, 3)),
    ("RReLU()", (3, 4)),
    ("SELU()", (3, 4)),
]


@pytest.mark.parametrize(("text", "shape"), REPLAYED, ids=[text for text, _ in REPLAYED])
def test_compiled_training_is_the_same_to_the_bit(text, shape):
    def losses(compiled):
        tg.manual_seed(0)
        layer, rng = build(text, nn), np.random.default_rng(0)
        net = nn.Sequential(layer, nn.Flatten(), nn.Linear(int(np.prod(shape[1:])), 3))
        optimizer = nn.optim.SGD(net.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = tg.compile(step) if compiled else step
        batches = [(rng.standard_normal(shape).astype("f"), rng.integers(0, 3, shape[0])) for _ in range(4)]
        values = [run(tg.tensor(x), tg.tensor(y)).item() for x, y in batches]
        return values, [t.numpy() for t in net.state_dict().values()], getattr(run, "replays", 0)

    plain, compiled = losses(False), losses(True)
    assert plain[0] == compiled[0] and compiled[2] > 0
    for x, y in zip(plain[1], compiled[1], strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("text", "shape", "alike"),
    [
        ("Dropout1d(0.4)", (500, 40, 3), (2,)),
        ("Dropout1d(0.4)", (20000, 3), (1,)),
        ("Dropout2d(0.4)", (500, 40, 2, 3), (2, 3)),
        ("Dropout2d(0.4)", (500, 40), ()),
        ("Dropout3d(0.4)", (500, 40, 2, 2, 2), (2, 3, 4)),
        ("Dropout3d(0.4)", (20000, 2, 2, 2), (1, 2, 3)),
        ("AlphaDropout(0.4)", (20000, 3), ()),
        ("FeatureAlphaDropout(0.4)", (500, 40, 5), (2,)),
    ],
)
def test_dropout_takes_what_belongs_together_and_keeps_the_mean(text, shape, alike):
    layer, x = build(text, nn), tg.ones(shape)
    z = layer(x).numpy()
    assert all((z == z.take([0], axis)).all() for axis in alike)
    if "Alpha" in text:
        x = np.random.default_rng(0).standard_normal(shape).astype("f")
        z = layer(tg.tensor(x)).numpy()
        assert abs(z.mean()) < 0.02 and abs(z.std() - 1) < 0.02
    else:
        assert set(np.unique(z)) == {0, np.float32(1 / 0.6)} and abs((z == 0).mean() - 0.4) < 0.02
    assert layer.eval()(tg.ones(shape)).numpy().all()
