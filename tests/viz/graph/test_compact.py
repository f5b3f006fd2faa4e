"""The compact view: a box for each op with its result and its parameters, and the numbers of the tape on them."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from dot_reader import read
from layout import needs_program
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.compact import compact
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops


def of_array(array):
    """How a drawing writes the numbers of an array."""
    array = np.asarray(array, np.float64)
    return f"{theme.short(array.mean())} ± {theme.short(array.std())}"


@pytest.fixture(scope="module", name="lenet")
def lenet_step():
    """LeNet-5 after a step, and the trace."""
    tg.manual_seed(0)
    network = LeNet5()
    with tg.viz.trace() as step:
        loss_of(network, (4, 1, 28, 28)).backward()
    return network, step


def test_lenet_is_a_chain_of_a_box_for_each_op(lenet):
    _, step = lenet
    drawing = tg.viz.graph(step, compact=True)
    nodes, edges = read(drawing.dot)
    ops = [op.id for op in fold_view_ops(drawing.record).ops]
    assert sorted(nodes) == sorted(ops)
    assert [ends[:2] for ends in edges.values()] == list(pairwise(ops))
    assert 'class="module"' not in drawing.dot, "a frame around one box would say no more than the box"


def test_a_box_says_what_its_op_makes_and_what_it_makes_it_of(lenet):
    network, step = lenet
    nodes, edges = read(tg.viz.graph(step, compact=True).dot)
    weight = network.conv1.weight
    gradient = theme.short(np.abs(weight.grad.numpy()).mean(dtype=np.float64))
    told = f"weight (6, 1, 5, 5) + bias {of_array(weight.numpy())} mean |grad| = {gradient}"
    head, _, result = nodes["op0"].partition(told)
    assert head.startswith("x (4, 1, 28, 28)"), "the data come in here"
    made = tg.conv2d(tg.tensor(step_input(step)), weight, network.conv1.bias, padding=2)
    assert result.split("conv1 ∗ ")[-1].strip() == f"u₁ = x ∗ weight + bias (4, 6, 28, 28) {of_array(made.numpy())}"
    assert nodes["op1"].startswith("relu u₂ = max(u₁, 0) (4, 6, 28, 28)")
    assert "grad" not in nodes["op1"], "what comes along the one edge below is written there"
    assert edges["edge-op2-0"][2].startswith("mean |·|")


def step_input(step):
    """The array that the first op of a trace read."""
    return next(known.array for known in step.computation(None, None, {}, 100).known.values() if known.name == "x")


def test_constants_are_hidden_and_an_input_of_several_ops_is_not():
    x = tg.tensor([1.0, 2.0, 3.0], name="x")
    w = tg.tensor([0.5, -1.0, 2.0], requires_grad=True, name="w")
    shift = tg.tensor([0.1, 0.2, 0.3], name="shift")
    with tg.viz.trace() as step:
        (((x * w + shift) * 2.0) * x).sum().backward()
    drawing = tg.viz.graph(step, compact=True)
    nodes, edges = read(drawing.dot)
    by_name = {tensor.name: tensor.id for tensor in drawing.record.tensors}
    assert by_name["x"] in nodes and by_name["shift"] not in nodes and by_name["w"] not in nodes
    assert [ends[:2] for ends in edges.values()].count((by_name["x"], "op0")) == 1
    assert not any(of_array(shift.numpy()) in words for words in nodes.values())


def test_scalars_keep_their_products_and_their_sums():
    a, b = tg.tensor(2.0, requires_grad=True, name="a"), tg.tensor(-3.0, requires_grad=True, name="b")
    h = a * b
    loss = h.tanh() + h * h
    loss.backward(retain_graph=True)
    nodes, edges = read(tg.viz.graph(loss, compact=True).dot)
    flat = 1 - np.tanh(-6.0) ** 2
    upstream = flat - 12
    assert f"a = 2 ∂h/∂a = b = −3 grad = {theme.number(upstream)} × −3 = {theme.number(a.grad.item())}" in nodes["op0"]
    assert f"b = −3 ∂h/∂b = a = 2 grad = {theme.number(upstream)} × 2 = {theme.number(b.grad.item())}" in nodes["op0"]
    assert "h = −6 grad = Σ" not in nodes["op0"]
    assert f"= {theme.number(upstream)}" in nodes["op0"].split("h = −6")[-1], "the sum of three paths is in the box"
    squares = [words for _, _, words in edges.values() if words.endswith("1 × −6 = −6")]
    assert squares == ["∂u₂/∂h = h = −6 1 × −6 = −6"] * 2


def test_a_parameter_of_several_ops_says_in_each_what_comes_along_there():
    w = tg.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True, name="w")
    h = tg.tensor([[1.0, -1.0]], name="x")
    for _ in range(3):
        h = (h @ w).tanh()
    loss = h.sum()
    drawing = tg.viz.graph(loss, compact=True)
    nodes, _ = read(drawing.dot)
    (weight,) = [tensor for tensor in drawing.record.tensors if tensor.kind == "parameter"]
    parts = [edge for edge in drawing.record.edges if edge.tensor == weight.id]
    assert len(parts) == 3
    for edge in parts:
        assert f"here mean |·| = {theme.short(edge.contribution.mean_abs)}" in nodes[edge.op]
        assert f"mean |grad| = {theme.short(weight.gradient.mean_abs)} Σ of 3 paths" in nodes[edge.op]


def test_folded_modules_are_boxes_with_what_leaves_them():
    tg.manual_seed(0)
    network = ResNet18(width=2)
    with tg.viz.trace() as step:
        loss_of(network, (2, 3, 32, 32)).backward()
    drawing = tg.viz.graph(step, compact=True)
    nodes, edges = read(drawing.dot)
    box = next(words for id, words in nodes.items() if "layer2.0 BasicBlock" in words)
    assert "(2, 4, 4, 4)" in box and "parameters" in box
    assert {end for ends in edges.values() for end in ends[:2]} <= nodes.keys()
    assert not [id for id in nodes if id.startswith("t")], "every result is in the box that makes it"


def test_a_large_graph_in_sheets_repeats_only_what_crosses_a_cut():
    w = tg.tensor([0.9, -1.1], requires_grad=True, name="w")
    h = first = w * 2.0
    for k in range(70):
        h = (h * w + float(k)).tanh()
    record = tg.viz.graph((h * first).sum(), fold=False).record
    texts = dot.write_sheets(dot.Drawn(record, compact=True))
    assert len(texts) > 3
    made, lines = {}, {}
    for text in texts:
        nodes, edges = read(text)
        assert {end for ends in edges.values() for end in ends[:2]} <= nodes.keys()
        made |= nodes
        lines |= edges
    ops = {op.id for op in record.ops}
    copies = {id for id in made if id not in ops}
    assert ops <= made.keys() and all("-" in id and "again" in made[id] for id in copies)
    assert len(copies) < 2 * len(texts)
    weight = next(tensor.id for tensor in record.tensors if tensor.name == "w")
    assert not any(id.partition("-")[0] == weight for id in copies), "a parameter is in the boxes"
    inner = {id for edge, id in _named(record) if _is_result(record, edge)}
    assert lines.keys() == inner


def _named(record):
    seen = {}
    for edge in record.edges:
        seen[edge.op] = seen.get(edge.op, -1) + 1
        yield edge, f"edge-{edge.op}-{seen[edge.op]}"


def _is_result(record, edge):
    return any(op.output == edge.tensor for op in record.ops)


def test_what_failed_stands_in_its_box_with_its_operands():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(tg.ShapeError), tg.viz.trace() as step:
        model(tg.ones(2, 4))
    nodes, edges = read(tg.viz.graph(step, compact=True).dot)
    (failed,) = [words for words in nodes.values() if "ShapeError" in words]
    assert "input (2, 3)" in failed and "weight (2, 5)" in failed
    assert len(edges) == 2


def test_findings_are_named_in_the_box():
    w = tg.tensor([4.0, -1.0], requires_grad=True, name="w")
    with np.errstate(all="ignore"):
        nodes, _ = read(tg.viz.graph((w.sqrt() * 2.0).sum(), compact=True).dot)
    assert "NaN from here on" in nodes["op0"] and "holds NaN" in nodes["op0"]


def test_the_records_are_left_as_they_are(lenet):
    _, step = lenet
    plain = fold_view_ops(tg.viz.graph(step).record)
    made = compact(plain)
    assert (made.ops, made.tensors, made.edges) == (plain.ops, plain.tensors, plain.edges)
    inside = [plain.edges for box in made.boxes for _ in box.inside]
    leaves = [edge for edge in plain.edges if not _is_result(plain, edge)]
    assert len(inside) == len(leaves)


@needs_program
def test_pictures_stand_in_the_box_of_what_they_show(lenet):
    _, step = lenet
    svg = tg.viz.graph(step, compact=True, pictures=True).svg
    first = svg[svg.index('<g id="op0"') :].partition("<!--")[0]
    assert first.count("<image") == 2, "values and gradient of its result"
    assert "#fdfdfb" not in svg


def test_the_command_line_draws_it(tmp_path):
    (tmp_path / "net.py").write_text("from tensorgrad import nn\nmodel = nn.Linear(4, 2)\n")
    command = [
        sys.executable,
        "-m",
        "tensorgrad",
        "draw",
        "net.py:model",
        "--input",
        "1,4",
        "--compact",
        "--out",
        "a.dot",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    nodes, _ = read((tmp_path / "a.dot").read_text(encoding="utf-8"))
    assert nodes and all(id.startswith("op") for id in nodes)
