"""The page in a browser: stepping to every parameter's gradient, clicking, folding, searching; and nothing throws."""

import json
from pathlib import Path

import numpy as np
import pytest
from browser import needs_browser, play
from layout import HAS_PROGRAM, needs_program
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz import Depth, page
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.drawing import Drawing

pytestmark = needs_browser

DETAILED = Depth(numbers=True, details=True, check=True)


class TwoLayers(nn.Module):
    def __init__(self):
        self.hidden, self.output = nn.Linear(5, 7), nn.Linear(7, 4)

    def forward(self, x):
        return self.output(self.hidden(x).sigmoid())


def scalars():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))
    return {"a": a, "b": b, "c": c}, ((a * b + c).tanh() * a).sum()


def pages_record(run):
    """The parameters after a step, and its records."""
    with tg.viz.trace() as t:
        parameters, loss = run()
        loss.backward()
    return parameters, t.record(loss, names=parameters, depth=DETAILED)


def of_model(kind, shape, classes=10):
    def run():
        tg.manual_seed(0)
        network = kind()
        return dict(network.named_parameters()), loss_of(network, shape, classes)

    return run


two_layers = of_model(TwoLayers, (4, 5), classes=4)
lenet = of_model(LeNet5, (4, 1, 28, 28))
resnet = of_model(lambda: ResNet18(width=2), (2, 3, 32, 32))


def page_of(record, layout):
    return page.write(record, Drawing(record).svg if layout == "graphviz" else column.draw(record))


def shared_weight():
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.standard_normal((9, 9)).astype(np.float32), requires_grad=True)
    h = tg.Tensor(rng.standard_normal((3, 9)).astype(np.float32))
    for _ in range(4):
        h = (h @ w).tanh()
    return {"w": w}, (h * rng.standard_normal((3, 9)).astype(np.float32)).sum()


RUNS = {"shared weight": shared_weight, "scalars": scalars, "two layers": two_layers, "LeNet": lenet, "ResNet": resnet}
layouts = pytest.mark.parametrize("layout", [pytest.param("graphviz", marks=needs_program), "column"])


@layouts
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_stepping_to_the_end_gives_every_parameter_its_gradient(run, layout, tmp_path):
    parameters, record = pages_record(run)
    script = "return [rows(), toTheEnd(), rows(), sums()];"
    before, steps, after, sums = play(page_of(record, layout), script, tmp_path)
    kinds = [[tensor.name for tensor in record.tensors if tensor.kind == kind] for kind in ("parameter", "interior")]
    assert [row["name"] for row in before] == [name for names in kinds for name in names], "in the order of the drawing"
    contributions = [edge for edge in record.edges if edge.contribution]
    # Each op, then 1 at the loss, each edge, and the end.
    assert steps == len(record.ops) + 1 + len(contributions) + 1
    assert {row["arrived"] for row in before} == {"0"}
    assert not any({"gradient", "values", "meanAbs"} & row.keys() for row in before)
    found = {row["name"]: row for row in after}
    for name, parameter in parameters.items():
        row, gradient = found[name], parameter.grad.numpy()
        assert row["arrived"] == row["expected"] != "0"
        assert float(row["meanAbs"]) == pytest.approx(np.abs(gradient).mean(dtype=np.float64), rel=1e-12)
        np.testing.assert_array_equal(sums[name], gradient.ravel())
        if gradient.ndim == 0:
            assert float(row["gradient"]) == gradient.item()
        elif gradient.size <= 64:
            np.testing.assert_array_equal(json.loads(row["values"]), gradient.ravel())


def test_a_sum_is_made_in_the_browser_part_by_part(tmp_path):
    _, record = pages_record(scalars)
    script = """
      const seen = [];
      while (phase() !== "end") {
        const a = rows().find((row) => row.name === "a");
        seen.push([phase(), a.arrived, a.gradient, textOf("#story")]);
        press("ArrowRight");
      }
      return seen.filter(([phase]) => phase === "backward");
    """
    told = play(page_of(record, "column"), script, tmp_path)
    # Youngest op first: Σ, × (h and a), tanh, + (its product and c), × (a and b).
    assert [arrived for _, arrived, _, _ in told] == ["0", "0", "1", "1", "1", "1", "2", "2"]
    later, earlier = (edge.contribution.value for edge in record.edges if edge.tensor == "t0")
    assert float(told[2][2]) == earlier
    assert float(told[6][2]) == np.add(earlier, later, dtype=np.float32).item()
    assert "∂L/∂a = ∂L/∂u₁ · ∂u₁/∂a = 1.573 × −3 = −4.719" in told[6][3]
    assert "Path 2 of 2 to a: 0.4621 so far, + −4.719 → −4.257" in told[6][3]


