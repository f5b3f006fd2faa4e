"""Every kind of page is audited by axe-core, in the light and in the dark: nothing serious is found."""

import warnings

import numpy as np
import pytest
from axe import audit, needs_axe
from browser import needs_browser
from layout import needs_program
from networks import LeNet5, loss_of

import tensorgrad as tg
from tensorgrad import nn

pytestmark = [needs_browser, needs_axe, needs_program, pytest.mark.slow]


def neuron():
    numbers = {"x": 0.5, "w": -1.2, "b": 0.3}
    x, w, b = (tg.tensor(number, requires_grad=name != "x", name=name) for name, number in numbers.items())
    h = (w * x + b).sigmoid()
    return (h - 1.0) ** 2 + 0.1 * w**2


def step_of(run):
    with tg.viz.trace() as step:
        run().backward()
    return step


def failed():
    with pytest.raises(tg.ShapeError), tg.viz.trace() as step:
        (tg.ones(3, 4, requires_grad=True) * 2) @ tg.ones(5, 6)
    return step


def doctor():
    model = nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=1))
    x = tg.tensor(255 * np.random.default_rng(0).random((48, 3), dtype=np.float32))
    return tg.viz.doctor(step_of(lambda: nn.cross_entropy(model(x), tg.tensor(np.arange(48) % 4)))).drawing.html


def film():
    model, rng = LeNet5(), np.random.default_rng(0)
    images, labels = rng.standard_normal((6, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 6)
    film = tg.viz.Film(model, images, labels, every=2)
    sgd, data = tg.optim.SGD(model.parameters(), lr=0.05), [(tg.tensor(images), tg.tensor(labels))]
    nn.fit(model, data, loss=nn.cross_entropy, optimizer=sgd, epochs=6, progress=False, callbacks=[film])
    return film.html


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Each kind of page by its name."""
    tg.manual_seed(0)
    folder = tmp_path_factory.mktemp("pages")
    small, model = tg.viz.graph(step_of(neuron)), LeNet5()
    one, other = (step_of(lambda: loss_of(model, (4, 1, 28, 28), 10)) for _ in range(2))
    small.exercise(folder / "sheet.html", key=folder / "key.html")
    small.playground(folder / "playground.html")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {"doctor": doctor(), "film": film()}
    saved = {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    drawn = {"step": tg.viz.graph(one).html, "failed": tg.viz.graph(failed()).html}
    rest = {"comparison": tg.viz.compare(one, other).html, "microscope": tg.viz.microscope(one).html}
    views = {"compact": drawn["step"], "lid": drawn["step"], "problem": made["doctor"]}
    return made | saved | drawn | rest | views


STATES = {
    "step": 'toTheEnd(); press("f"); click("#gradients button"); ',
    "comparison": 'press("d");',
    "failed": 'press("End");',
    "doctor": 'press("ArrowRight"); press("ArrowRight"); click(".node.parameter text");',
    "film": 'press("End");',
    "microscope": 'press("w");',
    "playground": 'click("#step");',
    "sheet": "",
    "key": "",
    "compact": 'toTheEnd(); press("c"); click(".node text"); ',
    "lid": 'click(".cluster text"); ',
    "problem": 'press("n"); press("f"); press("c"); ',
}
"""What is done on each page before the audit, so that all of its parts are there."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing(name, dark, pages, tmp_path):
    assert audit(pages[name], tmp_path, STATES[name], dark=dark) == []


def test_axe_finds_what_is_wrong(pages, tmp_path):
    spoilt = 'document.querySelector("h1").style.color = "#bbbbbb"; const field = document.getElementById("search");'
    spoilt += 'field.removeAttribute("aria-label"); field.placeholder = "";'
    found = {rule: impact for rule, impact, _ in audit(pages["step"], tmp_path, spoilt)}
    assert found == {"color-contrast": "serious", "label": "critical"}
