"""EmbeddingBag of bags of one size: rows by number, and their sum, mean or maximum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.onnx.writing.graph import Graph


def is_plain(module: Any) -> bool:
    """Whether nothing is changed while it looks rows up."""
    return module.max_norm is None


def takes(inputs: list[Any]) -> bool:
    """Whether the bags are rows of a matrix; with offsets they have sizes of their own."""
    bags, *others = inputs
    known = all(isinstance(x, Variable) for x in others)
    return known and isinstance(bags, Variable) and len(bags._data.shape) == 2 and bags._data.shape[1] > 0


def write_bags(g: Graph, module: Any, parameter: Callable[[Variable], str], inputs: list[str]) -> list[str]:
    """Add the nodes: `(B, L)` -> `(B, L, D)` -> `(B, D)`."""
    k, *factors = inputs
    dtype, last = module.weight.dtype, g.constant([-1], np.int64)
    rows = g.add("Gather", parameter(module.weight), k, axis=0)
    weights = [g.add("Unsqueeze", factor, last) for factor in factors]
    counted = ""
    if module.padding_idx is not None:
        padding = module.padding_idx % module.num_embeddings
        same = g.add("Equal", g.cast(k, np.dtype(np.int64)), g.constant(padding, np.int64))
        counted = g.add("Unsqueeze", g.add("Not", same), last)
    axis = g.constant([1], np.int64)
    if module.mode == "max":
        return [_largest(g, rows, counted, axis, dtype)]
    if counted:
        weights.append(g.cast(counted, dtype))
    for weight in weights:
        rows = g.add("Mul", rows, weight)
    if module.mode == "mean" and not counted:
        return [g.add("ReduceMean", rows, axis, keepdims=0)]
    sums = g.add("ReduceSum", rows, axis, keepdims=0)
    if module.mode == "sum":
        return [sums]
    count = g.add("ReduceSum", g.cast(counted, dtype), axis, keepdims=0)
    return [g.add("Div", sums, g.add("Max", count, g.constant(1, dtype)))]


def _largest(g: Graph, rows: str, counted: str, axis: str, dtype: np.dtype) -> str:
    """The maximum of the rows that count, 0 where none does."""
    if not counted:
        return g.add("ReduceMax", rows, axis, keepdims=0)
    largest = g.add("ReduceMax", g.add("Where", counted, rows, g.constant(-np.inf, dtype)), axis, keepdims=0)
    some = g.add("ReduceMax", g.cast(counted, np.dtype(np.int32)), axis, keepdims=0)
    return g.add("Where", g.cast(some, np.dtype(np.bool_)), largest, g.constant(0, dtype))
