"""Plain records of a computation: what every drawing is made from.

`collect` walks the graph behind a tensor once and copies what a reader wants to know; the records hold no arrays and no
references into the graph, so drawings can be compared, tested and kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import numpy as np

from tensorgrad.engine import Node, Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, describe, restate
from tensorgrad.op import OUTPUT, Op

MAX_OPS = 2000
"""Beyond this many ops a drawing helps nobody, and its layout takes minutes."""

Scalar = float | int | bool
Kind = Literal["parameter", "constant", "interior", "output"]


@dataclass(frozen=True, slots=True)
class GradientRecord:
    """The gradient that backward left on a tensor: its shape, its mean absolute value, and the value of a scalar."""

    shape: tuple[int, ...]
    mean_abs: float
    value: Scalar | None


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One tensor of the graph.

    Attributes:
        id: `t0`, `t1`, … in the order of the computation.
        kind: `parameter` for a leaf that requires a gradient, `constant` for anything that gets none (inputs, labels,
            numbers), `interior` for the result of an op, `output` for the tensor that the graph was asked for.
        name: `""` where nobody named it.
        shape: its sizes.
        dtype: `""` for a constant of which the graph kept nothing.
        value: of a scalar (one element, no axes), where it is still known.
        gradient: where backward has left one.
    """

    id: str
    kind: Kind
    name: str
    shape: tuple[int, ...]
    dtype: str
    value: Scalar | None
    gradient: GradientRecord | None


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One applied op `z = f(x, y, …)`: `params` are its keyword arguments as text, `output` is the id of its tensor."""

    id: str
    name: str
    symbol: str
    formula: str
    params: tuple[tuple[str, str], ...]
    output: str


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A tensor going into an op.

    Attributes:
        tensor, op: their ids.
        operand: what the op's formula calls this input: `x`.
        derivative: the op's local derivative for it: `∂z/∂x = y`; `""` where no gradient flows back.
        carries_gradient: whether a gradient flows back along this edge.
        through: names of the ops that a drawing folded into this edge; none as collected.
    """

    tensor: str
    op: str
    operand: str
    derivative: str
    carries_gradient: bool
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """The computation behind the tensor `output`, an id: ops in the order they ran, tensors as they were first met."""

    ops: tuple[OpRecord, ...]
    tensors: tuple[TensorRecord, ...]
    edges: tuple[EdgeRecord, ...]
    output: str


def collect(
    output: Variable,
    names: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
) -> GraphRecord:
    """The records of all that led to `output`, before or after `backward()`: a node's structure outlives its values.

    Args:
        output: a tensor that was computed while recording was on; usually the loss.
        names: tensors by the names they shall have; they go before a tensor's own `.name`.
        variables: tensors by the names they have where the caller stands; they come after it.
        max_ops: refuse a larger graph.

    Raises:
        DTypeError: `output` is no tensor.
        GraphError: nothing was recorded for it.
        ArgumentError: more than `max_ops` ops led to it.

    >>> import tensorgrad as tg
    >>> from tensorgrad.viz.records import collect
    >>> a = tg.Tensor(2.0, requires_grad=True, name="a")
    >>> graph = collect(a * 3)
    >>> graph.ops[0].formula, [(e.operand, e.derivative) for e in graph.edges]
    ('z = x · y', [('x', '∂z/∂x = y'), ('y', '')])
    """
    nodes = _oldest_first(_root(output), max_ops)
    tensors = _Tensors(output._node, _what_is_known(output, nodes, names or {}, variables or {}))
    ops, edges = [], []
    for number, node in enumerate(nodes):
        op = node.op
        for position, source in enumerate(node.edges):
            carries = source is not None and op.rule(position) is not None
            derivative = _derivative(op, position) if carries else ""
            tensor = tensors.input(node, position)
            edges.append(EdgeRecord(tensor, f"op{number}", op.input_name(position), derivative, carries))
        params = tuple((key, describe(value)) for key, value in op.params.items())
        ops.append(OpRecord(f"op{number}", op.name, op.symbol or op.name, op.formula, params, tensors.output(node)))
    return GraphRecord(tuple(ops), tuple(tensors.records.values()), tuple(edges), ops[-1].output)


def _root(output: Any) -> Node:
    if not isinstance(output, Variable):
        fix = "pass the loss, before or after backward()"
        raise DTypeError(restate("graph", "only a tensor has a graph", fix=fix, output=output))
    if output._node is None:
        problem = (
            "no op made this tensor: it is a leaf" if output._requires_grad else "nothing was recorded for this tensor"
        )
        fix = "compute it from tensors made with requires_grad=True, outside no_grad(), and pass the result itself"
        raise GraphError(restate("graph", problem, expected="a tensor computed by ops", fix=fix, output=output))
    return output._node


