"""Each example runs as a user would run it, on a small setting and offline, and leaves its pictures."""

import re
import runpy
import socket
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs an example in an empty folder, without a network and without data of the user's; returns what it prints."""

    def refuse(*args):
        raise AssertionError("an example must run offline")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no cache"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)

    def run_example(name, *arguments):
        path = EXAMPLES / f"{name}.py"
        monkeypatch.syspath_prepend(path.parent)  # as it is for a script: some import what stands beside them
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run_example


def pictures():
    """The files under `out`, of which none may be empty."""
    files = [path for path in Path("out").iterdir() if path.stat().st_size > 1000]
    return {path.name for path in files}


def write_mnist(folder, count=64):
    """Noise in MNIST's format and under its names."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for part in ("train", "t10k"):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())
    return folder


def test_every_example_is_run_here():
    tested = Path(__file__).read_text(encoding="utf-8")
    names = {path.relative_to(EXAMPLES).with_suffix("").as_posix() for path in EXAMPLES.rglob("*.py")}
    assert {name for name in names if f'run("{name}"' not in tested} == set()


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.stem)
def test_an_example_says_how_it_is_run(path):
    """Where it says so: a file that is moved takes its command with it."""
    commands = re.findall(r"python (examples/\S+)", path.read_text(encoding="utf-8"))
    assert set(commands) <= {path.relative_to(EXAMPLES.parent).as_posix()}


def test_chain_rule(run):
    assert "∂loss/∂w [-1.1702" in run("chain_rule")
    assert pictures() == {"chain_rule.svg"}


def test_vanishing_gradient(run):
    assert "remedy: relu, He initialisation or batch norm" in run("drawings/vanishing_gradient")
    assert pictures() == {"vanishing_gradient.svg"}


def test_compact_view(run):
    run("drawings/compact_view")
    assert pictures() == {"compact_view.svg"}


def test_compare_runs(run):
    text = run("drawings/compare_runs")
    assert "Values begin to differ at: a." in text
    assert "slope: 0.1 | 0.01" in text
    assert pictures() == {"compare_runs.svg", "compare_runs.html"}


def test_exercise_sheet(run):
    text = run("drawings/exercise_sheet")
    assert "<Exercise of 11 blanks: 4 rules, 4 values, 1 local derivative, 1 product and 1 sum of paths>" in text
    assert "x, the input, is taken where z, the output, belongs" in text
    assert pictures() == {"exercise_sheet.svg", "exercise_sheet.html", "exercise_key.html"}


def test_training_film(run):
    assert "<Film of 8 frames, steps 0 to 56>" in run("drawings/training_film", "--epochs", "1")
    assert pictures() == {"training_film.html", "training_film.gif"}


def test_convolution_microscope(run):
    assert "<Microscope on conv1, pool1, conv2, pool2>" in run("drawings/convolution_microscope", "--epochs", "1")
    assert pictures() == {"convolution_microscope.html", "convolution_microscope.gif"}


def test_drawn_animals(run):
    assert "drawn_animals.png" in run("drawn_animals")
    assert pictures() == {"drawn_animals.png"}


def test_playground(run):
    assert "playground.html" in run("drawings/playground")
    assert pictures() == {"playground.html"}


def test_optdigits_search(run):
    pytest.importorskip("sklearn.base")
    said = run("optdigits_search", "--epochs", "2")
    assert said.count("->") == 4 and float(re.search(r"reads ([\d.]+)%", said)[1]) > 93


def test_optdigits_cnn(run):
    assert "accuracy on the 1,797 test images" in run("optdigits_cnn", "--epochs", "1")
    assert pictures() == {"backprop.svg", "backprop.html", "training.png", "weights.safetensors"}


def test_distributed_digits(run):
    text = run("distributed_digits", "--epochs", "1")
    assert "epoch 1/1" in text and "trained in 1 process(es)" in text and "of 1,797 other digits are right" in text
    assert "resuming from" in run("distributed_digits", "--epochs", "2", "--resume")
    assert pictures() == {"digits.safetensors"}


def test_mnist_cnn(run, tmp_path):
    assert "accuracy on the 64 test images" in run("mnist_cnn", "--data", str(write_mnist(tmp_path / "mnist")))


def test_lesson1_filters(run):
    text = run("lesson1_filters")
    assert "0 -1 0 -1 0 -2 1 -1 0 0" in text
    assert "row 1, column 4" in text
    assert "right about 100.0% of the pixels" in text
    assert pictures() == {"lesson1_filters.png", "lesson1_learned.png"}


def test_lesson1_one_pattern(run):
    text = run("lesson1_one_pattern", "--epochs", "1")
    assert text.count("λ = 0 ") == text.count("λ = 0.001") == 4
    assert pictures() == {"lesson1_one_pattern.png"}


def test_lesson1_gradient_by_hand(run):
    text = run("lesson1_gradient_by_hand")
    column = "   [  15.00 ]\n   [  -5.50 ]\n   [  19.00 ]\n"
    assert text.count(column) == 2  # the product of the matrices, and w1.grad
    assert "[15.0, -5.5, 19.0]" in text  # finite differences
    assert pictures() == {"lesson1_gradient_by_hand.svg"}


def test_lesson1_signal(run):
    text = run("lesson1_signal", "--epochs", "1")
    assert text.count("of the 1,797 test digits are read right") == 2
    assert pictures() == {"lesson1_signal.png"}


def test_lesson4_sharing(run):
    text = run("lesson4_sharing", "--epochs", "1")
    for figure in ("3,072", "4,704", "14,450,688", "156", "456", "9 of the 36 pixels", "used by 16 outputs"):
        assert figure in text
    assert "the moved feature maps of the digit: True" in text
    assert pictures() == {"lesson4_sharing.png", "lesson4_translation.png"}


def test_lesson3_one_weight(run):
    text = run("lesson3_one_weight")
    by_hand, by_backward, by_difference = re.findall(r"(-0\.\d{5})$", text, re.MULTILINE)
    assert by_hand == by_backward == by_difference
    assert "nothing was recorded" in text
    assert pictures() == {"lesson3_path.svg", "lesson3_one_weight.png"}


def test_synthetic_fundus(run):
    assert "synthetic" in run("synthetic_fundus")
    assert pictures() == {"synthetic_fundus.png"}


def test_lesson2_retina(run):
    text = run("lesson2_retina", "--images", "40", "--epochs", "1", "--size", "32")
    assert "synthetic" in text
    assert "AUC" in text
    assert pictures() == {"retina_roc.png", "retina_where.png"}


def test_lesson2_descent(run):
    text = run("lesson2_descent", "--images", "40", "--size", "16", "--epochs", "2")
    assert "full batch" in text
    assert pictures() == {"descent_valleys.png", "descent_sgd.png"}


def test_lesson4_cats(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(6):
            pixels = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{k}.png")
    options = ["--pictures", str(tmp_path / "own"), "--compare-epochs", "1", "--epochs", "2", "--seeds", "1"]
    assert "classes: cat, dog" in run("lesson4_cats", *options)
    assert "cats_optimizers.png" in pictures()


LESSON5 = {f"lesson5_{name}.png" for name in ("activations", "mistakes", "surface", "training", "weights")}


def test_lesson5_digits(run):
    text = run("lesson5_digits", "--epochs", "1", "--cnn-epochs", "1", "--limit", "200")
    assert "Optdigits, for no MNIST is at hand" in text
    assert "64 → 16 → 16 → 10 has 1,482 weights and biases" in text
    assert pictures() == LESSON5


def test_lesson5_digits_on_mnist(run, tmp_path):
    folder = str(write_mnist(tmp_path / "mnist"))
    text = run("lesson5_digits", "--data", folder, "--epochs", "1", "--cnn-epochs", "1")
    assert "784 → 16 → 16 → 10 has 13,002 weights and biases" in text
    assert "a vector of 13,002 numbers" in text
    assert pictures() == LESSON5


def test_vae_digits(run):
    assert "nats per digit" in run("vae_digits", "--epochs", "1")
    assert pictures() == {"vae_map.png", "vae_backprop.svg"}


def test_unet_fundus(run):
    assert "Dice on 64 retinas" in run("unet_fundus", "--epochs", "1", "--images", "16", "--size", "32")
    assert pictures() == {"unet_lesions.png"}


def test_spatial_transformer(run):
    assert "of the distorted test digits are read right" in run("spatial_transformer", "--epochs", "1")
    assert pictures() == {"transformer.png"}