def test_keys_buttons_and_slider_lead_to_the_same_steps(tmp_path):
    _, record = pages_record(scalars)
    script = """
      const seen = [];
      for (const act of [
        () => press("ArrowLeft"), () => press("ArrowRight"), () => press("ArrowRight"), () => press("ArrowLeft"),
        () => press("End"), () => press("ArrowRight"), () => press("Home"),
        () => click("#next"), () => click("#last"), () => click("#previous"), () => click("#first"),
        () => type("#slider", "7"), () => press("ArrowRight", $("#slider")), () => press("ArrowRight", $("#search")),
      ]) {
        act();
        seen.push(step());
      }
      return seen;
    """
    assert play(page_of(record, "column"), script, tmp_path) == [0, 1, 2, 1, 15, 15, 0, 1, 15, 14, 0, 7, 8, 8]


def test_there_and_back_leaves_no_trace(tmp_path):
    _, record = pages_record(two_layers)
    script = """
      const lit = () => ["now", "later", "visited", "due"].map((name) => ids(`.${name}`));
      const shown = () => JSON.stringify([textOf("#story"), $("#gradients").innerHTML, lit()]);
      const [there, back] = [[], []];
      do { there[step()] = shown(); press("ArrowRight"); } while (phase() !== "end");
      do { press("ArrowLeft"); back[step()] = shown(); } while (step() > 0);
      return [new Set(there).size, there.length, there.map((text, k) => text === back[k])];
    """
    different, length, same = play(page_of(record, "column"), script, tmp_path)
    assert different == length > 10
    assert all(same)


@layouts
def test_what_is_at_work_is_lit_and_what_comes_later_is_pale(layout, tmp_path):
    _, record = pages_record(scalars)
    script = """
      const lit = () => [ids(".now"), ids(".later"), ids(".visited")];
      press("ArrowRight");
      press("ArrowRight");
      const forward = lit();
      for (let k = 0; k < 6; k++) press("ArrowRight");
      return [forward, lit()];
    """
    (now, later, visited), backward = play(page_of(record, layout), script, tmp_path)
    assert (now, visited) == (["op1", "t4"], [])
    assert {"op2", "t5", "edge-op2-0", "op4", "t7", "edge-op3-1"} <= set(later)
    assert not {"op0", "t0", "edge-op1-0", "edge-op1-out"} & set(later)
    now, later, visited = backward
    assert (now, later) == (["edge-op3-0", "t5"], [])
    assert {"edge-op4-0", "edge-op4-out", "edge-op3-0"} <= set(visited)
    assert not {"edge-op3-1", "edge-op2-0"} & set(visited)


@layouts
def test_a_click_tells_all_that_is_known(layout, tmp_path):
    _, record = pages_record(lenet)
    weight, bias = (next(t.id for t in record.tensors if t.name == f"conv1.{name}") for name in ("weight", "bias"))
    script = """
      const tell = (id) => {
        click(`[id="${id}"]`);
        const count = (part) => all(`#details ${part}`).length;
        return [textOf("#details"), ...[".picture", ".histogram", ".values td"].map(count), ids(".chosen").join()];
      };
      const told = %s.map(tell);
      press("Escape");
      return [told, isSeen("#details"), ids(".chosen")];
    """
    clicked = [weight, bias, "op0", "edge-op0-2"]
    told, is_open, chosen = play(page_of(record, layout), script % json.dumps(clicked), tmp_path)
    assert [lit for *_, lit in told] == clicked
    assert [tuple(counts) for _, *counts, _ in told] == [(2, 2, 0), (2, 2, 12), (0, 0, 0), (1, 1, 6)]
    line = record.ops[0].source
    known = [
        ("conv1.weight", "(6, 1, 5, 5)", "float32", "mean ± deviation", "from … to", "mean |·|"),
        ("conv1.bias", "(6,)"),
        ("z = x ∗ w + b", "padding", "conv1 (Conv2d)", f"{Path(line.file).name}:{line.number}", line.text),
        ("conv1.bias → ∗", record.edges[2].applied, "✓ agrees with finite differences"),
    ]
    for (text, *_), pieces in zip(told, known, strict=True):
        assert [piece for piece in pieces if piece not in text] == []
    assert (is_open, chosen) == (False, [])


