"""Metrics: scikit-learn's numbers over generated cases, in one batch and over any split into batches."""

import functools
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import metrics

oracle = pytest.importorskip("sklearn.metrics")

BY_CLASS = {
    "precision": (metrics.precision, metrics.Precision, oracle.precision_score),
    "recall": (metrics.recall, metrics.Recall, oracle.recall_score),
    "f1": (metrics.f1, metrics.F1, oracle.f1_score),
    "iou": (metrics.iou, metrics.IoU, oracle.jaccard_score),
}


def cases(seed):
    """Scores and classes; some classes occur neither as a target nor as a prediction."""
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 40)), int(rng.integers(2, 8))
    shape = (n, c) if rng.random() < 0.6 else (n, c, 3, 2)
    scores = rng.standard_normal(shape).astype(rng.choice([np.float32, np.float64]))
    used = rng.permutation(c)[: rng.integers(1, c + 1)]
    missing = [k for k in range(c) if k not in used]
    if rng.random() < 0.5:
        scores[:, missing] -= 100
    return rng, scores, rng.choice(used, (n, *shape[2:])), c


def batches(rng, *arrays):
    """The same rows in batches of random sizes, an empty one now and then."""
    cuts = np.sort(rng.integers(0, len(arrays[0]) + 1, rng.integers(1, 5)))
    parts = [np.split(array, cuts) for array in arrays]
    return [tuple(tg.as_tensor(part) for part in batch) for batch in zip(*parts, strict=True)]


def over_batches(rng, metric, *arrays):
    return nn.evaluate(nn.Identity(), batches(rng, *arrays), metrics={"figure": metric})["figure"]


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BY_CLASS)
@pytest.mark.seeds(30)
def test_figures_of_classes(name, seed):
    rng, scores, target, c = cases(seed)
    function, kind, theirs = BY_CLASS[name]
    true, predicted = target.ravel(), scores.argmax(1).ravel()
    default = float(rng.integers(0, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in ("macro", "micro", "weighted"):
            expected = theirs(true, predicted, average=average, zero_division=default)
            same(function(scores, target, average, zero_division=default), expected)
            same(function(scores.argmax(1), target, average, zero_division=default), expected)
            same(over_batches(rng, kind(average, zero_division=default), scores, target), expected)
        expected = theirs(true, predicted, average=None, zero_division=default, labels=range(c))
        same(function(scores, target, "none", zero_division=default), expected)
        same(over_batches(rng, kind("none", zero_division=default), scores, target), expected)
        found = over_batches(rng, kind("none", zero_division=default), scores.argmax(1), target)
        same(found, expected[: max(true.max(), predicted.max()) + 1])


@pytest.mark.parametrize("name", BY_CLASS)
@pytest.mark.seeds(10)
def test_binary_figures_of_logits(name, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    logits, target = rng.standard_normal((n, 1)), rng.integers(0, 2, n)
    function, kind, theirs = BY_CLASS[name]
    expected = theirs(target, logits[:, 0] > 0, zero_division=0.0)
    same(function(logits, target, "binary", threshold=0), expected)
    same(function(1 / (1 + np.exp(-logits[:, 0])), target.astype(np.float32), "binary", threshold=0.5), expected)
    same(function(logits[:, 0] > 0, target, "binary"), expected)
    same(over_batches(rng, kind("binary", threshold=0), logits, target), expected)


@pytest.mark.seeds(20)
def test_ignored_targets_are_as_if_they_were_not_there(seed):
    rng, scores, target, c = cases(seed)
    ignored = np.where(rng.random(target.shape) < 0.3, -100, target)
    kept = ignored >= 0
    rows = np.moveaxis(scores, 1, -1)[kept]
    for function, kind, _ in BY_CLASS.values():
        same(function(scores, ignored, ignore_index=-100), function(rows, target[kept]))
        same(over_batches(rng, kind(ignore_index=-100), scores, ignored), function(rows, target[kept]))
    same(metrics.confusion_matrix(scores, ignored, ignore_index=-100), metrics.confusion_matrix(rows, target[kept]))
    if scores.ndim == 2:
        same(metrics.top_k_accuracy(scores, ignored, 2, -100), metrics.top_k_accuracy(rows, target[kept], 2))
    with pytest.raises(tg.RangeError, match=f"there are {c} classes") if not kept.all() else warnings.catch_warnings():
        metrics.f1(scores, ignored)


@pytest.mark.seeds(20)
def test_confusion_matrix(seed):
    rng, scores, target, c = cases(seed)
    expected = oracle.confusion_matrix(target.ravel(), scores.argmax(1).ravel(), labels=range(c))
    same(metrics.confusion_matrix(scores, target), expected)
    same(over_batches(rng, metrics.ConfusionMatrix(), scores, target), expected)
    found = over_batches(rng, metrics.ConfusionMatrix(), scores.argmax(1), target)
    same(found, expected[: len(found), : len(found)])
    assert found.sum() == target.size


@pytest.mark.seeds(20)
def test_top_k(seed):
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 30)), int(rng.integers(3, 9))
    scores, target, k = rng.standard_normal((n, c)), rng.integers(0, c, n), int(rng.integers(1, c))
    expected = oracle.top_k_accuracy_score(target, scores, k=k, labels=range(c))
    same(metrics.top_k_accuracy(scores, target, k), expected)
    same(over_batches(rng, metrics.TopK(k), scores, target), expected)
    same(metrics.top_k_accuracy(scores, target, 1), metrics.accuracy(scores, target))
    same(metrics.top_k_accuracy(scores, target, c + 3), 1.0)


def test_of_equal_scores_the_first_is_the_largest():
    scores = np.zeros((4, 4))
    assert metrics.top_k_accuracy(scores, np.arange(4), 1) == metrics.accuracy(scores, np.arange(4)) == 0.25
    assert metrics.top_k_accuracy(scores, np.arange(4), 3) == 0.75


@pytest.mark.seeds(20)
def test_r2(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 30)), int(rng.integers(1, 4))
    true = rng.standard_normal((n, d)) + 1e4  # far from 0, where Σ y² − (Σ y)² / n loses all digits
    predicted = true + 0.5 * rng.standard_normal((n, d))
    if rng.random() < 0.3:
        true[:, 0] = 7.0
        predicted[:, 0] = rng.choice([7.0, 8.0])
    for average, theirs in {
        "uniform": "uniform_average",
        "variance": "variance_weighted",
        "none": "raw_values",
    }.items():
        expected = oracle.r2_score(true, predicted, multioutput=theirs)
        for found in (metrics.r2(predicted, true, average), over_batches(rng, metrics.R2(average), predicted, true)):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        metrics.r2(predicted[:, 0], true[:, :1]), oracle.r2_score(true[:, 0], predicted[:, 0]), rtol=1e-9
    )


