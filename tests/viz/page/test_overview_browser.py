"""In a large drawing the legend stays in its corner, the minimap shows where one is, and N leads to problems."""

import pytest
from browser import needs_browser, play
from everyday import GRAPHS, Tape
from layout import needs_program
from networks import LeNet5, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.graph.health import examine
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules

pytestmark = [needs_browser, needs_program]

SCREEN = "1400,1043"  # of the window: its page has 1400 × 900 pixels


@pytest.fixture(scope="module")
def lenet():
    """The drawing of a step of LeNet-5."""
    tg.manual_seed(0)
    with tg.viz.trace() as step:
        loss_of(LeNet5(), (4, 1, 28, 28)).backward()
    return tg.viz.graph(step)


@pytest.fixture(scope="module")
def sick():
    """The drawing of a network with dead units, and layers before them that get no gradient."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))
    model[1][0].bias.data = tg.full((8,), -100.0)
    with tg.viz.trace() as step:
        (model(tg.ones(20, 4)) ** 2).sum().backward()
    return tg.viz.graph(step)


def problems_of(drawing):
    """What is marked, in the order of the computation."""
    plain = fold_view_ops(drawing.record)
    modules = find_modules(plain)
    first = {}
    for number, op in enumerate(plain.ops):
        for key in (*modules.chain(modules.call_of[op.id]), op.id):
            first.setdefault(key, number)
    return sorted(examine(plain, modules), key=lambda finding: first[finding.where])


def test_the_legend_stays_where_it_is_and_can_be_closed(lenet, tmp_path):
    script = """
      const place = () => { const { left, top, width, height } = boxOf("#legend"); return [left, top, width, height]; };
      const before = place();
      press("+"); press("End"); click("#compact");
      const after = place();
      const stage = boxOf("#stage");
      const inside = before[0] >= stage.left && before[1] + before[3] <= stage.bottom;
      click("#legend summary");
      const drawn = textOf("#world").includes("↓ data");
      return { before, after, inside, text: textOf("#legend"), open: $("#legend").open, drawn };
    """
    told = play(lenet.html, script, tmp_path, SCREEN)
    assert told["before"] == told["after"] and told["inside"]
    assert all(
        word in told["text"] for word in ("parameter", "input, constant", "tensor", "op", "0.01", "10⁻⁵ and less")
    )
    assert not told["open"]
    assert not told["drawn"], "the drawing no longer holds it"


def test_the_minimap_shows_where_the_view_is_and_leads_there(lenet, tmp_path):
    script = """
      const told = { begin: isSeen("#minimap") };
      const where = () => boxOf("#in-view").top - boxOf("#map").top;
      told.top = where();
      press("End"); press("Home");
      for (let k = 0; k < 8; k++) press("ArrowRight");
      told.moved = where();
      const { left, bottom, width } = boxOf("#map");
      const at = { clientX: left + width / 2, clientY: bottom - 2, bubbles: true, buttons: 1 };
      send($("#map"), new PointerEvent("pointerdown", at));
      const [loss, stage] = [boxOf(".node.output"), boxOf("#stage")];
      told.loss = loss.top > stage.top && loss.bottom < stage.bottom;
      told.last = where() + boxOf("#in-view").height - boxOf("#map").height;
      press("0");
      told.fitted = isSeen("#minimap");
      return told;
    """
    told = play(lenet.html, script, tmp_path, SCREEN)
    assert told["begin"]
    assert told["top"] == pytest.approx(0, abs=4) and told["moved"] > told["top"]
    assert told["loss"] and told["last"] == pytest.approx(0, abs=4)
    assert not told["fitted"], "nothing lies out of view"


def test_n_leads_from_problem_to_problem_and_says_what_helps(sick, tmp_path):
    script = """
      const look = () => [textOf("#details h2"), textOf(".problem-text"), textOf("#details"), ids(".chosen")];
      const told = [];
      for (let k = 0; k < 3; k++) { press("n"); told.push(look()); }
      press("N");
      told.push(look());
      click("#problem");
      told.push(look());
      return [textOf("#problem"), told, isSeen("#key-n")];
    """
    button, told, is_named = play(sick.html, script, tmp_path, SCREEN)
    known = problems_of(sick)
    assert len(known) >= 2 and button == f"{len(known)} problems" and is_named
    texts = [finding.text for finding in known]
    seen = [text for _, text, *_ in told]
    expected = [texts[k % len(texts)] for k in range(3)]
    assert seen == [*expected, expected[1], expected[2]]
    for (_, _, panel, chosen), finding in zip(told, known, strict=False):
        assert f"→ {finding.remedy}" in panel
        assert len(chosen) == 1


@pytest.mark.parametrize("keys", ["c", "f", "cf"], ids=["compact", "folded", "both"])
def test_problems_are_found_in_every_view(keys, sick, tmp_path):
    script = f"""
      for (const key of "{keys}") press(key);
      const seen = [];
      for (let k = 0; k < 3; k++) {{
        press("n");
        const [part, stage] = [boxOf(".chosen"), boxOf("#stage")];
        seen.push(part.width > 0 && part.top < stage.bottom && part.bottom > stage.top);
      }}
      return seen;
    """
    assert play(sick.html, script, tmp_path, SCREEN) == [True] * 3


def test_a_healthy_graph_has_no_such_button(lenet, tmp_path):
    script = 'press("n"); return [isSeen("#problem"), isSeen("#key-n"), isSeen("#details")];'
    assert problems_of(lenet) == []
    assert play(lenet.html, script, tmp_path, SCREEN) == [False, False, False]


@pytest.mark.parametrize("size", ["390,844", "844,480"], ids=["upright", "on its side"])
def test_on_a_phone_the_corners_leave_the_drawing_its_space(size, sick, tmp_path):
    script = """
      press("n");
      const stage = boxOf("#stage");
      const area = ({ width, height }) => width * height;
      const corner = (query) => area(boxOf(query)) / area(stage);
      const page = document.documentElement;
      return [corner("#legend"), isSeen("#minimap") ? corner("#minimap") : 0, page.scrollHeight <= innerHeight];
    """
    legend, minimap, fits = play(sick.html, script, tmp_path, size)
    assert legend < 0.1 and minimap < 0.25 and fits


@pytest.mark.parametrize("size", ["390,844", "844,480"], ids=["upright", "on its side"])
@pytest.mark.parametrize("name", ["Inception", "U-Net", "accumulation × 4"])
def test_a_wide_drawing_opens_on_a_phone_at_ops_that_can_be_seen_and_the_slider_can_be_held(name, size, tmp_path):
    """The first op of an Inception block is its shortest branch, which begins far below the others."""
    tape = Tape(GRAPHS[name])
    script = """
      const stage = boxOf("#stage");
      const [map, slider] = [boxOf("#minimap"), boxOf("#slider")];
      const inside = ({ left, top, right, bottom }) =>
        left >= stage.left && right <= stage.right && top >= stage.top && bottom <= stage.bottom;
      const covers = ({ left, top, right, bottom }) =>
        right > map.left && left < map.right && bottom > map.top && top < map.bottom;
      const boxes = all("g.node.op").map((op) => op.getBoundingClientRect());
      const share = (map.width * map.height) / (stage.width * stage.height);
      return [boxes.filter((box) => inside(box) && !covers(box)).length, share, slider.width];
    """
    seen, share, slider = play(tg.viz.graph(tape.trace, names=tape.names).html, script, tmp_path, size)
    assert seen >= 1
    assert share < 0.15
    assert slider > 200
