"""Initial values: their distributions, their seeds, and what they refuse."""

import inspect
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

SHAPE = (60, 40, 3, 3)  # fan in 360, fan out 540
FAN_IN, FAN_OUT = 360, 540


def is_uniform(values, bound):
    """The bound is met but not passed, and the variance is that of a uniform distribution."""
    return 0.99 * bound < np.abs(values).max() <= bound and values.std() == pytest.approx(
        bound / math.sqrt(3), rel=0.02
    )


def is_normal(values, std):
    """Right in width, and with the three-sigma tails that a uniform one lacks."""
    tails = (np.abs(values) > 2 * std).mean()
    return values.std() == pytest.approx(std, rel=0.02) and tails == pytest.approx(0.0455, abs=0.005)


@pytest.mark.parametrize(
    ("fill", "holds", "width"),
    [
        (lambda t: nn.init.uniform_(t, -2, 2), is_uniform, 2),
        (lambda t: nn.init.normal_(t, std=0.5), is_normal, 0.5),
        (nn.init.xavier_uniform_, is_uniform, math.sqrt(6 / (FAN_IN + FAN_OUT))),
        (lambda t: nn.init.xavier_normal_(t, gain=3), is_normal, 3 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
        (lambda t: nn.init.kaiming_uniform_(t, nonlinearity="relu"), is_uniform, math.sqrt(6 / FAN_IN)),
        (lambda t: nn.init.kaiming_uniform_(t, a=math.sqrt(5)), is_uniform, 1 / math.sqrt(FAN_IN)),
        (lambda t: nn.init.kaiming_normal_(t, mode="fan_out"), is_normal, math.sqrt(2 / FAN_OUT)),
        (lambda t: nn.init.kaiming_normal_(t, a=0.5), is_normal, math.sqrt(2 / 1.25 / FAN_IN)),
    ],
)
def test_distributions(fill, holds, width):
    tg.manual_seed(0)
    t = nn.Parameter(np.full(SHAPE, np.nan, np.float32))
    assert fill(t) is t and t.is_leaf and t.requires_grad and t.dtype == np.float32
    assert holds(t.numpy(), width)


def test_constants_and_the_mean_of_a_normal():
    t = tg.zeros(2000)
    assert (nn.init.constant_(t, 3.5).data == 3.5).all() and (nn.init.ones_(t).data == 1).all()
    assert (nn.init.zeros_(t).data == 0).all()
    assert nn.init.normal_(t, mean=7.0, generator=np.random.default_rng(0)).mean().item() == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("layer", "fan"),
    [
        (lambda: nn.Linear(300, 400), 300),
        (lambda: nn.Conv1d(20, 400, 5), 100),
        (lambda: nn.Conv2d(20, 600, 3, groups=2), 90),
    ],
)
def test_layers_start_uniform_by_their_fan_in(layer, fan):
    tg.manual_seed(1)
    made = layer()
    assert is_uniform(made.weight.numpy(), 1 / math.sqrt(fan))
    bias = made.bias.numpy()
    assert np.abs(bias).max() <= 1 / math.sqrt(fan) and bias.std() == pytest.approx(1 / math.sqrt(3 * fan), rel=0.1)


def test_batch_norm_starts_as_the_identity():
    layer = nn.BatchNorm2d(3)
    assert layer.weight.tolist() == [1, 1, 1] and layer.bias.tolist() == [0, 0, 0]
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]


def test_seeds():
    def values(seed):
        tg.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.Conv2d(1, 2, 3)).state_dict()["1.weight"].numpy()

    np.testing.assert_array_equal(values(5), values(5))
    assert (values(5) != values(6)).any()
    state = tg.default_generator().bit_generator.state
    layer = nn.Linear(3, 4)
    layer.reset_parameters(np.random.default_rng(9))
    first = layer.weight.numpy().copy()
    tg.default_generator().bit_generator.state = state
    layer.reset_parameters(np.random.default_rng(9))
    np.testing.assert_array_equal(layer.weight.numpy(), first)
    assert tg.default_generator().bit_generator.state == state  # a generator of one's own leaves the package's alone


