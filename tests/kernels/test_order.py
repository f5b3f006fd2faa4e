"""Launches in an order with fewer barriers: the results are those of the order in which they were recorded."""

import numpy as np
import pytest

from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.command_list import CommandList, followers_of
from tensorgrad.kernels.jit.opaque import Opaque
from tensorgrad.kernels.jit.order import arranged
from tensorgrad.kernels.jit.partition import Access, Partition
from tests.kernels.test_command_list import recorded

ALL = Partition(1, (0, 1, 2, 3, 4))


@dispatch.kernel
def combine(a, b, out, factor, index, chunks):
    for k in range(len(out) * index // chunks, len(out) * (index + 1) // chunks):
        out[k] = a[k] * factor + b[k]


@dispatch.kernel
def reverse(a, out, factor, index, chunks):
    for k in range(len(out) * index // chunks, len(out) * (index + 1) // chunks):
        out[k] = a[len(a) - 1 - k] * factor


@dispatch.kernel
def add_up(a, out, factor, index, chunks):
    total = 0.0
    for k in range(len(a)):
        total += a[k]
        out[k] = total * factor


class Machine:
    """Memory, the launches on it, and what they do, in NumPy."""

    def __init__(self, count, seed=0):
        self.start = np.random.default_rng(seed).integers(-9, 9, (count, 16)).astype(float)  # sums are exact
        self.memory = self.start.copy()
        self.expected = self.start.copy()
        self.flags = np.zeros((count, 1), np.int64)

    def combine(self, a, b, out, factor=0.5):
        x, y, z = (Opaque(self.memory[k]) for k in (a, b, out))
        dispatch.run(combine, (x, y, z, factor), 2, Access(ALL, (x, y, z), (z,)))
        return lambda: self.expected.__setitem__(out, self.expected[a] * factor + self.expected[b])

    def reverse(self, a, out, factor=0.5):
        x, z = Opaque(self.memory[a]), Opaque(self.memory[out])
        dispatch.run(reverse, (x, z, factor), 2, Access(ALL, (z,), (z,)))
        return lambda: self.expected.__setitem__(out, self.expected[a][::-1] * factor)

    def add_up(self, a, out, factor=0.5):
        dispatch.run(add_up, (Opaque(self.memory[a]), Opaque(self.memory[out]), factor), 1)
        return lambda: self.expected.__setitem__(out, np.cumsum(self.expected[a]) * factor)

    def in_two_ways(self, a, out, flag, *between):
        """A reversed copy with the factor 0.5, or with −1 where the flag is set, which is read after another launch."""
        does, other = [self.reverse(a, out)], []
        if between:
            does.append(self.add_up(*between))
        dispatch.otherwise(Opaque(self.flags[flag]), lambda: other.append(self.reverse(a, out, -1.0)))
        return lambda: [do() for do in (*does, *(other if self.flags[flag, 0] else ()))]

    def check(self, launches, does):
        """Play the launches with each combination of flags."""
        for bits in range(2 ** len(self.flags)):
            self.memory[...], self.expected[...] = self.start, self.start
            self.flags[:, 0] = [bits >> k & 1 for k in range(len(self.flags))]
            for do in does:
                do()
            assert CommandList(launches, []).play(np.zeros(0, np.int64))
            np.testing.assert_array_equal(self.memory, self.expected)


@pytest.fixture(params=[1, 2], autouse=True)
def threads(request):
    if request.param > dispatch._config.NUMBA_NUM_THREADS:
        pytest.skip("not so many threads")
    before = dispatch.get_num_threads()
    dispatch.set_num_threads(request.param)
    yield request.param
    dispatch.set_num_threads(before)


def chains(launches):
    """Per launch of several chunks, in the new order, how many follow it without a barrier."""
    order = arranged(launches)
    return [n for launch, n in zip(order, followers_of(order), strict=True) if launch.chunks == 2 and launch.memory]


def test_a_launch_that_has_nothing_to_do_with_a_chain_comes_before_it():
    machine = Machine(5)
    does = []

    def call():
        does.append(machine.reverse(0, 1))
        does.append(machine.add_up(3, 2))
        does.append(machine.combine(1, 2, 1))

    launches = recorded(call).launches
    assert chains(launches) == [1, 0]
    machine.check(launches, does)


@pytest.mark.parametrize(("a", "out"), [(1, 2), (3, 0), (3, 1)], ids=["reads", "what is read", "what is written"])
def test_a_launch_that_shares_memory_with_a_chain_stays(a, out):
    machine = Machine(5)
    does = []

    def call():
        does.append(machine.reverse(0, 1))
        does.append(machine.add_up(a, out))
        does.append(machine.combine(1, 2, 1))

    launches = recorded(call).launches
    assert chains(launches) == [0, 0]
    machine.check(launches, does)


def test_what_continues_comes_before_the_flag_is_read_and_once_more_after_the_other_way():
    machine = Machine(4)
    does = []

    def call():
        does.append(machine.in_two_ways(0, 1, 0))
        does.append(machine.combine(1, 2, 1))
        does.append(machine.combine(1, 2, 2, 3.0))

    launches = recorded(call).launches
    assert chains(launches)[:2] == [1, 0], "the second one reads what it overwrites"
    machine.check(launches, does)


@pytest.mark.parametrize("out", [0, 2], ids=["what the other way reads", "what it reads itself"])
def test_what_would_destroy_what_is_read_once_more_waits(out):
    machine = Machine(4)
    does = []

    def call():
        does.append(machine.in_two_ways(0, 1, 0))
        does.append(machine.combine(1, 2, out))

    launches = recorded(call).launches
    assert not any(chains(launches))
    machine.check(launches, does)


def test_what_the_other_way_does_not_write_anew_is_not_changed_twice():
    machine = Machine(4)
    does, other = [], []

    def call():
        does.append(machine.reverse(0, 1))
        dispatch.otherwise(Opaque(machine.flags[0]), lambda: other.append(machine.reverse(0, 3)))
        does.append(lambda: other[0]() if machine.flags[0, 0] else None)
        does.append(machine.combine(1, 2, 1))

    launches = recorded(call).launches
    assert not any(chains(launches))
    machine.check(launches, does)


@pytest.mark.parametrize("between", [(1, 3), (3, 2), (3, 1)], ids=["reads", "writes", "overwrites"])
def test_what_shares_memory_with_a_launch_before_the_flag_waits(between):
    machine = Machine(4)
    does = []

    def call():
        does.append(machine.in_two_ways(0, 1, 0, *between))
        does.append(machine.combine(1, 2, 1))

    launches = recorded(call).launches
    assert not any(chains(launches))
    machine.check(launches, does)


def test_generated_launches():
    moved = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        machine = Machine(5, seed)
        does = []

        def call(rng=rng, machine=machine, does=does):
            for _ in range(rng.integers(3, 9)):
                kind = rng.choice(["combine", "combine", "reverse", "add_up", "in_two_ways"])
                a, b, out = rng.choice(5, 3, replace=bool(rng.random() < 0.3))
                if kind == "combine":
                    does.append(machine.combine(a, out if rng.random() < 0.5 else b, out))
                elif a != out:
                    others = [int(rng.integers(2)), *rng.choice(5, 2)[: rng.choice([0, 2])]]
                    does.append(getattr(machine, kind)(a, out, *(others if kind == "in_two_ways" else ())))

        machine.flags = np.zeros((2, 1), np.int64)
        launches = recorded(call).launches
        order = arranged(launches)
        moved += [id(x.packed) for x in order] != [id(x.packed) for x in launches]
        machine.check(launches, does)
    assert moved > 30
