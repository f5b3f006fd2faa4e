"""Confusion matrix, worst mistakes and ROC curve: counts, order and area, against definitions spelt out."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.viz import confusion_matrix, mistakes, roc, roc_curve

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def mesh(ax):
    (found,) = [c for c in ax.collections if hasattr(c, "get_coordinates")]
    return found


# --------------------------------------------------------------------------------------------------- confusion matrix


def counts(ax):
    size = round(len(ax.texts) ** 0.5)
    table = np.full((size, size), -1)
    for text in ax.texts:
        column, row = text.get_position()
        table[row, column] = int(text.get_text().replace(",", ""))
    return table


def test_rows_are_true_classes_and_columns_predicted_ones():
    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    ax = confusion_matrix(tg.tensor(targets), tg.tensor(predictions))
    table = counts(ax)
    for true in range(4):
        for predicted in range(4):
            assert table[true, predicted] == sum((targets == true) & (predictions == predicted))
    assert ax.get_title() == f"accuracy {np.mean(targets == predictions):.1%}".replace("%", " %") + (
        f": {np.sum(targets == predictions)} of 500"
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_of_logits_the_largest_counts():
    rng = np.random.default_rng(1)
    targets, logits = rng.integers(0, 3, 50), rng.normal(size=(50, 3))
    np.testing.assert_array_equal(
        counts(confusion_matrix(targets, tg.tensor(logits))), counts(confusion_matrix(targets, logits.argmax(1)))
    )


def test_right_is_blue_and_the_most_frequent_mistake_the_deepest_orange():
    colors = confusion_matrix([0] * 1000 + [1] * 1000, [0] * 999 + [1] * 998 + [0] * 3).images[0].get_array()
    for k in (0, 1):
        assert colors[k, k, 2] > colors[k, k, 0] + 0.5
    assert colors[0, 1, 0] > colors[0, 1, 2] + 0.2, "998 true, but 1 and 3 mistakes must be seen too"
    colors = confusion_matrix([0, 0, 1], [0, 1, 1]).images[0].get_array()
    np.testing.assert_allclose(colors[1, 0], 1, err_msg="no mistake, no colour")


def test_classes_that_do_not_occur_have_their_row_and_column():
    ax = confusion_matrix([0, 0], [2, 0], names=["a", "b", "c", "d"])
    np.testing.assert_array_equal(counts(ax), [[1, 0, 1, 0], [0] * 4, [0] * 4, [0] * 4])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c", "d"]
    assert counts(confusion_matrix([0, 2], [0, 0])).shape == (3, 3)
    assert counts(confusion_matrix([1], [[0.0, 1.0, 0.0]])).shape == (3, 3)


def test_one_class_and_a_hundred_classes():
    ax = confusion_matrix([0, 0], [0, 0])
    assert counts(ax).tolist() == [[2]] and ax.get_title() == "accuracy 100.0 %: 2 of 2"
    ax = confusion_matrix(np.arange(100), np.arange(100))
    assert ax.images[0].get_array().shape == (100, 100, 3) and not ax.texts
    ax.figure.canvas.draw()


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(tg.ArgumentError, match="must not be empty"):
        confusion_matrix(np.zeros(0, int), np.zeros(0, int))
    with pytest.raises(tg.ArgumentError, match="must not be empty"):
        confusion_matrix(np.zeros(0, int), np.zeros((0, 3)))
    with pytest.raises(tg.DTypeError, match="float64"):
        confusion_matrix([0.0, 1.0], [0, 1])
    with pytest.raises(tg.ShapeError, match="must have equally many rows"):
        confusion_matrix([0, 1, 1], [0, 1])
    with pytest.raises(tg.ShapeError, match="class indices"):
        confusion_matrix([[0, 1]], [0, 1])
    with pytest.raises(tg.RangeError, match=r"must be classes(.|\n)*got -1(.|\n)*labels \+ 1"):
        confusion_matrix([-1, 1], [0, 1])
    with pytest.raises(tg.RangeError, match=r"must be classes(.|\n)*got 3"):
        confusion_matrix([3], [[0.0, 1.0, 0.0]])
    with pytest.raises(tg.RangeError, match=r"must be classes(.|\n)*got 2"):
        confusion_matrix([0, 2], [0, 1], names=["a", "b"])
    with pytest.raises(tg.ArgumentError, match="names must name 3 classes, got 2"):
        confusion_matrix([0], [[0.0, 1.0, 0.0]], names=["a", "b"])
    with pytest.raises(tg.ArgumentError, match="logits must be finite, got 1 of 2"):
        confusion_matrix([0], [[0.0, np.nan]])


# ----------------------------------------------------------------------------------------------------- worst mistakes


def shown(ax, size):
    """The pictures, and their captions in the same order."""
    height, width = size
    cells = mesh(ax).get_array()
    rows, columns = (cells.shape[0] + 1) // (height + 1), (cells.shape[1] + 1) // (width + 1)
    starts = [(r * (height + 1), c * (width + 1)) for r in range(rows) for c in range(columns)]
    pictures = [cells[top : top + height, left : left + width] for top, left in starts]
    captions = [text.get_text() for text in ax.texts]
    return [p[..., :3] for p in pictures[: len(captions)]], captions


def test_the_worst_mistakes_come_first_each_with_its_caption():
    rng = np.random.default_rng(0)
    images = rng.random((200, 1, 4, 5))
    targets, logits = rng.integers(0, 3, 200), rng.normal(size=(200, 3)) * 3
    ax = mistakes(tg.tensor(images), tg.tensor(targets), tg.tensor(logits), count=5)
    chance = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).max(1)
    worst = np.argsort(-np.where(logits.argmax(1) == targets, 0.0, chance))[:5]
    pictures, captions = shown(ax, (4, 5))
    chosen = images[worst, 0]
    for k, image in enumerate(worst):
        np.testing.assert_allclose(
            pictures[k][..., 0], (images[image, 0] - chosen.min()) / (chosen.max() - chosen.min()), rtol=1e-6, atol=1e-7
        )
        p = (np.exp(logits[image]) / np.exp(logits[image]).sum()).max()
        assert captions[k].startswith(f"{targets[image]} → {logits[image].argmax()} (")
        assert abs(float(captions[k].split("(")[1].split()[-2]) - 100 * p) <= 0.5
    wrong = int((logits.argmax(1) != targets).sum())
    assert ax.get_title().startswith(f"the worst 5 of {wrong} mistakes among 200 images")


def test_logits_beyond_what_a_probability_can_tell_apart_are_still_ranked():
    images = np.arange(3.0)[:, None, None] * np.ones((3, 2, 2))
    pictures, captions = shown(mistakes(images, [0, 0, 0], [[0, 1e3], [0, 1e4], [0, 2e3]]), (2, 2))
    assert [picture[0, 0, 0] for picture in pictures] == [0.5, 1.0, 0.0]
    assert captions == ["0 → 1 (> 99.9 %)"] * 3


def test_captions_stand_under_their_pictures():
    rng = np.random.default_rng(0)
    ax = mistakes(rng.random((7, 6, 6)), np.zeros(7, int), np.tile([0.0, 1.0], (7, 1)))
    x, y = mesh(ax).get_coordinates()[0, :, 0], mesh(ax).get_coordinates()[:, 0, 1]
    lefts, tops = x.reshape(-1, 7), y.reshape(-1, 7)
    for k, text in enumerate(ax.texts):
        row, column = divmod(k, len(lefts))
        assert text.xy == pytest.approx((lefts[column].mean(), tops[row][-1]))


def test_rgb_images_keep_their_colours_and_names_stand_in_the_captions():
    images = np.zeros((2, 3, 2, 2))
    images[0, 0], images[0, 1] = 1.0, 0.5
    ax = mistakes(images, [1, 0], [[5.0, 0.0], [5.0, 0.0]], names=["cat", "a very long name of a dog"])
    pictures, captions = shown(ax, (2, 2))
    np.testing.assert_allclose(pictures[0], np.broadcast_to([1, 0.5, 0], (2, 2, 3)))
    assert captions == ["a very… a dog\n→ cat (99.3 %)"]
    assert ax.get_title() == "the only mistake among 2 images"


def test_no_mistakes_is_said():
    ax = mistakes(np.ones((3, 2, 2)), [0, 1, 1], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert ax.get_title() == "no mistakes among 3 images" and not ax.collections


def test_pixels_that_are_nan_are_marked_and_constant_images_are_grey():
    images = np.zeros((1, 2, 2))
    pictures, _ = shown(mistakes(images, [0], [[0.0, 1.0]]), (2, 2))
    np.testing.assert_allclose(pictures[0], 0.5)
    images[0, 0, 1] = np.nan
    images[0, 0, 0] = 1
    pictures, _ = shown(mistakes(images, [0], [[0.0, 1.0]]), (2, 2))
    assert pictures[0][0, 0].tolist() == [1, 1, 1] and pictures[0][1, 1].tolist() == [0, 0, 0]
    assert pictures[0][0, 1].tolist() == pytest.approx([0.8, 0.475, 0.655], abs=0.01)


def test_what_has_no_mistakes_to_show_is_refused():
    images, targets, logits = np.zeros((2, 2, 2)), [0, 1], [[0.0, 1.0], [0.0, 1.0]]
    with pytest.raises(tg.ArgumentError, match="count must be at least 1"):
        mistakes(images, targets, logits, count=0)
    with pytest.raises(tg.ArgumentError, match="got 2 channels"):
        mistakes(np.zeros((2, 2, 2, 2)), targets, logits)
    with pytest.raises(tg.ShapeError, match="must have equally many rows"):
        mistakes(images, [0], logits)
    with pytest.raises(tg.ArgumentError, match="NaN or infinite"):
        mistakes(images, targets, [[0.0, np.nan], [0.0, 1.0]])
    with pytest.raises(tg.RangeError, match=r"must be classes(.|\n)*got 2"):
        mistakes(images, [0, 2], logits)
    with pytest.raises(tg.ArgumentError, match="must not be empty"):
        mistakes(np.zeros((0, 2, 2)), np.zeros(0, int), np.zeros((0, 2)))


# ------------------------------------------------------------------------------------------------------------------ ROC


def rank_sum(targets, scores):
    """Mann and Whitney's U over its largest value: the share of pairs in the right order, ties counting half."""
    positive, negative = scores[targets == 1][:, None], scores[targets == 0]
    return float((positive > negative).mean() + 0.5 * (positive == negative).mean())


