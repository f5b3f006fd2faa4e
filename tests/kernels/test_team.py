"""A list of launches in one parallel region: whichever threads come, each chunk runs once, and none too early."""

import threading

import numpy as np
import pytest

from tensorgrad.kernels.jit import team
from tensorgrad.kernels.jit.atomics import atomic_add, compare_and_swap
from tensorgrad.kernels.jit.command_list import _flatten
from tensorgrad.kernels.jit.dispatch import kernel, trampoline_of

MOST = 8


@kernel
def log(times, parts, early, number, head, index, chunks):
    """times[number, index] counts the runs of a chunk; `early` is set where a chunk of a launch before hadn't ended.

    From the launch `head` on there are no barriers: only the same chunk must have run.
    """
    for launch in range(number):
        for chunk in range(parts[launch]):
            if times[launch, chunk] == 0 and (launch < head or chunk == index):
                early[number, index] = 1
    waste = 1.0
    for k in range(3000 * index):  # the later chunks take longer
        waste += 1 / (waste + k)
    times[number, index] += 1 if waste > 0 else 2


@kernel
def count(total, value, found, index, chunks):
    """Atomic additions, and as many as succeed of swaps from 0 to 1."""
    for _ in range(10_000):
        atomic_add(total, 0, value)
    if compare_and_swap(total, 8, 0, 1):
        atomic_add(found, 0, 1)


class Launches:
    """A table of launches of `log`, so many with so many chunks each, in chains of up to three of as many chunks."""

    def __init__(self, chunks):
        self.times, self.early = np.zeros((len(chunks), MOST), np.int64), np.zeros((len(chunks), MOST), np.int64)
        self.parts, self.packed, rows = np.array(chunks), [], []
        head, followers = 0, [0] * len(chunks)
        for number, parts in enumerate(chunks):
            if parts > 1 and number > 0 and parts == chunks[head] and number - head < 3:
                followers[head] += 1
            else:
                head = number
            arguments = (self.times, self.parts, self.early, number, head)
            trampoline, address = trampoline_of(log, arguments)
            words = [address]
            _flatten(arguments, words, [])
            self.packed.append(np.array(words, np.int64))
            rows.append((trampoline, self.packed[-1].ctypes.data, parts))
        self.table = np.column_stack([np.array(rows, np.int64), followers])

    def check(self):
        for times, parts in zip(self.times.tolist(), self.parts.tolist(), strict=True):
            assert times == [1] * parts + [0] * (MOST - parts)
        assert not self.early.any()


CHUNKS = [1, 2, 4, 4, 1, 3, 2, 2, 2, 2, 1, 1, 4, 2] * 10


@pytest.mark.parametrize("arrivals", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0], [2], [0], [3, 0, 2]])
def test_threads_that_come_one_after_the_other(arrivals):
    launches, state = Launches(CHUNKS), team.state_of(4)
    for index in arrivals:
        team.take_part(launches.table, state, index, 4)
    launches.check()


@pytest.mark.parametrize("members", [2, 3, 4, MOST])
def test_threads_that_come_together(members):
    for _ in range(20):
        launches, state = Launches(CHUNKS), team.state_of(MOST)
        # Kernels let go of Python's lock, so these run at once.
        threads = [
            threading.Thread(target=team.take_part, args=(launches.table, state, index, members))
            for index in range(members)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        launches.check()


def test_atomic_operations():
    total, found = np.zeros(16, np.int64), np.zeros(8, np.int64)
    threads = [threading.Thread(target=count, args=(total, 3, found, index, 4)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total[0] == 4 * 10_000 * 3 and total[8] == 1 and found[0] == 1
