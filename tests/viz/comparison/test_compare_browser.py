"""A comparison's page in a browser: the key D leads from difference to difference, both runs' numbers are shown."""

import numpy as np
from browser import needs_browser, play
from layout import needs_program

import tensorgrad as tg

pytestmark = needs_browser


def run(weights):
    w, v = (tg.tensor(array, requires_grad=True, name=name) for name, array in zip("wv", weights, strict=True))
    with tg.viz.trace() as t:
        h = (w * 3.0).tanh()
        loss = (h * v).sum()
        loss.backward()
    return t, w, v


def two_runs():
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((2, 4))
    return run(weights), run([weights[0], weights[1] + [0.0, 0.5, 0.0, -0.25]])


@needs_program
def test_d_visits_the_differences_from_the_largest_on(tmp_path):
    (before, *_), (after, w, _) = two_runs()
    comparison = tg.viz.compare(before, after)
    script = """
      const table = all("#differences tbody tr").map((row) => ({ ...row.dataset }));
      const seen = table.map(() => { press("d"); return [$("#details").dataset.of, textOf("#details")]; });
      press("D");
      return { table, seen, again: $("#details").dataset.of, current: all("#differences .current").length,
               title: textOf("h1"), starts: textOf("#differences p"), step: step() };
    """
    told = play(comparison.html, script, tmp_path)
    pairs = {pair.id: pair for pair in comparison.runs.pairs}
    expected = {
        (pair.id, what): found.relative
        for pair in pairs.values()
        for what in ("value", "gradient")
        if (found := getattr(pair, what)) is not None and found.apart
    }
    table = [(row["tensor"], row["what"], float(row["relative"])) for row in told["table"]]
    assert {(id, what): relative for id, what, relative in table} == expected
    assert [relative for *_, relative in table] == sorted(expected.values(), reverse=True)
    assert [id for id, _ in told["seen"]] == [id for id, *_ in table]
    assert told["again"] == table[0][0], "behind the last comes the first"
    assert (told["current"], told["step"], told["title"]) == (1, 0, "before and after, compared")
    assert told["starts"] == "Parameters and inputs that differ: v"
    gradient_of_w = next(text for id, text in told["seen"] if pairs[id].second.name == "w")
    assert "Gradient in after" in gradient_of_w
    k = pairs[comparison.record.tensors[0].id].gradient.index
    assert f"{w.grad.numpy()[k]:.3g}".replace("-", "−") in gradient_of_w


def test_the_panel_tells_constants_apart_by_what_they_went_into(tmp_path):
    def run(k):
        w = tg.tensor([1.0, -2.0], requires_grad=True, name="w")
        with tg.viz.trace() as t:
            ((w * k + (k - 7)) ** 2).sum().backward()
        return t

    script = 'return [textOf("#differences p"), all("#differences .value .link").map((link) => link.textContent)];'
    starts, rows = play(tg.viz.compare(run(1.0), run(2.0)).html, script, tmp_path)
    assert starts.startswith("Parameters and inputs that differ: constant in u₁")
    assert {"constant in u₁", "constant in u₂"} <= set(rows)


def test_long_names_break_behind_a_dot_or_a_slash_and_not_inside_a_word(tmp_path):
    def run(k):
        w = tg.tensor([1.0, -2.0], requires_grad=True, name="encoder.convolution1.weight")
        with tg.viz.trace() as t:
            (w * w * k).sum().backward()
        return t

    script = """
      const link = all("#differences .gradient .link").find((link) => link.textContent.includes("weight"));
      const range = document.createRange(), lines = new Map();
      for (const node of link.querySelector(".name").childNodes) {
        for (let k = 0; k < (node.nodeType === 3 ? node.length : 0); k++) {
          range.setStart(node, k), range.setEnd(node, k + 1);
          const { top } = range.getBoundingClientRect();
          lines.set(top, (lines.get(top) ?? "") + node.data[k]);
        }
      }
      return [...lines.values()];
    """
    lines = play(tg.viz.compare(run(1.0), run(3.0)).html, script, tmp_path)
    assert "".join(lines) == "∂L/∂encoder.convolution1.weight"
    assert len(lines) > 1
    assert all(line[-1] in "./" for line in lines[:-1])


def test_runs_that_agree_say_so_and_a_plain_page_has_no_such_panel(tmp_path):
    (before, *_), _ = two_runs()
    same = tg.viz.compare(before, before)
    script = 'press("d"); return [textOf("#differences"), isSeen("#details"), isSeen("#key-d")];'
    text, details, key = play(same.html, script, tmp_path)
    assert "before and before agree to rounding." in text
    assert (details, key) == (False, True)
    plain = tg.viz.graph(before).html
    assert play(plain, script, tmp_path) == ["", False, False]
