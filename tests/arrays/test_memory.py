import gc
import os
import sys
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.arrays import memory

SHAPE = (64, 1024)


@pytest.fixture(autouse=True)
def fresh_pool():
    memory.clear()
    yield
    memory.clear()


def address(array):
    return array.__array_interface__["data"][0]


def test_arrays_are_aligned_contiguous_and_writable():
    for shape, dtype in ((SHAPE, np.float32), ((3, 5, 7, 1001), np.float64), ((40_000,), np.bool_)):
        array = memory.empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable and address(array) % memory.ALIGNMENT == 0


def test_a_buffer_is_reused_only_when_no_array_and_no_view_is_left():
    array = memory.empty(SHAPE, np.float32)
    where = address(array)
    view = array[3:, ::2].T
    del array
    assert not np.shares_memory(memory.empty(SHAPE, np.float32), view)
    del view
    again = [memory.empty(SHAPE, np.float32) for _ in range(2)]
    assert where in map(address, again)
    assert memory.statistics().reused >= 1


def test_the_buffer_used_last_is_reused_first():
    """What it holds is in a cache."""
    arrays = [memory.empty(SHAPE, np.float32) for _ in range(memory.TRIES)]
    places = [*map(address, arrays)]
    del arrays[1], arrays[0]
    assert address(memory.empty(SHAPE, np.float32)) == places[1]
    again = memory.empty(SHAPE, np.float32)
    assert address(again) == places[1] and address(memory.empty(SHAPE, np.float32)) == places[0]


def test_code_that_runs_amid_a_call_gets_another_buffer():
    """As finalizers and signal handlers do: here before each line of the module."""
    within, arrays = [], [memory.empty(SHAPE, np.float32) for _ in range(4)]
    del arrays[1:]

    def take_another(frame, event, argument):
        if frame.f_code.co_filename == memory.__file__:
            within.append(memory.empty(SHAPE, np.float32))
            return take_another
        return None

    before = sys.gettrace()
    sys.settrace(take_another)
    try:
        arrays += [memory.empty(SHAPE, np.float32) for _ in range(6)]
    finally:
        sys.settrace(before)
    places = [*map(address, (*arrays, *within))]
    assert len(within) > 6 and len(set(places)) == len(places)


def test_an_arena_has_no_more_buffers_than_arrays_at_once():
    arena, live, most = memory.Arena(memory.LIMIT), [], 0
    generator = np.random.default_rng(0)
    for _ in range(200):
        live.append(arena.take(SHAPE, np.dtype(np.float32)))
        most = max(most, len(live))
        for _ in range(int(generator.integers(len(live) + 1)) if len(live) > 20 else 0):
            live.pop(int(generator.integers(len(live))))
    assert len(arena.buffers()) == most > 20


def test_other_holders_keep_a_buffer_too():
    array = memory.empty(SHAPE, np.float32)
    export = memoryview(array)
    del array
    assert not np.shares_memory(memory.empty(SHAPE, np.float32), np.asarray(export))


def test_live_arrays_never_overlap():
    generator = np.random.default_rng(0)
    live = []
    for step in range(400):
        shape = (int(generator.integers(1, 40)) * 1024,)
        array = memory.empty(shape, np.float64)
        array[:] = step
        live.append((step, array))
        if len(live) > 20:
            live.pop(int(generator.integers(len(live))))
        assert all(kept[0] == kept[-1] == mark for mark, kept in live)
    assert all((kept == mark).all() for mark, kept in live)
    assert memory.statistics().reused > 100


def test_a_loop_of_one_pattern_creates_nothing_after_the_first_round():
    def step():
        a, b = memory.empty(SHAPE, np.float32), memory.empty((100_000,), np.float64)
        return a, b

    step()
    created = memory.statistics().created
    for _ in range(50):
        step()
    assert memory.statistics().created == created == 2


def test_small_and_empty_arrays_stay_outside():
    for shape in ((0, 5), (), (10, 10)):
        assert memory.empty(shape, np.float32).shape == shape
    assert memory.statistics() == (0, 0, 0, 0)


