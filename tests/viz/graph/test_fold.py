"""Modules of a graph: found by scope or by name, nested, folded into boxes; records in, records out."""

from itertools import pairwise

import numpy as np
import pytest
from networks import BasicBlock, LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.graph.fold import NODE_BUDGET, choose_folded, fold_modules
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.collect import collect
from tensorgrad.viz.record.modules.calls import common_path, parent_path, prefixes
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.records import ModuleRecord


def traced(network, shape, **kwargs):
    with tg.viz.trace() as t:
        loss_of(network, shape, **kwargs).backward()
    return fold_view_ops(t.record(depth=tg.viz.Depth(numbers=True)))


@pytest.fixture(scope="module", name="resnet")
def resnet_record():
    return traced(ResNet18(width=2), (2, 3, 32, 32))


def folded(graph, *paths):
    return fold_modules(graph, find_modules(graph), paths)


def test_paths():
    assert parent_path("layer1.0.conv1") == "layer1.0"
    assert parent_path("conv1") == parent_path("") == ""
    assert common_path([]) == common_path(["a.b", "", "a.b.c"]) == ""
    assert common_path(["a.b", "a.b.c"]) == "a.b"
    assert prefixes("") == prefixes("...") == []
    assert len(prefixes("a." * 5_000 + "w")) == 16


def test_modules_of_a_trace_are_the_scopes_and_of_a_live_graph_the_names():
    tg.manual_seed(0)
    network = LeNet5()
    by_scope = find_modules(traced(network, (2, 1, 28, 28)))
    by_name = find_modules(fold_view_ops(collect(loss_of(network, (2, 1, 28, 28)))))
    kinds = {"conv1": "Conv2d", "conv2": "Conv2d", "fc1": "Linear", "fc2": "Linear", "fc3": "Linear"}
    assert by_scope.kinds == kinds
    assert list(by_name.kinds) == list(kinds)
    assert set(by_name.kinds.values()) == {""}
    assert by_name.call_of == by_scope.call_of


def test_an_op_without_parameters_belongs_around_what_it_comes_from_and_leads_to():
    """Names alone: relu between bn1 and conv2 of a block lies in the block, the sum of two blocks in their layer."""
    tg.manual_seed(0)
    blocks = nn.Sequential(BasicBlock(2, 2, 1), BasicBlock(2, 2, 1))
    holder = nn.Module()
    holder.layer1, holder.head = blocks, nn.Linear(2, 3)
    x = holder.layer1(tg.ones(1, 2, 4, 4))
    graph = fold_view_ops(collect(holder.head(x.mean((2, 3))).sum()))
    modules = find_modules(graph)
    homes = [(op.name, modules.call_of[op.id]) for op in graph.ops]
    assert homes[:5] == [
        ("convolution", "layer1.0.conv1"),
        ("batch_norm", "layer1.0.bn1"),
        ("relu", "layer1.0"),
        ("convolution", "layer1.0.conv2"),
        ("batch_norm", "layer1.0.bn2"),
    ]
    assert homes[5:7] == [("add", "layer1"), ("relu", "layer1")]
    assert homes[12:14] == [("add", ""), ("relu", "")]
    assert find_modules(graph).children("layer1") == ["layer1.0", "layer1.1"]


def test_what_passes_between_modules_lies_outside_of_both(resnet):
    modules = find_modules(resnet)
    maker = {op.output: op for op in resnet.ops}
    assert modules.call_of["t0"] == ""  # the images
    for edge in resnet.edges:
        if edge.tensor in maker:
            inner = modules.call_of[edge.tensor]
            assert inner == common_path([inner, modules.call_of[edge.op]])
            assert inner == common_path([inner, modules.call_of[maker[edge.tensor].id]])
    weight = next(tensor for tensor in resnet.tensors if tensor.name == "layer2.0.downsample.0.weight")
    assert modules.call_of[weight.id] == "layer2.0.downsample.0"


def test_a_resnet_folds_to_its_blocks_alike_ones_together(resnet):
    modules = find_modules(resnet)
    chosen = choose_folded(resnet, modules, None, ())
    view = fold_modules(resnet, modules, chosen)
    assert [box.paths for box in view.modules] == [
        ("layer1.0", "layer1.1"),
        *((f"layer{k}.{n}",) for k in (2, 3, 4) for n in (0, 1)),
    ]
    assert {box.kind for box in view.modules} == {"BasicBlock"}
    assert len(view.ops) + len(view.modules) <= NODE_BUDGET < len(resnet.ops)
    network = ResNet18(width=2)
    expected = [sum(p.numel() for p in block.parameters()) for block in (network.layer1, *network.layer2)]
    assert [box.parameters for box in view.modules[:3]] == expected


