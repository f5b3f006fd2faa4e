"""The table of handlers: what each op of ONNX means here, since which version of the ops.

A handler is a function on Tensors. Its signature is its declaration:

- positional parameters are the op's inputs, in order; one with a default may be missing, `*xs` takes any number;
- keyword-only parameters are the op's attributes, checked against their annotations, of which a `Literal` lists the
  values; one without a default is required;
- an input annotated `Host` arrives as an ndarray, whose values Python reads: shapes, axes, sizes. `Buffer` is a tensor
  that isn't trained, such as a running mean; `Any` passes sequences and missing values through;
- keyword-only parameters annotated `Outputs` and `Training` aren't attributes: how many outputs the node has, and
  whether the model is in training mode.

It returns a Tensor or a tuple of them; an ndarray says that its values follow from shapes and constants alone.
"""

from __future__ import annotations

import inspect
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args, get_origin

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.graph import ONNX, Graph, Node, Reference, Unread
from tensorgrad.onnx.reading.tensors import DTYPES
from tensorgrad.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

Ints: TypeAlias = tuple[int, ...]
Floats: TypeAlias = tuple[float, ...]
Strings: TypeAlias = tuple[str, ...]

if TYPE_CHECKING:
    Host: TypeAlias = np.ndarray
    Buffer: TypeAlias = Tensor
    Outputs: TypeAlias = int
    Training: TypeAlias = bool
    DType: TypeAlias = int
else:

    class Host:
        """The annotation of an input whose values Python reads: it arrives as an ndarray."""

    class Buffer:
        """The annotation of an input that isn't trained: it arrives as a Tensor."""

    class Outputs:
        """The annotation of a parameter that gets the number of the node's outputs."""

    class Training:
        """The annotation of a parameter that gets whether the model is in training mode."""

    class DType:
        """The annotation of an attribute that is ONNX's number of a dtype that tensorgrad has."""


class Body:
    """The annotation of an attribute that is a graph: a function of tensors, which returns a list of its outputs."""

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the graph."""
        raise NotImplementedError


class Input(NamedTuple):
    """An input as a handler declares it."""

    name: str
    kind: Any
    required: bool


class Attribute(NamedTuple):
    """An attribute as a handler declares it."""

    name: str
    kinds: tuple[Any, ...]
    required: bool


class Handler:
    """A function of the table, with what its signature declares.

    Args:
        function: the handler.
        since: the first version of the ops in which the op means this.
        foldable: whether equal inputs give equal results.
    """

    def __init__(self, function: Callable[..., Any], since: int, foldable: bool) -> None:
        self.function, self.since, self.foldable = function, since, foldable
        self.inputs: list[Input] = []
        self.attributes: dict[str, Attribute] = {}
        self.rest: Any = None
        self.context: dict[str, Any] = {}
        for p in inspect.signature(function).parameters.values():
            kinds = get_args(p.annotation) if isinstance(p.annotation, types.UnionType) else (p.annotation,)
            required = p.default is inspect.Parameter.empty
            if p.kind is inspect.Parameter.VAR_POSITIONAL:
                self.rest = p.annotation
            elif p.kind is not inspect.Parameter.KEYWORD_ONLY:
                self.inputs.append(Input(p.name, next(k for k in kinds if k is not type(None)), required))
            elif p.annotation in (Outputs, Training):
                self.context[p.name] = p.annotation
            else:
                self.attributes[p.name] = Attribute(p.name, kinds, required)

    def kind_of(self, position: int) -> Any:
        """The annotation of the input at `position`."""
        return self.inputs[position].kind if position < len(self.inputs) else self.rest

    def problems(self, node: Node) -> Iterator[str]:
        """What of the node this handler can't take."""
        given = node.inputs
        if len(given) > len(self.inputs) and self.rest is None:
            yield f"{node.label}: it takes {len(self.inputs)} inputs, got {len(given)}"
        for position, declared in enumerate(self.inputs):
            if declared.required and not (position < len(given) and given[position]):
                yield f"{node.label}: its input {declared.name} is missing"
        for name, value in node.attributes.items():
            if name not in self.attributes:
                if name not in IGNORED:
                    yield f"{node.label}: attribute {name} isn't supported"
            elif not isinstance(value, Reference) and not any(_fits(value, k) for k in self.attributes[name].kinds):
                yield f"{node.label}: attribute {name} has a value of the wrong kind: {value!r:.80}"
        for name, attribute in self.attributes.items():
            if attribute.required and name not in node.attributes:
                yield f"{node.label}: its attribute {name} is missing"


IGNORED = frozenset(["consumed_inputs"])
"""Attributes that say nothing about the result."""


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        (of, _) = get_args(kind)
        return isinstance(value, tuple) and all(isinstance(x, of) for x in value)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(value, Unread) or value is None:
        return False
    if kind is DType:
        return isinstance(value, int) and value in DTYPES
    return isinstance(value, Graph if kind is Body else kind)


TABLE: dict[tuple[str, str], list[Handler]] = defaultdict(list)
"""By domain and op, the handlers, the newest first."""


def op(name: str, since: int = 1, domain: str = ONNX, foldable: bool = True) -> Callable[[F], F]:
    """Enter a function into the table as the meaning of an op.

    Args:
        name: the op.
        since: the first version of the ops in which it means this.
        domain: the op's domain.
        foldable: False where equal inputs don't give equal results, or where graphs inside read other values.
    """

    def enter(function: F) -> F:
        handlers = TABLE[domain, name]
        handlers.append(Handler(function, since, foldable))
        handlers.sort(key=lambda h: -h.since)
        return function

    return enter


def handler_of(domain: str, name: str, version: int) -> Handler | None:
    """The handler of an op in a version of the ops, or None."""
    return next((h for h in TABLE.get((domain, name), ()) if h.since <= version), None)


def is_host(value: Any) -> bool:
    """Whether the value follows from shapes and constants alone."""
    return type(value) is np.ndarray


def tensor_of(value: Any) -> Any:
    """A Tensor of a value: one that follows from shapes and constants is a constant of the computation."""
    if is_host(value):
        return constant(value)
    if not isinstance(value, Tensor):
        raise OnnxError(f"expected a tensor, got {'nothing' if value is None else 'a sequence'}")
    return value
