"""Which call of which module each op and tensor belongs to: what a drawing groups, and what it may fold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import GraphRecord, OpRecord, TensorRecord

DEEPEST = 16
"""Modules nested deeper than this are drawn in the one at this depth: nobody builds them, but a name may say so."""


class Call(NamedTuple):
    """One call of a module: a stretch of the computation, so that no path leads out of it and back.

    Attributes:
        id: `module-0`, …, by the number of the module; `module-0-1`, … for its later calls.
        path: of the module.
        around: the key of the call that this one lies in, in `Modules.calls`; `""` for none.
    """

    id: str
    path: str
    around: str


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a graph, and their calls.

    Attributes:
        kinds: for each path the name of the class, `""` if unknown; in the order of the computation, a module before
            those inside of it.
        calls: by key: the path of the module, for its later calls with a number behind it. In the same order.
        homes: for each op and tensor, by id, the key of the innermost call that it belongs to; `""` for none.
    """

    kinds: Mapping[str, str]
    calls: Mapping[str, Call]
    homes: Mapping[str, str]

    def inside(self, key: str) -> list[str]:
        """The keys of the calls directly inside; of `""`, the outermost."""
        return [other for other, call in self.calls.items() if call.around == key]

    def chain(self, key: str) -> list[str]:
        """The key of a call after those of the calls around it, outermost first."""
        keys = []
        while key:
            keys.append(key)
            key = self.calls[key].around
        return keys[::-1]

    def path(self, key: str) -> str:
        """The path of the module that was called."""
        return self.calls[key].path if key else ""


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
    """The modules of a graph, plumbing folded: by the calls that were traced, else by the parameters' names.

    Names alone tell no calls apart: there the ops of a module that ran one after the other are one. An op belongs
    where its parameters do: `conv1.weight` makes its convolution a part of `conv1`. An op without any belongs to the
    innermost module around what it comes from and leads to. A tensor belongs where all its ops do, so what passes from
    one call to the next lies outside of both.
    """
    index = GraphIndex(graph)
    traced = any(scope.path for op in graph.ops for scope in op.scopes)
    marks = {op.id: _marks(op) for op in graph.ops} if traced else _named(graph, index)
    tree = _Tree()
    homes = {op.id: tree.enter(marks[op.id]) for op in graph.ops}
    homes = _without_wrappers(graph, index, homes)
    if traced:
        _without_lists_of_one(homes, tree)
    return _numbered(graph, homes, _of_tensors(graph, index, homes))


def beside(graph: GraphRecord, index: GraphIndex) -> dict[str, list[str]]:
    """For each op, the leaves that stand beside it rather than above: used here only, and not what flows through it.

    So the computation runs straight down, and its parameters come in from the sides.
    """
    leaves = {}
    for op in graph.ops:
        tensors = index.inputs(op.id)
        through = next((id for id in tensors if index.tensors[id].kind == "interior"), tensors[0] if tensors else "")
        aside = (id for id in tensors if id != through and index.tensors[id].kind in ("parameter", "constant"))
        leaves[op.id] = [id for id in aside if len(index.users[id]) == 1]
    return leaves


# ---------------------------------------------------------------------------------------------------------------- calls


class Mark(NamedTuple):
    """What an op knows of one module around it: an identity that only ops of the same call share; path and class."""

    identity: Hashable
    path: str
    kind: str


@dataclass(eq=False)
class _Stretch:
    """A call as it is found: its place in the tree may change until it is numbered."""

    mark: Mark | None
    around: _Stretch | None

    @property
    def chain(self) -> list[_Stretch]:
        """The calls around it and itself, outermost first; the root of all isn't one."""
        chain, at = [], self
        while at.around is not None:
            chain.append(at)
            at = at.around
        return chain[::-1]


class _Tree:
    """The calls as ops come by in the order they ran: one that was left is never entered again."""

    def __init__(self) -> None:
        self.root = self._at = _Stretch(None, None)

    def enter(self, marks: Sequence[Mark]) -> _Stretch:
        """The innermost call of an op."""
        chain = self._at.chain
        kept = 0
        while kept < min(len(chain), len(marks)) and chain[kept].mark == marks[kept]:
            kept += 1
        self._at = chain[kept - 1] if kept else self.root
        for mark in marks[kept:]:
            self._at = _Stretch(mark, self._at)
        return self._at


def _marks(op: OpRecord) -> list[Mark]:
    """Of a traced op the calls that it ran in, and around a module of a list, which nobody calls, the list."""
    marks: list[Mark] = []
    around, caller = "", None
    for scope, number in zip(op.scopes, op.calls, strict=True):
        if scope.path:
            inner = around == "" or scope.path.startswith(f"{around}.")
            holders = lineage(scope.path)[:-1] if inner else ()
            marks += [Mark((caller, path), path, "") for path in holders if path not in lineage(around)]
            marks.append(Mark(number, scope.path, scope.kind))
            around = scope.path
        caller = number
    return marks[:DEEPEST]


