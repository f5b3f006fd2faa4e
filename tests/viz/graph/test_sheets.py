"""Large graphs cut into sheets, and the sheets stacked: everything is drawn once, and repeated where it is needed."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
from layout import needs_program

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz import Depth
from tensorgrad.viz.graph.drawing import Drawing
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.layout.sheets import FEWEST, MOST, cut
from tensorgrad.viz.graph.layout.stack import GAP, stack
from tensorgrad.viz.record.collect import collect


def loop(steps):
    """Each step uses w; every tenth result is kept until the end."""
    w = tg.tensor([0.5, 1.5], requires_grad=True, name="w")
    h, kept = w * 1.0, []
    for k in range(steps):
        h = (h * w).tanh()
        if k % 10 == 0:
            kept.append(h)
    for k, x in enumerate(kept):
        h = h + x * float(k)
    return collect(h.sum(), depth=Depth(numbers=True))


class Block(nn.Module):
    def __init__(self):
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return x + self.second(self.first(x).tanh()).tanh()


def residual(blocks):
    """A network whose ops lie in modules of six ops each."""
    tg.manual_seed(0)
    network = nn.Sequential(*[Block() for _ in range(blocks)])
    with tg.viz.trace() as step:
        network(tg.tensor(np.ones((2, 4), np.float32))).sum().backward()
    return step.record(depth=Depth(numbers=True))


def alone(one, other):
    return 0


def test_a_graph_of_few_ops_is_one_sheet():
    graph = loop(20)
    assert len(graph.ops) <= MOST
    assert cut(graph, alone) == ([graph], {})


def test_every_op_and_edge_is_on_one_sheet_with_its_tensors():
    graph = loop(100)
    sheets, copies = cut(graph, alone)
    assert [op for sheet in sheets for op in sheet.ops] == list(graph.ops)
    assert all(FEWEST <= len(sheet.ops) <= MOST for sheet in sheets)
    for sheet in sheets:
        known = {tensor.id for tensor in sheet.tensors}
        assert {edge.tensor for edge in sheet.edges} | {op.output for op in sheet.ops} == known
    edges = [(copies.get(edge.tensor, edge.tensor), edge.op) for sheet in sheets for edge in sheet.edges]
    assert edges == [(edge.tensor, edge.op) for edge in graph.edges]


def test_what_an_earlier_sheet_made_is_repeated_by_name_without_its_gradient():
    graph = loop(100)
    sheets, copies = cut(graph, alone)
    drawn = Counter(tensor.id for sheet in sheets for tensor in sheet.tensors)
    assert set(drawn.values()) == {1}
    assert drawn.keys() == {tensor.id for tensor in graph.tensors} | copies.keys()
    known = {tensor.id: tensor for tensor in graph.tensors}
    again = [tensor for sheet in sheets for tensor in sheet.tensors if tensor.id in copies]
    assert {tensor.gradient for tensor in again} == {None}
    assert all(t.name == f"{known[copies[t.id]].name or known[copies[t.id]].symbol}, again" for t in again)


def test_a_sheet_ends_between_modules():
    record = residual(30)
    texts = dot.write_sheets(dot.Drawn(record))
    assert len(texts) > 2
    continued = [title for text in texts for title in re.findall(r"<B>([^<]*), continued<", text)]
    assert set(continued) == {"0 … 29"}, "the loop of all blocks, and no block"


def test_a_module_of_many_ops_goes_on_in_the_next_sheet():
    tg.manual_seed(0)

    class Long(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(3, 3)

        def forward(self, x):
            for _ in range(40):
                x = self.linear(x.tanh())
            return x

    network = nn.Sequential(Long(), nn.Linear(3, 1))
    with tg.viz.trace() as step:
        network(tg.ones(2, 3)).sum().backward()
    texts = dot.write_sheets(dot.Drawn(step.record(depth=Depth(numbers=True))))
    ids = [re.findall(r'id="?(module-0[.\d]*)"?', text) for text in texts]
    assert ids == [["module-0"], ["module-0.1"]]
    assert "0, continued" in texts[1]


@needs_program
def test_the_stacked_drawing_holds_everything_once():
    record = loop(100)
    svg = Drawing(record).svg
    root = ElementTree.fromstring(svg)
    ids = Counter(group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g") if group.get("id"))
    assert max(ids.values()) == 1
    assert {part.id for part in (*record.ops, *record.tensors)} <= ids.keys()
    assert svg.count("the longer √Σ g²") == 1


def test_sheets_stand_below_one_another_in_the_middle():
    def svg(width, height):
        frame = f'width="{width}pt" height="{height}pt"\n viewBox="0.00 0.00 {width}.00 {height}.00"'
        canvas = f'<g id="graph0" class="graph" transform="scale(1 1) rotate(0) translate(4 {height})">'
        paper = '<polygon fill="white" points="0,0 1,1"/>'
        return f"<svg {frame}>\n{canvas}\n<title>backprop</title>\n{paper}\n<text>{width}</text>\n</g>\n</svg>\n"

    assert stack([svg(100, 50)]) == svg(100, 50)
    stacked = stack([svg(100, 50), svg(60, 20)])
    assert f'height="{50 + GAP + 20 + GAP}pt"' in stacked
    assert re.findall(r'class="sheet" transform="translate\((\S+) (\S+)\)"', stacked) == [
        ("4.00", "50.00"),
        ("24.00", f"{50 + GAP + 20:.2f}"),
    ]
    ElementTree.fromstring(stacked)
