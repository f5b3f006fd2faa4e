"""The page without a mouse: by keyboard, for a screen reader, by two fingers, on a phone's side, on paper."""

import re

import numpy as np
import pytest
from browser import needs_browser, play, printed
from layout import needs_program
from networks import LeNet5, loss_of

import tensorgrad as tg

pytestmark = [needs_browser, needs_program]


@pytest.fixture(scope="module")
def lenet():
    """The drawing of a step of LeNet-5."""
    tg.manual_seed(0)
    model = LeNet5()
    with tg.viz.trace() as t:
        loss_of(model, (4, 1, 28, 28), 10).backward()
    return tg.viz.graph(t)


HERE = """
  const here = () => document.activeElement;
  const key = (key, more = {}) => send(here(), new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
"""


def test_the_tab_key_stops_once_at_the_drawing_and_the_arrows_reach_every_part(lenet, tmp_path):
    script = (
        HERE
        + """
      const isStop = (part) => { part.focus(); return part.tabIndex >= 0 && here() === part; };
      const stops = all("#stage, #stage *").filter(isStop).map((part) => part.id);
      const [visited, back] = [[], []];
      $("#stage").focus();
      for (let last = null; here() !== last; ) { last = here(); key("ArrowDown"); visited.push(here().id); }
      visited.pop();
      for (let last = null; here() !== last; ) { last = here(); key("ArrowUp"); back.push(here().id); }
      back.pop();
      return { stops, visited, back, step: step(), parts: all("#stage g[role=button]").map((part) => part.id) };
    """
    )
    told = play(lenet.html, script, tmp_path)
    assert told["stops"] == ["stage"]
    assert told["step"] == 0, "the steps have the other arrows"
    assert sorted(told["visited"]) == sorted(told["parts"])
    assert told["back"] == told["visited"][-2::-1]
    ops = [id for id in told["visited"] if id.startswith("op")]
    assert ops == [op.id for op in lenet.record.ops if op.id in told["parts"]], "in the order of the computation"


def test_a_screen_reader_is_given_the_numbers(lenet, tmp_path):
    script = """
      const said = (part) => part.getAttribute("aria-label") ?? part.textContent;
      const spoken = Object.fromEntries(all("#stage g[role=button]").map((part) => [part.id, said(part)]));
      const story = [];
      while (phase() !== "end") { press("ArrowRight"); story.push(textOf("#story")); }
      const live = [$("#story").getAttribute("aria-live"), $("#story").getAttribute("aria-atomic")];
      return { spoken, story, live, value: $("#slider").getAttribute("aria-valuetext"), last: step() };
    """
    told = play(lenet.html, script, tmp_path)
    record = lenet.record
    weight = next(tensor for tensor in record.tensors if tensor.name == "fc3.weight")
    edge = next(f"edge-{edge.op}-{k}" for k, edge in enumerate(_of_op(record, weight.id)) if edge.tensor == weight.id)
    mean = np.format_float_positional(float(f"{weight.gradient.mean_abs:.1e}"))
    assert f"mean |grad| = {mean}" in told["spoken"][weight.id] and "(10, 84)" in told["spoken"][weight.id]
    assert told["spoken"][edge].startswith("fc3.weight → linear ∂L/∂weight = ")
    assert f"mean |·| = {mean}" in told["spoken"][edge]
    assert any("Backward through linear to fc3.weight" in text and "0.00" in text for text in told["story"])
    assert told["live"] == ["polite", "true"]
    assert told["value"] == f"step {told['last']} of {told['last']}"


def _of_op(record, tensor):
    op = next(edge.op for edge in record.edges if edge.tensor == tensor)
    return [edge for edge in record.edges if edge.op == op]


