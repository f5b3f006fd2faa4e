"""Loops: rounds of any length are found, with and without modules; and drawn as one box, or as one frame."""

from itertools import pairwise

import numpy as np
import pytest
from dot_reader import read

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.fold import drawn_modules, fold_modules
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules
from tensorgrad.viz.record.modules.loops import FEWEST, with_loops


def plain_of(run):
    """The records of what a function computes, its view ops folded."""
    with tg.viz.trace() as step:
        run().backward()
    return fold_view_ops(step.record(depth=tg.viz.Depth(numbers=True), max_ops=5000))


def loops_of(graph):
    """By path of each loop, its class and how many ops it has."""
    modules = with_loops(graph, find_modules(graph))
    return {
        call.path: (modules.kinds[call.path], sum(key in modules.chain(modules.call_of[op.id]) for op in graph.ops))
        for key, call in modules.calls.items()
        if call.id.startswith("loop-")
    }


def plain_loop(rounds, period=3):
    w, h = tg.tensor([0.9, -1.1], requires_grad=True, name="w"), tg.tensor([1.0, 2.0])
    ops = [lambda h: h * w, lambda h: h + 0.1, lambda h: h.tanh(), lambda h: h.sin(), lambda h: h.exp() * 0.1]
    for _ in range(rounds):
        for op in ops[:period]:
            h = op(h)
    return h.sum()


@pytest.mark.parametrize(("period", "kind"), [(1, "×"), (2, "×, +"), (3, "×, +, tanh"), (4, "×, +, tanh, sin")])
def test_a_loop_without_modules_is_found_whatever_its_length(period, kind):
    assert loops_of(plain_of(lambda: plain_loop(50, period))) == {"loop": (f"{kind} × 50", 50 * period)}


def test_linear_and_relu_in_turn_are_a_loop():
    layers = [layer for _ in range(40) for layer in (nn.Linear(4, 4), nn.ReLU())]
    graph = plain_of(lambda: nn.Sequential(*layers)(tg.ones(2, 4)).sum())
    assert loops_of(graph) == {"0 … 78": ("Linear, relu × 40", 80)}


class Recurrent(nn.Module):
    def __init__(self):
        self.cell, self.head = nn.RNNCell(3, 5), nn.Linear(5, 1)

    def forward(self, x):
        h = tg.zeros(2, 5)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.head(h).sum()


def recurrent(steps):
    model, x = Recurrent(), tg.randn(2, steps, 3)
    return plain_of(lambda: model(x))


def test_a_module_that_is_called_in_a_loop_is_one_box_with_its_calls_inside():
    graph = recurrent(20)
    assert loops_of(graph) == {"loop": ("[ ], RNNCell × 20", 100)}
    modules = drawn_modules(graph)
    assert [modules.calls[key].path for key in modules.children("loop")] == ["cell"] * 20
    view = fold_modules(graph, modules, ["loop"])
    (box,) = view.modules
    weights = [tensor for tensor in graph.tensors if tensor.name.startswith("cell.")]
    assert box.parameters == sum(np.prod(tensor.shape) for tensor in weights) == 50
    assert not {tensor.id for tensor in weights} & {tensor.id for tensor in view.tensors}, "they belong to it alone"
    assert len(view.ops) == len(graph.ops) - 100


def test_fewer_rounds_or_other_shapes_are_no_loop():
    assert loops_of(plain_of(lambda: plain_loop(FEWEST - 1))) == {}
    assert loops_of(plain_of(lambda: plain_loop(FEWEST))) != {}
    sizes = [8, 7, 6, 5, 4, 3, 2]
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    assert loops_of(plain_of(lambda: nn.Sequential(*layers)(tg.ones(2, 8)).sum())) == {}


def test_other_arguments_are_another_round():
    def run(axes):
        w = tg.tensor(np.eye(3, dtype=np.float32), requires_grad=True, name="w")
        h = w * 1.0
        for axis in axes:
            h = h.softmax(axis)
        return h.sum()

    assert loops_of(plain_of(lambda: run([0] * 6))) == {"loop": ("softmax × 6", 6)}
    assert loops_of(plain_of(lambda: run([0, 1] * 6))) == {"loop": ("softmax, softmax × 6", 12)}
    assert loops_of(plain_of(lambda: run([0, 1, 1, 0, 1, 0, 0]))) == {}


def test_a_loop_inside_of_a_module_lies_in_its_call():
    class Deep(nn.Module):
        def forward(self, x):
            for _ in range(10):
                x = (x * 1.5).tanh()
            return x

    class Net(nn.Module):
        def __init__(self):
            self.first, self.deep = nn.Linear(3, 3), Deep()

        def forward(self, x):
            return self.deep(self.first(x)).sum()

    model = Net()
    graph = plain_of(lambda: model(tg.ones(2, 3)))
    modules = with_loops(graph, find_modules(graph))
    assert modules.calls["loop"].parent == "deep"
    assert list(modules.calls) == ["first", "deep", "loop"], "in the order of the computation, outer ones first"


def test_every_op_and_tensor_keeps_its_place_but_for_the_loop_around_it():
    graph = recurrent(12)
    before, after = find_modules(graph), drawn_modules(graph)
    for id, key in before.call_of.items():
        inside = [call for call in after.chain(after.call_of[id]) if call != "loop"]
        assert inside == before.chain(key)


def test_a_large_loop_is_drawn_as_one_box_and_unfolds():
    loss = plain_loop(40)
    drawing = tg.viz.graph(loss)
    nodes, _ = read(drawing.dot)
    (box,) = [words for id, words in nodes.items() if id.startswith("loop")]
    assert drawing.folded == {"loop"} and "×, +, tanh × 40" in box and "120 ops" in box
    opened, _ = read(tg.viz.graph(loss, unfold="loop").dot)
    assert sum(id.startswith("op") for id in opened) == 121
    small = tg.viz.graph(plain_loop(12))
    assert "loop" not in small.dot, "a graph that is taken in at once is drawn as it is"


def test_what_a_loop_makes_for_itself_and_for_others_leaves_it_once():
    """Each state of an LSTM goes into its next step, inside of the loop, and into the sequence that is returned."""
    tg.manual_seed(0)
    lstm = nn.LSTM(3, 4, batch_first=True)
    with tg.viz.trace() as step:
        (lstm(tg.randn(2, 8, 3))[0] ** 2).mean().backward()
    drawing = tg.viz.graph(step)
    plain = fold_view_ops(drawing.record)
    view = fold_modules(plain, drawn_modules(plain), drawing.folded)
    (box,) = view.modules
    assert len(box.outputs) == 8
    assert not [edge for edge in view.edges if edge.op == box.id and edge.tensor in box.outputs]
    nodes, _ = read(tg.viz.graph(step, compact=True).dot)
    known = {tensor.id: tensor for tensor in plain.tensors}
    both = [id for id in box.outputs if sum(edge.tensor == id for edge in plain.edges) > 1]
    assert len(both) == 7, "all but the last"
    for id in both:
        assert f"mean |grad| = {theme.short(known[id].gradient.mean_abs)} Σ of 2 paths" in nodes[box.id]
