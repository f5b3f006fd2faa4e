"""Fuses elementwise steps of one shape into loops: one pass over memory in place of one per step.

A group grows along the data flow: a step joins the groups that make its operands, and groups that a step joins become
one. A group runs where its last step stood, so it takes no more steps once another step has read one of its results.
Sums per channel may end it. `members` says what a step is in a loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.compiler.fusion.members import Kinds, Member, member_of
from tensorgrad.compiler.program import call_of, live
from tensorgrad.compiler.steps import Kind, Step
from tensorgrad.ops.assignment import WritePart
from tensorgrad.ops.convolution import Convolution, ConvolutionGradInput

if TYPE_CHECKING:  # with numba, which is loaded at its first use
    from tensorgrad.kernels.elementwise.fused_ir import FusedLoop

ARRAYS, LINKS = 12, 16
"""The most arrays that a loop reads, and the most steps in it: with more, vectors run out of registers."""


class Group:
    """The members of a loop.

    Args:
        members: by the positions of their steps.
        kind: shape and dtype of the loop's results.
        position: where it runs among the steps.
        open: whether more links may join.

    Attributes:
        links: those of the members that aren't sums, by the names of their results.
        arrays: the operands that the loop reads.
    """

    def __init__(self, members: Mapping[int, Member], kind: Kind, position: int, open: bool = True) -> None:
        self.members, self.kind, self.position, self.open = dict(sorted(members.items())), kind, position, open
        self.links = {member.step.outputs[0]: member for member in self.members.values() if not member.sums}
        read = [x for member in self.members.values() for x in member.operands if x.name not in self.links]
        self.arrays = list(dict.fromkeys(read))

    def fits(self) -> bool:
        """Whether there is a loop for the group."""
        few = len(self.arrays) <= ARRAYS and len(self.members) <= LINKS
        summed = len(self.links) < len(self.members)
        shapes = tuple([x.shape for x in self.arrays])
        return few and kernels.fused_ir.layout(self.kind.shape, shapes, summed) is not None

    def steps(self, read: Callable[[str], bool], spent: Callable[[str], bool]) -> tuple[list[Step], Step, list[Step]]:
        """The steps in place of those of the members: what comes before the loop, the loop, what comes after it.

        Args:
            read: which results are read by others.
            spent: which arrays are read by nobody else, and have their memory to themselves.
        """
        numbers: dict[Any, int] = {x: k for k, x in enumerate(self.arrays)}
        numbers |= {name: k for k, name in enumerate(self.links, len(numbers))}
        links, sums = [], []
        results: list[str] = []
        for member in self.members.values():
            operands = tuple([numbers[x.name if x.name in self.links else x] for x in member.operands])
            if member.sums:
                sums.append((member.formula, operands))
                results += member.sums
            else:
                links.append(kernels.fused_ir.Link(member.formula, operands, member.parameters))
        written = [name for name in self.links if read(name)]
        shapes, places = tuple([x.shape for x in self.arrays]), tuple([numbers[name] for name in written])
        # Sums read their operands after the loop.
        over = [k for k, x in enumerate(self.arrays) if x.shape == self.kind.shape and spent(x.name) and not sums]
        loop = kernels.fused_ir.FusedLoop(self.kind.shape, shapes, tuple(links), places, tuple(sums), *over[-1:])
        step = Step(_function_of(loop), {}, tuple([x.name for x in self.arrays]), {}, (*written, *results))
        members = self.members.values()
        return [s for x in members for s in x.before], step, [s for x in members for s in x.after]


def fused(steps: Sequence[Step], results: Sequence[str], kinds: Kinds) -> list[Step]:
    """The steps of a program, with loops in place of elementwise steps.

    Args:
        steps: all of them are needed.
        results: the names of arrays that are read outside the steps.
        kinds: shapes and dtypes of all arrays.
    """
    if not kernels.dispatch.COMPILED:
        return list(steps)
    makers = {name: step for step in steps for name in step.outputs}
    groups = _Groups(kinds)
    for position, step in enumerate(steps):
        member = member_of(step, kinds, makers)
        joined = None if member is None else groups.join(member, position)
        for name in step.takes if joined is None or member is None else member.reads:
            if name in groups.of and groups.of[name] is not joined:
                groups.of[name].open = False
        groups.made |= dict.fromkeys(step.outputs, position)
    return live([_recordable(step, kinds) for step in _in_order(steps, groups.at, results)], results)


class _Groups:
    """The groups so far.

    Attributes:
        of: by the names of all that their members make.
        at: by the positions of their steps.
        made: the positions of all other steps, by what they make.
    """

    def __init__(self, kinds: Kinds) -> None:
        self.of: dict[str, Group] = {}
        self.at: dict[int, Group] = {}
        self.made: dict[str, int] = {}
        self._kinds = kinds

    def join(self, member: Member, position: int) -> Group | None:
        """Join a member with the groups that make its operands; with fewer, where no loop does all of that."""
        kind = self._kinds[member.step.inputs[0] if member.sums else member.step.outputs[0]]
        links = [x.name for x in member.operands if x.name in self.of and x.name in self.of[x.name].links]
        others = {*member.reads}.difference(links)
        finished = {self.of.get(name) for name in others}
        near = [self.of[name] for name in dict.fromkeys(links)]
        near = [group for group in dict.fromkeys(near) if group.kind == kind and group not in finished]
        for group in near if member.sums else ():
            # Sums join a group that runs already, if it runs after all else that they take is made.
            if all(self._time(name) < group.position for name in others):
                return self._keep(Group(group.members | {position: member}, kind, group.position, group.open))
        near = [group for group in near if group.open]
        for chosen in (near, *[[group] for group in near], []):
            if chosen or not member.sums:
                members = {k: x for group in chosen for k, x in group.members.items()}
                found = self._keep(Group(members | {position: member}, kind, position))
                if found is not None:
                    return found
        return None

    def _time(self, name: str) -> int:
        return self.of[name].position if name in self.of else self.made.get(name, -1)

    def _keep(self, group: Group) -> Group | None:
        if not group.fits():
            return None
        self.at |= dict.fromkeys(group.members, group)
        self.of |= {name: group for member in group.members.values() for name in member.step.outputs}
        return group


def _in_order(steps: Sequence[Step], at: Mapping[int, Group], results: Sequence[str]) -> list[Step]:
    """All steps, with the groups of several where their last steps stood; of one where it takes an array's memory."""
    readers = Counter(results)
    for position, step in enumerate(steps):
        if position not in at:
            readers.update({*step.takes})
    for group in {*at.values()}:
        readers.update({name for member in group.members.values() for name in member.reads} - group.links.keys())
    made = {step.outputs[0] for step in steps if step.function in (Convolution, ConvolutionGradInput)}

    def spent(name: str) -> bool:
        return name in made and readers[name] == 1

    groups = {
        position: group
        for position, group in at.items()
        if len(group.members) > 1 or any(x.shape == group.kind.shape and spent(x.name) for x in group.arrays)
    }
    found = []
    for position, step in enumerate(steps):
        if position not in groups:
            found.append(step)
        elif position == groups[position].position:
            before, loop, after = groups[position].steps(lambda name: readers[name] > 0, spent)
            found += before
            _put_last(found, [x for x in loop.takes if spent(x)])
            found += loop, *after
    return found


