"""What drawings once got wrong: NaN and ∞, modules called again, several models and losses, `.grad` that held more."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest
from browser import needs_browser, play

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz import page
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.modules.find import find_modules

NUMBERS = tg.viz.Depth(numbers=True, details=True)


def leaf(values, name=None, dtype=np.float64):
    return tg.Tensor(np.asarray(values, dtype), requires_grad=True, name=name)


def kinds(record, kind):
    return [tensor.name for tensor in record.tensors if tensor.kind == kind]


# ------------------------------------------------------------------------------------------------------------ NaN and ∞


@pytest.mark.parametrize(
    ("function", "at", "drawn"),
    [
        (lambda x: x.sqrt(), [0.0, 1.0], "∞"),
        (lambda x: x.log(), [0.0, 1.0], "∞"),
        (lambda x: 1.0 / x, [0.0, 1.0], "∞"),
        (lambda x: x.sqrt() * x, [-1.0, 1.0], "NaN"),
        (lambda x: x * np.array([np.nan, 1.0]), [1.0, 1.0], "NaN"),
    ],
)
@pytest.mark.parametrize("scalar", [False, True])
def test_a_gradient_that_is_not_finite_is_drawn_as_such(function, at, drawn, scalar):
    x = leaf(at, "x")
    loss = function(x[0] if scalar else x).sum() if not scalar else function(x)[0]
    drawing = tg.viz.graph(loss, check=True)
    assert drawn in drawing.dot and theme.NOT_FINITE in drawing.dot
    assert "far off" not in drawing.dot
    data = re.search(r'id="records">(.*?)</script>', page.write(drawing.record, column.draw(drawing.record)))[1]
    json.loads(data, parse_constant=pytest.fail)
    assert drawn in tg.viz.text(loss) and drawn in str(tg.viz.explain(loss, wrt=x, index=0))


def test_a_nan_that_comes_from_above_is_not_the_palest_lane():
    x = leaf([1.0, 2.0], "x")
    with tg.viz.trace() as t:
        (x * 3.0).sum().backward(tg.tensor(np.nan, dtype="float64"))
    text = tg.viz.graph(t).dot
    assert theme.DECADES[-1] not in re.sub(r"label=<.*", "", text.partition("\tt0 ")[2])
    assert theme.NOT_FINITE in text


@pytest.mark.parametrize(
    "values", [[1e308, -1e308], [5e-324, 0.0], [1.0, np.nextafter(1.0, 2.0)], [1.7e308, 1.7e308], []]
)
def test_statistics_of_extreme_numbers_are_finite(values):
    with tg.viz.trace() as t:
        (leaf(values, "x") * 1.0).sum()
    found = t.record(depth=NUMBERS).tensors[0]
    assert np.isfinite([found.statistics.mean, found.statistics.std]).all()
    assert sum(found.details.histogram) == len(values)
    if len(set(values)) == 2:
        assert found.details.histogram[0] == found.details.histogram[-1] == 1


def test_one_layer_that_exploded_does_not_make_the_others_vanish():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with tg.viz.trace() as t:
        (net(tg.ones(2, 3)) * 1e30 * 1e30).sum().backward()
    assert "vanishing" not in tg.viz.graph(t).dot


# ----------------------------------------------------------------------------------------------------- calls and models


class Unrolled(nn.Module):
    def __init__(self):
        self.cell = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    def forward(self, x):
        for _ in range(3):
            x = self.cell(x) + 1.0
        return x


def declared(text):
    return set(re.findall(r'^\t+"?([\w-]+)"? \[', text, re.MULTILINE))


@pytest.mark.parametrize("fold", [True, False, "cell", "cell.0"])
def test_each_call_of_a_module_is_a_frame_or_a_box_of_its_own(fold):
    with tg.viz.trace() as t:
        Unrolled()(tg.ones(2, 3)).sum().backward()
    text = tg.viz.graph(t, fold=fold).dot
    ends = {end for pair in re.findall(r'^\t+"?([\w-]+)"? -> "?([\w-]+)"? \[', text, re.MULTILINE) for end in pair}
    assert ends <= declared(text)
    assert set(re.findall(r'id="?(module-0[\w-]*)', text)) == {"module-0", "module-0-1", "module-0-2"}


def test_calls_that_follow_one_another_are_two():
    cell = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    holder = nn.Module()
    holder.cell = cell
    with tg.viz.trace() as t:
        (cell(cell(tg.ones(2, 3)))).sum().backward()
    modules = find_modules(fold_view_ops(t.record()))
    assert [call.id for call in modules.calls.values() if call.path == "cell"] == ["module-0", "module-0-1"]


class Listed(nn.Module):
    def __init__(self, count):
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(count)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def test_modules_of_a_list_have_their_own_paths_and_findings():
    net = Listed(3)
    net.layers[1].weight.data[:] = 0.0
    with tg.viz.trace() as t:
        net(tg.randn(16, 3)).sum().backward()
    drawing = tg.viz.graph(t, fold="layers")
    assert drawing.folded == {"layers.0", "layers.1", "layers.2"}
    labels = re.findall(r"^\t+\"?(module-\d)\"? \[label=(.*)$", drawing.dot, re.MULTILINE)
    assert [("no gradient" in label) for _, label in labels] == [True, False, False]


def test_two_models_whose_paths_agree_are_told_apart_by_their_variables():
    first, second = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2))
    with tg.viz.trace() as t:
        loss = second(first(tg.ones(1, 2))).sum()
        loss.backward()
    names = ["first.0.weight", "first.0.bias", "second.0.weight", "second.0.bias"]
    for source in (t, loss):
        assert kinds(tg.viz.graph(source).record, "parameter") == names
    record = tg.viz.graph(t).record
    assert list(find_modules(fold_view_ops(record)).kinds) == ["first", "first.0", "second", "second.0"]
    assert "first.0.weight" in str(tg.viz.explain(t, wrt=first[0].weight, index=(0, 0)))


def test_models_without_a_variable_are_told_apart_by_class_and_number():
    models = [nn.Sequential(nn.Linear(2, 2)) for _ in range(3)]
    with tg.viz.trace() as t:
        (models[0](tg.ones(1, 2)) + models[1](tg.ones(1, 2)) + models[2](tg.ones(1, 2))).sum().backward()
    names = kinds(tg.viz.graph(t).record, "parameter")[::2]
    assert names == ["Sequential.0.weight", "Sequential 2.0.weight", "Sequential 3.0.weight"]


def test_models_that_one_variable_holds_in_turn_are_told_apart_by_number():
    models = [nn.Sequential(nn.Linear(2, 2)) for _ in range(3)]
    with tg.viz.trace() as t:
        sum(model(tg.ones(1, 2)).sum() for model in models).backward()
    names = kinds(tg.viz.graph(t).record, "parameter")[::2]
    assert names == ["model.0.weight", "model 2.0.weight", "model 3.0.weight"]


def test_a_module_that_two_models_share_is_one():
    shared = nn.Linear(2, 2)
    one, two = nn.Sequential(nn.Linear(2, 2), shared), nn.Sequential(nn.Linear(2, 2), shared)
    with tg.viz.trace() as t:
        (one(tg.ones(1, 2)) + two(tg.ones(1, 2))).sum().backward()
    paths = list(find_modules(fold_view_ops(tg.viz.graph(t).record)).kinds)
    assert paths.count("one.1") == 1 and "two.1" not in paths


# ------------------------------------------------------------------------------------------------- what was walked back


def test_a_metric_is_not_taken_for_the_loss():
    w = leaf([1.0, 2.0], "w")
    with tg.viz.trace() as t:
        loss = (w * w).sum()
        loss.backward()
        metric = tg.softmax(w, -1)
    assert kinds(tg.viz.graph(t).record, "output") == ["loss"]
    assert kinds(tg.viz.graph(t, output=metric).record, "output") == ["metric"]
    assert all(edge.contribution is None for edge in tg.viz.graph(t, output=metric).record.edges)


def test_all_losses_and_micro_batches_are_drawn_with_the_sum_of_their_gradients():
    rng = np.random.default_rng(0)
    w = leaf(rng.standard_normal(3), "w")
    seeds, xs = rng.standard_normal(4), rng.standard_normal((4, 3))
    with tg.viz.trace() as t:
        for seed, x in zip(seeds, xs, strict=True):
            (w * w * x).sum().backward(tg.tensor(seed, dtype="float64"))
    record = tg.viz.graph(t).record
    assert len(record.outputs) == 4
    expected = 2 * w.numpy() * (seeds[:, None] * xs).sum(0)
    np.testing.assert_allclose(record.tensors[0].gradient.details.values, expected, rtol=1e-12)
    np.testing.assert_allclose([tensor.gradient.value for tensor in record.tensors if tensor.kind == "output"], seeds)
    found = tg.viz.explain(t, wrt=w, index=1)
    assert found.gradient == pytest.approx(expected[1]) and found.difference == pytest.approx(expected[1], rel=1e-6)


def test_two_walks_over_one_graph_add_up_on_its_edges():
    w = leaf([1.0, -2.0], "w")
    with tg.viz.trace() as t:
        h = w * 3.0
        first, second = h.sum(), (h * h).sum()
        first.backward(retain_graph=True)
        second.backward()
    record = tg.viz.graph(t).record
    assert record.edges[0].contribution.details.values == tuple(w.grad.numpy())
    only = tg.viz.graph(t, output=second).record
    assert kinds(only, "output") == ["second"]
    np.testing.assert_allclose(only.edges[0].contribution.details.values, 18 * w.numpy())


def test_without_backward_every_result_that_nothing_used_is_drawn():
    w = leaf([1.0, 2.0], "w")
    with tg.viz.trace() as t:
        a, b = (w * 2.0).sum(), (w * 3.0).sum()
    assert kinds(tg.viz.graph(t).record, "output") == ["a", "b"]
    assert (a.name, b.name) == (None, None)


def test_a_gradient_of_a_gradient_is_drawn_from_where_backward_began():
    x, w = leaf([1.0, 2.0], "x"), leaf(2.0, "w")
    with tg.viz.trace() as t:
        (slope,) = tg.grad((w * x * x).sum(), [x], create_graph=True)
        penalty = (slope * slope).sum()
        penalty.backward()
    record = tg.viz.graph(t).record
    assert kinds(record, "output") == ["penalty"]
    assert next(tensor.gradient.value for tensor in record.tensors if tensor.name == "w") == w.grad.item()


def test_an_output_must_come_from_the_block_and_a_tensor_is_its_own():
    w = leaf([1.0, 2.0], "w")
    with tg.viz.trace() as t:
        loss = (w * w).sum()
    for wrong, error in (((w * 1.0), tg.GraphError), (3, TypeError), ([], tg.ArgumentError), (["x"], tg.DTypeError)):
        with pytest.raises(error):
            tg.viz.graph(t, output=wrong)
    with pytest.raises(tg.ArgumentError, match="output must be None, unless source is a trace"):
        tg.viz.graph(loss, output=loss)


# ---------------------------------------------------------------------------------------------------------------- .grad


def test_a_gradient_of_another_walk_is_not_drawn():
    w, v = leaf([1.0, 2.0], "w"), leaf([1.0, 2.0], "v")
    v.grad = tg.tensor([7.0, 7.0], dtype="float64")
    with tg.viz.trace() as t:
        a, b = (w * 2.0).sum(), (v * 3.0).sum()
        a.backward()
    drawn = {tensor.name: tensor.gradient for tensor in tg.viz.graph(t, output=[a, b]).record.tensors}
    assert drawn["w"].mean_abs == 2.0 and drawn["v"] is drawn["b"] is None


def accumulated():
    w = leaf([1.0, 2.0], "w")
    w.grad = tg.tensor([10.0, 10.0], dtype="float64")
    with tg.viz.trace() as t:
        (w * 3.0).sum().backward()
    return t


def test_what_grad_held_before_is_told_apart():
    tensor = accumulated().record(depth=NUMBERS).tensors[0]
    assert tensor.gradient.mean_abs == 3.0
    assert (tensor.held.before.mean_abs, tensor.held.after.mean_abs, tensor.held.alone) == (10.0, 13.0, False)
    assert ".grad: mean |·| 10 before, then mean |·| 13" in dot.write(accumulated().record(depth=NUMBERS))


@needs_browser
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("accumulated", ".grad of w held mean |·| 10 before, and now holds mean |·| 13."),
        ("alone", ".grad holds it."),
        ("live graph", ".grad is empty: backward() has not run."),
    ],
)
def test_the_page_says_what_grad_holds(state, said, tmp_path):
    if state == "accumulated":
        record = tg.viz.graph(accumulated()).record
    else:
        loss = (leaf([1.0, 2.0], "w") * 3.0).sum()
        if state == "alone":
            loss.backward(retain_graph=True)
        record = tg.viz.graph(loss).record
    drawn = page.write(record, column.draw(record))
    text = play(drawn, 'toTheEnd(); return textOf("#story");', tmp_path)
    assert text.endswith(f"The table shows it. {said}")


@needs_browser
def test_the_page_begins_at_every_loss_with_what_it_was_given(tmp_path):
    w = leaf(2.0, "w")
    with tg.viz.trace() as t:
        a, b = w * 3.0, w * w
        a.backward(tg.tensor(0.5, dtype="float64"), retain_graph=True)
        b.backward()
    record = tg.viz.graph(t).record
    script = """
      while (phase() !== "seed") press("ArrowRight");
      const begin = textOf("#story");
      toTheEnd();
      return [begin, rows()];
    """
    begin, rows = play(page.write(record, column.draw(record)), script, tmp_path)
    assert "at 2 tensors" in begin and "∂L/∂a = 0.5" in begin and "∂L/∂b = 1" in begin
    assert [float(row["gradient"]) for row in rows if row["name"] == "w"] == [w.grad.item()] == [5.5]


def test_a_hook_is_named_where_it_changed_a_gradient():
    w = leaf(2.0, "w")
    h = w * 3.0
    h.register_hook(lambda g: g * 10.0)
    loss = h + h
    for source in (loss, None):
        if source is None:
            with tg.viz.trace() as source:
                h = w * 3.0
                h.register_hook(lambda g: g * 10.0)
                (h + h).backward()
        text = tg.viz.graph(source).dot
        assert "grad = 20" in text and "1 + 1 = 20" not in text and "a hook changed it" in text


@pytest.mark.parametrize("write", [lambda w: w.data.__setitem__(0, 5.0), lambda w: w.__setitem__(0, 5.0)])
def test_a_parameter_that_was_changed_between_two_uses_is_checked_with_what_it_was(write):
    w = leaf([1.0, 2.0], "w")
    with tg.viz.trace() as t:
        for _ in range(2):
            (w * w).sum().backward()
            with tg.no_grad():
                write(w)
    record = tg.viz.graph(t, check=True).record
    assert max(edge.checked for edge in record.edges) < 1e-6
    assert record.tensors[0].details.values == (1.0, 2.0)
    with pytest.raises(tg.GraphError, match="changed between two uses"):
        tg.viz.explain(t, wrt=w)


def test_a_network_that_was_made_inside_of_the_trace_is_explained_with_the_values_that_its_step_used():
    """Initialization sets each parameter in place, and the optimizer's step changes it once more."""
    with tg.viz.trace() as t:
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        nn.init.constant_(model[0].weight, 0.25)
        x = np.float32([[1.0, -2.0, 0.5]])
        (model(tg.tensor(x)) ** 2).mean().backward()
        gradient = model[0].weight.grad.numpy().copy()
        tg.optim.SGD(model.parameters(), lr=0.1).step()
    explanation = tg.viz.explain(t, wrt=model[0].weight, index=(1, 2))
    assert explanation.gradient == pytest.approx(gradient[1, 2], rel=1e-5)
    assert explanation.difference == pytest.approx(gradient[1, 2], rel=1e-4)


