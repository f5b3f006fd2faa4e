"""What a notebook shows when a cell ends with an object of the package; nbclient runs one where it is installed."""

import base64
import importlib.util
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from browser import needs_browser, play
from everyday import GRAPHS, Tape

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset, TransformDataset


class Cells(HTMLParser):
    """The cells of all tables, row by row, and the text outside of them; fails where a tag isn't closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.text, self._open = [], "", []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "table" in self._open:
            self.rows[-1][-1] += data
        else:
            self.text += data


# ---------------------------------------------------------------------------------------------------- without a kernel


def test_a_tensor_shows_what_it_is_and_its_numbers():
    values = np.array([[0.5, -2.0, 1e-7], [3.0, 0.25, 123456.7]])
    shown = Cells(tg.tensor(values, requires_grad=True, name="a<b")._repr_html_())
    assert shown.rows == [["0.5", "−2", "1·10⁻⁷"], ["3", "0.25", "123500"]]
    assert "a<b · (2, 3) · float64 · requires a gradient" in shown.text
    assert "20600 ± 46000, −2 … 123500" in shown.text


def test_of_a_large_tensor_the_first_matrix_and_its_edges_are_shown():
    values = np.arange(2 * 3 * 20 * 5).reshape(2, 3, 20, 5)
    shown = Cells(tg.tensor(values)._repr_html_())
    assert "[0, 0]:" in shown.text and "(2, 3, 20, 5) · int64" in shown.text
    assert [len(row) for row in shown.rows] == [5] * 13
    assert shown.rows[0] == ["0", "1", "2", "3", "4"] and shown.rows[-1] == ["95", "96", "97", "98", "99"]
    assert shown.rows[6] == ["…"] * 5


@pytest.mark.parametrize(
    "tensor, said",
    [
        (tg.tensor(2.5), "scalar · float32"),
        (tg.zeros(0), "(0,) · float32"),
        (tg.zeros(2, 0, 3), "(2, 0, 3) · float32"),
        (tg.tensor([True, False]), "(2,) · bool"),
        (tg.tensor([float("nan"), float("inf"), 1.0]), "1 NaN, 1 ∞"),
        (tg.tensor([float("nan")] * 2), "2 NaN"),
        (tg.tensor([1.0, 2.0], requires_grad=True).sum(), "scalar · float32 · result of sum"),
    ],
)
def test_any_tensor_shows(tensor, said):
    assert said in Cells(tensor._repr_html_()).text


def test_tints_grow_with_the_numbers_and_tell_their_signs():
    shown = tg.tensor([-4.0, -1.0, 0.0, 4.0])._repr_html_()
    tints = [tuple(map(float, tint)) for tint in re.findall(r"rgba\((\d+), \d+, \d+, ([\d.]+)\)", shown)]
    blue, orange = tints[0][0], tints[3][0]
    assert blue != orange and [tint[0] for tint in tints[:2]] == [blue, blue]
    assert tints[0][1] == tints[3][1] > tints[1][1] > tints[2][1] == 0


def test_a_module_is_an_outline_to_fold():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1))
    model[1].requires_grad_(False)
    shown = model._repr_html_()
    assert shown.count("<details open>") == 2
    text = Cells(shown).text
    assert "Sequential 13 parameters, 4 frozen" in text
    assert "0: Linear in_features=2, out_features=3, bias=True: 9 parameters" in text
    many = nn.Sequential(*(nn.Sequential(nn.Linear(1, 1)) for _ in range(40)))._repr_html_()
    assert many.count("<details open>") == 1 and many.count("<details>") == 40


def test_a_history_is_a_table_of_its_epochs():
    history = nn.History()
    for epoch in range(1, 31):
        history.add_step(epoch, 8, {"loss": 1 / epoch, "accuracy": 0.5}, 0.125, float(epoch))
        history.add_epoch({"loss": 1 / epoch, "accuracy": 0.5}, float(epoch))
    history.add_step(31, 8, {"loss": 0.03, "accuracy": 0.5}, 0.125, 31.0)
    shown = Cells(history._repr_html_())
    assert shown.rows[0] == ["epoch", "loss", "accuracy", "learning rate", "seconds"]
    assert shown.rows[2] == ["2", "0.5000", "50.0 %", "0.125", "2.0"]
    assert [row[0] for row in shown.rows[1:]] == [*map(str, range(1, 11)), "…", *map(str, range(21, 31))]
    assert "30 epochs, 31 steps, 248 images, 31.0 s; of the next epoch 1 steps" in shown.text
    assert Cells(nn.History()._repr_html_()).rows == []
    history.epochs[0]["loss"] = "<i>"  # a file may hold anything
    assert "<i>" not in history._repr_html_() and Cells(history._repr_html_()).rows[1][1] == "<i>"


def test_loaders_and_datasets_say_what_they_hold():
    data = TensorDataset(np.zeros((10, 1, 8, 8), np.float32), np.zeros(10, int))
    assert repr(data) == "TensorDataset(10 items: (1, 8, 8) float32, scalar int64)"
    loader = DataLoader(data, batch_size=4, shuffle=True)
    assert repr(loader) == f"DataLoader({data!r}, batch_size=4, shuffle=True): 3 batches"
    assert repr(DataLoader([1, 2, 3])) == "DataLoader(list(3 items), batch_size=1): 3 batches"
    assert repr(TransformDataset(data, lambda x: x)) == "TransformDataset(10 items)"

    class Unfinished(tg.nn.data.Dataset):
        pass

    class Stream(tg.nn.data.IterableDataset):
        def __iter__(self):
            return iter([1])

    assert repr(Unfinished()) == "Unfinished()"
    assert repr(DataLoader(Stream())) == "DataLoader(Stream(), batch_size=1)"


def test_a_text_shows_its_lines():
    w = tg.tensor(2.0, requires_grad=True)
    shown = tg.viz.text((w * 3.0).tanh(), width=60)
    assert isinstance(shown, str) and repr(shown) == str(shown) and shown.count("\n") > 3


def test_a_trace_shows_its_graph_and_none_where_there_is_none():
    with tg.viz.trace() as nothing:
        pass
    assert nothing._repr_html_() is None
    with tg.viz.trace() as step:
        (tg.tensor(2.0, requires_grad=True) * 3.0).backward()
    assert step._repr_html_().startswith("<iframe srcdoc=") and "The chain rule" in step._repr_html_()


def test_a_notebook_that_drops_frames_shows_a_note_and_the_picture_in_its_place():
    """JupyterLab does so in a notebook that somebody else ran: it keeps what stands within the frame."""
    w = tg.tensor(2.0, requires_grad=True, name="w")
    with tg.viz.trace() as step:
        (w * 3.0).tanh().backward()
    for shown in (step, tg.viz.graph(step)):
        inside = re.fullmatch(r"<iframe [^>]*>(.*)</iframe>", shown._repr_html_(), re.DOTALL)[1]
        picture = re.search(r'<img alt="" src="data:image/svg\+xml;base64,([^"]*)">', inside)[1]
        svg = base64.b64decode(picture).decode()
        assert "Trust Notebook" in inside and svg.lstrip().startswith("<?xml") and "w = 2" in svg
    assert "Trust Notebook" in tg.viz.graph(step).playground()._repr_html_()


# A browser without a window draws no frames, and only they tell observers of new sizes.
OBSERVED = """<head><script>
  const observers = [];
  globalThis.ResizeObserver = class { constructor(told) { observers.push(told); } observe() {} };
