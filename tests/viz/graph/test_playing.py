"""An SVG that plays: everything appears after what it was computed from, the gradient after the one downstream."""

import re

import pytest
from everyday import GRAPHS, Tape
from layout import needs_program

import tensorgrad as tg
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.graph_index import GraphIndex

pytestmark = needs_program

RULE = re.compile(r"\}([^{}]+)\{animation:s(\d+) ")
PART = re.compile(r'\[id="([^"]+)"\]( (?:text|:is))?')


def steps_of(svg):
    """By id, the step at which a part appears, and the one at which its gradient does."""
    forward, back = {}, {}
    sheet = svg.partition("<style>")[2].partition("</style>")[0]
    for selectors, step in RULE.findall(sheet):
        for id, inner in PART.findall(selectors):
            (back if inner else forward)[id] = int(step)
    return forward, back


@pytest.mark.parametrize("compact", [False, True], ids=["full", "compact"])
@pytest.mark.parametrize("name", ["scalar expression", "LeNet", "U-Net"])
def test_everything_appears_after_what_it_comes_from(name, compact, tmp_path):
    drawing = tg.viz.graph(Tape(GRAPHS[name]).trace, compact=compact)
    forward, back = steps_of(drawing.save(tmp_path / "play.svg", play=True).read_text(encoding="utf-8"))
    graph = fold_view_ops(drawing.record)
    index = GraphIndex(graph)
    for op in graph.ops:
        for tensor in index.inputs(op.id):
            if tensor in index.maker:
                maker = index.maker[tensor]
                assert forward[maker] < forward[op.id] and back[op.id] < back[maker]
            if tensor in forward:
                assert forward[tensor] <= forward[op.id]
    assert min(back.values()) > max(forward.values()), "backward begins when forward is over"
    drawn = set(re.findall(r'<g id="((?:op|t)\d+)"', drawing.svg))
    assert drawn and drawn <= forward.keys()


def test_a_still_drawing_has_no_animation_and_only_an_svg_plays(tmp_path):
    w = tg.tensor(2.0, requires_grad=True)
    drawing = tg.viz.graph(w * 3.0)
    assert "animation" not in drawing.save(tmp_path / "still.svg").read_text(encoding="utf-8")
    with pytest.raises(tg.ArgumentError, match=r"play needs a path that ends in \.svg, got '\.png'"):
        drawing.save(tmp_path / "play.png", play=True)
    assert not (tmp_path / "play.png").exists()


def test_folded_modules_appear_as_a_whole(tmp_path):
    drawing = tg.viz.graph(Tape(GRAPHS["LeNet"]).trace, fold="conv1")
    forward, back = steps_of(drawing.save(tmp_path / "play.svg", play=True).read_text(encoding="utf-8"))
    (box,) = (id for id in forward if id.startswith("module"))
    assert forward[box] == 0 and back[box] == max(back.values())
