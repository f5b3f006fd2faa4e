"""The page as a file: its records as JSON, what is escaped, how large it is, and where the drawing comes from."""

import base64
import html
import importlib
import json
import re
import sysconfig
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from layout import needs_program
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad.viz import Depth, page
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.layout import dot, render
from tensorgrad.viz.graph.layout.render import RenderError
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.page.encoding import encode
from tensorgrad.viz.page.parts import split
from tensorgrad.viz.record.collect import collect
from tensorgrad.viz.record.records import Details, GraphRecord, TensorRecord

graph = importlib.import_module("tensorgrad.viz.graph.drawing")  # the package has a function of this name

DETAILED = Depth(numbers=True, details=True)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>throw 1</script>",
    "</script <b onclick=x",
    "<!--<script>",
    "\"quotes\" and 'quotes'",
    "two\nlines\r\tand \0 control",
    "x" * 10_000,
    "テンソル вес ∂",
    "\N{RIGHT-TO-LEFT OVERRIDE}משקל وزن",
    "&lt;b&gt; &amp; \\N \\G %s {} @@drawing@@ $1",
    "\ud800 alone",
]


class Reader(HTMLParser):
    """What a browser's parser makes of a page: its elements, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._script = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id", "program")
            self.scripts.append([self._script, ""])

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script:
            self.scripts[-1][1] += data


def scalars():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))
    return {"a": a, "b": b, "c": c}, ((a * b + c).tanh() * a).sum()


def lenet():
    tg.manual_seed(0)
    network = LeNet5()
    return dict(network.named_parameters()), loss_of(network, (4, 1, 28, 28))


def records_of(text):
    return json.loads(dict(Reader(text).scripts)["records"])


def parts_of(svg):
    return json.loads(json.dumps(split(svg)))


def layout_of(text):
    return json.loads(dict(Reader(text).scripts)["layout"])


def test_the_records_come_back_as_they_were():
    parameters, loss = scalars()
    record = collect(loss, names=parameters, depth=DETAILED)
    plain = json.loads(encode(record))
    assert [op["formula"] for op in plain["ops"]] == [op.formula for op in record.ops]
    assert [tensor.get("name", "") for tensor in plain["tensors"]] == [tensor.name for tensor in record.tensors]
    assert [edge["contribution"]["value"] for edge in plain["edges"]] == [e.contribution.value for e in record.edges]
    assert [edge.get("local") for edge in plain["edges"]] == [edge.local for edge in record.edges]


def test_floats_that_json_has_no_word_for_are_spelt_out():
    tensor = TensorRecord("t0", "constant", "", (3,), "float32", float("inf"), None)
    tensor = TensorRecord(*tensor_fields(tensor), details=Details((float("nan"), -float("inf"), 0.0), (1,), ()))
    plain = json.loads(encode(tensor), parse_constant=pytest.fail)
    assert plain["value"] == {"float": "inf"}
    assert plain["details"]["values"] == [{"float": "nan"}, {"float": "-inf"}, 0.0]


def tensor_fields(tensor):
    return tensor.id, tensor.kind, tensor.name, tensor.shape, tensor.dtype, tensor.value, tensor.gradient


def test_floats_in_dictionaries_are_spelt_out_too():
    text = encode([{"values": [float("inf"), 1.0], "of": {"slope": float("nan")}}])
    assert text == '[{"values":[{"float":"inf"},1.0],"of":{"slope":{"float":"nan"}}}]'


def test_a_picture_is_a_byte_per_pixel_from_least_to_greatest():
    rows = ((-1.0, 0.0, float("nan"), 3.0), (float("inf"), 1.0, float("nan"), -1.0))
    picture = json.loads(encode(Details((), (2,), rows)))["picture"]
    assert (picture["rows"], picture["columns"], picture["low"], picture["high"]) == (2, 4, -1.0, 3.0)
    pixels = np.frombuffer(base64.b64decode(picture["bytes"]), np.uint8).reshape(2, 4)
    # 254 stands for the greatest; 255 for what has no colour.
    np.testing.assert_array_equal(pixels, [[0, 64, 255, 254], [255, 127, 255, 0]])


@pytest.mark.parametrize("rows", [((2.5, 2.5),), ((float("nan"),),)])
def test_a_picture_of_one_level_or_of_none(rows):
    picture = json.loads(encode(Details((), (2,), rows)))["picture"]
    assert set(base64.b64decode(picture["bytes"])) == ({0} if rows[0][0] == 2.5 else {255})


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_come_out_as_text(name):
    w = tg.tensor([1.0, 2.0], requires_grad=True, name=name)
    record = collect((w * w).sum(), depth=DETAILED)
    text = page.write(record, column.draw(record), note=name.replace("\ud800", ""))
    text.encode()
    assert not {"<", ">", "&"} & set(encode(record))
    assert records_of(text)["tensors"][0]["name"] == name
    harmless = page.write(collect((w.detach() * tg.ones(2, requires_grad=True)).sum()), "<svg></svg>")
    assert [tag for tag, _ in Reader(text).tags if tag == "script"] == ["script"] * 3
    assert {tag for tag, _ in Reader(text).tags} - SVG_TAGS == {tag for tag, _ in Reader(harmless).tags} - SVG_TAGS
    assert not [name for _, attrs in Reader(text).tags for name in attrs if name.startswith("on")]


SVG_TAGS = {"svg", "g", "path", "text", "rect", "defs", "marker", "title"}


def test_the_page_asks_nobody_for_anything():
    parameters, loss = scalars()
    record = collect(loss, names=parameters, depth=DETAILED)
    text = page.write(record, column.draw(record))
    tags = Reader(text).tags
    assert not [(tag, attrs) for tag, attrs in tags if {"src", "srcset", "action"} & attrs.keys()]
    links = [attrs["href"] for _, attrs in tags if "href" in attrs]
    assert links == ["#next"], "a link leads to a place on the page"
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|innerHTML|outerHTML|insertAdjacentHTML|eval)\b", text)


@pytest.mark.parametrize("pictures", [False, True])
def test_lenets_page_is_small(pictures):
    parameters, loss = lenet()
    assert len(tg.viz.graph(loss, names=parameters, pictures=pictures).html.encode()) < 1_000_000


def test_equal_records_give_equal_pages():
    pages = []
    for _ in range(2):
        parameters, loss = scalars()
        record = collect(loss, names=parameters, depth=DETAILED)
        pages.append(page.write(record, column.draw(record)))
    assert pages[0] == pages[1]


# ------------------------------------------------------------------------------------------------------------ drawings


@needs_program
def test_saved_as_html_it_holds_the_drawing_that_graphviz_laid_out(tmp_path):
    _, loss = scalars()
    drawing = tg.viz.graph(loss)
    path = drawing.save(tmp_path / "new" / "graph.html")
    text = path.read_text(encoding="utf-8")
    assert text == drawing.html
    shown, drawn = layout_of(text), parts_of(drawing.svg)
    assert shown["parts"] == drawn["parts"]
    assert len(shown["still"]) == 1 < len(drawn["still"]), "the style; the legend is a part of the page"
    assert '<p id="note"></p>' in text


@needs_program
def test_a_page_begins_as_the_drawing_is_folded_but_holds_all():
    network = ResNet18(width=2)
    drawing = tg.viz.graph(loss_of(network, (2, 3, 32, 32)), names=dict(network.named_parameters()), fold="layer1")
    (stage,) = [attrs for _, attrs in Reader(drawing.html).tags if attrs.get("id") == "stage"]
    assert stage["data-view"] == "folded"
    box = f"module-{dot.modules(drawing.record).index('layer1')}"
    folded = json.loads(dict(Reader(drawing.html).scripts)["layout-folded"])
    plain = fold_view_ops(drawing.record)
    layer1 = {tensor.id for tensor in plain.tensors if tensor.name.startswith("layer1.")}
    inside = folded["boxes"].pop(box)
    assert {edge.op for edge in plain.edges if edge.tensor in layer1} <= set(inside)
    assert not folded["boxes"]
    assert not {part["id"] for part in folded["parts"]} & set(inside)
    ids = {part["id"] for part in layout_of(drawing.html)["parts"]}
    assert {part.id for part in (*plain.ops, *plain.tensors)} <= ids
    assert box in ids


def test_a_graph_that_cannot_be_laid_out_open_comes_in_a_column(monkeypatch):
    def fail(dot, format):
        raise RenderError("no layout")

    monkeypatch.setattr(render, "find_program", lambda: "dot")
    monkeypatch.setattr(render, "render", fail)
    _, loss = scalars()
    drawing = tg.viz.graph(loss)
    assert "Graphviz failed" in drawing.html
    assert layout_of(drawing.html) == parts_of(column.draw(drawing.record))


def test_without_a_layout_program_the_page_comes_in_a_column_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    _, loss = scalars()
    drawing = tg.viz.graph(loss)
    text = drawing.html
    (note,) = re.findall(r'<p id="note">(.*)</p>', text)
    assert "pip install graphviz-pure" in html.unescape(note)
    assert layout_of(text) == parts_of(column.draw(drawing.record))


# ---------------------------------------------------------------------------------------------------------- the column


def groups(svg):
    root = ElementTree.fromstring(svg)
    return {g.get("id"): g for g in root.iter("{http://www.w3.org/2000/svg}g")}


def test_the_column_has_the_groups_of_the_records():
    parameters, loss = scalars()
    record = collect(loss, names=parameters)
    found = groups(column.draw(record))
    ends = {id: "".join(g.find("{*}title").itertext()) for id, g in found.items() if id.startswith("edge-")}
    assert ends == {
        "edge-op0-0": "t0->op0",
        "edge-op0-1": "t1->op0",
        "edge-op0-out": "op0->t2",
        "edge-op1-0": "t2->op1",
        "edge-op1-1": "t3->op1",
        "edge-op1-out": "op1->t4",
        "edge-op2-0": "t4->op2",
        "edge-op2-out": "op2->t5",
        "edge-op3-0": "t5->op3",
        "edge-op3-1": "t0->op3",
        "edge-op3-out": "op3->t6",
        "edge-op4-0": "t6->op4",
        "edge-op4-out": "op4->t7",
    }
    assert found["t0"].get("class") == "node tensor parameter"
    assert found["t7"].get("class") == "node tensor output"
    assert found["op3"].get("class") == "node op"
    assert {id for id in found if id[0] in "to"} == {f"t{k}" for k in range(8)} | {f"op{k}" for k in range(5)}


def test_nothing_in_the_column_overlaps_and_results_run_down():
    parameters, loss = lenet()
    record = collect(loss, names=parameters)
    boxes = {}
    for id, group in groups(column.draw(record)).items():
        if (rect := group.find("{*}rect")) is not None:
            boxes[id] = tuple(float(rect.get(side)) for side in ("x", "y", "width", "height"))
    assert boxes.keys() == {x.id for x in (*record.ops, *record.tensors)}
    for one, (x, y, width, height) in boxes.items():
        for other, (left, top, _, _) in boxes.items():
            assert one == other or abs(left - x) >= width or abs(top - y) >= height, (one, other)
    for op in record.ops:
        assert boxes[op.id][1] < boxes[op.output][1]


def test_an_empty_column():
    assert groups(column.draw(GraphRecord((), (), (), ""))).keys() == {"graph0"}


def test_the_columns_edges_of_an_operand_used_twice_run_beside_each_other():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = w * w
    svg = column.draw(tg.viz.graph((h * h).sum()).record)
    paths = dict(re.findall(r'<g id="(edge-op[01]-[01])"[^>]*><title>[^<]*</title><path[^>]*? d="([^"]*)"', svg))
    assert len(paths) == len(set(paths.values())) == 4
    labels = re.findall(r'<text[^>]* x="([^"]*)" y="([^"]*)">∂[^<]* = (?:w|h)<', svg)
    assert len(set(labels)) == 4
