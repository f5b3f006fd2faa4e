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
        "Sequential.load_state_dict: the state dict doesn't match the module; nothing was loaded",
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
        "4.1.bias: expected an array of numbers, got 'text'",
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
    with pytest.raises(tg.DTypeError, match="state must map paths"):
        net.load_state_dict([1, 2])


def test_loading_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 2)
    x = tg.ones(1, 2, requires_grad=True)
    z = layer(x).sum()
    layer.load_state_dict({name: t.data * 2 for name, t in layer.state_dict().items()})
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


def prefixed(prefix, net):
    return {prefix + name: tensor for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize(
    ("prefix", "giver"), [("module.", "DataParallel"), ("_orig_mod.", r"torch\.compile"), ("model.net.", "")]
)
def test_a_prefix_is_named_and_the_line_that_takes_it_away_works(prefix, giver):
    net, other = vgg(nn), vgg(nn)
    state = prefixed(prefix, other)
    with pytest.raises(nn.StateDictError, match=rf"the entries have the prefix '{prefix}'.*{giver}") as caught:
        net.load_state_dict(state)
    line = str(caught.value).rpartition(": load ")[2]
    net.load_state_dict(eval(line, {"state": state}))
    assert all(
        np.array_equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_a_prefix_that_is_lacking_is_named_too():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 3)))
    state = nn.Sequential(nn.Linear(2, 3)).state_dict()
    with pytest.raises(nn.StateDictError, match=r"the entries lack the prefix '0\.'") as caught:
        net.load_state_dict(state)
    net.load_state_dict(eval(str(caught.value).rpartition(": load ")[2], {"state": state}))


@pytest.mark.parametrize("name", [5, None, ("0.weight",)])
def test_names_that_are_no_text(name):
    net = nn.Sequential(nn.Linear(2, 2))
    state = net.state_dict()
    state[name] = state.pop("0.weight")
    with pytest.raises(nn.StateDictError, match="which are text"):
        net.load_state_dict(state)


def test_a_prefix_is_named_only_where_it_explains_all():
    net = nn.Linear(2, 3)
    for state in ({"module.weight": np.zeros((3, 2)), "x": np.zeros(3)}, {"w": 1, "b": 2}, {"xweight": 1, "xbias": 2}):
        with pytest.raises(nn.StateDictError, match="rename the entries, or pass strict=False"):
            net.load_state_dict(state)


def test_a_state_dict_one_level_below():
    net = nn.Linear(2, 3)
    with pytest.raises(nn.StateDictError, match=r"pass state\['state_dict'\]"):
        net.load_state_dict({"epoch": 3, "state_dict": net.state_dict()})


def test_tensors_that_share_memory_with_the_module_may_change_places():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    before = {name: tensor.data.copy() for name, tensor in net.state_dict().items()}
    state = net.state_dict()
    for name in ("weight", "bias"):
        state[f"0.{name}"], state[f"1.{name}"] = state[f"1.{name}"], state[f"0.{name}"]
    net.load_state_dict(state)
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(net[0].state_dict()[name], before[f"1.{name}"])
        np.testing.assert_array_equal(net[1].state_dict()[name], before[f"0.{name}"])


class Hostile:
    def __array__(self, *_, **__):
        raise RuntimeError("no array today")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"1.weight": np.full(3, 1e300)}, "values of float64 outside the range of float32, the module's dtype"),
        ({"1.num_batches_tracked": np.uint64(3)}, "wrong dtype"),
        ({"1.weight": Hostile()}, "expected an array of numbers, got"),
        ({"0.weight": [[1.0], [2.0, 3.0]]}, "expected an array of numbers, got"),
    ],
)
def test_values_that_do_not_fit_change_nothing(change, words):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = {name: tensor.data.tobytes() for name, tensor in net.state_dict().items()}
    with pytest.raises(nn.StateDictError, match=words):
        net.load_state_dict({name: np.full(t.shape, 5, t.dtype) for name, t in net.state_dict().items()} | change)
    assert {name: tensor.data.tobytes() for name, tensor in net.state_dict().items()} == before


def test_infinities_and_nan_of_another_width_are_values_too():
    net = nn.Linear(2, 3)
    weight = np.array([[np.inf, -np.inf], [np.nan, 0], [1, 2]])
    net.load_state_dict({"weight": weight, "bias": np.zeros(3)})
    np.testing.assert_array_equal(net.weight.numpy(), weight)


def test_read_only_memory_is_found_before_anything_is_written():
    net = nn.Linear(2, 3)
    net.bias._data.flags.writeable = False
    before = net.weight.data.copy()
    with pytest.raises(nn.StateDictError, match=r"read-only \(1\)"):
        net.load_state_dict({"weight": np.ones((3, 2)), "bias": np.ones(3)})
    np.testing.assert_array_equal(net.weight.numpy(), before)


def test_prepared_and_not_loaded_changes_nothing():
    net = nn.Linear(2, 3)
    before = net.weight.data.copy()
    load = net.prepare_state_dict({"weight": np.ones((3, 2)), "bias": np.ones(3)})
    np.testing.assert_array_equal(net.weight.numpy(), before)
    assert repr(load()) == "<All keys matched successfully>" and (net.weight.data == 1).all()
