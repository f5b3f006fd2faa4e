"""Mistakes that one step shows: in how the loss is computed, and in the inputs and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tensorgrad.viz.format.theme import short
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.records import GraphRecord, OpRecord

VIEWS = {"reshape", "transpose", "permute", "squeeze", "unsqueeze", "convert", "clone"}
"""Ops that keep the values they are given."""

LINEAR = {"convolution", "linear", "matmul"}

UNSCALED = 10.0
"""The root mean square of an input from which on it isn't scaled: pixels from 0 to 255 have 80 and more, those from 0
to 1, and standardized numbers, 1 and less. Weights are initialised for the latter."""

ENOUGH = 10
"""The fewest labels per class to miss one by: by chance a class is missing from them in e⁻¹⁰ of all batches."""


def mistakes(graph: GraphRecord) -> Iterator[Finding]:
    """The mistakes in a graph whose view ops are folded; needs `Depth(numbers=True)`."""
    index = GraphIndex(graph)
    ops = {op.id: op for op in graph.ops}
    for op in graph.ops:
        yield from _doubled(op, ops, index)
        yield from _plain_likelihood(op, ops, index)
        yield from _unscaled(op, index)
        yield from _shifted(op, index)


def _doubled(op: OpRecord, ops: dict[str, OpRecord], index: GraphIndex) -> Iterator[Finding]:
    """A softmax or sigmoid before a loss that applies one itself."""
    source = _source(op, ops, index)
    if source is None:
        return
    if op.name in ("cross_entropy", "log_softmax") and source.name in ("softmax", "sigmoid"):
        cause = "the loss applies softmax itself: a second one flattens the gradient"
        yield Finding(op.id, f"{source.name} before cross-entropy", cause, f"pass the logits, without {source.name}")
    if op.name == "softplus" and source.name == "sigmoid" and not _is_reported_already(op, ops, index):
        cause = "the loss applies the sigmoid itself: a second one flattens the gradient"
        remedy = "pass the logits, or use binary_cross_entropy"
        yield Finding(op.id, "sigmoid before a loss of logits", cause, remedy)


def _is_reported_already(op: OpRecord, ops: dict[str, OpRecord], index: GraphIndex) -> bool:
    """Whether the input of this softplus went to another one: a loss of logits has two, and is named once."""
    (x,) = index.inputs(op.id)
    at = list(ops)
    earlier = [id for id in at[: at.index(op.id)] if ops[id].name == "softplus"]
    return any(_root(index.inputs(id)[0], ops, index) == _root(x, ops, index) for id in earlier)


def _root(tensor: str, ops: dict[str, OpRecord], index: GraphIndex) -> str:
    """The tensor that this one is, but for its shape and its sign."""
    while (maker := ops.get(index.maker.get(tensor, ""))) is not None and maker.name in VIEWS | {"negative"}:
        tensor = index.inputs(maker.id)[0]
    return tensor


def _source(op: OpRecord, ops: dict[str, OpRecord], index: GraphIndex) -> OpRecord | None:
    """The op that computed the first input of this one."""
    inputs = index.inputs(op.id)
    return ops.get(index.maker.get(_root(inputs[0], ops, index), "")) if inputs else None


def _plain_likelihood(op: OpRecord, ops: dict[str, OpRecord], index: GraphIndex) -> Iterator[Finding]:
    """The probability of the right class itself as the loss, where its logarithm is meant."""
    if op.name not in ("getitem", "gather") or not any(edge.carries_gradient for edge in index.edges[op.id]):
        return
    source = _source(op, ops, index)
    negated = any(ops[user].name == "negative" for user in index.users[op.output] if user in ops)
    ends = [tensor.value for tensor in index.tensors.values() if tensor.kind == "output"]
    if source is not None and source.name == "softmax" and negated and any(x is not None and -1 <= x < 0 for x in ends):
        cause = "nll_loss takes logarithms: −p has a gradient of 0 where the network is wrong"
        yield Finding(op.id, "nll_loss of probabilities", cause, "log_softmax in place of softmax, or cross_entropy")


def _unscaled(op: OpRecord, index: GraphIndex) -> Iterator[Finding]:
    """A layer whose input is a constant of large numbers."""
    edges = index.edges[op.id]
    if op.name not in LINEAR or not any(index.tensors[edge.tensor].kind == "parameter" for edge in edges):
        return
    for edge in edges:
        tensor = index.tensors[edge.tensor]
        numbers = tensor.statistics
        if edge.carries_gradient or numbers is None or len(tensor.shape) < 2 or not tensor.dtype.startswith("float"):
            continue
        if math.hypot(numbers.mean, numbers.std) > UNSCALED:
            text = f"inputs not scaled: {short(numbers.min)} … {short(numbers.max)}"
            cause = "initial weights and usual learning rates are made for inputs of about 1"
            yield Finding(op.id, text, cause, "divide by 255, or subtract the mean and divide by the deviation")


def _shifted(op: OpRecord, index: GraphIndex) -> Iterator[Finding]:
    """Labels among which the class 0 never occurs, in a batch in which it should."""
    if op.name != "cross_entropy" or len(index.edges[op.id]) < 2:
        return
    logits, labels = (index.tensors[id] for id in index.inputs(op.id)[:2])
    classes = logits.shape[1] if len(logits.shape) > 1 else 0
    numbers = labels.statistics
    if numbers is None or classes < 2 or math.prod(labels.shape) < ENOUGH * classes:
        return
    if numbers.min >= 1:
        text = f"labels from {short(numbers.min)} to {short(numbers.max)}, of {classes} classes"
        cause = "class 0 never occurs: the labels seem to count from 1"
        yield Finding(op.id, text, cause, f"labels - 1, and {classes - 1} outputs" if classes > 2 else "labels - 1")