# -------------------------------------------------------------------------------------------------- notebooks and files


class Shell:
    kernel = object()


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=Shell))


def test_a_drawing_shows_its_page_in_a_notebook():
    drawing = tg.viz.graph((leaf([1.0, 2.0], "w") * 3.0).sum())
    shown = drawing._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "&lt;!DOCTYPE html&gt;" in shown and "<script" not in shown
    assert "<svg" in drawing._repr_svg_()


def test_training_shows_a_bar_in_a_notebook(notebook, capsys):
    from tensorgrad.nn.training.progress import Bar, WholeBar, reporter

    assert type(reporter(True)) is Bar and type(reporter("bar")) is WholeBar


def test_figures_are_shown_by_pyplot():
    plt = pytest.importorskip("matplotlib.pyplot")
    ax = tg.viz.curves([{"loss": 0.9}, {"loss": 0.5}])
    assert ax.figure.number in plt.get_fignums()
    given = plt.figure().add_subplot()
    assert tg.viz.curves([{"loss": 0.9}], ax=given) is given


def test_files_are_replaced_whole_and_suffixes_may_be_capitals(tmp_path, monkeypatch):
    drawing = tg.viz.graph((leaf([1.0, 2.0], "w") * 3.0).sum())
    path = drawing.save(tmp_path / "a.DOT")
    before = path.read_text()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(tg.StorageError, match=r"Drawing.save(.|\n)*No space(.|\n)*a\.DOT"):
        tg.viz.graph(leaf(1.0) * 2.0).save(path)
    assert path.read_text() == before and [p.name for p in tmp_path.iterdir()] == ["a.DOT"]
    if importlib.util.find_spec("matplotlib"):
        (tmp_path / "t.png").write_bytes(b"old")
        with pytest.raises(tg.StorageError, match=r"save_training_figure(.|\n)*No space(.|\n)*t\.png"):
            tg.viz.save_training_figure([{"loss": 1.0}], tmp_path / "t.png")
        assert (tmp_path / "t.png").read_bytes() == b"old"
    with pytest.raises(tg.StorageError, match="can't be written"):  # a folder that can't be made
        drawing.save(path / "b.dot")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(tg.ArgumentError, match="path must be a file, got a folder"):
        drawing.save(tmp_path / "folder.svg")