def test_figures_without_examples_are_nan():
    scores, target = np.zeros((0, 3)), np.zeros(0, np.int64)
    for function, kind, _ in BY_CLASS.values():
        assert all(np.isnan(function(scores, target, average)) for average in ("macro", "micro", "weighted"))
        same(kind("none")(scores, target), np.zeros(3))
    assert np.isnan(metrics.top_k_accuracy(scores, target)) and np.isnan(metrics.r2(target * 1.0, target * 1.0))
    assert np.isnan(metrics.r2([1.0], [1.0]))
    same(metrics.confusion_matrix(scores, target), np.zeros((3, 3)))


def test_a_row_with_a_nan_predicts_no_class():
    scores, target = np.array([[np.nan, 1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([1, 1, 0])
    same(metrics.recall(scores, target, "none"), [1.0, 0.5])
    same(metrics.precision(scores, target, "none"), [1.0, 1.0])
    same(metrics.confusion_matrix(scores, target), [[1, 0], [0, 1]])
    assert metrics.top_k_accuracy(scores, target, 2) == pytest.approx(2 / 3)


# ------------------------------------------------------------------------------------------------------- in trainings


def test_training_and_validation_have_the_figure_of_all_their_examples():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((70, 4)).astype(np.float32), rng.integers(0, 3, 70)
    data = [(tg.tensor(x[k : k + 9]), tg.tensor(y[k : k + 9])) for k in range(0, 70, 9)]
    model = nn.Linear(4, 3)
    wanted = {"f1": metrics.f1, "recall": functools.partial(metrics.recall, average="none"), "error": lambda o, t: 0.0}
    wanted["recall"] = functools.partial(metrics.recall, average="weighted")
    sgd = nn.optim.SGD(model.parameters(), lr=0.0)
    options = {"loss": nn.cross_entropy, "optimizer": sgd, "epochs": 2, "progress": False, "metrics": wanted}
    history = nn.fit(model, data, validation=data, **options)
    predicted = model(tg.tensor(x)).numpy().argmax(1)
    expected = oracle.f1_score(y, predicted, average="macro"), oracle.recall_score(y, predicted, average="weighted")
    for record in history.epochs:
        same([record["f1"], record["recall"]], expected)
        same([record["validation_f1"], record["validation_recall"]], expected)
    same(history.steps[0]["f1"], oracle.f1_score(y[:9], predicted[:9], average="macro"))


def test_a_function_that_computes_a_metric_per_batch_is_refused():
    data = [(tg.eye(3), tg.tensor([0, 1, 1]))]
    wrong = {"f1": lambda output, target: metrics.f1(output, target, average="micro")}
    with pytest.raises(
        tg.ArgumentError, match=r"the mean over batches isn't the F1(.|\n)*metrics=\{'f1': nn.metrics.F1"
    ):
        nn.evaluate(nn.Identity(), data, metrics=wrong)
    assert metrics.f1(*data[0], average="micro") == pytest.approx(2 / 3)  # and it may be called again


def test_arrays_are_for_evaluate():
    model, data = nn.Linear(3, 3), [(tg.eye(3), tg.tensor([0, 1, 1]))]
    before = model.weight.numpy().copy()
    options = {"loss": nn.cross_entropy, "optimizer": nn.optim.SGD(model.parameters(), 1.0), "epochs": 1}
    for metric in (metrics.ConfusionMatrix(), metrics.F1("none"), metrics.confusion_matrix):
        with pytest.raises(tg.ArgumentError, match="gives an array"):
            nn.fit(model, data, metrics={"figure": metric}, progress=False, **options)
        assert nn.evaluate(model, data, metrics={"figure": metric})["figure"].shape[0] == 3
    assert np.array_equal(model.weight.numpy(), before)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.f1(np.zeros((3, 2)), np.zeros(4, int)), tg.ShapeError, "target (N, ...)"),
        (lambda: metrics.f1(np.zeros(3), np.zeros(3, int)), tg.ShapeError, "threshold=0.0 for logits"),
        (lambda: metrics.f1(np.zeros((3, 1)), np.zeros(3, int)), tg.ShapeError, "threshold=0.0 for logits"),
        (lambda: metrics.f1(np.zeros((3, 2)), np.full(3, 0.5)), tg.DTypeError, "whole numbers"),
        (lambda: metrics.f1(np.zeros((3, 2)), np.full(3, 2)), tg.RangeError, "the class 2; there are 2 classes"),
        (lambda: metrics.f1(np.zeros((3, 3)), np.zeros(3, int), "binary"), tg.ArgumentError, "F1 of 3 classes"),
        (lambda: metrics.f1(np.zeros((3, 3)), np.zeros(3, int), "mean"), tg.ArgumentError, "'macro', 'micro'"),
        (lambda: metrics.f1(np.array([-1, 0]), np.zeros(2, int)), tg.RangeError, "classes are ≥ 0"),
        (lambda: metrics.f1(np.array([0, 10**12]), np.zeros(2, int)), tg.RangeError, "at most 65536 are counted"),
        (lambda: metrics.confusion_matrix(np.array([0, 5000]), np.zeros(2, int)), tg.ArgumentError, "4096 classes"),
        (lambda: metrics.TopK(0), tg.ArgumentError, "k must be an int ≥ 1"),
        (lambda: metrics.top_k_accuracy(np.zeros((3, 2)), np.full(3, 2)), tg.RangeError, "[0, 2)"),
        (lambda: metrics.top_k_accuracy(np.zeros(3), np.full(3, 2)), tg.ShapeError, "output (N, C)"),
        (lambda: metrics.r2(np.zeros((3, 2)), np.zeros(3)), tg.ShapeError, "(N, D)"),
        (lambda: metrics.R2("mean"), tg.ArgumentError, "'uniform', 'variance'"),
        (
            lambda: nn.evaluate(nn.Identity(), [], metrics={"f": functools.partial(metrics.f1, 3)}),
            tg.ArgumentError,
            "by name",
        ),
        (lambda: nn.evaluate(nn.Identity(), [], metrics={"f": metrics.F1}), tg.ArgumentError, "pass F1(…)"),
        (lambda: nn.evaluate(nn.Identity(), [], metrics={"f": "f1"}), tg.ArgumentError, "got 'f1'"),
        (lambda: nn.evaluate(nn.Identity(), [], metrics=[metrics.f1]), tg.ArgumentError, "must be a dict, got list"),
    ],
)
def test_errors_restate_the_call(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
