"""Records of a graph, written in Graphviz's DOT language.

Data flows down the grey lanes, from the inputs to the loss; the gradient flows up the vermilion ones. Beside each
stands the local derivative of its op, which the chain rule multiplies with the gradient that has arrived there.

What a program finds in the SVG: groups with the ids of the records, `t3` and `op5`; for the edges into an op
`edge-op5-0`, `edge-op5-1`, … by position of the input, and `edge-op5-out` to its tensor; for the modules `module-0`, …,
in the order of `modules(graph)`. Their classes are `tensor` with its kind, `op`, `gradient` or `data`, and `module`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from . import style
from .records import EdgeRecord, GraphRecord, OpRecord, TensorRecord

if TYPE_CHECKING:
    from graphviz import Digraph


def write(graph: GraphRecord) -> str:
    """The DOT text of a graph. Equal records give equal text."""
    import graphviz

    graph = fold_plumbing(graph)
    layers, beside = _layers(graph), _beside(graph)
    canvas = graphviz.Digraph("backprop", graph_attr=style.CANVAS, node_attr=style.NODES, edge_attr=style.EDGES)
    canvas.attr(label=_legend())
    for number, name in enumerate(dict.fromkeys(layers.values())):
        with canvas.subgraph(name=f"cluster{number}") as cluster:
            names = _names(f"module-{number}", "module") | {"tooltip": style.tooltip(name)}
            cluster.attr(label=style.label(style.run(name, style.GREY, 11, bold=True)), **names, **style.LAYER)
            _write_nodes(cluster, graph, beside, {id for id in layers if layers[id] == name})
    _write_nodes(canvas, graph, beside, {x.id for x in (*graph.ops, *graph.tensors)} - layers.keys())
    _write_edges(canvas, graph, beside)
    return canvas.source


def modules(graph: GraphRecord) -> tuple[str, ...]:
    """The paths of the modules that a drawing of this graph shows, by number."""
    return tuple(dict.fromkeys(_layers(fold_plumbing(graph)).values()))


def _names(id: str, kind: str) -> dict[str, str]:
    """What a program finds a part of the SVG by."""
    return {"id": id, "class": kind}


def fold_plumbing(graph: GraphRecord) -> GraphRecord:
    """The graph without the steps that only arrange things, each folded into the edges behind it.

    These are transposes and reshapes of parameters, for layers keep them in another layout than they use (`x @ w.T`
    becomes one op with the parameter `w`), and reshapes to the same shape. Each would take the room of a real step.
    """
    tensors = {tensor.id: tensor for tensor in graph.tensors}
    inputs = {edge.op: edge.tensor for edge in graph.edges}
    behind: dict[str, tuple[str, tuple[str, ...]]] = {}
    for op in graph.ops:
        x, z = tensors[inputs[op.id]], tensors[op.output]
        if _is_plumbing(op, x, z):
            source, through = behind.get(inputs[op.id], (inputs[op.id], ()))
            behind[op.output] = source, through if x.shape == z.shape else (*through, op.name)
    folded = {op.id for op in graph.ops if op.output in behind}
    edges = []
    for edge in graph.edges:
        if edge.op not in folded:
            source, through = behind.get(edge.tensor, (edge.tensor, ()))
            edges.append(replace(edge, tensor=source, through=through))
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.id not in folded),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.id not in behind),
        edges=tuple(edges),
    )


def _is_plumbing(op: OpRecord, x: TensorRecord, z: TensorRecord) -> bool:
    if op.name not in _ARRANGED or z.kind == "output" or z.name:
        return False
    return x.kind == "parameter" or (op.name == "reshape" and x.shape == z.shape)


_ARRANGED = {"transpose": "ᵀ", "reshape": ", reshaped"}
"""How an operand is written that went through an op of this name."""


# --------------------------------------------------------------------------------------------------------------- layout


def _layers(graph: GraphRecord) -> dict[str, str]:
    """For each op and tensor that belongs to a layer, by id, the layer's name.

    An op belongs where its parameters do: `conv1.weight` makes its convolution a part of `conv1`. So does a step
    between two ops of a layer, and a tensor that doesn't leave it.
    """
    layers: dict[str, str] = {}
    tensors = {tensor.id: tensor for tensor in graph.tensors}
    maker = {op.output: op.id for op in graph.ops}
    inputs: dict[str, list[str]] = {op.id: [] for op in graph.ops}
    users: dict[str, list[str]] = {tensor.id: [] for tensor in graph.tensors}
    for edge in graph.edges:
        inputs[edge.op].append(edge.tensor)
        users[edge.tensor].append(edge.op)
        tensor = tensors[edge.tensor]
        if tensor.kind == "parameter" and (layer := tensor.name.rpartition(".")[0]):
            layers.setdefault(tensor.id, layer)
            layers.setdefault(edge.op, layer)
    for op in reversed(graph.ops):
        leads_to = {layers.get(user) for user in users[op.output]}
        comes_from = {layers.get(maker.get(tensor)) for tensor in inputs[op.id]}
        if len(leads_to) == 1 and (shared := leads_to & comes_from - {None}):
            layers.setdefault(op.id, shared.pop())
    for op in graph.ops:
        if op.id in layers and {layers.get(user) for user in users[op.output]} == {layers[op.id]}:
            layers[op.output] = layers[op.id]
    return layers


def _beside(graph: GraphRecord) -> dict[str, list[str]]:
    """For each op, the leaves that stand beside it rather than above: used here only, and not what flows through it.

    So the computation runs straight down, and its parameters come in from the sides.
    """
    kinds = {tensor.id: tensor.kind for tensor in graph.tensors}
    uses = Counter(edge.tensor for edge in graph.edges)
    inputs: dict[str, list[str]] = {op.id: [] for op in graph.ops}
    for edge in graph.edges:
        inputs[edge.op].append(edge.tensor)
    beside = {}
    for op, tensors in inputs.items():
        through = next((id for id in tensors if kinds[id] == "interior"), tensors[0])
        beside[op] = [id for id in tensors if id != through and kinds[id] != "interior" and uses[id] == 1]
    return beside


def _write_nodes(canvas: Digraph, graph: GraphRecord, beside: dict[str, list[str]], ids: set[str]) -> None:
    for tensor in graph.tensors:
        if tensor.id in ids:
            text = f"{tensor.name or tensor.kind} {tensor.shape} {tensor.dtype}"
            look = _names(tensor.id, f"tensor {tensor.kind}") | style.TENSORS[tensor.kind].attributes
            canvas.node(tensor.id, _tensor_label(tensor), tooltip=style.tooltip(text), **look)
    for op in graph.ops:
        if op.id in ids:
            text = f"{op.name}({', '.join(f'{key}={value}' for key, value in op.params)})"
            look = _names(op.id, "op") | style.OP.attributes
            canvas.node(op.id, _op_label(op), tooltip=style.tooltip(text), **look)
            if level := [id for id in beside[op.id] if id in ids]:
                with canvas.subgraph(graph_attr={"rank": "same"}) as rank:
                    for id in (op.id, *level):
                        rank.node(id)


def _write_edges(canvas: Digraph, graph: GraphRecord, beside: dict[str, list[str]]) -> None:
    tensors = {tensor.id: tensor for tensor in graph.tensors}
    inputs, drawn = Counter(edge.op for edge in graph.edges), Counter()
    for edge in graph.edges:
        tensor = tensors[edge.tensor]
        text = _edge_label(edge, tensor, alone=inputs[edge.op] == 1)
        look = _names(f"edge-{edge.op}-{drawn[edge.op]}", "gradient" if edge.carries_gradient else "data")
        look["weight"] = "8" if tensor.kind == "interior" else "1"
        drawn[edge.op] += 1
        if edge.tensor in beside[edge.op][::2]:
            # Graphviz puts the head of a level edge to the right of its tail, so every other leaf goes to the right.
            canvas.edge(edge.op, edge.tensor, text, **look, **_lanes(edge.carries_gradient, upwards=True))
        else:
            canvas.edge(edge.tensor, edge.op, text, **look, **_lanes(edge.carries_gradient))
    for op in graph.ops:
        canvas.edge(op.id, op.output, weight="8", **_names(f"edge-{op.id}-out", "gradient"), **_lanes(True))


def _lanes(gradient: bool, upwards: bool = False) -> dict[str, str]:
    """A grey lane forward and, where a gradient flows, a vermilion one back: Graphviz draws two colours as two lines.

    The first colour's arrow is at the head of the edge. `upwards` is for an edge written from the op to its input.
    """
    if not gradient:
        return {"color": style.PALE, "dir": "back" if upwards else "forward"}
    colors = (style.VERMILION, style.GREY) if upwards else (style.GREY, style.VERMILION)
    return {"color": ":".join(colors), "dir": "both"}


# ----------------------------------------------------------------------------------------------------------------- text


def _tensor_label(tensor: TensorRecord) -> str:
    look = style.TENSORS[tensor.kind]
    value = "" if tensor.value is None else style.number(tensor.value)
    title = " = ".join(part for part in (style.shorten(tensor.name), value) if part)
    shape = "" if value else style.sizes(tensor.shape)
    return style.label(
        # The lid of a cylinder reaches into its face.
        look.shape == "cylinder" and style.GAP,
        title and style.run(title, look.ink, 12, bold=True),
        shape and style.run(shape, look.small, 10),
        _gradient_line(tensor),
    )


def _gradient_line(tensor: TensorRecord) -> str:
    gradient = tensor.gradient
    if gradient is None:
        return ""
    scalar = gradient.value is not None
    text = f"grad = {style.number(gradient.value)}" if scalar else f"mean |grad| = {style.number(gradient.mean_abs, 3)}"
    return style.run(text, style.VERMILION, 10)


def _op_label(op: OpRecord) -> str:
    return style.label(
        style.run(op.symbol, style.OP.ink, 14, bold=True),
        op.formula and style.GAP,
        op.formula and style.run(op.formula, style.OP.small, 10),
    )


_PAD = 2 * "\N{NO-BREAK SPACE}"


def _edge_label(edge: EdgeRecord, tensor: TensorRecord, alone: bool) -> str:
    """The rule for the gradient; without one, which of several operands this is."""
    color = style.VERMILION if edge.derivative else style.GREY
    rule = edge.derivative or ("" if alone else edge.operand)
    stands_for = ""
    if edge.through:
        name = tensor.name.rpartition(".")[2] or "parameter"
        stands_for = f"{edge.operand} = {name}{''.join(_ARRANGED[op] for op in edge.through)}"
    # The pad keeps the text off the lanes.
    return style.label(
        rule and style.run(rule, color, 10, pad=_PAD),
        stands_for and style.run(stands_for, style.GREY, 10, pad=_PAD),
    )


def _legend() -> str:
    """One row that says what the shapes and colours mean."""
    cells = [
        _swatch("parameter", style.TENSORS["parameter"]),
        _swatch("input, constant", style.TENSORS["constant"]),
        _swatch("tensor", style.TENSORS["interior"]),
        _swatch("op", style.OP),
        f"<TD>{style.run('↓ data', style.GREY, 10)}</TD>",
        f"<TD>{style.run('↑ gradient, by the rule beside it', style.VERMILION, 10)}</TD>",
    ]
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6" CELLPADDING="3"><TR>{"".join(cells)}</TR></TABLE>>'


def _swatch(text: str, look: style.Look) -> str:
    frame = f'BORDER="1" STYLE="rounded" COLOR="{look.outline}" BGCOLOR="{look.face}"'
    return f"<TD {frame}>{style.run(text, look.small, 10)}</TD>"
