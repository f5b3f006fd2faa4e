"""The threads of one parallel region, which run a list of kernel launches together.

A parallel region ends when all its threads have come to its end. On a busy machine one of them may wait for a core for
milliseconds, many times as long as a small kernel takes. So a list of launches is one region. One thread leads: it goes
through the launches, and announces those with several chunks. Each thread takes the chunk of its own number, so it
meets in its own cache what it has written before. The leader takes those chunks too that nobody has claimed yet, and
waits for those that somebody has. So it never waits for a thread that hasn't begun: where the region has fewer threads
than it was asked for, or the system has given a core to another program, it goes on alone.
"""

import numpy as np

from tensorgrad.kernels.jit.atomics import (
    atomic_add,
    atomic_load,
    atomic_store,
    call_plain,
    compare_and_swap,
    pause,
    yield_address,
)
from tensorgrad.kernels.jit.dispatch import helper, kernel
from tensorgrad.kernels.jit.trampolines import call_trampoline, status_at

LINE = 8
"""Integers of a line of the cache. What different threads write stands in different lines."""

# Places in the state of a team.
LEADING, ANNOUNCED, DONE, STOPPED, YIELD, CLAIMS = (LINE * k for k in range(6))

OVER = -1
"""What is announced when there are no more launches; else it is the row of the present one, counted from 1."""

PATIENCE = 2000
"""Pauses until a waiting thread offers its core to other programs, now and then; and until one leads that shouldn't."""


def state_of(threads: int) -> np.ndarray:
    """The state of a team of at most so many threads."""
    state = np.zeros(CLAIMS + LINE * threads, np.int64)
    state[YIELD] = yield_address()
    return state


@helper
def reset(state):
    """Make a team's state ready for the next list."""
    for k in range(len(state)):
        if k != YIELD:
            state[k] = 0


@kernel
def take_part(table, state, index, chunks):
    """Lead through the launches of the table, or follow the thread that does.

    The first thread leads, whose caches hold what its program has just written; another one if it doesn't come, as
    where one thread takes all parts.
    """
    waited = 0
    while index > 0 and waited < PATIENCE and atomic_load(state, LEADING) == 0:
        waited += 1
        pause()
    if compare_and_swap(state, LEADING, 0, 1):
        lead(table, state, index)
        atomic_store(state, ANNOUNCED, OVER)
    else:
        _follow(table, state, index)


@helper
def lead(table, state, own):
    """Go through the launches, of several chunks the `own` first; sets STOPPED where a status flag ends them."""
    k = 0
    while k < len(table):
        trampoline, at, chunks = table[k, 0], table[k, 1], table[k, 2]
        k += 1
        if trampoline == 0:
            if status_at(at) == 0:
                k += chunks
            elif chunks == 0:
                state[STOPPED] = 1
                return
        elif chunks == 1:
            call_trampoline(trampoline, at, 0, 1)
        else:
            _distribute(table, chunks, state, k, own)
            k += table[k - 1, 3]


@helper
def _do_chunk(table, number, chunk, chunks):
    """A chunk of the launch of this number, and of those that follow it without a barrier."""
    for k in range(number - 1, number + table[number - 1, 3]):
        call_trampoline(table[k, 0], table[k, 1], chunk, chunks)


@helper
def _distribute(table, chunks, state, number, own):
    """Announce a launch, do what no other thread claims, and wait for the others."""
    atomic_store(state, DONE, 0)
    atomic_store(state, ANNOUNCED, number)
    others = 0
    for k in range(chunks):
        chunk = (own + k) % chunks
        if _claim(state, number, chunk):
            _do_chunk(table, number, chunk, chunks)
        else:
            others += 1
    waited = 0
    while atomic_load(state, DONE) < others:
        waited += 1
        _wait(state, waited)


@helper
def _claim(state, number, chunk):
    """Whether the caller is the one to do a chunk of the launch of this number."""
    place = CLAIMS + LINE * chunk
    # A thread that has slept since the launch was announced finds a number that isn't lower: its chunk was claimed.
    last = atomic_load(state, place)
    return last < number and compare_and_swap(state, place, last, number)


@helper
def _follow(table, state, chunk):
    seen, waited = 0, 0
    while True:
        number = atomic_load(state, ANNOUNCED)
        if number == OVER:
            return
        if number == seen:
            waited += 1
            _wait(state, waited)
            continue
        seen, waited = number, 0
        chunks = table[number - 1, 2]
        if chunk < chunks and _claim(state, number, chunk):
            _do_chunk(table, number, chunk, chunks)
            atomic_add(state, DONE, 1)


@helper
def _wait(state, waited):
    """A moment; after many of them other programs may have the core from time to time."""
    pause()
    if waited > PATIENCE and waited % 64 == 0 and state[YIELD] != 0:
        call_plain(state[YIELD])