def test_a_page_does_not_tell_where_the_program_lay():
    with tg.viz.trace() as t:
        (leaf([1.0, 2.0], "w") * 3.0).sum().backward()
    record = tg.viz.graph(t).record
    drawn = page.write(record, column.draw(record))
    assert os.path.dirname(__file__) not in drawn and os.path.basename(__file__) in drawn


@pytest.mark.parametrize("size", [1, 2])
def test_adaptive_pooling_is_not_drawn_as_einsum(size):
    x = leaf(np.ones((1, 2, 4, 4)), dtype=np.float32)
    with tg.viz.trace() as t:
        nn.AdaptiveAvgPool2d(size)(x).sum().backward()
    assert "einsum" not in tg.viz.graph(t).dot


# -------------------------------------------------------------------------------------------------------------- explain


@pytest.mark.parametrize("seed", range(4))
def test_gradients_that_are_right_to_rounding_are_not_said_to_differ(seed):
    """A shift of all logits changes no softmax: the true gradient is 0, in float32 it is what rounding has left."""
    rng = np.random.default_rng(seed)
    x = leaf(rng.standard_normal((32, 40)) * 3, "x", np.float32)
    shift = leaf([0.0], "shift", np.float32)
    weights = rng.standard_normal((32, 40)).astype(np.float32) * 1000
    with tg.viz.trace() as t:
        (tg.softmax(x + shift, axis=1) * weights).sum().backward()
    assert "✗" not in tg.viz.explain(t, wrt=shift, index=0).text(80)
    assert "✗" not in tg.viz.explain(t, wrt=x).text(80)


