"""Finds the modules of a graph: by the calls that were traced, else by the names of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.call_tree import CallNode, CallTree, Frame, common_call
from tensorgrad.viz.record.modules.calls import DEEPEST, Modules, common_path, prefixes
from tensorgrad.viz.record.records import GraphRecord, OpRecord, TensorRecord


def find_modules(graph: GraphRecord) -> Modules:
    """The modules of a graph whose view ops are folded.

    Names alone don't tell calls apart: there, ops of a module that ran one after the other are one call. An op belongs
    where its parameters do: `conv1.weight` makes its convolution a part of `conv1`. An op without any belongs to the
    innermost module around what it comes from and leads to. A tensor belongs where all its ops do, so what passes from
    one call to the next lies outside of both.
    """
    index = GraphIndex(graph)
    traced = any(scope.path for op in graph.ops for scope in op.scopes)
    tree = CallTree({op.id: _traced_frames(op) for op in graph.ops} if traced else _named_frames(graph, index))
    tree.drop_wrappers(graph, index)
    if traced:
        tree.drop_lists_of_one()
    return tree.numbered(graph.ops, _calls_of_tensors(graph, index, tree.call_of))


def _traced_frames(op: OpRecord) -> list[Frame]:
    """The calls that a traced op ran in; a list of modules, which is never called itself, is one around its module."""
    frames: list[Frame] = []
    outer, caller = "", None
    for scope, number in zip(op.scopes, op.calls, strict=True):
        if scope.path:
            inside = outer == "" or scope.path.startswith(f"{outer}.")
            lists = prefixes(scope.path)[:-1] if inside else ()
            frames += [Frame((caller, path), path, "") for path in lists if path not in prefixes(outer)]
            frames.append(Frame(number, scope.path, scope.kind))
            outer = scope.path
        caller = number
    return frames[:DEEPEST]


# ------------------------------------------------------------------------------------------------------------ by names


def _named_frames(graph: GraphRecord, index: GraphIndex) -> dict[str, list[Frame]]:
    own = {}
    for op in graph.ops:
        owners = (_owner(index.tensors[id]) for id in index.inputs(op.id))
        own[op.id] = common_path(owner for owner in owners if owner)
    comes_from: dict[str, list[str]] = {}
    for op in graph.ops:
        before = (index.maker[id] for id in index.inputs(op.id) if id in index.maker)
        comes_from[op.id] = _nearest(own, comes_from, before)
    leads_to: dict[str, list[str]] = {}
    for op in reversed(graph.ops):
        leads_to[op.id] = _nearest(own, leads_to, index.users[op.output])
    frames = {}
    for op in graph.ops:
        around = [common_path((a, b)) for a in comes_from[op.id] for b in leads_to[op.id]]
        path = own[op.id] or max(around, key=lambda path: len(prefixes(path)), default="")
        frames[op.id] = [Frame(prefix, prefix, "") for prefix in prefixes(path)]
    return frames


def _owner(tensor: TensorRecord) -> str:
    """The module that holds a parameter, by its name."""
    path = tensor.name.rpartition(".")[0] if tensor.kind == "parameter" else ""
    return ["", *prefixes(path)][-1]


def _nearest(own: Mapping[str, str], further: Mapping[str, list[str]], ops: Iterable[str]) -> list[str]:
    """The modules that are met first on the paths through these ops."""
    return list(dict.fromkeys(path for op in ops for path in ([own[op]] if own[op] else further[op])))


# -------------------------------------------------------------------------------------------------------------- tensors


def side_leaves(graph: GraphRecord, index: GraphIndex) -> dict[str, list[str]]:
    """For each op, the leaves to draw at its side rather than above it: used here only, and not its main input.

    So the computation runs straight down, and its parameters come in from the sides.
    """
    leaves = {}
    for op in graph.ops:
        tensors = index.inputs(op.id)
        main = next((id for id in tensors if index.tensors[id].kind == "interior"), tensors[0] if tensors else "")
        others = (id for id in tensors if id != main and index.tensors[id].kind in ("parameter", "constant"))
        leaves[op.id] = [id for id in others if len(index.users[id]) == 1]
    return leaves


def _calls_of_tensors(
    graph: GraphRecord, index: GraphIndex, call_of: Mapping[str, CallNode]
) -> dict[str, CallNode | None]:
    at_side = {id for leaves in side_leaves(graph, index).values() for id in leaves}
    found = {}
    for tensor in graph.tensors:
        users = index.users[tensor.id]
        inner = tensor.kind in ("parameter", "interior") or tensor.id in at_side
        ops = [*users, index.maker[tensor.id]] if tensor.id in index.maker else users
        found[tensor.id] = common_call([call_of[op] for op in ops]) if inner and users else None
    return found
