"""Layers that are written as one, in place of the ops that they run: recurrent ones, and bags of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.nn import GRU, LSTM, RNN, EmbeddingBag, Module, Parameter
from tensorgrad.onnx.writing import bags
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.trace import Tracer

GATES = {LSTM: (0, 3, 1, 2), GRU: (1, 0, 2), RNN: (0,)}
"""The gates in ONNX's order, by their places in PyTorch's, which is tensorgrad's."""


@contextmanager
def as_one(model: Module, tracer: Tracer) -> Iterator[None]:
    """Within, a call of such a layer is traced as one, in place of the ops that it runs."""
    kinds = {**dict.fromkeys(GATES, (_is_plain, _traced)), EmbeddingBag: (bags.is_plain, _traced_bags)}
    found = [module for module in model.modules() if type(module) in kinds and kinds[type(module)][0](module)]
    for module in found:
        object.__setattr__(module, "forward", kinds[type(module)][1](module, tracer))
    try:
        yield
    finally:
        for module in found:
            object.__delattr__(module, "forward")


def _is_plain(module: Any) -> bool:
    """Whether ONNX has such a layer: without projections, and with parameters that aren't computed in each call."""
    suffixes = [suffix for layer in range(module.num_layers) for suffix in _suffixes(module, layer)]
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if module.bias else 2]
    parameters = [getattr(module, kind + suffix) for kind in kinds for suffix in suffixes]
    return not getattr(module, "proj_size", 0) and all(isinstance(p, Parameter) for p in parameters)


def _suffixes(module: Any, layer: int) -> list[str]:
    """The ends of the parameters' names of one layer, for each direction."""
    return [f"_l{layer}", f"_l{layer}_reverse"][: 2 if module.bidirectional else 1]


def _traced(module: Any, tracer: Tracer) -> Callable[..., Any]:
    def forward(input: Any, hx: Any = None) -> Any:
        start = len(tracer.traced.calls)
        results = type(module).forward(module, input, hx)
        given = [] if hx is None else list(hx) if isinstance(hx, tuple) else [hx]
        z, last = results
        if isinstance(input, Variable) and len(input._data.shape) == 3 and all(isinstance(h, Variable) for h in given):
            states = list(last) if isinstance(last, tuple) else [last]
            tracer.layer_ran(module, start, [input, *given], [z, *states])
        return results

    return forward


def _traced_bags(module: Any, tracer: Tracer) -> Callable[..., Any]:
    def forward(input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        start = len(tracer.traced.calls)
        result = EmbeddingBag.forward(module, input, offsets, per_sample_weights)
        inputs = [input] if per_sample_weights is None else [input, per_sample_weights]
        if offsets is None and bags.takes(inputs):
            tracer.layer_ran(module, start, inputs, [result])
        return result

    return forward


def write_layer(g: Graph, module: Any, parameter: Callable[[Variable], str], inputs: list[str]) -> list[str]:
    """Add the nodes of a layer.

    Args:
        g: the graph.
        module: the layer.
        parameter: the name of a parameter.
        inputs: the names of its input, and of its initial states or its weights if it has them.

    Returns:
        The names of its output, and of the last states of a recurrent one.
    """
    if isinstance(module, EmbeddingBag):
        return bags.write_bags(g, module, parameter, inputs)
    kind, directions = type(module), 2 if module.bidirectional else 1
    x, *states = inputs
    x = g.add("Transpose", x, perm=[1, 0, 2]) if module.batch_first else x  # (N, L, I) -> (L, N, I)
    last: list[list[str]] = []
    for layer in range(module.num_layers):
        suffixes = _suffixes(module, layer)
        weights = [_weights(g, module, parameter, suffixes, name) for name in ("weight_ih", "weight_hh")]
        biases = _biases(g, module, parameter, suffixes) if module.bias else ""
        bounds = [g.constant([n], np.int64) for n in (layer * directions, (layer + 1) * directions, 0)]
        first = [g.add("Slice", h, *bounds) for h in states]
        y, *ends = g.add(
            kind.__name__, x, *weights, biases, *(["", *first] if first else []), outputs=3 if kind is LSTM else 2,
            hidden_size=module.hidden_size, direction="bidirectional" if directions == 2 else "forward",
            linear_before_reset=1 if kind is GRU else None,
            activations=[module.mode.removeprefix("RNN_").title()] * directions if kind is RNN else None,
        )  # fmt: skip
        last.append(ends)
        # (L, D, N, H) -> (L, N, D, H) -> (L, N, D · H)
        x = g.add("Reshape", g.add("Transpose", y, perm=[0, 2, 1, 3]), g.constant([0, 0, -1], np.int64))
    ends = [g.add("Concat", *column, axis=0) for column in zip(*last, strict=True)]
    return [g.add("Transpose", x, perm=[1, 0, 2]) if module.batch_first else x, *ends]


def _in_order(g: Graph, module: Any, x: str) -> str:
    """The rows of a parameter with the gates in ONNX's order, `(1, rows, …)`."""
    size = module.hidden_size
    rows = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in GATES[type(module)]])
    x = g.add("Gather", x, g.constant(rows, np.int64), axis=0) if len(rows) > size else x
    return g.add("Unsqueeze", x, g.constant([0], np.int64))


def _weights(g: Graph, module: Any, parameter: Callable[[Variable], str], suffixes: list[str], name: str) -> str:
    parts = [_in_order(g, module, parameter(getattr(module, name + suffix))) for suffix in suffixes]
    return parts[0] if len(parts) == 1 else g.add("Concat", *parts, axis=0)


def _biases(g: Graph, module: Any, parameter: Callable[[Variable], str], suffixes: list[str]) -> str:
    """(D, 2 · rows): those of the input beside those of the state."""
    rows = []
    for suffix in suffixes:
        pair = [_in_order(g, module, parameter(getattr(module, name + suffix))) for name in ("bias_ih", "bias_hh")]
        rows.append(g.add("Concat", *pair, axis=1))
    return rows[0] if len(rows) == 1 else g.add("Concat", *rows, axis=0)
