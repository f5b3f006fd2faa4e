"""Steps of compiled functions that one kernel does: what is joined, what isn't, and that the bits are the same."""

import re

import numpy as np
import pytest
from compiling import assert_same, numbers, ready_made

import tensorgrad as tg

pytestmark = pytest.mark.filterwarnings("error")


def joined(function, shape=(2, 1, 12, 12), grad=True):
    """What the programs call in the place of single ops."""
    compiled = ready_made(function, tg.ones(*shape, requires_grad=grad))
    assert compiled.problems == []
    words = "convolve grad_weight gradients pool scatter scatter_and_sum linear_gradients"
    found = [word for word in words.split() if re.search(rf" = run_{word}_\d", compiled.source)]
    return found


def test_what_is_joined():
    w = tg.tensor(np.random.default_rng(0).standard_normal((4, 1, 3, 3)).astype(np.float32), requires_grad=True)
    b = tg.zeros(4, requires_grad=True)
    both = tg.max_pool2d
    assert joined(lambda x: both(tg.conv2d(x, w, b).relu(), 2).sum(), grad=False) == ["convolve", "grad_weight"]
    assert joined(lambda x: both(tg.conv2d(x, w), 2).relu().sum(), grad=False) == ["convolve", "grad_weight"]
    assert joined(lambda x: both(tg.conv2d(x, w, b).relu(), 2).sum()) == ["convolve", "gradients"]
    assert joined(lambda x: both(tg.conv2d(x, w), 2).relu().sum()) == ["convolve", "gradients"]
    assert joined(lambda x: both(tg.conv2d(x, w.detach(), b).relu(), 2).sum()) == ["convolve", "scatter_and_sum"]
    assert joined(lambda x: both(tg.conv2d(x, w, b).relu(), 3).sum(), grad=False) == []
    assert joined(lambda x: both(x.relu(), 2, padding=1).sum()) == joined(lambda x: both(x, 2).relu().sum()) == []
    frozen = w.detach()
    assert joined(lambda x: both(tg.conv2d(x, frozen).relu(), 2).sum(), grad=False) == ["convolve"]


def test_what_is_read_besides_is_not_joined():
    def twice(x):
        y = x.relu()
        return tg.max_pool2d(y, 2).sum() + y.sum()

    def returned(x):
        y = x.relu()
        return tg.max_pool2d(y, 2).sum(), y

    assert joined(twice) == joined(returned) == []
    w = tg.ones(4, 1, 3, 3, requires_grad=True)

    def convolved_twice(x):
        y = tg.conv2d(x, w)
        return tg.max_pool2d(y.relu(), 2).sum() + y.sum()

    assert joined(convolved_twice, grad=False) == []
    assert joined(lambda x: tg.max_pool1d(x.relu(), 2).sum(), shape=(2, 3, 8)) == []


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("side", [11, 12])
@pytest.mark.parametrize("first", ["relu", "pool"])
@pytest.mark.parametrize(("channels", "whole"), [(2, False), (2, True), (16, False), (16, True)])
def test_joined_steps_give_the_same_bits(channels, whole, first, side, ceil_mode):
    """Few channels and many; the gradients of the weights alone, and those of the input too."""
    rng, shapes = np.random.default_rng(2), ((4, channels, 3, 3), (4,))
    w, b = (tg.tensor(rng.standard_normal(s).astype(np.float32), requires_grad=True) for s in shapes)

    def function(x):
        y = tg.conv2d(x, w, b)
        pooled = tg.max_pool2d(y.relu() if first == "relu" else y, 2, ceil_mode=ceil_mode)
        return pooled if first == "relu" else pooled.relu()

    compiled = tg.compile(function)
    for k in range(4):
        values = rng.standard_normal((3, channels, side, side)).astype(np.float32)
        values[0, 0, 0, k] = [0.0, np.inf, -np.inf, np.nan][k]
        x = tg.tensor(values, requires_grad=whole)
        upstream = tg.tensor(rng.standard_normal(function(x).shape).astype(np.float32))
        results = []
        for f in (function, compiled):
            z = f(x)
            results.append([numbers(z), *(numbers(g) for g in tg.grad(z, [x, w, b][not whole :], upstream))])
        assert_same(*results)
    assert compiled.replays == 2


