"""The tree of module calls: built op by op, simplified, and numbered at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.calls import Call, Modules
from tensorgrad.viz.record.records import GraphRecord, OpRecord


class Frame(NamedTuple):
    """One module on the call stack of an op.

    Attributes:
        identity: equal only for ops of the same call.
        path: of the module.
        kind: the name of its class; `""` for a list of modules, or where it is unknown.
    """

    identity: Hashable
    path: str
    kind: str


@dataclass(eq=False)
class CallNode:
    """A call in the tree. Its parent may change until the calls are numbered. The root has none, and isn't a call."""

    frame: Frame
    parent: CallNode | None

    @property
    def chain(self) -> list[CallNode]:
        """The calls that it lies in and itself, outermost first."""
        chain, node = [], self
        while node.parent is not None:
            chain.append(node)
            node = node.parent
        return chain[::-1]


class CallTree:
    """The calls of a graph's ops, in the order they ran.

    A call that was left is never entered again: an op that comes back to the same module begins another call.

    Attributes:
        call_of: per id of an op, the innermost call that it ran in.
    """

    def __init__(self, stacks: Mapping[str, Sequence[Frame]]) -> None:
        self.root = self._current = CallNode(Frame(None, "", ""), None)
        self.call_of = {op: self._enter(frames) for op, frames in stacks.items()}

    def _enter(self, frames: Sequence[Frame]) -> CallNode:
        chain = self._current.chain
        kept = 0
        while kept < min(len(chain), len(frames)) and chain[kept].frame == frames[kept]:
            kept += 1
        self._current = chain[kept - 1] if kept else self.root
        for frame in frames[kept:]:
            self._current = CallNode(frame, self._current)
        return self._current

    def drop_wrappers(self, graph: GraphRecord, index: GraphIndex) -> None:
        """Remove each call around one op without parameters, such as a ReLU: it adds nothing to the op."""
        ops_in: dict[CallNode, list[OpRecord]] = defaultdict(list)
        for op in graph.ops:
            for call in self.call_of[op.id].chain:
                ops_in[call].append(op)
        for call, ops in reversed(ops_in.items()):
            kinds = {index.tensors[id].kind for op in ops for id in index.inputs(op.id)}
            if len(ops) == 1 and "parameter" not in kinds and self.call_of[ops[0].id] is call:
                self.call_of[ops[0].id] = call.parent or self.root

    def drop_lists_of_one(self) -> None:
        """Remove each list around a single call of one of its modules: it adds nothing to the call."""
        children: dict[CallNode, set[CallNode]] = defaultdict(set)
        innermost = set(self.call_of.values())
        calls = dict.fromkeys(call for inner in innermost for call in inner.chain)
        for call in calls:
            children[call.parent or self.root].add(call)
        for call in calls:
            parent = call.parent or self.root
            while parent.parent and not parent.frame.kind and parent not in innermost and len(children[parent]) == 1:
                parent = parent.parent
            call.parent = parent

    def numbered(self, ops: Iterable[OpRecord], tensors: Mapping[str, CallNode | None]) -> Modules:
        """The calls with keys and ids, in the order of the computation.

        Args:
            ops: of the graph.
            tensors: per id of a tensor the innermost call that it belongs to.
        """
        keys: dict[CallNode | None, str] = {}
        kinds: dict[str, str] = {}
        calls: dict[str, Call] = {}
        numbers: dict[str, int] = {}
        times: Counter[str] = Counter()
        paths = {call.frame.path for inner in self.call_of.values() for call in inner.chain}
        for call in (call for op in ops for call in self.call_of[op.id].chain):
            if call in keys:
                continue
            _, path, kind = call.frame
            numbers.setdefault(path, len(numbers))
            kinds[path] = kinds.get(path) or kind
            again, times[path] = times[path], times[path] + 1
            key = f"{path} #{again + 1}" if again else path
            while again and key in paths:
                key += "′"
            keys[call] = key
            id = f"module-{numbers[path]}" + (f"-{again}" if again else "")
            calls[key] = Call(id, path, keys.get(call.parent, ""))
        call_of = {id: keys.get(call, "") for id, call in (*self.call_of.items(), *tensors.items())}
        return Modules(kinds, calls, call_of)


def common_call(calls: Iterable[CallNode]) -> CallNode | None:
    """The innermost call that all of these lie in."""
    together = [steps[0] for steps in zip(*(call.chain for call in calls), strict=False) if len(set(steps)) == 1]
    return together[-1] if together else None