</script>"""


@needs_browser
def test_a_page_that_gets_its_size_late_is_placed_when_it_has_one(tmp_path):
    """A notebook makes the frame of a page before it shows it."""
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    page = tg.viz.graph((w * w).sum()).html
    script = """
    const [stage, main] = [document.getElementById("stage"), document.querySelector("main")];
    const box = () => document.getElementById("world").getBoundingClientRect();
    const resize = (columns) => {
      main.style.gridTemplateColumns = columns;
      observers.forEach((told) => told());
      const [a, b] = [stage.getBoundingClientRect(), box()];
      return [b.left >= a.left && b.right <= a.right && b.top >= a.top, b.width];
    };
    resize("0 1fr");
    const small = resize("200px 1fr"), large = resize("700px 1fr");
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY: -300, clientX: 200, clientY: 200 }));
    const moved = box().width;
    return [small, large, moved, resize("300px 1fr")[1]];
    """
    small, large, moved, kept = play(page.replace("<head>", OBSERVED, 1), script, tmp_path)
    assert small[0] and large[0] and small[1] < large[1]
    assert kept == pytest.approx(moved), "the reader's own view stays"


@needs_browser
def test_a_page_of_an_error_that_gets_its_size_late_shows_the_error_the_legend_and_the_minimap(tmp_path):
    page = tg.viz.graph(Tape(GRAPHS["failed"]).trace).html
    hidden = "main { width: 0 !important; height: 0 !important; min-height: 0 !important; flex: none !important; }"
    script = """
    document.getElementById("late").remove();
    observers.forEach((told) => told());
    const [stage, error, map] = ["#stage", "g.failed", "#map"].map(boxOf);
    const isInside = error.left >= stage.left && error.right <= stage.right && error.top >= stage.top;
    return [isInside && error.bottom <= stage.bottom, $("#legend").open, map.height > 0.2 * stage.height];
    """
    late = page.replace("<head>", OBSERVED, 1).replace("</head>", f'<style id="late">{hidden}</style></head>', 1)
    assert play(late, script, tmp_path) == [True, True, True]


# -------------------------------------------------------------------------------------------------------- with a kernel

installed = all(importlib.util.find_spec(name) for name in ("nbclient", "nbformat", "ipykernel"))
START = """
import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset
tg.manual_seed(0)
images, labels = tg.randn(32, 1, 6, 6), tg.tensor([0, 1] * 16)
loader = DataLoader(TensorDataset(images, labels), batch_size=8)
model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2))
x, w = tg.tensor(0.5, name="x"), tg.tensor(-1.2, requires_grad=True, name="w")
with tg.viz.trace() as small:
    loss = ((w * x).tanh() - 1.0) ** 2
    loss.backward()
