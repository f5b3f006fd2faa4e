"""Learning curves: what is drawn from which history, without pyplot, and what is refused."""

import builtins
import subprocess
import sys

import pytest

import tensorgrad as tg
from tensorgrad.viz import curves, save_training_figure
from tensorgrad.viz.plots.training.curves import training_figure

pytest.importorskip("matplotlib")

EPOCHS = [
    {"epoch": 1, "images": 4, "loss": 0.9, "accuracy": 0.5, "validation_loss": 0.8, "validation_accuracy": 0.625},
    {"epoch": 2, "images": 8, "loss": 0.25, "accuracy": 0.75},
    {"epoch": 3, "images": 12, "loss": 0.125, "accuracy": 1.0, "validation_loss": 0.5, "validation_accuracy": 0.984},
]
STEPS = [{"epoch": 1 + k // 2, "images": 2 * k + 2, "loss": 1.0 / (k + 1)} for k in range(6)]


class Run:
    """Like the History of `fit`."""

    def to_dict(self):
        return {"epochs": EPOCHS, "steps": STEPS}


def drawn(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}


def test_loss_per_step_per_epoch_and_on_the_validation_data():
    ax = curves(Run())
    assert drawn(ax) == {
        "each step": ([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]),
        "training": ([1, 2, 3], [0.9, 0.25, 0.125]),
        "validation": ([1, 3], [0.8, 0.5]),
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert ax.get_title() == "loss: training 0.125, validation 0.5"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["each step", "training", "validation"]


def test_accuracy_is_in_percent():
    ax = curves(Run(), "accuracy")
    assert drawn(ax)["validation"] == ([1, 3], [62.5, pytest.approx(98.4)])
    assert ax.get_ylabel() == "accuracy (%)"
    assert ax.get_title() == "accuracy: training 100.0 %, validation 98.4 %"


@pytest.mark.parametrize(
    "history",
    [
        {"epochs": EPOCHS},
        EPOCHS,
        {"epoch": [1, 2, 3], "loss": [0.9, 0.25, 0.125], "validation_loss": [0.8, None, 0.5]},
        [{k: v for k, v in record.items() if k != "epoch"} for record in EPOCHS],
    ],
)
def test_plain_data_of_each_form_gives_the_same_curves(history):
    assert drawn(curves(history)) == {"training": ([1, 2, 3], [0.9, 0.25, 0.125]), "validation": ([1, 3], [0.8, 0.5])}


def test_the_axes_that_are_given_are_drawn_on_and_returned():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert curves(Run(), ax=ax) is ax
    assert len(ax.get_lines()) == 3


def test_a_figure_has_a_panel_for_accuracy_only_if_there_is_one():
    assert [ax.get_ylabel() for ax in training_figure(Run()).axes] == ["loss", "accuracy (%)"]
    assert [ax.get_ylabel() for ax in training_figure({"loss": [2.0, 1.0]}).axes] == ["loss"]


def test_the_history_of_fit_is_understood():
    from tensorgrad.nn.training.history import History

    assert drawn(curves(History(STEPS, EPOCHS))) == drawn(curves(Run()))


def test_the_training_figure_is_written_where_it_is_wanted(tmp_path):
    path = save_training_figure(Run(), tmp_path / "out" / "training.png")
    assert path == tmp_path / "out" / "training.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_plots_leave_pyplot_alone(tmp_path):
    code = (
        "import sys, tensorgrad as tg\n"
        f"tg.viz.save_training_figure([{{'loss': 1.0}}], {str(tmp_path / 'a.png')!r})\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"


def test_what_is_no_history_is_refused():
    with pytest.raises(tg.ArgumentError, match=r"no epoch has 'f1'(.|\n)*'accuracy'"):
        curves(Run(), "f1")
    with pytest.raises(tg.ArgumentError, match="a history of at least one epoch"):
        curves([])
    with pytest.raises(tg.ArgumentError, match="equally long lists"):
        curves({"loss": [1.0], "validation_loss": [1.0, 2.0]})
    for wrong in (3, "loss", [1.0, 2.0], {"loss": 1.0}, {"epochs": 3}):
        with pytest.raises(tg.DTypeError, match="must be a training history"):
            curves(wrong)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"tensorgrad-engine\[plots\]"):
        curves(Run())


def recorded(losses, per_epoch):
    """A history of these losses, one image a step."""
    history = tg.nn.History()
    for number, loss in enumerate(losses):
        history.add_step(number // per_epoch + 1, 1, {"loss": loss}, 0.1, 1.0)
        if (number + 1) % per_epoch == 0:
            history.add_epoch({"loss": loss}, 1.0)
    return history


def test_where_nan_begins_is_marked():
    ax = curves(recorded([1.0, 0.5, 0.25, 0.2, 0.1, float("nan"), float("nan"), float("nan")], 4))
    assert ax.get_title() == "loss: training NaN"
    (mark,) = (line for line in ax.get_lines() if line.get_label() == "NaN from step 6 on")
    assert mark.get_xdata() == [1.5, 1.5], "six of four steps are one epoch and a half"
    ax = curves([{"loss": 1.0}, {"loss": float("inf")}])
    assert "∞ from epoch 2 on" in [line.get_label() for line in ax.get_lines()]
    assert not any("from" in line.get_label() for line in curves(recorded([1.0, 0.5], 1)).get_lines())


def test_one_epoch_is_shown_from_its_beginning():
    ax = curves(recorded([1.0, 0.5, 0.25, 0.2], 4))
    assert ax.get_xlim()[0] == 0 and 1 < ax.get_xlim()[1] < 1.2
    assert all(tick == int(tick) for tick in ax.get_xticks())
