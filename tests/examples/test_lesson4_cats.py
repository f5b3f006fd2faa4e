"""Lesson 4: the cat detector's figures, and each of its parts: augmentation, early stopping, splitting."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from tensorgrad import nn
from tensorgrad.nn.data import TensorDataset

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

REAL = Path(os.environ.get("TENSORGRAD_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture
def lesson(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    return importlib.import_module("lesson4_cats")


@pytest.mark.skipif(
    not any((REAL / inside / "train_catvnoncat.h5").is_file() for inside in ("", "cats")),
    reason="needs the cat pictures in $TENSORGRAD_DATA or ../shared/data",
)
def test_median_accuracy_of_three_seeds(lesson):
    """Within 40 epochs; always saying "cat" would be right about 66 %."""
    pytest.importorskip("h5py")
    pictures, test = lesson.cats(REAL)
    assert len(pictures) == 209 and len(test) == 50
    accuracies = []
    for seed in range(3):
        model, _ = lesson.train_detector(pictures, "Adam", 40, seed)
        accuracies.append(nn.evaluate(model, lesson.for_testing(test))["accuracy"])
    assert np.median(accuracies) >= 0.78


# --------------------------------------------------------------------------------------------------------- its parts

IMAGES = np.random.default_rng(0).normal(size=(40, 3, 9, 9)).astype(np.float32)
LABELS = np.arange(40)


def test_augmentation_mirrors(lesson):
    images, labels = lesson.Augment(0, shift=0, light=0)(IMAGES, LABELS)
    same = (images == IMAGES).all((1, 2, 3))
    mirrored = (images == IMAGES[..., ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all() and 10 < mirrored.sum() < 30
    np.testing.assert_array_equal(labels, LABELS)


def test_augmentation_shifts(lesson):
    """By up to two pixels each way; what comes in at the edge is the picture's mirror image."""
    images, _ = lesson.Augment(0, shift=2, light=0)(IMAGES, LABELS)
    seen = set()
    for image, original in zip(images, IMAGES, strict=True):
        mirrors = [np.pad(picture, ((0, 0), (2, 2), (2, 2)), "reflect") for picture in (original, original[..., ::-1])]
        windows = [(larger, y, x) for larger in mirrors for y in range(5) for x in range(5)]
        places = [(y, x) for larger, y, x in windows if np.array_equal(image, larger[:, y : y + 9, x : x + 9])]
        assert len(places) == 1
        seen.update(places)
    assert {y for y, _ in seen} == {x for _, x in seen} == {0, 1, 2, 3, 4}


def test_augmentation_lightens_and_darkens(lesson):
    """Each picture by one straight line: contrast between 0.8 and 1.2, light between −0.4 and 0.4."""
    augment = lesson.Augment(0, shift=0, light=0.2)
    images, _ = augment(IMAGES, LABELS)
    assert images.dtype == np.float32
    lines = []
    for image, original in zip(images, IMAGES, strict=True):
        fits = [np.polyfit(picture.ravel(), image.ravel(), 1, full=True) for picture in (original, original[..., ::-1])]
        best = min(fits, key=lambda fit: fit[1][0])
        assert best[1][0] < 1e-8
        lines.append(best[0])
    contrast, light = np.array(lines).T
    assert 0.8 <= contrast.min() < 0.85 and 1.15 < contrast.max() <= 1.2
    assert -0.4 <= light.min() < -0.3 and 0.3 < light.max() <= 0.4
    assert not np.array_equal(augment(IMAGES, LABELS)[0], images)  # anew in each epoch
    np.testing.assert_array_equal(lesson.Augment(0, 0, 0.2)(IMAGES, LABELS)[0], images)


def test_early_stopping_keeps_the_best_weights(lesson):
    model = nn.Linear(1, 1)
    stopping = lesson.EarlyStopping(model, patience=3)
    stopped = []
    for epoch, loss in enumerate([0.9, 0.5, 0.7, 0.4, 0.6, 0.6, 0.4], 1):
        nn.init.constant_(model.weight, epoch)
        stopped.append(stopping({"epoch": epoch, "validation_loss": loss}))
    assert stopped == [False] * 6 + [True] and stopping.epoch == 4 and stopping.lowest == 0.4
    stopping.restore()
    assert model.weight.item() == 4


