"""The views of a page: compact and full, folded and open, each in a layout of its own; steps and clicks work in all."""

import math
import shutil

import pytest
from browser import needs_browser, play
from layout import needs_program
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz import page
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph.health import examine
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules

pytestmark = [needs_browser, needs_program]

SCREEN = "1400,900"

LOOK = """
  const scale = () => $("#world").transform.baseVal[1].matrix.a;
  const texts = () => all("#world text").filter((text) => text.textContent.trim());
  const smallest = () => Math.min(...texts().map((text) => parseFloat(getComputedStyle(text).fontSize))) * scale();
  const whole = () => {
    const [stage, world] = [boxOf("#stage"), boxOf("#world")];
    const across = world.left >= stage.left && world.right <= stage.right;
    return across && world.top >= stage.top && world.bottom <= stage.bottom;
  };
"""


def traced(network, shape):
    """The trace of a step."""
    tg.manual_seed(0)
    with tg.viz.trace() as step:
        loss_of(network(), shape).backward()
    return step


@pytest.fixture(scope="module")
def lenet():
    """The drawing of a step of LeNet-5."""
    return tg.viz.graph(traced(LeNet5, (4, 1, 28, 28)))


@pytest.fixture(scope="module")
def resnet():
    """The drawing of a step of ResNet-18, which is folded."""
    return tg.viz.graph(traced(lambda: ResNet18(width=2), (2, 3, 32, 32)))


def test_a_step_of_lenet_fits_one_screen_in_the_compact_view_and_can_be_read(lenet, tmp_path):
    script = f"""{LOOK}
      const before = innerHeight;
      press("c");
      press("0");
      return [innerWidth, before, whole(), smallest(), all("#world .node").length];
    """
    width, height, is_whole, smallest, nodes = play(lenet.html, script, tmp_path, SCREEN)
    assert (width, height, nodes) == (1400, 900, 14)
    assert is_whole
    assert smallest >= (9 if shutil.which("dot") else 8.5), "graphviz-pure sets lines a little further apart"


def test_the_folded_compact_resnet_takes_two_screens_at_most(resnet, tmp_path):
    script = f"""{LOOK}
      press("c");
      const size = boxOf("#world");
      return [size.height / scale() / boxOf("#stage").height, size.width / scale() <= boxOf("#stage").width];
    """
    screens, fits = play(resnet.html, script, tmp_path, SCREEN)
    assert fits
    assert screens * 0.9 <= 2, "with text of 9 pixels or more"


def test_c_and_the_button_switch_and_all_is_as_it_was(lenet, tmp_path):
    script = """
      const look = () => [ids("#world .node").join(), $("#compact").getAttribute("aria-pressed")];
      const told = [look()];
      press("c");
      told.push(look());
      click("#compact");
      told.push(look());
      return told;
    """
    full, compact, again = play(lenet.html, script, tmp_path)
    assert again == full
    assert (full[1], compact[1]) == ("false", "true")
    assert set(compact[0].split(",")) < set(full[0].split(","))


def test_the_page_begins_in_the_view_that_was_asked_for(tmp_path):
    step = traced(LeNet5, (2, 1, 28, 28))
    script = 'return [document.body.dataset.view, all("#world .node").every((part) => part.id.startsWith("op"))];'
    assert play(tg.viz.graph(step, compact=True).html, script, tmp_path) == ["compact", True]
    view, _ = play(tg.viz.graph(step, fold="conv1", compact=True).html, script, tmp_path)
    assert view == "compact-folded"


@pytest.mark.parametrize("keys", ["c", "f", "cf"], ids=["compact", "folded", "compact and folded"])
def test_every_step_lights_what_shows_it_and_every_gradient_arrives(keys, lenet, tmp_path):
    script = f"""
      for (const key of "{keys}") press(key);
      const lit = [];
      while (phase() !== "end") {{
        press("ArrowRight");
        if (phase() !== "end") lit.push(ids(".now").filter(Boolean).length);
      }}
      const due = all(".node.due, .edge.gradient.due").map((part) => part.id);
      press("Home");
      press("ArrowRight");
      return {{ lit, due, later: ids(".node.later").length }};
    """
    told = play(lenet.html, script, tmp_path)
    assert min(told["lit"]) > 0
    reached = lenet.record.reached
    unreached = {edge.op for edge in lenet.record.edges} - {op.id for op in lenet.record.ops if op.output in reached}
    constants = {tensor.id for tensor in lenet.record.tensors if tensor.kind == "constant"}
    assert set(told["due"]) - unreached - constants - _bare_ops(lenet, keys) == set()
    assert told["later"] > 3


def _bare_ops(drawing, keys):
    """In the full view the gradient stands at the tensors: its ops have none that could arrive."""
    return set() if "c" in keys else {op.id for op in drawing.record.ops}


def test_a_click_on_a_box_tells_of_the_op_and_of_its_result(lenet, tmp_path):
    script = """
      click('[id="op0"]');
      const full = textOf("#details");
      click(`[id="t3"]`);
      const result = textOf("#details");
      press("Escape");
      press("c");
      click('[id="op0"]');
      return [full, result, textOf("#details"), ids(".chosen")];
    """
    op, result, both, chosen = play(lenet.html, script, tmp_path)
    assert op in both and result.removeprefix("×") in both
    assert chosen == ["op0"]