@pytest.mark.parametrize("seed", range(20))
def test_the_area_is_the_rank_sum_ties_included(seed):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, 60)
    targets[:2] = 0, 1
    scores = rng.integers(0, rng.choice([2, 5, 1000]), 60).astype(float) + targets
    assert roc(targets, scores).auc == pytest.approx(rank_sum(targets, scores), abs=1e-12)
    permuted = rng.permutation(60)
    np.testing.assert_array_equal(roc(targets[permuted], scores[permuted])[0], roc(targets, scores)[0])


def test_each_point_is_the_rates_at_one_threshold():
    rng = np.random.default_rng(3)
    targets, scores = rng.integers(0, 2, 40), rng.integers(0, 6, 40)
    false_rate, true_rate, _ = roc(targets, scores)
    thresholds = [np.inf, *np.unique(scores)[::-1]]
    assert len(false_rate) == len(thresholds)
    for x, y, threshold in zip(false_rate, true_rate, thresholds, strict=True):
        assert x == pytest.approx((scores[targets == 0] >= threshold).mean())
        assert y == pytest.approx((scores[targets == 1] >= threshold).mean())


def test_perfect_inverted_and_constant_scores():
    targets = np.array([0, 0, 1, 1, 1])
    assert roc(targets, targets).auc == 1
    assert roc(targets, -targets).auc == 0
    assert roc(targets, np.ones(5)).auc == 0.5
    np.testing.assert_array_equal(roc(targets, np.ones(5)).true_positive_rate, [0, 1])


