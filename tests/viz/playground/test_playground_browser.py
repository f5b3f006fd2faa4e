"""The page of a playground in a browser: its numbers are the engine's at any place, and its controls work."""

import json

import numpy as np
import pytest
from browser import needs_browser, play

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

pytestmark = needs_browser

START = "\nstart();\n})();"
INSIDE = "\nglobalThis.inside = { tensors: program.tensors, values, gradients, compute, loss: program.loss };" + START


def page_of(function, tensors, tmp_path):
    with tg.viz.trace() as step:
        function(tensors).backward()
    path = tg.viz.graph(step, names=tensors).playground().save(tmp_path / "play.html")
    return path.read_text(encoding="utf-8").replace(START, INSIDE)


# ----------------------------------------------------------------------------------------- the numbers are the engine's


def neuron(w, x, b):
    return ((w * x).sum() + b).tanh() ** 2


def shared_and_detached(w, x):
    h = w @ w + x  # one weight, used twice
    return (h.relu() @ w * h.detach()).mean() + (w.detach() ** 3).sum() * w[0, 0]


def perceptron(w1, b1, w2, b2, x, y):
    hidden = (x @ w1.T + b1).sigmoid()
    return nn.mse_loss(F.linear(hidden, w2, b2), y)


def kinks(w, x):
    chosen = tg.where(w > x, w * x, w - x).abs()
    tied = tg.stack([w, w.detach()], -1)  # of equal elements max pooling takes the first, amax both by halves
    chosen = chosen + tg.max_pool1d(tied, 2)[..., 0] + 3 * tied.amax(-1)
    clipped = w.clip(-0.5, 0.5) + tg.maximum(w, x) - (w * 3).round() * w
    return (chosen + clipped + F.gelu(w) + F.leaky_relu(x, 0.2) * w).sum()


def classifier(w, b, x):
    scores = F.linear(x, w, b)
    labels = tg.tensor([0, 2, 1, 2, 0])
    likely = -tg.log_softmax(scores, 1)[tg.arange(5), labels].mean()
    return nn.cross_entropy(20 * scores, labels) + likely + (tg.softmax(500 * scores, 0) * scores).sum()


def convolution(image, filters, bias, scale, shift, w):
    maps = tg.conv2d(image, filters, bias, padding=1)
    normed = F.batch_norm(maps, None, None, scale, shift, training=True)
    pooled = tg.max_pool2d(normed.relu(), 2)
    kept = tg.dropout(pooled.flatten(1), 0.5, generator=np.random.default_rng(3))
    return nn.cross_entropy(kept @ w, tg.tensor([1, 0]))


def statistics(w, x, scale, shift):
    normed = F.layer_norm(w, (3,), scale, shift)
    ends = w.amax(1).sum() - (w * x).amin() + tg.logsumexp(w * 30, 0).sum()
    moments = (w + x).var(0).sum() + w.std() + w.prod() + tg.cumprod(w, 1).sum() + tg.linalg.norm(w - x)
    return ends + moments + (normed * x).cumsum(0).mean() + tg.einsum("ij,kj,kj->", w, x, w)


def layout(w, x):
    w2 = w * 2
    w2[0] = x[1] * w[2]
    parts = tg.cat([w2[:, 1:], x.flip(0)], 1).permute(1, 0).reshape(-1)
    (slope,) = tg.grad((w.sin() * x).sum(), [w], create_graph=True)
    return (parts * tg.arange(len(parts)).double()).sum() + (slope**2).sum() + tg.avg_pool2d(w[None, None], 2).sum()


KINDS = {
    neuron: dict(w=(3,), x=(3,), b=()),
    shared_and_detached: dict(w=(3, 3), x=(3, 3)),
    perceptron: dict(w1=(4, 2), b1=(4,), w2=(1, 4), b2=(1,), x=(8, 2), y=(8, 1)),
    kinks: dict(w=(3, 2), x=(3, 2)),
    classifier: dict(w=(3, 4), b=(3,), x=(5, 4)),
    convolution: dict(image=(2, 1, 6, 6), filters=(2, 1, 3, 3), bias=(2,), scale=(2,), shift=(2,), w=(18, 2)),
    statistics: dict(w=(4, 3), x=(4, 3), scale=(3,), shift=(3,)),
    layout: dict(w=(3, 3), x=(3, 3)),
}
INPUTS = "x", "y", "image"


