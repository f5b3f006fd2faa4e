"""The record of a model: graphs of nodes, with attributes as plain values and tensors as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.errors import TensorgradError
from tensorgrad.onnx.reading.tensors import DTYPES, Source, array_of

ONNX = ""
"""The domain of ONNX's own ops; files also write it as "ai.onnx"."""


PARAMETERS = "tensorgrad.parameters"
"""The metadata in which a file that `export` wrote lists the names of its parameters."""


class Reference(NamedTuple):
    """An attribute in the body of a function: the value of this attribute of the call."""

    name: str


class Unread(NamedTuple):
    """An attribute of a kind that no handler takes."""

    kind: str


class Declared(NamedTuple):
    """An input or output of a graph: its name, its dtype if it is a tensor of one of ours, and its sizes."""

    name: str
    dtype: np.dtype | None
    shape: tuple[int | str | None, ...] | None


@dataclass
class Node:
    """One node: an op of a domain, the names of its inputs and outputs, and its attributes."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def label(self) -> str:
        """What errors call it: its op, its name or else its first output."""
        called = self.name or next(filter(None, self.outputs), "")
        return f"{self.domain + ':' if self.domain else ''}{self.op} {called!r}"


@dataclass
class Graph:
    """Nodes in the order in which they run."""

    inputs: list[Declared] = field(default_factory=list)
    outputs: list[Declared] = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """The names of initializers that can't be read: each is a problem already."""

    @property
    def bodies(self) -> Iterator[Graph]:
        """The graphs that are attributes of its nodes."""
        for node in self.nodes:
            yield from (value for value in node.attributes.values() if isinstance(value, Graph))


@dataclass
class Function:
    """A function that the model defines: a graph whose attributes are those of the call."""

    graph: Graph
    attributes: dict[str, Any]
    opsets: dict[str, int]


@dataclass
class Model:
    """A whole file."""

    graph: Graph
    opsets: dict[str, int]
    functions: dict[tuple[str, str], Function]
    metadata: dict[str, str]


class Reader:
    """Reads protobuf messages into records, and collects what can't be read.

    Args:
        source: where external data may lie.
    """

    def __init__(self, source: Source) -> None:
        self.source, self.problems = source, list[str]()

    def model(self, proto: Any) -> Model:
        """The record of a ModelProto."""
        functions = {}
        for f in proto.functions:
            defaults = {text(a.name): self._attribute(f"function {text(f.name)}", a) for a in f.attribute_proto}
            inputs, outputs = ([Declared(text(name), None, None) for name in names] for names in (f.input, f.output))
            body = Graph(inputs, outputs, {}, [self._node(n) for n in f.node])
            declared = {**dict.fromkeys(map(text, f.attribute)), **defaults}
            functions[domain_of(f.domain), text(f.name)] = Function(body, declared, opsets_of(f.opset_import))
        metadata = {text(entry.key): text(entry.value) for entry in proto.metadata_props}
        return Model(self.graph(proto.graph), opsets_of(proto.opset_import), functions, metadata)

    def graph(self, proto: Any) -> Graph:
        """The record of a GraphProto."""
        arrays, unread = {}, {text(s.values.name) for s in proto.sparse_initializer}
        for tensor in proto.initializer:
            array = self._array(tensor)
            if array is None:
                unread.add(text(tensor.name))
            else:
                arrays[text(tensor.name)] = array
        self.problems += [f"sparse initializer {s.values.name!r}: tensors are dense" for s in proto.sparse_initializer]
        inputs, outputs = ([_declared(v) for v in values] for values in (proto.input, proto.output))
        return Graph(inputs, outputs, arrays, [self._node(n) for n in proto.node], unread)

    def _array(self, proto: Any) -> np.ndarray | None:
        try:
            return array_of(proto, self.source)
        except TensorgradError as error:
            self.problems.append(str(error))
            return None

    def _node(self, proto: Any) -> Node:
        names = tuple(map(text, proto.input)), tuple(map(text, proto.output))
        node = Node(text(proto.op_type), domain_of(proto.domain), text(proto.name), *names, {})
        node.attributes = {text(a.name): self._attribute(node.label, a) for a in proto.attribute}
        return node

    def _attribute(self, where: str, a: Any) -> Any:
        if a.ref_attr_name:
            return Reference(text(a.ref_attr_name))
        kind = a.DESCRIPTOR.enum_types_by_name["AttributeType"].values_by_number.get(a.type)
        read = _ATTRIBUTES.get("" if kind is None else kind.name)
        if read is not None:
            return read(a)
        if kind is not None and kind.name == "TENSOR":
            return self._array(a.t)
        if kind is not None and kind.name == "GRAPH":
            return self.graph(a.g)
        return Unread(f"kind {a.type}" if kind is None else kind.name)


_ATTRIBUTES = {
    "FLOAT": lambda a: float(a.f),
    "INT": lambda a: int(a.i),
    "STRING": lambda a: text(a.s),
    "FLOATS": lambda a: tuple(map(float, a.floats)),
    "INTS": lambda a: tuple(map(int, a.ints)),
    "STRINGS": lambda a: tuple(map(text, a.strings)),
}


def text(value: str | bytes) -> str:
    """The text. A string of a damaged file that isn't UTF-8 arrives as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def domain_of(domain: str | bytes) -> str:
    """The domain, with ONNX's own in one spelling."""
    return ONNX if text(domain) == "ai.onnx" else text(domain)


def opsets_of(imports: Iterable[Any]) -> dict[str, int]:
    """By domain, the version of its ops."""
    return {domain_of(entry.domain): entry.version for entry in imports}


def _declared(value: Any) -> Declared:
    if not value.type.HasField("tensor_type"):
        return Declared(text(value.name), None, None)
    tensor = value.type.tensor_type
    dtype = DTYPES.get(tensor.elem_type)
    if not tensor.HasField("shape"):
        return Declared(text(value.name), dtype, None)
    sizes = (d.dim_value if d.HasField("dim_value") else text(d.dim_param) or None for d in tensor.shape.dim)
    return Declared(text(value.name), dtype, tuple(sizes))


def names_read(graph: Graph) -> Mapping[str, int]:
    """By name, the position of the last node that reads it; what graphs inside of a node read counts as the node's."""
    last: dict[str, int] = {}
    for position, node in enumerate(graph.nodes):
        for name in node.inputs:
            last[name] = position
        for value in node.attributes.values():
            if isinstance(value, Graph):
                inner = dict.fromkeys([*names_read(value), *(d.name for d in value.outputs)], position)
                last.update(inner)
    return last
