"""The page of the microscope in a browser: for every kind of layer, each number is the sum that it shows; the play."""

import itertools

import numpy as np
import pytest
from browser import needs_browser, play

import tensorgrad as tg
from tensorgrad.viz.microscope.cut import Cut
from tensorgrad.viz.microscope.microscope import Microscope
from tensorgrad.viz.microscope.rests import rests

pytestmark = needs_browser

# Goes to every layer, and on each side to some places; tells what the page says there.
VISIT = """
  const look = () => ({ ...document.body.dataset, title: textOf("#sum-title"), verdict: textOf(".verdict"),
    rows: all(".row[data-sum]").map((row) => Number(row.dataset.sum)) });
  const seen = [];
  for (let layer = 0; layer < all("#layers button").length; layer++) {
    for (const side of ["x", "w", "z"]) {
      press(side);
      seen.push(look());
      for (const key of ["c", "ArrowUp", "k", "i", "End"]) {
        press(key);
        seen.push(look());
      }
    }
    press("l");
  }
  return seen;
"""
IMAGES = (2, 0)


@pytest.fixture(scope="module")
def cuts(layers):
    """Two of three images, and three channels at most."""
    return {name: Cut.of(layer, IMAGES, 3) for name, layer in layers.items()}


@pytest.fixture(scope="module")
def visited(cuts, tmp_path_factory):
    """What the page says, by the name of the layer."""
    page = Microscope(tuple(cuts.values())).html
    seen = play(page, VISIT, tmp_path_factory.mktemp("page"))
    return {name: seen[18 * k : 18 * (k + 1)] for k, name in enumerate(cuts)}


