"""A large graph, cut into sheets that are laid out one by one and stacked: so the time of a layout is linear."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TypeVar

from tensorgrad.viz.graph.simplify import repeated
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import EdgeRecord, GraphRecord, ModuleRecord, OpRecord, TensorRecord

Maker = TypeVar("Maker", OpRecord, ModuleRecord)

FEWEST, MOST = 30, 60
"""Ops and boxes of a sheet; a graph of at most `MOST` is one sheet. The time of a layout grows with their square."""


def cut(graph: GraphRecord, shared: Callable[[str, str], int]) -> tuple[list[GraphRecord], dict[str, str]]:
    """The sheets of a graph in the order of the computation, and by id of each copy the tensor that it repeats.

    A sheet ends where few results are still needed, and few modules are still open. Tensors of the sheets above are
    repeated where they are needed.

    Args:
        graph: its modules folded, its leaves repeated.
        shared: how many modules two ops or boxes have in common.
    """
    index = GraphIndex(graph)
    makers = _in_order(graph)
    if len(makers) <= MOST:
        return [graph], {}
    needed = zip(_needed(makers, index), pairwise(makers), strict=False)
    ends = _ends([results + shared(*pair) for results, pair in needed])
    sheet_of = {id: bisect(ends, number) for number, id in enumerate(makers)}
    return _sheets(graph, index, sheet_of, len(ends) + 1)


def _in_order(graph: GraphRecord) -> list[str]:
    """The ids of ops and boxes in the order that they ran."""
    first = {op.id: op.id for op in graph.ops} | {box.id: box.ops[0] for box in graph.modules}
    return sorted(first, key=lambda id: int(first[id].removeprefix("op")))


def _needed(makers: Sequence[str], index: GraphIndex) -> list[int]:
    """After each op or box, how many results are needed later."""
    place = {id: number for number, id in enumerate(makers)}
    change = [0] * len(makers)
    for tensor, maker in index.maker.items():
        change[place[maker]] += 1
        change[max((place[user] for user in index.users[tensor]), default=place[maker])] -= 1
    return list(accumulate(change))


def _ends(costs: Sequence[int]) -> list[int]:
    """How many ops and boxes lie above each cut: where it costs least, of several such places the last."""
    ends, start = [], 0
    while len(costs) + 1 - start > MOST:
        last = min(start + MOST, len(costs) + 1 - FEWEST)
        start = min(range(start + FEWEST, last + 1), key=lambda end: (costs[end - 1], -end))
        ends.append(start)
    return ends


def _sheets(
    graph: GraphRecord, index: GraphIndex, sheet_of: dict[str, int], count: int
) -> tuple[list[GraphRecord], dict[str, str]]:
    tensors: list[list[TensorRecord]] = [[] for _ in range(count)]
    edges: list[list[EdgeRecord]] = [[] for _ in range(count)]
    there: dict[tuple[str, int], str] = {}
    copies: dict[str, str] = {}
    for tensor in graph.tensors:
        ends = [*index.users[tensor.id], *([index.maker[tensor.id]] if tensor.id in index.maker else [])]
        for number, sheet in enumerate(sorted({sheet_of[id] for id in ends})):
            copy = repeated(tensor, number) if number else tensor
            there[tensor.id, sheet] = copy.id
            tensors[sheet].append(copy)
            if number:
                copies[copy.id] = tensor.id
    for edge in graph.edges:
        sheet = sheet_of[edge.op]
        edges[sheet].append(replace(edge, tensor=there[edge.tensor, sheet]))
    ops, modules = _dealt(graph.ops, sheet_of, count), _dealt(graph.modules, sheet_of, count)
    parts = zip(ops, modules, tensors, edges, strict=True)
    return [
        replace(graph, ops=tuple(o), modules=tuple(m), tensors=tuple(t), edges=tuple(e)) for o, m, t, e in parts
    ], copies


def _dealt(makers: Sequence[Maker], sheet_of: Mapping[str, int], count: int) -> list[list[Maker]]:
    """Ops, or boxes, per sheet."""
    sheets: list[list[Maker]] = [[] for _ in range(count)]
    for maker in makers:
        sheets[sheet_of[maker.id]].append(maker)
    return sheets
