"""Random generators: `seeded` gives a thread numbers of its own, and leaves the package's as they were."""

import asyncio
import contextlib
import gc
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


def numbers(seed, count):
    """The numbers that `tg.rand(2)` gives in a block of that seed, straight from NumPy."""
    rng = np.random.default_rng(seed)
    return [rng.random(2).astype(np.float32).tolist() for _ in range(count)]


def drawn():
    return tg.rand(2).tolist()


@contextlib.contextmanager
def wrapped(seed):
    with tg.seeded(seed):
        yield


def steps(enter, seed):
    with enter(seed):
        for _ in range(3):
            yield drawn()


@pytest.mark.parametrize("enter", [tg.seeded, wrapped])
def test_interleaved_generator_functions_each_draw_their_own_numbers(enter):
    a, b = steps(enter, 0), steps(enter, 1)
    of_a, of_b = [next(a)], [next(b)]
    of_a += [next(a), next(a)]
    assert next(a, None) is None  # ends before b, which began later
    of_b += [next(b), next(b)]
    assert (of_a, of_b) == (numbers(0, 3), numbers(1, 3))


def test_the_caller_of_a_generator_function_keeps_its_numbers():
    with tg.seeded(5):
        a = steps(tg.seeded, 0)
        assert [next(a), next(a)] == numbers(0, 2)
        assert [drawn(), drawn()] == numbers(5, 2)
        with wrapped(1):
            assert [drawn(), next(a), drawn()] == [numbers(1, 1)[0], numbers(0, 3)[2], numbers(1, 2)[1]]
        assert drawn() == numbers(5, 3)[2]


def test_blocks_that_a_function_leaves_open_are_its_callers():
    def set_up(stack, seed):
        stack.enter_context(tg.seeded(seed))

    with tg.seeded(5), contextlib.ExitStack() as stack:
        set_up(stack, 3)
        assert drawn() == numbers(3, 1)[0]
        stack.close()
        assert drawn() == numbers(5, 1)[0]


def test_coroutines_draw_their_own_numbers():
    async def task(seed):
        with tg.seeded(seed):
            found = []
            for _ in range(3):
                found.append(drawn())
                await asyncio.sleep(0)
            return found

    async def all_of_them():
        return await asyncio.gather(*map(task, range(3)))

    assert asyncio.run(all_of_them()) == [numbers(seed, 3) for seed in range(3)]


def test_a_seed_given_in_a_block_is_that_blocks():
    def reseeded(seed):
        with tg.seeded(seed):
            yield tg.initial_seed()
            tg.manual_seed(seed + 10)
            yield tg.initial_seed()
            yield drawn()

    a, b = reseeded(0), reseeded(1)
    assert [next(a), next(b), next(a), next(b)] == [0, 1, 10, 11]
    assert [next(a), next(b)] == [numbers(10, 1)[0], numbers(11, 1)[0]]


def test_forgotten_generator_functions_collected_meanwhile_change_nothing():
    def forgotten(kept):
        with tg.seeded(0):
            yield kept

    for allocations in range(1, 200):
        gc.collect(0)
        for _ in range(5):
            circle = []
            circle.append(forgotten(circle))
            next(circle[0])
        del circle  # only the collector frees them, and closes their blocks
        thresholds = gc.get_threshold()
        with tg.seeded(5) as generator:
            try:
                gc.set_threshold(allocations)
                found = tg.default_generator()
            finally:
                gc.set_threshold(*thresholds)
        assert found is generator
