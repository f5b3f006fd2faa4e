"""The doctor's drawing as a page: the problems stand at their places, with their remedies, and the steps still work."""

import warnings

import numpy as np
from browser import needs_browser, play
from layout import needs_program

import tensorgrad as tg
from tensorgrad import nn

pytestmark = [needs_browser, needs_program]


def test_the_page_shows_each_problem_at_its_place_and_steps_to_the_gradients(tmp_path):
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=1))
    pixels = np.random.default_rng(0).random((48, 3)) * 255
    x, y = tg.tensor(pixels.astype(np.float32)), tg.tensor(np.arange(48) % 4)
    with warnings.catch_warnings(), tg.viz.trace() as trace:
        warnings.simplefilter("ignore")
        nn.cross_entropy(model(x), y).backward()
    report = tg.viz.doctor(trace)
    script = """
      const textsAt = (id) => [...document.getElementById(id).querySelectorAll("text")].map((text) => text.textContent);
      const places = %s.map(textsAt);
      return [places, toTheEnd(), rows()];
    """
    ids = [finding.where for finding in report.findings]
    places, steps, rows = play(report.drawing.html, script % ids, tmp_path)
    assert len(ids) == 2
    for finding, texts in zip(report.findings, places, strict=True):
        assert finding.text in texts
        assert any(text.startswith("→ ") for text in texts)
    assert steps > 5
    found = {row["name"]: row for row in rows}
    for name, parameter in model.named_parameters():
        mean = np.abs(parameter.grad.numpy()).mean(dtype=np.float64)
        assert abs(float(found[name]["meanAbs"]) / mean - 1) < 1e-9