def test_a_click_on_a_folded_box_opens_its_module(resnet, tmp_path):
    script = """
      const view = () => document.body.dataset.view;
      const begin = view();
      const box = all(".node.module").find((part) => part.textContent.includes("layer3.0"));
      const said = [box.getAttribute("aria-expanded"), box.textContent];
      send(box, new MouseEvent("click", { bubbles: true }));
      const stage = boxOf("#stage");
      const frame = boxOf(`[id="${box.id}"]`);
      const seen = frame.top >= stage.top - 1 && frame.top < stage.bottom;
      return { begin, said, then: view(), seen, here: document.activeElement.id, box: box.id };
    """
    told = play(resnet.html, script, tmp_path)
    assert (told["begin"], told["then"]) == ("folded", "")
    assert told["said"][0] == "false" and "BasicBlock" in told["said"][1] and "parameters" in told["said"][1]
    assert told["seen"] and told["here"] == told["box"]


def test_a_lid_says_what_the_box_of_the_folded_module_says(resnet, tmp_path):
    script = """
      press("f");
      const titled = (name) => all(".cluster").find((part) => part.querySelector("text").textContent === name);
      const frame = titled("layer1.0");
      const open = frame.getBoundingClientRect();
      send(frame.querySelector("text"), new MouseEvent("click", { bubbles: true }));
      const lid = all(".folded").find((part) => part.textContent.includes("layer1.0"));
      const box = lid.querySelector(".module-box").getBoundingClientRect();
      const inside = all(".folded text").every((text) => {
        const { left, right, top, bottom } = text.getBoundingClientRect();
        return left >= box.left && right <= box.right && top >= box.top && bottom <= box.bottom;
      });
      const [narrower, lower] = [box.width < open.width * 0.7, box.height < open.height / 3];
      return { text: lid.textContent, inside, narrower, lower };
    """
    told = play(resnet.html, script, tmp_path)
    weights = [t for t in resnet.record.tensors if t.kind == "parameter" and t.name.startswith("layer1.0.")]
    count = sum(math.prod(weight.shape) for weight in weights)
    size = sum(weight.gradient.mean_abs * math.prod(weight.shape) for weight in weights) / count
    assert f"▸ layer1.0BasicBlock{count} parameters, 7 ops" in told["text"]
    assert f"mean |grad| = {theme.short(size)}" in told["text"]
    assert told["inside"] and told["narrower"] and told["lower"]


def test_a_lid_names_what_is_wrong_under_it(tmp_path):
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8)), nn.Linear(8, 2))
    model[0][0].bias.data = tg.full((8,), -100.0)
    with tg.viz.trace() as step:
        (model(tg.ones(20, 4)) ** 2).sum().backward()
    script = """
      click(".cluster text");
      return all(".module-found").map((line) => line.textContent);
    """
    found = play(tg.viz.graph(step).html, script, tmp_path)
    graph = fold_view_ops(tg.viz.graph(step).record)
    known = [finding.text for finding in examine(graph, find_modules(graph))]
    assert len(known) == 3
    assert [line.removeprefix(f"{path}: ") for line, path in zip(found, ("0.0", "0.2"), strict=False)] == known[:2]
    assert found[2] == "and 1 more"


def test_search_steps_and_details_stay_in_another_view(lenet, tmp_path):
    script = """
      press("ArrowRight"); press("ArrowRight");
      type("#search", "fc2.weight");
      click('[id="op1"]');
      press("c");
      return [step(), ids(".now"), ids(".found"), ids(".chosen"), textOf("#details h2")];
    """
    step, now, found, chosen, title = play(lenet.html, script, tmp_path)
    assert (step, now, chosen) == (2, ["op1"], ["op1"])
    (box,) = found
    plain = fold_view_ops(lenet.record)
    (weight,) = [tensor.id for tensor in plain.tensors if tensor.name == "fc2.weight"]
    assert box in [edge.op for edge in plain.edges if edge.tensor == weight]
    assert "relu" in title


def test_the_arrows_reach_every_box_of_the_compact_view(lenet, tmp_path):
    script = """
      const here = () => document.activeElement;
      const key = (key) => send(here(), new KeyboardEvent("keydown", { key, bubbles: true }));
      press("c");
      const visited = [];
      $("#stage").focus();
      for (let last = null; here() !== last; ) { last = here(); key("ArrowDown"); visited.push(here().id); }
      visited.pop();
      return [visited, all("#stage g[role=button]").map((part) => part.id)];
    """
    visited, parts = play(lenet.html, script, tmp_path)
    assert sorted(visited) == sorted(parts)
    ops = [id for id in visited if id.startswith("op")]
    assert ops == sorted(ops, key=lambda id: int(id[2:]))


def test_the_page_of_lenet_stays_small(lenet):
    """With its other layouts it is less than 40 % larger than without."""
    alone = len(page.write(lenet.record, lenet.svg).encode())
    assert len(lenet.html.encode()) < 1.4 * alone


@pytest.mark.parametrize("size", ["390,844", "844,480"], ids=["upright", "on its side"])
def test_the_views_work_on_a_phone(size, lenet, tmp_path):
    script = """
      press("ArrowRight");
      click("#compact");
      const stage = boxOf("#stage");
      const now = boxOf(".node.now");
      const page = document.documentElement;
      const inside = now.top >= stage.top && now.bottom <= stage.bottom;
      return [inside, page.scrollHeight <= innerHeight, $("#legend").open, isSeen("#legend summary")];
    """
    inside, fits, is_open, has_legend = play(lenet.html, script, tmp_path, size)
    assert (inside, fits, has_legend) == (True, True, True)
    assert not is_open, "the drawing needs the space"
