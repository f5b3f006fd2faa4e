"""A command list: kernel launches that are recorded once and replayed by one call.

For a launch Python looks up a plan, takes buffers and passes a dozen arguments, which takes as long as a small kernel.
A command list keeps the packed arguments of the launches (see `trampolines`), so that a replay in the same memory skips
all of that.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.jit import team
from tensorgrad.kernels.jit.dispatch import enter_parallel, kernel, loop_address, run, trampoline_of
from tensorgrad.kernels.jit.opaque import Opaque, Unreadable, is_constant, real
from tensorgrad.kernels.jit.order import arranged
from tensorgrad.kernels.jit.partition import Access, Memory, Partition, follows, memory_of
from tensorgrad.kernels.jit.trampolines import call

# The position of the address in numba's structure of an array: (meminfo, parent, nitems, itemsize, data, *shape,
# *strides). Kernels don't need the first two.
ADDRESS = 4


class Launch(NamedTuple):
    """A launch of a kernel with its packed arguments, or a branch.

    A branch has the trampoline 0, and its only packed argument is the address of a status flag. With `chunks` = n > 0
    it skips the next n launches unless the flag is set: they compute the result in another way. With `chunks` = 0 it
    stops the replay if the flag is set.
    """

    trampoline: int
    packed: list[int]
    addresses: list[int]
    """The positions in `packed` that hold addresses of arrays."""
    chunks: int
    memory: Memory | None = None
    """Of a launch: what it reads and writes."""


class Recorder:
    """Records the launches within `dispatch.recorded`, on opaque arrays and constants; raises Unreadable for others.

    Attributes:
        launches: in order, with the status flags that were read.
        constants: the constants among their arguments, which must stay alive.
        partitions: address of an array -> (the partition by which chunks wrote it, the number of chunks).
    """

    def __init__(self, partitions: dict[int, tuple[Partition, int]] | None = None) -> None:
        self.launches: list[Launch] = []
        self.constants: list[np.ndarray] = []
        self.partitions = {} if partitions is None else partitions

    def launched(self, kernel: Any, arguments: tuple, chunks: int, access: Access | None = None) -> tuple:
        """Record that a kernel is about to run; returns the arguments to run it with."""
        for array in _arrays(arguments):
            if not is_constant(array):
                raise Unreadable("a kernel gets an array that NumPy has made: a replay would not make it anew")
            self.constants.append(array)
        arguments = real(arguments)
        trampoline, address = trampoline_of(kernel, arguments)
        packed: list[int] = [address]
        addresses: list[int] = []
        _flatten(arguments, packed, addresses)
        self.launches.append(Launch(trampoline, packed, addresses, chunks, self._memory(arguments, chunks, access)))
        return arguments

    def _memory(self, arguments: tuple, chunks: int, access: Access | None) -> Memory:
        if access is None:
            return memory_of(_arrays(arguments))
        own, written = real(access.own), real(access.written)
        if chunks > 1:
            self.partitions.update({x.ctypes.data: (access.partition, chunks) for x in written})
        shared = access._replace(partition=access.partition.among(chunks))
        return memory_of(_arrays(arguments), shared, own, written)

    def status_read(self, flags: Opaque) -> np.ndarray:
        """Python reads status flags, (M,) integers: returns their values. A replay continues only if all are 0."""
        array = _checked(flags)
        if array.any():
            raise Unreadable("a kernel has set its status flag")
        for k in range(array.size):
            self.launches.append(_branch(array[k:]))
        return array

    def otherwise(self, flags: Opaque, compute: Callable[[], object]) -> None:
        """Record the launches of `compute`, which a replay makes only if one of the status flags, (M,), is set."""
        any_set: Any = flags
        if _checked(flags).shape != (1,) or flags.dtype != np.int64:
            any_set = memory.empty((1,), np.int64)
            run(_any_kernel, (flags, any_set), 1)
        before, self.launches, known = self.launches, [], dict(self.partitions)
        try:
            compute()
        finally:
            made, self.launches = self.launches, before
            self.partitions.update(known)  # what follows is shared out as in the usual way
        if made:
            self.launches += _branch(real(any_set))._replace(chunks=len(made)), *made


def _checked(flags: Opaque) -> np.ndarray:
    """The array of status flags that a kernel has written."""
    array = real(flags)
    if type(flags) is not Opaque or array.ndim != 1 or array.dtype.kind != "i":
        raise Unreadable("status flags must be what a kernel has written")
    return array


def _branch(flag: np.ndarray) -> Launch:
    """Stop the replay if the first of these flags is set."""
    return Launch(0, [flag.ctypes.data], [0], 0)


class CommandList:
    """Launches that can be replayed, in the same memory.

    Args:
        launches: as recorded.
        regions: memory that may move from call to call: pairs (address, bytes).
    """

    def __init__(self, launches: Sequence[Launch], regions: Sequence[tuple[int, int]]) -> None:
        launches = arranged(launches)
        followers = followers_of(launches)
        starts = [0, *accumulate(len(launch.packed) for launch in launches)][: len(launches)]
        self._packed = np.array([value for launch in launches for value in launch.packed], np.int64)
        first = self._packed.ctypes.data
        # (launches, 4): the trampoline, the address of its packed arguments, the number of chunks, that of followers.
        # A packed argument has 8 bytes.
        numbers = zip(launches, starts, followers, strict=True)
        rows = [(x.trampoline, first + 8 * start, x.chunks, count) for x, start, count in numbers]
        self._table = np.array(rows, np.int64).reshape(-1, 4)
        threads = max((launch.chunks for launch in launches if launch.trampoline), default=1)
        self._state = team.state_of(threads)
        trampoline, address = trampoline_of(team.take_part, (self._table, self._state))
        team_arguments = [address]
        _flatten((self._table, self._state), team_arguments, [])
        self._part = np.array(team_arguments, np.int64)
        self._team = loop_address(), trampoline, self._part.ctypes.data, threads
        # (addresses, 3): the position in `_packed`, the region, and the offset in the region
        moved = [
            (start + k, region, launch.packed[k] - begin)
            for launch, start in zip(launches, starts, strict=True)
            for k in launch.addresses
            for region, (begin, size) in enumerate(regions)
            if begin <= launch.packed[k] < begin + size
        ]
        self._moved = np.array(moved, np.int64).reshape(-1, 3)

    def play(self, starts: np.ndarray) -> bool:
        """Replay all launches, given where each region starts now, (regions,) int64. False if a status flag is set."""
        arguments = (*self._team, self._state, self._table, self._packed, self._moved, starts)
        return enter_parallel(_play, *arguments) if self._team[-1] > 1 else _play(*arguments)


def followers_of(launches: Sequence[Launch]) -> list[int]:
    """Per launch, how many others follow it without a barrier.

    Consecutive launches with the same number of chunks need none if each chunk reads, of what they change, only what
    the same chunk wrote: a thread then runs its chunk of all of them. The first one of such a chain counts the others.
    """
    followers = [0] * len(launches)
    chain: list[Memory] = []  # of the last launches
    ends: set[int] = set()  # where branches end
    for k, launch in enumerate(launches):
        memory = launch.memory
        if memory is None or k in ends:
            chain = []
        if memory is None:
            ends.add(k + 1 + launch.chunks)
        if chain and memory is not None and launch.chunks == launches[k - 1].chunks and follows(memory, chain):
            followers[k - len(chain)] += 1
            chain.append(memory)
        else:
            chain = [] if memory is None or launch.chunks == 1 else [memory]
    return followers


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    yield "play", lambda: CommandList([], []).play(np.zeros(0, np.int64))
    apart, any_set = np.zeros((2, 2), np.int32)[:, 0], np.zeros(1, np.int64)
    for name, flags in (("a flag", any_set), ("a short flag", apart[:1]), ("flags of chunks", apart)):
        yield name, partial(run, _any_kernel, (flags, any_set), 1)


@kernel
def _play(loop, trampoline, team_arguments, threads, state, table, packed, moved, starts):
    """Replay a `CommandList`: put the addresses into `packed`, then a team of threads goes through `table`.

    False if a branch has stopped the replay.
    """
    for k in range(len(moved)):
        packed[moved[k, 0]] = starts[moved[k, 1]] + moved[k, 2]
    team.reset(state)
    if threads > 1:
        call(loop, (trampoline, team_arguments), 0, threads)
    else:
        team.lead(table, state, 0)
    return state[team.STOPPED] == 0


@kernel
def _any_kernel(flags, any_set, index, chunks):
    any_set[0] = 0
    for k in range(len(flags)):
        if flags[k] != 0:
            any_set[0] = 1


def _arrays(arguments: tuple) -> Iterator[np.ndarray]:
    """The arrays among arguments that aren't opaque."""
    for value in arguments:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays(value)


def _flatten(value: Any, packed: list[int], addresses: list[int]) -> None:
    """Append what a trampoline reads of an argument to `packed`, and the positions of addresses to `addresses`."""
    if isinstance(value, np.ndarray):
        addresses.append(len(packed) + ADDRESS)
        packed += 0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides
    elif isinstance(value, tuple):
        for part in value:
            _flatten(part, packed, addresses)
    elif isinstance(value, float | np.floating):
        packed.append(int(np.array(value).view(f"i{np.array(value).itemsize}")))
    else:
        packed.append(int(value))
