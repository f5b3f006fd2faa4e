"""A drawing taken apart: every node, edge and frame with its box, from Graphviz's SVG and from the plain column."""

import pytest
from layout import needs_program
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.drawing import Drawing
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.page.parts import split


def drawing(network, shape):
    tg.manual_seed(0)
    made = network()
    return tg.viz.graph(loss_of(made, shape), names=dict(made.named_parameters()), fold=False)


@pytest.fixture(scope="module", name="lenet")
def lenet_drawing():
    return drawing(LeNet5, (4, 1, 28, 28))


@needs_program
def test_every_node_edge_and_frame_is_a_part(lenet):
    parts = {part["id"]: part for part in split(lenet.svg)["parts"]}
    record = fold_view_ops(lenet.record)
    assert {x.id for x in (*record.ops, *record.tensors)} <= parts.keys()
    assert parts["edge-op0-0"]["ends"] == [record.edges[0].tensor, "op0"]
    assert parts["module-0"]["class"] == "cluster module"
    assert parts["t0"]["tip"].endswith(" (4, 1, 28, 28) float32")


@needs_program
def test_boxes_of_nodes_lie_apart_and_in_the_frames_of_their_modules(lenet):
    parts = split(lenet.svg)["parts"]
    boxes = {part["id"]: part["box"] for part in parts if part["class"].startswith("node")}
    for one, (left, top, right, bottom) in boxes.items():
        for other, (x, y, far, down) in boxes.items():
            assert one == other or right <= x or far <= left or bottom <= y or down <= top, (one, other)
    frame = next(part["box"] for part in parts if part["id"] == "module-0")
    weight = next(tensor.id for tensor in lenet.record.tensors if tensor.name == "conv1.weight")
    left, top, right, bottom = boxes[weight]
    assert frame[0] < left < right < frame[2] and frame[1] < top < bottom < frame[3]


@needs_program
def test_parts_of_a_sheet_stand_below_those_of_the_sheet_above():
    parts = split(drawing(lambda: ResNet18(width=2), (2, 3, 32, 32)).svg)["parts"]
    sheets = {}
    for part in parts:
        sheets.setdefault(part["at"][1], []).append(part["box"])
    assert len(sheets) == 2
    above, below = (sheets[y] for y in sorted(sheets))
    assert max(bottom for *_, bottom in above) < min(top for _, top, *_ in below)


def test_shapes_share_their_looks_and_keep_their_texts(lenet):
    scene = split(column.draw(lenet.record))
    op = next(part for part in scene["parts"] if part["id"] == "op0")
    shown = [(scene["styles"][style][0], *rest) for style, _, *rest in op["shapes"]]
    assert shown[:2] == [("rect",), ("text", lenet.record.ops[0].symbol)]
    assert len(scene["styles"]) < len(scene["parts"]) / 2


def test_an_empty_drawing_has_no_parts():
    assert split("<svg></svg>") == {"styles": [], "still": [], "parts": []}


@needs_program
def test_pictures_stay_in_their_nodes():
    tg.manual_seed(0)
    network = LeNet5()
    record = tg.viz.graph(loss_of(network, (4, 1, 28, 28)), names=dict(network.named_parameters())).record
    scene = split(Drawing(record, pictures=True).svg)
    weight = next(tensor.id for tensor in record.tensors if tensor.name == "conv1.weight")
    (part,) = (part for part in scene["parts"] if part["id"] == weight)
    images = [own for style, own, *_ in part["shapes"] if scene["styles"][style][0] == "image"]
    assert len(images) == 2
    assert all(own["href"].startswith("data:image/png;base64,") for own in images)