def test_the_focus_stays_where_the_reader_is(lenet, tmp_path):
    script = (
        HERE
        + """
      const told = {};
      $("#stage").focus();
      while (here().id !== "op0") key("ArrowDown");
      key("Enter");
      told.details = [here().id, textOf("#details h2")];
      key("Escape");
      told.closed = [here().id, isSeen("#details")];
      while (!here().matches(".cluster")) key("ArrowUp");
      const frame = here();
      key("Enter");
      told.folded = [here().matches(".folded"), here().getAttribute("aria-expanded"), isSeen(`#${frame.id}`)];
      key("Enter");
      told.open = [here() === frame, here().getAttribute("aria-expanded")];
      while (here().id !== "op0") key("ArrowDown");
      key("f");
      told.all = [here().matches(".folded"), isSeen(".folded:focus")];
      $("tr[data-name='fc3.weight'] button").focus();
      while (phase() !== "end") key("ArrowRight");
      told.row = here().closest("tr")?.dataset;
      key("Enter");
      click("tr[data-name='fc3.weight'] button");
      told.link = [here().id, textOf("#details h2")];
      key("Escape");
      told.back = here().closest("tr")?.dataset.name;
      return told;
    """
    )
    told = play(lenet.html, script, tmp_path)
    assert told["details"][0] == "details" and "∗" in told["details"][1]
    assert told["closed"] == ["op0", False]
    assert told["folded"] == [True, "false", False]
    assert told["open"] == [True, "true"]
    assert told["all"] == [True, True]
    assert (told["row"]["name"], told["row"]["arrived"]) == ("fc3.weight", "1"), "the row was written anew"
    assert told["link"] == ["details", "fc3.weight"]
    assert told["back"] == "fc3.weight"


def test_the_view_moves_by_keyboard_and_zooms_by_two_fingers(lenet, tmp_path):
    script = (
        HERE
        + """
      const matrix = () => $("#world").transform.baseVal.consolidate().matrix;
      const start = matrix();
      $("#stage").focus();
      key("ArrowDown", { shiftKey: true });
      key("ArrowLeft", { shiftKey: true });
      const moved = [matrix().e - start.e, matrix().f - start.f, here().id, step()];
      const finger = (kind, pointerId, clientX, clientY) =>
        send($("#stage"), new PointerEvent(kind, { pointerId, clientX, clientY, bubbles: true, button: 0 }));
      const before = matrix();
      finger("pointerdown", 1, 400, 300);
      finger("pointerdown", 2, 500, 300);
      finger("pointermove", 2, 600, 300);
      finger("pointermove", 1, 300, 300);
      const after = matrix();
      finger("pointerup", 1, 300, 300);
      finger("pointerup", 2, 600, 300);
      const { x, y } = boxOf("#stage");
      // The point of the drawing that was under the first finger is under it now.
      const under = (m, px, py) => [(px - x - m.e) / m.a, (py - y - m.f) / m.d];
      return { moved, ratio: after.a / before.a, first: [under(before, 400, 300), under(after, 300, 300)] };
    """
    )
    told = play(lenet.html, script, tmp_path)
    assert told["moved"] == [pytest.approx(60), pytest.approx(-60), "stage", 0]
    assert told["ratio"] == pytest.approx(3)
    assert told["first"][0] == pytest.approx(told["first"][1])


def test_a_phone_on_its_side_leaves_most_of_the_height_to_the_drawing(lenet, tmp_path):
    script = """
      press("ArrowRight");
      const { width, height, bottom } = boxOf("#stage");
      const page = document.documentElement;
      const fits = page.scrollWidth <= innerWidth && page.scrollHeight <= innerHeight;
      return [innerHeight, width, height, fits && bottom <= innerHeight && boxOf("footer").bottom <= innerHeight];
    """
    tall, width, height, fits = play(lenet.html, script, tmp_path, "844,480")
    assert fits
    assert height > 0.8 * tall
    assert width > 450


def test_on_paper_the_whole_drawing_is_on_one_page(lenet, tmp_path):
    assert len(re.findall(rb"/Type\s*/Page\b", printed(lenet.html, tmp_path, dark=True))) == 1


def test_before_printing_the_whole_drawing_comes_into_the_view_and_then_goes_back(lenet, tmp_path):
    script = """
      const look = () => [$("#world").getAttribute("transform"), $("#stage > svg").getAttribute("viewBox")];
      const before = look();
      send(window, new Event("beforeprint"));
      const [transform, frame] = look();
      const { x, y, width, height } = $("#world").getBBox();
      send(window, new Event("afterprint"));
      return { same: String(look()) === String(before), transform, frame, whole: `${x} ${y} ${width} ${height}` };
    """
    told = play(lenet.html, script, tmp_path)
    assert (told["same"], told["transform"]) == (True, None)
    frame, whole = ([float(number) for number in told[name].split()] for name in ("frame", "whole"))
    assert frame == pytest.approx(whole, abs=3.0), "a bold label is a little wider"