def test_the_pool_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", 8 * 1024**2)
    for size in range(100_000, 2_000_000, 50_000):
        memory.empty((size,), np.uint8)
        assert memory.statistics().held_bytes <= memory.LIMIT
    kept = [memory.empty((1_000_000,), np.uint8) for _ in range(20)]
    assert memory.statistics().held_bytes <= memory.LIMIT
    assert len({address(array) for array in kept}) == 20
    assert memory.empty((memory.LIMIT,), np.uint8).size == memory.LIMIT


def test_free_buffers_of_old_sizes_make_room_for_new_ones(monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", 8 * 1024**2)
    kept = memory.empty((1_000_000,), np.uint8)
    old = [memory.empty((1_000_000,), np.uint8) for _ in range(6)]
    del old
    for _ in range(10):
        memory.empty((2_000_000,), np.uint8)
    assert memory.statistics().reused == 9
    kept[:] = 1
    memory.empty((1_000_000,), np.uint8)[:] = 0
    assert kept.all()


def test_clear_lets_go_and_leaves_live_arrays_alone():
    array = memory.empty(SHAPE, np.float32)
    array[:] = 7
    memory.clear()
    assert memory.statistics().held_bytes == 0
    other = memory.empty(SHAPE, np.float32)
    other[:] = 0
    assert (array == 7).all()


def test_threads_never_share_a_buffer():
    failures = []

    def work(mark):
        for _ in range(300):
            a, b = memory.empty(SHAPE, np.float32), memory.empty(SHAPE, np.float32)
            a[:], b[:] = mark, -mark
            if not ((a == mark).all() and (b == -mark).all()):
                failures.append(mark)
            del a, b

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_with_an_empty_pool_and_a_free_lock():
    array = memory.empty(SHAPE, np.float32)
    with memory._pool._lock:
        child = os.fork()
        if child == 0:
            free = []
            other = threading.Thread(target=lambda: free.append(memory.empty(SHAPE, np.float32)))
            other.start()
            other.join(10)
            os._exit(0 if free and not np.shares_memory(free[0], array) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_cycles_are_needed_to_free_a_buffer():
    gc.disable()
    try:
        for _ in range(100):
            memory.empty(SHAPE, np.float32).reshape(-1)[1:]
        assert memory.statistics().created == 1
    finally:
        gc.enable()


class Holder:
    def __init__(self, array):
        self.array = array


def owned(make):
    """Whether the array that `make` returns is; made here, for within an assert pytest would hold it too."""
    holder = Holder(make())
    return memory.owned(holder.array)


def test_only_arrays_that_nobody_else_can_reach_are_owned():
    held = []

    def viewed():
        array = memory.empty((memory.SMALLEST,), np.uint8)
        held.append(array[:5])
        return array

    assert owned(lambda: memory.empty((memory.SMALLEST,), np.uint8)) and owned(lambda: np.zeros(3))
    assert not owned(viewed) and not owned(lambda: held[0])


def test_memory_of_others_is_not_owned():
    buffer = np.zeros(16, np.uint8)
    assert not owned(lambda: np.ndarray((4,), np.float32, buffer))
    assert not owned(lambda: np.frombuffer(b"16 bytes of text", np.float32))


def test_what_is_free_is_given_back_on_request():
    kept, free = memory.empty(SHAPE, np.float32), memory.empty(SHAPE, np.float32)
    kept[:] = 3
    del free
    assert memory.statistics().held_bytes > 0
    tg.empty_cache()
    assert memory.statistics().held_bytes == 0 and (kept == 3).all()


def test_sizes_that_nobody_asks_for_any_longer_are_given_back():
    large, kept = memory.empty((4096, 1024), np.float32), memory.empty((2048, 1024), np.float32)
    del large
    for _ in range(2 * memory.SWEEP + 2):
        memory.empty(SHAPE, np.float32)
    statistics = memory.statistics()
    assert statistics.buffers == 2  # that of the last size, and the one in use
    assert kept.nbytes < statistics.held_bytes < 1.2 * kept.nbytes + 2 * 4 * SHAPE[0] * SHAPE[1]
    memory.empty((2048, 1024), np.float32)[:] = 1
    kept[:] = 2
    assert (kept == 2).all()