@pytest.mark.parametrize("as_given", [lambda t: t, lambda t: 2 * t - 1, lambda t: t.astype(bool), tg.tensor])
def test_labels_may_be_plus_minus_one_or_booleans(as_given):
    targets, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.2, 0.15])
    assert roc(as_given(targets), tg.tensor(scores[:, None])).auc == 0.75


def test_the_curve_and_its_area_are_drawn_and_a_second_one_beside_it():
    targets, scores = [0, 1, 0, 1], [0.1, 0.3, 0.2, 0.15]
    ax = roc_curve(targets, scores)
    chance, curve = ax.get_lines()
    np.testing.assert_array_equal(np.transpose(curve.get_data()), np.transpose(roc(targets, scores)[:2]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["chance", "AUC 0.750"]
    assert list(chance.get_xdata()) == [0, 1]
    assert roc_curve(targets, [0, 1, 0, 1], ax=ax, label="oracle") is ax
    assert [line.get_label() for line in ax.get_lines()] == ["chance", "AUC 0.750", "oracle: AUC 1.000"]
    assert ax.get_lines()[2].get_color() != curve.get_color()


def test_what_has_no_roc_curve_is_refused():
    with pytest.raises(tg.ArgumentError, match="both classes, got only positives"):
        roc([1, 1], [0.1, 0.2])
    with pytest.raises(tg.ArgumentError, match="both classes, got only negatives"):
        roc([-1, -1], [0.1, 0.2])
    with pytest.raises(tg.ArgumentError, match="targets must be 0 and 1, or −1 and 1"):
        roc([0, 1, 2], [0.1, 0.2, 0.3])
    with pytest.raises(tg.ArgumentError, match="scores must be finite, got 1 of 2"):
        roc([0, 1], [0.1, np.nan])
    with pytest.raises(tg.ShapeError, match="must have equally many rows"):
        roc([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(tg.ShapeError, match=r"scores\[:, 1\]"):
        roc([0, 1], np.zeros((2, 2)))
    with pytest.raises(tg.ArgumentError, match="empty"):
        roc([], [])


def test_each_draws_on_the_axes_it_is_given():
    for draw in (
        lambda ax: confusion_matrix([0, 1], [0, 1], ax=ax),
        lambda ax: mistakes(np.zeros((1, 2, 2)), [0], [[0.0, 1.0]], ax=ax),
        lambda ax: roc_curve([0, 1], [0, 1], ax=ax),
    ):
        ax = Figure().subplots()
        assert draw(ax) is ax