def test_search_finds_names_ops_and_modules(tmp_path):
    _, record = pages_record(lenet)
    script = """
      const found = (text) => {
        type("#search", text);
        return [textOf("#matches"), ids(".found")];
      };
      const told = ["CONV2.weight", "relu", "fc1", "nowhere", ""].map(found);
      type("#search", "relu");
      press("Enter", $("#search"));
      press("Enter", $("#search"));
      told.push(textOf("#matches"));
      press("Escape", $("#search"));
      return [...told, ids(".found"), step()];
    """
    weight, relus, fc1, nowhere, nothing, third, left, step = play(page_of(record, "column"), script, tmp_path)
    assert weight == ["1 of 1", [next(t.id for t in record.tensors if t.name == "conv2.weight")]]
    assert {op.id for op in record.ops if op.name == "relu"} == set(relus[1])
    assert {t.id for t in record.tensors if t.name.startswith("fc1.")} < set(fc1[1])
    assert (nowhere, nothing, third) == (["0 found", []], ["", []], "3 of 4")
    assert (left, step) == ([], 0)


FOLDING = """
  const height = () => $("#world").getBBox().height;
  const parts = () => all(".node, .edge path, .cluster path");
  const places = () => JSON.stringify(parts().map((part) => [part.getAttribute("transform"), part.getAttribute("d")]));
  const aside = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1;
  const apart = (a, b) => aside(a, b) || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  const boxes = () => all(".node, .folded").map((part) => part.getBoundingClientRect());
  const neat = () => boxes().every((a, k) => boxes().slice(k + 1).every((b) => apart(a, b)));
  const placeOf = (part) => part.transform.baseVal.consolidate().matrix.f;
  const first = placeOf($(".node"));
  const shifts = () => new Set(all(".node").map((part) => placeOf(part) - first));
  const look = () => ({
    height: height(), folded: all(".folded").length, neat: neat(), places: places(), shifts: [...shifts()],
    module: $(".cluster path")?.getBBox().height, box: $(".folded rect")?.getBBox().height,
    rules: all('[id^="edge-op0-"] text').filter((text) => text.getBoundingClientRect().width).length,
  });
"""


@needs_program
def test_folding_takes_the_height_out_and_unfolding_gives_it_back(tmp_path):
    _, record = pages_record(lenet)
    script = f"""
      {FOLDING}
      const told = [look()];
      click(".cluster text");
      told.push(look());
      press("f");
      told.push(look());
      press("f");
      told.push(look());
      return told;
    """
    laid_out, one, all_folded, again = play(page_of(record, "graphviz"), script, tmp_path)
    assert laid_out["folded"] == again["folded"] == 0
    assert one["folded"] == 1 < all_folded["folded"]
    # What stands below the folded module comes up by what the module lost; what stands above stays.
    assert one["box"] == pytest.approx(46), "two lines"
    assert sorted(one["shifts"]) == pytest.approx([one["box"] - laid_out["module"], 0], abs=1e-3)
    assert laid_out["shifts"] == [0]
    # The rules of a hidden op go with it.
    assert laid_out["rules"] == again["rules"] > one["rules"] == 0
    assert all_folded["height"] < one["height"] - 30
    assert again["places"] == laid_out["places"]
    assert [state["neat"] for state in (laid_out, one, all_folded, again)] == [True] * 4