def test_a_wrong_rule_still_differs(monkeypatch):
    from tensorgrad.ops.elementwise.transcendental import Tanh

    wrong = Tanh.rules[0]._replace(backward=lambda op, grad, z: grad * (1 - z) * 1.02)
    monkeypatch.setattr(Tanh, "rules", (wrong,))
    x = leaf([0.3, -0.8], "x", np.float32)
    with tg.viz.trace() as t:
        x.tanh().sum().backward()
    assert "✗ differs" in tg.viz.explain(t, wrt=x, index=0).text(80)


def test_at_a_kink_any_slope_between_is_right():
    x = leaf(0.0, "x")
    assert "at a kink" in tg.viz.explain(x.relu() * 3.0, wrt=x).text(80)


# ----------------------------------------------------------------------------------------------------- the command line


HOSTILE = {
    "syntax.py": "def f(:",
    "quits.py": "raise SystemExit(3)",
    "raises.py": "1 / 0",
    "binary.py": "x\0",
    "imports.py": "import no_such_module_at_all",
    "net.py": (
        "from tensorgrad import nn\n"
        "model = nn.Linear(4, 2)\n"
        "three = 3\n"
        "class Sized(nn.Module):\n    def __init__(self, n): self.layer = nn.Linear(n, n)\n"
        "class Pair(nn.Module):\n    def forward(self, x): return x, x\n"
        "class Broken(nn.Module):\n    def forward(self, x): return x.foo()\n"
        "def factory(): return nn.Linear(4, 2)\n"
        "def failing(): raise KeyError('oh')\n"
    ),
}