def _put_last(steps: list[Step], spent: Sequence[str]) -> None:
    """Move the last maker of one of these arrays to the end: no barrier is needed between it and the loop then.

    The loop alone reads them. The steps between may change memory that the maker reads; then it stays where it is.
    """
    for k in range(len(steps) - 1, -1, -1):
        if not {*steps[k].outputs}.isdisjoint(spent):
            steps.append(steps.pop(k))
            return
        if steps[k].op in (None, WritePart):
            return


def _recordable(step: Step, kinds: Kinds) -> Step:
    """A step that NumPy computes, such that a command list can be recorded of it: a loop with the same bits then."""
    member = member_of(step, kinds, {}, least=1)
    if member is None or member.formula not in kernels.fused_ir.ARITHMETIC:
        return step
    group, plain, name = Group({0: member}, kinds[step.outputs[0]], 0), call_of(step).run, call_of(step).name
    if not group.fits():
        return step
    _, found, _ = group.steps(lambda name: True, lambda name: False)
    loop: Any = found.function
    places = [step.inputs.index(operand.name) for operand in group.arrays]

    def run(*arrays: Any) -> Any:
        if type(arrays[0]) is np.ndarray:
            return plain(*arrays)
        return loop(*[arrays[place] for place in places])

    run.__name__ = name
    return Step(run, {}, step.inputs, {}, step.outputs)


def _function_of(loop: FusedLoop) -> Callable[..., Any]:
    def run(*arrays: np.ndarray) -> Any:
        found = kernels.fused_loops.compute(loop, *arrays)
        return found if len(found) > 1 else found[0]

    names = [link.formula for link in loop.links] + [name for name, _ in loop.sums]
    run.__name__ = "_".join(names).replace(" ", "_")
    return run
