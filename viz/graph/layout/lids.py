"""What a page writes on the lid of a module that is folded where it stands: what the box of a folded module says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from tensorgrad.viz.graph.fold import call_records, drawn_modules
from tensorgrad.viz.graph.health import Finding, examine
from tensorgrad.viz.graph.labels import module_lines
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import GraphRecord


def lids(graph: GraphRecord, findings: Collection[Finding] | None = None) -> dict[str, dict[str, Any]]:
    """By id of each call of a module: its title and class, its size, its gradient, and what is wrong inside.

    Args:
        graph: as collected or traced.
        findings: what is wrong; by default what `health.examine` finds.
    """
    plain = fold_view_ops(graph)
    modules = drawn_modules(plain)
    found: dict[str, list[str]] = defaultdict(list)
    for finding in examine(plain, find_modules(plain)) if findings is None else findings:
        place = modules.call_of.get(finding.where, finding.where)
        for key in modules.chain(place) if place in modules.calls else ():
            found[key].append(finding.text if key == place else f"{modules.path(place)}: {finding.text}")
    return {
        record.id: dict(zip(("title", "kind", "size", "gradient"), module_lines(record), strict=True))
        | {"found": found[key]}
        for key, record in call_records(plain, modules).items()
    }
