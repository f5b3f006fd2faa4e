"""The order of the launches of a command list: one in which more of them follow each other without a barrier.

Two kinds of launches part a chain (see `partition`) that need not. A small one that belongs to none of its arrays, such
as one that prepares the numbers per channel of a later layer, may as well come before the chain. And where a launch may
be made in another way, as a status flag says, what follows it elementwise may come before the flag is read: if the flag
is set, it is done once more after the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorgrad.kernels.jit.partition import Memory, apart, follows

if TYPE_CHECKING:
    from tensorgrad.kernels.jit.command_list import Launch


def arranged(launches: Sequence[Launch]) -> list[Launch]:
    """The launches in an order with the same results; some of those behind a branch once more at its end."""
    return _before_chains(_before_branches(list(launches)))


def _before_branches(launches: list[Launch]) -> list[Launch]:
    """What continues a launch that may be made in another way comes before the flag is read."""
    at = 0
    while at < len(launches):
        if launches[at].memory is not None:
            at += 1
            continue
        end = at + 1 + launches[at].chunks
        first = _continued(launches, at, end)
        if first is None:
            at = end
        else:
            next_one, branch = launches[end], launches[at]._replace(chunks=launches[at].chunks + 1)
            launches[at:end] = [branch, *launches[at + 1 : end], next_one]
            del launches[end + 1]
            launches.insert(first + 1, next_one)
            at += 1  # the same branch: what comes next may continue this one
    return launches


def _continued(launches: Sequence[Launch], at: int, end: int) -> int | None:
    """The place of the launch that the one behind a branch, from `at` to `end`, continues; None if it can't move there.

    The other way writes the same results. So the launch that moves may have overwritten these, and nothing else that
    it or the other way reads.
    """
    if end >= len(launches):
        return None
    others, launch, place = [other.memory for other in launches[at + 1 : end]], launches[end], at - 1
    while place >= 0 and launches[place].chunks == 1 and launches[place].memory is not None:
        place -= 1
    if place < 0 or launch.chunks == 1 or launch.chunks != launches[place].chunks:
        return None
    before, memory = launches[place].memory, launch.memory
    if before is None or memory is None or not follows(memory, [before]):
        return None
    results = before.written.intersection(*[other.written for other in others if other is not None][-1:])
    if None in others or not others or not all(_exchangeable(memory, x.memory) for x in launches[place + 1 : at]):
        return None
    reads = [memory.read, *[other.read for other in others if other is not None]]
    return place if all(apart(memory.written, read, results) for read in reads) else None


def _before_chains(launches: list[Launch]) -> list[Launch]:
    """What stands within a chain and has nothing to do with it comes before it."""
    found: list[Launch] = []
    chain: list[Memory] = []
    begin, ends = 0, set()  # where the chain begins, and where branches end
    for k, launch in enumerate(launches):
        memory = launch.memory
        if memory is None:
            ends.add(k + 1 + launch.chunks)
        if memory is None or k in ends:
            chain = []
        if chain and launch.chunks == 1 and all(_exchangeable(memory, other) for other in chain):
            found.insert(begin, launch)
            begin += 1
            continue
        if not (chain and memory is not None and launch.chunks == found[-1].chunks and follows(memory, chain)):
            chain, begin = [], len(found)
        if memory is not None and launch.chunks > 1:
            chain.append(memory)
        found.append(launch)
    return found


def _exchangeable(one: Memory | None, other: Memory | None) -> bool:
    """Whether two launches may be made in either order."""
    if one is None or other is None:
        return False
    return apart(one.written, other.read | other.written) and apart(one.read, other.written)