@pytest.mark.oracle
def test_gains_are_pytorchs():
    torch = pytest.importorskip("torch")
    layers = [f"conv{way}{axes}d" for way in ("", "_transpose") for axes in (1, 2, 3)]
    for name in ("linear", *layers, "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert nn.init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3), (6, 2, 4, 3), (2, 3, 1, 2, 3)], ids=str)
def test_identities_are_pytorchs(shape):
    torch = pytest.importorskip("torch")
    for groups in (1, 2):
        if len(shape) == 2:
            ours, theirs = nn.init.eye_(tg.ones(*shape)), torch.nn.init.eye_(torch.ones(shape))
        elif shape[0] % groups == 0:
            ours = nn.init.dirac_(tg.ones(*shape), groups)
            theirs = torch.nn.init.dirac_(torch.ones(shape), groups)
        np.testing.assert_array_equal(ours.data, theirs.numpy())


@pytest.mark.oracle
def test_the_arguments_are_pytorchs():
    torch = pytest.importorskip("torch")
    for name in dir(torch.nn.init):
        theirs = getattr(torch.nn.init, name)
        if inspect.isfunction(theirs) and name.endswith("_") and not name.startswith("_"):
            ours = inspect.signature(getattr(nn.init, name)).parameters
            expected = inspect.signature(theirs).parameters
            assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in expected.values()]


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (12, 3, 5, 2), (7, 7)], ids=str)
def test_orthogonal(shape):
    w = nn.init.orthogonal_(tg.zeros(*shape, dtype="float64"), gain=2.0, generator=np.random.default_rng(3)).data
    w = w.reshape(shape[0], -1) / 2
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)
    assert nn.init.orthogonal_(tg.zeros(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (0, 1, -2, 2),
        (0, 0.02, -2, 2),
        (1, 3, -1, 1.5),
        (0, 1, 2, math.inf),
        (0, 1, -math.inf, -3),
        (5, 1, 0, 2),
        (0, 1, -0.1, 0.2),
        (0, 1, 3, 3.1),
        (0, 1, 0.5, 40),
        (-4, 2, -1, 9),
    ],
)
def test_truncated_normal(mean, std, low, high):
    """The numbers are spread as the distribution function says: Kolmogorov's and Smirnov's distance is small."""
    t = tg.zeros(20_000, dtype="float64")
    values = np.sort(nn.init.trunc_normal_(t, mean, std, low, high, np.random.default_rng(1)).data)
    assert low <= values[0] and values[-1] <= high

    def below(x):  # of the upper tail, which keeps its digits far from 0
        return np.vectorize(math.erfc)((x - mean) / std / math.sqrt(2))

    if high < mean:  # there the lower tail keeps them
        values, low, high, mean = -values[::-1], -high, -low, -mean
    share = (below(low) - below(values)) / (below(low) - below(high))
    assert np.abs(share - (np.arange(len(values)) + 0.5) / len(values)).max() < 1.7 / math.sqrt(len(values))


def test_sparse():
    t = nn.init.sparse_(tg.ones(50, 400), 0.305, std=0.5, generator=np.random.default_rng(0)).data
    assert ((t == 0).sum(0) == 16).all() and t[t != 0].std() == pytest.approx(0.5, rel=0.02)
    assert (t == 0).sum(1).min() > 0.2 * 400  # in all rows