def leaves(seed):
    """Random tensors in float64 for all kinds, by `kind.name`; rounded ones, of which some tie, as at kinks."""
    rng = np.random.default_rng(seed)
    shapes = {f"{kind.__name__}.{name}": shape for kind, given in KINDS.items() for name, shape in given.items()}
    arrays = {name: np.round(rng.standard_normal(shape), 1 + seed) for name, shape in shapes.items()}
    return {name: tg.tensor(a, requires_grad=name.split(".")[1] not in INPUTS) for name, a in arrays.items()}


def total(tensors):
    """The sum of all kinds: a page for each would take a browser each."""
    parts = [kind(**{name: tensors[f"{kind.__name__}.{name}"] for name in given}) for kind, given in KINDS.items()]
    return sum(parts[1:], start=parts[0])


def test_every_value_and_gradient_is_the_engines_at_any_numbers(tmp_path):
    page = page_of(total, leaves(0), tmp_path)
    places = [leaves(seed) for seed in range(3)]
    given = [{name: t.detach().numpy().ravel().tolist() for name, t in place.items()} for place in places]
    script = f"""
      const {{ tensors, values, gradients, compute }} = inside;
      const free = tensors.filter((tensor) => tensor.free);
      const text = (numbers, slots) => [...slots].map((slot) => String(numbers[slot]));
      return {json.dumps(given)}.map((place) => {{
        for (const {{ title, slots }} of free) slots.forEach((slot, k) => (values[slot] = place[title][k]));
        compute();
        return tensors.map(({{ id, slots }}) => [id, text(values, slots), text(gradients, slots)]);
      }});
    """
    for told, place in zip(play(page, script, tmp_path), places, strict=True):
        with tg.viz.trace() as step:
            total(place).backward()
        recorder = tg.viz.graph(step, names=place).recorder
        expected = recorder.arrays()
        assert {id for id, *_ in told} == expected.keys()
        for id, *found in told:
            for numbers, array in zip(found, expected[id], strict=True):
                if array is not None:
                    numbers = np.array(numbers, float)
                    np.testing.assert_allclose(numbers, array.ravel(), rtol=1e-6, atol=1e-9, err_msg=id)
        arrived = [gradient is not None for _, gradient in expected.values()]
        assert sum(arrived) > 100


# ------------------------------------------------------------------------------------------------------- the controls


def tanh_neuron(w, b, x):
    return ((w * x).sum() + b).tanh() ** 2


def neuron_leaves(w=(0.5, -1.0), b=0.25):
    w, b = (tg.tensor(value, dtype="float64", requires_grad=True) for value in (w, b))
    return {"w": w, "b": b, "x": tg.tensor([2.0, 1.0], dtype="float64")}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(lambda tensors: tanh_neuron(**tensors), neuron_leaves(), tmp_path_factory.mktemp("play"))


LOOK = """
  const real = (query) => numberIn(textOf(query).split(" = ").at(-1));
  const look = () => ({
    loss: real("#loss"), predicted: real("#predicted"), actual: real("#actual"), left: real("#left"),
    title: textOf("#chosen-title"), said: textOf("#said"), slope: real("#slope"),
  });
"""


def loss_and_gradients(**given):
    tensors = neuron_leaves(**given)
    loss = tanh_neuron(**tensors)
    loss.backward()
    return loss.item(), tensors["w"].grad.numpy(), tensors["b"].grad.item()


def test_a_change_shows_what_the_gradient_predicts_and_what_happens(page, tmp_path):
    script = (
        LOOK
        + """
      const seen = [look()];
      type('#leaves input[type="range"]', "0.75");
      seen.push(look());
      type('#leaves input[type="number"]', "0.35");
      seen.push(look());
      click("#step");
      seen.push(look());
      click("#reset");
      seen.push(look());
      return seen;
    """
    )
    start, slid, typed, stepped, back = play(page, script, tmp_path)
    loss, w, b = loss_and_gradients()
    assert start["loss"] == back["loss"] == pytest.approx(loss, rel=1e-5)
    assert start["actual"] == start["predicted"] == back["actual"] == 0
    for look, value in ((slid, 0.75), (typed, 0.35)):
        moved, _, slope = loss_and_gradients(b=value)
        assert look["title"].startswith("b = ")
        assert look["loss"] == pytest.approx(moved, rel=1e-4)
        assert look["slope"] == pytest.approx(slope, rel=1e-4)
        assert look["predicted"] == pytest.approx(b * (value - 0.25), rel=1e-3), (
            "measured from where it was first touched"
        )
        assert look["actual"] == pytest.approx(moved - loss, rel=1e-3)
        assert look["left"] == pytest.approx(moved - loss - b * (value - 0.25), rel=1e-2)
        assert "predicted" in look["said"]
    before, w, b = loss_and_gradients(b=0.35)
    after, _, _ = loss_and_gradients(w=np.array([0.5, -1.0]) - 0.1 * w, b=0.35 - 0.1 * b)
    assert stepped["loss"] == pytest.approx(after, rel=1e-4)
    assert stepped["predicted"] == pytest.approx(-0.1 * (w @ w + b * b), rel=1e-3)
    assert stepped["actual"] == pytest.approx(after - before, rel=1e-3)