def _without_wrappers(graph: GraphRecord, index: GraphIndex, homes: dict[str, _Stretch]) -> dict[str, _Stretch]:
    """A call of a module around one op that has no parameters, such as a ReLU, says nothing that the op doesn't."""
    members: dict[_Stretch, list[OpRecord]] = defaultdict(list)
    for op in graph.ops:
        for stretch in homes[op.id].chain:
            members[stretch].append(op)
    for stretch, ops in reversed(members.items()):
        kinds = {index.tensors[id].kind for op in ops for id in index.inputs(op.id)}
        if len(ops) == 1 and "parameter" not in kinds and homes[ops[0].id] is stretch:
            homes[ops[0].id] = stretch.around
    return homes


def _without_lists_of_one(homes: Mapping[str, _Stretch], tree: _Tree) -> None:
    """A list around one call of one of its modules says nothing that the call doesn't."""
    inside: dict[_Stretch, set[_Stretch]] = defaultdict(set)
    own = set(homes.values())
    stretches = dict.fromkeys(stretch for home in own for stretch in home.chain)
    for stretch in stretches:
        inside[stretch.around].add(stretch)
    for stretch in stretches:
        around = stretch.around
        while around is not tree.root and around.mark.kind == "" and around not in own and len(inside[around]) == 1:
            around = around.around
        stretch.around = around


def _numbered(graph: GraphRecord, ops: Mapping[str, _Stretch], tensors: Mapping[str, _Stretch | None]) -> Modules:
    """Keys and ids for the calls, in the order of the computation."""
    keys: dict[_Stretch, str] = {}
    kinds: dict[str, str] = {}
    calls: dict[str, Call] = {}
    numbers: dict[str, int] = {}
    times: Counter[str] = Counter()
    paths = {stretch.mark.path for home in ops.values() for stretch in home.chain}
    for op in graph.ops:
        for stretch in ops[op.id].chain:
            if stretch in keys:
                continue
            _, path, kind = stretch.mark
            numbers.setdefault(path, len(numbers))
            kinds[path] = kinds.get(path) or kind
            again, times[path] = times[path], times[path] + 1
            key = f"{path} #{again + 1}" if again else path
            while again and key in paths:
                key += "′"
            keys[stretch] = key
            id = f"module-{numbers[path]}" + (f"-{again}" if again else "")
            calls[key] = Call(id, path, keys.get(stretch.around, ""))
    homes = {id: keys.get(stretch, "") for id, stretch in (*ops.items(), *tensors.items())}
    return Modules(kinds, calls, homes)


# ------------------------------------------------------------------------------------------------------------ by names


def _named(graph: GraphRecord, index: GraphIndex) -> dict[str, list[Mark]]:
    own = {}
    for op in graph.ops:
        owners = (_owner(index.tensors[id]) for id in index.inputs(op.id))
        own[op.id] = shared(owner for owner in owners if owner)
    comes_from: dict[str, list[str]] = {}
    for op in graph.ops:
        before = (index.maker[id] for id in index.inputs(op.id) if id in index.maker)
        comes_from[op.id] = _nearest(own, comes_from, before)
    leads_to: dict[str, list[str]] = {}
    for op in reversed(graph.ops):
        leads_to[op.id] = _nearest(own, leads_to, index.users[op.output])
    homes = {}
    for op in graph.ops:
        around = [shared((a, b)) for a in comes_from[op.id] for b in leads_to[op.id]]
        home = own[op.id] or max(around, key=lambda path: len(lineage(path)), default="")
        homes[op.id] = [Mark(path, path, "") for path in lineage(home)]
    return homes


def _owner(tensor: TensorRecord) -> str:
    path = tensor.name.rpartition(".")[0] if tensor.kind == "parameter" else ""
    return ["", *lineage(path)][-1]


def _nearest(own: Mapping[str, str], far: Mapping[str, list[str]], ops: Iterable[str]) -> list[str]:
    """The modules met first on the ways through these ops."""
    return list(dict.fromkeys(path for op in ops for path in ([own[op]] if own[op] else far[op])))


# -------------------------------------------------------------------------------------------------------------- tensors


def _of_tensors(graph: GraphRecord, index: GraphIndex, homes: Mapping[str, _Stretch]) -> dict[str, _Stretch | None]:
    aside = {id for leaves in beside(graph, index).values() for id in leaves}
    found = {}
    for tensor in graph.tensors:
        users = index.users[tensor.id]
        inner = tensor.kind in ("parameter", "interior") or tensor.id in aside
        ops = [*users, index.maker[tensor.id]] if tensor.id in index.maker else users
        found[tensor.id] = _around([homes[op] for op in ops]) if inner and users else None
    return found


def _around(homes: Iterable[_Stretch]) -> _Stretch | None:
    """The innermost call around all of these."""
    together = [steps[0] for steps in zip(*(home.chain for home in homes), strict=False) if len(set(steps)) == 1]
    return together[-1] if together else None