def test_folding_keeps_every_op_once_and_every_edge_leads_somewhere(resnet):
    for paths in (["layer1"], ["layer1.0", "layer3"], ["layer1.0.conv1", "layer2.0.downsample", "fc", "bn1"]):
        view = folded(resnet, *paths)
        ops = [op.id for op in view.ops] + [op for box in view.modules for op in box.ops]
        assert sorted(ops) == sorted(op.id for op in resnet.ops)
        tensors = {tensor.id for tensor in view.tensors}
        nodes = {op.id for op in view.ops} | {box.id for box in view.modules}
        assert all(edge.tensor in tensors and edge.op in nodes for edge in view.edges)
        assert {id for box in view.modules for id in box.outputs} <= tensors
        assert view.output == resnet.output


def test_no_path_leads_out_of_a_box_and_back(resnet):
    for paths in (find_modules(resnet).children(""), ["layer2.0", "layer2.1.conv1"], ["layer1.1", "layer4"]):
        view = folded(resnet, *paths)
        rank = {}  # the last op of each node, in the order they ran
        for op in view.ops:
            rank[op.id] = int(op.id[2:])
        for box in view.modules:
            rank[box.id] = max(int(op[2:]) for op in box.ops)
        maker = {op.output: op.id for op in view.ops} | {id: box.id for box in view.modules for id in box.outputs}
        for edge in view.edges:
            if edge.tensor in maker:
                assert rank[maker[edge.tensor]] < rank[edge.op]


def test_a_box_is_a_plain_record():
    w = tg.Tensor(np.full((2, 2), 0.5), requires_grad=True, name="a.weight")
    graph = fold_view_ops(collect((tg.ones(1, 2, dtype="float64") @ w).relu().sum(), depth=tg.viz.Depth(numbers=True)))
    (box,) = folded(graph, "a").modules
    assert box == ModuleRecord("module-0", ("a",), "", ("op0",), ("t2",), 4, box.gradient, ("a",))
    assert box.gradient.mean_abs == 1.0
    assert folded(graph, "a") == folded(graph, "a")


def test_the_graph_that_is_folded_is_left_alone(resnet):
    before = (resnet.ops, resnet.tensors, resnet.edges, resnet.modules)
    folded(resnet, "layer1")
    assert (resnet.ops, resnet.tensors, resnet.edges, resnet.modules) == before


def test_a_module_called_twice_is_two_boxes_with_what_lies_between_them():
    tg.manual_seed(0)
    cell = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    holder = nn.Module()
    holder.cell = cell
    with tg.viz.trace() as t:
        x = tg.ones(3, 2)
        for _ in range(3):
            x = cell(x).tanh()
        x.sum().backward()
    view = folded(fold_view_ops(t.record(depth=tg.viz.Depth(numbers=True))), "cell")
    assert [box.id for box in view.modules] == ["module-0", "module-0-1", "module-0-2"]
    assert [op.name for op in view.ops] == ["tanh", "tanh", "tanh", "sum"]
    # The weights belong to all three, so to none of them.
    assert sum(tensor.kind == "parameter" for tensor in view.tensors) == 4


def test_the_parameters_of_a_cell_that_is_called_four_times_are_in_its_boxes():
    tg.manual_seed(0)
    cell, shift = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), tg.tensor([0.1, 0.2], requires_grad=True, name="shift")
    holder = nn.Module()
    holder.cell = cell
    with tg.viz.trace() as t:
        x = tg.ones(3, 2)
        for k in range(4):
            x = cell(x) * (k + shift)
        x.sum().backward()
    view = folded(fold_view_ops(t.record(depth=tg.viz.Depth(numbers=True))), "cell")
    assert [tensor.name for tensor in view.tensors if tensor.kind == "parameter"] == ["shift"]
    assert [box.parameters for box in view.modules] == [6] * 4
    weights = np.concatenate([parameter.grad.numpy().ravel() for parameter in cell.parameters()])
    assert [box.gradient.mean_abs for box in view.modules] == pytest.approx([np.abs(weights).mean()] * 4, rel=1e-5)
    ids = {tensor.id for tensor in view.tensors}
    assert {edge.tensor for edge in view.edges} <= ids


def test_blocks_in_a_row_are_joined_only_if_alike_and_one_after_the_other():
    tg.manual_seed(0)
    sizes = [3, 3, 3, 5, 5, 5]
    layers = [nn.Sequential(nn.Linear(a, b), nn.Tanh()) for a, b in pairwise(sizes)]
    net = nn.Sequential(*layers)
    with tg.viz.trace() as t:
        h = net(tg.ones(2, 3))
    graph = fold_view_ops(t.record(h))
    assert [box.paths for box in folded(graph, *map(str, range(5))).modules] == [("0", "1"), ("2",), ("3", "4")]
    with tg.viz.trace() as t:
        first = net[0](tg.ones(2, 3))
        h = net[1](first) + first
    graph = fold_view_ops(t.record(h))
    assert [box.paths for box in folded(graph, "0", "1").modules] == [("0",), ("1",)]


