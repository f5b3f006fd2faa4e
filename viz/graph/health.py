"""Problems of a network's gradients: layers that vanish or explode, activations that are dead or saturated.

Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010, first
compared the gradients of the layers this way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tensorgrad.viz.format.theme import power, share
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.calls import Modules
from tensorgrad.viz.record.records import GradientRecord, GraphRecord, OpRecord, TensorRecord

VANISHING = 1e-2
"""The smallest mean absolute gradient, relative to the last layer's. All layers share one learning rate: with 1/100 of
the gradient, a layer stands still while the last one converges. Newly initialised relu networks stay within 10×."""

EXPLODING = 1e2
"""The largest, relative to the last layer's: a learning rate that suits the last layer makes this one diverge."""

DEAD = 1 / 3
"""The fraction of relu's units that are 0. A few are 0 for some batch; without a third, a layer loses its width."""

ENOUGH = 10
"""The fewest values to judge by: a unit that is 0 for half of all inputs is 0 for ten once in 1,000."""

SATURATED = 1 / 2
"""The fraction of sigmoid's or tanh's elements on the flat parts, where the derivative is below 5 % of its maximum."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    Attributes:
        where: the id of an op or a tensor, or the key of a module's call.
        text: the problem in a few words.
        cause: why, where that is known.
        remedy: what helps.
    """

    where: str
    text: str
    cause: str = ""
    remedy: str = ""


BESIDES_RELU = "He initialisation or batch norm"
REMEDIES = {
    "vanishing": f"relu, {BESIDES_RELU}",
    "exploding": "clip_norm=1.0, a lower learning rate or scaled inputs",
    "no gradient": "look for a zero, or dead units, between it and the loss",
    "dead": "a lower learning rate, He initialisation or leaky_relu",
    "saturated": "scaled inputs, smaller weights or relu",
    "its gradient": "keep its inputs off the pole: sqrt(x + eps)",
}
"""What helps, by the beginning of the finding."""

POLE, ABOVE, OVERFLOW = "keep the divisor off 0, as by + eps", "inputs above 0, as by x.clip(min=eps)", "smaller inputs"
DOMAINS = {
    "divide": POLE,
    "reciprocal": POLE,
    "pow": POLE,
    "rsqrt": ABOVE,
    "sqrt": "inputs of at least 0, as by x.clip(min=0)",
    **dict.fromkeys(("log", "log2", "log10"), ABOVE),
    **dict.fromkeys(("exp", "exp2", "expm1"), "smaller inputs: subtract the largest first"),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), "inputs between −1 and 1"),
}
"""What keeps an op's result finite, by its name; the others overflow."""


def _with_remedy(finding: Finding) -> Finding:
    if finding.remedy:
        return finding
    remedy = next(remedy for begin, remedy in REMEDIES.items() if finding.text.startswith(begin))
    return replace(finding, remedy=remedy)


def strength(gradient: GradientRecord) -> float:
    """The length ‖g‖ = √Σ g² of a gradient, comparable between shapes; NaN or ∞ if an element is.

    >>> strength(GradientRecord((), 3.0, -3.0))
    3.0
    """
    if gradient.statistics is None:
        # Estimated from the mean, as if all elements were equal; exact for a scalar.
        return gradient.mean_abs * math.sqrt(math.prod(gradient.shape))
    mean, std = gradient.statistics.mean, gradient.statistics.std
    if gradient.statistics.nans or gradient.statistics.infinities:
        return math.nan if gradient.statistics.nans else math.inf
    return math.hypot(mean, std) * math.sqrt(math.prod(gradient.shape))


def examine(graph: GraphRecord, modules: Modules) -> tuple[Finding, ...]:
    """All problems that the records show.

    Args:
        graph: its view ops folded, its modules not.
        modules: those of the graph.
    """
    index = GraphIndex(graph)
    found = (*_layers(graph, index, modules), *_activations(graph, index), *_not_finite(graph, index))
    return tuple(map(_with_remedy, found))


def _layers(graph: GraphRecord, index: GraphIndex, modules: Modules) -> Iterator[Finding]:
    """Problems of each layer's mean absolute weight gradient, compared with the last layer's.

    A layer is a module that holds a parameter of two or more axes, or such a parameter by itself. The finding stands at
    the call of the module; where several calls use its parameters, at each of them.
    """
    weights: dict[str, dict[str, TensorRecord]] = {}
    for op in graph.ops:
        for tensor in (index.tensors[id] for id in index.inputs(op.id)):
            if tensor.kind == "parameter" and len(tensor.shape) > 1 and tensor.gradient is not None:
                layer = _layer(tensor, index, modules)
                # In the order of their last use.
                weights[layer] = {id: w for id, w in weights.pop(layer, {}).items() if id != tensor.id}
                weights[layer][tensor.id] = tensor
    sizes = {layer: _mean([w.gradient for w in ws.values() if w.gradient]) for layer, ws in weights.items()}
    *others, last = list(sizes) or [""]
    for layer, size in sizes.items():
        text, cause, remedy, reference = "", "", "", sizes[last]
        if not math.isfinite(size):
            text = "exploding: gradient not finite"
        elif layer in others and size == 0:
            text = "no gradient: all zeros"
        elif layer in others and math.isfinite(reference) and size < VANISHING * reference:
            text = f"vanishing: {power(size / reference)} of the last layer's"
            cause, remedy = _shrinking(graph, index, layer, modules)
        elif layer in others and size > EXPLODING * reference > 0:
            text = f"exploding: {power(size / reference)} × the last layer's"
        if text:
            calls = {id: modules.call_of[id] for id in weights[layer]}
            places = (key if modules.path(key) == layer else id for id, key in calls.items())
            yield from (Finding(place, text, cause, remedy) for place in dict.fromkeys(places))