def test_cells_change_by_keys_by_dragging_and_by_the_wheel(page, tmp_path):
    script = """
      const { values, tensors } = inside;
      const w = tensors.find(({ title }) => title === "w");
      const now = () => [...w.slots].map((slot) => values[slot]);
      const cell = () => $('#leaves .grid [aria-pressed="true"]');
      const told = [now()];
      press("ArrowRight", $("#leaves .grid button"));
      told.push(cell().getAttribute("aria-label"), document.activeElement === cell());
      press("+", cell());
      told.push(now());
      press("-", cell());
      told.push(now());
      const drawn = $("#stage .cell.free.chosen");
      send(drawn, new WheelEvent("wheel", { deltaY: -1, bubbles: true, cancelable: true }));
      told.push(now());
      send(drawn, new PointerEvent("pointerdown", { clientX: 100, bubbles: true }));
      send(window, new PointerEvent("pointermove", { clientX: 150 }));
      send(window, new PointerEvent("pointerup", {}));
      send(window, new PointerEvent("pointermove", { clientX: 300 }));
      told.push(now(), $("#world").getAttribute("transform"), textOf("#stage .cell.free.chosen text"));
      $("#results").open = true;
      await new Promise((done) => setTimeout(done, 50));
      const unnamed = all("button, input, svg[role]").filter((part) => !part.closest("label")
        && !part.getAttribute("aria-label") && !part.textContent.trim());
      told.push(unnamed.length, all("#curve path").length);
      press("r");
      told.push(now());
      return told;
    """
    start, label, has_focus, up, down, wheeled, dragged, view, digits, unnamed, curves, reset = play(
        page, script, tmp_path
    )
    assert start == down == reset == [0.5, -1]
    assert label == "w[1] = −1"
    assert has_focus
    assert up == wheeled == [0.5, pytest.approx(-0.96)]
    assert dragged == [0.5, pytest.approx(-0.96 + 50 * 0.02)], "not after the button was released"
    assert digits == "0.04"
    assert "NaN" not in view
    assert unnamed == 0
    assert curves == 3


def test_the_drawing_follows_value_by_value_and_product_by_product(page, tmp_path):
    script = """
      const linesOf = (group) => [...group.querySelectorAll("text")].map((text) => text.textContent);
      const flows = () => all("g.edge.gradient").map((edge) => [edge.id, linesOf(edge)]);
      const shown = () => [flows(), all("#stage g.tensor").map(({ textContent }) => textContent.replaceAll("−", "-"))];
      const before = shown();
      type('#leaves input[type="number"]', "-1.5");
      return [before, shown(), all("#products li").map(({ textContent }) => textContent)];
    """
    before, after, products = play(page, script, tmp_path)
    loss, w, b = loss_and_gradients(b=-1.5)
    s = 0.5 * 2 - 1 - 1.5
    flow = {edge: "".join(texts).strip().replace("−", "-") for edge, texts in after[0] if texts}
    assert f"1 × {2 * np.tanh(s):.4g} = {2 * np.tanh(s):.4g}" in flow["edge-op4-0"]
    assert f"{2 * np.tanh(s):.4g} × {1 - np.tanh(s) ** 2:.4g} = {b:.4g}" in flow["edge-op3-0"]
    assert f"= {1 - np.tanh(s) ** 2:.4g}" in flow["edge-op3-0"].partition("×")[0], "the rule has its number, too"
    assert flow["edge-op0-0"].endswith(f"= {np.abs(w).mean():.3g}")
    assert all(texts != others for (_, texts), (_, others) in zip(before[0], after[0], strict=True) if texts)
    assert f"{loss:.3g}" in after[1][-1]
    assert products == [f"{b:.4g} × 1 = {b:.4g} from u₃".replace("-", "−")]
