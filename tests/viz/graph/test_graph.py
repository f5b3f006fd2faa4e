"""The drawing: DOT text, what is folded and grouped, hostile text, and SVG and PNG that stand up to a parser."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from layout import HAS_PROGRAM, needs_program

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.layout.dot import modules
from tensorgrad.viz.graph.simplify import fold_view_ops

SVG = "{http://www.w3.org/2000/svg}"
FORWARD = theme.PALE


def example():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))
    h = (a * b + c).tanh()
    loss = (h * a).sum()
    return tg.viz.graph(loss)


def lenet():
    """LeNet-5 on random images: LeCun et al., 1998, with relu and max pooling."""
    rng = np.random.default_rng(0)

    def p(name, *shape):
        return tg.Tensor(rng.standard_normal(shape).astype(np.float32) * 0.1, requires_grad=True, name=name)

    images = tg.Tensor(rng.standard_normal((4, 1, 28, 28)).astype(np.float32))
    h = tg.max_pool2d(tg.relu(tg.conv2d(images, p("conv1.weight", 6, 1, 5, 5), p("conv1.bias", 6), padding=2)), 2)
    h = tg.max_pool2d(tg.relu(tg.conv2d(h, p("conv2.weight", 16, 6, 5, 5), p("conv2.bias", 16))), 2)
    h = tg.relu(tg.flatten(h, 1) @ p("fc1.weight", 120, 400).T + p("fc1.bias", 120))
    h = tg.relu(h @ p("fc2.weight", 84, 120).T + p("fc2.bias", 84))
    logits = h @ p("fc3.weight", 10, 84).T + p("fc3.bias", 10)
    loss = -tg.log_softmax(logits, 1)[np.arange(4), np.array([3, 1, 4, 1])].mean()
    return loss, tg.viz.graph(loss)


def text_of(label):
    lines = (re.sub("<[^>]*>", "", line).replace("\N{NO-BREAK SPACE}", "").strip() for line in label.split("<BR/>"))
    return " | ".join(line for line in lines if line)


def nodes(dot):
    found = re.findall(
        r"^\s*(\w+) \[label=<(.*)> class=.+? color=\S+ fillcolor=\S+ id=\S+ shape=(\w+)", dot, re.MULTILINE
    )
    return {id: (shape, text_of(label)) for id, label, shape in found}


def edges(dot):
    found = re.findall(r"^\s*(\w+ -> \w+) \[(?:label=<(.*)> )?class=\w+ color=\"([^\"]+)\"", dot, re.MULTILINE)
    return [(ends, text_of(label), color) for ends, label, color in found]


def test_golden_dot_of_one_op():
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    body = tg.viz.graph(w * 2.5).dot.split("</TABLE>>\n")[1]
    small, bold = '<FONT COLOR="{}" POINT-SIZE="10">{}</FONT>', '<FONT COLOR="{}" POINT-SIZE="{}"><B>{}</B></FONT>'

    def numbers(color, text):
        air = '<FONT POINT-SIZE="11">\N{NO-BREAK SPACE}</FONT>'
        return f'<BR/>{air}<FONT COLOR="{color}" POINT-SIZE="9">{text}</FONT>{air}'

    gap, pad = '<FONT POINT-SIZE="3">\N{NO-BREAK SPACE}</FONT><BR/>', 2 * "\N{NO-BREAK SPACE}"
    assert body.split("\n") == [
        f"\tt0 [label=<{gap}{bold.format('#222222', 12, 'w')}<BR/>{small.format('#616161', '(2,)')}"
        f"{numbers('#616161', '1.5 ± 0.5, 1 … 2')}> "
        'class="tensor parameter" color="#009E73" fillcolor="#D8F0E7" id=t0 shape=cylinder style=filled '
        'tooltip="w (2,) float32"]',
        f'\tt1 [label=<{bold.format("#616161", 12, "2.5")}> class="tensor constant" color="#B5B5B5" '
        'fillcolor="#FAFAFA" id=t1 shape=box style="rounded,filled,dashed" tooltip="constant () float32"]',
        f"\tt2 [label=<{bold.format('#FFFFFF', 12, 'u₁')}<BR/>{small.format('#DDDDDD', '(2,)')}"
        f"{numbers('#DDDDDD', '3.75 ± 1.25, 2.5 … 5')}> "
        'class="tensor output" color="#222222" '
        'fillcolor="#222222" id=t2 shape=box style="rounded,filled" tooltip="output (2,) float32"]',
        f"\top0 [label=<{bold.format('#222222', 14, '×')}<BR/>{gap}{small.format('#222222', 'u₁ = w · 2.5')}> "
        'class=op color="#0072B2" fillcolor="#DCEEF8" id=op0 shape=ellipse style=filled tooltip="multiply()"]',
        "\t{",
        "\t\tgraph [rank=same]",
        "\t\top0",
        "\t\tt1",
        "\t}",
        f"\tt0 -> op0 [label=<{small.format('#A83C00', f'{pad}∂u₁/∂w = 2.5{pad}')}> "
        'class=gradient color="#616161:#D55E00" dir=both id="edge-op0-0" weight=1]',
        '\top0 -> t1 [class=data color="#B5B5B5" dir=back id="edge-op0-1" weight=1]',
        '\top0 -> t2 [class=gradient color="#616161:#D55E00" dir=both id="edge-op0-out" weight=8]',
        "}",
        "",
    ]


def test_golden_nodes_and_edges_of_a_small_graph():
    dot = example().dot
    assert nodes(dot) == {
        "t0": ("cylinder", "a = 2 | grad = −4.719 + 0.4621 = −4.257"),
        "t1": ("cylinder", "b = −3 | grad = 3.146"),
        "t2": ("box", "u₁ = −6 | grad = 1.573"),
        "t3": ("cylinder", "c = 6.5 | grad = 1.573"),
        "t4": ("box", "u₂ = 0.5 | grad = 1.573"),
        "t5": ("box", "h = 0.4621 | grad = 2"),
        "t6": ("box", "u₃ = 0.9242 | grad = 1"),
        "t7": ("box", "loss = 0.9242 | grad = 1"),
        "op0": ("ellipse", "× | u₁ = a · b"),
        "op1": ("ellipse", "+ | u₂ = u₁ + c"),
        "op2": ("ellipse", "tanh | h = tanh u₂"),
        "op3": ("ellipse", "× | u₃ = h · a"),
        "op4": ("ellipse", "Σ | loss = Σ u₃"),
    }
    # Relative to the gradient −4.26 of a, all but one are stronger than a tenth.
    strong, weaker = (f"{theme.GREY}:{theme.DECADES[level]}" for level in (0, 1))
    beside = f"{theme.DECADES[0]}:{theme.GREY}"
    assert edges(dot) == [
        ("t0 -> op0", "∂u₁/∂a = b = −3 | 1.573 × −3 = −4.719", strong),
        ("op0 -> t1", "∂u₁/∂b = a = 2 | 1.573 × 2 = 3.146", beside),
        ("t2 -> op1", "∂u₂/∂u₁ = 1 | 1.573 × 1 = 1.573", strong),
        ("op1 -> t3", "∂u₂/∂c = 1 | 1.573 × 1 = 1.573", beside),
        ("t4 -> op2", "∂h/∂u₂ = 1 − h² = 0.7864 | 2 × 0.7864 = 1.573", strong),
        ("t5 -> op3", "∂u₃/∂h = a = 2 | 1 × 2 = 2", strong),
        ("t0 -> op3", "∂u₃/∂a = h = 0.4621 | 1 × 0.4621 = 0.4621", weaker),
        ("t6 -> op4", "∂loss/∂u₃ᵢ = 1 | 1 × 1 = 1", strong),
        ("op0 -> t2", "", strong),
        ("op1 -> t4", "", strong),
        ("op2 -> t5", "", strong),
        ("op3 -> t6", "", strong),
        ("op4 -> t7", "", strong),
    ]


def test_the_same_computation_gives_the_same_text_also_in_another_process():
    code = (
        "import tensorgrad as tg\n"
        "a, b, c = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))\n"
        "junk = [a * 1 for _ in range(7)]\n"
        "h = (a * b + c).tanh()\n"
        "loss = (h * a).sum()\n"
        "import sys; sys.stdout.buffer.write(tg.viz.graph(loss).dot.encode())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode() == example().dot == example().dot


def test_lenet_is_grouped_by_layer_and_its_weights_come_in_untransposed():
    _, drawing = lenet()
    dot = drawing.dot
    clusters = dict(re.findall(r"subgraph (cluster\d) \{(.*?)\n\t\}\n(?=\t\w|\tsubgraph)", dot, re.DOTALL))
    members = [sorted(text for _, text in nodes(body).values()) for body in clusters.values()]
    members = [[" | ".join(text.split(" | ")[:2]) for text in texts] for texts in members]
    assert members[0] == ["conv1.bias | (6,)", "conv1.weight | (6, 1, 5, 5)", "∗ | u₁ = images ∗ weight + bias"]
    ops = ["+ | u₁₀ = u₉ + bias", "@ | u₉ = u₇ · u₈"]
    assert members[2] == [*ops, "fc1.bias | (120,)", "fc1.weight | (120, 400)", "u₉ | (4, 120)"]
    assert len(clusters) == 5
    assert not [text for _, text in nodes(dot).values() if "transpose" in text]
    texts = [" | ".join(part for part in text.split(" | ") if "mean |·|" not in part) for _, text, _ in edges(dot)]
    assert "∂loss/∂u₈ = u₇ᵀ · ∂loss/∂u₉ | u₈ = weightᵀ" in texts
    assert sum(text.endswith(" = weightᵀ") for text in texts) == 3
    assert "∂loss/∂weight = Σ patches of images · ∂loss/∂u₁" in texts
    assert [text for _, text, color in edges(dot) if color == FORWARD] == [""]


def test_a_step_between_two_ops_of_a_layer_is_drawn_inside_it():
    x, w, b = (tg.Tensor([2.0], requires_grad=True, name=name) for name in ("x", "norm.weight", "norm.bias"))
    scale = x.exp() * w
    dot = tg.viz.graph((x * scale + b).sum()).dot
    (layer,) = re.findall(r"subgraph cluster0 \{(.*?)\n\t\}\n\t\w", dot, re.DOTALL)
    inside = [text.split(" | ")[0] for _, text in nodes(layer).values()]
    assert inside == ["norm.weight", "scale", "u₂", "norm.bias", "×", "×", "+"]


def test_folding_leaves_out_view_ops_and_nothing_else():
    w = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="w")
    b = tg.Tensor(np.ones(2, np.float32), requires_grad=True, name="b")
    x = tg.Tensor(np.ones((4, 3), np.float32), requires_grad=True, name="x")
    h = (x @ w.T + b.reshape(1, 2)).reshape(4, 2)
    mine = w.T
    loss = (h * 2).T.reshape(8).sum() + mine.sum()
    graph = fold_view_ops(tg.viz.graph(loss).record)
    names = ["matmul", "add", "reshape", "transpose", "multiply", "transpose", "reshape", "sum", "sum", "add"]
    assert [op.name for op in graph.ops] == names
    folded = {edge.through: edge.operand for edge in graph.edges if edge.through}
    assert folded == {("transpose",): "y", ("reshape",): "y"}
    ids = {x.id for x in graph.tensors} | {x.id for x in graph.ops}
    assert all(edge.tensor in ids and edge.op in ids for edge in graph.edges)


def test_a_reshape_that_changes_nothing_is_folded():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    drawn = tg.viz.graph((x * x).reshape(2).sum())
    assert [op.name for op in fold_view_ops(drawn.record).ops] == ["multiply", "sum"]
    assert not [e for e in fold_view_ops(drawn.record).edges if e.through]


def test_after_backward_the_leaves_show_their_gradients():
    a = tg.Tensor(2.0, requires_grad=True)
    w = tg.Tensor([1.0, -1.0], requires_grad=True)
    loss = (w * a * tg.tensor([3.0, 1.0])).sum()
    loss.backward()
    shown = [text for shape, text in nodes(tg.viz.graph(loss).dot).values() if shape == "cylinder"]
    assert shown == ["w | (2,) | 0 ± 1, −1 … 1 | mean |grad| = 4", "a = 2 | grad = 2"]


def test_names_may_be_given_and_the_notebooks_own_variables_are_passed_over():
    w = tg.Tensor([1.0], requires_grad=True)
    _hidden = w * 2
    loss = _hidden * 3
    assert [t.name for t in tg.viz.graph(loss).record.tensors if t.name] == ["w", "loss"]
    assert [t.name for t in tg.viz.graph(loss, names={"v": w}).record.tensors if t.name] == ["v", "loss"]


HOSTILE = [
    'a"b',
    "<script>alert(1)</script>",
    "<b>bold</b>",
    "new\nline\ttab",
    "\n",
    "back\\slash\\n\\l\\",
    "\\N \\G \\E \\T \\\\N",
    "参数.权重",
    "עברית",
    "&amp; & &#60;",
    "<",
    "nul\x00\x01",
    "lone \ud800",
    '}; evil [label="x"',
    "\u202ertl",
    "]]> <!-- %s {0}",
]
SHOWN = {
    "new\nline\ttab": "new line tab",
    "nul\x00\x01": "nul",
    "lone \ud800": "lone",
    "\u202ertl": "rtl",
    "参数.权重": "参数.权重",
}


def hostile_drawing():
    tensors = [tg.Tensor([1.0], requires_grad=True, name=name) for name in HOSTILE]
    long = tg.Tensor([1.0], requires_grad=True, name="x" * 10_000)
    layer = tg.Tensor([1.0], requires_grad=True, name='<i>"\\N.weight')
    blank = tg.Tensor([1.0], requires_grad=True, name="\t.weight")
    product = long * layer * blank
    for tensor in tensors:
        product = product * tensor
    return tg.viz.graph(product)


def test_hostile_names_are_cut_and_put_no_markup_into_the_dot():
    dot = hostile_drawing().dot
    assert "<script" not in dot and "\x00" not in dot and "\ud800" not in dot
    assert "x" * 101 not in dot and "…" in dot
    dot.encode()


@needs_program
def test_hostile_names_come_out_as_text():
    root = ElementTree.fromstring(hostile_drawing().svg)
    allowed = {"svg", "style", "g", "title", "text", "path", "polygon", "ellipse", "polyline", "a"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    texts = {element.text for element in root.iter(f"{SVG}text")}
    expected = {SHOWN.get(name, name) for name in HOSTILE if name.strip()} | {'<i>"\\N', '<i>"\\N.weight', ".weight"}
    assert expected <= texts, expected - texts
    tooltips = {e.get("{http://www.w3.org/1999/xlink}title") for e in root.iter(f"{SVG}a")}
    assert {f"{name} (1,) float32" for name in expected - {'<i>"\\N', ".weight"}} <= tooltips


@needs_program
def test_svg_and_png_of_lenet_before_and_after_backward():
    loss, drawing = lenet()
    loss.backward()
    for drawn in (drawing, tg.viz.graph(loss)):
        root = ElementTree.fromstring(drawn.svg)
        classes = [g.get("class", "").split(" ")[0] for g in root.iter(f"{SVG}g")]
        view = fold_view_ops(drawn.record)
        assert classes.count("node") == len(view.ops) + len(view.tensors) == 49
        assert classes.count("edge") == len(view.edges) + len(view.ops)
        assert classes.count("cluster") == 5
        fonts = {text.get("font-family") for text in root.iter(f"{SVG}text")}
        assert fonts == {theme.FONTS}
        assert drawn._repr_svg_() == drawn.svg
    assert drawing.png.startswith(b"\x89PNG\r\n\x1a\n")
    assert drawing.png.endswith(b"IEND\xaeB`\x82")


@needs_program
@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_save_picks_the_format_by_suffix(tmp_path, suffix, start):
    path = example().save(tmp_path / "new" / f"graph{suffix}")
    assert path == tmp_path / "new" / f"graph{suffix}"
    assert path.read_bytes().startswith(start)


def test_save_writes_dot_and_refuses_what_it_cannot_write(tmp_path):
    drawing = example()
    for suffix in (".dot", ".gv"):
        assert drawing.save(tmp_path / f"graph{suffix}").read_text(encoding="utf-8") == drawing.dot
    with pytest.raises(tg.ArgumentError, match=r"path must end in (.|\n)*, got '\.pdf'"):
        drawing.save(tmp_path / "graph.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.dot", "graph.gv"]


def test_repr_is_short():
    assert repr(example()) == "<Drawing of 5 ops and 8 tensors>"


def test_a_refused_graph_costs_no_layout():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(10_001):
        y = y * 1.0
    with pytest.raises(tg.ArgumentError, match="at most max_ops ops, got more than"):
        tg.viz.graph(y)


def test_importing_and_collecting_loads_neither_graphviz_nor_matplotlib():
    code = (
        "import sys, tensorgrad as tg\n"
        "assert 'tensorgrad.viz' not in sys.modules\n"
        "tg.viz.graph(tg.ones(2, requires_grad=True).sum())\n"
        "print(sorted({'graphviz', 'matplotlib', 'numba', 'tensorgrad.nn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


@needs_program
def test_groups_of_the_svg_have_the_ids_of_the_records():
    _, drawing = lenet()
    root = ElementTree.fromstring(drawing.svg)
    groups = {g.get("id"): g.get("class").split(" ") for g in root.iter(f"{SVG}g") if g.get("class")}
    view = fold_view_ops(drawing.record)
    assert {id for id, kinds in groups.items() if "op" in kinds} == {op.id for op in view.ops}
    assert {id for id, kinds in groups.items() if "tensor" in kinds} == {tensor.id for tensor in view.tensors}
    assert {id: kinds[-1] for id, kinds in groups.items() if id.startswith("edge-op0-")} == {
        "edge-op0-0": "data",
        "edge-op0-1": "gradient",
        "edge-op0-2": "gradient",
        "edge-op0-out": "gradient",
    }
    assert modules(drawing.record) == ("conv1", "conv2", "fc1", "fc2", "fc3")
    assert [id for id, kinds in groups.items() if "module" in kinds] == [f"module-{k}" for k in range(5)]


# ------------------------------------------------------------------------------------------------- numbers on the edges


def texts(drawing):
    return {ends: text for ends, text, _ in edges(drawing.dot)}


def test_small_and_large_mean_factors_have_two_digits_like_the_numbers_beside_them():
    w = tg.Tensor(np.array([0.004, 0.0029]), requires_grad=True, name="w")
    v = tg.Tensor(np.array([3e20, 3.6e20]), requires_grad=True, name="v")
    x = tg.Tensor(np.ones(2), requires_grad=True, name="x")
    told = texts(tg.viz.graph((x * w * v).sum()))
    assert told["t0 -> op0"].endswith("mean |·|: 3.3·10²⁰ × 0.0034 = 1.1·10¹⁸")
    assert told["t2 -> op1"].endswith("mean |·|: 1 × 3.3·10²⁰ = 3.3·10²⁰")


def test_of_arrays_the_mean_size_is_shown_what_is_left_of_it_and_the_axes_of_a_sum():
    w = tg.Tensor(np.array([3.0, -4.0]), requires_grad=True, name="w")
    x = tg.Tensor(np.array([[1.0, 2.0], [0.0, 2.0], [1.0, 2.0]]), requires_grad=True, name="x")
    drawing = tg.viz.graph((x * w * 0.25).sum())
    assert texts(drawing)["t0 -> op0"] == "∂u₁/∂x = w | mean |·|: 0.25 × 3.5 = 0.88"
    assert texts(drawing)["op0 -> t1"] == "∂u₁/∂w = x | Σ over axes 0, mean |·| = 1"
    assert nodes(drawing.dot)["t0"][1] == "x | (3, 2) | 1.33 ± 0.75, 0 … 2, 17 % zeros | mean |grad| = 0.88"


def test_where_paths_meet_their_sum_is_written():
    a = tg.Tensor(3.0, requires_grad=True, name="a")
    assert nodes(tg.viz.graph(a * a - a * 2).dot)["t0"][1] == "a = 3 | grad = 3 + 3 − 2 = 4"
    v = tg.Tensor([1.0, 2.0], requires_grad=True, name="v")
    assert nodes(tg.viz.graph((v * v).sum()).dot)["t0"][1].endswith("mean |grad| = 3 | Σ of 2 paths")
    assert nodes(tg.viz.graph(a + a + a + a).dot)["t0"][1] == "a = 3 | grad = Σ of 4 paths = 4"


def test_after_backward_has_freed_the_values_the_rules_are_left():
    a = tg.Tensor(2.0, requires_grad=True, name="a")
    loss = (a * 3.0).tanh()
    loss.backward()
    drawing = tg.viz.graph(loss)
    assert texts(drawing)["t0 -> op0"] == "∂u₁/∂a = c₁"
    assert f"{theme.GREY}:{theme.VERMILION}" in drawing.dot
    assert not any(colour in drawing.dot for colour in theme.DECADES)


def test_after_a_step_the_trace_still_shows_the_values_of_its_own_time():
    w = nn.Parameter(np.array(2.0))
    w.name = "w"
    with tg.viz.trace() as t:
        loss = w * w
        loss.backward()
        nn.optim.SGD([w], lr=0.5).step()
    assert w.item() == 0
    drawing = tg.viz.graph(t)
    assert nodes(drawing.dot)["t0"][1] == "w = 2 | grad = 2 + 2 = 4"
    assert texts(drawing)["op0 -> t1"] == ""


def test_lanes_are_dark_and_wide_by_decades_of_the_gradients_length():
    x = tg.Tensor(1.0, requires_grad=True, name="x")
    y = x
    for _ in range(7):
        y = y * 0.09
    found = re.findall(r't\d+ -> op\d+ .*?color="#616161:(#\w+)".*?penwidth=([\d.]+)', tg.viz.graph(y * 1.0).dot)
    expected = [(theme.DECADES[min(k, 5)], str(min(theme.WIDTHS[min(k, 5)], 2.0))) for k in (7, 6, 5, 4, 3, 2, 1, 0)]
    assert found == expected
    assert list(theme.WIDTHS) == sorted(theme.WIDTHS, reverse=True)
    lightness = [sum(int(c[k : k + 2], 16) for k in (1, 3, 5)) for c in theme.DECADES]
    assert lightness == sorted(lightness)


@needs_program
def test_the_svg_sets_each_lanes_own_width():
    svg = example().svg
    assert f'.edge path[stroke="{theme.DECADES[0].lower()}"]{{stroke-width:3.0}}' in svg
    assert f'stroke="{theme.DECADES[0].lower()}"' in svg.replace("<style>", "").partition("</style>")[2]


# ------------------------------------------------------------------------------------------------------- what may fail


@needs_program
def test_a_failed_computation_is_drawn_with_the_failing_op_in_red():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        net(tg.ones(16, 3))
    drawing = tg.viz.graph(t)
    failed = next(line for line in drawing.dot.split("\n") if 'class="op failed"' in line)
    assert theme.FAILED.face in failed
    assert text_of(failed.partition("label=<")[2].partition("> class")[0]) == (
        "linear | ShapeError: linear: input and weight must | agree in the size of the last axis"
        " | input (16, 4) | weight (2, 5) | bias (2,)"
    )
    assert modules(drawing.record) == ("0", "2")
    groups = {g.get("id") for g in ElementTree.fromstring(drawing.svg).iter(f"{SVG}g")}
    assert {"op0", "op1", "op2", "edge-op2-0", "edge-op2-1"} <= groups
    assert "edge-op2-out" not in groups


def test_a_computation_that_was_not_recorded_is_drawn_without_gradients():
    with tg.viz.trace() as t, tg.no_grad():
        (tg.ones(2) * 2.0).sum()
    dot = tg.viz.graph(t).dot
    assert [color for _, _, color in edges(dot)] == [theme.PALE] * 5
    assert "grad" not in dot.partition("</TABLE>>\n")[2].replace("backprop", "")


def test_a_chain_of_a_million_is_refused_after_the_first_few_thousand():
    """The walk stops early: no node beyond the limit is looked at, which would fail."""
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(11_000):
        y = y * 1.0
    node = y._node
    for _ in range(10_500):
        node = node.edges[0]
    node.edges = None  # whoever comes this far fails
    with pytest.raises(tg.ArgumentError, match=r"got more than 10,000(.|\n)*draw a part(.|\n)*max_ops"):
        tg.viz.graph(y)


def test_hostile_modules_and_errors_are_text_too():
    class Evil(nn.Module):
        def forward(self, x):
            return x @ tg.ones(7, 7)

    holder = nn.Module()
    setattr(holder, "<script>", nn.Sequential(nn.Linear(2, 2), Evil()))
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        getattr(holder, "<script>")(tg.ones(1, 2))
    drawing = tg.viz.graph(t, fold=["<script>"], names={'"x\n</svg>': tg.ones(1)})
    assert "<script" not in drawing.dot
    if HAS_PROGRAM:
        ElementTree.fromstring(drawing.svg)


@needs_program
@pytest.mark.parametrize("example", ["chain_rule", "drawings/vanishing_gradient"])
def test_the_pictures_of_the_documentation_are_those_that_the_examples_draw(example, tmp_path):
    """Every text of them; where it stands depends on the layout program."""
    root = Path(__file__).parents[3]
    path = root / "examples" / f"{example}.py"
    subprocess.run([sys.executable, path], cwd=tmp_path, check=True, capture_output=True)
    kept, drawn = (
        sorted(text.text or "" for text in ElementTree.parse(folder / f"{path.stem}.svg").iter(f"{SVG}text"))
        for folder in (root / "docs" / "gallery", tmp_path / "out")
    )
    assert kept == drawn


def test_a_long_formula_is_broken_and_not_cut():
    """Of the rule of batch norm the middle was left out, and it was about x, w and L instead of the drawing's names."""
    x = tg.tensor(np.random.default_rng(0).standard_normal((4, 3)), requires_grad=True, name="measured")
    with tg.viz.trace() as step:
        normalized = tg.nn.BatchNorm1d(3, dtype=tg.float64)(x)
        loss = (normalized * normalized * normalized).sum()
        loss.backward()
    texts = [text.text for text in ElementTree.fromstring(tg.viz.graph(step).svg).iter(f"{SVG}text") if text.text]
    rule = " ".join(" ".join(texts).split())
    assert not [text for text in texts if "…" in text and "∂" in text]
    assert "∂loss/∂measured = weight/√(σ² + 1·10⁻⁵) · (∂loss/∂normalized − mean ∂loss/∂normalized" in rule
