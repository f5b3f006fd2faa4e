"""Loops of a graph: stretches in which the same ops or calls of modules run again and again, as calls of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.calls import Call, Modules
from tensorgrad.viz.record.modules.find import side_leaves
from tensorgrad.viz.record.records import GraphRecord, OpRecord

FEWEST = 4
"""A stretch is a loop from this many rounds on."""

LONGEST = 64
"""The most ops and calls of a round."""

INDEXING = ("getitem",)
"""Ops whose arguments say which part they take; it is another one in each round."""


class Loop(NamedTuple):
    """A stretch of ops and calls, all directly inside of one call.

    Attributes:
        parent: the key of that call; `""` for none.
        rounds: the ids of the ops and the keys of the calls in each round.
    """

    parent: str
    rounds: list[list[str]]


def with_loops(graph: GraphRecord, modules: Modules) -> Modules:
    """The modules of a graph, and each loop as one more: a call that holds all of its rounds.

    Rounds are alike in their ops, with the same arguments, on tensors of the same shapes; indices may differ. A loop is
    named after its first and its last module, else `loop`; its class says what a round consists of, and how many there
    are: `Linear, relu × 20`. Its id is `loop-0`, `loop-1`, ….
    """
    level = _Levels(graph, modules)
    loops = [loop for parent, items in level.items.items() for loop in _loops(parent, items, level.labels)]
    if not loops:
        return modules
    index = GraphIndex(graph)
    kinds, calls, call_of = dict(modules.kinds), dict(modules.calls), dict(modules.call_of)
    symbols = {op.id: op.symbol for op in graph.ops}
    for number, loop in enumerate(sorted(loops, key=lambda loop: level.begins[loop.rounds[0][0]])):
        key = _name(loop, modules, kinds)
        kinds[key] = _kind(loop, modules, symbols)
        calls[key] = Call(f"loop-{number}", key, loop.parent)
        for item in (item for round in loop.rounds for item in round):
            if item in modules.calls:
                calls[item] = calls[item]._replace(parent=key)
            else:
                call_of[item] = key
        level.begins[key] = level.begins[loop.rounds[0][0]]
    made = Modules(kinds, calls, call_of)
    _move_tensors(graph, index, modules, made, call_of)
    order = sorted(calls, key=lambda key: (level.begins[key], len(made.chain(key))))
    return Modules(_in_order(kinds, calls, order), {key: calls[key] for key in order}, call_of)


def _in_order(kinds: Mapping[str, str], calls: Mapping[str, Call], order: Sequence[str]) -> dict[str, str]:
    return {path: kinds[path] for path in dict.fromkeys(calls[key].path for key in order)}


def _move_tensors(
    graph: GraphRecord, index: GraphIndex, before: Modules, after: Modules, call_of: dict[str, str]
) -> None:
    """Let tensors whose ops all lie in a loop belong to it."""
    at_side = {id for leaves in side_leaves(graph, index).values() for id in leaves}
    for tensor in graph.tensors:
        users = index.users[tensor.id]
        if not users or not (tensor.kind in ("parameter", "interior") or tensor.id in at_side):
            continue
        ops = [*users, index.maker[tensor.id]] if tensor.id in index.maker else users
        chains = [after.chain(call_of[op]) for op in ops]
        together = [keys[0] for keys in zip(*chains, strict=False) if len(set(keys)) == 1]
        innermost = together[-1] if together else ""
        if innermost not in before.calls and innermost:
            call_of[tensor.id] = innermost


# --------------------------------------------------------------------------------------------------------------- levels


class _Levels:
    """What lies directly inside of each call, in the order it ran.

    Attributes:
        items: by key of a call, and of `""`: ids of ops and keys of calls.
        labels: by item, a number that is equal for alike ones.
        begins: by item, the place of its first op.
    """

    def __init__(self, graph: GraphRecord, modules: Modules) -> None:
        self.items: dict[str, list[str]] = defaultdict(list)
        self.begins: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self._numbers: dict[Hashable, int] = {}
        index = GraphIndex(graph)
        for number, op in enumerate(graph.ops):
            outer = ""
            for item in (*modules.chain(modules.call_of[op.id]), op.id):
                if item not in self.begins:
                    self.begins[item] = number
                    self.items[outer].append(item)
                outer = item
            self.labels[op.id] = self._number(_label(op, index))
        for key in reversed(list(modules.calls)):  # what is inside comes after what is around it
            inside = tuple(self.labels[item] for item in self.items[key])
            self.labels[key] = self._number((modules.kinds[modules.path(key)], inside))

    def _number(self, label: Hashable) -> int:
        return self._numbers.setdefault(label, len(self._numbers))


def _label(op: OpRecord, index: GraphIndex) -> Hashable:
    inputs = [index.tensors[id] for id in index.inputs(op.id)]
    given = tuple((tensor.shape, tensor.kind == "parameter") for tensor in inputs)
    made = index.tensors[op.output].shape if op.output else op.error
    return op.name, () if op.name in INDEXING else op.params, given, made


# ---------------------------------------------------------------------------------------------------------------- loops


def _loops(parent: str, items: Sequence[str], labels: Mapping[str, int]) -> list[Loop]:
    """The loops among what lies inside of a call: from the left, each as long as there is one."""
    row = [labels[item] for item in items]
    runs = {period: _agreeing(row, period) for period in range(1, min(LONGEST, len(row) // FEWEST) + 1)}
    found, start = [], 0
    while start < len(row):
        rounds = {period: run[start] // period + 1 for period, run in runs.items()}
        period = max(runs, key=lambda period: (rounds[period] >= FEWEST, rounds[period] * period, -period), default=0)
        if not period or rounds[period] < FEWEST:
            start += 1
            continue
        end = start + rounds[period] * period
        found.append(Loop(parent, [list(items[at : at + period]) for at in range(start, end, period)]))
        start = end
    return found


def _agreeing(row: Sequence[int], period: int) -> list[int]:
    """From each place on, how many items in a row are the same as those a period later.

    >>> _agreeing([1, 2, 1, 2, 1, 3], 2)
    [3, 2, 1, 0, 0, 0]
    """
    counts = [0] * (len(row) + 1)
    for at in range(len(row) - period - 1, -1, -1):
        counts[at] = counts[at + 1] + 1 if row[at] == row[at + period] else 0
    return counts[: len(row)]


# ---------------------------------------------------------------------------------------------------------------- names


def _name(loop: Loop, modules: Modules, taken: Mapping[str, str]) -> str:
    """`layers.0 … layers.9`, or `loop` where a round has no module, or each the same."""
    paths = [modules.path(item) for round in loop.rounds for item in round if item in modules.calls]
    name = f"{paths[0]} … {paths[-1]}" if paths and paths[0] != paths[-1] else "loop"
    number = 1
    while (unique := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return unique


def _kind(loop: Loop, modules: Modules, symbols: Mapping[str, str]) -> str:
    """`Linear, relu × 20`: what a round consists of, and how many there are."""
    named = [_class(item, modules) if item in modules.calls else symbols[item] for item in loop.rounds[0]]
    told = [*named[:3], "…"] if len(named) > 5 else named
    return f"{', '.join(told)} × {len(loop.rounds)}"


def _class(key: str, modules: Modules) -> str:
    return modules.kinds[modules.path(key)] or modules.path(key)
