"""State dicts: names and layouts as PyTorch's, round trips, and the full report of what doesn't match."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def lenet(lib):
    return lib.Sequential(
        lib.Conv2d(1, 6, 5, padding=2),
        lib.Tanh(),
        lib.AvgPool2d(2),
        lib.Conv2d(6, 16, 5),
        lib.Tanh(),
        lib.AvgPool2d(2),
        lib.Flatten(),
        lib.Linear(400, 120),
        lib.Tanh(),
        lib.Linear(120, 84),
        lib.Tanh(),
        lib.Linear(84, 10),
    )


def vgg(lib):
    def stage(c, k):
        conv = lib.Conv2d(c, k, 3, padding=1, bias=False)
        return lib.Sequential(conv, lib.BatchNorm2d(k), lib.ReLU(), lib.MaxPool2d(2))

    head = lib.Sequential(lib.Linear(32, 16), lib.BatchNorm1d(16), lib.ReLU(), lib.Dropout(0.3), lib.Linear(16, 10))
    return lib.Sequential(stage(3, 8), stage(8, 16), lib.AdaptiveAvgPool2d((1, 2)), lib.Flatten(), head)


NETWORKS = [(lenet, (2, 1, 28, 28)), (vgg, (4, 3, 16, 16))]


@pytest.mark.oracle
@pytest.mark.parametrize(("build", "shape"), NETWORKS)
def test_weights_travel_to_pytorch_and_back(build, shape):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    ours, theirs = build(nn), build(torch.nn)
    for _ in range(2):  # running statistics that aren't the first
        ours(tg.tensor(rng.standard_normal(shape).astype("f")))
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    assert [t.shape for t in state.values()] == [tuple(t.shape) for t in theirs.state_dict().values()]
    report = theirs.load_state_dict({name: torch.from_numpy(t.numpy()) for name, t in state.items()})
    assert repr(report) == "<All keys matched successfully>"
    x = rng.standard_normal(shape).astype("f")
    expected = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(tg.tensor(x)).numpy(), expected, atol=1e-5)

    fresh = build(nn)
    report = fresh.load_state_dict(theirs.state_dict())  # tensors of theirs, as they are
    assert repr(report) == "<All keys matched successfully>" and not any(report)
    np.testing.assert_allclose(fresh.eval()(tg.tensor(x)).numpy(), expected, atol=1e-5)


def test_a_round_trip_copies_the_values():
    a, b = vgg(nn), vgg(nn)
    a(tg.rand(4, 3, 16, 16))
    weights = list(b.parameters())
    b.load_state_dict(a.state_dict())
    assert list(b.parameters()) == weights
    for name, tensor in a.state_dict().items():
        np.testing.assert_array_equal(b.state_dict()[name], tensor)
        assert not np.shares_memory(b.state_dict()[name].data, tensor.data)
    assert b.state_dict()["0.1.num_batches_tracked"].item() == 1


def test_the_state_shares_memory_and_has_no_graph():
    layer = nn.Linear(2, 2)
    state = layer.state_dict()
    assert not state["weight"].requires_grad and np.shares_memory(state["weight"].data, layer.weight.data)


def test_buffers_outside_the_state_are_neither_saved_nor_asked_for():
    net = nn.Module()
    net.register_buffer("kept", tg.ones(1))
    net.register_buffer("cache", tg.ones(1), persistent=False)
    assert list(net.state_dict()) == ["kept"]
    assert repr(net.load_state_dict({"kept": [5.0]})) == "<All keys matched successfully>" and net.kept.item() == 5


def test_every_mismatch_is_reported_and_nothing_is_loaded():
    net = vgg(nn)
    before = {name: t.data.copy() for name, t in net.state_dict().items()}
    state = {name: np.full(t.shape, 7, t.dtype) for name, t in net.state_dict().items()}
    del state["0.0.weight"], state["4.4.bias"]
    state |= {"0.0.wieght": np.zeros(3), "odd": "text"}
    state["1.1.bias"] = np.zeros((16, 1), "f")
    state["4.1.weight"] = np.zeros(16, int)
    state["4.1.bias"] = "text"
    with pytest.raises(nn.StateDictError) as caught:
        net.load_state_dict(state)
    for line in (
        "Sequential.load_state_dict: the state dict doesn't fit; nothing was loaded",
        "missing (2):",
        "0.0.weight: (8, 3, 3, 3) float32",
        "4.4.bias: (10,) float32",
        "unexpected (2):",
        "0.0.wieght: (3,) float64",
        "odd: 'text'",
        "wrong shape (1):",
        "1.1.bias: (16, 1), the module has (16,)",
        "wrong dtype (2):",
        "4.1.weight: int64, the module has float32",
        "4.1.bias: 'text' is no array of numbers",
    ):
        assert line in str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor, before[name])


def test_without_strict_what_matches_is_loaded_but_shapes_still_count():
    net = nn.Linear(2, 3)
    result = net.load_state_dict({"weight": np.ones((3, 2)), "other": np.ones(1)}, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["other"]
    assert repr(result) == "LoadResult(missing_keys=['bias'], unexpected_keys=['other'])"
    assert (net.weight.data == 1).all() and net.weight.dtype == np.float32  # from float64: the width may differ
    with pytest.raises(nn.StateDictError, match="wrong shape") as caught:
        net.load_state_dict({"weight": np.zeros((2, 3))}, strict=False)
    assert "missing" not in str(caught.value) and (net.weight.data == 1).all()
    with pytest.raises(tg.DTypeError, match="no state dict"):
        net.load_state_dict([1, 2])


def test_loading_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 2)
    x = tg.ones(1, 2, requires_grad=True)
    z = layer(x).sum()
    layer.load_state_dict({name: t.data * 2 for name, t in layer.state_dict().items()})
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()