def _oldest_first(root: Node, max_ops: int) -> list[Node]:
    """All nodes that led to the root, in topological order; gives up, quickly, on more than `max_ops`."""
    seen, stack = {root}, [root]
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in seen:
                seen.add(edge)
                stack.append(edge)
        if len(seen) > max_ops:
            raise ArgumentError(
                restate(
                    "graph",
                    f"the graph has more than {max_ops:,} ops: too many for one drawing",
                    fix="draw a part (one layer, fewer time steps), or pass a larger max_ops and be patient",
                    max_ops=max_ops,
                )
            )
    return sorted(seen, key=attrgetter("age"))


def _derivative(op: Op, position: int) -> str:
    """The op's local derivative for an input; all variadic inputs share the last."""
    if op.variadic:
        position = min(position, len(op.derivatives) - 1)
    return op.derivatives[position] if 0 <= position < len(op.derivatives) else ""


class _Known:
    """What is known of one tensor; of several sources, the first to tell counts."""

    name: str | None = None
    array: np.ndarray | None = None
    gradient: np.ndarray | None = None

    def learn(self, name: str | None, array: np.ndarray | None, gradient: Variable | None = None) -> None:
        self.name = self.name or name
        self.array = array if self.array is None else self.array
        if self.gradient is None and gradient is not None:
            self.gradient = gradient._data


def _what_is_known(
    output: Variable, nodes: Iterable[Node], names: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[Any, _Known]:
    """What can be found out about the tensors of a graph, by key.

    The graph keeps its leaves, and of other tensors only what backward needs, until it has run. The rest comes from the
    tensors that are still held: the output, and whatever the caller names. A key is the node that made a tensor, the
    leaf itself, or for a constant the identity of its array.
    """
    known: dict[Any, _Known] = defaultdict(_Known)
    for name, value in names.items():
        _learn(known, value, name)
    _learn(known, output, output.name)
    for node in nodes:
        retained = node.retained() if node.retained is not None else None
        known[node].learn(node.name, None, retained.grad if retained is not None else None)
        for leaf in node.edges:
            if isinstance(leaf, Variable):
                known[leaf].learn(leaf.name, leaf._data, leaf.grad)
        for k, saved in (node.saved or {}).items():
            source = node if k == OUTPUT else saved.source
            known[id(saved.array) if source is None else source].learn(saved.name, saved.array)
    for name, value in variables.items():
        _learn(known, value, value.name or name if isinstance(value, Variable) else name)
    return known


def _learn(known: dict[Any, _Known], value: Any, name: str | None) -> None:
    if isinstance(value, Variable):
        key = value._node or (value if value._requires_grad else id(value._data))
        known[key].learn(name, value._data, value.grad)
    elif isinstance(value, np.ndarray):
        known[id(value)].learn(name, value)


class _Tensors:
    """The tensors of a graph, recorded and numbered as they are first met."""

    def __init__(self, root: Node, known: dict[Any, _Known]) -> None:
        self.records: dict[Any, TensorRecord] = {}
        self._root = root
        self._known = known

    def input(self, node: Node, position: int) -> str:
        """The id of the tensor that went into a node."""
        source, shape = node.edges[position], node.input_shapes[position]
        if source is not None:
            return self._id(source, "interior" if type(source) is Node else "parameter", shape)
        saved = (node.saved or {}).get(position)
        return self._id((node, position) if saved is None else id(saved.array), "constant", shape)

    def output(self, node: Node) -> str:
        """The id of the tensor that a node made."""
        return self._id(node, "output" if node is self._root else "interior", node.shape)

    def _id(self, key: Any, kind: Kind, shape: tuple[int, ...]) -> str:
        if key not in self.records:
            known = self._known.get(key, _Known())
            dtype = known.array.dtype if known.array is not None else getattr(key, "dtype", "")
            self.records[key] = TensorRecord(
                id=f"t{len(self.records)}",
                kind=kind,
                name=str(known.name or ""),
                shape=shape,
                dtype=str(dtype),
                value=_scalar(known.array),
                gradient=None if known.gradient is None else _gradient(known.gradient),
            )
        return self.records[key].id


def _gradient(array: np.ndarray) -> GradientRecord:
    mean = float(np.mean(np.abs(array), dtype=np.float64)) if array.size else 0.0
    return GradientRecord(array.shape, mean, _scalar(array))


def _scalar(array: np.ndarray | None) -> Scalar | None:
    return array.item() if array is not None and array.ndim == 0 else None