def test_what_cannot_be_initialized():
    for make, error, words in (
        (lambda: nn.init.eye_(tg.zeros(3)), tg.ShapeError, "eye_: tensor must be a matrix, got 1 axes"),
        (lambda: nn.init.dirac_(tg.zeros(3, 3)), tg.ShapeError, r"weights \(out, in, ...\) of a convolution"),
        (lambda: nn.init.dirac_(tg.zeros(3, 3, 3), 2), tg.ArgumentError, "groups must divide the 3 output channels"),
        (lambda: nn.init.orthogonal_(tg.zeros(3)), tg.ShapeError, r"orthogonal_: tensor must be weights"),
        (lambda: nn.init.sparse_(tg.zeros(3, 3, 3), 0.5), tg.ShapeError, "sparse_: tensor must be a matrix"),
        (lambda: nn.init.sparse_(tg.zeros(3, 3), 1.5), tg.ArgumentError, r"sparsity must be in \[0, 1\], got 1.5"),
        (lambda: nn.init.trunc_normal_(tg.zeros(3), std=0), tg.ArgumentError, "std must be > 0, got 0"),
        (lambda: nn.init.trunc_normal_(tg.zeros(3), a=1, b=1), tg.ArgumentError, "a must be < b, got 1 and 1"),
    ):
        with pytest.raises(error, match=words):
            make()
    with pytest.raises(tg.ShapeError, match="kaiming_normal_: tensor must have two axes"):
        nn.init.kaiming_normal_(tg.zeros(3))
    with pytest.raises(tg.ShapeError, match="xavier_uniform_: tensor must have two axes"):
        nn.init.xavier_uniform_(tg.zeros(3))
    with pytest.raises(tg.ArgumentError, match="mode must be"):
        nn.init.kaiming_uniform_(tg.zeros(3, 3), mode="fan")
    with pytest.raises(tg.ArgumentError, match="nonlinearity must be one of"):
        nn.init.kaiming_uniform_(tg.zeros(3, 3), nonlinearity="mish")


def test_a_layer_without_inputs_can_be_made():
    assert nn.Linear(0, 3).weight.shape == (3, 0) and nn.Linear(0, 3)(tg.zeros(2, 0)).shape == (2, 3)


FILLED = [f for name, f in vars(nn.init).items() if name.endswith("_") and not name.startswith("_") and callable(f)]


@pytest.mark.parametrize("function", FILLED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("target", [None, 3, "w", [[1.0, 2.0]], np.ones((2, 3)), nn.Linear(2, 3)], ids=str)
def test_what_is_no_tensor_is_not_filled(function, target):
    given = {"constant_": (0.5,), "sparse_": (0.5,)}.get(function.__name__, ())
    with pytest.raises(tg.DTypeError, match="only a tensor can be filled"):
        function(target, *given)


@pytest.mark.parametrize("function", FILLED, ids=lambda f: f.__name__)
def test_the_data_of_a_parameter_is_filled_as_itself(function):
    shape = (3, 4, 3) if function is nn.init.dirac_ else (3, 4)
    given = {"constant_": (0.5,), "sparse_": (0.5,)}.get(function.__name__, ())
    found = []
    for target in (lambda p: p, lambda p: p.data):
        tg.manual_seed(1)
        parameter = nn.Parameter(tg.full(shape, 9.0))
        function(target(parameter), *given)
        found.append(parameter.numpy().copy())
    np.testing.assert_array_equal(*found)
    assert not (found[0] == 9.0).any()


@pytest.mark.parametrize("function", [f for f in FILLED if "generator" in inspect.signature(f).parameters])
@pytest.mark.parametrize("generator", [3, "x", np.random, b"x"], ids=str)
def test_another_source_of_random_numbers_is_refused(function, generator):
    given = (0.5,) if function is nn.init.sparse_ else ()
    with pytest.raises(tg.DTypeError, match="generator must be"):
        function(tg.ones(3, 4), *given, generator=generator)


@pytest.mark.parametrize("function", [nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.orthogonal_])
def test_a_gain_is_a_number(function):
    with pytest.raises(tg.DTypeError, match="gain must be a number"):
        function(tg.ones(3, 4), "relu")
    with pytest.raises(tg.GraphError, match="no gradient can flow to gain"):
        function(tg.ones(3, 4), tg.tensor(2.0, requires_grad=True))