@pytest.mark.parametrize(
    "call",
    [
        *(f"{name}:Net --input 1,4" for name in HOSTILE),
        *(
            f"net.py:{name} --input 1,4"
            for name in ("three", "Sized", "Pair", "Broken", "failing", "Missing", "", "a.b")
        ),
        *(f"net.py:model --input={sizes}" for sizes in ("-1,4", "a", "", "1,99999999999", "1,5", "1.5,4", ",")),
        "net.py:model --input 1,4 --out .",
        "net.py:model --input 1,4 --out x.jpg",
        "net.py:model --input 1,4 --label 9",
        "net.py:model net.py --input 1,4",
        "none.py:Net --input 1,4",
        ".:Net --input 1,4",
        "os:getcwd --input 1,4",
        ":Net --input 1,4",
    ],
)
def test_hostile_calls_end_with_a_clear_message(call, tmp_path, monkeypatch, capsys):
    from tensorgrad.__main__ import main

    for name, text in HOSTILE.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    with pytest.raises(SystemExit) as stopped:
        main(["draw", *call.split(" ")])
    said = str(stopped.value) if stopped.value.code != 2 else capsys.readouterr().err
    assert said and "Traceback" not in said


@pytest.mark.parametrize("name", ["model", "factory"])
def test_a_variable_or_a_function_names_a_model_too(name, tmp_path):
    (tmp_path / "net.py").write_text(HOSTILE["net.py"])
    command = [sys.executable, "-m", "tensorgrad", "draw", f"net.py:{name}", "--input", "1,4", "--out", "a.dot"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "wrote a.dot\n"