def computed(layer, look):
    """What the step computed for the number that is shown, and its index."""
    image, channel, map, row, column = (int(look[key]) for key in ("image", "channel", "map", "row", "column"))
    inner = channel % (layer.pixels.values.shape[1] // layer.groups)
    index = {
        "weights": (map, inner, row, column),
        "windows": (image, map, row, column),
        "pixels": (image, channel, row, column),
    }[look["side"]]
    if look["side"] == "weights":
        return layer.filters.gradient, index
    side = getattr(layer, look["side"])
    is_result = (look["side"] == "windows") != layer.transposed
    return (side.values if is_result else side.gradient), index


def test_each_number_is_the_sum_that_the_page_shows(visited, cuts):
    told = 0
    for name, looks in visited.items():
        layer, part = cuts[name].layer, cuts[name]
        left_out = rests(part)
        sides = {look["side"] for look in looks}
        assert sides == ({"pixels", "windows"} if layer.filters is None else {"pixels", "weights", "windows"})
        for look in looks:
            recorded, index = computed(layer, look)
            assert float(look["recorded"]) == recorded[index], (name, look)
            np.testing.assert_allclose(float(look["total"]), recorded[index], rtol=1e-4, atol=1e-5, err_msg=name)
            assert look["agrees"] == "true" and look["verdict"].startswith("✓ the step computed"), (name, look)
            key = {"pixels": "pixel_rest", "windows": "window_rest", "weights": "weight_rest"}[look["side"]]
            place = (IMAGES.index(index[0]), *index[1:]) if look["side"] != "weights" else index
            rest = left_out[key][place] if key in left_out else 0.0
            np.testing.assert_allclose(float(look["rest"]), rest, rtol=1e-6, atol=1e-9)
            on_result_side = (look["side"] == "windows") != layer.transposed and look["side"] != "weights"
            channel = index[1] if on_result_side else None
            bias = float(layer.filters.bias[channel]) if layer.filters is not None and on_result_side else 0.0
            shown = sum(look["rows"]) + float(look["rest"]) + bias
            np.testing.assert_allclose(shown, float(look["total"]), rtol=1e-6, atol=1e-9)
            told += 1
    assert told == 18 * len(cuts)


def test_choosing_leads_to_different_places_and_names_them(visited, cuts):
    places = {
        tuple(look[key] for key in ("side", "image", "channel", "map", "row", "column")) for look in visited["grouped"]
    }
    assert len(places) > 15
    for look in visited["plain"]:
        image, channel, map, row, column = (look[key] for key in ("image", "channel", "map", "row", "column"))
        name = {
            "pixels": f"∂L/∂x[{image}, {channel}, {row}, {column}]",
            "weights": f"∂L/∂w[{map}, {channel}, {row}, {column}]",
            "windows": f"z[{image}, {map}, {row}, {column}]",
        }[look["side"]]
        assert look["title"].startswith(f"{name} = ")
    assert visited["signal"][0]["title"].count(",") == 2
    groups = {(int(look["channel"]) // 3, int(look["map"]) // 2) for look in visited["grouped"]}
    assert groups <= {(0, 0), (1, 1)}, "a filter and a channel that it doesn't see"


# The play is stepped, so that no clock matters.
PLAY = """
  const swept = [];
  for (let layer = 0; layer < all("#layers button").length; layer++) {
    for (const key of ["f", "b"]) {
      press(key);
      press(" ");
      const first = { ...document.body.dataset };
      press("ArrowRight");
      press("ArrowRight");
      press("ArrowLeft");
      const second = { ...document.body.dataset, now: textOf("#now"), numbers: sweptNow() };
      press("End");
      swept.push([first, second, { ...document.body.dataset, numbers: sweptNow() }]);
      press("Escape");
    }
    press("l");
  }
  return [swept, document.body.dataset.play, isSeen("#stop")];
"""
SWEPT = """
globalThis.sweptNow = () => {
  const layer = layerNow();
  const side = operationNow(layer) === "gather" ? "windows" : "pixels";
  return [...shownPlane(layer, { side, name: sweptName(layer) }).numbers];
};
start();
})();"""


def test_a_play_ends_with_the_numbers_of_the_step(cuts, tmp_path):
    page = Microscope(tuple(cuts.values())).html.replace("\nstart();\n})();", SWEPT)
    swept, play_at_the_end, stops = play(page, PLAY, tmp_path)
    assert (play_at_the_end, stops, len(swept)) == ("", False, 2 * len(cuts))
    for (name, part), direction in itertools.product(cuts.items(), ("forward", "backward")):
        layer = part.layer
        first, second, last = swept.pop(0)
        count = len(layer.axes[0].starts) * len(layer.axes[1].starts)
        assert first["play"] == direction and second["at"] == str(min(1, max(0, min(2, count - 1) - 1)))
        assert last["at"] == str(count - 1) and second["now"] == f"window {int(second['at']) + 1} of {count}"
        gathers = (direction == "forward") != layer.transposed
        side = layer.windows if gathers else layer.pixels
        recorded = side.values if direction == "forward" else side.gradient
        channel = int(last["map" if gathers else "channel"])
        plane = recorded[int(last["image"]), channel].ravel()
        np.testing.assert_allclose(last["numbers"], plane, rtol=1e-4, atol=1e-5, err_msg=f"{name} {direction}")
        if gathers:
            shown = [number is not None for number in second["numbers"]]
            assert shown == [k <= int(second["at"]) for k in range(count)]
        elif count > 4:
            assert not np.allclose(second["numbers"], plane, atol=1e-5)


def test_clicks_strips_and_rows(cuts, tmp_path):
    script = """
      const told = [];
      const pictures = all("figure canvas");
      const at = (canvas, x, y) => {
        const box = canvas.getBoundingClientRect();
        const [clientX, clientY] = [box.left + x * box.width, box.top + y * box.height];
        send(canvas, new MouseEvent("click", { bubbles: true, clientX, clientY }));
        const { side, row, column } = document.body.dataset;
        told.push([side, Number(row), Number(column)]);
      };
      at(pictures[0], 0.99, 0.01);
      at(pictures[2], 0.01, 0.99);
      at(pictures[5], 0.99, 0.99);
      const d = document.body.dataset;
      click('[data-chooses="map"][data-number="2"]');
      told.push(d.map);
      click('[data-chooses="image"][data-number="1"]');
      told.push(d.image, $('#images [aria-pressed="true"]').getAttribute("aria-label"));
      click('.row:nth-child(3) button');
      told.push(d.channel);
      click('#layers button:nth-child(9)');
      told.push(d.layer, $('#layers [aria-current="true"]').textContent);
      const named = (part) => part.closest("[aria-hidden]") || part.getAttribute("aria-label") || part.textContent;
      const unnamed = all("canvas, button").filter((part) => !named(part));
      told.push(unnamed.length, $("i:not([aria-hidden])"));
      return told;
    """
    told = play(Microscope(tuple(cuts.values())).html, script, tmp_path)
    assert told[:3] == [["pixels", 0, 5], ["weights", 2, 0], ["windows", 2, 4]]
    assert told[3:7] == ["2", "0", "image 0", "1"]
    assert told[7] == "<i>up</i>" and told[7] in told[8] and "transposed convolution" in told[8]
    assert told[9:] == [0, None], "every control and picture has a name; names are text"


def test_a_number_is_followed_through_the_layers(tmp_path):
    rng = np.random.default_rng(8)
    first, second = tg.nn.Conv2d(1, 3, 3), tg.nn.ConvTranspose2d(3, 2, 2)
    with tg.viz.trace() as step:
        h = tg.max_pool2d(first(tg.tensor(rng.standard_normal((2, 1, 8, 8)).astype(np.float32))).tanh(), 2)
        second(h).square().sum().backward()
    script = """
      const seen = [];
      const look = () => {
        const { layer, side, image, channel, map, row, column } = document.body.dataset;
        seen.push([layer, side, ...[image, side === "pixels" ? channel : map, row, column].map(Number)]);
      };
      for (const key of ["l", "l", "i", "x", "End", "c", "k"]) press(key);
      look();
      for (const key of ["p", "n", "p", "x", "p", "p", "n", "n"]) { press(key); look(); }
      click(".links button");
      look();
      return [seen, textOf(".links")];
    """
    seen, link = play(tg.viz.microscope(step).html, script, tmp_path)
    at_pool, at_first = ["max pooling", "windows", 1, 1, 2, 2], ["first", "windows", 1, 1, 2, 2]
    transposed = ["second", "windows", 1, 1, 2, 2]
    inside = ["max pooling", "pixels", 1, 1, 2, 2]
    assert seen[:4] == [transposed, at_pool, transposed, at_pool]
    assert seen[4:] == [inside, at_first, at_first, inside, inside, at_first]
    assert link == "it goes to x[1, 1, 2, 2] of max pooling"


def test_a_first_layer_says_that_its_input_needs_no_gradient(tmp_path):
    conv = tg.nn.Conv2d(1, 2, 3)
    with tg.viz.trace() as step:
        (conv(tg.ones(2, 1, 5, 5)) ** 2).sum().backward()
    script = """
      press("x");
      const { recorded, total } = document.body.dataset;
      return [recorded, Number(total), textOf(".verdict"), textOf("figure:nth-of-type(2)")];
    """
    recorded, total, verdict, caption = play(tg.viz.microscope(step).html, script, tmp_path)
    assert recorded == "null" and "didn't compute" in verdict and "not recorded" in caption
    layer = tg.viz.microscope(step).cuts[0].layer
    # The strongest window lies at (0, 0), as all are equal: the pixel there met one weight of each filter.
    expected = (layer.filters.weights[:, 0, 0, 0] * layer.windows.gradient[0, :, 0, 0]).sum()
    np.testing.assert_allclose(total, expected, rtol=1e-5)
