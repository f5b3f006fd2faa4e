"""Precision, recall, F1, IoU and the confusion matrix: figures from counts of predicted and true classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.metrics.classes import check_option, predicted_and_true
from tensorgrad.nn.metrics.metric import Metric, Totals, computes
from tensorgrad.ops.operands import TensorLike

MOST_CELLS = 4096
"""The most classes of a confusion matrix: then it takes 128 MiB."""

AVERAGES = ("macro", "micro", "weighted", "binary", "none")


class _ByClass(Metric):
    """A figure (numerator / denominator) of each class from its counts, and an average of them.

    Args:
        average: "macro", the mean over the classes that occur in targets or predictions; "weighted", the same
            weighted by how often each is the target; "micro", from the counts of all classes together; "binary", of
            class 1; "none", an array of one figure for each class.
        ignore_index: targets to leave out.
        threshold: for one score per element, which predict class 1 above it: 0 for logits, 0.5 for probabilities.
        zero_division: the figure where the denominator is 0.

    Raises:
        ArgumentError: another average.
    """

    def __init__(
        self,
        average: str = "macro",
        *,
        ignore_index: int | None = None,
        threshold: float | None = None,
        zero_division: float = 0.0,
    ) -> None:
        check_option(type(self).__name__, "average", average, AVERAGES)
        self.average, self.ignore_index = average, ignore_index
        self.threshold, self.zero_division = threshold, zero_division

    @property
    def is_number(self) -> bool:  # type: ignore[override]
        """Whether one number is the result: not of `average="none"`."""
        return self.average != "none"

    def totals(self, output: TensorLike, target: TensorLike) -> Totals:
        """For each class how often it was predicted rightly, predicted, and the target: `(3, C)`."""
        call = type(self).__name__
        predicted, true, count = predicted_and_true(call, output, target, self.threshold, self.ignore_index)
        if self.average == "binary" and count > 2:
            check_option(f"{call} of {count} classes", "average", "binary", ("macro", "micro", "weighted", "none"))
        right = true[predicted == true]
        named = predicted[predicted >= 0]
        return {"counts": np.stack([np.bincount(side, minlength=count) for side in (right, named, true)])}

    def add(self, one: Totals, other: Totals) -> Totals:
        """The sums; of classes that only one of them knows, its own counts."""
        return {"counts": _padded_sum(one["counts"], other["counts"])}

    def value(self, totals: Totals) -> Any:
        """The average of the figures."""
        counts = totals["counts"]
        if self.average == "binary":
            return float(self._ratio(counts)[1])
        if self.average == "micro":
            # (3, C) -> (3, 1)
            return float(self._ratio(counts.sum(1, keepdims=True))[0]) if counts.any() else float("nan")
        ratios = self._ratio(counts)
        if self.average == "none":
            return ratios
        occurs = counts[1:].any(0)
        weights = counts[2] if self.average == "weighted" else occurs
        return float((ratios * weights).sum() / weights.sum()) if weights.any() else float("nan")

    def _ratio(self, counts: np.ndarray) -> np.ndarray:
        numerator, denominator = self._fraction(*counts.astype(np.float64))
        known = denominator > 0
        return np.where(known, numerator / np.where(known, denominator, 1), self.zero_division)

    def _fraction(self, right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


class Precision(_ByClass):
    """TP / (TP + FP) over all examples: see `precision`, whose options it takes.

    >>> import tensorgrad as tg
    >>> batches = [(tg.eye(2), tg.tensor([0, 0])), (tg.eye(2), tg.tensor([1, 1]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"precision": Precision()})
    {'precision': 0.5}
    """

    def _fraction(self, right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return right, predicted


class Recall(_ByClass):
    """TP / (TP + FN) over all examples: see `recall`, whose options it takes.

    >>> import tensorgrad as tg
    >>> batches = [(tg.eye(2), tg.tensor([0, 0])), (tg.eye(2), tg.tensor([0, 1]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"recall": Recall(average="none")})
    {'recall': array([0.66666667, 1.        ])}
    """

    def _fraction(self, right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return right, true


class F1(_ByClass):
    """2 TP / (2 TP + FP + FN) over all examples: see `f1`, whose options it takes.

    >>> import tensorgrad as tg
    >>> batches = [(tg.tensor([2.0, -1.0]), tg.tensor([1, 1])), (tg.tensor([3.0]), tg.tensor([1]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"f1": F1(average="binary", threshold=0.0)})
    {'f1': 0.8}
    """

    def _fraction(self, right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * right, predicted + true


class IoU(_ByClass):
    """TP / (TP + FP + FN) over all examples: see `iou`, whose options it takes.

    >>> import tensorgrad as tg
    >>> batches = [(tg.eye(2), tg.tensor([0, 0])), (tg.eye(2), tg.tensor([0, 1]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"iou": IoU()})
    {'iou': 0.5833333333333333}
    """

    def _fraction(self, right: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return right, predicted + true - right


class ConfusionMatrix(Metric):
    """How often class j was predicted where the target was class i, in row i and column j: see `confusion_matrix`.

    Args:
        ignore_index: targets to leave out.
        threshold: for one score per element, which predict class 1 above it.

    >>> import tensorgrad as tg
    >>> batches = [(tg.eye(2), tg.tensor([0, 0])), (tg.eye(2), tg.tensor([0, 1]))]
    >>> tg.nn.evaluate(tg.nn.Identity(), batches, metrics={"confusion": ConfusionMatrix()})
    {'confusion': array([[2, 1],
           [0, 1]])}
    """

    is_number = False

    def __init__(self, *, ignore_index: int | None = None, threshold: float | None = None) -> None:
        self.ignore_index, self.threshold = ignore_index, threshold

    def totals(self, output: TensorLike, target: TensorLike) -> Totals:
        """The matrix of a batch, `(C, C)`."""
        call = type(self).__name__
        predicted, true, count = predicted_and_true(call, output, target, self.threshold, self.ignore_index)
        if count > MOST_CELLS:
            problem = f"the matrix would have {count} × {count} cells; at most {MOST_CELLS} classes are taken"
            raise ArgumentError(restate(call, problem, output=output))
        named = predicted >= 0
        cells = np.bincount(true[named] * count + predicted[named], minlength=count * count)
        return {"matrix": cells.reshape(count, count)}

    def add(self, one: Totals, other: Totals) -> Totals:
        """The sums; of classes that only one of them knows, its own counts."""
        return {"matrix": _padded_sum(one["matrix"], other["matrix"])}

    def value(self, totals: Totals) -> np.ndarray:
        """The matrix."""
        return totals["matrix"]


def _padded_sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The sum, after zeros at the ends of the axes along which one is shorter."""
    both = np.zeros(tuple(map(max, zip(one.shape, other.shape, strict=True))), np.int64)
    for part in (one, other):
        both[tuple(map(slice, part.shape))] += part
    return both


@computes(Precision)
def precision(output: TensorLike, target: TensorLike, average: str = "macro", **options: Any) -> Any:
    """TP / (TP + FP): of the elements predicted to be of a class, the fraction that are.

    TP, FP and FN are the numbers of elements of a class that are predicted rightly, of others that are predicted to
    be of it, and of its own that aren't. A row with a NaN predicts no class.

    Args:
        output: scores `(N, C, ...)`, whose largest is the class; classes, integers or bools `(N, ...)`; or one score
            each, with a `threshold`.
        target: classes `(N, ...)`.
        average: "macro", the mean over the classes that occur in targets or predictions; "weighted", the same
            weighted by how often each is the target; "micro", from the counts of all classes together; "binary", of
            class 1; "none", an array of one figure for each class.
        options: `ignore_index`, targets to leave out; `threshold`, which scores of class 1 must exceed;
            `zero_division`, the figure where the denominator is 0, by default 0.

    Returns:
        A number, NaN without elements; an array `(C,)` for "none".

    Raises:
        ShapeError, DTypeError, RangeError: outputs and targets that don't match.
        ArgumentError: another average.

    >>> import tensorgrad as tg
    >>> precision(tg.tensor([0, 1, 1, 1]), tg.tensor([0, 1, 1, 0]), average="binary")
    0.6666666666666666
    """
    return Precision(average, **options)(output, target)


@computes(Recall)
def recall(output: TensorLike, target: TensorLike, average: str = "macro", **options: Any) -> Any:
    """TP / (TP + FN): of the elements of a class, the fraction that are predicted to be; see `precision`.

    >>> import tensorgrad as tg
    >>> recall(tg.tensor([0, 1, 1, 1]), tg.tensor([0, 1, 1, 0]), average="none")
    array([0.5, 1. ])
    """
    return Recall(average, **options)(output, target)


@computes(F1)
def f1(output: TensorLike, target: TensorLike, average: str = "macro", **options: Any) -> Any:
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall; of masks, the Dice coefficient.

    Takes what `precision` takes.

    >>> import tensorgrad as tg
    >>> f1(tg.tensor([0, 1, 1, 1]), tg.tensor([0, 1, 1, 0]), average="binary")
    0.8
    """
    return F1(average, **options)(output, target)


@computes(IoU)
def iou(output: TensorLike, target: TensorLike, average: str = "macro", **options: Any) -> Any:
    """TP / (TP + FP + FN): intersection over union of the predicted and the true elements of a class (Jaccard index).

    Takes what `precision` takes. For images, all pixels of all images count together.

    >>> import tensorgrad as tg
    >>> iou(tg.tensor([0, 1, 1, 1]), tg.tensor([0, 1, 1, 0]), average="none")
    array([0.5       , 0.66666667])
    """
    return IoU(average, **options)(output, target)


@computes(ConfusionMatrix)
def confusion_matrix(output: TensorLike, target: TensorLike, **options: Any) -> np.ndarray:
    """How often class j was predicted where the target was class i, in row i and column j: `(C, C)`.

    Args:
        output: scores `(N, C, ...)`, whose largest is the class; classes `(N, ...)`; or one score each, with a
            `threshold`. An element with a NaN predicts no class, and isn't counted.
        target: classes `(N, ...)`.
        options: `ignore_index`, targets to leave out; `threshold`, which scores of class 1 must exceed.

    >>> import tensorgrad as tg
    >>> confusion_matrix(tg.tensor([0, 1, 1, 1]), tg.tensor([0, 1, 1, 0]))
    array([[1, 1],
           [0, 2]])
    """
    return ConfusionMatrix(**options)(output, target)
