"""Arrays whose axes lie in another order: sums follow the order of memory, so results are laid out alike everywhere."""

import numpy as np
import pytest
from compiling import assert_same, numbers

import tensorgrad as tg

FUNCTIONS = {
    "arithmetic": lambda x, y: (x.T + y.T) * 3 - x.T / 1.7,
    "broadcast": lambda x, y: x.T * y.mean(1) + 2,
    "joined": lambda x, y: tg.cat([x.T, y.T]),
    "a copy": lambda x, y: (x.T + y.T).clone(),
    "activation": lambda x, y: tg.relu(x.T) + tg.sigmoid(y.T),
}


@pytest.mark.parametrize("shape", [(200, 90), (64, 80), (7, 9), (3, 1500)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_sums_keep_their_bits(name, shape):
    def sums(x, y):
        z = FUNCTIONS[name](x, y)
        return z.sum(0), z.mean(1), z.sum(), z.var(0)

    compiled, rng = tg.compile(sums), np.random.default_rng(0)
    with tg.no_grad():
        for k in range(8):
            x, y = (tg.tensor((rng.standard_normal(shape) * 10.0 ** (k % 4)).astype(np.float32)) for _ in "xy")
            assert_same(*[[numbers(z) for z in function(x, y)] for function in (sums, compiled)])
    assert compiled.replays == 6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_contiguous(name):
    x, y = tg.rand(3, 4), tg.rand(3, 4)
    for function in (FUNCTIONS[name], tg.compile(FUNCTIONS[name])):
        for _ in range(5):
            assert function(x, y).is_contiguous()


def test_a_view_stays_one():
    x = tg.rand(3, 4)
    assert np.shares_memory(x.T.numpy(), x.numpy()) and not x.T.is_contiguous()