def _layer(tensor: TensorRecord, index: GraphIndex, modules: Modules) -> str:
    """The path of the innermost module that all ops of a parameter ran in; without any, the parameter's id."""
    chains = [[modules.path(key) for key in modules.chain(modules.call_of[op])] for op in index.users[tensor.id]]
    together = [paths[0] for paths in zip(*chains, strict=False) if len(set(paths)) == 1]
    return together[-1] if together else tensor.id


def _shrinking(graph: GraphRecord, index: GraphIndex, layer: str, modules: Modules) -> tuple[str, str]:
    """The activations behind a layer that let less than half of the gradient through, `3 × σ after it …`; what helps.

    The remedy is "", the usual one, unless they are relus already.
    """
    factors: dict[str, list[float]] = defaultdict(list)
    for op in reversed(graph.ops):
        inputs = index.edges[op.id]
        if layer in (modules.path(modules.call_of[op.id]), *(edge.tensor for edge in inputs)):
            break
        upstream, contribution = index.tensors[op.output].gradient, inputs[0].contribution
        if len(inputs) > 1 or upstream is None or contribution is None or upstream.shape != contribution.shape:
            continue
        if 0 < contribution.mean_abs < upstream.mean_abs / 2:
            factors[op.symbol].append(contribution.mean_abs / upstream.mean_abs)
    if not factors:
        return "", ""
    symbol, most = max(factors.items(), key=lambda item: len(item[1]))
    left = power(math.prod(most) ** (1 / len(most)))
    each = f"{len(most)} × {symbol} after it, and each" if len(most) > 1 else f"{symbol} after it"
    remedy = BESIDES_RELU if "relu" in symbol else ""
    return f"{each} multiplies the gradient by {left}", remedy


def _mean(gradients: list[GradientRecord]) -> float:
    sizes = [math.prod(gradient.shape) for gradient in gradients]
    total = sum(gradient.mean_abs * n for gradient, n in zip(gradients, sizes, strict=True))
    return total / max(sum(sizes), 1)


def _activations(graph: GraphRecord, index: GraphIndex) -> Iterator[Finding]:
    for op in graph.ops:
        if op.idle is None:
            continue
        if op.name == "relu":
            if op.idle >= DEAD and _values_per_unit(op, index) >= ENOUGH:
                yield Finding(op.id, f"dead: {share(op.idle)} of units")
        elif op.idle >= SATURATED and math.prod(index.tensors[op.output].shape) >= ENOUGH:
            yield Finding(op.id, f"saturated: {share(op.idle)}")


def _values_per_unit(op: OpRecord, index: GraphIndex) -> float:
    """How many values each of the C units has in a batch (N, C, …): N · …."""
    shape = index.tensors[op.output].shape
    return math.prod(shape) / max(shape[1], 1) if len(shape) > 1 else 1


def _not_finite(graph: GraphRecord, index: GraphIndex) -> Iterator[Finding]:
    """Ops that turn finite numbers into NaN or ∞: forward or backward."""
    for op in graph.ops:
        if not op.output or any(not_finite(index.tensors[id]) for id in index.inputs(op.id)):
            continue
        output = index.tensors[op.output]
        if wrong := not_finite(output):
            yield Finding(op.id, f"{wrong} from here on", remedy=DOMAINS.get(op.name, OVERFLOW))
        elif output.gradient is None or math.isfinite(output.gradient.mean_abs):
            handed_on = (edge.contribution for edge in index.edges[op.id])
            if any(gradient is not None and not math.isfinite(gradient.mean_abs) for gradient in handed_on):
                yield Finding(op.id, "its gradient isn't finite")


def not_finite(tensor: TensorRecord) -> str:
    """`NaN` or `∞` if one of the values is; "" if all are finite, or aren't known.

    >>> not_finite(TensorRecord("t0", "constant", "", (), "float32", float("inf"), None))
    '∞'
    """
    numbers = tensor.statistics
    if numbers is not None:
        return "NaN" if numbers.nans else "∞" if numbers.infinities else ""
    if tensor.value is None or math.isfinite(tensor.value):
        return ""
    return "NaN" if math.isnan(tensor.value) else "∞"
