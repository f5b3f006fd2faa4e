"""Generators, their states, and the frequencies of what is drawn."""

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg


def test_a_generator_gives_the_numbers_of_its_seed():
    tg.manual_seed(3)
    expected = tg.rand(4)
    g = tg.Generator()
    assert g.manual_seed(3) is g and g.initial_seed() == tg.initial_seed() == 3
    np.testing.assert_array_equal(tg.rand(4, generator=g).numpy(), expected.numpy())
    assert tg.Generator().initial_seed() != tg.Generator().initial_seed()
    assert g.seed() == g.initial_seed() != 3


def test_states_are_continued():
    g = tg.Generator().manual_seed(0)
    g.integers(0, 10, dtype=np.uint32)  # half of a number is left over for the next draw
    state = g.get_state()
    assert (state.dtype, state.shape) == (np.uint8, (40,))
    copies = [copy.deepcopy(g), pickle.loads(pickle.dumps(g)), tg.Generator()]
    copies[2].set_state(state)
    expected = [g.integers(0, 1000, 5, dtype=np.uint32), g.random(3)]
    for other in copies:
        np.testing.assert_array_equal(other.integers(0, 1000, 5, dtype=np.uint32), expected[0])
        np.testing.assert_array_equal(other.random(3), expected[1])
    before = tg.get_rng_state()
    a = tg.randn(3)
    tg.set_rng_state(before)
    np.testing.assert_array_equal(tg.randn(3).numpy(), a.numpy())


@pytest.mark.parametrize("state", [np.zeros(40, np.uint8), np.ones(39, np.uint8), np.ones(40), [1, 2]])
def test_what_is_no_state_is_refused_and_changes_nothing(state):
    g = tg.Generator().manual_seed(0)
    before = g.get_state().tolist()
    with pytest.raises(tg.ArgumentError, match="40 bytes"):
        g.set_state(state)
    assert g.get_state().tolist() == before


def test_seeds_and_devices_that_are_refused():
    with pytest.raises(tg.ArgumentError, match="manual_seed"):
        tg.Generator().manual_seed(-1)
    with pytest.raises(tg.ArgumentError, match="cuda"):
        tg.Generator("cuda")


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_in_proportion(replacement):
    tg.manual_seed(0)
    weights = tg.tensor([[1.0, 0.0, 3.0, 4.0]] * 4000)
    z = tg.multinomial(weights, 2, replacement)
    assert (z.shape, z.dtype) == ((4000, 2), np.int64)
    shares = np.bincount(z.numpy()[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.125, 0.0, 0.375, 0.5], atol=0.04)
    again = (z.numpy()[:, 0] == z.numpy()[:, 1]).mean()
    assert again == 0 if not replacement else abs(again - 0.40625) < 0.04


def test_new_tensors_take_after_theirs():
    x = tg.zeros(2, 3, dtype="float64")
    for z, values in (
        (x.new_zeros(2, 2), [[0, 0], [0, 0]]),
        (x.new_ones((1, 2)), [[1, 1]]),
        (x.new_full((2,), 7), [7, 7]),
        (x.new_tensor([1, 2]), [1, 2]),
    ):
        assert z.dtype == np.float64 and z.tolist() == values
    assert x.new_empty(4, dtype="int64").dtype == np.int64 and x.new_empty((4, 1)).shape == (4, 1)
    assert x.new_ones(2, requires_grad=True).requires_grad
    assert tg.normal(0.0, 1.0, (2, 3), dtype="float64").dtype == np.float64


def test_draws_in_compiled_functions_are_drawn_anew():
    def draw(x):
        return x + tg.bernoulli(tg.full_like(x, 0.5)) + tg.randn_like(x) + tg.normal(x.detach(), 1.0)

    compiled, seen = tg.compile(draw), set()
    for k in range(5):
        tg.manual_seed(k)
        z = compiled(tg.ones(3))
        tg.manual_seed(k)
        np.testing.assert_array_equal(z.numpy(), draw(tg.ones(3)).numpy())
        seen.add(tuple(z.tolist()))
    assert len(seen) == 5 and compiled.replays > 0, compiled.problems