def test_a_detector_comes_with_its_best_weights(lesson):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    pictures = TensorDataset(pixels, np.arange(20) % 2, classes=("a", "b"))
    model, stopping = lesson.train_detector(pictures, "Adam", 4, seed=0)
    assert stopping.epoch < 4  # noise can't be learned: the last epoch wasn't the best
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), stopping.weights[name].numpy())


def test_the_split_takes_a_share_of_each_class(lesson):
    labels = np.array([0] * 30 + [1] * 10)
    rest, aside = lesson.split(TensorDataset(np.arange(40), labels), labels, 0.2, seed=3)
    assert sorted([*rest.indices, *aside.indices]) == list(range(40))
    assert np.bincount(labels[aside.indices]).tolist() == [6, 2]


def test_all_four_optimizers_start_from_the_same_weights_and_see_the_same(lesson, monkeypatch, capsys):
    seen = []

    def fit(model, train, *, validation, **options):
        (images, _), (aside, _) = next(iter(train)), next(iter(validation))
        seen.append([model[0].weight.numpy().copy(), images.numpy(), aside.numpy()])
        return nn.History(epochs=[{"loss": 1.0, "validation_loss": 1.0, "seconds": 0.0}])

    monkeypatch.setattr(nn, "fit", fit)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    lesson.compare_optimizers(TensorDataset(pixels, np.arange(20) % 2, classes=("a", "b")), 1, seed=0)
    assert list(lesson.OPTIMIZERS) == ["gradient descent", "with momentum", "RMSProp", "Adam"] and len(seen) == 4
    for run in seen[1:]:
        for mine, first in zip(run, seen[0], strict=True):
            np.testing.assert_array_equal(mine, first)


# ----------------------------------------------------------------------------------------------------- the whole of it


def test_own_pictures(lesson, tmp_path, capsys):
    """Two colours of picture in two folders, one file broken."""
    rng = np.random.default_rng(0)
    for name, color in (("apple", (200, 40, 40)), ("pear", (60, 200, 60))):
        (tmp_path / "own" / name).mkdir(parents=True)
        for k in range(10):
            pixels = (np.array(color) + rng.integers(-30, 30, (40, 50, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{k}.jpg")
    (tmp_path / "own" / "pear" / "broken.jpg").write_bytes(b"")
    options = ["--pictures", str(tmp_path / "own"), "--compare-epochs", "2", "--epochs", "8", "--seeds", "2"]
    median = lesson.main([*options, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "20 images read\n  1 broken: broken.jpg" in said and "classes: apple, pear" in said
    assert all(f"{name}: loss" in said for name in lesson.OPTIMIZERS)
    assert median == 1 and "Median of 2: 100% right. Always saying the same would give 50%." in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "cats_augmented.png",
        "cats_mistakes.png",
        "cats_optimizers.png",
    }


def test_without_photographs_animals_are_drawn(lesson, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)
    monkeypatch.setattr(lesson, "OPTIMIZERS", {"Adam": lesson.OPTIMIZERS["Adam"]})
    lesson.main(["--compare-epochs", "1", "--epochs", "1", "--seeds", "1", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "these animals are drawn" in said and "209 pictures to learn from, 50 to be tested on" in said
    with pytest.raises(SystemExit, match="--pictures DIR"):  # a folder that was named isn't passed over
        lesson.main(["--data", str(tmp_path)])


def test_drawn_animals_are_told_apart_by_their_shape_alone(lesson):
    """Mean colours know nothing of what an animal is; the pixels above the head, averaged over many, do."""
    pictures, labels = lesson.drawn_animals(300, size=16, seed=3)
    again, _ = lesson.drawn_animals(2, size=16, seed=3)
    assert pictures.shape == (300, 3, 16, 16) and pictures.dtype == np.uint8
    assert np.array_equal(pictures[:2], again) and 0.5 < labels.mean() < 0.7
    means = np.c_[pictures.mean((2, 3)), np.ones(300)] / 255
    guess = means @ np.linalg.lstsq(means, labels, rcond=None)[0]
    assert np.corrcoef(guess, labels)[0, 1] < 0.3
    # (N, 3, 16, 16) -> (N, 16, 16): how far a pixel is from the background's colour in the corners
    away = abs(pictures - pictures[:, :, :1, :1].astype(float)).mean(1)
    difference = abs(away[labels == 1].mean(0) - away[labels == 0].mean(0))
    assert difference[:12].max() > 15
