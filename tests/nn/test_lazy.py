"""Layers that learn the size of their inputs."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def test_a_lazy_network_becomes_the_network():
    net = nn.Sequential(
        nn.LazyConv2d(4, 3, bias=False), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )
    assert not list(net.parameters())
    net.eval()
    assert net(tg.zeros(2, 3, 5, 5)).shape == (2, 2)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    assert repr(net) == repr(plain) and not any(m.training for m in net.modules())
    assert [p.name for p in net.parameters()] == ["0.weight", "1.weight", "1.bias", "4.weight", "4.bias"]
    assert str(plain.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    x = tg.randn(2, 3, 5, 5)
    np.testing.assert_array_equal(net(x).numpy(), plain.eval()(x).numpy())


def test_what_lazy_layers_keep_and_refuse():
    layer = nn.LazyLinear(3, dtype="float64")
    assert repr(layer) == "LazyLinear(3, bias=True)"
    with pytest.raises(tg.ShapeError, match="at least 1 axes"):
        layer(tg.tensor(1.0))
    assert layer(tg.zeros(2, 5, dtype="float64")).dtype == np.float64 and type(layer) is nn.Linear
    with pytest.raises(tg.ArgumentError, match="groups"):
        nn.LazyConv2d(4, 3, groups=3)(tg.zeros(1, 3, 5, 5))
    norm = nn.LazyInstanceNorm1d()
    assert norm(tg.zeros(2, 3, 4)).shape == (2, 3, 4) and norm.weight is None
    with pytest.raises(tg.ArgumentError, match="cuda"):
        nn.LazyLinear(3, device="cuda")


def test_a_conversion_before_the_first_call_is_kept():
    net = nn.Sequential(nn.LazyConvTranspose2d(2, 3), nn.LazyBatchNorm2d(bias=False)).double()
    net(tg.zeros(2, 3, 4, 4, dtype="float64"))
    assert {t.dtype for t in (*net.parameters(), net[1].running_mean)} == {np.dtype(np.float64)}
    assert type(net[0]) is nn.ConvTranspose2d and net[1].bias is None
