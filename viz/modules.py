"""Which module each op and tensor belongs to: what a drawing groups, and what it may fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .records import GraphRecord, OpRecord, TensorRecord
from .wiring import Wiring

DEEPEST = 16
"""Modules nested deeper than this are drawn in the one at this depth: nobody builds them, but a name may say so."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a graph.

    Attributes:
        kinds: for each path the name of the class, `""` if unknown; in the order of the computation, a module before
            those inside of it.
        homes: for each op and tensor, by id, the path of the innermost module that it belongs to; `""` for none.
    """

    kinds: Mapping[str, str]
    homes: Mapping[str, str]

    def number(self, path: str) -> int:
        """The place of a module among all."""
        return list(self.kinds).index(path)

    def inside(self, path: str) -> list[str]:
        """The paths of the modules directly inside; of `""`, the outermost."""
        return [other for other in self.kinds if parent(other) == path]


def lineage(path: str) -> list[str]:
    """A module's path after those of the modules around it, outermost first.

    >>> lineage("layer1.0.conv1")
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    parts = path.split(".", DEEPEST)[:DEEPEST]
    paths = (".".join(parts[: k + 1]) for k in range(len(parts)))
    return [path for path in paths if path.strip(".")]


def parent(path: str) -> str:
    """The path of the module around this one; `""` for none."""
    return ["", "", *lineage(path)][-2]


def shared(paths: Iterable[str]) -> str:
    """The path of the innermost module around all of these; `""` for none.

    >>> shared(["layer1.0.conv1", "layer1.0.bn1"]), shared(["conv1", "conv2"])
    ('layer1.0', '')
    """
    lines = [["", *lineage(path)] for path in paths]
    together = [steps[0] for steps in zip(*lines, strict=False) if len(set(steps)) == 1]
    return together[-1] if together else ""


def find_modules(graph: GraphRecord) -> Modules:
    """The modules of a graph, plumbing folded: by the scopes that were traced, else by the parameters' names.

    An op belongs where its parameters do: `conv1.weight` makes its convolution a part of `conv1`. An op without any
    belongs to the innermost module around what it comes from and leads to. A tensor belongs where all its ops do, so
    what passes from one module to the next lies outside of both.
    """
    wiring = Wiring(graph)
    kinds = {scope.path: scope.kind for op in graph.ops for scope in op.scopes if scope.path}
    homes = _traced(graph) if kinds else _named(graph, wiring)
    homes = _without_wrappers(graph, wiring, homes)
    found = dict.fromkeys(path for op in graph.ops for path in lineage(homes[op.id]))
    return Modules({path: kinds.get(path, "") for path in found}, homes | _of_tensors(graph, wiring, homes))


def beside(graph: GraphRecord, wiring: Wiring) -> dict[str, list[str]]:
    """For each op, the leaves that stand beside it rather than above: used here only, and not what flows through it.

    So the computation runs straight down, and its parameters come in from the sides.
    """
    leaves = {}
    for op in graph.ops:
        tensors = wiring.inputs(op.id)
        through = next((id for id in tensors if wiring.tensors[id].kind == "interior"), tensors[0] if tensors else "")
        aside = (id for id in tensors if id != through and wiring.tensors[id].kind in ("parameter", "constant"))
        leaves[op.id] = [id for id in aside if len(wiring.users[id]) == 1]
    return leaves


# ------------------------------------------------------------------------------------------------------------------ ops


def _traced(graph: GraphRecord) -> dict[str, str]:
    paths = {op.id: [scope.path for scope in op.scopes if scope.path] for op in graph.ops}
    return {id: _named_so(chain[-1]) if chain else "" for id, chain in paths.items()}


def _named_so(path: str) -> str:
    return ["", *lineage(path)][-1]


def _named(graph: GraphRecord, wiring: Wiring) -> dict[str, str]:
    own = {}
    for op in graph.ops:
        owners = (_owner(wiring.tensors[id]) for id in wiring.inputs(op.id))
        own[op.id] = shared(owner for owner in owners if owner)
    comes_from: dict[str, list[str]] = {}
    for op in graph.ops:
        before = (wiring.maker[id] for id in wiring.inputs(op.id) if id in wiring.maker)
        comes_from[op.id] = _nearest(own, comes_from, before)
    leads_to: dict[str, list[str]] = {}
    for op in reversed(graph.ops):
        leads_to[op.id] = _nearest(own, leads_to, wiring.users[op.output])
    homes = {}
    for op in graph.ops:
        around = [shared((a, b)) for a in comes_from[op.id] for b in leads_to[op.id]]
        homes[op.id] = own[op.id] or max(around, key=lambda path: len(lineage(path)), default="")
    return homes


def _owner(tensor: TensorRecord) -> str:
    return _named_so(tensor.name.rpartition(".")[0]) if tensor.kind == "parameter" else ""


def _nearest(own: Mapping[str, str], far: Mapping[str, list[str]], ops: Iterable[str]) -> list[str]:
    """The modules met first on the ways through these ops."""
    return list(dict.fromkeys(path for op in ops for path in ([own[op]] if own[op] else far[op])))


def _without_wrappers(graph: GraphRecord, wiring: Wiring, homes: dict[str, str]) -> dict[str, str]:
    """A module around one op that has no parameters, such as a ReLU, says nothing that the op doesn't."""
    members: dict[str, list[OpRecord]] = defaultdict(list)
    for op in graph.ops:
        for path in lineage(homes[op.id]):
            members[path].append(op)
    for path, ops in reversed(members.items()):
        kinds = {wiring.tensors[id].kind for op in ops for id in wiring.inputs(op.id)}
        if len(ops) == 1 and "parameter" not in kinds and homes[ops[0].id] == path:
            homes[ops[0].id] = parent(path)
    return homes


# -------------------------------------------------------------------------------------------------------------- tensors


def _of_tensors(graph: GraphRecord, wiring: Wiring, homes: Mapping[str, str]) -> dict[str, str]:
    aside = {id for leaves in beside(graph, wiring).values() for id in leaves}
    found = {}
    for tensor in graph.tensors:
        users = wiring.users[tensor.id]
        inner = tensor.kind in ("parameter", "interior") or tensor.id in aside
        ops = [*users, wiring.maker[tensor.id]] if tensor.id in wiring.maker else users
        found[tensor.id] = shared(homes[op] for op in ops) if inner and users else ""
    return found
