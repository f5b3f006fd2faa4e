"""Titles of frames stand where no edge runs through them, where their frame has room for that."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from everyday import GRAPHS, Tape
from layout import needs_program

import tensorgrad as tg
from tensorgrad.viz.graph.layout import render
from tensorgrad.viz.graph.layout.titles import clear

SVG = "{http://www.w3.org/2000/svg}"
FRAME = """<svg xmlns="http://www.w3.org/2000/svg"><g id="module-0" class="cluster module"><title>cluster0</title>
<g id="a_module-0"><a><path fill="#f6f6f6" d="M0,0C0,0 200,0 200,0 200,0 200,-100 200,-100 200,-100 0,-100 0,-100"/>
<polygon fill="#f0e442" points="6,-92 60,-92 60,-80 6,-80"/>
<text text-anchor="start" x="8" y="-82" font-size="10.00">conv1</text>
</a>
</g>
</g>
<g id="edge-op0-0" class="edge data"><path d="M{x},-150C{x},-120 {x},-90 {x},-50"/></g></svg>"""


def test_a_title_that_an_edge_crosses_moves_to_the_right_of_it_with_its_badge():
    moved = clear(FRAME.replace("{x}", "20"))
    (x,) = re.findall(r'<text [^>]* x="([^"]+)"', moved)
    badge = re.search(r'points="([^"]+)"', moved)[1]
    assert float(x) - 8 == float(badge.split(",")[0]) - 6 >= 20
    assert {pair.split(",")[1] for pair in badge.split()} == {"-92", "-80"}
    assert 'd="M0,0C0,0 200,0' in moved and 'd="M20,-150' in moved, "nothing else moves"


@pytest.mark.parametrize("x", ["150", "-20", "230"])
def test_a_title_beside_an_edge_stays_where_it_is(x):
    svg = FRAME.replace("{x}", x)
    assert clear(svg) == svg


def test_a_title_without_room_stays_where_it_is():
    svg = FRAME.replace("{x}", "20").replace("200,", "75,")
    assert clear(svg) == svg


def crossed(svg):
    """How many texts of frames an edge runs through, by points on its curves."""
    root = ElementTree.fromstring(svg)
    groups = {
        kind: [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith(kind)] for kind in ("edge", "clus")
    }
    t = np.linspace(0, 1, 60)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    points = []
    for path in (path for edge in groups["edge"] for path in edge.iter(f"{SVG}path")):
        corners = np.array(re.findall(r"-?[\d.]+", path.get("d")), float).reshape(-1, 2)
        points += [sum(w * corners[k + j] for j, w in enumerate(weights)) for k in range(0, len(corners) - 3, 3)]
    x, y = np.concatenate(points).T
    found = 0
    for text in (text for frame in groups["clus"] for text in frame.iter(f"{SVG}text")):
        left, base, size = (float(text.get(name)) for name in ("x", "y", "font-size"))
        right = left + 0.45 * size * len(text.text.strip())
        found += bool(((x > left) & (x < right) & (y > base - 0.7 * size) & (y < base)).any())
    return found


@needs_program
@pytest.mark.parametrize("name", ["siamese", "triplet"])
def test_no_edge_runs_through_a_title_of_a_network_that_is_called_twice(name, monkeypatch):
    tape = Tape(GRAPHS[name])
    assert crossed(tg.viz.graph(tape.trace, names=tape.names).svg) == 0
    monkeypatch.setattr(render, "clear", lambda svg: svg)
    assert crossed(tg.viz.graph(tape.trace, names=tape.names).svg) > 0