with tg.viz.trace() as step:
    nn.cross_entropy(model(images), labels).backward()
sgd = nn.optim.SGD(model.parameters(), lr=0.1)
film = tg.viz.Film(model, images[:4], labels[:4], every=2)
None
"""
FRAME, TABLE, PICTURE = ("text/html", "<iframe"), ("text/html", "<table"), ("image/png", "")
CELLS = {
    "small": FRAME,
    "tg.viz.graph(step)": FRAME,
    "tg.viz.text(small)": ("text/plain", "computed ↓ "),
    "tg.viz.explain(small, wrt=w)": ("text/markdown", r"\frac{\partial L}{\partial w}"),
    "w": TABLE,
    "model": ("text/html", "<details open>"),
    "nn.summary(model, (1, 1, 6, 6))": TABLE,
    "loader": ("text/plain", "DataLoader(TensorDataset(32 items: "),
    "history = nn.fit(model, loader, loss=nn.cross_entropy, optimizer=sgd, epochs=2, callbacks=[film])\nhistory": TABLE,
    "film": FRAME,
    "tg.viz.curves(history)": PICTURE,
    "tg.viz.filters(model[0].weight)": PICTURE,
    "tg.viz.confusion_matrix(labels, model(images).detach())": PICTURE,
    "tg.viz.roc_curve(labels, model(images).detach()[:, 1])": PICTURE,
    "tg.viz.microscope(step)": FRAME,
    "tg.viz.graph(small).playground()": FRAME,
    "tg.viz.graph(small).exercise()": FRAME,
    "tg.viz.compare(small, small)": FRAME,
    "tg.viz.doctor(step)": ("text/markdown", "othing was found"),
    "tg.viz.check_rule('square', lambda x: x)": ("text/plain", "square: the gradient of x is wrong"),
}


@pytest.mark.skipif(not installed, reason="needs nbclient and ipykernel")
def test_every_object_shows_in_a_notebook():
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(source) for source in (START, *CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    assert notebook.cells[0].outputs == [] or all(o.output_type == "stream" for o in notebook.cells[0].outputs)
    for cell, (kind, part) in zip(notebook.cells[1:], CELLS.values(), strict=True):
        bundles = [output.data for output in cell.outputs if output.output_type in ("execute_result", "display_data")]
        found = [bundle[kind] for bundle in bundles if kind in bundle]
        assert any(part in text for text in found), (cell.source, [list(bundle) for bundle in bundles])
        shown = [bundle["text/plain"] for bundle in bundles if set(bundle) == {"text/plain"}]
        assert not any(" object at 0x" in text or "\\n" in text for text in shown if "<Axes" not in text), cell.source
