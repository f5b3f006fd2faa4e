"""What a page says of modules and of problems: the texts on lids, and what the drawing marks, in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

from tensorgrad.viz.graph.fold import call_records, drawn_modules
from tensorgrad.viz.graph.health import Finding, examine
from tensorgrad.viz.graph.labels import module_lines
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import GraphRecord


class Told(NamedTuple):
    """What a page is told.

    Attributes:
        lids: by id of each call of a module, what is written on it where it is folded by itself: `title`, `kind`,
            `size`, `gradient`, and what was `found` inside.
        problems: `where` each is marked (the id of an op, a tensor or a call), an `op` there, the `path` of its
            module, its `text`, `cause` and `remedy`; in the order of the computation.
    """

    lids: dict[str, dict[str, Any]]
    problems: list[dict[str, str]]


def told(graph: GraphRecord, findings: Collection[Finding] | None = None) -> Told:
    """What a page says of the modules and the problems of a graph.

    Args:
        graph: as collected or traced.
        findings: the problems; by default what `health.examine` finds.
    """
    plain = fold_view_ops(graph)
    modules, index = drawn_modules(plain), GraphIndex(plain)
    records = call_records(plain, modules)
    order = {op.id: number for number, op in enumerate(plain.ops)}
    found: dict[str, list[str]] = defaultdict(list)
    problems = []
    for finding in examine(plain, find_modules(plain)) if findings is None else findings:
        where = finding.where
        place = modules.call_of.get(where, where)
        for key in modules.chain(place) if place in modules.calls else ():
            found[key].append(finding.text if key == place else f"{modules.path(place)}: {finding.text}")
        ops = records[where].ops if where in records else [where] if where in order else _ops_at(index, where)
        if ops:
            id = records[where].id if where in records else where
            path = modules.path(place) if place in modules.calls else ""
            about = {"text": finding.text, "cause": finding.cause, "remedy": finding.remedy}
            problems.append({"where": id, "op": ops[0], "path": path} | about)
    lids = {
        record.id: dict(zip(("title", "kind", "size", "gradient"), module_lines(record), strict=True))
        | {"found": found[key]}
        for key, record in records.items()
    }
    return Told(lids, sorted(problems, key=lambda problem: order[problem["op"]]))


def _ops_at(index: GraphIndex, tensor: str) -> list[str]:
    """The op that made a tensor, or those that use it."""
    return [index.maker[tensor]] if tensor in index.maker else index.users[tensor]
