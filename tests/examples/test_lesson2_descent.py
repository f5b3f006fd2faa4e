"""Lesson 2: descent ends in the nearest valley; a few images at a time are enough."""

import contextlib
import importlib
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def lesson():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "examples")
        yield importlib.import_module("lesson2_descent")


@pytest.fixture(scope="module")
def told(lesson, tmp_path_factory):
    """The whole lesson on small images: what it returns, what it says, and the folder with its pictures."""
    out, said = tmp_path_factory.mktemp("lesson"), io.StringIO()
    options = ["--images", "60", "--size", "16", "--batch-size", "20", "--epochs", "4", "--out", str(out)]
    with contextlib.redirect_stdout(said):
        ends, runs = lesson.main(options)
    return SimpleNamespace(ends=ends, runs=runs, said=said.getvalue(), out=out)


@pytest.mark.slow
def test_either_side_of_a_valley_leads_to_its_minimum(told):
    left, _, right = sorted(np.roots([1, 0, -2, 0.25]).real)  # where dE/dθ = θ³ − 2θ + ¼ is 0: two valleys and a hill
    np.testing.assert_allclose(told.ends, [left, left, right], atol=1e-3)
    assert (told.out / "descent_valleys.png").stat().st_size > 10_000


def test_a_step_is_against_the_slope(lesson):
    path = lesson.descend(-0.5, steps=1, lr=0.1)
    assert path[1] == pytest.approx(-0.5 - 0.1 * ((-0.5) ** 3 + 1 + 0.25))


def test_full_batch_and_stochastic(told):
    sgd, full = told.runs.values()
    assert list(told.runs) == ["SGD, 20 images a step", "full batch"]
    assert [step["batch"] for step in sgd.steps] == [20] * 12 and [step["batch"] for step in full.steps] == [60] * 12
    assert "12 steps, 240 images" in told.said and "12 steps, 720 images" in told.said
    assert (told.out / "descent_sgd.png").stat().st_size > 10_000
