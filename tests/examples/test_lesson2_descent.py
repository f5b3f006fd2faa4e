"""Lesson 2: descent ends in the nearest valley; a few images at a time are enough."""

import importlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")


@pytest.fixture
def lesson(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    return importlib.import_module("lesson2_descent")


def test_either_side_of_a_valley_leads_to_its_minimum(lesson, tmp_path):
    left, _, right = sorted(np.roots([1, 0, -2, 0.25]).real)  # where dE/dθ = θ³ − 2θ + ¼ is 0: two valleys and a hill
    np.testing.assert_allclose(lesson.draw_valleys(tmp_path), [left, left, right], atol=1e-3)
    assert (tmp_path / "descent_valleys.png").stat().st_size > 10_000


def test_a_step_is_against_the_slope(lesson):
    path = lesson.descend(-0.5, steps=1, lr=0.1)
    assert path[1] == pytest.approx(-0.5 - 0.1 * ((-0.5) ** 3 + 1 + 0.25))


def test_full_batch_and_stochastic(lesson, tmp_path, capsys):
    options = ["--images", "60", "--size", "16", "--batch-size", "20", "--epochs", "4", "--out", str(tmp_path)]
    _, runs = lesson.main(options)
    sgd, full = runs.values()
    assert list(runs) == ["SGD, 20 images a step", "full batch"]
    assert [step["batch"] for step in sgd.steps] == [20] * 12 and [step["batch"] for step in full.steps] == [60] * 12
    said = capsys.readouterr().out
    assert "12 steps, 240 images" in said and "12 steps, 720 images" in said
    assert (tmp_path / "descent_sgd.png").stat().st_size > 10_000
