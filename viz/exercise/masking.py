"""Records whose blanks a drawing writes as blanks: numbers and shapes that are written as a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tensorgrad.viz.exercise.blank import Blank, Place
from tensorgrad.viz.exercise.questions.shapes import without_result
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, GraphRecord, OpRecord, TensorRecord


class HiddenNumber(float):
    """A number that is written as a text: HiddenNumber(value, text).

    >>> f"{HiddenNumber(0.25, '①____'):.4g}"
    '①____'
    """

    text: str

    def __new__(cls, value: float, text: str) -> HiddenNumber:  # noqa: D102
        self = super().__new__(cls, value)
        self.text = text
        return self

    def __format__(self, spec: str) -> str:
        return self.text


class HiddenShape(tuple[int, ...]):
    """A shape that is written as a text."""

    text: str

    def __new__(cls, shape: tuple[int, ...], text: str) -> HiddenShape:  # noqa: D102
        self = super().__new__(cls, shape)
        self.text = text
        return self

    def __str__(self) -> str:
        return self.text


def mask(record: GraphRecord, blanks: Sequence[Blank], write: Callable[[int, str], str]) -> GraphRecord:
    """The record to draw.

    Args:
        record: the graph.
        blanks: in the order of their numbers.
        write: gives what stands for a blank, of its number and its answer.
    """
    texts = {place: write(number, blank.answer) for number, blank in enumerate(blanks) for place in blank.places}
    tensors = tuple(_tensor(tensor, texts) for tensor in record.tensors)
    edges, ops = (_edge(edge, texts) for edge in record.edges), (_op(op, texts) for op in record.ops)
    return replace(record, tensors=tensors, edges=tuple(edges), ops=tuple(ops))


def _op(op: OpRecord, texts: Mapping[Place, str]) -> OpRecord:
    """An op whose result's shape is asked for: its parameters mustn't tell it."""
    if ("shape", op.output) not in texts:
        return op
    return replace(op, params=tuple((key, without_result(text)) for key, text in op.params))


def _tensor(tensor: TensorRecord, texts: Mapping[Place, str]) -> TensorRecord:
    changes: dict[str, Any] = {}
    if tensor.value is not None and ("value", tensor.id) in texts:
        changes["value"] = HiddenNumber(tensor.value, texts["value", tensor.id])
    if ("shape", tensor.id) in texts:
        changes["shape"] = HiddenShape(tensor.shape, texts["shape", tensor.id])
    if ("gradient", tensor.id) in texts:
        changes |= {"gradient": _gradient(tensor.gradient, texts["gradient", tensor.id]), "held": None}
    return replace(tensor, **changes) if changes else tensor


def _edge(edge: EdgeRecord, texts: Mapping[Place, str]) -> EdgeRecord:
    changes: dict[str, Any] = {}
    if edge.local is not None and (text := texts.get(("local", edge.op, edge.operand))):
        changes["local"] = HiddenNumber(edge.local, text)
    if text := texts.get(("flow", edge.op, edge.operand)):
        changes["contribution"] = _gradient(edge.contribution, text)
    if text := texts.get(("rule", edge.op, edge.operand)):
        # Beside a rule that is asked for, its number would tell: what doesn't begin with ∂z has none.
        changes |= {"applied": f"{edge.applied.partition(' = ')[0]} = {text}", "derivative": text, "rule": ""}
    return replace(edge, **changes) if changes else edge


def _gradient(gradient: GradientRecord | None, text: str) -> GradientRecord | None:
    if gradient is None or gradient.value is None:
        return gradient
    return replace(gradient, value=HiddenNumber(gradient.value, text))