def test_an_edge_into_a_box_by_several_ways_says_no_part_of_the_sum(resnet):
    view = folded(resnet, "layer2")
    entering = [edge for edge in view.edges if edge.op == view.modules[0].id]
    assert len(entering) == 1
    assert entering[0].carries_gradient
    assert entering[0].contribution is None
    (into,) = [e for e in folded(resnet, "fc").edges if e.op == folded(resnet, "fc").modules[0].id]
    assert into.contribution is not None


def test_folding_by_hand(resnet):
    modules = find_modules(resnet)

    def choose(fold=None, unfold=()):
        return choose_folded(resnet, modules, fold, unfold)

    outermost = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}
    assert choose(fold=True) == outermost
    assert choose(fold=False) == choose(fold=["layer1"], unfold=["layer1.0.conv1"]) - {"layer1.1"} == set()
    assert choose(fold=["layer1"]) == {"layer1"}
    assert choose(True, ["layer2"]) == outermost - {"layer2"} | {"layer2.0", "layer2.1"}
    assert choose(True, ["layer2.0"]) == outermost - {"layer2"} | {"layer2.1", "layer2.0.downsample"}


def test_the_drawing_folds_by_path_and_refuses_unknown_ones():
    tg.manual_seed(0)
    loss = loss_of(LeNet5(), (2, 1, 28, 28))
    drawing = tg.viz.graph(loss, fold="conv1")
    assert drawing.folded == {"conv1"}
    assert 'id="module-0"' in drawing.dot
    assert "156 parameters, 1 op" in drawing.dot
    assert tg.viz.graph(loss).folded == tg.viz.graph(loss, fold=["conv1"], unfold="conv1").folded == set()
    for arguments in ({"fold": "conv9"}, {"unfold": ["conv1", "conv9"]}):
        with pytest.raises(
            tg.ArgumentError, match=r"must name modules of this graph, got 'conv9'(.|\n)*one of: conv1, conv2, fc1"
        ):
            tg.viz.graph(loss, **arguments)


def test_numbers_of_modules_do_not_depend_on_what_is_folded(resnet):
    paths = dot.modules(resnet)
    number = paths.index("layer2.0")
    for chosen in ((), ("layer1",), ("layer2.0",)):
        text = dot.write(resnet, chosen)
        group = text[text.index(f'id="module-{number}"') - 600 :][:1200]
        assert "layer2.0" in group


def test_a_module_around_one_op_without_parameters_is_not_shown():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Tanh(), nn.Sigmoid()))
    with tg.viz.trace() as t:
        h = net(tg.ones(1, 2))
    graph = fold_view_ops(t.record(h))
    modules = find_modules(graph)
    assert list(modules.kinds) == ["0", "2"]
    assert modules.call_of["op1"] == ""
    assert modules.call_of["op2"] == modules.call_of["op3"] == "2"
    (box,) = folded(graph, "2").modules
    assert box.outputs == (graph.output,)


def test_what_holds_a_failed_op_is_never_folded_away():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 2))))
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        net(tg.ones(1, 2))
    drawing = tg.viz.graph(t, fold=True)
    assert drawing.folded == {"0"}
    assert 'class="op failed"' in drawing.dot
    assert fold_modules(drawing.record, find_modules(drawing.record), ["1"]).modules[0].outputs == ()


def test_a_weight_that_others_use_too_stays_outside_of_a_box():
    w = tg.Tensor(np.ones((2, 2)), requires_grad=True, name="a.weight")
    v = tg.Tensor(np.ones((2, 2)), requires_grad=True, name="b.weight")
    graph = fold_view_ops(collect((((tg.ones(1, 2, dtype="float64") @ w) @ v).relu() @ w).sum()))
    view = folded(graph, "b")
    assert [tensor.name for tensor in view.tensors if tensor.kind == "parameter"] == ["a.weight"]
    shared_weight = folded(graph, "a")
    assert [box.ops for box in shared_weight.modules] == [("op0",), ("op3",)]
    assert "a.weight" in [tensor.name for tensor in shared_weight.tensors]


def test_a_leaf_of_many_users_is_drawn_beside_each_of_them():
    w = tg.Tensor(np.eye(3, dtype=np.float32), requires_grad=True, name="w")
    h = tg.ones(2, 3)
    for _ in range(12):
        h = (h @ w).tanh()
    dot = tg.viz.graph(h.sum()).dot
    assert dot.count("w, again") == 2 * 11  # label and tooltip
    assert dot.count("Σ of 12 paths") == 1
    for _ in range(3):  # no more than eight
        h = tg.ones(2, 3)
        for _ in range(8):
            h = (h @ w).tanh()
    assert "again" not in tg.viz.graph(h.sum()).dot
