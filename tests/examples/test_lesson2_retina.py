"""Lesson 2: the synthetic images are what they say, and the classifier holds its figures and shows where it looked."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def beside_the_examples(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


@pytest.fixture
def lesson():
    return importlib.import_module("lesson2_retina")


@pytest.fixture
def drawing():
    return importlib.import_module("synthetic_fundus")


# --------------------------------------------------------------------------------------------------- synthetic images


def test_the_same_seed_gives_the_same_bits_whatever_the_count(drawing):
    few, many = drawing.synthetic_fundus(3, seed=5), drawing.synthetic_fundus(6, seed=5)
    for part, more in zip(few, many, strict=True):
        np.testing.assert_array_equal(part, more[:3])
    assert not np.array_equal(drawing.synthetic_fundus(3, seed=6).images, few.images)
    assert many.images.shape == (6, 3, 64, 64) and many.images.dtype == np.uint8
    assert set(drawing.synthetic_fundus(20, size=16).labels.tolist()) == {-1, 1}


def test_lesions_lie_where_the_mask_says(drawing, monkeypatch):
    """Drawn again with lesions that leave no trace, the images differ under the mask, and nowhere else."""
    sick = drawing.synthetic_fundus(12)
    plan = drawing._lesions
    monkeypatch.setattr(drawing, "_lesions", lambda *args: tuple(0 * part for part in plan(*args)))
    well = drawing.synthetic_fundus(12)
    np.testing.assert_array_equal(sick.labels, well.labels)
    change = np.abs(sick.images.astype(int) - well.images).max(1)
    assert (change[sick.lesions] > 2).mean() > 0.95 and change[sick.lesions].mean() > 15
    assert change[~sick.lesions].max() <= 12 and change[~sick.lesions].mean() < 0.1
    assert sick.lesions[sick.labels == 1].any((1, 2)).all() and not sick.lesions[sick.labels == -1].any()


def test_lesions_are_small_and_within_the_retina(drawing):
    fundus = drawing.synthetic_fundus(60)
    share = fundus.lesions[fundus.labels == 1].mean((1, 2))
    assert share.max() < 0.06 and 0.005 < np.median(share) < 0.02
    y, x = np.mgrid[:64, :64] - 31.5
    assert not fundus.lesions[:, np.hypot(x, y) > 31].any()


def logistic_regression(features, labels, steps=5000):
    weights = np.zeros(features.shape[1])
    for _ in range(steps):
        weights += 0.1 * features.T @ (labels / (1 + np.exp(labels * (features @ weights)))) / len(labels)
    return weights


@pytest.mark.slow
def test_the_colour_of_the_whole_does_not_give_it_away(drawing):
    """What a logistic regression gets out of mean and deviation of the colours is far from the 0.97 of the network."""
    fundus = drawing.synthetic_fundus(400)
    pixels = fundus.images / 255
    for features, bound in ((pixels.mean((2, 3)), 0.6), (np.c_[pixels.mean((2, 3)), pixels.std((2, 3))], 0.75)):
        z = np.c_[(features - features.mean(0)) / features.std(0), np.ones(400)]
        weights = logistic_regression(z[:250], fundus.labels[:250])
        assert tg.viz.roc(fundus.labels[250:], z[250:] @ weights).auc < bound


# ------------------------------------------------------------------------------------------------------- the classifier


def test_three_layers_and_their_letters(lesson):
    model = lesson.RetinaNet(64)
    assert [name for name, _ in model.named_parameters()][::2] == ["Φ.weight", "Ψ.weight", "Ω.weight", "W.weight"]
    assert model(tg.zeros(2, 3, 64, 64)).shape == (2,)


@pytest.mark.slow
def test_auc_and_grad_cam_at_the_default_setting(lesson, tmp_path, capsys):
    """1,000 synthetic images of 64×64, 300 of them held out."""
    figures = lesson.main(["--out", str(tmp_path)])
    assert figures["auc"] >= 0.97 and figures["grad_cam_hits"] >= 0.7
    said = capsys.readouterr().out
    assert "Tried on 300 synthetic fundus images" in said and "sensitivity" in said and "specificity" in said
    assert {path.name for path in tmp_path.iterdir()} == {"retina_roc.png", "retina_where.png"}


def test_distances_to_the_nearest_lesion(lesson):
    mask = np.zeros((5, 7), bool)
    mask[1, 2] = mask[4, 6] = True
    expected = [[min(np.hypot(i - 1, j - 2), np.hypot(i - 4, j - 6)) for j in range(7)] for i in range(5)]
    np.testing.assert_allclose(lesson.distances(mask), expected)


def test_hits_are_counted_by_the_hottest_point(lesson):
    lesions = np.zeros((2, 20, 20), bool)
    lesions[:, 10, 10] = True
    retinas = lesson.Retinas("", np.full((2, 3, 20, 20), 99, np.uint8), np.ones(2), np.arange(2), lesions)
    maps = np.zeros((2, 20, 20))
    maps[0, 10, 13] = maps[1, 10, 14] = 1  # 3 and 4 pixels beside it
    share, blind = lesson.hits(retinas, maps)
    assert share == 0.5 and blind == 29 / 400  # so many points have whole coordinates within 3 of the origin


def test_local_contrast_takes_out_what_is_even(lesson):
    x = lesson.local_contrast(np.full((1, 3, 16, 16), 200, np.uint8))
    np.testing.assert_allclose(x, 0, atol=1e-4)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16), dtype=np.uint8)
    around = pixels[0, 1, 3:12, 4:13].mean()
    assert lesson.local_contrast(pixels)[0, 1, 7, 8] == pytest.approx((pixels[0, 1, 7, 8] - around) / 25.5, abs=1e-4)


def test_both_eyes_of_a_patient_stay_together(lesson, capsys):
    patients = np.repeat(np.arange(20), 2)
    images = np.zeros((40, 3, 8, 8), np.uint8)
    train, test = lesson.split(lesson.Retinas("", images, np.tile([1, -1], 20), patients), 0.3, seed=1)
    assert len(test.labels) == 12 and not set(train.patients) & set(test.patients)


# ---------------------------------------------------------------------------------------------------------- photographs


def photographs(drawing, root, count=24, name="{}", healthy=True):
    """The layout of APTOS, with drawings in the place of photographs."""
    (root / "train_images").mkdir()
    fundus = drawing.synthetic_fundus(count, size=32)
    kept = [k for k in range(count) if healthy or fundus.labels[k] == 1]
    for k in kept:
        Image.fromarray(fundus.images[k].transpose(1, 2, 0)).save(root / "train_images" / f"{name.format(k)}.png")
    rows = [f"{name.format(k)},{2 if fundus.labels[k] == 1 else 0}" for k in kept]
    (root / "train.csv").write_text("\n".join(["id_code,diagnosis", *rows]))
    return fundus


def test_photographs_from_a_folder(lesson, drawing, tmp_path, capsys):
    fundus = photographs(drawing, tmp_path)
    (tmp_path / "train_images" / "3.png").write_bytes(b"broken")
    retinas = lesson.photographed(tmp_path, 32)
    np.testing.assert_array_equal(retinas.labels, np.delete(fundus.labels, 3))
    figures = lesson.main(["--data", str(tmp_path), "--size", "32", "--epochs", "1", "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "23 images read\n  1 broken: 3.png: cannot identify" in said
    assert "fundus photographs held out" in said and "synthetic" not in said
    assert 0 <= figures["auc"] <= 1 and figures["grad_cam_hits"] is None


def test_both_eyes_by_name(lesson, drawing, tmp_path):
    photographs(drawing, tmp_path, count=2, name="{}_left")
    assert lesson.photographed(tmp_path, 8).patients.tolist() == ["0", "1"]


def test_where_nothing_can_be_learned(lesson, drawing, tmp_path):
    with pytest.raises(SystemExit, match="no label file"):
        lesson.main(["--data", str(tmp_path)])
    photographs(drawing, tmp_path, healthy=False)
    with pytest.raises(SystemExit, match="healthy and unhealthy"):
        lesson.main(["--data", str(tmp_path)])
    with pytest.raises(SystemExit):
        lesson.main(["--size", "30"])
