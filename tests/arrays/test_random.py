"""Random generators: `seeded` gives a thread numbers of its own, and leaves the package's as they were."""

import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset


def draws():
    """What the package draws in many places: weights, masks, orders, samples."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    loader = DataLoader(TensorDataset(np.arange(12.0).reshape(12, 1)), 4, shuffle=True)
    arrays = [model[0].weight.data, model(tg.ones(5, 3)).data, *(batch[0].data for batch in loader), tg.randn(3).data]
    return b"".join(array.tobytes() for array in arrays)


def test_a_seed_gives_the_same_numbers_and_leaves_the_packages_alone():
    tg.manual_seed(3)
    first, rest = tg.rand(2).data, tg.rand(2).data
    tg.manual_seed(3)
    assert np.array_equal(tg.rand(2).data, first)
    with tg.seeded(5) as generator:
        assert tg.default_generator() is generator and tg.initial_seed() == 5
        one = draws()
        with tg.seeded(5):
            assert draws() == one
        assert draws() != one
        assert tg.manual_seed(5) is generator
        assert draws() == one
    assert tg.initial_seed() == 3
    assert np.array_equal(tg.rand(2).data, rest)


def test_the_generator_is_put_back_after_an_error():
    before = tg.default_generator()
    with pytest.raises(KeyError), tg.seeded(1):
        raise KeyError
    assert tg.default_generator() is before


def test_threads_that_draw_at_once_have_numbers_of_their_own():
    def alone(seed):
        with tg.seeded(seed):
            return [draws() for _ in range(10)]

    expected, found, barrier = [alone(seed) for seed in range(4)], {}, threading.Barrier(4)

    def work(seed):
        barrier.wait()
        found[seed] = alone(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(4)] == expected


def test_what_was_compiled_outside_draws_from_the_threads_own_generator():
    compiled = tg.compile(lambda x: tg.dropout(x, 0.5))
    x = tg.ones(50)
    for _ in range(4):
        compiled(x)
    with tg.seeded(2):
        plain = [tg.dropout(x, 0.5).data for _ in range(4)]
    before = tg.get_rng_state()
    with tg.seeded(2):
        assert np.array_equal([compiled(x).data for _ in range(4)], plain)
    assert bool((tg.get_rng_state() == before).all())


@pytest.mark.parametrize(("seed", "error"), [(-1, tg.ArgumentError), (1.5, tg.DTypeError), (None, tg.DTypeError)])
def test_a_seed_is_an_int(seed, error):
    with pytest.raises(error, match="seeded"), tg.seeded(seed):
        pass