@needs_program
def test_steps_inside_of_a_folded_module_light_its_box(tmp_path):
    parameters, record = pages_record(lenet)
    weight = next(t.id for t in record.tensors if t.name == "fc2.weight")
    script = f"""
      press("f");
      const isHidden = !isSeen('[id="{weight}"]');
      const lit = [];
      while (phase() !== "end") {{
        press("ArrowRight");
        if ($("tr.current")?.dataset.name === "fc2.weight") lit.push(...all(".now").map((part) => part.textContent));
      }}
      return [isHidden, lit, rows()];
    """
    is_hidden, lit, rows = play(page_of(record, "graphviz"), script, tmp_path)
    assert is_hidden
    (text,) = lit
    assert "fc2" in text
    assert parameters.keys() <= {row["name"] for row in rows if row["arrived"] == row["expected"]}


def test_hostile_names_are_text_in_the_browser_too(tmp_path):
    names = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "x" * 10_000, "重み", "\"'\n\t"]
    names.append("משקל\N{RIGHT-TO-LEFT OVERRIDE}وزن")

    def run():
        parameters = {name: tg.tensor(2.0, requires_grad=True, name=name) for name in names}
        loss = tg.tensor(1.0)
        for w in parameters.values():
            loss = loss * w
        return parameters, loss

    _, record = pages_record(run)
    script = """
      toTheEnd();
      const titles = rows().map((row) => {
        click(`[data-show="${row.tensor}"]`);
        return textOf("#details h2");
      });
      type("#search", "<script>");
      const made = [document.scripts.length, document.images.length];
      return [titles, rows().map((row) => row.name), textOf("#matches"), made];
    """
    count = sum("<script>" in text for text in (*(t.name for t in record.tensors), *(op.applied for op in record.ops)))
    for layout in ("column", "graphviz") if HAS_PROGRAM else ("column",):
        titles, told, found, made = play(page_of(record, layout), script, tmp_path)
        assert set(names) <= set(told)
        assert set(names) <= set(titles)
        assert found == f"1 of {count}"
        # The page's three scripts, the trap and the reader.
        assert made == [3, 0]


def test_a_failed_computation_shows_what_ran_and_the_error(tmp_path):
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        (tg.ones(3, 4, requires_grad=True) * 2) @ tg.ones(5, 6)
    record = t.record(depth=DETAILED)
    script = """
      const told = [phase(), textOf("#story"), textOf("#details .error"), isSeen("#gradients table")];
      press("Home");
      return [...told, step()];
    """
    phase, story, error, table, first = play(page_of(record, "column"), script, tmp_path)
    assert (phase, first) == ("failed", 0), "it opens at the error"
    assert record.ops[-1].error.splitlines()[0] in story
    assert error == record.ops[-1].error
    assert not table


def test_without_numbers_the_rules_are_still_walked(tmp_path):
    parameters, loss = scalars()
    loss.backward()
    record = tg.viz.graph(loss, names=parameters).record
    script = 'toTheEnd(); press("ArrowLeft"); return [rows(), textOf("#story")];'
    rows, story = play(page_of(record, "column"), script, tmp_path)
    assert {row["arrived"] == row["expected"] for row in rows} == {True}
    assert "∂u₁/∂b = a" in story


@pytest.mark.parametrize("size", ["1400,900", "900,700", "420,800"])
def test_nothing_is_cut_off_on_a_narrow_screen(size, tmp_path):
    _, record = pages_record(lenet)
    script = """
      press("ArrowRight");
      click('[id="t1"]');
      const { width, height } = boxOf("#stage");
      const page = document.documentElement;
      return [page.scrollWidth <= innerWidth, boxOf("footer").bottom <= innerHeight, isSeen("#details"), width, height];
    """
    wide, tall, details, width, height = play(page_of(record, "column"), script, tmp_path, size)
    assert (wide, tall, details) == (True, True, True)
    assert width > 250
    assert height > 150


def test_small_and_large_numbers_are_written_as_powers_of_ten(tmp_path):
    def run():
        w, x = (tg.tensor(v, dtype="float64", requires_grad=True) for v in (-1.278e-8, 2.5e7))
        return {"w": w, "x": x}, w * x * 0.25

    _, record = pages_record(run)
    script = """
      toTheEnd();
      const shown = all("#gradients tbody tr").map((row) => row.lastChild.textContent);
      press("ArrowLeft");
      return [shown, textOf("#story")];
    """
    shown, story = play(page_of(record, "column"), script, tmp_path)
    assert shown == ["6250000", "−3.195·10⁻⁹", "0.25"]
    assert "e−" not in story and "e+" not in story