def layer(outputs, inputs, seed=0):
    rng = np.random.default_rng(seed)
    return [
        tg.tensor(rng.standard_normal(s).astype(np.float32), requires_grad=True)
        for s in ((outputs, inputs), (outputs,))
    ]


def test_the_gradients_of_a_linear_layer_are_joined():
    w, b = layer(6, 12)
    linear, of_x = tg.linear, {"shape": (5, 12)}
    assert joined(lambda x: linear(x, w, b).relu().sum(), **of_x) == ["linear_gradients"]
    assert joined(lambda x: linear(x, w).sum(), **of_x) == ["linear_gradients"]
    # The first layer's input wants no gradient, a frozen weight neither.
    assert joined(lambda x: linear(x, w, b).relu().sum(), grad=False, **of_x) == []
    assert joined(lambda x: linear(x, w.detach(), b).relu().sum(), **of_x) == []


@pytest.mark.parametrize("count", [1, 3, 70])
@pytest.mark.parametrize("kind", ["plain", "without bias", "no rectifier", "shared gradient", "read besides"])
def test_joined_gradients_of_linear_layers_give_the_same_bits(count, kind):
    (w, b), (v, c), rng = layer(60, 90), layer(60, 90, seed=1), np.random.default_rng(3)

    def function(x):
        y = tg.linear(x, w, None if kind == "without bias" else b)
        if kind == "shared gradient":
            y = y + tg.linear(x * 2, v, c)
        if kind == "no rectifier":
            return y
        z = y.relu()
        return z + y.exp().sum(0) if kind == "read besides" else z

    compiled = tg.compile(function)
    for k in range(4):
        values = rng.standard_normal((count, 90)).astype(np.float32)
        values[0, k] = [0.0, np.inf, -np.inf, np.nan][k]
        x = tg.tensor(values, requires_grad=True)
        upstream, results = tg.tensor(rng.standard_normal((count, 60)).astype(np.float32)), []
        wanted = [x, w] if kind == "without bias" else [x, w, b, v, c] if kind == "shared gradient" else [x, w, b]
        for f in (function, compiled):
            z = f(x)
            results.append([numbers(z), *(numbers(g) for g in tg.grad(z, wanted, upstream))])
        assert_same(*results)
    assert compiled.replays == 2 and "linear_gradients" in compiled.source


# What a float16 program computes: ops alone, ops that are widened to float32, and layers whose steps are joined.
HALVES = {
    "tanh": lambda x, w, b: tg.tanh(x * w[0]),
    "softmax": lambda x, w, b: tg.log_softmax(x * w[0], 1) + tg.softmax(x, 1),
    "logsumexp": lambda x, w, b: tg.logsumexp(x * w[0], 0),
    "matmul": lambda x, w, b: x @ w.mT,
    "einsum": lambda x, w, b: tg.einsum("nk,ok->no", x, w),
    "statistics": lambda x, w, b: (x - x.mean(0)) / (x.std(0) + 1) * w[0],
    "linear": lambda x, w, b: tg.linear(x, w, b),
    "rectified linear": lambda x, w, b: tg.linear(x, w, b).relu(),
    "two layers": lambda x, w, b: tg.linear(tg.linear(x, w, b).relu(), w[:, :60]).relu(),
}


@pytest.mark.parametrize("function", HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("count", [3, 70])
def test_half_precision_gives_the_same_bits(function, count):
    rng = np.random.default_rng(3)
    w, b = (p.detach().astype("float16") for p in layer(60, 90))
    w.requires_grad = b.requires_grad = True
    compiled = tg.compile(lambda x: function(x, w, b))
    for _ in range(4):
        x = tg.tensor(rng.standard_normal((count, 90)).astype(np.float16), requires_grad=True)
        results = []
        for f in (lambda x: function(x, w, b), compiled):
            x.grad = w.grad = b.grad = None
            z = f(x)
            z.sum().backward()
            assert z.dtype == np.float16
            results.append([numbers(z), numbers(x.grad), numbers(w.grad), numbers(b.grad)])
        assert_same(*results)
    assert compiled.replays == 2
