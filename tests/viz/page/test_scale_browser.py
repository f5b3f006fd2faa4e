"""A page of thousands of parts: the document holds those in view, and steps, values and the table are those of all."""

import numpy as np
import pytest
from browser import needs_browser, play
from layout import needs_program

import tensorgrad as tg
from tensorgrad.viz import page
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.drawing import Drawing

pytestmark = needs_browser

STEPS = 300


@pytest.fixture(scope="module", name="record")
def long_record():
    w = tg.tensor(0.9, requires_grad=True, name="w")
    h = w * 1.0
    for k in range(STEPS):
        h = (h * w + float(k % 3)).tanh()
    return tg.viz.graph(h, max_ops=10_000).record


def test_the_document_holds_what_is_near_the_view_wherever_that_is(record, tmp_path):
    script = """
      const look = () => [all("#world .node, #world .edge").length, ids(".node.now"), isSeen(".node.now")];
      const told = [look()];
      for (const key of ["ArrowRight", "End", "ArrowLeft", "ArrowLeft", "Home"]) {
        press(key);
        told.push(look());
      }
      type("#slider", "500");
      return [...told, look(), document.querySelectorAll("*").length];
    """
    begin, first, end, *_, home, middle, elements = play(page.write(record, column.draw(record)), script, tmp_path)
    parts = len(record.ops) + len(record.tensors) + len(record.edges)
    assert parts > 3000
    assert max(count for count, *_ in (begin, first, end, home, middle)) < parts / 5
    assert first[1:] == [["op0", "t2"], True]
    assert middle[1:] == [sorted(["op499", record.ops[499].output]), True]
    assert elements < 5000


def test_steps_light_what_comes_into_view_later(record, tmp_path):
    script = """
      press("End");
      press("ArrowLeft");
      const lit = [ids(".visited"), ids(".edge.gradient.due")];
      type("#slider", "700");
      return [...lit, ids(".node.later"), ids(".node:not(.later)")];
    """
    visited, due, later, earlier = play(page.write(record, column.draw(record)), script, tmp_path)
    assert "edge-op0-0" in visited
    assert due == []
    numbers = [[int(id[2:]) for id in ids if id.startswith("op")] for ids in (later, earlier)]
    assert min(numbers[0]) == max(numbers[1]) + 1 == 700


def test_the_table_shows_a_part_and_leads_to_the_rest(record, tmp_path):
    script = """
      const told = [rows().length, textOf("#gradients .link:last-child")];
      press("End");
      told.push(rows()[0], all("#gradients p").map((part) => part.textContent));
      click("#gradients > p .link");
      const seen = [rows().length, rows().every((row) => row.arrived === row.expected)];
      press("ArrowLeft");
      return [...told, ...seen, $("tr.current")?.dataset.name, sums().w];
    """
    count, _, first, more, shown, complete, current, w = play(page.write(record, column.draw(record)), script, tmp_path)
    gradient = next(tensor.gradient.value for tensor in record.tensors if tensor.name == "w")
    assert count == shown == 150
    assert more[-1].endswith(("more below", "more above"))
    assert complete
    assert current == "w"
    assert w == [gradient]
    assert first["arrived"] == first["expected"]


@needs_program
def test_a_wide_drawing_opens_at_its_first_op_in_a_readable_size(tmp_path):
    """Branches side by side: all of their width would be too small to read."""
    x = tg.tensor([1.0, 2.0], name="x")
    weights = [tg.tensor(float(k), requires_grad=True, name=f"w{k}") for k in range(12)]
    drawing = Drawing(tg.viz.graph(tg.cat([(x * w).tanh() for w in weights]).sum()).record)
    script = """
      const { left, right, top } = boxOf('[id="op0"]');
      const stage = boxOf("#stage");
      const isSeen = left > stage.left && right < stage.right && top < stage.bottom;
      return [isSeen, $("#world").transform.baseVal[1].matrix.a];
    """
    is_in_view, scale = play(drawing.html, script, tmp_path)
    assert is_in_view
    assert scale == pytest.approx(0.6)


@needs_program
def test_from_afar_the_boxes_are_drawn_and_no_text(tmp_path):
    tg.manual_seed(0)
    w = tg.tensor(np.ones(3, np.float32), requires_grad=True, name="w")
    total = sum((w * float(k)).tanh().sum() for k in range(120))
    drawing = Drawing(tg.viz.graph(total, max_ops=10_000).record)
    script = """
      const look = () => [all(".outline").length > 0, all("#world text").length];
      const near = look();
      press("0");
      for (let k = 0; k < 20; k++) press("-");
      return [near, look(), textOf("#count"), press("ArrowRight"), ids(".now")];
    """
    near, far, count, _, now = play(drawing.html, script, tmp_path)
    assert near[0] is False
    assert far[0] is True
    assert far[1] < near[1]
    assert now[0] == "op0"
    assert count.startswith("0 / ")
